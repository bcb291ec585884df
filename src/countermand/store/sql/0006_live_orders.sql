-- Who trades much has few orders that live, among all that have ended.

CREATE INDEX book_orders_live_account ON book_orders (account, id) WHERE live;
COMMENT ON INDEX book_orders_live_account IS 'The orders of an account that have not ended: what bots ask for all the time.';
