"""Who gets a token of Trigger v2, and what a token is worth."""

import asyncio
import base64
import hmac
import json
import re
from collections.abc import Callable
from hashlib import sha256

import base58
import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature as ChainSignature
from solders.transaction import Transaction, VersionedTransaction

from countermand.dialects.trigger_v2 import auth
from countermand.dialects.trigger_v2.auth import MEMO_PROGRAMS, Challenges, WalletSessions
from countermand.kernel.ports import CommitUnknown, Unavailable
from countermand.services.token_incarnation import TokenIncarnation
from countermand.solana import tokens
from countermand.values.identity import Wallet
from tests.dialects.fakes import (
    SECRET,
    SOL,
    START_MS,
    FakeClock,
    FakeVenue,
    MemoryIncarnations,
    User,
    first_incarnation,
)

MINUTE_MS = 60_000
MEMO_PROGRAM = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"


@pytest.fixture
def venue() -> FakeVenue:
    return FakeVenue()


def challenge(user: User) -> str:
    body = {"walletPubkey": user.wallet, "type": "message"}
    answer = user.venue.ask("POST", "/trigger/v2/auth/challenge", body)
    assert answer.status_code == 200, answer.text
    return str(answer.json["challenge"])


def verify(user: User, text: str, keys: Keypair | None = None) -> tuple[int, dict[str, str]]:
    signature = str((keys or user.keys).sign_message(text.encode()))
    body = {"type": "message", "walletPubkey": user.wallet, "signature": signature}
    answer = user.venue.ask("POST", "/trigger/v2/auth/verify", body)
    return answer.status_code, answer.json


def test_a_wallet_signs_a_message_and_gets_a_token(venue: FakeVenue) -> None:
    alice = venue.stranger()
    answer = venue.ask("POST", "/trigger/v2/auth/challenge", {"walletPubkey": alice.wallet, "type": "message"})
    assert answer.status_code == 200
    assert re.fullmatch(
        r'\{"type":"message","challenge":"Sign this message to authenticate with Jupiter that you are the owner of '
        + alice.wallet
        + r"\.\\n\\nThis challenge expires at 2026-09-06T00:57:46\.838Z with the nonce of "
        r'[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\."\}',
        answer.text,
    )
    status, verified = verify(alice, answer.json["challenge"])
    assert (status, list(verified), verified["authMode"]) == (200, ["authMode", "token"], "access_only")
    issued = START_MS // 1000
    claims = jwt.decode(verified["token"], options={"verify_signature": False})
    assert claims == {"walletPubkey": alice.wallet, "iat": issued, "exp": issued + 86_400} | {
        "aud": "trigger-v2",
        "incarnation": 1,
    }
    assert jwt.get_unverified_header(verified["token"]) == {"alg": "HS256", "typ": "JWT"}
    alice.token = verified["token"]
    assert alice.ask("GET", "/trigger/v2/orders/history").status_code == 200


def test_a_wallet_signs_a_transaction_that_can_never_land(venue: FakeVenue) -> None:
    alice = venue.stranger()
    body = {"walletPubkey": alice.wallet, "type": "transaction"}
    answer = venue.ask("POST", "/trigger/v2/auth/challenge", body)
    assert (answer.status_code, list(answer.json), answer.json["type"]) == (200, ["type", "transaction"], "transaction")
    transaction = Transaction.from_bytes(base64.b64decode(answer.json["transaction"]))
    message = transaction.message
    programs = [str(message.account_keys[instruction.program_id_index]) for instruction in message.instructions]
    assert programs == ["ComputeBudget111111111111111111111111111111", MEMO_PROGRAM]
    assert str(message.account_keys[0]) == alice.wallet
    assert bytes(message.instructions[1].data).startswith(b"Sign this message to authenticate with Jupiter")
    body = {"type": "transaction", "walletPubkey": alice.wallet, "signedTransaction": answer.json["transaction"]}
    unsigned = venue.ask("POST", "/trigger/v2/auth/verify", body)
    assert (unsigned.status_code, unsigned.json) == (401, {"error": "Invalid signature"})
    other = Transaction([alice.keys], Message([], alice.keys.pubkey()), message.recent_blockhash)
    body["signedTransaction"] = base64.b64encode(bytes(other)).decode()
    assert venue.ask("POST", "/trigger/v2/auth/verify", body).json == {"error": "Invalid signature"}
    transaction.sign([alice.keys], message.recent_blockhash)
    body["signedTransaction"] = base64.b64encode(bytes(transaction)).decode()
    assert venue.ask("POST", "/trigger/v2/auth/verify", body).status_code == 200
    replayed = venue.ask("POST", "/trigger/v2/auth/verify", body)
    assert (replayed.status_code, replayed.json) == (400, {"error": "Challenge not found"})


