"""The endpoints of tanX by which users log in, over a store in memory and clocks that stand still."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import falcon.asgi
import falcon.testing

from countermand.answering import Answer
from countermand.dialects.tanx import auth
from countermand.dialects.tanx.auth import AuthContext
from countermand.dialects.tanx.session import LoginTexts, TanxSessions, TokenPair
from countermand.orders.book.members import StarkKeys
from countermand.orders.book.model.ledger.amount import Account
from countermand.services.token_incarnation import TokenIncarnation
from tests.contract.memory_members import MemoryMembers
from tests.dialects.fakes import SECRET, START_MS, FakeClock, MemoryIncarnations, first_incarnation
from tests.dialects.mounted import Mounted
from tests.dialects.tanx.keys import address_of, sign_text

NOW_S = START_MS // 1000
ALICE = 0x7D6384D6877BE027AA25BD458F2058E3F7FF68347DC583A9BAF96F5F97B413A8
MALLORY = 0xBAD
ADDRESS = "0x9cC001058a30dD3bA6C7f0c98d6E20de089b00a1"
KEY = "0x12195277b7f3e8c9836f9efe65d6289af92cf52f0e030782b9e268527941dd6"
OTHER_KEY = "0x17dd6b0c2219dce78f9992a6da29f32269de0f570833d78e11bd400ed8aa5b8"
FORM = "application/x-www-form-urlencoded"

NONCE, LOGIN, REFRESH = "/sapi/v1/auth/v2/nonce", "/sapi/v1/auth/v2/login", "/sapi/v1/auth/token/refresh"
PROFILE, STARK_KEY = "/sapi/v1/user/profile", "/sapi/v1/user/stark_key"

REFUSED_ACCESS = (
    '{"status":"error","message":"Given token not valid for any token type","payload":{"token_class":"AccessToken",'
    '"token_type":"access","message":"Token is invalid or expired","code":"token_not_valid"}}'
)
REFUSED_REFRESH = '{"status":"error","message":"Token is invalid or expired","payload":{"code":"token_not_valid"}}'
REFUSED_LOGIN = '{"status":"error","message":"Invalid Credentials or Token Expired, Kindly login again.","payload":""}'
UNAUTHENTICATED = '{"status":"error","message":"Authentication credentials were not provided.","payload":{}}'

Told = tuple[int, str]


@dataclass
class AuthApi:
    clock: FakeClock = field(default_factory=FakeClock)
    members: MemoryMembers = field(default_factory=MemoryMembers)
    incarnations: MemoryIncarnations = field(default_factory=MemoryIncarnations)

    def __post_init__(self) -> None:
        self.restarts()

    def restarts(self) -> None:
        """All that is not stored is forgotten."""
        self.incarnation = TokenIncarnation(self.incarnations, self.incarnations.stored)
        self.sessions = TanxSessions(SECRET, self.clock, self.members, self.incarnation)
        self.stark_keys = StarkKeys(self.members)
        texts = LoginTexts(SECRET, self.clock, self.incarnation)
        context = AuthContext(self.members, texts, self.sessions, self.stark_keys, self.clock.now)
        self._api = Mounted(auth.resources(context))

    def ask(
        self, method: str, path: str, body: object = None, *, token: str | None = None, form: bool = False
    ) -> falcon.testing.Result:
        headers = {"Content-Type": FORM} if form else {}
        if token is not None:
            headers["Authorization"] = f"JWT {token}"
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        return self._api.ask(method, path, headers=headers, body=raw)

    def told(self, method: str, path: str, body: object = None, **more: Any) -> Told:
        answer = self.ask(method, path, body, **more)
        assert answer.headers["content-type"] == "application/json"
        return answer.status_code, answer.text

    def text(self, path: str = NONCE, address: str = ADDRESS) -> str:
        answer = self.ask("POST", path, {"eth_address": address})
        assert answer.status_code == 200, answer.text
        return str(answer.json["payload"])

    def log_in(self, text: str | None = None, *, key: int = ALICE, path: str = LOGIN) -> falcon.testing.Result:
        address = address_of(key)
        text = self.text(address=address) if text is None else text
        return self.ask("POST", path, {"eth_address": address, "user_signature": sign_text(key, text)})

    def tokens(self, key: int = ALICE) -> dict[str, str]:
        answer = self.log_in(key=key)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, str] = answer.json["token"]
        return tokens

    def refresh(self, token: str) -> Told:
        return self.told("POST", REFRESH, {"refresh": token})

    def refreshed(self, token: str) -> dict[str, str]:
        answer = self.ask("POST", REFRESH, {"refresh": token})
        assert answer.status_code == 200, answer.text
        tokens: dict[str, str] = answer.json["payload"]
        return tokens

    def ends_tokens(self) -> None:
        asyncio.run(self.incarnation.end_tokens())

    def whose(self, header: str | None) -> Account | Answer:
        return asyncio.run(self.sessions.account(header))

    def profile(self, token: str | None) -> int:
        return self.ask("GET", PROFILE, token=token).status_code


class HeldMembers(MemoryMembers):
    """Once `holds` names what is asked, the store has done it, and its answer waits until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.holds = ""
        self.held = asyncio.Event()
        self.let_go = asyncio.Event()

    async def _hold(self, asked: str) -> None:
        if self.holds == asked:
            self.holds = ""
            self.held.set()
            await self.let_go.wait()

    async def member(self, account: Account) -> Any:
        found = await super().member(account)
        await self._hold("member")
        return found

    async def session(self, customer_id: int, login: int) -> Any:
        found = await super().session(customer_id, login)
        await self._hold("session")
        return found

    async def log_in(self, *args: Any) -> Any:
        session = await super().log_in(*args)
        await self._hold("log_in")
        return session

    async def renew(self, *args: Any) -> Any:
        renewed = await super().renew(*args)
        await self._hold("renew")
        return renewed


async def begun(members: MemoryMembers) -> tuple[TanxSessions, TokenPair]:
    sessions = TanxSessions(SECRET, FakeClock(), members, first_incarnation())
    await members.enrol(address_of(ALICE), FakeClock().now())
    tokens = await sessions.begin(address_of(ALICE), 0, 1)
    assert tokens is not None
    return sessions, tokens
