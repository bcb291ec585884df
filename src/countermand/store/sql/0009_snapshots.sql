-- Snapshots of a whole sandbox: each is a copy of the tables in a schema of its own.

CREATE TABLE sandbox_snapshots (
    name     text    COLLATE "C" PRIMARY KEY,
    number   bigint  GENERATED ALWAYS AS IDENTITY UNIQUE,
    layout   integer NOT NULL,
    seq      bigint  NOT NULL,
    taken_at bigint  NOT NULL,
    body     bytea   NOT NULL
);
COMMENT ON TABLE sandbox_snapshots IS 'The snapshots of a sandbox. Tables are copied into the schema countermand_snapshot_NUMBER.';
COMMENT ON COLUMN sandbox_snapshots.layout IS 'How many migrations had made the tables: a later version may have others.';
COMMENT ON COLUMN sandbox_snapshots.seq IS 'The last sequence number of the trigger shard that is in it.';
COMMENT ON COLUMN sandbox_snapshots.taken_at IS 'The instant that the clock of the venue showed.';
COMMENT ON COLUMN sandbox_snapshots.body IS 'JSON of what a sandbox keeps in no table: how its clock stood, its seed, its liquidity.';

ALTER TABLE chain_ledger ADD COLUMN former_entropies bytea NOT NULL DEFAULT '';
COMMENT ON COLUMN chain_ledger.former_entropies IS
    'Each restore begins with a new entropy. The blockhashes of transactions from before follow from these, of 32 bytes each.';
