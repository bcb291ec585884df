"""What tokens of tanX are worth, for how long, and what they are exchanged for."""

import asyncio
import base64
import hmac
import json
import re
from hashlib import sha256

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countermand.dialects.tanx import auth, session
from countermand.dialects.tanx.envelope import ACCESS_REFUSED, NO_CREDENTIALS
from countermand.kernel.ports import CommitUnknown
from countermand.orders.book.members import MemberSession
from tests.contract.memory_members import MemoryMembers
from tests.dialects.fakes import SECRET, START_MS
from tests.dialects.tanx.auth_api import (
    ALICE,
    MALLORY,
    NOW_S,
    PROFILE,
    REFRESH,
    REFUSED_ACCESS,
    REFUSED_REFRESH,
    UNAUTHENTICATED,
    AuthApi,
    HeldMembers,
    begun,
)
from tests.dialects.tanx.keys import address_of

HS256 = {"alg": "HS256", "typ": "JWT"}
CLAIMS = {
    "token_type": "access",
    "exp": NOW_S + 3_600,
    "iat": NOW_S,
    "jti": "1-1-0-access",
    "user_id": 1,
    "session": 1,
    "generation": 0,
    "incarnation": 1,
    "aud": "tanx",
}


@pytest.fixture
def venue() -> AuthApi:
    return AuthApi()


@pytest.mark.parametrize("path", auth.REFRESH_PATHS)
@pytest.mark.parametrize("form", [False, True])
def test_both_tokens_are_exchanged(venue: AuthApi, path: str, form: bool) -> None:
    old = venue.tokens()
    token = old["refresh"]
    answer = venue.ask("POST", path, f"refresh={token}".encode() if form else {"refresh": token}, form=form)
    assert re.fullmatch(
        r'\{"status":"success","message":"","payload":\{"access":"[^"]+","refresh":"[^"]+"\}\}', answer.text
    )
    new = answer.json["payload"]
    assert len({old["access"], old["refresh"], new["access"], new["refresh"]}) == 4
    assert venue.profile(new["access"]) == venue.profile(old["access"]) == 200


def test_a_token_that_was_used_before_ends_the_whole_session(venue: AuthApi) -> None:
    other = venue.tokens()
    first = venue.tokens()
    second = venue.refreshed(first["refresh"])
    third = venue.refreshed(second["refresh"])
    assert venue.profile(first["access"]) == venue.profile(third["access"]) == 200
    assert venue.refresh(first["refresh"]) == (401, REFUSED_REFRESH)
    assert venue.refresh(third["refresh"]) == (401, REFUSED_REFRESH)
    assert venue.told("GET", PROFILE, token=third["access"]) == (401, REFUSED_ACCESS)
    venue.restarts()
    assert venue.told("GET", PROFILE, token=third["access"]) == (401, REFUSED_ACCESS)
    assert venue.refresh(third["refresh"]) == (401, REFUSED_REFRESH)
    assert venue.profile(other["access"]) == 200
    assert venue.profile(venue.tokens()["access"]) == 200


def test_a_repetition_within_30_seconds_returns_the_same_tokens(venue: AuthApi) -> None:
    """D7."""
    first = venue.tokens()
    second = venue.refreshed(first["refresh"])
    assert venue.refreshed(first["refresh"]) == second
    venue.restarts()
    venue.clock.wall += 30_000
    assert venue.refreshed(first["refresh"]) == second
    assert venue.profile(second["access"]) == 200
    venue.refreshed(second["refresh"])


def test_a_spent_token_that_comes_later_ends_the_session(venue: AuthApi) -> None:
    first = venue.tokens()
    second = venue.refreshed(first["refresh"])
    venue.clock.wall += 31_000
    assert venue.refresh(first["refresh"]) == (401, REFUSED_REFRESH)
    assert venue.refresh(second["refresh"]) == (401, REFUSED_REFRESH)


def test_a_spent_token_is_not_revived_by_a_clock_that_goes_back(venue: AuthApi) -> None:
    """B7: 30 seconds are not two days."""
    first = venue.tokens()
    second = venue.refreshed(first["refresh"])
    venue.clock.wall -= 2 * 86_400_000
    assert venue.refresh(first["refresh"]) == (401, REFUSED_REFRESH)
    assert venue.refresh(second["refresh"]) == (401, REFUSED_REFRESH)


def test_a_token_may_expire_between_its_exchange_and_the_repetition(venue: AuthApi) -> None:
    first = venue.tokens()
    venue.clock.wall += 604_800_000 - 1_000
    second = venue.refreshed(first["refresh"])
    venue.clock.wall += 5_000
    assert venue.refreshed(first["refresh"]) == second


