"""What is remembered of the users of the book, whatever remembers it."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import TypeAlias

import asyncpg
import pytest
import pytest_asyncio

from countermand.kernel.ports import CommitUnknown, Unavailable
from countermand.orders.book.members import SESSIONS_KEPT, Member, Members, MemberSession
from countermand.orders.book.model.ledger.amount import Account
from countermand.store.members_postgres import PostgresMembers
from countermand.store.venue_postgres import PostgresVenue
from countermand.values.instant import Instant
from countermand.values.structs import replace
from tests.contract.memory_members import MemoryMembers

ALICE = Account("0x9cc001058a30dd3ba6c7f0c98d6e20de089b00a1")
BOB = Account("0x00000000000000000000000000000000000000b0")
TODAY = Instant(1_790_000_000_000)
NOW_S, WEEK_S = 1_790_000_000, 604_800
KEY = 0x12195277B7F3E8C9836F9EFE65D6289AF92CF52F0E030782B9E268527941DD6
OTHER_KEY = 0x17DD6B0C2219DCE78F9992A6DA29F32269DE0F570833D78E11BD400ED8AA5B8

AnyMembers: TypeAlias = MemoryMembers | PostgresMembers


@pytest.fixture(params=["memory", "postgres"])
def home(request: pytest.FixtureRequest) -> str | None:
    """The database's URL, or none."""
    return None if request.param == "memory" else str(request.getfixturevalue("database_url"))


@pytest_asyncio.fixture
async def members(home: str | None) -> AsyncIterator[AnyMembers]:
    if home is None:
        yield MemoryMembers()
        return
    pool = await asyncpg.create_pool(home, min_size=1, max_size=4)
    yield PostgresMembers(pool)
    pool.terminate()


async def logged_in(members: Members, account: Account = ALICE, now: int = NOW_S) -> MemberSession:
    member = await members.enrol(account, TODAY)
    session = await members.log_in(account, member.logins, now, now + WEEK_S)
    assert session is not None
    return session


async def test_a_member_is_who_was_enrolled_first(members: AnyMembers) -> None:
    assert await members.member(ALICE) is None
    alice = await members.enrol(ALICE, TODAY)
    assert (alice.account, alice.logins, alice.stark_key, alice.registered_at) == (ALICE, 0, None, TODAY)
    assert await members.enrol(ALICE, Instant(TODAY + 1)) == await members.member(ALICE) == alice
    bob = await members.enrol(BOB, TODAY)
    assert bob.customer_id > alice.customer_id


async def test_ten_who_enrol_at_once_are_one(members: AnyMembers) -> None:
    assert len({*await asyncio.gather(*(members.enrol(ALICE, TODAY) for _ in range(10)))}) == 1


async def test_each_login_begins_a_session_of_its_own(members: AnyMembers) -> None:
    first, second = await logged_in(members), await logged_in(members)
    alice = await members.member(ALICE)
    assert alice is not None
    assert alice.logins == 2
    assert first == MemberSession(ALICE, alice.customer_id, 1, 0, NOW_S)
    assert second == replace(first, login=2)
    assert await members.session(alice.customer_id, 1) == first
    assert await members.session(alice.customer_id, 2) == second
    assert await members.session(alice.customer_id, 3) is None


async def test_of_ten_logins_at_once_one_succeeds(members: AnyMembers) -> None:
    assert await members.log_in(ALICE, 0, NOW_S, NOW_S + WEEK_S) is None
    await members.enrol(ALICE, TODAY)
    sessions = await asyncio.gather(*(members.log_in(ALICE, 0, NOW_S, NOW_S + WEEK_S) for _ in range(10)))
    assert len([session for session in sessions if session is not None]) == 1
    assert await members.log_in(ALICE, 0, NOW_S, NOW_S + WEEK_S) is None
    assert await members.log_in(ALICE, 2, NOW_S, NOW_S + WEEK_S) is None


async def test_of_ten_renewals_at_once_one_counts_and_all_see_it(members: AnyMembers) -> None:
    session = await logged_in(members)
    renewals = [members.renew(session, NOW_S + number, NOW_S + number + WEEK_S) for number in range(10)]
    renewed = await asyncio.gather(*renewals)
    assert len({*renewed}) == 1
    assert renewed[0] is not None
    assert renewed[0].generation == 1
    assert await members.session(session.customer_id, session.login) == renewed[0]
    assert await members.renew(session, NOW_S + 99, NOW_S + 99 + WEEK_S) == renewed[0]
    following = await members.renew(renewed[0], NOW_S + 100, NOW_S + 100 + WEEK_S)
    assert following == replace(session, generation=2, issued_s=NOW_S + 100)


