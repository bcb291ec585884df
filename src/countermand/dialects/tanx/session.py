"""Who is asking: a user signs a text with his Ethereum key, and gets tokens. All times here are the wall clock's.

An access token opens the doors for an hour. A refresh token lasts a week and serves once: it is exchanged for two new
tokens. Whoever brings one that was used before may have stolen it, or lost it to a thief, so its whole session ends.
What decides is in the database: a restart ends no session, and brings none back.
"""

import asyncio
import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import jwt

from countermand.answering import Answer
from countermand.dialects.tanx.envelope import ACCESS_REFUSED, NO_CREDENTIALS
from countermand.dialects.tanx.ethereum import signer_of
from countermand.domain.ledger.amount import Account
from countermand.engine.members import Members, MemberSession
from countermand.engine.ports import Clock, CommitUnknown

CODE_WINDOW_S: Final = 5 * 60
ACCESS_S: Final = 60 * 60
REFRESH_S: Final = 7 * 24 * 60 * 60
AUDIENCE: Final = "tanx"
REMEMBERED: Final = 65_536
"""Tokens that were verified, and users who were given a text to sign."""
_TOKEN_CHARS_MAX: Final = 512
_ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_CODE_CHARS: Final = 22
_TEXT: Final = (
    "You’re now signing into tanX Testnet, make sure the origin is https://testnet.tanx.finance (Login-code:{code})"
)
_SCHEMES: Final = {"jwt", "bearer"}


@dataclass(frozen=True, slots=True)
class Tokens:
    refresh: str
    access: str


class LoginTexts:
    """The texts that are signed to log in.

    Anybody may ask for anybody's, so none is stored: it follows from the secret, the account, how often it has logged
    in, and the five minutes that it was asked for in, and is good for those and the next five. A login moves that
    number on, so each text serves once, also after a restart.
    """

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock
        self._given: dict[Account, tuple[int, int]] = {}

    def give(self, account: Account, logins: int) -> tuple[str, bool]:
        """A text to sign, and whether it was given before, as far as we remember."""
        given = logins, self._window()
        again = self._given.pop(account, None) == given
        if len(self._given) >= REMEMBERED:
            del self._given[next(iter(self._given))]
        self._given[account] = given
        return self._text(account, *given), again

    def is_signed(self, account: Account, logins: int, signature: str) -> bool:
        """Whether this is the account's signature of a text that is still good."""
        window = self._window()
        return any(signer_of(self._text(account, logins, each), signature) == account for each in (window, window - 1))

    def _window(self) -> int:
        return self._clock.wall_ms() // 1000 // CODE_WINDOW_S

    def _text(self, account: Account, logins: int, window: int) -> str:
        seed = hmac.digest(self._secret, f"login code:{account}:{logins}:{window}".encode(), sha256)
        number, code = int.from_bytes(seed), ""
        for _ in range(_CODE_CHARS):
            number, digit = divmod(number, len(_ALPHABET))
            code += _ALPHABET[digit]
        return _TEXT.format(code=code)


