"""A user's profile, and the key that signs his orders."""

import asyncio

import pytest

from countermand.kernel.ports import Unavailable
from countermand.orders.book.members import StarkKeys
from countermand.orders.book.model.ledger.amount import Account
from tests.contract.memory_members import MemoryMembers
from tests.dialects.fakes import FakeClock
from tests.dialects.tanx.auth_api import (
    ADDRESS,
    ALICE,
    KEY,
    LOGIN,
    NONCE,
    OTHER_KEY,
    PROFILE,
    REFUSED_ACCESS,
    STARK_KEY,
    UNAUTHENTICATED,
    AuthApi,
    HeldMembers,
)
from tests.dialects.tanx.keys import address_of, sign_text


@pytest.fixture
def venue() -> AuthApi:
    return AuthApi()


def test_a_profile(venue: AuthApi) -> None:
    answer = venue.log_in()
    token, uid = answer.json["token"]["access"], answer.json["payload"]["uid"]
    shown = (
        '{"status":"success","message":"Successful","payload":{"name":"%s","customer_id":"1","img":null,'
        '"username":"0x9cc001058a30dd3ba6c7f0c98d6e20de089b00a1","stark_key":%s}}'
    )
    assert venue.told("GET", PROFILE, token=token) == (200, shown % (uid, "null"))
    assert venue.told("POST", STARK_KEY, {"stark_key": KEY}, token=token)[0] == 200
    assert venue.told("GET", PROFILE, token=token) == (200, shown % (uid, f'"{KEY}"'))


def test_the_same_key_can_be_registered_again_and_another_cannot(venue: AuthApi) -> None:
    token = venue.tokens()["access"]
    registered = f'{{"status":"success","message":"Stark key registered","payload":{{"stark_key":"{KEY}"}}}}'
    for written in (KEY, KEY.upper().replace("0X", "0x"), KEY.replace("0x", "0x0")):
        assert venue.told("POST", STARK_KEY, {"stark_key": written}, token=token) == (200, registered)
    other = '{"status":"error","message":"Another Stark key is registered for this account","payload":""}'
    assert venue.told("POST", STARK_KEY, {"stark_key": OTHER_KEY}, token=token) == (400, other)
    assert venue.members.members[address_of(ALICE)].stark_key == int(KEY, 16)


@pytest.mark.parametrize(
    "key", ["", "0x", "0x0", "0x5", "1", "0x" + "f" * 64, "0x" + "1" * 65, "0x" + "f" * 200_000, "\0"]
)
def test_a_key_that_is_none(venue: AuthApi, key: str) -> None:
    token = venue.tokens()["access"]
    words = "stark_key: Enter a valid Stark key: 0x and the x of a point on the curve in hexadecimal."
    told = venue.ask("POST", STARK_KEY, {"stark_key": key}, token=token)
    assert (told.status_code, told.json) == (400, {"status": "error", "message": words, "payload": ""})


def test_a_key_is_registered_by_who_has_logged_in(venue: AuthApi) -> None:
    assert venue.told("POST", STARK_KEY, {"stark_key": KEY}) == (401, UNAUTHENTICATED)
    assert venue.told("POST", STARK_KEY, b"{", token="x") == (401, REFUSED_ACCESS)


async def test_keys_are_remembered_until_they_are_replaced() -> None:
    members = MemoryMembers()
    keys, account = StarkKeys(members), address_of(ALICE)
    assert await keys.of(account) is None
    assert await keys.register(account, 4) is None
    await members.enrol(account, FakeClock().now())
    assert await keys.of(account) is None
    assert await keys.register(account, 4) == await keys.of(account) == 4
    asked = members.asked
    assert await keys.of(account) == 4
    assert members.asked == asked
    assert await keys.register(account, 3) == 4
    assert await keys.register(account, 3, replace=True) == await keys.of(account) == 3
    await members.clear()
    keys.forget()
    assert await keys.of(account) is None


@pytest.mark.parametrize("inside", [False, True])
async def test_a_key_that_is_replaced_while_it_is_looked_up_is_not_remembered(inside: bool) -> None:
    """`inside`: it is looked up after the replacement has begun, and before it is stored."""

    class Replacing(HeldMembers):
        async def register_key(self, account: Account, stark_key: int, *, replace: bool) -> int | None:
            if inside:
                await look_up()
            return await super().register_key(account, stark_key, replace=replace)

    async def look_up() -> None:
        members.holds = "member"
        looking.append(asyncio.create_task(keys.of(account)))
        await members.held.wait()

    members = Replacing()
    keys, account = StarkKeys(members), address_of(ALICE)
    looking: list[asyncio.Task[int | None]] = []
    await members.enrol(account, FakeClock().now())
    await MemoryMembers.register_key(members, account, 4, replace=False)
    if not inside:
        await look_up()
    await keys.register(account, 3, replace=True)
    members.let_go.set()
    assert await looking[0] == 4
    assert await keys.of(account) == 3


async def test_a_key_that_is_looked_up_and_remembered_while_it_is_replaced_is_forgotten() -> None:
    class Asked(MemoryMembers):
        async def register_key(self, account: Account, stark_key: int, *, replace: bool) -> int | None:
            assert await keys.of(account) == 4
            return await super().register_key(account, stark_key, replace=replace)

    members = Asked()
    keys, account = StarkKeys(members), address_of(ALICE)
    await members.enrol(account, FakeClock().now())
    await MemoryMembers.register_key(members, account, 4, replace=False)
    assert await keys.register(account, 3, replace=True) == 3
    assert await keys.of(account) == 3


def test_a_store_that_is_away_is_said(venue: AuthApi) -> None:
    tokens, text = venue.tokens(), venue.text()
    venue.members.failing = Unavailable("away")
    venue.sessions.forget()
    words = "Service temporarily unavailable. Nothing was changed. Please retry."
    away = 503, f'{{"status":"error","message":"{words}","payload":""}}'
    assert venue.told("POST", NONCE, {"eth_address": ADDRESS}) == away
    assert venue.told("POST", LOGIN, {"eth_address": ADDRESS, "user_signature": sign_text(ALICE, text)}) == away
    assert venue.refresh(tokens["refresh"]) == away
    assert venue.told("GET", PROFILE, token=tokens["access"]) == away
    venue.members.failing = None
    assert venue.log_in(text).status_code == 200
    assert venue.refreshed(tokens["refresh"])