# --- D6: what wallets do to a transaction before they sign it


LIGHTHOUSE = Pubkey.from_string("L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95")
"""Whose asserts wallets add."""
ASSERT = Instruction(LIGHTHOUSE, b"\x05\x00\x00\x01", [AccountMeta(Pubkey.from_string(SOL), False, False)])
UNITS = set_compute_unit_limit(40_000)
SPONSOR = Keypair()


def memo(text: str, program: str = MEMO_PROGRAM) -> Instruction:
    return Instruction(Pubkey.from_string(program), text.encode(), [])


def signed_by(keys: Keypair, instructions: list[Instruction], *, version: int | None = None) -> bytes:
    message: Message | MessageV0 = Message.new_with_blockhash(instructions, keys.pubkey(), Hash.new_unique())
    if version == 0:
        message = MessageV0.try_compile(keys.pubkey(), instructions, [], Hash.new_unique())
    return bytes(VersionedTransaction(message, [keys]))


def hands_in(user: User, transaction: str) -> tuple[int, object]:
    body = {"type": "transaction", "walletPubkey": user.wallet, "signedTransaction": transaction}
    answer = user.venue.ask("POST", "/trigger/v2/auth/verify", body)
    return answer.status_code, answer.json.get("error")


@pytest.mark.parametrize("version", [None, 0])
@pytest.mark.parametrize(
    "around",
    [
        lambda text: [text],
        lambda text: [UNITS, text],
        lambda text: [text, UNITS],
        lambda text: [UNITS, set_compute_unit_price(7), text, ASSERT, ASSERT],
        lambda text: [ASSERT, text, ASSERT, UNITS],
    ],
)
def test_a_wallet_may_add_to_the_transaction_and_move_things(
    venue: FakeVenue, around: Callable[[Instruction], list[Instruction]], version: int | None
) -> None:
    alice = venue.stranger()
    raw = signed_by(alice.keys, around(memo(challenge(alice))), version=version)
    given = base64.b64encode(raw).decode()
    assert hands_in(alice, given) == (200, None)
    assert hands_in(alice, given) == (400, "Challenge not found")


def spelled(raw: bytes) -> dict[str, str]:
    text = base64.b64encode(raw).decode()
    return {
        "canonical": text,
        "URL-safe": base64.urlsafe_b64encode(raw).decode(),
        "without padding": base64.urlsafe_b64encode(raw).decode().rstrip("="),
        "with a newline": text + "\n",
        "wrapped": base64.encodebytes(raw).decode(),
        "wrapped for mail": "\r\n".join(text[at : at + 64] for at in range(0, len(text), 64)),
    }


@pytest.mark.parametrize("spelling", spelled(b""))
def test_base64_is_read_as_clients_write_it(venue: FakeVenue, spelling: str) -> None:
    """D5."""
    alice = venue.stranger()
    for extra in ([], [UNITS], [UNITS, ASSERT]):  # Of all three lengths modulo 3, and with + and / somewhere.
        raw = signed_by(alice.keys, [memo(challenge(alice)), *extra])
        assert hands_in(alice, spelled(raw)[spelling]) == (200, None)


