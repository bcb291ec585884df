-- Recurring orders that vaults hold. An instant is in milliseconds since the Unix epoch, on the venue's clock; a body is JSON
-- that the engine wrote and that nothing here reads.

CREATE TABLE dca_orders (
    id           uuid     PRIMARY KEY,
    shard        integer  NOT NULL,
    bucket       smallint NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    wallet       text     COLLATE "C" NOT NULL,
    live         boolean  NOT NULL,
    active       boolean  NOT NULL,
    input_mint   text     COLLATE "C" NOT NULL,
    output_mint  text     COLLATE "C" NOT NULL,
    created_at   bigint   NOT NULL,
    updated_at   bigint   NOT NULL,
    next_fill_at bigint   NOT NULL,
    body         bytea    NOT NULL
) WITH (fillfactor = 70);
COMMENT ON TABLE dca_orders IS 'Orders as they are: what the journal adds up to. Each change rewrites the row, so a page keeps room for it.';
COMMENT ON COLUMN dca_orders.bucket IS
    'That of the wallet: a shard owns a range of buckets, with all rows in them. The last byte of an id is only a hint at it.';
COMMENT ON COLUMN dca_orders.live IS 'It is loaded at a start. The others are read when a request names them.';
COMMENT ON COLUMN dca_orders.next_fill_at IS 'When its next round is due. Of an order that has ended: when it would have been.';
CREATE INDEX dca_orders_live ON dca_orders (shard, id) WHERE live;
COMMENT ON INDEX dca_orders_live IS 'A start finds what lives among all that has ended.';
CREATE INDEX dca_orders_wallet ON dca_orders (wallet);
COMMENT ON INDEX dca_orders_wallet IS 'The history of a wallet, which counts all its orders, so sorting them in an index would save nothing.';

CREATE TABLE dca_crafts (
    request_id        uuid     PRIMARY KEY,
    shard             integer  NOT NULL,
    bucket            smallint NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    order_id          uuid     NOT NULL,
    last_valid_height bigint,
    body              bytea    NOT NULL
);
COMMENT ON TABLE dca_crafts IS 'Deposits of recurring orders that were built and handed out to be signed.';
COMMENT ON COLUMN dca_crafts.bucket IS 'That of the wallet, as in dca_orders.';
COMMENT ON COLUMN dca_crafts.last_valid_height IS 'Where it dies unless it becomes an order; null once it was seen to have become one, and stays.';
CREATE INDEX dca_crafts_mortal ON dca_crafts (last_valid_height) WHERE last_valid_height IS NOT NULL;
COMMENT ON INDEX dca_crafts_mortal IS 'Each craft is judged once, soon after its height has passed.';
