"""Logins and tokens: a user signs a text with an Ethereum key, and gets tokens. All times are the wall clock's.

An access token is good for an hour. A refresh token lasts a week and serves once: it is exchanged for two new tokens.
A repetition of that exchange within `REPEAT_S` returns the same two tokens, since clients refresh in parallel and
answers get lost. A later use of a spent token, or any use of an older one, may be a thief's, so its session ends.
What decides is in the database: a restart ends no session, and brings none back.

Tokens and texts carry the incarnation that they were made in (`services/token_incarnation.py`), and end with it.
"""

import hmac
from hashlib import sha256
from typing import Any, Final, NamedTuple

import jwt
from msgspec import Struct

from countermand.answering import Answer
from countermand.dialects.tanx.accounts import signer_of
from countermand.dialects.tanx.envelope import ACCESS_REFUSED, NO_CREDENTIALS
from countermand.kernel.ports import Clock, CommitUnknown
from countermand.orders.book.members import SESSIONS_KEPT, Members, MemberSession
from countermand.orders.book.model.ledger.amount import Account
from countermand.services.token_incarnation import TokenIncarnation

CODE_WINDOW_S: Final = 5 * 60
ACCESS_S: Final = 60 * 60
REFRESH_S: Final = 7 * 24 * 60 * 60
REPEAT_S: Final = 30
"""So long after an exchange, its repetition returns the same tokens."""
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


class TokenPair(Struct, frozen=True):
    refresh: str
    access: str


class LoginTexts:
    """The texts that are signed to log in.

    A client may ask for any account's, so none is stored: it follows from the secret, the account, how often it has
    logged in, the incarnation, and the five minutes that it was asked for in, and is good for those and the next five.
    A login moves the number of logins on, so each text serves once, also after a restart. A reset counts logins from 0
    again, and begins another incarnation.
    """

    def __init__(self, secret: bytes, clock: Clock, incarnation: TokenIncarnation) -> None:
        self._secret = secret
        self._clock = clock
        self._incarnation = incarnation
        self._given: dict[Account, tuple[int, int, int]] = {}

    def give(self, account: Account, logins: int) -> tuple[str, bool]:
        """A text to sign, and whether it was given before, as far as we remember."""
        given = logins, self._incarnation.current, self._window()
        again = self._given.pop(account, None) == given
        if len(self._given) >= REMEMBERED:
            del self._given[next(iter(self._given))]
        self._given[account] = given
        return self._text(account, *given), again

    def incarnation_signed(self, account: Account, logins: int, signature: str) -> int | None:
        """The incarnation of the text that this signature is of. None: it is of no text that is still good."""
        window, of = self._window(), self._incarnation.current
        texts = [self._text(account, logins, of, each) for each in (window, window - 1)]
        return of if any(signer_of(text, signature) == account for text in texts) else None

    def _window(self) -> int:
        return self._clock.wall_ms() // 1000 // CODE_WINDOW_S

    def _text(self, account: Account, logins: int, incarnation: int, window: int) -> str:
        seed = hmac.digest(self._secret, f"login code:{account}:{logins}:{incarnation}:{window}".encode(), sha256)
        number, code = int.from_bytes(seed), ""
        for _ in range(_CODE_CHARS):
            number, digit = divmod(number, len(_ALPHABET))
            code += _ALPHABET[digit]
        return _TEXT.format(code=code)


class _Verified(NamedTuple):
    account: Account
    expires_s: int
    incarnation: int


