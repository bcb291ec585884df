-- Of several orders that end in one slot, a history shows the last first.

ALTER TABLE onchain_orders ADD COLUMN ended_nth integer NOT NULL DEFAULT -1;
ALTER TABLE onchain_orders ALTER COLUMN ended_nth DROP DEFAULT;
COMMENT ON COLUMN onchain_orders.ended_nth IS
    'Its place among what happened in that slot: what ended later has a greater one. -1: it was stored before there was one.';
DROP INDEX onchain_orders_ended;
CREATE INDEX onchain_orders_ended
    ON onchain_orders (owner, family, updated_at DESC, ended_slot DESC, ended_nth DESC, address, opened_by, nth)
    WHERE NOT live;
COMMENT ON INDEX onchain_orders_ended IS 'A page of an owner''s history, in its order.';
