-- What is known of orders on the chain, by the transactions that landed. Times are in seconds since the Unix epoch, as
-- blocks have them; a body is JSON that the engine wrote and that nothing here reads.

CREATE TABLE onchain_orders (
    shard       integer NOT NULL,
    address     text    COLLATE "C" NOT NULL,
    opened_by   text    COLLATE "C" NOT NULL,
    nth         integer NOT NULL,
    family      text    COLLATE "C" NOT NULL,
    owner       text    COLLATE "C" NOT NULL,
    live        boolean NOT NULL,
    input_mint  text    COLLATE "C" NOT NULL,
    output_mint text    COLLATE "C" NOT NULL,
    created_at  bigint  NOT NULL,
    updated_at  bigint  NOT NULL,
    ended_slot  bigint  NOT NULL,
    body        bytea   NOT NULL,
    PRIMARY KEY (address, opened_by, nth)
) WITH (fillfactor = 70);
COMMENT ON TABLE onchain_orders IS 'Orders as the landed transactions add up to them. An address may be used again once its order has ended.';
COMMENT ON COLUMN onchain_orders.nth IS
    'How many orders its transaction had opened at this address before: one can open it, end its order and open it again.';
COMMENT ON COLUMN onchain_orders.ended_slot IS 'The slot in which it ended, 0 while it is open. Several slots have one time.';
COMMENT ON COLUMN onchain_orders.live IS 'It is open, and loaded at a start.';
CREATE INDEX onchain_orders_live ON onchain_orders (shard) WHERE live;
COMMENT ON INDEX onchain_orders_live IS 'A start finds what is open among all that has ended.';
CREATE INDEX onchain_orders_ended ON onchain_orders (owner, family, updated_at DESC, ended_slot DESC, address, opened_by, nth)
    WHERE NOT live;
COMMENT ON INDEX onchain_orders_ended IS 'A page of an owner''s history, in its order.';

CREATE TABLE onchain_trades (
    shard     integer NOT NULL,
    address   text    COLLATE "C" NOT NULL,
    opened_by text    COLLATE "C" NOT NULL,
    nth       integer NOT NULL,
    n         integer NOT NULL,
    failed    boolean NOT NULL,
    body      bytea   NOT NULL,
    PRIMARY KEY (address, opened_by, nth, n)
);
COMMENT ON TABLE onchain_trades IS 'The fills of each order, counted from 1. Rows are only ever added.';
COMMENT ON COLUMN onchain_trades.failed IS 'Its transaction failed, so nothing of it happened.';

CREATE TABLE onchain_cursors (
    shard   integer NOT NULL,
    program text    COLLATE "C" NOT NULL,
    body    bytea   NOT NULL,
    PRIMARY KEY (shard, program)
);
COMMENT ON TABLE onchain_cursors IS 'The last slot of each program from which there was news, and the transactions that brought it.';
