"""Who gets tokens of tanX. Every answer is a literal of the published page."""

import asyncio
import re

import jwt
import pytest

from countermand.dialects.tanx import auth, session
from countermand.dialects.tanx.session import LoginTexts, TanxSessions
from countermand.orders.book.members import Member
from countermand.orders.book.model.ledger.amount import Account
from countermand.values.instant import Instant
from tests.contract.memory_members import MemoryMembers
from tests.dialects.fakes import SECRET, START_MS, FakeClock, first_incarnation
from tests.dialects.tanx.auth_api import (
    ADDRESS,
    ALICE,
    LOGIN,
    MALLORY,
    NONCE,
    NOW_S,
    REFRESH,
    REFUSED_LOGIN,
    AuthApi,
)
from tests.dialects.tanx.keys import address_of, sign_text


@pytest.fixture
def venue() -> AuthApi:
    return AuthApi()


def test_a_user_signs_a_text_and_gets_two_tokens(venue: AuthApi) -> None:
    answer = venue.ask("POST", NONCE, {"eth_address": ADDRESS})
    assert answer.status_code == 200
    assert re.fullmatch(
        r'\{"status":"success","message":"Nonce Acquired","payload":"You’re now signing into tanX Testnet, '
        r'make sure the origin is https://testnet\.tanx\.finance \(Login-code:[0-9A-Za-z]{22}\)"\}',
        answer.text,
    )
    answer = venue.log_in(answer.json["payload"])
    assert re.fullmatch(
        r'\{"status":"success","message":"Login Successful","payload":\{"uid":"ID[0-9A-F]{10}"\},'
        r'"token":\{"refresh":"[^"]+","access":"[^"]+"\}\}',
        answer.text,
    )
    issued = START_MS // 1000
    claims = jwt.decode(answer.json["token"]["access"], options={"verify_signature": False})
    assert (claims["token_type"], claims["iat"], claims["exp"]) == ("access", issued, issued + 3_600)
    assert (claims["aud"], claims["user_id"]) == ("tanx", 1)
    claims = jwt.decode(answer.json["token"]["refresh"], options={"verify_signature": False})
    assert (claims["token_type"], claims["iat"], claims["exp"]) == ("refresh", issued, issued + 604_800)


def test_the_same_user_is_registered_once(venue: AuthApi) -> None:
    first, second, mallory = venue.log_in(), venue.log_in(), venue.log_in(key=MALLORY)
    assert first.json["payload"] == second.json["payload"] != mallory.json["payload"]
    assert list(venue.members.members) == [address_of(ALICE), address_of(MALLORY)]


@pytest.mark.parametrize("nonce", auth.NONCE_PATHS)
@pytest.mark.parametrize("login", auth.LOGIN_PATHS)
def test_all_spellings_of_the_root_are_one(venue: AuthApi, nonce: str, login: str) -> None:
    assert venue.log_in(venue.text(nonce), path=login).status_code == 200


def test_forms_do_as_well(venue: AuthApi) -> None:
    answer = venue.ask("POST", NONCE, f"eth_address={ADDRESS}".encode(), form=True)
    signature = sign_text(ALICE, answer.json["payload"])
    body = f"eth_address={ADDRESS.lower()}&user_signature={signature[2:]}".encode()
    assert venue.ask("POST", LOGIN, body, form=True).status_code == 200


def test_a_text_is_given_again_while_it_is_good(venue: AuthApi) -> None:
    answers = [venue.ask("POST", NONCE, {"eth_address": address}).json for address in (ADDRESS, ADDRESS.lower())]
    assert [answer["message"] for answer in answers] == ["Nonce Acquired", "Cached Nonce Acquired"]
    assert answers[0]["payload"] == answers[1]["payload"]
    venue.log_in(answers[0]["payload"])
    assert venue.ask("POST", NONCE, {"eth_address": ADDRESS}).json["message"] == "Nonce Acquired"


def test_a_text_serves_once_also_after_a_restart(venue: AuthApi) -> None:
    text = venue.text()
    venue.restarts()
    assert venue.text() == text
    assert venue.log_in(text).status_code == 200
    assert venue.told("POST", LOGIN, {"eth_address": ADDRESS, "user_signature": sign_text(ALICE, text)}) == (
        400,
        REFUSED_LOGIN,
    )
    venue.restarts()
    assert venue.log_in(text).status_code == 400
    assert venue.text() != text


def test_a_text_is_good_for_five_to_ten_minutes_of_the_wall_clock(venue: AuthApi) -> None:
    windows = START_MS // 300_000
    venue.clock.wall = windows * 300_000
    text = venue.text()
    venue.clock.wall += 600_000 - 1
    venue.clock.venue += 10**12
    assert venue.text() != text
    assert venue.log_in(text).status_code == 200
    venue.clock.wall = (windows + 2) * 300_000
    text = venue.text()
    venue.clock.wall += 600_000
    assert venue.log_in(text).status_code == 400


