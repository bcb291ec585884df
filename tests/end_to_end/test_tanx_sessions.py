"""Sessions at tanX through kills and resets, and signatures that were made to break the venue."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from countermand.curves.stark import BOUND, CURVE
from tests.dialects.tanx.keys import address_of, sign_text
from tests.end_to_end.crash_support import Server, running
from tests.end_to_end.member import Member
from tests.end_to_end.venue import Venue, running_venue

NONCE, LOGIN, REFRESH = "/sapi/v1/auth/v2/nonce/", "/sapi/v1/auth/v2/login/", "/sapi/v1/auth/token/refresh/"
PROFILE, CREATE = "/sapi/v1/user/profile/", "/sapi/v1/orders/create/"
KEY = 0xA11CE
ADDRESS = address_of(KEY)


async def logs_in(server: Server) -> Any:
    text = (await server.does("POST", NONCE, {"eth_address": ADDRESS}))["payload"]
    answer = await server.does("POST", LOGIN, {"eth_address": ADDRESS, "user_signature": sign_text(KEY, text)})
    return answer["token"]


async def test_a_session_outlives_a_kill_and_a_used_token_stays_used(database_url: str, tmp_path: Path) -> None:
    async with running(tmp_path / "venue", "--database-url", database_url) as server:

        async def starts_again() -> None:
            await server.kill()
            await server.start()

        async def refresh(token: str) -> int:
            return (await server.ask("POST", REFRESH, {"refresh": token})).status

        text = (await server.does("POST", NONCE, {"eth_address": ADDRESS}))["payload"]
        login = {"eth_address": ADDRESS, "user_signature": sign_text(KEY, text)}
        await starts_again()
        first = (await server.does("POST", LOGIN, login))["token"]
        await starts_again()
        assert (await server.ask("POST", LOGIN, login)).status == 400
        second = (await server.does("POST", REFRESH, {"refresh": first["refresh"]}))["payload"]
        await starts_again()
        later = (await server.does("POST", REFRESH, {"refresh": second["refresh"]}))["payload"]
        assert await refresh(first["refresh"]) == 401
        assert await refresh(later["refresh"]) == 401
        third = await logs_in(server)
        assert await refresh(third["refresh"]) == 200


def test_a_reset_ends_all_sessions_for_good(tmp_path: Path) -> None:
    with running_venue(tmp_path) as venue:
        alice = Member(venue).joins()
        alice.logs_in()
        before, refresh, number = alice.access, alice.refresh, alice.get(PROFILE)["customer_id"]
        venue.resets()
        assert alice.ask("GET", PROFILE).status == 401
        mallory = Member(venue)
        mallory.logs_in()
        assert venue.ask("POST", REFRESH, {"refresh": refresh}).status == 401
        alice.logs_in()
        shown = alice.get(PROFILE)
        assert (shown["stark_key"], shown["username"]) == (None, alice.address)
        assert int(shown["customer_id"]) > int(mallory.get(PROFILE)["customer_id"]) > int(number)
    with running_venue(tmp_path) as venue:
        alice.venue = venue
        assert alice.ask("GET", PROFILE).status == 200
        alice.access = before
        assert alice.ask("GET", PROFILE).status == 401


def test_of_many_first_logins_at_once_one_succeeds(venue: Venue) -> None:
    alice = Member(venue)
    text = venue.ask("POST", NONCE, {"eth_address": alice.address}).ok()["payload"]
    login = {"eth_address": alice.address, "user_signature": sign_text(alice.key, text)}
    with ThreadPoolExecutor(8) as threads:
        answers = [*threads.map(lambda _: venue.ask("POST", LOGIN, login).status, range(8))]
    assert sorted(answers) == [200] + [400] * 7


def test_refreshes_that_race_all_get_the_same_tokens(venue: Venue) -> None:
    """D7."""
    alice = Member(venue)
    alice.logs_in()
    with ThreadPoolExecutor(8) as threads:
        asked = [*threads.map(lambda _: venue.ask("POST", REFRESH, {"refresh": alice.refresh}), range(8))]
    assert [answer.status for answer in asked] == [200] * 8
    assert len({answer.raw for answer in asked}) == 1
    tokens = asked[0].body["payload"]
    assert venue.ask("GET", PROFILE, headers={"authorization": f"JWT {tokens['access']}"}).status == 200
    assert venue.ask("POST", REFRESH, {"refresh": tokens["refresh"]}).status == 200


def test_a_signature_made_to_break_the_venue_is_only_wrong(venue: Venue) -> None:
    alice = Member(venue).joins().has(usdc="1000")
    draft = alice.draft("buy", 0.01, 1000)
    message = int(draft["msg_hash"], 16)
    crafted = [sign * message * pow(alice.key, -1, CURVE.order) % CURVE.order for sign in (1, -1)]
    huge = [0, BOUND, CURVE.order, 2**256 - 1]
    for r, s in [*((r, 7) for r in crafted), *((number, 7) for number in huge), *((7, number) for number in huge)]:
        answer = alice.ask("POST", CREATE, draft | {"signature": {"r": hex(r), "s": hex(s)}})
        assert answer.status == 400, (r, s, answer.raw)
        assert "ignature" in answer.body["message"], answer.raw
    assert alice.post(CREATE, alice.signs(draft))["state"] == "pending"
    alice.leaves()
