"""An index that does not come to know what landed."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from countermand.kernel.ports import Unavailable
from countermand.orders.chain import index as index_module
from countermand.orders.chain.index import ChainIndex
from countermand.orders.chain.landed import PROGRAMS
from countermand.orders.chain.ports import OrderWithTrades
from countermand.values.identity import Address, Signature

AT = Address("somewhere")


class Stub:
    async def barrier(self) -> None: ...

    async def last_at(self, address: Address) -> str:
        return f"known of {address}"

    async def open_at(self, addresses: Sequence[Address], *, with_failed: bool) -> Sequence[OrderWithTrades]:
        return ()

    async def record(self, _landed: object, _epoch: int) -> None: ...


def late(monkeypatch: pytest.MonkeyPatch, *, is_own: bool) -> ChainIndex:
    async def does_not(_following: object, _patience_s: int) -> bool:
        return False

    monkeypatch.setattr(index_module._Following, "caught_up", does_not)
    stub = cast(Any, Stub())
    return ChainIndex(stub, stub, stub, stub, is_own=is_own)


async def test_of_a_chain_of_our_own_nothing_old_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    index = late(monkeypatch, is_own=True)
    assert not await index.caught_up()
    with pytest.raises(Unavailable, match="is late"):
        await index.last_at(AT)


async def test_of_a_foreign_chain_it_tells_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node may be read every two seconds, and something always lands there."""
    assert cast(Any, await late(monkeypatch, is_own=False).last_at(AT)) == "known of somewhere"


class Newest:
    def __init__(self, address: str) -> None:
        self.address = address
        self.signature = Signature("first")

    async def newest(self) -> Signature:
        return self.signature


async def test_all_that_a_list_lacks_is_looked_for_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[object] = []

    async def looks(following: object, _patience_s: int) -> bool:
        looked.append(following)
        return True

    index = late(monkeypatch, is_own=False)
    monkeypatch.setattr(index_module._Following, "caught_up", looks)
    assert await index.open_at([AT]) == {}
    assert await index.unknown([AT, Address("elsewhere")]) == []
    assert await index.unknown([]) == []
    assert len(looked) == 2 * len(PROGRAMS)


@pytest.fixture
def following() -> index_module._Following:
    stub = cast(Any, Stub())
    return index_module._Following(stub, cast(Any, Newest("a program")))


async def waited_s(following: index_module._Following, patience_s: float) -> tuple[bool, float]:
    began = asyncio.get_running_loop().time()
    return await following.caught_up(patience_s), asyncio.get_running_loop().time() - began


async def test_the_reads_of_a_list_wait_for_it_once(following: index_module._Following) -> None:
    """Also while something new lands between them."""
    caught_up, first_s = await waited_s(following, 0.2)
    assert not caught_up
    assert first_s > 0.15
    for name in ("first", "second", "third"):
        cast(Any, following._follower).signature = Signature(name)
        caught_up, next_s = await waited_s(following, 0.2)
        assert not caught_up
        assert next_s < 0.1


async def test_it_is_waited_for_again_once_it_has_told(
    following: index_module._Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "landed_of", lambda _program, _transaction: None)
    assert not await following.caught_up(0.05)
    await following._record([cast(Any, SimpleNamespace(signature="first"))], 1)
    assert await following.caught_up(0)
    cast(Any, following._follower).signature = Signature("second")
    assert await waited_s(following, 0.1) > (False, 0.08)
