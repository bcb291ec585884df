"""Members and their sessions in memory, for tests of what stands on them."""

from countermand.orders.book.members import SESSIONS_KEPT, Member, MemberSession
from countermand.orders.book.model.ledger.amount import Account
from countermand.values.instant import Instant
from countermand.values.structs import replace


class MemoryMembers:
    """`failing` is raised by whatever is asked next."""

    def __init__(self) -> None:
        self.members: dict[Account, Member] = {}
        self.sessions: dict[tuple[int, int], tuple[MemberSession, int]] = {}
        self.numbers = 0
        self.failing: Exception | None = None
        self.failing_after: Exception | None = None
        """Raised once a session has been renewed."""
        self.asked = 0

    async def member(self, account: Account) -> Member | None:
        self._fail()
        return self.members.get(account)

    async def enrol(self, account: Account, at: Instant) -> Member:
        self._fail()
        if account not in self.members:
            self.numbers += 1
            self.members[account] = Member(account, self.numbers, 0, None, at)
        return self.members[account]

    async def log_in(self, account: Account, logins: int, issued_s: int, expires_s: int) -> MemberSession | None:
        self._fail()
        member = self.members.get(account)
        if member is None or member.logins != logins:
            return None
        member = self.members[account] = replace(member, logins=logins + 1)
        for key, (old, ends) in [*self.sessions.items()]:
            if key[0] == member.customer_id and (ends <= issued_s or old.login <= member.logins - SESSIONS_KEPT):
                del self.sessions[key]
        session = MemberSession(account, member.customer_id, member.logins, 0, issued_s)
        self.sessions[member.customer_id, member.logins] = session, expires_s
        return session

    async def session(self, customer_id: int, login: int) -> MemberSession | None:
        self._fail()
        found = self.sessions.get((customer_id, login))
        return None if found is None else found[0]

    async def renew(self, session: MemberSession, issued_s: int, expires_s: int) -> MemberSession | None:
        self._fail()
        key = session.customer_id, session.login
        found = self.sessions.get(key)
        if found is None:
            return None
        if found[0].generation == session.generation:
            renewed = replace(found[0], generation=session.generation + 1, issued_s=issued_s)
            self.sessions[key] = renewed, expires_s
        if self.failing_after is not None:
            raise self.failing_after
        return self.sessions[key][0]

    async def end(self, session: MemberSession) -> None:
        self._fail()
        self.sessions.pop((session.customer_id, session.login), None)

    async def register_key(self, account: Account, stark_key: int, *, replace: bool) -> int | None:
        self._fail()
        member = self.members.get(account)
        if member is None:
            return None
        key = stark_key if replace or member.stark_key is None else member.stark_key
        self.members[account] = Member(account, member.customer_id, member.logins, key, member.registered_at)
        return key

    async def clear(self) -> None:
        self._fail()
        self.members.clear()
        self.sessions.clear()

    def _fail(self) -> None:
        self.asked += 1
        if self.failing is not None:
            raise self.failing