def test_sessions_go_on_after_a_restart(venue: AuthApi) -> None:
    first = venue.tokens()
    venue.restarts()
    assert venue.profile(first["access"]) == 200
    second = venue.refreshed(first["refresh"])
    venue.restarts()
    assert venue.profile(second["access"]) == 200
    venue.clock.wall += 31_000
    assert venue.refresh(first["refresh"]) == (401, REFUSED_REFRESH)
    assert venue.profile(second["access"]) == 401


async def test_who_comes_before_the_answer_is_given_gets_the_same() -> None:
    members = HeldMembers()
    sessions, first = await begun(members)
    members.holds = "renew"
    asking = [asyncio.create_task(sessions.refresh(first.refresh))]
    await members.held.wait()
    asking += [asyncio.create_task(sessions.refresh(first.refresh)) for _ in range(4)]
    await asyncio.sleep(0)
    asking.pop(0).cancel()
    await asyncio.sleep(0)
    members.let_go.set()
    renewed = await asyncio.gather(*asking)
    assert renewed[0] is not None
    assert len({*renewed}) == 1
    assert await sessions.refresh(renewed[0].refresh) is not None


async def test_who_was_overtaken_twice_gets_nothing() -> None:
    """As when another process serves the venue now."""

    class Overtaken(MemoryMembers):
        async def renew(self, of: MemberSession, issued_s: int, expires_s: int) -> MemberSession | None:
            other = await super().renew(of, issued_s, expires_s)
            assert other is not None
            return await super().renew(other, issued_s, expires_s)

    sessions, first = await begun(Overtaken())
    assert await sessions.refresh(first.refresh) is None


def test_a_renewal_of_unknown_outcome_can_be_asked_for_again(venue: AuthApi) -> None:
    tokens = venue.tokens()
    venue.members.failing_after = CommitUnknown("lost")
    told = venue.ask("POST", REFRESH, {"refresh": tokens["refresh"]})
    words = "The outcome of this request is unknown. Please repeat the same request."
    assert (told.status_code, told.json) == (503, {"status": "error", "message": words, "payload": ""})
    venue.members.failing_after = None
    venue.clock.wall += 60_000  # However long the database was away.
    second = venue.refreshed(tokens["refresh"])
    assert venue.profile(second["access"]) == 200
    third = venue.refreshed(second["refresh"])
    assert venue.refresh(tokens["refresh"]) == (401, REFUSED_REFRESH)
    assert venue.profile(third["access"]) == 401


def test_a_renewal_of_unknown_outcome_that_did_not_happen_is_an_ordinary_one_later(venue: AuthApi) -> None:
    first = venue.tokens()
    stored = {**venue.members.sessions}
    venue.members.failing_after = CommitUnknown("lost")
    assert venue.refresh(first["refresh"])[0] == 503
    venue.members.failing_after = None
    venue.members.sessions = stored
    second = venue.refreshed(first["refresh"])
    venue.clock.wall += 31_000
    assert venue.refresh(first["refresh"]) == (401, REFUSED_REFRESH)
    assert venue.profile(second["access"]) == 401


def test_a_refresh_token_lasts_a_week_of_the_wall_clock_from_its_issue(venue: AuthApi) -> None:
    token = venue.tokens()["refresh"]
    for _ in range(3):
        venue.clock.wall += 604_800_000 - 1_000
        venue.clock.venue += 10**12
        token = venue.refreshed(token)["refresh"]
    venue.clock.wall = START_MS // 1000 * 1000 + 3 * (604_800_000 - 1_000) + 604_800_000
    assert venue.refresh(token) == (401, REFUSED_REFRESH)


def test_an_expired_one_that_was_used_ends_nothing(venue: AuthApi) -> None:
    first = venue.tokens()
    venue.clock.wall += 604_000_000
    second = venue.refreshed(first["refresh"])
    venue.clock.wall += 1_000_000
    assert venue.refresh(first["refresh"]) == (401, REFUSED_REFRESH)
    assert venue.profile(second["access"]) == 200


def test_an_access_token_refreshes_nothing_and_a_refresh_token_opens_nothing(venue: AuthApi) -> None:
    tokens = venue.tokens()
    assert venue.refresh(tokens["access"]) == (401, REFUSED_REFRESH)
    assert venue.told("GET", PROFILE, token=tokens["refresh"]) == (401, REFUSED_ACCESS)


# --- what a token is worth


def test_an_access_token_lasts_an_hour_of_the_wall_clock(venue: AuthApi) -> None:
    token = venue.tokens()["access"]
    assert venue.profile(token) == 200
    venue.clock.venue += 10**12
    venue.clock.wall = START_MS // 1000 * 1000 + 3_600_000 - 1
    assert venue.profile(token) == 200
    venue.clock.wall += 1
    assert venue.told("GET", PROFILE, token=token) == (401, REFUSED_ACCESS)
    venue.restarts()
    assert venue.told("GET", PROFILE, token=token) == (401, REFUSED_ACCESS)


