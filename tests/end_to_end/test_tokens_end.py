"""A5: what has ended stays ended: tokens, challenges and login texts of both dialects, over HTTP and through kills."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from solders.keypair import Keypair

from tests.dialects.tanx.keys import address_of, sign_text
from tests.end_to_end.crash_support import Server, running

EXIT_REPLACED = 3
CHALLENGE, VERIFY, HISTORY = (f"/trigger/v2/{path}" for path in ("auth/challenge", "auth/verify", "orders/history"))
NONCE, LOGIN, REFRESH = "/sapi/v1/auth/v2/nonce/", "/sapi/v1/auth/v2/login/", "/sapi/v1/auth/token/refresh/"
PROFILE = "/sapi/v1/user/profile/"
REMEMBERED = 8
"""Challenges of one wallet. The next one is that of the minute."""

Request = Callable[[], Awaitable[int]]


@pytest_asyncio.fixture
async def server(database_url: str, tmp_path: Path) -> AsyncIterator[Server]:
    async with running(tmp_path / "venue", "--database-url", database_url) as server:
        yield server


# --- what a client can present


@dataclass
class Credentials:
    """All kinds, each as a request that tries it, and what it answers as long as it is good."""

    server: Server

    async def ready(self) -> "Credentials":
        self.wallet, self.member = Keypair(), 0xBEEF
        self.token = await self.signs_in(await self.challenge())
        self.pair = await self.logs_in(await self.text())
        self.login_text = await self.text()
        texts = [await self.challenge() for _ in range(REMEMBERED + 1)]
        self.remembered, self.of_minute = texts[0], texts[-1]
        return self

    async def challenge(self) -> str:
        asked = {"walletPubkey": str(self.wallet.pubkey()), "type": "message"}
        return str((await self.server.does("POST", CHALLENGE, asked))["challenge"])

    async def verify(self, text: str) -> Any:
        signature = str(self.wallet.sign_message(text.encode()))
        proof = {"type": "message", "walletPubkey": str(self.wallet.pubkey()), "signature": signature}
        return await self.server.ask("POST", VERIFY, proof)

    async def signs_in(self, text: str) -> str:
        answer = await self.verify(text)
        assert answer.status == 200, answer
        return str(answer.body["token"])

    async def text(self) -> str:
        return str((await self.server.does("POST", NONCE, {"eth_address": address_of(self.member)}))["payload"])

    async def login(self, text: str) -> Any:
        signed = {"eth_address": address_of(self.member), "user_signature": sign_text(self.member, text)}
        return await self.server.ask("POST", LOGIN, signed)

    async def logs_in(self, text: str) -> Any:
        answer = await self.login(text)
        assert answer.status == 200, answer
        return answer.body["token"]

    async def statuses(self) -> dict[str, int]:
        """What each is worth; the good ones are used up by this."""
        ask = self.server.ask
        return {
            "trigger access": (await ask("GET", HISTORY, token=self.token)).status,
            "tanx access": (await ask("GET", PROFILE, token=self.pair["access"])).status,
            "tanx refresh": (await ask("POST", REFRESH, {"refresh": self.pair["refresh"]})).status,
            "challenge": (await self.verify(self.remembered)).status,
            "challenge of a minute": (await self.verify(self.of_minute)).status,
            "login text": (await self.login(self.login_text)).status,
        }

    async def new_ones_work(self) -> None:
        token = await self.signs_in(await self.challenge())
        assert (await self.server.ask("GET", HISTORY, token=token)).status == 200
        pair = await self.logs_in(await self.text())
        assert (await self.server.ask("GET", PROFILE, token=pair["access"])).status == 200
        assert (await self.server.ask("POST", REFRESH, {"refresh": pair["refresh"]})).status == 200


@pytest_asyncio.fixture
async def credentials(server: Server) -> Credentials:
    return await Credentials(server).ready()


# --- what ends them


async def nothing(_: Server) -> None:
    pass


async def expires(server: Server) -> None:
    assert (await server.does("PUT", "/sandbox/faults", {"expireTokens": True}))["faults"]["expireTokens"] is False


async def resets(server: Server) -> None:
    await server.does("POST", "/sandbox/reset", {})


async def restarts(server: Server) -> None:
    await server.kill()
    await server.start()


ALL_GOOD = {
    "trigger access": 200,
    "tanx access": 200,
    "tanx refresh": 200,
    "challenge": 200,
    "challenge of a minute": 200,
    "login text": 200,
}
ALL_ENDED = {
    "trigger access": 401,
    "tanx access": 401,
    "tanx refresh": 401,
    "challenge": 400,
    "challenge of a minute": 400,
    "login text": 400,
}
CHALLENGES_ENDED = ALL_GOOD | {"challenge": 400, "challenge of a minute": 400}
"""Challenges live in the memory of one process."""


@pytest.mark.parametrize(
    ("acts", "worth"),
    [
        ([nothing], ALL_GOOD),
        ([restarts], CHALLENGES_ENDED),
        ([expires], ALL_ENDED),
        ([expires, restarts], ALL_ENDED),
        ([expires, restarts, restarts], ALL_ENDED),
        ([resets], ALL_ENDED),
        ([resets, restarts, restarts], ALL_ENDED),
        ([restarts, expires], ALL_ENDED),
        ([expires, expires, resets, restarts], ALL_ENDED),
    ],
    ids=lambda acts: " then ".join(act.__name__ for act in acts) if isinstance(acts, list) else "",
)
async def test_what_has_ended_stays_ended_and_new_ones_work_at_once(
    server: Server, credentials: Credentials, acts: list[Callable[[Server], Awaitable[None]]], worth: dict[str, int]
) -> None:
    for act in acts:
        await act(server)
    assert await credentials.statuses() == worth
    await credentials.new_ones_work()
    await credentials.challenge()
    if worth is ALL_ENDED:  # 401 where the wallet has another challenge to sign.
        assert await credentials.statuses() == ALL_ENDED | {"challenge": 401, "challenge of a minute": 401}


async def test_what_was_used_does_not_come_back_with_a_restart(server: Server, credentials: Credentials) -> None:
    used = [credentials.remembered, credentials.of_minute]
    for text in used:
        await credentials.signs_in(text)
    await credentials.logs_in(credentials.login_text)
    await restarts(server)
    asked = [await credentials.challenge() for _ in range(REMEMBERED + 3)]
    assert not {*used} & {*asked}
    assert [(await credentials.verify(text)).status for text in used] == [401, 401]
    assert (await credentials.login(credentials.login_text)).status == 400


async def test_a_login_text_does_not_come_back_with_a_reset(server: Server) -> None:
    """Both are of a member who never logged in, in the same five minutes."""
    credentials = await Credentials(server).ready()
    credentials.member = 0xF1257
    first = await credentials.text()
    await credentials.logs_in(first)
    await resets(server)
    assert await credentials.text() != first
    assert (await credentials.login(first)).status == 400


async def test_a_refresh_is_repeated_after_a_restart(server: Server, credentials: Credentials) -> None:
    """D7: the answer was lost, and the venue with it."""
    asked = {"refresh": credentials.pair["refresh"]}
    first = (await server.does("POST", REFRESH, asked))["payload"]
    await restarts(server)
    assert (await server.does("POST", REFRESH, asked))["payload"] == first
    second = (await server.does("POST", REFRESH, {"refresh": first["refresh"]}))["payload"]
    assert (await server.ask("POST", REFRESH, asked)).status == 401  # The parent of a token that was spent itself.
    assert (await server.ask("POST", REFRESH, {"refresh": second["refresh"]})).status == 401
    assert (await server.ask("GET", PROFILE, token=second["access"])).status == 401


async def test_what_ends_at_one_process_ends_at_the_one_that_it_replaced(
    server: Server, credentials: Credentials, database_url: str, tmp_path: Path
) -> None:
    """The replaced one stops within seconds, and takes nothing that was ended with it."""
    async with running(tmp_path / "successor", "--database-url", database_url, *same_seed(server)) as successor:
        await expires(successor)
        assert await server.ended() == EXIT_REPLACED
        credentials.server = successor
        await credentials.new_ones_work()
        assert (await credentials.statuses())["trigger access"] == 401


def same_seed(server: Server) -> tuple[str, str]:
    return "--master-seed", str(server.data / "master-seed")
