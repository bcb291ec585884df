"""The members of the order books: users by their Ethereum addresses, their sessions, the keys of their orders."""

from typing import Final, Protocol

from msgspec import Struct

from countermand.orders.book.model.ledger.amount import Account
from countermand.values.instant import Instant

_UID_BITS: Final = 40
_UID_STEP: Final = 0x9E3779B97F
_UID_START: Final = 0x4A7C15F39C
_KEYS_REMEMBERED: Final = 65_536
SESSIONS_KEPT: Final = 100
"""Of one member: a hundred logins later, a session has ended."""


class Member(Struct, frozen=True):
    """A user. `logins`: how often he has logged in."""

    account: Account
    customer_id: int
    logins: int
    stark_key: int | None
    registered_at: Instant

    @property
    def uid(self) -> str:
        """Another name of the customer's number: the step is odd, so no two below 2⁴⁰ share one."""
        return f"ID{(_UID_START + self.customer_id * _UID_STEP) % (1 << _UID_BITS):010X}"


class MemberSession(Struct, frozen=True):
    """It begins with one login, and lasts as long as its tokens are renewed."""

    account: Account
    customer_id: int
    login: int
    """The number of that login among the member's."""
    generation: int
    """How often its tokens were renewed."""
    issued_s: int
    """When they last were; seconds of the wall clock."""


class Members(Protocol):
    """The stored members. Every method may raise `Unavailable`, and one that changes something `CommitUnknown`."""

    async def member(self, account: Account) -> Member | None: ...

    async def enrol(self, account: Account, at: Instant) -> Member:
        """The member that is there already, or a new one."""

    async def log_in(self, account: Account, logins: int, issued_s: int, expires_s: int) -> MemberSession | None:
        """Begins a session, if the member has logged in exactly so often before: of two that race, one does.

        It ends the session of `SESSIONS_KEPT` logins before.
        """

    async def session(self, customer_id: int, login: int) -> MemberSession | None:
        """None: it has ended, or never began."""

    async def renew(self, session: MemberSession, issued_s: int, expires_s: int) -> MemberSession | None:
        """The next generation of the session, if this is its last; else what has become of it."""

    async def end(self, session: MemberSession) -> None: ...

    async def register_key(self, account: Account, stark_key: int, *, replace: bool) -> int | None:
        """The key that the member has now: the first, unless it is to be replaced. None: there is no such member."""


class StarkKeys:
    """The keys that sign orders. They are remembered, since each order asks for one."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self._known: dict[Account, int] = {}
        self._changes = 0

    async def of(self, account: Account) -> int | None:
        """None: the user has not registered one."""
        known = self._known.get(account)
        if known is not None:
            return known
        changes = self._changes
        member = await self._members.member(account)
        if member is None or member.stark_key is None:
            return None
        if changes == self._changes:  # Else it may have been replaced while we asked.
            self._remember(account, member.stark_key)
        return member.stark_key

    async def register(self, account: Account, stark_key: int, *, replace: bool = False) -> int | None:
        """As `Members.register_key`."""
        self._changes += 1
        self._known.pop(account, None)
        try:
            return await self._members.register_key(account, stark_key, replace=replace)
        finally:
            self._changes += 1
            self._known.pop(account, None)

    def forget(self) -> None:
        """The members are others now."""
        self._changes += 1
        self._known.clear()

    def _remember(self, account: Account, stark_key: int) -> None:
        if len(self._known) >= _KEYS_REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[account] = stark_key