async def test_of_two_logins_at_once_with_one_signature_one_succeeds() -> None:
    clock, members = FakeClock(), MemoryMembers()
    sessions = TanxSessions(SECRET, clock, members, first_incarnation())
    alice = await members.enrol(address_of(ALICE), clock.now())
    begun = await asyncio.gather(*(sessions.begin(alice.account, 0, 1) for _ in range(5)))
    assert len([tokens for tokens in begun if tokens is not None]) == 1


def test_of_two_first_logins_with_one_signature_one_succeeds(venue: AuthApi) -> None:
    class Overtaken(MemoryMembers):
        async def enrol(self, account: Account, at: Instant) -> Member:
            await super().enrol(account, at)
            assert await self.log_in(account, 0, NOW_S, NOW_S + 604_800) is not None
            return self.members[account]

    venue = AuthApi(members=Overtaken())
    answer = venue.log_in()
    assert (answer.status_code, answer.text) == (400, REFUSED_LOGIN)


def test_a_wrong_signature_burns_nothing(venue: AuthApi) -> None:
    text = venue.text()
    for signature in (sign_text(MALLORY, text), sign_text(ALICE, text + " "), "0x" + "00" * 65, "", "0x", "\0" * 132):
        body = {"eth_address": ADDRESS, "user_signature": signature}
        assert venue.told("POST", LOGIN, body) == (400, REFUSED_LOGIN)
    assert venue.log_in(text).status_code == 200


def test_whose_text_it_is_counts(venue: AuthApi) -> None:
    venue.text(address=address_of(MALLORY))
    assert venue.log_in(venue.text(), key=MALLORY).status_code == 400


def test_who_never_asked_has_signed_nothing(venue: AuthApi) -> None:
    assert venue.log_in("sign me").status_code == 400
    assert not venue.members.members


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "Ensure eth_address has at least 30 characters."),
        ("0x" + "1" * 27, "Ensure eth_address has at least 30 characters."),
        ("0x" + "1" * 39, "eth_address: Enter a valid Ethereum address: 0x and 40 hexadecimal digits."),
        ("0x" + "1" * 41, "eth_address: Enter a valid Ethereum address: 0x and 40 hexadecimal digits."),
        ("0x" + "\0" * 40, "eth_address: Enter a valid Ethereum address: 0x and 40 hexadecimal digits."),
        ("x" * 200_000, "eth_address: Enter a valid Ethereum address: 0x and 40 hexadecimal digits."),
    ],
)
def test_an_address_that_is_none(venue: AuthApi, address: str, words: str) -> None:
    answer = {"status": "error", "message": words, "payload": ""}
    told = venue.ask("POST", NONCE, {"eth_address": address})
    assert (told.status_code, told.json) == (400, answer)
    body = {"eth_address": address, "user_signature": sign_text(ALICE, "x")}
    assert venue.told("POST", LOGIN, body) == (400, REFUSED_LOGIN)


def test_texts_take_no_memory_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "REMEMBERED", 10)
    texts = LoginTexts(SECRET, FakeClock(), first_incarnation())
    accounts = [Account(f"0x{number:040x}") for number in range(100)]
    given = [texts.give(account, 0)[0] for account in accounts]
    assert len(texts._given) == 10
    assert [texts.give(account, 0) for account in accounts[:5]] == [(text, False) for text in given[:5]]


BAD_BODIES = [
    (b"", "{field}: This field is required."),
    (b"{", "Malformed JSON in the request body"),
    (b"[]", "body: Expected an object."),
    (b"null", "body: Expected an object."),
    (b"[" * 100_000, "Malformed JSON in the request body"),
    (b"\xff\xfe", "Malformed JSON in the request body"),
    (b'{"eth_address":1,"user_signature":1,"refresh":1}', "{field}: Not a valid string."),
    (b'{"eth_address":null,"user_signature":null,"refresh":null}', "{field}: Not a valid string."),
    (b'{"eth_address":{},"user_signature":[],"refresh":[[]]}', "{field}: Not a valid string."),
    (b'{"x":1,"x":2}', "x: duplicate key"),
]


@pytest.mark.parametrize(("path", "field"), [(NONCE, "eth_address"), (LOGIN, "eth_address"), (REFRESH, "refresh")])
@pytest.mark.parametrize(("body", "words"), BAD_BODIES)
def test_a_body_that_is_none(venue: AuthApi, path: str, field: str, body: bytes, words: str) -> None:
    told = venue.ask("POST", path, body)
    assert told.status_code == 400
    if body[:1] != b"[" or len(body) == 2:
        assert told.json == {"status": "error", "message": words.format(field=field), "payload": ""}