@pytest.mark.parametrize("passes_ms", [0, 60_000, -2 * 86_400_000])
def test_all_tokens_can_be_ended_and_a_new_login_works_at_once(venue: AuthApi, passes_ms: int) -> None:
    """A5: whatever the clock does meanwhile, and after a restart too."""
    alice, mallory = venue.tokens(), venue.tokens(MALLORY)
    spent, alice = alice, venue.refreshed(alice["refresh"])
    assert venue.profile(alice["access"]) == 200
    for _ in range(3):
        signed = venue.text()
        venue.ends_tokens()
        venue.clock.wall += passes_ms
        for _ in range(2):
            assert venue.told("GET", PROFILE, token=alice["access"]) == (401, REFUSED_ACCESS)
            assert venue.profile(mallory["access"]) == 401
            assert venue.refresh(alice["refresh"]) == venue.refresh(spent["refresh"]) == (401, REFUSED_REFRESH)
            assert venue.log_in(signed).status_code == 400
            venue.restarts()
        alice = venue.tokens()
        assert venue.profile(alice["access"]) == 200
        spent, alice = alice, venue.refreshed(alice["refresh"])


async def test_tokens_that_are_ended_during_a_login_are_ended() -> None:
    members = HeldMembers()
    venue = AuthApi(members=members)
    await members.enrol(address_of(ALICE), venue.clock.now())
    proved = venue.incarnation.current
    members.holds = "log_in"
    logging_in = asyncio.create_task(venue.sessions.begin(address_of(ALICE), 0, proved))
    await members.held.wait()
    await venue.incarnation.end_tokens()
    members.let_go.set()
    tokens = await logging_in
    assert tokens is not None
    assert await venue.sessions.account(f"JWT {tokens.access}") == ACCESS_REFUSED


async def test_tokens_that_are_ended_during_a_refresh_are_ended() -> None:
    members = HeldMembers()
    venue = AuthApi(members=members)
    await members.enrol(address_of(ALICE), venue.clock.now())
    first = await venue.sessions.begin(address_of(ALICE), 0, venue.incarnation.current)
    assert first is not None
    members.holds = "renew"
    refreshing = asyncio.create_task(venue.sessions.refresh(first.refresh))
    await members.held.wait()
    await venue.incarnation.end_tokens()
    members.let_go.set()
    tokens = await refreshing
    assert tokens is not None
    assert await venue.sessions.account(f"JWT {tokens.access}") == ACCESS_REFUSED
    assert await venue.sessions.refresh(tokens.refresh) is None


async def test_what_is_ended_while_it_is_looked_up_is_not_remembered() -> None:
    members = HeldMembers()
    sessions, first = await begun(members)
    second = await sessions.refresh(first.refresh)
    assert second is not None
    assert await sessions.refresh(second.refresh) is not None
    members.holds = "session"
    asking = asyncio.create_task(sessions.account(f"JWT {first.access}"))
    await members.held.wait()
    assert await sessions.refresh(first.refresh) is None
    members.let_go.set()
    assert await asking == address_of(ALICE)
    assert await sessions.account(f"JWT {first.access}") == ACCESS_REFUSED


async def test_a_token_is_looked_up_once() -> None:
    members = MemoryMembers()
    sessions, tokens = await begun(members)
    assert await sessions.account(f"JWT {tokens.access}") == address_of(ALICE)
    asked = members.asked
    for _ in range(3):
        assert await sessions.account(f"JWT {tokens.access}") == address_of(ALICE)
    assert members.asked == asked


async def test_a_token_of_a_session_that_a_later_login_ended_is_refused_also_if_it_was_verified() -> None:
    """As after a restart, which remembers no token."""
    members = MemoryMembers()
    sessions, tokens = await begun(members)
    for logins in range(1, 100):
        assert await sessions.begin(address_of(ALICE), logins, 1) is not None
    assert await sessions.account(f"JWT {tokens.access}") == address_of(ALICE)
    assert await sessions.begin(address_of(ALICE), 100, 1) is not None
    assert await sessions.account(f"JWT {tokens.access}") == ACCESS_REFUSED


async def test_verified_tokens_take_no_memory_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "REMEMBERED", 10)
    sessions, tokens = await begun(MemoryMembers())
    for number in range(100):
        assert await sessions.account(f"JWT{' ' * (number + 1)}{tokens.access}") == address_of(ALICE)
    assert len(sessions._verified) == 10


@pytest.mark.parametrize("header", ["JWT {}", "Bearer {}", "jwt {}", "JWT  {}", "BEARER {} "])
def test_the_scheme_is_jwt_or_bearer(venue: AuthApi, header: str) -> None:
    assert venue.whose(header.format(venue.tokens()["access"])) == address_of(ALICE)