def test_the_wallet_may_be_one_signer_of_several(venue: FakeVenue) -> None:
    """As when another pays. It is never sent, so no other signature is needed."""
    alice = venue.stranger()
    text = challenge(alice)
    signs = Instruction(
        Pubkey.from_string(MEMO_PROGRAM), text.encode(), [AccountMeta(alice.keys.pubkey(), True, False)]
    )
    message = Message.new_with_blockhash([signs], SPONSOR.pubkey(), Hash.default())
    signature = alice.keys.sign_message(bytes(message))
    swapped = VersionedTransaction.populate(message, [signature, ChainSignature.default()])
    assert hands_in(alice, base64.b64encode(bytes(swapped)).decode()) == (401, "Invalid signature")
    transaction = VersionedTransaction.populate(message, [ChainSignature.default(), signature])
    assert hands_in(alice, base64.b64encode(bytes(transaction)).decode()) == (200, None)


@pytest.mark.parametrize(
    "instructions",
    [
        lambda _: [],
        lambda _: [UNITS, ASSERT],
        lambda text: [memo(text), memo("thank you")],
        lambda text: [memo(text), memo(text)],
        lambda text: [memo(text), memo("thanks", "Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo")],
        lambda text: [memo(text + " ")],
        lambda text: [memo(text[:-1])],
        lambda text: [memo(text.replace("\n\n", "\n"))],
        lambda text: [memo(f"I agree. {text}")],
        lambda text: [Instruction(LIGHTHOUSE, text.encode(), [])],
    ],
)
def test_without_exactly_the_text_in_one_memo_no_wallet_signs_in(
    venue: FakeVenue, instructions: Callable[[str], list[Instruction]]
) -> None:
    alice = venue.stranger()
    text = challenge(alice)
    raw = signed_by(alice.keys, instructions(text))
    assert hands_in(alice, base64.b64encode(raw).decode()) == (401, "Invalid signature")
    assert hands_in(alice, base64.b64encode(signed_by(alice.keys, [memo(text)])).decode()) == (200, None)


def test_the_wallet_must_have_signed_it(venue: FakeVenue) -> None:
    alice, mallory = venue.stranger(), venue.stranger()
    text = challenge(alice)
    named = Instruction(
        Pubkey.from_string(MEMO_PROGRAM), text.encode(), [AccountMeta(alice.keys.pubkey(), False, False)]
    )
    message = Message.new_with_blockhash([memo(text)], alice.keys.pubkey(), Hash.default())
    unsigned = VersionedTransaction.populate(message, [ChainSignature.default()])
    wrong = VersionedTransaction.populate(message, [mallory.keys.sign_message(bytes(message))])
    for raw in (signed_by(mallory.keys, [memo(text)]), signed_by(mallory.keys, [named]), bytes(unsigned), bytes(wrong)):
        assert hands_in(alice, base64.b64encode(raw).decode()) == (401, "Invalid signature")


@given(raw=st.binary(max_size=300))
@settings(max_examples=200)
def test_no_bytes_are_a_signed_challenge_by_chance(raw: bytes) -> None:
    venue = FakeVenue()
    alice = venue.stranger()
    challenge(alice)
    assert hands_in(alice, base64.b64encode(b"\x01" + raw).decode())[0] in (400, 401)


def test_a_challenge_is_used_once_and_ends_after_five_minutes_of_the_wall_clock(venue: FakeVenue) -> None:
    alice = venue.stranger()
    text = challenge(alice)
    venue.clock.wall += 5 * MINUTE_MS - 1
    venue.clock.venue += 10**9
    assert verify(alice, text)[0] == 200
    assert verify(alice, text) == (400, {"error": "Challenge not found"})
    text = challenge(alice)
    venue.clock.wall += 5 * MINUTE_MS
    assert verify(alice, text) == (400, {"error": "Challenge not found"})


