-- What a venue knows of itself, and which programs may speak to it.

ALTER TABLE venue
    ADD COLUMN token_incarnation bigint NOT NULL DEFAULT 1,
    ADD COLUMN founded_as text CHECK (founded_as IN ('sandbox', 'venue')),
    ADD COLUMN served_as  text CHECK (served_as IN ('sandbox', 'venue')),
    ADD COLUMN chain      text;
UPDATE venue SET founded_as = 'sandbox', served_as = 'sandbox', chain = 'embedded';
COMMENT ON COLUMN venue.token_incarnation IS 'Part of every token and challenge. A reset and the fault expireTokens raise it: what was issued before has ended.';
COMMENT ON COLUMN venue.founded_as IS 'How the database was served first; null until then. What began as a venue never becomes a sandbox.';
COMMENT ON COLUMN venue.served_as IS 'How the database was served last. Prices that a sandbox invented do not survive a change to a venue.';
COMMENT ON COLUMN venue.chain IS 'Where the funds of the orders are: ''embedded'', or the genesis hash of the cluster. It never changes.';

CREATE TABLE api_keys (
    digest     bytea  PRIMARY KEY CHECK (octet_length(digest) = 32),
    scopes     text[] NOT NULL CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'trade', 'cancel', 'admin']),
    tier       text   NOT NULL,
    owner      text   NOT NULL,
    created_at bigint NOT NULL
);
COMMENT ON TABLE api_keys IS 'Keys of programs. A key itself is shown once, when it is made, and stored nowhere.';
COMMENT ON COLUMN api_keys.digest IS 'SHA-256 of the key.';
COMMENT ON COLUMN api_keys.owner IS 'A wallet, an account, or * for all.';
COMMENT ON COLUMN api_keys.created_at IS 'Milliseconds of the wall clock.';