class Sessions:
    """Logins, and the tokens that follow from them: JWT by HS256, with the claims of SimpleJWT."""

    def __init__(self, secret: bytes, clock: Clock, members: Members) -> None:
        self._secret = secret
        self._clock = clock
        self._members = members
        self._verified: dict[str, tuple[Account, int]] = {}
        """By the whole header: whose access token it is, and the second in which it ends."""
        self._endings = 0
        self._unanswered: dict[tuple[int, int], int] = {}
        """The generation that a session had before a renewal of which nobody knows whether it was stored."""
        self._exchanges: dict[str, asyncio.Future[Tokens | None]] = {}
        """By the refresh token: the answers that are being made."""
        self._refused_until_s = -1
        """Access tokens that were issued up to this second are refused."""
        self._newest_s = -1

    async def begin(self, account: Account, logins: int) -> Tokens | None:
        """A new session of a member who proved who he is when he had logged in so often. None: he used that already."""
        now = self._issuing_s()
        session = await self._members.log_in(account, logins, now, now + REFRESH_S)
        return None if session is None else self._tokens(session)

    async def refresh(self, token: str) -> Tokens | None:
        """The next tokens of a session, if this is the last of its refresh tokens; else the session ends.

        Whoever comes with the same token before that answer is given, gets the same answer. Whoever comes later,
        because it was lost on its way, has to log in again.
        """
        exchange = self._exchanges.get(token)
        if exchange is None:
            exchange = self._exchanges[token] = asyncio.ensure_future(self._exchange(token))
            exchange.add_done_callback(lambda _: self._exchanges.pop(token))
        return await asyncio.shield(exchange)

    async def account(self, authorization: str | None) -> Account | Answer:
        """Whose access token the `Authorization` header carries, or what to answer if it is nobody's."""
        if authorization is None:
            return NO_CREDENTIALS
        known = self._verified.get(authorization)
        if known is None:
            scheme, space, token = authorization.partition(" ")
            if not space or scheme.lower() not in _SCHEMES:
                return NO_CREDENTIALS
            known = await self._verify(authorization, token.strip())
            if known is None:
                return ACCESS_REFUSED
        account, expires_s = known
        return account if self._now_s() < expires_s else ACCESS_REFUSED

    def expire_tokens_now(self) -> None:
        """Every access token that exists ends. Refresh tokens live on, as they do when an hour has passed."""
        self._refused_until_s = max(self._now_s(), self._newest_s)
        self.forget()

    def forget(self) -> None:
        """What was verified is asked for again: sessions may have ended elsewhere."""
        self._endings += 1
        self._verified.clear()

    async def _exchange(self, token: str) -> Tokens | None:
        claims = self._claims(token, "refresh")
        if claims is None or claims["exp"] <= self._now_s():
            return None
        generation: int = claims["generation"]
        session = await self._members.session(claims["user_id"], claims["session"])
        if session is None:
            return None
        if session.generation == generation:
            session = await self._renew(session)
        elif self._unanswered.pop((session.customer_id, session.login), None) != generation:
            await self._members.end(session)
            self.forget()
            return None
        return self._tokens(session) if session is not None and session.generation == generation + 1 else None

    async def _renew(self, session: MemberSession) -> MemberSession | None:
        key, now = (session.customer_id, session.login), self._issuing_s()
        try:
            renewed = await self._members.renew(session, now, now + REFRESH_S)
        except CommitUnknown:
            if len(self._unanswered) >= REMEMBERED:
                del self._unanswered[next(iter(self._unanswered))]
            self._unanswered[key] = session.generation
            raise
        self._unanswered.pop(key, None)
        return renewed

    async def _verify(self, authorization: str, token: str) -> tuple[Account, int] | None:
        claims = self._claims(token, "access")
        if claims is None or claims["iat"] <= self._refused_until_s or claims["exp"] <= self._now_s():
            return None
        endings = self._endings
        session = await self._members.session(claims["user_id"], claims["session"])
        if session is None:
            return None
        known = session.account, claims["exp"]
        if endings == self._endings:  # Else this one may have ended while we asked.
            if len(self._verified) >= REMEMBERED:
                del self._verified[next(iter(self._verified))]
            self._verified[authorization] = known
        return known

    def _tokens(self, session: MemberSession) -> Tokens:
        """Always the same ones of a session's generation."""
        self._newest_s = max(self._newest_s, session.issued_s)
        return Tokens(self._token("refresh", session, REFRESH_S), self._token("access", session, ACCESS_S))

    def _token(self, kind: str, session: MemberSession, lasts_s: int) -> str:
        claims = {
            "token_type": kind,
            "exp": session.issued_s + lasts_s,
            "iat": session.issued_s,
            "jti": f"{session.customer_id}-{session.login}-{session.generation}-{kind}",
            "user_id": session.customer_id,
            "session": session.login,
            "generation": session.generation,
            "aud": AUDIENCE,
        }
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def _claims(self, token: str, kind: str) -> dict[str, Any] | None:
        """What a token of ours says, whether or not its time is over."""
        if len(token) > _TOKEN_CHARS_MAX:
            return None
        try:
            # Times are judged by the clock of this class.
            claims: dict[str, Any] = jwt.decode(
                token,
                self._secret,
                algorithms=["HS256"],
                audience=AUDIENCE,
                options={"verify_exp": False, "verify_iat": False, "require": ["iat", "exp", "aud"]},
            )
        except (jwt.PyJWTError, ValueError, RecursionError):
            return None
        match claims:
            case {
                "token_type": found,
                "exp": int(),
                "iat": int(),
                "user_id": int(),
                "session": int(),
                "generation": int(),
            } if found == kind:
                return claims
        return None

    def _issuing_s(self) -> int:
        """A token must be newer than all that were ended, even in the same second."""
        return max(self._now_s(), self._refused_until_s + 1)

    def _now_s(self) -> int:
        return self._clock.wall_ms() // 1000
