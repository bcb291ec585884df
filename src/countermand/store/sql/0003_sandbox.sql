-- What a sandbox remembers of itself. A body is JSON that the sandbox wrote.

CREATE TABLE sandbox_settings (
    name text PRIMARY KEY,
    body bytea NOT NULL
);
COMMENT ON TABLE sandbox_settings IS 'The mode of its clock and its seed, written before the answer to the request that set them.';

CREATE TABLE sandbox_tokens (
    mint     text     COLLATE "C" PRIMARY KEY,
    position bigint   GENERATED ALWAYS AS IDENTITY,
    symbol   text     NOT NULL,
    decimals smallint NOT NULL,
    program  text     COLLATE "C" NOT NULL
);
COMMENT ON TABLE sandbox_tokens IS 'Tokens beside those that every venue knows.';

CREATE TABLE venue (
    one              boolean PRIMARY KEY DEFAULT true CHECK (one),
    seed_fingerprint text NOT NULL
);
COMMENT ON TABLE venue IS 'Which master seed the vaults of this database belong to. Another one cannot move their funds.';
