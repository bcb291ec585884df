"""The endpoints of a member: nonce, login, refresh, profile, and the key that signs the member's orders."""

from collections.abc import Callable
from typing import Final

import msgspec
from falcon.asgi import Request

from countermand.answering import Answer
from countermand.curves import stark
from countermand.dialects.tanx.accounts import account_of
from countermand.dialects.tanx.authenticator import account_asking
from countermand.dialects.tanx.envelope import ACCESS_REFUSED, REFRESH_REFUSED, RESPONDER, problem, success
from countermand.dialects.tanx.reading import BodyReader, invalid
from countermand.dialects.tanx.session import LoginTexts, TanxSessions, TokenPair
from countermand.orders.book.members import Members, StarkKeys
from countermand.orders.book.model.ledger.amount import Account
from countermand.values.instant import Instant

NONCE_PATHS: Final = ("/sapi/v1/auth/v2/nonce", "/sapi/v2/auth/nonce", "/sapi/v1/auth/nonce")
LOGIN_PATHS: Final = ("/sapi/v1/auth/v2/login", "/sapi/v2/auth/login", "/sapi/v1/auth/login")
REFRESH_PATHS: Final = ("/sapi/v1/auth/token/refresh", "/sapi/v2/auth/token/refresh")
PROFILE_PATH: Final = "/sapi/v1/user/profile"
STARK_KEY_PATH: Final = "/sapi/v1/user/stark_key"
"""Ours: tanX learns its users' keys on its website."""

_ADDRESS_CHARS_MIN: Final = 30
_ADDRESS_TOO_SHORT: Final = problem(400, f"Ensure eth_address has at least {_ADDRESS_CHARS_MIN} characters.")
_NO_ADDRESS: Final = invalid("eth_address", "Enter a valid Ethereum address: 0x and 40 hexadecimal digits.")
_LOGIN_REFUSED: Final = problem(400, "Invalid Credentials or Token Expired, Kindly login again.")
_NO_KEY: Final = invalid("stark_key", "Enter a valid Stark key: 0x and the x of a point on the curve in hexadecimal.")
_OTHER_KEY: Final = problem(400, "Another Stark key is registered for this account")


class NonceRequest(msgspec.Struct):
    eth_address: str


class LoginRequest(msgspec.Struct):
    eth_address: str
    user_signature: str


class RefreshRequest(msgspec.Struct):
    refresh: str


class StarkKeyRequest(msgspec.Struct):
    stark_key: str


_NONCE: Final = BodyReader(NonceRequest)
_LOGIN: Final = BodyReader(LoginRequest)
_REFRESH: Final = BodyReader(RefreshRequest)
_STARK_KEY: Final = BodyReader(StarkKeyRequest)


class AuthContext(msgspec.Struct, frozen=True):
    """What the endpoints work on."""

    members: Members
    texts: LoginTexts
    sessions: TanxSessions
    stark_keys: StarkKeys
    now: Callable[[], Instant]
    """The venue's clock, by which a member is registered."""

    async def account(self, req: Request) -> Account:
        """Raises `Declined`."""
        return await account_asking(self.sessions, req)


class LoginNonceResource:
    def __init__(self, context: AuthContext) -> None:
        self._context = context

    @RESPONDER.answers_body
    async def on_post(self, req: Request, body: bytes) -> Answer:
        asked = _NONCE.read(body, req.content_type)
        if len(asked.eth_address) < _ADDRESS_CHARS_MIN:
            return _ADDRESS_TOO_SHORT
        account = account_of(asked.eth_address)
        if account is None:
            return _NO_ADDRESS
        member = await self._context.members.member(account)
        text, again = self._context.texts.give(account, 0 if member is None else member.logins)
        return success("Cached Nonce Acquired" if again else "Nonce Acquired", text)


class LoginResource:
    def __init__(self, context: AuthContext) -> None:
        self._context = context

    @RESPONDER.answers_body
    async def on_post(self, req: Request, body: bytes) -> Answer:
        """The first login registers the member."""
        context = self._context
        asked = _LOGIN.read(body, req.content_type)
        account = account_of(asked.eth_address)
        if account is None:
            return _LOGIN_REFUSED
        member = await context.members.member(account)
        logins = 0 if member is None else member.logins
        incarnation = context.texts.incarnation_signed(account, logins, asked.user_signature)
        if incarnation is None:
            return _LOGIN_REFUSED
        if member is None:
            member = await context.members.enrol(account, context.now())
        tokens = await context.sessions.begin(account, logins, incarnation)
        if tokens is None:
            return _LOGIN_REFUSED
        return success("Login Successful", {"uid": member.uid}, token=_pair(tokens))


class RefreshResource:
    def __init__(self, context: AuthContext) -> None:
        self._context = context

    @RESPONDER.answers_body
    async def on_post(self, req: Request, body: bytes) -> Answer:
        tokens = await self._context.sessions.refresh(_REFRESH.read(body, req.content_type).refresh)
        if tokens is None:
            return REFRESH_REFUSED
        return success("", {"access": tokens.access, "refresh": tokens.refresh})


class ProfileResource:
    def __init__(self, context: AuthContext) -> None:
        self._context = context

    @RESPONDER.answers
    async def on_get(self, req: Request) -> Answer:
        member = await self._context.members.member(await self._context.account(req))
        if member is None:
            return ACCESS_REFUSED
        profile = {
            "name": member.uid,
            "customer_id": str(member.customer_id),
            "img": None,
            "username": member.account,
            "stark_key": None if member.stark_key is None else hex(member.stark_key),
        }
        return success("Successful", profile)


class StarkKeyResource:
    def __init__(self, context: AuthContext) -> None:
        self._context = context

    @RESPONDER.answers_body
    async def on_post(self, req: Request, body: bytes) -> Answer:
        """One key for each member: the same key again succeeds, another is refused."""
        account = await self._context.account(req)
        key = read_stark_key(_STARK_KEY.read(body, req.content_type).stark_key)
        if key is None:
            return _NO_KEY
        registered = await self._context.stark_keys.register(account, key)
        if registered is None:
            return ACCESS_REFUSED
        return success("Stark key registered", {"stark_key": hex(key)}) if registered == key else _OTHER_KEY


def read_stark_key(text: str) -> int | None:
    """A public key as clients write it. None: it is none."""
    key = stark.from_hex(text)
    return key if key is not None and stark.is_key(key) else None


def resources(context: AuthContext) -> list[tuple[str, object]]:
    """What to mount, by path. The gateway takes away a slash at the end."""
    nonce, login, refresh = LoginNonceResource(context), LoginResource(context), RefreshResource(context)
    return [
        *((path, nonce) for path in NONCE_PATHS),
        *((path, login) for path in LOGIN_PATHS),
        *((path, refresh) for path in REFRESH_PATHS),
        (PROFILE_PATH, ProfileResource(context)),
        (STARK_KEY_PATH, StarkKeyResource(context)),
    ]


def _pair(tokens: TokenPair) -> dict[str, str]:
    return {"refresh": tokens.refresh, "access": tokens.access}
