"""The venue is killed between any two steps of its keeper, and starts again on its data: each thing happens once."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from countermand.store.embedded import EmbeddedPostgres
from tests.end_to_end.crash_support import SOL, THOROUGH, USDC, Lost, Server, running_apart
from tests.end_to_end.test_crash_on_chain import HAS, SELLS, Limit, Owner, Recurring, success

pytestmark = pytest.mark.asyncio(loop_scope="module")

MORTAL: Final = """
import os, pathlib, signal
from countermand.sandbox.keeper import Keeper

asked, kinds = pathlib.Path({path!r}), []

def pass_step(step):
    if asked.exists() and asked.read_text() == kinds[-1] + " " + step:
        asked.unlink()
        os.kill(os.getpid(), signal.SIGKILL)

built, signed, landed, told = Keeper._built, Keeper._signed, Keeper._landed, Keeper._told

async def mortal_built(self, address, order, task, **more):
    kinds.append(task.kind)
    made = await built(self, address, order, task, **more)
    pass_step("built")
    return made

def mortal_signed(self, message):
    made = signed(self, message)
    pass_step("signed")
    return made

async def mortal_landed(self, sent, height):
    pass_step("sent")
    return await landed(self, sent, height)

async def mortal_told(self, address, order, task, seen):
    pass_step("landed")
    await told(self, address, order, task, seen)
    pass_step("noticed")

Keeper._built, Keeper._signed, Keeper._landed, Keeper._told = mortal_built, mortal_signed, mortal_landed, mortal_told
from countermand.cli import main
main()
"""
"""A venue that dies, as kill -9 would end it, after the keeper's step that is named in a file."""

STEPS: Final = ("built", "signed", "sent", "landed", "noticed")
DAY_S: Final = 86_440
DELAY_S: Final = 30
"""So long an expired order waits."""


@dataclass(frozen=True)
class Mortal:
    """A venue that dies once where it is told to."""

    server: Server
    asked: Path

    async def dies(self, at: str, does: Callable[[], Awaitable[object]]) -> None:
        """While that is done; and it is alive again."""
        self.asked.write_text(at)
        with contextlib.suppress(Lost):
            await does()
        assert await self.server.ended() == -9, self.server.log()[-3_000:]
        assert not self.asked.exists()
        await self.server.start()
        await self.server.settled()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mortal(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mortal]:
    folder = tmp_path_factory.mktemp("kept")
    program = MORTAL.format(path=str(folder / "dies"))
    options = ("--keeper", "--keeper-refund-delay", str(DELAY_S))
    async with running_apart(postgres, folder, *options, program=program) as server:
        yield Mortal(server, folder / "dies")


class Dear(Limit):
    """104 USDC for 1 SOL, which costs 150: at 100 dollars the pool gives it."""

    def __init__(self, expires_s: int | None = None) -> None:
        self._expires_s = expires_s

    def creation(self, wallet: str) -> dict[str, object]:
        params = {"makingAmount": str(SELLS), "takingAmount": "1000000000"}
        expiry = {} if self._expires_s is None else {"expiredAt": str(self._expires_s)}
        return super().creation(wallet) | {"params": params | expiry}


async def opened(server: Server, family: Limit | Recurring) -> tuple[Owner, str]:
    """A new owner, and its order; what is due at once has happened."""
    await server.price("150")
    owner = Owner(server, family)
    await owner.comes()
    assert success(await owner.executes(await owner.builds()))
    await server.settled()
    (order,) = await owner.orders()
    return owner, order


async def events(server: Server, order: str) -> Counter[str]:
    """What has happened to it, and how often."""
    shown: dict[str, Any] = await server.does("GET", f"/sandbox/orders/{order}")
    return Counter(row["event"] for row in shown["timeline"])


async def lamports(owner: Owner) -> int:
    return int((await owner.rpc("getBalance", owner.wallet))["value"])


@pytest.mark.parametrize("step", STEPS)
async def test_a_fill_happens_once(mortal: Mortal, step: str) -> None:
    owner, order = await opened(mortal.server, Dear())
    before = await lamports(owner)
    await mortal.dies(f"fill {step}", lambda: mortal.server.price("100"))
    assert await events(mortal.server, order) == {"order_created": 1, "order_filled": 1}
    assert (await owner.orders(), await owner.units()) == ([], HAS - SELLS)
    rents = 3_480_000 + 2_039_280
    assert await lamports(owner) - before == 1_000_000_000 - 1_000_000 + rents
    owner.http.close()


@pytest.mark.parametrize("step", STEPS if THOROUGH else ["signed", "landed"])
async def test_a_cycle_happens_once(mortal: Mortal, step: str) -> None:
    owner, order = await opened(mortal.server, Recurring())
    before = await lamports(owner)
    await mortal.dies(f"cycle {step}", lambda: advance(mortal.server, DAY_S))
    await has_ended(mortal.server, owner, order, before)


async def advance(server: Server, seconds: int) -> None:
    await server.does("POST", "/sandbox/clock/advance", {"seconds": seconds})


async def has_ended(server: Server, owner: Owner, order: str, before: int) -> None:
    """The second of two cycles, and the end, each once."""
    happened = await events(server, order)
    assert (happened["cycle_filled"], happened["order_closed"], happened["transaction_failed"]) == (2, 1, 0)
    assert (await owner.orders(), await owner.units()) == ([], HAS - SELLS)
    rents = 2_902_320 + 2 * 2_039_280
    assert await lamports(owner) - before - rents == 345_973_680, "52 USDC at 150, less 10 bps twice"
    owner.http.close()


@pytest.mark.parametrize("step", STEPS if THOROUGH else ["sent"])
async def test_an_end_happens_once(mortal: Mortal, step: str) -> None:
    owner, order = await opened(mortal.server, Recurring())
    before = await lamports(owner)
    await mortal.dies(f"end {step}", lambda: advance(mortal.server, DAY_S))
    await has_ended(mortal.server, owner, order, before)


@pytest.mark.parametrize("step", STEPS if THOROUGH else ["noticed"])
async def test_a_refund_happens_once(mortal: Mortal, step: str) -> None:
    now_ms = (await mortal.server.does("GET", "/sandbox"))["now"]
    owner, order = await opened(mortal.server, Dear(expires_s=now_ms // 1000 + 600))
    await advance(mortal.server, 602)
    await mortal.server.settled()
    assert await owner.orders() == [order], "its maker may cancel it, and no keeper returned it"
    await mortal.dies(f"refund {step}", lambda: advance(mortal.server, DELAY_S))
    assert await events(mortal.server, order) == {"order_created": 1, "order_cancelled": 1}
    assert (await owner.orders(), await owner.units()) == ([], HAS)
    owner.http.close()


@pytest.mark.parametrize("step", STEPS if THOROUGH else ["built"])
async def test_dust_goes_back_once(mortal: Mortal, step: str) -> None:
    """The restart forgets the pool's bound. What it left is dust all the same."""
    server = mortal.server
    owner, order = await opened(server, Dear())
    await server.does("PUT", "/sandbox/liquidity", {USDC: {"maxInput": "103500000"}})
    await mortal.dies(f"dust {step}", lambda: server.does("PUT", "/sandbox/prices", {SOL: "100"}))
    assert await events(server, order) == {"order_created": 1, "order_filled": 1, "order_cancelled": 1}
    assert await owner.units() == HAS - 103_500_000
    owner.http.close()
