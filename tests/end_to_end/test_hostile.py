"""What no honest client sends: the documented error, quickly, and the venue goes on as if nothing had been."""

import base64
import hashlib
import hmac
import json
import random
import socket
import time
from collections.abc import Iterator

import pytest
from solders.keypair import Keypair

from tests.end_to_end.trader import ROOT, Trader, single
from tests.end_to_end.venue import PRICES, SOL, Answer, Venue

QUICK_S = 5.0
"""Generous: the machine may be busy."""
NOWHERE = "019f053d-3f0c-70ad-bb5e-76d633291f80"
UNAUTHORIZED = (401, "Unauthorized")
BODIES = [
    ("POST", f"{ROOT}/auth/challenge"),
    ("POST", f"{ROOT}/auth/verify"),
    ("POST", f"{ROOT}/deposit/craft"),
    ("POST", f"{ROOT}/orders/price"),
    ("PATCH", f"{ROOT}/orders/price/{NOWHERE}"),
    ("POST", f"{ROOT}/orders/price/confirm-cancel/{NOWHERE}"),
]


@pytest.fixture(scope="module")
def mallory(house: Venue, audited: None) -> Trader:
    house.prices(PRICES)
    mallory = Trader(house)
    mallory.has(10 * SOL)
    return mallory.joins()


@pytest.fixture(autouse=True)
def quickly() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 10 * QUICK_S


def asked(mallory: Trader, method: str, path: str, body: object) -> Answer:
    began = time.monotonic()
    answer = mallory.venue.ask(method, path, body, token=mallory.token)
    assert time.monotonic() - began < QUICK_S
    assert b"Traceback" not in answer.raw
    assert answer.status < 500, answer
    return answer


# --- bytes


def test_random_bytes_as_transactions(mallory: Trader) -> None:
    chance = random.Random(1)
    order = mallory.places(single(sell=1 * SOL, above=200))
    cancelling = mallory.cancels(order)
    good = base64.b64decode(mallory.signs(cancelling.transaction))
    for size in (0, 1, 2, 63, 64, 65, 200, 400, 1_232, 1_233, 5_000):
        raw = chance.randbytes(size)
        for bytes_ in (raw, good[:size], good + raw, b"\x03" + raw, b"\x80" * size, raw[:1] + good[1:]):
            if bytes_ == good:
                continue
            handed_in = base64.b64encode(bytes_).decode()
            answer = mallory.hands_in(order, handed_in, cancelling.request_id)
            assert answer.status == 400
            assert answer.body["error"].startswith(("Invalid transaction format", "Invalid withdrawal transaction: "))
    for _ in range(150):
        flipped = bytearray(good)
        flipped[chance.randrange(65, len(good))] ^= 1 << chance.randrange(8)
        answer = mallory.hands_in(order, base64.b64encode(flipped).decode(), cancelling.request_id)
        if answer.status == 200:
            break  # In the venue's own slots, which no test reads.
        assert answer.status == 400
    assert mallory.confirms(order, cancelling).status == 200


def test_random_bytes_as_deposits(mallory: Trader) -> None:
    chance = random.Random(2)
    order = single(sell=1 * SOL, above=200)
    body = mallory.body_for(order, mallory.crafts(order))
    for size in (0, 1, 64, 65, 129, 130, 400, 1_232, 1_233):
        handed_in = base64.b64encode(chance.randbytes(size)).decode()
        answer = mallory.creates(body | {"depositSignedTx": handed_in})
        assert answer.status == 400
    for text in ("!", "AAA", "é", "\x00", "A" * 200_000, " ", "=", "\ud800"):
        assert mallory.creates(body | {"depositSignedTx": text}).status == 400
    assert mallory.creates(body).status == 200


@pytest.mark.parametrize(("method", "path"), BODIES)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b'{"a":1e400}',
        b'{"a":NaN}',
        b"[" * 200_000,
        b'{"a":' * 40_000,
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"null",
        b'"' + b"a" * 200_000 + b'"',
        b"9" * 200_000,
        b'{"type":"message","type":"message"}',
    ],
    ids=lambda body: body[:12].decode("latin-1") if isinstance(body, bytes) else None,
)
def test_bodies_that_are_no_request(mallory: Trader, method: str, path: str, body: bytes) -> None:
    answer = asked(mallory, method, path, body)
    assert answer.status == 400
    assert answer.body["error"] in ("Malformed JSON in request body", "Request validation failed")


@pytest.mark.parametrize(
    "number",
    ["1e9999999", "1e-9999999", "9" * 10_000, "1." + "0" * 10_000 + "1", "-0.1", "1e400", "0x10", "１２", "1_0"],
)
def test_numbers_that_would_cost_an_age(mallory: Trader, number: str) -> None:
    order = mallory.places(single(sell=0.1 * SOL, above=200))
    path = f"{ROOT}/orders/price/{order}"
    as_text = json.dumps({"orderType": "single", "triggerPriceUsd": number}).encode()
    bare = f'{{"orderType":"single","triggerPriceUsd":{number}}}'.encode()
    for body in (as_text, bare):
        answer = asked(mallory, "PATCH", path, body)
        assert answer.status == 400
        if answer.body["error"] != "Malformed JSON in request body":
            assert list(answer.body["details"]) == ["triggerPriceUsd"]
    assert mallory.sees(order)["triggerPriceUsd"] == 200