def test_eight_challenges_live_at_once_and_a_wrong_signature_ends_none(venue: FakeVenue) -> None:
    alice, mallory = venue.stranger(), venue.stranger()
    texts = [challenge(alice) for _ in range(8)]
    assert len({*texts}) == 8
    for text in texts:
        assert verify(alice, text, mallory.keys) == (401, {"error": "Invalid signature"})
    for text in texts:
        assert verify(alice, text)[0] == 200
    assert verify(alice, texts[0]) == (400, {"error": "Challenge not found"})


def test_a_stranger_who_asks_without_end_locks_no_wallet_out(venue: FakeVenue) -> None:
    alice = venue.stranger()
    mine = challenge(alice)
    flood = [challenge(alice) for _ in range(100)]
    assert len({*flood}) == 8  # Seven that are remembered, and that of this minute.
    assert verify(alice, mine)[0] == 200
    for _ in range(8):
        challenge(alice)
    late = challenge(alice)
    assert verify(alice, late)[0] == 200
    assert verify(alice, late)[0] == 401
    assert challenge(alice) != late
    assert verify(alice, challenge(alice))[0] == 200
    venue.clock.wall += 4 * MINUTE_MS
    assert verify(alice, challenge(alice))[0] == 200


def test_the_challenge_of_a_minute_lives_at_least_four() -> None:
    clock = FakeClock()
    challenges = Challenges(SECRET, clock, first_incarnation())
    wallet = Wallet(str(Keypair().pubkey()))
    for _ in range(8):
        challenges.issue(wallet)
    for _ in range(10):
        clock.wall += 7_001
        given = challenges.issue(wallet)
        assert 4 * MINUTE_MS < given.expires_ms - clock.wall <= 5 * MINUTE_MS
        assert given in [*challenges.of_minutes(wallet)]
    assert all(challenge.expires_ms > clock.wall for challenge in challenges.of_minutes(wallet))


def test_challenges_take_no_memory_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "CHALLENGES_KEPT", 100)
    clock = FakeClock()
    challenges = Challenges(SECRET, clock, first_incarnation())
    wallets = [Wallet(f"wallet {n}") for n in range(1_000)]
    given = [challenges.issue(wallet) for wallet in wallets]
    assert [len(challenges.live(wallet)) for wallet in wallets] == [1] * 100 + [0] * 900
    assert all(given[n] in challenges.of_minutes(wallets[n]) for n in range(100, 1_000))
    for n in range(100, 1_000):
        challenges.use_up(wallets[n], given[n])
        assert given[n] not in challenges.of_minutes(wallets[n])
    assert len(challenges._used) == 100
    clock.wall += 5 * MINUTE_MS
    challenges.issue(wallets[0])
    assert len(challenges._live) == len(challenges._ages) == 1
    assert not challenges._used
    assert not challenges._minutes


@pytest.mark.parametrize(
    ("signature", "error"),
    [
        ("", "Expected base58-encoded signature to decode to a byte array of length 64. Actual length: 0."),
        (
            base58.b58encode(bytes(range(1, 33))).decode(),
            "Expected base58-encoded signature to decode to a byte array of length 64. Actual length: 32.",
        ),
        ("0OIl", "Expected a base58-encoded signature"),
        ("é" * 80, "Expected a base58-encoded signature"),
        ("1" * 100_000, "Invalid signature format"),
    ],
)
def test_a_signature_that_is_none(venue: FakeVenue, signature: str, error: str) -> None:
    alice = venue.stranger()
    challenge(alice)
    body = {"type": "message", "walletPubkey": alice.wallet, "signature": signature}
    answer = venue.ask("POST", "/trigger/v2/auth/verify", body)
    assert (answer.status_code, answer.json) == (400, {"error": error})