class TanxSessions:
    """Logins, and the tokens that follow from them: JWT by HS256, with the claims of SimpleJWT."""

    def __init__(self, secret: bytes, clock: Clock, members: Members, incarnation: TokenIncarnation) -> None:
        self._secret = secret
        self._clock = clock
        self._members = members
        self._incarnation = incarnation
        self._verified: dict[str, _Verified] = {}
        """By the whole header."""
        self._endings = 0
        self._unanswered: dict[tuple[int, int], int] = {}
        """The generation that a session had before a renewal whose outcome is unknown."""

    async def begin(self, account: Account, logins: int, incarnation: int) -> TokenPair | None:
        """A new session of a member who proved who he is when he had logged in so often. None: he used that already.

        The tokens are of the incarnation of the proof: if that has ended meanwhile, so have they.
        """
        now = self._now_s()
        session = await self._members.log_in(account, logins, now, now + REFRESH_S)
        if session is None:
            return None
        if session.login > SESSIONS_KEPT:
            self.forget()  # This login ended the member's oldest session.
        return self._tokens(session, incarnation)

    async def refresh(self, token: str) -> TokenPair | None:
        """The next tokens of a session, if this is the last of its refresh tokens; the same ones if it is repeated.

        None: the token is none, or it was spent, and its session has ended now.
        """
        claims = self._claims(token, "refresh")
        if claims is None or claims["incarnation"] != self._incarnation.current:
            return None
        session = await self._members.session(claims["user_id"], claims["session"])
        if session is None:
            return None
        generation: int = claims["generation"]
        if not self._is_repetition(session, generation):
            if claims["exp"] <= self._now_s():
                return None
            session = await self._exchange(session, generation)
        if session is None or session.generation != generation + 1:
            return None
        # They end with the token, also if it ended meanwhile.
        return self._tokens(session, claims["incarnation"])

    async def account(self, authorization: str | None) -> Account | Answer:
        """The account of the access token in the `Authorization` header, or the answer if it is not valid."""
        if authorization is None:
            return NO_CREDENTIALS
        known = self._verified.get(authorization)
        if known is None:
            scheme, space, token = authorization.partition(" ")
            if not space or scheme.lower() not in _SCHEMES:
                return NO_CREDENTIALS
            known = await self._verify(authorization, token.strip())
        if known is None or known.incarnation != self._incarnation.current:
            return ACCESS_REFUSED
        return known.account if self._now_s() < known.expires_s else ACCESS_REFUSED

    def forget(self) -> None:
        """What was verified is asked for again: sessions may have ended elsewhere."""
        self._endings += 1
        self._verified.clear()

    def _is_repetition(self, session: MemberSession, generation: int) -> bool:
        """Of the exchange that led to the session's newest tokens, and soon after it, or after its lost outcome."""
        if session.generation != generation + 1:
            return False
        # Absolute: the clock may have gone back since, but then not for days.
        recent = abs(self._now_s() - session.issued_s) <= REPEAT_S
        return self._unanswered.pop((session.customer_id, session.login), None) == generation or recent

    async def _exchange(self, session: MemberSession, generation: int) -> MemberSession | None:
        if session.generation == generation:
            return await self._renew(session)
        await self._members.end(session)
        self.forget()
        return None

    async def _renew(self, session: MemberSession) -> MemberSession | None:
        key, now = (session.customer_id, session.login), self._now_s()
        try:
            renewed = await self._members.renew(session, now, now + REFRESH_S)
        except CommitUnknown:
            if len(self._unanswered) >= REMEMBERED:
                del self._unanswered[next(iter(self._unanswered))]
            self._unanswered[key] = session.generation
            raise
        self._unanswered.pop(key, None)
        return renewed

    async def _verify(self, authorization: str, token: str) -> _Verified | None:
        claims = self._claims(token, "access")
        if claims is None or claims["incarnation"] != self._incarnation.current or claims["exp"] <= self._now_s():
            return None
        endings = self._endings
        session = await self._members.session(claims["user_id"], claims["session"])
        if session is None:
            return None
        known = _Verified(session.account, claims["exp"], claims["incarnation"])
        if endings == self._endings:  # Else this one may have ended while we asked.
            if len(self._verified) >= REMEMBERED:
                del self._verified[next(iter(self._verified))]
            self._verified[authorization] = known
        return known

    def _tokens(self, session: MemberSession, incarnation: int) -> TokenPair:
        """Always the same ones of a session's generation."""
        refresh = self._token("refresh", session, incarnation, REFRESH_S)
        return TokenPair(refresh, self._token("access", session, incarnation, ACCESS_S))

    def _token(self, kind: str, session: MemberSession, incarnation: int, lasts_s: int) -> str:
        claims = {
            "token_type": kind,
            "exp": session.issued_s + lasts_s,
            "iat": session.issued_s,
            "jti": f"{session.customer_id}-{session.login}-{session.generation}-{kind}",
            "user_id": session.customer_id,
            "session": session.login,
            "generation": session.generation,
            "incarnation": incarnation,
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
                "incarnation": int(),
            } if found == kind:
                return claims
        return None

    def _now_s(self) -> int:
        return self._clock.wall_ms() // 1000