@pytest.mark.parametrize("header", [None, "", "{}", "Basic {}", "Token {}", "JWT", "JWT{}", " JWT {}"])
def test_without_a_scheme_there_are_no_credentials(venue: AuthApi, header: str | None) -> None:
    given = None if header is None else header.format(venue.tokens()["access"])
    assert venue.whose(given) == NO_CREDENTIALS


@pytest.mark.parametrize("header", ["JWT ", "JWT {0} {0}", "Bearer x", "JWT \xff", "JWT {0}x", "JWT \0"])
def test_what_is_no_token_is_refused(venue: AuthApi, header: str) -> None:
    assert venue.whose(header.format(venue.tokens()["access"])) == ACCESS_REFUSED


def test_a_request_without_a_header_is_unauthenticated(venue: AuthApi) -> None:
    assert venue.told("GET", PROFILE) == (401, UNAUTHENTICATED)


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()


def _token(header: object, claims: object, secret: bytes = SECRET) -> str:
    signed = f"{_part(header)}.{_part(claims)}"
    signature = base64.urlsafe_b64encode(hmac.digest(secret, signed.encode(), sha256)).rstrip(b"=").decode()
    return f"{signed}.{signature}"


TRIGGER_V2 = {"walletPubkey": "So11111111111111111111111111111111111111112", "iat": NOW_S, "exp": NOW_S + 86_400}


def _without(name: str) -> dict[str, object]:
    return {key: value for key, value in CLAIMS.items() if key != name}


def test_the_token_that_the_attacks_start_from_is_good(venue: AuthApi) -> None:
    assert venue.tokens()["access"] == _token(HS256, CLAIMS)
    assert venue.whose(f"JWT {_token(HS256, CLAIMS)}") == address_of(ALICE)


FORGED = [
    "a.b.c",
    "...",
    "é.é.é",
    _part({"alg": "none"}) + "." + _part(CLAIMS) + ".",
    _token({"alg": "none"}, CLAIMS),
    _token({"alg": "HS512"}, CLAIMS),
    _token({"alg": "RS256"}, CLAIMS),
    _token({"alg": ["HS256"]}, CLAIMS),
    _token({}, CLAIMS),
    _token([], CLAIMS),
    _token(HS256 | {"crit": ["exp"], "exp": 0}, CLAIMS),
    _token(HS256, CLAIMS, b"another secret of sufficient length."),
    _token(HS256, CLAIMS, b""),
    jwt.encode(CLAIMS, SECRET, "HS512"),
    jwt.encode(TRIGGER_V2 | {"aud": "trigger-v2"}, SECRET, "HS256"),
    jwt.encode(TRIGGER_V2 | {"aud": "tanx"}, SECRET, "HS256"),
    _token(HS256, CLAIMS | {"aud": "trigger-v2"}),
    _token(HS256, CLAIMS | {"token_type": "sliding"}),
    _token(HS256, CLAIMS | {"exp": NOW_S}),
    _token(HS256, CLAIMS | {"user_id": "1"}),
    _token(HS256, CLAIMS | {"user_id": 2}),
    _token(HS256, CLAIMS | {"session": 2}),
    _token(HS256, CLAIMS | {"session": None}),
    _token(HS256, CLAIMS | {"incarnation": 0}),
    _token(HS256, CLAIMS | {"incarnation": 2}),
    _token(HS256, CLAIMS | {"incarnation": "1"}),
    *(_token(HS256, _without(name)) for name in CLAIMS if name != "jti"),
    _token(HS256, []),
    _token(HS256, CLAIMS)[:-4] + "AAAA",
    _token(HS256, CLAIMS) + ".A",
    _token(HS256, CLAIMS | {"padding": "x" * 500}),
    "A" * 100_000,
]


@pytest.mark.parametrize("token", FORGED)
def test_a_forged_token_is_refused(venue: AuthApi, token: str) -> None:
    venue.tokens()
    assert venue.whose(f"JWT {token}") == ACCESS_REFUSED
    assert venue.refresh(token) == (401, REFUSED_REFRESH)
    assert len(venue.members.sessions) == 1


@given(token=st.text(max_size=300))
@settings(max_examples=100)
def test_no_text_is_a_token_by_chance(token: str) -> None:
    venue = AuthApi()
    assert venue.whose(f"JWT {token}") == ACCESS_REFUSED
    assert venue.refresh(token) == (401, REFUSED_REFRESH)


def test_a_users_token_ends_with_the_members(venue: AuthApi) -> None:
    tokens = venue.tokens()
    asyncio.run(venue.members.clear())
    venue.sessions.forget()
    stranger = venue.tokens(MALLORY)
    assert venue.profile(tokens["access"]) == 401
    assert venue.refresh(tokens["refresh"]) == (401, REFUSED_REFRESH)
    assert venue.profile(stranger["access"]) == 200