def test_a_body_of_100_mb(house: Venue, mallory: Trader) -> None:
    """It is refused while it comes, and a patient client reads why."""
    size, chunk = 100_000_000, b" " * 1_000_000
    began = time.monotonic()
    with socket.create_connection((house.host, house.port), 10) as connection:
        head = f"POST {ROOT}/orders/price HTTP/1.1\r\nhost: {house.host}\r\nauthorization: Bearer {mallory.token}\r\n"
        connection.sendall(f"{head}content-type: application/json\r\ncontent-length: {size}\r\n\r\n".encode())
        for _ in range(size // len(chunk)):
            connection.sendall(chunk)
        answer = connection.recv(65_536)
    assert b" 413 " in answer.split(b"\r\n")[0]
    assert time.monotonic() - began < 5 * QUICK_S
    assert mallory.get("/vault").status == 200


def test_a_body_a_little_too_long(mallory: Trader) -> None:
    for size, status in ((256 * 1024, 400), (256 * 1024 + 1, 413)):
        answer = mallory.venue.ask("POST", f"{ROOT}/orders/price", b" " * size, token=mallory.token)
        assert answer.status == status
    assert mallory.get("/vault").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/trigger/v2/orders/price/cancel/../../vault",
        "/trigger/v2//vault",
        "//trigger/v2/vault",
        "/trigger/v2/vault/",
        "/trigger/v2/vault%00",
        "/trigger/v2/orders/price/" + "a" * 5_000,
        "/trigger/v3/vault",
        "/trigger/v2/orders/history?limit=" + "9" * 5_000,
        "/trigger/v2/orders/history?mint=%FF%FE",
        "/trigger/v2/orders/history?limit=1&limit=2",
        "/trigger/v2/orders/history/dca/x/y",
    ],
)
def test_paths_that_lead_nowhere(mallory: Trader, path: str) -> None:
    answer = asked(mallory, "GET", path, None)
    assert answer.status in (400, 404, 405)
    assert "error" in answer.body or set(answer.body) == {"code", "message"}


@pytest.mark.parametrize(
    ("path", "port_after", "status"),
    [
        ("/rpc", 0, 101),
        ("/rpc/", 0, 101),
        ("/rpc/", 1, 101),
        ("/", 1, 101),
        ("/", 0, 405),
        *((path, port, 405) for path in ("/trigger/v2/vault", "/sandbox") for port in (0, 1)),
        *(("/nothing", port, 404) for port in (0, 1)),
    ],
)
def test_where_there_are_websockets(house: Venue, path: str, port_after: int, status: int) -> None:
    """E7: web3.js looks for one at `/` of the next port when its address has no path."""
    head = f"GET {path} HTTP/1.1\r\nhost: {house.host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    with socket.create_connection((house.host, house.port + port_after), 10) as connection:
        rest = "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        connection.sendall((head + rest).encode())
        assert b" %d " % status in connection.recv(65_536).split(b"\r\n")[0]
    assert house.complaints() == []


# --- who asks


def segment(claims: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()


def forged(header: object, claims: object, secret: bytes | None = None) -> str:
    signed = f"{segment(header)}.{segment(claims)}"
    if secret is None:
        return f"{signed}."
    signature = hmac.digest(secret, signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_forged_tokens(mallory: Trader) -> None:
    venue, genuine = mallory.venue, mallory.token
    now = int(time.time())
    claims = {"walletPubkey": mallory.wallet, "iat": now, "exp": now + 86_400, "aud": "trigger-v2"}
    head, body, signature = genuine.split(".")
    victim = segment(claims | {"walletPubkey": str(Keypair().pubkey())})
    tokens = [
        "",
        "x",
        "..",
        genuine[:-2],
        genuine + "A" * 10_000,
        f"{head}.{body}.",
        f"{head}.{victim}.{signature}",
        f"{segment({'alg': 'none'})}.{body}.",
        f"{segment({'alg': 'none', 'typ': 'JWT'})}.{body}.{signature}",
        forged({"alg": "none", "typ": "JWT"}, claims),
        forged({"alg": "None"}, claims),
        forged({"alg": "HS256", "typ": "JWT"}, claims, b""),
        forged({"alg": "HS256", "typ": "JWT"}, claims, b"secret"),
        forged({"alg": "HS384", "typ": "JWT"}, claims, b"secret"),
        forged({"alg": "RS256", "typ": "JWT"}, claims, b"secret"),
        forged({"alg": "HS256", "crit": ["exp"], "kid": "../../etc/passwd"}, claims, b""),
    ]
    for token in tokens:
        assert venue.ask("GET", f"{ROOT}/vault", token=token).error == UNAUTHORIZED
    for header in (genuine, f"JWT {genuine}", f"Basic {genuine}", "Bearer", "Bearer ", f"Bearer {genuine} {genuine}"):
        assert venue.ask("GET", f"{ROOT}/vault", headers={"authorization": header}).error == UNAUTHORIZED
    assert mallory.get("/vault").status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/vault"),
        ("GET", "/vault/register"),
        ("POST", "/deposit/craft"),
        ("POST", "/orders/price"),
        ("PATCH", f"/orders/price/{NOWHERE}"),
        ("POST", f"/orders/price/cancel/{NOWHERE}"),
        ("POST", f"/orders/price/confirm-cancel/{NOWHERE}"),
        ("GET", "/orders/history"),
        ("GET", f"/orders/history/{NOWHERE}"),
    ],
)
def test_nothing_is_told_without_a_token(venue: Venue, method: str, path: str) -> None:
    assert venue.ask(method, ROOT + path).error == UNAUTHORIZED


