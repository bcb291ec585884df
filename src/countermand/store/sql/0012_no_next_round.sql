-- A history by the next round begins with none that will have no round.

ALTER TABLE dca_orders ALTER COLUMN next_fill_at DROP NOT NULL;
UPDATE dca_orders SET next_fill_at = NULL
WHERE NOT active OR convert_from(body, 'UTF8')::jsonb ->> 'state' = 'withdrawing';
COMMENT ON COLUMN dca_orders.next_fill_at IS 'When its next round is due. Null: no round will begin any more.';