@pytest.mark.parametrize("transaction", ["", "%%", "AA==", "AQ==", base64.b64encode(b"\x02" + bytes(300)).decode()])
def test_a_challenge_transaction_that_is_none(venue: FakeVenue, transaction: str) -> None:
    alice = venue.stranger()
    body = {"type": "transaction", "walletPubkey": alice.wallet, "signedTransaction": transaction}
    answer = venue.ask("POST", "/trigger/v2/auth/verify", body)
    assert (answer.status_code, answer.json) == (400, {"error": "Invalid transaction format"})


NO_KEY = "Invalid input: expected a base58 public key of 32 bytes"
NO_TYPE = 'Invalid option: expected one of "message"|"transaction"'
NOTHING = "Invalid input: expected string, received undefined"
NUMBER = "Invalid input: expected string, received number"


@pytest.mark.parametrize(
    ("path", "body", "details"),
    [
        ("challenge", {"walletPubkey": "me", "type": "message"}, {"walletPubkey": NO_KEY}),
        ("challenge", {"walletPubkey": MEMO_PROGRAM, "type": "x"}, {"type": NO_TYPE}),
        ("challenge", {"walletPubkey": MEMO_PROGRAM}, {"type": NO_TYPE}),
        ("challenge", {"type": "message"}, {"walletPubkey": NOTHING}),
        ("verify", {"type": "message", "walletPubkey": MEMO_PROGRAM}, {"signature": NOTHING}),
        ("verify", {"type": "transaction", "walletPubkey": MEMO_PROGRAM}, {"signedTransaction": NOTHING}),
        ("verify", {"type": "message", "walletPubkey": MEMO_PROGRAM, "signature": 7}, {"signature": NUMBER}),
    ],
)
def test_what_is_wrong_is_said_by_field(
    venue: FakeVenue, path: str, body: dict[str, object], details: dict[str, str]
) -> None:
    answer = venue.ask("POST", f"/trigger/v2/auth/{path}", body)
    assert (answer.status_code, answer.json) == (400, {"error": "Request validation failed", "details": details})


def test_who_was_never_challenged_has_nothing_to_verify(venue: FakeVenue) -> None:
    assert verify(venue.stranger(), "anything") == (400, {"error": "Challenge not found"})


def test_another_wallets_challenge_is_not_mine(venue: FakeVenue) -> None:
    alice, mallory = venue.stranger(), venue.stranger()
    text = challenge(alice)
    challenge(mallory)
    assert verify(mallory, text) == (401, {"error": "Invalid signature"})
    assert verify(alice, text)[0] == 200


# --- tokens


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _token(header: object, claims: object, secret: bytes = SECRET) -> str:
    signed = f"{_part(header)}.{_part(claims)}"
    signature = base64.urlsafe_b64encode(hmac.digest(secret, signed.encode(), sha256)).rstrip(b"=").decode()
    return f"{signed}.{signature}"


HS256 = {"alg": "HS256", "typ": "JWT"}
NOW_S = START_MS // 1000
CLAIMS = {"walletPubkey": MEMO_PROGRAM, "iat": NOW_S, "exp": NOW_S + 86_400, "aud": "trigger-v2", "incarnation": 1}


