-- Who trades on the book. Seconds are the wall clock's, since the Unix epoch.

CREATE TABLE members (
    account       text   COLLATE "C" PRIMARY KEY,
    customer_id   bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    logins        bigint NOT NULL DEFAULT 0,
    stark_key     text   COLLATE "C",
    registered_at bigint NOT NULL
);
COMMENT ON TABLE members IS 'Users by their Ethereum addresses, in lower case. The first login makes one.';
COMMENT ON COLUMN members.customer_id IS 'Never given twice, not even after a reset: tokens name their owners by it.';
COMMENT ON COLUMN members.logins IS 'Each login moves it on, and the text that is signed to log in follows from it: no signature serves twice.';
COMMENT ON COLUMN members.stark_key IS 'The public key that signs the orders, 0x and hexadecimal digits.';

CREATE TABLE member_sessions (
    customer_id bigint NOT NULL REFERENCES members (customer_id) ON DELETE CASCADE,
    login       bigint NOT NULL,
    generation  bigint NOT NULL,
    issued_s    bigint NOT NULL,
    expires_s   bigint NOT NULL,
    PRIMARY KEY (customer_id, login)
) WITH (fillfactor = 70);
COMMENT ON TABLE member_sessions IS 'Sessions that may still be renewed. One that was ended is not here.';
COMMENT ON COLUMN member_sessions.generation IS 'That of the newest tokens. Who comes with an older refresh token than that uses it for the second time.';
