"""A stream of which nothing is to be told says so, by comments: a proxy hangs up on a silent one."""

import asyncio

import pytest

from countermand.inspection import stream
from countermand.inspection.bell import Bell
from countermand.inspection.stream import Asked, EventStream, Feed


@pytest.mark.parametrize("rings", [True, False], ids=["that rings", "that is looked at"])
@pytest.mark.parametrize("others", [True, False], ids=["while others are told", "while nothing happens"])
async def test_a_silent_stream_is_heard(monkeypatch: pytest.MonkeyPatch, rings: bool, others: bool) -> None:
    for name, seconds in {"_SILENCE_S": 0.05, "_LOOK_S": 0.01, "_BREATH_S": 0.001}.items():
        monkeypatch.setattr(stream, name, seconds)
    bell = Bell()
    told = EventStream({}, {"quiet": Feed(lambda: list, rings=rings)}, bell).open(
        Asked(include=("quiet",)), asyncio.Event()
    )

    async def ring() -> None:
        while others:
            bell.ring()
            await asyncio.sleep(0.005)

    ringing = asyncio.create_task(ring())
    try:
        async with asyncio.timeout(30):
            assert await anext(told) is not None
            assert await anext(told) is None
            assert await anext(told) is None
    finally:
        ringing.cancel()
        await told.aclose()