def test_the_token_that_the_attacks_start_from_is_good() -> None:
    assert (
        WalletSessions(SECRET, FakeClock(), first_incarnation()).wallet_of(f"Bearer {_token(HS256, CLAIMS)}")
        == MEMO_PROGRAM
    )


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        "...",
        "é.é.é",
        _part({"alg": "none"}) + "." + _part(CLAIMS) + ".",
        _token({"alg": "none"}, CLAIMS),
        _token({"alg": "None"}, CLAIMS),
        _token({"alg": "HS512"}, CLAIMS),
        _token({"alg": "RS256"}, CLAIMS),
        _token({"alg": ["HS256"]}, CLAIMS),
        _token({"alg": None}, CLAIMS),
        _token({}, CLAIMS),
        _token([], CLAIMS),
        _token(HS256 | {"crit": ["exp"], "exp": 0}, CLAIMS),
        _token(HS256, CLAIMS, b"another secret of sufficient length."),
        _token(HS256, CLAIMS, b""),
        jwt.encode(CLAIMS, SECRET, "HS512"),
        _token(HS256, CLAIMS | {"aud": "tanx"}),
        _token(HS256, CLAIMS | {"aud": None}),
        _token(HS256, {name: value for name, value in CLAIMS.items() if name != "aud"}),
        _token(HS256, {name: value for name, value in CLAIMS.items() if name != "exp"}),
        _token(HS256, {name: value for name, value in CLAIMS.items() if name != "iat"}),
        _token(HS256, {name: value for name, value in CLAIMS.items() if name != "walletPubkey"}),
        _token(HS256, CLAIMS | {"exp": NOW_S}),
        _token(HS256, CLAIMS | {"exp": "tomorrow"}),
        _token(HS256, CLAIMS | {"walletPubkey": 7}),
        _token(HS256, CLAIMS | {"incarnation": 0}),
        _token(HS256, CLAIMS | {"incarnation": 2}),
        _token(HS256, CLAIMS | {"incarnation": "1"}),
        _token(HS256, {name: value for name, value in CLAIMS.items() if name != "incarnation"}),
        _token(HS256, []),
        _token(HS256, CLAIMS)[:-4] + "AAAA",
        _token(HS256, CLAIMS) + "." + "A",
        _token(HS256, CLAIMS | {"padding": "x" * 500}),
        _part([[[[[[]]]]]]) * 20,
        "A" * 100_000,
    ],
)
def test_a_forged_token_is_refused(venue: FakeVenue, token: str) -> None:
    assert venue.sessions.wallet_of(f"Bearer {token}") is None
    assert venue.sessions.wallet_of(f"Bearer {token}") is None
    if token.isascii():
        answer = venue.ask("GET", "/trigger/v2/vault", token=token)
        assert (answer.status_code, answer.text) == (401, '{"error":"Unauthorized"}')


@pytest.mark.parametrize("header", ["{}", "Basic {}", "JWT {}", "Bearer", "Bearer ", "Bearer{}", "Bearer {} {}", ""])
def test_a_token_comes_as_a_bearer(venue: FakeVenue, header: str) -> None:
    token = venue.user().token
    assert venue.sessions.wallet_of(header.format(token, token)) is None


@pytest.mark.parametrize("header", ["Bearer {}", "bearer {}", "BEARER  {}"])
def test_the_scheme_is_written_as_one_likes(venue: FakeVenue, header: str) -> None:
    alice = venue.user()
    assert venue.sessions.wallet_of(header.format(alice.token)) == alice.wallet


@given(token=st.text(max_size=300))
@settings(max_examples=200)
def test_no_text_is_a_token_by_chance(token: str) -> None:
    assert WalletSessions(SECRET, FakeClock(), first_incarnation()).wallet_of(f"Bearer {token}") is None


def test_a_token_lasts_a_day_of_the_wall_clock(venue: FakeVenue) -> None:
    alice = venue.user()
    venue.clock.venue += 10**12
    venue.clock.wall = (NOW_S + 86_400) * 1000 - 1
    assert alice.ask("GET", "/trigger/v2/vault").status_code == 200
    venue.clock.wall += 1
    assert alice.ask("GET", "/trigger/v2/vault").status_code == 401


@pytest.mark.parametrize("passes_ms", [0, 60_000, -2 * 86_400_000])
def test_all_tokens_can_be_ended_and_newer_ones_work(venue: FakeVenue, passes_ms: int) -> None:
    """A5: whatever the clock does meanwhile."""
    alice, bob = venue.user(), venue.user()
    assert alice.ask("GET", "/trigger/v2/vault").status_code == 200
    for _ in range(3):
        asyncio.run(venue.incarnation.end_tokens())
        venue.clock.wall += passes_ms
        assert alice.ask("GET", "/trigger/v2/vault").status_code == 401
        assert bob.ask("GET", "/trigger/v2/vault").status_code == 401
        alice.token = verify(alice, challenge(alice))[1]["token"]
        assert alice.ask("GET", "/trigger/v2/vault").status_code == 200


