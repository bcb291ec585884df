"""The users of the book and their sessions, in PostgreSQL. What is asked here is committed when it is answered."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import asyncpg

from countermand.kernel.ports import CommitUnknown, Unavailable
from countermand.orders.book.members import SESSIONS_KEPT, Member, MemberSession
from countermand.orders.book.model.ledger.amount import Account
from countermand.store.connections import LOAD_S, Pool, asking
from countermand.values.instant import Instant

_MEMBER: Final = "SELECT account, customer_id, logins, stark_key, registered_at FROM members WHERE account = $1"
_ENROL: Final = "INSERT INTO members (account, registered_at) VALUES ($1, $2) ON CONFLICT (account) DO NOTHING"
_LOG_IN: Final = """
WITH member AS (
    UPDATE members SET logins = logins + 1 WHERE account = $1 AND logins = $2 RETURNING account, customer_id, logins
), swept AS (
    DELETE FROM member_sessions AS old USING member
    WHERE old.customer_id = member.customer_id AND (old.expires_s <= $3 OR old.login <= member.logins - $5)
), begun AS (
    INSERT INTO member_sessions (customer_id, login, generation, issued_s, expires_s)
    SELECT customer_id, logins, 0, $3, $4 FROM member
    RETURNING customer_id, login, generation, issued_s
)
SELECT account, begun.* FROM begun JOIN member USING (customer_id)
"""
_SESSION: Final = """
SELECT account, customer_id, login, generation, issued_s
FROM member_sessions JOIN members USING (customer_id) WHERE customer_id = $1 AND login = $2
"""
_RENEW: Final = """
UPDATE member_sessions SET generation = generation + 1, issued_s = $4, expires_s = $5
WHERE customer_id = $1 AND login = $2 AND generation = $3
"""
_END: Final = "DELETE FROM member_sessions WHERE customer_id = $1 AND login = $2"
_REGISTER_KEY: Final = """
UPDATE members SET stark_key = CASE WHEN $3 THEN $2 ELSE coalesce(stark_key, $2) END WHERE account = $1
RETURNING stark_key
"""
_CLEAR: Final = """
DELETE FROM member_sessions;
DELETE FROM members;
UPDATE venue SET token_incarnation = token_incarnation + 1;
"""


class PostgresMembers:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def member(self, account: Account) -> Member | None:
        with asking():
            row = await self._pool.fetchrow(_MEMBER, account)
        return None if row is None else _member(row)

    async def enrol(self, account: Account, at: Instant) -> Member:
        with asking():
            row = await self._pool.fetchrow(_MEMBER, account)
        while row is None:
            with _changing():
                await self._pool.execute(_ENROL, account, at)
                row = await self._pool.fetchrow(_MEMBER, account)
        return _member(row)

    async def log_in(self, account: Account, logins: int, issued_s: int, expires_s: int) -> MemberSession | None:
        with _changing():
            row = await self._pool.fetchrow(_LOG_IN, account, logins, issued_s, expires_s, SESSIONS_KEPT)
        return None if row is None else _session(row)

    async def session(self, customer_id: int, login: int) -> MemberSession | None:
        with asking():
            row = await self._pool.fetchrow(_SESSION, customer_id, login)
        return None if row is None else _session(row)

    async def renew(self, session: MemberSession, issued_s: int, expires_s: int) -> MemberSession | None:
        key = session.customer_id, session.login
        with _changing():
            await self._pool.execute(_RENEW, *key, session.generation, issued_s, expires_s)
            row = await self._pool.fetchrow(_SESSION, *key)
        return None if row is None else _session(row)

    async def end(self, session: MemberSession) -> None:
        with _changing():
            await self._pool.execute(_END, session.customer_id, session.login)

    async def register_key(self, account: Account, stark_key: int, *, replace: bool) -> int | None:
        with _changing():
            key: Any = await self._pool.fetchval(_REGISTER_KEY, account, hex(stark_key), replace)
        return None if key is None else int(key, 16)

    async def clear(self) -> None:
        """Forgets all members. Numbers of customers go on rising, so that no token fits a stranger.

        All tokens and login texts end in the same commit: these follow from how often a member has logged in, which
        begins at 0 again.
        """
        with _changing():
            await self._pool.execute(_CLEAR, timeout=LOAD_S)


def _member(row: asyncpg.Record) -> Member:
    key = row["stark_key"]
    return Member(
        account=Account(row["account"]),
        customer_id=row["customer_id"],
        logins=row["logins"],
        stark_key=None if key is None else int(key, 16),
        registered_at=Instant(row["registered_at"]),
    )


def _session(row: asyncpg.Record) -> MemberSession:
    return MemberSession(
        account=Account(row["account"]),
        customer_id=row["customer_id"],
        login=row["login"],
        generation=row["generation"],
        issued_s=row["issued_s"],
    )


@contextmanager
def _changing() -> Iterator[None]:
    """Whether a change happened is not known when its answer is lost."""
    try:
        with asking():
            yield
    except Unavailable as reason:
        raise CommitUnknown(str(reason)) from reason
