-- What a venue with order books remembers. Amounts are whole numbers of 10⁻¹⁶ units.

CREATE TABLE book_orders (
    id         bigint  PRIMARY KEY,
    shard      integer NOT NULL,
    account    text    COLLATE "C" NOT NULL,
    nonce      bigint  NOT NULL,
    uuid       uuid    NOT NULL UNIQUE,
    market     text    COLLATE "C" NOT NULL,
    base       text    COLLATE "C" NOT NULL,
    quote      text    COLLATE "C" NOT NULL,
    kind       text    NOT NULL,
    side       text    NOT NULL,
    state      text    NOT NULL,
    live       boolean NOT NULL,
    created_at bigint  NOT NULL,
    body       bytea   NOT NULL,
    UNIQUE (account, nonce)
) WITH (fillfactor = 70);
COMMENT ON TABLE book_orders IS 'Orders as they are: what the journal adds up to. Each change rewrites the row, so a page keeps room for it.';
COMMENT ON COLUMN book_orders.live IS 'It is loaded at a start. The others are read when a request names them.';
CREATE INDEX book_orders_live ON book_orders (shard, id) WHERE live;
COMMENT ON INDEX book_orders_live IS 'A start finds what lives among all that has ended.';
CREATE INDEX book_orders_account ON book_orders (account, id);
COMMENT ON INDEX book_orders_account IS 'The orders of an account, the newest first.';

CREATE TABLE book_trades (
    id         bigint  PRIMARY KEY,
    shard      integer NOT NULL,
    market     text    COLLATE "C" NOT NULL,
    at         bigint  NOT NULL,
    ticks      bigint  NOT NULL,
    lots       bigint  NOT NULL,
    buyer      text    COLLATE "C" NOT NULL,
    seller     text    COLLATE "C" NOT NULL,
    buy_order  bigint  NOT NULL,
    sell_order bigint  NOT NULL,
    body       bytea   NOT NULL
);
COMMENT ON TABLE book_trades IS 'Trades, of which rows are only ever added.';
CREATE INDEX book_trades_market ON book_trades (market, at, id);
CREATE INDEX book_trades_buyer ON book_trades (buyer, id);
CREATE INDEX book_trades_seller ON book_trades (seller, id);
CREATE INDEX book_trades_buy_order ON book_trades (buy_order, id);
CREATE INDEX book_trades_sell_order ON book_trades (sell_order, id);

CREATE TABLE book_balances (
    shard     integer NOT NULL,
    account   text    COLLATE "C" NOT NULL,
    currency  text    COLLATE "C" NOT NULL,
    available numeric(32, 0) NOT NULL CHECK (available >= 0),
    locked    numeric(32, 0) NOT NULL CHECK (locked >= 0),
    PRIMARY KEY (shard, account, currency)
) WITH (fillfactor = 50);
COMMENT ON TABLE book_balances IS 'The balances of all accounts, as the journal adds up.';

CREATE TABLE book_counters (
    shard integer PRIMARY KEY,
    body  bytea   NOT NULL
) WITH (fillfactor = 10);
COMMENT ON TABLE book_counters IS 'How many orders, trades and nonces there were, and the last price of each market.';

CREATE TABLE book_drafts (
    nonce      bigint  PRIMARY KEY,
    shard      integer NOT NULL,
    account    text    COLLATE "C" NOT NULL,
    expires_at bigint  NOT NULL,
    body       bytea   NOT NULL
);
COMMENT ON TABLE book_drafts IS 'Orders that their owners were asked to sign.';
CREATE INDEX book_drafts_mortal ON book_drafts (expires_at);
COMMENT ON INDEX book_drafts_mortal IS 'They are forgotten some time after they could be placed.';