def test_a_challenge_is_good_for_once_and_for_its_wallet(venue: Venue) -> None:
    alice, mallory = Trader(venue), Trader(venue)

    def challenge(wallet: str) -> str:
        text: str = venue.ask("POST", f"{ROOT}/auth/challenge", {"walletPubkey": wallet, "type": "message"}).ok()[
            "challenge"
        ]
        return text

    def verify(wallet: str, signature: str) -> Answer:
        proof = {"type": "message", "walletPubkey": wallet, "signature": signature}
        return venue.ask("POST", f"{ROOT}/auth/verify", proof)

    unknown = (400, "Challenge not found")
    assert verify(alice.wallet, str(alice.key.sign_message(b"hello"))).error == unknown
    text = challenge(alice.wallet)
    signature = str(alice.key.sign_message(text.encode()))
    assert verify(alice.wallet, str(mallory.key.sign_message(text.encode()))).error == (401, "Invalid signature")
    assert verify(mallory.wallet, signature).error == unknown
    assert verify(alice.wallet, str(alice.key.sign_message(text.encode() + b" "))).error == (401, "Invalid signature")
    for _ in range(20):  # A stranger's questions end nothing.
        challenge(alice.wallet)
    assert verify(alice.wallet, signature).status == 200
    assert verify(alice.wallet, signature).status in (400, 401)
    for malformed in ("", "x", "0OIl", "1" * 63, signature[:-5], signature + signature, "é", "1" * 5_000):
        assert verify(alice.wallet, malformed).status == 400


def test_the_words_of_a_challenge(venue: Venue) -> None:
    wallet = str(Keypair().pubkey())
    asked = {"walletPubkey": wallet, "type": "message"}
    answer = venue.ask("POST", f"{ROOT}/auth/challenge", asked).ok()
    assert list(answer) == ["type", "challenge"]
    first, second, third = answer["challenge"].split("\n")
    assert first == f"Sign this message to authenticate with Jupiter that you are the owner of {wallet}."
    assert second == ""
    words = third.split(" ")
    assert third == f"This challenge expires at {words[4]} with the nonce of {words[9]}"
    assert words[4].endswith("Z")
    for wrong in ({"type": "sms"}, {"walletPubkey": "x"}, {"walletPubkey": ""}, {"walletPubkey": 1}):
        refused = venue.ask("POST", f"{ROOT}/auth/challenge", asked | wrong)
        assert refused.error == (400, "Request validation failed")
        assert list(refused.body["details"]) == list(wrong)
    details = venue.ask("POST", f"{ROOT}/auth/challenge", asked | {"type": "sms"}).body["details"]
    assert details == {"type": 'Invalid option: expected one of "message"|"transaction"'}


# --- the JSON-RPC facade


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b'{"jsonrpc":"2.0","id":1,"method":"sendTransaction","params":["' + b"A" * 2_000 + b'",{"encoding":"base64"}]}',
        b'{"jsonrpc":"2.0","id":1,"method":"getBalance","params":[1e400]}',
        b'{"jsonrpc":"2.0","id":1,"method":"getBalance","params":["x"]}',
        b'{"jsonrpc":"2.0","id":1,"method":"noSuchMethod"}',
    ],
    ids=lambda body: body[:60].decode(),
)
def test_the_facade_answers_nonsense_with_errors(mallory: Trader, body: bytes) -> None:
    answer = asked(mallory, "POST", "/rpc", body)
    assert answer.raw == b"" or "error" in answer.body or answer.body == []


# --- and nothing was harmed


def test_the_venue_goes_on(mallory: Trader) -> None:
    mallory.has(5 * SOL)
    order = mallory.places(single(sell=1 * SOL, above=200))
    assert mallory.confirms(order, mallory.cancels(order)).status == 200
    assert mallory.venue.complaints() == []
