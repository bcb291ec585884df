"""The venue dies with a keeper's transaction on its way, and starts again on the same data: each thing happens once."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.end_to_end.crash_support import Lost, Server, running
from tests.end_to_end.test_crash_on_chain import HAS, SELLS, Limit, Owner, Recurring, success

TAKES = 1_000_000_000
FEE = TAKES // 1000


class Dear(Limit):
    """104 USDC for 1 SOL, which costs 150."""

    def creation(self, wallet: str) -> dict[str, object]:
        asked = super().creation(wallet)
        return asked | {"params": {"makingAmount": str(SELLS), "takingAmount": str(TAKES)}}


@pytest.fixture
async def server(database_url: str, tmp_path: Path) -> AsyncIterator[Server]:
    async with running(tmp_path / "venue", "--database-url", database_url, "--keeper") as server:
        yield server


@pytest.fixture
async def owner(server: Server, request: pytest.FixtureRequest) -> AsyncIterator[Owner]:
    owner = Owner(server, request.param())
    await owner.comes()
    yield owner
    owner.http.close()


async def lamports(owner: Owner) -> int:
    return int((await owner.rpc("getBalance", owner.wallet))["value"])


@pytest.mark.parametrize("point", ["before-send", "after-send"])
@pytest.mark.parametrize("owner", [Dear], indirect=True)
async def test_a_fill_happens_once(server: Server, owner: Owner, point: str) -> None:
    assert success(await owner.executes(await owner.builds()))
    await server.settled()
    assert len(await owner.orders()) == 1
    before = await lamports(owner)
    await server.faults(crash=point)
    with contextlib.suppress(Lost):
        await server.price("100")
    await server.ended()
    await server.start()
    await server.settled()
    assert await owner.orders() == []
    assert await owner.units() == HAS - SELLS
    rents = 3_480_000 + 2_039_280
    assert await lamports(owner) - before == TAKES - FEE + rents
    assert (await server.audited())["ok"] is True


@pytest.mark.parametrize("point", ["before-send", "after-send"])
@pytest.mark.parametrize("owner", [Recurring], indirect=True)
async def test_a_cycle_happens_once(server: Server, owner: Owner, point: str) -> None:
    assert success(await owner.executes(await owner.builds()))
    await server.settled()
    before = await lamports(owner)
    await server.faults(crash=point)
    with contextlib.suppress(Lost):
        await server.does("POST", "/sandbox/clock/advance", {"seconds": 86_500})
    await server.ended()
    await server.start()
    await server.settled()
    assert await owner.orders() == [], "both cycles were filled, and the order was closed"
    gained = await lamports(owner) - before
    rents = 2_902_320 + 2 * 2_039_280
    assert gained - rents == 345_973_680, (
        "52 USDC at 150 dollars, less 10 bps for the pool and 10 for the program, once"
    )
    assert (await server.audited())["ok"] is True
