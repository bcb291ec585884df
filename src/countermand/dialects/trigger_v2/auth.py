"""Logins and tokens: a wallet signs a challenge and gets a token for a day. All times are the wall clock's.

Tokens and challenges carry the incarnation that they were made in (`services/token_incarnation.py`), and end with it.
Tokens outlive a restart. Challenges end with the process: they follow from a secret of its own, so one that was used
cannot come back.

Any client may ask for a challenge to any wallet, so no request may end another's challenge, and none may cost memory
without end. Up to eight of a wallet are remembered. When there is no room, the answer is the wallet's challenge of
this minute: it follows from the secret and needs no memory until it is used.
"""

import base64
import hmac
from collections import deque
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final, NamedTuple

import jwt
from msgspec import Struct
from solders.compute_budget import set_compute_unit_price
from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import Message, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.transaction import SanitizeError, VersionedTransaction

from countermand.base64_text import bytes_of
from countermand.iso_time import iso
from countermand.kernel.ids import Ids
from countermand.kernel.ports import Clock
from countermand.services.token_incarnation import TokenIncarnation
from countermand.values.identity import Wallet
from countermand.values.instant import Instant

CHALLENGE_MS: Final = 5 * 60_000
CHALLENGES_MAX: Final = 8
"""Remembered for one wallet."""
CHALLENGES_KEPT: Final = 65_536
"""Remembered for all wallets together."""
TOKEN_S: Final = 24 * 60 * 60
AUDIENCE: Final = "trigger-v2"
TOKENS_CACHED: Final = 65_536
_TOKEN_CHARS_MAX: Final = 512
_MINUTE_MS: Final = 60_000
MEMO_PROGRAMS: Final = (
    Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"),
    Pubkey.from_string("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo"),
)
"""The challenge is a memo of the first; a wallet's memo may be of either version."""
_UNIT_PRICE_MICROLAMPORTS: Final = 1_000_000
_SIGNATURE_BYTES: Final = 64
_PACKET_BYTES_MAX: Final = 1_232


class Challenge(Struct, frozen=True):
    nonce: str
    expires_ms: int
    minute_ms: int | None = None
    """The minute that it belongs to, if it is not remembered."""

    def text(self, wallet: Wallet) -> str:
        return (
            f"Sign this message to authenticate with Jupiter that you are the owner of {wallet}.\n\n"
            f"This challenge expires at {iso(self.expires_ms)} with the nonce of {self.nonce}."
        )


class Challenges:
    """The live challenges of all wallets. `secret` must be a new one in each process."""

    def __init__(self, secret: bytes, clock: Clock, incarnation: TokenIncarnation) -> None:
        self._secret = secret
        self._clock = clock
        self._incarnation = incarnation
        self._of = incarnation.current
        """The incarnation of all that is remembered."""
        self._issued = 0
        self._live: dict[Wallet, list[Challenge]] = {}
        self._ages: deque[tuple[Wallet, Challenge]] = deque()
        """All that are remembered and some that are used up, the oldest first: all live equally long."""
        self._minutes: dict[int, int] = {}
        """The minutes in which there was no room, each with a number that no other minute had, nor this one before."""
        self._used: dict[tuple[Wallet, int], int] = {}
        """How many challenges of a wallet and a minute were used up. Only the wallet's owner can make one of these."""

    def issue(self, wallet: Wallet) -> Challenge:
        now = self._clock.wall_ms()
        self._forget_ended(now)
        live = self._live.get(wallet, ())
        self._issued += 1
        if len(live) >= CHALLENGES_MAX or len(self._ages) >= CHALLENGES_KEPT:
            minute = now - now % _MINUTE_MS
            self._minutes.setdefault(minute, self._issued)
            return self._of_minute(wallet, minute)
        challenge = Challenge(self._nonce(wallet, now, f"issue {self._issued}"), now + CHALLENGE_MS)
        self._live.setdefault(wallet, []).append(challenge)
        self._ages.append((wallet, challenge))
        return challenge

    def live(self, wallet: Wallet) -> tuple[Challenge, ...]:
        """Those that are remembered."""
        now = self._clock.wall_ms()
        self._forget_ended(now)
        # After a step back of the clock, an older one may expire later than this one.
        return tuple(challenge for challenge in self._live.get(wallet, ()) if now < challenge.expires_ms)

    def of_minutes(self, wallet: Wallet) -> Iterator[Challenge]:
        """Those that may have been given out without being remembered."""
        self._forget_ended(self._clock.wall_ms())
        for minute in tuple(self._minutes):
            yield self._of_minute(wallet, minute)

    def use_up(self, wallet: Wallet, challenge: Challenge) -> None:
        if challenge.minute_ms is not None:
            self._use_up_of_minute(wallet, challenge.minute_ms)
            return
        self._live[wallet].remove(challenge)
        if not self._live[wallet]:
            del self._live[wallet]

    def _use_up_of_minute(self, wallet: Wallet, minute: int) -> None:
        self._used[wallet, minute] = self._used.get((wallet, minute), 0) + 1
        if len(self._used) > CHALLENGES_KEPT:  # The oldest could be used once more with its signature.
            del self._used[next(iter(self._used))]

    def _of_minute(self, wallet: Wallet, minute: int) -> Challenge:
        used = self._used.get((wallet, minute), 0)
        label = f"minute {self._minutes[minute]} {used}"
        return Challenge(self._nonce(wallet, minute, label), minute + CHALLENGE_MS, minute)

    def _nonce(self, wallet: Wallet, at_ms: int, label: str) -> str:
        """A version 7 UUID that cannot be foreseen."""
        seed = hmac.digest(self._secret, f"challenge:{self._of}:{wallet}:{at_ms}:{label}".encode(), sha256)
        return Ids(int.from_bytes(seed)).nonce(Instant(at_ms))

    def _forget_ended(self, now: int) -> None:
        if self._of != self._incarnation.current:
            self._of = self._incarnation.current
            for memory in (self._live, self._ages, self._minutes, self._used):
                memory.clear()
        self._forget_expired(now)

    def _forget_expired(self, now: int) -> None:
        while self._ages and self._ages[0][1].expires_ms <= now:
            wallet, challenge = self._ages.popleft()
            if challenge in self._live.get(wallet, ()):
                self.use_up(wallet, challenge)
        for minute in [minute for minute in self._minutes if minute + CHALLENGE_MS <= now]:
            del self._minutes[minute]
        while self._used and next(iter(self._used))[1] + CHALLENGE_MS <= now:
            del self._used[next(iter(self._used))]