def test_challenges_end_with_the_tokens(venue: FakeVenue) -> None:
    """A5: those that are remembered, and those of a minute."""
    alice = venue.stranger()
    texts = [challenge(alice) for _ in range(10)]
    asyncio.run(venue.incarnation.end_tokens())
    assert all(verify(alice, text) == (400, {"error": "Challenge not found"}) for text in texts)
    again = [challenge(alice) for _ in range(10)]
    assert not {*texts} & {*again}
    assert verify(alice, texts[-1])[0] == 401
    assert verify(alice, again[-1])[0] == verify(alice, again[0])[0] == 200


def test_another_process_gives_other_challenges() -> None:
    """A5: one that was used cannot come back with a restart, also not in the same millisecond."""
    wallet = Wallet(str(Keypair().pubkey()))
    processes = [Challenges(bytes([number]) * 32, FakeClock(), first_incarnation()) for number in range(2)]
    texts = [challenges.issue(wallet).text(wallet) for challenges in processes for _ in range(10)]
    assert len({*texts}) == 2 * 9


def test_a_used_challenge_of_a_minute_does_not_come_back_with_the_minute(venue: FakeVenue) -> None:
    """B7: the clock has gone on until it was forgotten, and goes back."""
    alice = venue.stranger()
    for _ in range(8):
        challenge(alice)
    used = challenge(alice)
    assert verify(alice, used)[0] == 200
    venue.clock.wall += 10 * MINUTE_MS
    challenge(alice)
    venue.clock.wall -= 10 * MINUTE_MS
    for _ in range(8):
        challenge(alice)
    assert verify(alice, used)[0] == 401


def test_a_challenge_that_is_behind_a_later_one_expires_in_time(venue: FakeVenue) -> None:
    """B7: the clock has gone back between the two."""
    alice = venue.stranger()
    challenge(alice)
    venue.clock.wall -= 60 * MINUTE_MS
    text = challenge(alice)
    venue.clock.wall += 5 * MINUTE_MS
    assert verify(alice, text)[0] == 401


async def test_an_end_of_unknown_outcome_is_learned_from_the_store() -> None:
    incarnations = MemoryIncarnations()
    incarnation = TokenIncarnation(incarnations, 1)
    incarnations.failing = CommitUnknown("lost")
    with pytest.raises(CommitUnknown):
        await incarnation.end_tokens()
    assert incarnation.current == 1
    incarnations.failing = None
    await incarnation.learn()
    assert incarnation.current == 2


async def test_what_another_process_ended_is_learned_whenever_the_store_answers() -> None:
    """Two processes on one database, of which one is replaced."""
    incarnations, pauses = MemoryIncarnations(), iter((Unavailable("away"), None))
    incarnation = TokenIncarnation(incarnations, 1)
    await TokenIncarnation(incarnations, 1).end_tokens()

    class Clock(FakeClock):
        async def sleep(self, ms: int) -> None:
            assert ms == 1_000
            incarnations.failing = next(pauses)

    with pytest.raises(RuntimeError):
        await incarnation.follow(Clock())
    assert incarnation.current == 2


def test_verified_tokens_take_no_memory_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "TOKENS_CACHED", 3)
    sessions = WalletSessions(SECRET, FakeClock(), first_incarnation())
    headers = [f"Bearer {sessions.issue(Wallet(f'wallet {n}'))}" for n in range(10)]
    for _ in range(2):
        assert [sessions.wallet_of(header) for header in headers] == [f"wallet {n}" for n in range(10)]
    assert len(sessions._verified) == 3


def test_a_memo_is_of_the_programs_that_the_chain_knows() -> None:
    assert tuple(map(str, MEMO_PROGRAMS)) == tokens.MEMO_PROGRAMS
