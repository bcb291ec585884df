-- What the shards remember. An instant is in milliseconds since the Unix epoch, on the venue's clock; a body is JSON that
-- the engine wrote and that nothing here reads.

CREATE TABLE shards (
    shard   integer PRIMARY KEY,
    epoch   bigint NOT NULL,
    opened  bigint NOT NULL,
    seq     bigint NOT NULL,
    head    bytea  NOT NULL,
    last_at bigint NOT NULL,
    incarnation bigint NOT NULL DEFAULT 1,
    began       bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
COMMENT ON TABLE shards IS
    'The fence: one row a shard, which every commit moves on from the epoch and the sequence that its writer believes in. '
    'Each commit leaves a dead version behind, and the free space lets it be cleared without touching the index.';
COMMENT ON COLUMN shards.epoch IS 'Rises with every load: a batch of an older epoch can no longer commit.';
COMMENT ON COLUMN shards.opened IS 'The epoch in which the present writer took the shard: it may begin another one, a replaced writer may not.';
COMMENT ON COLUMN shards.head IS 'The hash of the last journal row, empty before the first.';
COMMENT ON COLUMN shards.incarnation IS 'Rises with every reset: positions in the events of an older one are no more.';
COMMENT ON COLUMN shards.began IS 'The sequence number after which the present incarnation began: they go on rising.';
COMMENT ON COLUMN shards.last_at IS 'The instant of the last journal row: time in a shard never runs backwards.';

CREATE TABLE journal (
    shard integer NOT NULL,
    seq   bigint  NOT NULL,
    at    bigint  NOT NULL,
    kind  text    NOT NULL,
    body  bytea   NOT NULL,
    hash  bytea   NOT NULL,
    PRIMARY KEY (shard, seq)
);
COMMENT ON TABLE journal IS 'Every command that changed something, with its events. Rows are only ever added.';
COMMENT ON COLUMN journal.hash IS 'Of this row and the hash before it: a row that is changed later breaks the chain.';

CREATE TABLE orders (
    id          uuid    PRIMARY KEY,
    shard       integer NOT NULL,
    bucket      smallint NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    wallet      text    COLLATE "C" NOT NULL,
    live        boolean NOT NULL,
    active      boolean NOT NULL,
    input_mint  text    COLLATE "C" NOT NULL,
    output_mint text    COLLATE "C" NOT NULL,
    created_at  bigint  NOT NULL,
    updated_at  bigint  NOT NULL,
    expires_at  bigint  NOT NULL,
    body        bytea   NOT NULL
) WITH (fillfactor = 70);
COMMENT ON TABLE orders IS 'Orders as they are: what the journal adds up to. Each change rewrites the row, so a page keeps room for it.';
COMMENT ON COLUMN orders.bucket IS
    'That of the wallet: a shard owns a range of buckets, with all rows in them. The last byte of an id is only a hint at it.';
COMMENT ON COLUMN orders.live IS 'It is loaded at a start. The others are read when a request names them.';
CREATE INDEX orders_live ON orders (shard, id) WHERE live;
COMMENT ON INDEX orders_live IS 'A start finds what lives among all that has ended.';

CREATE INDEX orders_wallet ON orders (wallet);
COMMENT ON INDEX orders_wallet IS 'The history of a wallet, which counts all its orders, so sorting them in an index would save nothing.';

CREATE TABLE events (
    shard    integer NOT NULL,
    seq      bigint  NOT NULL,
    n        integer NOT NULL,
    wallet   text    COLLATE "C" NOT NULL,
    order_id text    COLLATE "C" NOT NULL,
    kind     text    COLLATE "C" NOT NULL,
    body     bytea   NOT NULL,
    PRIMARY KEY (shard, seq, n)
);
COMMENT ON TABLE events IS 'The events of each order, as readers see them: the journal entry, and the number within it. Rows are only ever added.';
COMMENT ON COLUMN events.wallet IS 'The wallet or the account whose order it is.';
CREATE INDEX events_order ON events (order_id, kind, seq, n);
COMMENT ON INDEX events_order IS 'The story of one order, or only some kinds of events of it: there may be very many of one kind.';

CREATE FUNCTION shown_history(of_order text, kinds text[], passing text, passing_max integer, shown_max integer)
RETURNS bytea[] STABLE LANGUAGE sql AS $$
    SELECT ARRAY(
        SELECT body FROM (
            SELECT body, seq, n FROM events WHERE order_id = of_order AND kind = ANY (kinds)
            UNION ALL
            (SELECT body, seq, n FROM events WHERE order_id = of_order AND kind = passing
             ORDER BY seq DESC, n DESC LIMIT passing_max)
        ) AS happened
        ORDER BY seq DESC, n DESC LIMIT shown_max
    )
$$;
COMMENT ON FUNCTION shown_history IS 'The bodies of events of some kinds, and of a passing kind the newest few; the newest first.';

CREATE TABLE crafts (
    request_id        uuid    PRIMARY KEY,
    shard             integer NOT NULL,
    bucket            smallint NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    order_id          uuid    NOT NULL,
    last_valid_height bigint,
    body              bytea   NOT NULL
);
COMMENT ON TABLE crafts IS 'Deposits that were built and handed out to be signed.';
COMMENT ON COLUMN crafts.bucket IS 'That of the wallet, as in orders.';
COMMENT ON COLUMN crafts.last_valid_height IS 'Where it dies unless it becomes an order; null once it was seen to have become one, and stays.';
CREATE INDEX crafts_mortal ON crafts (last_valid_height) WHERE last_valid_height IS NOT NULL;
COMMENT ON INDEX crafts_mortal IS 'Each craft is judged once, soon after its height has passed.';

CREATE TABLE watermarks (
    shard     integer NOT NULL,
    mint      text    COLLATE "C" NOT NULL,
    direction text    COLLATE "C" NOT NULL,
    body      bytea   NOT NULL,
    PRIMARY KEY (shard, mint, direction)
);
COMMENT ON TABLE watermarks IS 'How far the market went, for the orders that trail a mint: what the journal adds up to.';

CREATE TABLE builds (
    digest            bytea   PRIMARY KEY,
    request_id        uuid    NOT NULL,
    last_valid_height bigint  NOT NULL,
    body              bytea   NOT NULL
);
COMMENT ON TABLE builds IS 'Transactions that were built for users who may land them without us, by the hash of their message.';
CREATE INDEX builds_mortal ON builds (last_valid_height);
COMMENT ON INDEX builds_mortal IS 'They are forgotten some time after they could land.';

CREATE TABLE vaults (
    wallet        text    COLLATE "C" PRIMARY KEY,
    bucket        smallint NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    registered_at bigint  NOT NULL
);
COMMENT ON TABLE vaults IS 'The wallets that registered a vault. Its address follows from the wallet and the master seed.';
COMMENT ON COLUMN vaults.bucket IS 'That of the wallet, as in orders.';

CREATE TABLE prices (
    mint        text    COLLATE "C" PRIMARY KEY,
    picodollars numeric(25, 0) NOT NULL
);
COMMENT ON TABLE prices IS 'The last price of each mint, in 10⁻¹² US dollars for one whole token.';