async def test_what_ended_is_not_renewed(members: AnyMembers) -> None:
    session, other = await logged_in(members), await logged_in(members)
    await members.end(session)
    await members.end(session)
    assert await members.session(session.customer_id, session.login) is None
    assert await members.renew(session, NOW_S, NOW_S + WEEK_S) is None
    assert await members.session(other.customer_id, other.login) == other


async def test_a_login_sweeps_away_what_has_expired_and_what_is_too_much(members: AnyMembers) -> None:
    first = await logged_in(members)
    others = await logged_in(members, BOB)
    later = await logged_in(members, now=NOW_S + WEEK_S)
    assert await members.session(first.customer_id, first.login) is None
    assert await members.session(others.customer_id, others.login) == others
    for _ in range(SESSIONS_KEPT - 1):
        await logged_in(members, now=NOW_S + WEEK_S)
    assert await members.session(later.customer_id, later.login) == later
    await logged_in(members, now=NOW_S + WEEK_S)
    assert await members.session(later.customer_id, later.login) is None


async def test_the_first_key_stays_unless_it_is_replaced(members: AnyMembers) -> None:
    assert await members.register_key(ALICE, KEY, replace=False) is None
    assert await members.register_key(ALICE, KEY, replace=True) is None
    await members.enrol(ALICE, TODAY)
    await members.enrol(BOB, TODAY)
    assert await members.register_key(ALICE, KEY, replace=False) == KEY
    assert await members.register_key(ALICE, KEY, replace=False) == KEY
    assert await members.register_key(ALICE, OTHER_KEY, replace=False) == KEY
    assert await members.register_key(ALICE, OTHER_KEY, replace=True) == OTHER_KEY
    alice, bob = await members.member(ALICE), await members.member(BOB)
    assert alice is not None
    assert bob is not None
    assert (alice.stark_key, bob.stark_key) == (OTHER_KEY, None)


async def test_numbers_are_not_given_twice_not_even_after_a_reset(members: AnyMembers) -> None:
    session = await logged_in(members)
    await members.clear()
    assert await members.member(ALICE) is None
    assert await members.session(session.customer_id, session.login) is None
    again = await logged_in(members, BOB)
    assert again.customer_id > session.customer_id


@pytest_asyncio.fixture
async def pool(database_url: str) -> "AsyncIterator[asyncpg.Pool[asyncpg.Record]]":
    pool = await asyncpg.create_pool(database_url, min_size=1, max_size=1)
    yield pool
    pool.terminate()


async def test_the_incarnation_of_tokens_rises_and_is_stored(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    await pool.execute("INSERT INTO venue (seed_fingerprint) VALUES ('a seed')")
    venue = PostgresVenue(pool)
    assert await venue.token_incarnation() == 1
    assert [await venue.raise_token_incarnation() for _ in range(3)] == [2, 3, 4]
    assert await PostgresVenue(pool).token_incarnation() == 4


async def test_without_members_all_tokens_have_ended_too(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """A5: in one commit, since a login text of a member who never logged in must not come twice."""
    await pool.execute("INSERT INTO venue (seed_fingerprint) VALUES ('a seed')")
    await PostgresMembers(pool).clear()
    assert await PostgresVenue(pool).token_incarnation() == 2


async def test_an_incarnation_that_is_not_there_is_said(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    venue = PostgresVenue(pool)
    with pytest.raises(Unavailable, match="the table venue has lost its row"):
        await venue.token_incarnation()
    with pytest.raises(CommitUnknown, match="the table venue has lost its row"):
        await venue.raise_token_incarnation()


async def test_whether_tokens_ended_is_not_known_of_a_database_that_is_gone(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    pool.terminate()
    with pytest.raises(Unavailable):
        await PostgresVenue(pool).token_incarnation()
    with pytest.raises(CommitUnknown):
        await PostgresVenue(pool).raise_token_incarnation()


async def test_postgres_that_is_gone_leaves_it_open_whether_something_changed(database_url: str) -> None:
    pool = await asyncpg.create_pool(database_url, min_size=1, max_size=1)
    members = PostgresMembers(pool)
    session = await logged_in(members)
    pool.terminate()
    for asking in (members.member(ALICE), members.session(1, 1), members.enrol(ALICE, TODAY)):
        with pytest.raises(Unavailable):
            await asking
    changing = (
        members.log_in(ALICE, 1, NOW_S, NOW_S + WEEK_S),
        members.renew(session, NOW_S, NOW_S + WEEK_S),
        members.end(session),
        members.register_key(ALICE, KEY, replace=True),
        members.clear(),
    )
    for change in changing:
        with pytest.raises(CommitUnknown):
            await change


def test_each_customer_has_a_uid_of_his_own() -> None:
    uids = [Member(ALICE, number, 0, None, TODAY).uid for number in range(10_000)]
    assert len({*uids}) == 10_000
    assert all(re.fullmatch("ID[0-9A-F]{10}", uid) for uid in uids)
