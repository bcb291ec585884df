-- One transaction can open an address, end its order and open it again: such orders are told apart by their number.

ALTER TABLE onchain_orders ADD COLUMN nth integer NOT NULL DEFAULT 0;
ALTER TABLE onchain_orders ADD COLUMN ended_slot bigint NOT NULL DEFAULT 0;
ALTER TABLE onchain_orders DROP CONSTRAINT onchain_orders_pkey;
ALTER TABLE onchain_orders ADD PRIMARY KEY (address, opened_by, nth);
COMMENT ON COLUMN onchain_orders.nth IS 'How many orders its transaction had opened at this address before.';
COMMENT ON COLUMN onchain_orders.ended_slot IS 'The slot in which it ended, 0 while it is open, or where an earlier version stored it. Several slots have one time.';
DROP INDEX onchain_orders_ended;
CREATE INDEX onchain_orders_ended
    ON onchain_orders (owner, family, updated_at DESC, ended_slot DESC, address, opened_by, nth) WHERE NOT live;
COMMENT ON INDEX onchain_orders_ended IS 'A page of an owner''s history, in its order.';

ALTER TABLE onchain_trades ADD COLUMN nth integer NOT NULL DEFAULT 0;
ALTER TABLE onchain_trades DROP CONSTRAINT onchain_trades_pkey;
ALTER TABLE onchain_trades ADD PRIMARY KEY (address, opened_by, nth, n);
COMMENT ON COLUMN onchain_trades.nth IS 'That of its order.';
