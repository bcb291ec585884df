"""The venue is killed between any two steps of a maker with orders on the chain, and starts again on the same data."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from solders.keypair import Keypair

from countermand.store.embedded import EmbeddedPostgres
from tests.end_to_end.crash_support import ONE_USDC, SOL, USDC, Http, Lost, Reply, Server, running_apart, signed

HAS = 1_000 * ONE_USDC
SELLS = 104 * ONE_USDC


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with running_apart(postgres, tmp_path_factory.mktemp("on-chain")) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def server(served: Server) -> Server:
    if not served.is_running:  # A test before this one failed.
        await served.start()
    return served


async def killed(server: Server) -> None:
    await server.kill()
    await server.start()


@dataclass(frozen=True)
class Built:
    request_id: str
    transaction: str


class Family(Protocol):
    """Where the two APIs differ."""

    root: str

    def creation(self, wallet: str) -> dict[str, object]: ...

    def cancel(self, wallet: str, order: str) -> tuple[str, dict[str, object]]: ...

    def built(self, answer: Any) -> Built: ...

    def listing(self, wallet: str) -> str: ...

    def orders(self, answer: Any) -> list[str]: ...


class Limit:
    root = "/trigger/v1"

    def creation(self, wallet: str) -> dict[str, object]:
        params = {"makingAmount": str(SELLS), "takingAmount": "1000"}
        return {"inputMint": USDC, "outputMint": SOL, "maker": wallet, "payer": wallet, "params": params}

    def cancel(self, wallet: str, order: str) -> tuple[str, dict[str, object]]:
        return "cancelOrders", {"maker": wallet, "orders": [order]}

    def built(self, answer: Any) -> Built:
        return Built(answer["requestId"], answer.get("transaction") or answer["transactions"][0])

    def listing(self, wallet: str) -> str:
        return f"openOrders?wallet={wallet}"

    def orders(self, answer: Any) -> list[str]:
        return [row["publicKey"] for row in answer]


class Recurring:
    root = "/recurring/v1"

    def creation(self, wallet: str) -> dict[str, object]:
        time = {"inAmount": SELLS, "numberOfOrders": 2, "interval": 86_400}
        return {"user": wallet, "inputMint": USDC, "outputMint": SOL, "params": {"time": time}}

    def cancel(self, wallet: str, order: str) -> tuple[str, dict[str, object]]:
        return "cancelOrder", {"user": wallet, "order": order, "params": "recurring"}

    def built(self, answer: Any) -> Built:
        return Built(answer.get("requestId") or answer["id"], answer.get("transaction") or answer["tx"])

    def listing(self, wallet: str) -> str:
        return "getRecurringOrders?" + urlencode({"user": wallet, "recurringType": "time", "orderStatus": "active"})

    def orders(self, answer: Any) -> list[str]:
        return [row["orderKey"] for row in answer["time"]]


@dataclass
class Owner:
    """Every method is one request, and may raise `Lost`."""

    server: Server
    family: Family
    keypair: Keypair = field(default_factory=Keypair)

    def __post_init__(self) -> None:
        self.http = Http(lambda: self.server.port)
        self.wallet = str(self.keypair.pubkey())

    async def ask(self, method: str, path: str, body: object = None) -> Reply:
        return await self.http.ask(method, f"{self.family.root}/{path}", body)

    async def comes(self) -> None:
        for mint, amount in (("SOL", 10**10), (USDC, HAS)):
            await self.server.does(
                "POST", "/sandbox/airdrop", {"wallet": self.wallet, "mint": mint, "amount": str(amount)}
            )

    async def builds(self) -> Built:
        return self._built(await self.ask("POST", "createOrder", self.family.creation(self.wallet)))

    async def cancels(self, order: str) -> Built:
        path, body = self.family.cancel(self.wallet, order)
        return self._built(await self.ask("POST", path, body))

    def _built(self, answer: Reply) -> Built:
        assert answer.status == 200, answer
        return self.family.built(answer.body)

    async def executes(self, built: Built) -> Reply:
        body = {"signedTransaction": signed(built.transaction, self.keypair), "requestId": built.request_id}
        return await self.ask("POST", "execute", body)

    async def sends(self, built: Built) -> None:
        """By itself, and waits until it has landed."""
        encoding = {"encoding": "base64", "skipPreflight": True}
        signature = await self.rpc("sendTransaction", signed(built.transaction, self.keypair), encoding)
        (status,) = (await self.rpc("getSignatureStatuses", [signature]))["value"]
        assert status["err"] is None

    async def orders(self) -> list[str]:
        answer = await self.ask("GET", self.family.listing(self.wallet))
        assert answer.status == 200, answer
        return self.family.orders(answer.body)

    async def units(self) -> int:
        found = await self.rpc("getTokenAccountsByOwner", self.wallet, {"mint": USDC}, {"encoding": "jsonParsed"})
        infos = [account["account"]["data"]["parsed"]["info"] for account in found["value"]]
        return sum(int(info["tokenAmount"]["amount"]) for info in infos)

    async def rpc(self, method: str, *params: object) -> Any:
        reply = await self.http.ask("POST", "/rpc", {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        assert "result" in reply.body, reply
        return reply.body["result"]


@asynccontextmanager
async def new_owner(server: Server, family: Family) -> AsyncIterator[Owner]:
    owner = Owner(server, family)
    await owner.comes()
    yield owner
    owner.http.close()


@pytest_asyncio.fixture(params=[Limit, Recurring], loop_scope="module")
async def owner(server: Server, request: pytest.FixtureRequest) -> AsyncIterator[Owner]:
    async with new_owner(server, request.param()) as owner:
        yield owner


@pytest_asyncio.fixture(loop_scope="module")
async def owners(server: Server) -> AsyncIterator[list[Owner]]:
    """One of each family: a kill ends the venue of both."""
    async with new_owner(server, Limit()) as limit, new_owner(server, Recurring()) as recurring:
        yield [limit, recurring]


def success(reply: Reply) -> bool:
    return reply.status == 200 and reply.body["status"] == "Success"


async def test_between_any_two_steps(server: Server, owners: list[Owner]) -> None:
    openings = [await owner.builds() for owner in owners]
    await killed(server)
    opened = [await owner.executes(opening) for owner, opening in zip(owners, openings, strict=True)]
    assert all(map(success, opened))
    await killed(server)
    orders, closings = [], []
    for owner, opening, answer in zip(owners, openings, opened, strict=True):
        (order,) = await owner.orders()
        assert await owner.executes(opening) == answer
        assert await owner.units() == HAS - SELLS
        orders.append(order)
        closings.append(await owner.cancels(order))
    await killed(server)
    for owner, order in zip(owners, orders, strict=True):
        assert await owner.orders() == [order], "a cancel that was not sent changes nothing"
    closed = [await owner.executes(closing) for owner, closing in zip(owners, closings, strict=True)]
    assert all(map(success, closed))
    await killed(server)
    for n, owner in enumerate(owners):
        assert (await owner.orders(), await owner.units()) == ([], HAS)
        assert await owner.executes(closings[n]) == closed[n]
        assert await owner.executes(openings[n]) == opened[n]


async def test_what_the_owner_sent_alone(server: Server, owners: list[Owner]) -> None:
    for owner in owners:
        await owner.sends(await owner.builds())
    await killed(server)
    closings = []
    for owner in owners:
        (order,) = await owner.orders()
        closings.append(await owner.cancels(order))
        await owner.sends(closings[-1])
    await killed(server)
    for owner, closing in zip(owners, closings, strict=True):
        assert (await owner.orders(), await owner.units()) == ([], HAS)
        assert success(await owner.executes(closing))


@pytest.mark.parametrize("point", ["before-send", "after-send"])
async def test_it_dies_while_it_sends(server: Server, owner: Owner, point: str) -> None:
    """A client that lost the answer asks again, and learns what happened: it happened once."""
    opening = await owner.builds()
    await server.faults(crash=point)
    with pytest.raises(Lost):
        await owner.executes(opening)
    await server.ended()
    await server.start()
    if point == "before-send":
        assert await owner.orders() == []
    assert success(await owner.executes(opening))
    (order,) = await owner.orders()
    assert await owner.units() == HAS - SELLS
    closing = await owner.cancels(order)
    await server.faults(crash=point)
    with pytest.raises(Lost):
        await owner.executes(closing)
    await server.ended()
    await server.start()
    assert success(await owner.executes(closing))
    assert (await owner.orders(), await owner.units()) == ([], HAS)


@pytest.mark.parametrize("point", ["before-commit", "after-commit"])
async def test_it_dies_while_it_builds(server: Server, owner: Owner, point: str) -> None:
    """What was built is remembered before a client gets it."""
    await server.faults(crash=point)
    with pytest.raises(Lost):
        await owner.builds()
    await server.ended()
    await server.start()
    assert success(await owner.executes(await owner.builds()))
    (order,) = await owner.orders()
    await server.faults(crash=point)
    with pytest.raises(Lost):
        await owner.cancels(order)
    await server.ended()
    await server.start()
    assert success(await owner.executes(await owner.cancels(order)))
    assert (await owner.orders(), await owner.units()) == ([], HAS)


async def test_a_reset_empties_it_for_good(server: Server, owners: list[Owner]) -> None:
    built = []
    for owner in owners:
        assert success(await owner.executes(await owner.builds()))
        (order,) = await owner.orders()
        built.append((await owner.builds(), await owner.cancels(order)))
    assert (await server.audited())["ok"], "of all that the tests before did, which cannot be audited any more"
    await server.does("POST", "/sandbox/reset", {})
    for _ in range(2):
        for owner, of_before in zip(owners, built, strict=True):
            assert await owner.orders() == []
            for each in of_before:
                refused = await owner.executes(each)
                assert (refused.status, refused.body["error"]) == (400, "invalid transaction")
        await killed(server)
    for owner in owners:
        await owner.comes()
        assert success(await owner.executes(await owner.builds()))
        assert len(await owner.orders()) == 1
