"""Signatures are verified beside the loop, and not more of them than a second's worth may wait."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from countermand.curves import stark
from countermand.dialects.tanx.verifier import Verifier
from countermand.kernel.ports import Unavailable

KEY = 0x17DD6B0C2219DCE78F9992A6DA29F32269DE0F570833D78E11BD400ED8AA5B8
MESSAGE = 0xE5EEA5423FBB8332C24D750BC49C899EBA99AF665306AADDC9968972002E1
R = 0x3662DC54D28F0D27A31B2694B82C1536490610BCE6414BD74DFCC969F0C9302
S = 0x3995DE563E025A38D8C1438C4E4BF9CCD6DAA52A90A7DE1635238C5CCCCBCAD


@pytest.fixture
def verifier() -> Iterator[Verifier]:
    verifier = Verifier(waiting_max=3)
    yield verifier
    verifier.close()


async def test_a_verdict_is_the_librarys(verifier: Verifier) -> None:
    assert await verifier.verify(KEY, MESSAGE, R, S) is True
    assert await verifier.verify(KEY, MESSAGE, R, S + 1) is False


async def test_who_comes_when_too_many_wait_is_sent_away(verifier: Verifier, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()

    def held(*_: int) -> bool:
        return let_go.wait(10)

    monkeypatch.setattr(stark, "verify", held)
    waiting = [asyncio.create_task(verifier.verify(KEY, MESSAGE, R, S)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="3 signatures are waiting"):
        await verifier.verify(KEY, MESSAGE, R, S)
    let_go.set()
    assert await asyncio.gather(*waiting) == [True] * 3
    assert await verifier.verify(KEY, MESSAGE, R, S) is True


async def test_a_caller_that_stops_waiting_makes_room(verifier: Verifier, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()
    monkeypatch.setattr(stark, "verify", lambda *_: let_go.wait(10))
    waiting = [asyncio.create_task(verifier.verify(KEY, MESSAGE, R, S)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[2].cancel()
    await asyncio.sleep(0)
    waiting[2] = asyncio.create_task(verifier.verify(KEY, MESSAGE, R, S))
    await asyncio.sleep(0)
    let_go.set()
    assert await asyncio.gather(*waiting) == [True] * 3
