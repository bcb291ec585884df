-- The ledger of the embedded chain. Keys, hashes and signatures are raw bytes.

-- The fence. Every commit advances seq where epoch and seq are what its writer believes, and writes only if that found the row.
-- "opened" is the epoch in which the present writer took the ledger: it may begin another epoch, a replaced writer may not.
CREATE TABLE chain_ledger (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch bigint NOT NULL DEFAULT 0,
    opened bigint NOT NULL DEFAULT 0,
    seq bigint NOT NULL DEFAULT 0,
    entropy bytea,
    faucet_seed bytea,
    mint_authority_seed bytea,
    slot bigint,
    wall_ms bigint,
    ceiling bigint,
    block_time bigint
) WITH (fillfactor = 20);
INSERT INTO chain_ledger DEFAULT VALUES;

-- lamports is unsigned on chain; what exceeds a bigint is stored as its two's complement.
CREATE TABLE chain_accounts (
    address bytea PRIMARY KEY,
    lamports bigint NOT NULL,
    owner bytea NOT NULL,
    data bytea NOT NULL,
    executable boolean NOT NULL
) WITH (fillfactor = 70);

-- One message with two valid signatures must not land twice: both are unique, for ever.
CREATE TABLE chain_transactions (
    signature bytea PRIMARY KEY,
    message_hash bytea NOT NULL UNIQUE,
    position bigint NOT NULL UNIQUE,
    slot bigint NOT NULL,
    block_time bigint NOT NULL,
    raw bytea NOT NULL,
    error text,
    meta bytea NOT NULL
);
CREATE INDEX chain_transactions_slot ON chain_transactions USING brin (slot) WITH (pages_per_range = 16, autosummarize = on);

CREATE TABLE chain_mentions (
    address bytea NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (address, position)
);