def public_key(wallet: Wallet) -> Pubkey:
    return Pubkey.from_string(wallet)


def challenge_message(wallet: Wallet, text: str) -> bytes:
    """The challenge as a transaction that can never land: its blockhash is none."""
    memo = Instruction(MEMO_PROGRAMS[0], text.encode(), [])
    instructions = [set_compute_unit_price(_UNIT_PRICE_MICROLAMPORTS), memo]
    blockhash = Hash.hash(text.encode())
    return bytes(Message.new_with_blockhash(instructions, public_key(wallet), blockhash))


def unsigned_transaction(message: bytes) -> str:
    """With the one signature slot empty, base64."""
    return base64.b64encode(b"\x01" + bytes(_SIGNATURE_BYTES) + message).decode()


class SignedChallenge:
    """A transaction that a wallet signed to sign in. It is never sent: only its memo and who signed it count.

    Wallets add instructions (compute budget, asserts of Lighthouse), move them, write version 0, or replace the
    blockhash. None of that changes what was signed: the text. The wallet must be a required signer, mostly the payer;
    what others have signed is not looked at.
    """

    def __init__(self, transaction: VersionedTransaction) -> None:
        message = transaction.message
        keys, programs = message.account_keys, [each.program_id_index for each in message.instructions]
        memos = [
            each.data
            for each, program in zip(message.instructions, programs, strict=True)
            if program < len(keys) and keys[program] in MEMO_PROGRAMS
        ]
        self._memo = memos[0] if len(memos) == 1 else None
        """None: a second memo could mean anything."""
        self._message = to_bytes_versioned(message)
        signers = keys[: message.header.num_required_signatures]
        self._signatures = dict(zip(map(str, signers), transaction.signatures, strict=False))

    def proves(self, wallet: Wallet, text: str) -> bool:
        signature = self._signatures.get(wallet)
        if self._memo != text.encode() or signature is None:
            return False
        return signature.verify(public_key(wallet), self._message)


def read_signed_challenge(text: str) -> SignedChallenge | None:
    """From base64, in any spelling that JavaScript's decoder takes. None: it is no transaction."""
    raw = bytes_of(text, _PACKET_BYTES_MAX)
    if raw is None:
        return None
    try:
        transaction = VersionedTransaction.from_bytes(raw)
        transaction.sanitize()
    except (ValueError, SanitizeError):
        return None
    return SignedChallenge(transaction)


class _Verified(NamedTuple):
    wallet: Wallet
    expires_ms: int
    incarnation: int


class WalletSessions:
    """Tokens: JWT by HS256, `{walletPubkey, iat, exp, aud, incarnation}`.

    Those that were verified are remembered, since each request brings one.
    """

    def __init__(self, secret: bytes, clock: Clock, incarnation: TokenIncarnation) -> None:
        self._secret = secret
        self._clock = clock
        self._incarnation = incarnation
        self._verified: dict[str, _Verified] = {}
        """By the whole header."""

    def issue(self, wallet: Wallet) -> str:
        issued_s = self._clock.wall_ms() // 1000
        claims = {
            "walletPubkey": wallet,
            "iat": issued_s,
            "exp": issued_s + TOKEN_S,
            "aud": AUDIENCE,
            "incarnation": self._incarnation.current,
        }
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def wallet_of(self, header: str | None) -> Wallet | None:
        """The wallet of the token in the `Authorization` header. None: the token is not valid."""
        if header is None:
            return None
        known = self._verified.get(header) or self._verify(header)
        if known is None or known.incarnation != self._incarnation.current:
            return None
        return known.wallet if self._clock.wall_ms() < known.expires_ms else None

    def _verify(self, header: str) -> _Verified | None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or len(token) > _TOKEN_CHARS_MAX:
            return None
        match self._claims(token.strip()):
            case {"walletPubkey": str(wallet), "iat": int(), "exp": int(expires_s), "incarnation": int(incarnation)}:
                pass
            case _:
                return None
        if len(self._verified) >= TOKENS_CACHED:
            del self._verified[next(iter(self._verified))]
        known = self._verified[header] = _Verified(Wallet(wallet), expires_s * 1000, incarnation)
        return known

    def _claims(self, token: str) -> dict[str, Any] | None:
        try:
            # Times are judged here, by the clock of this class.
            return jwt.decode(
                token,
                self._secret,
                algorithms=["HS256"],
                audience=AUDIENCE,
                options={"verify_exp": False, "verify_iat": False, "require": ["iat", "exp", "aud"]},
            )
        except (jwt.PyJWTError, ValueError, RecursionError):
            return None
