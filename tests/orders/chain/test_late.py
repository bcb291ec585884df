"""An index that does not come to know what landed."""

from typing import Any, cast

import pytest

from countermand.kernel.ports import Unavailable
from countermand.orders.chain import index as index_module
from countermand.orders.chain.index import ChainIndex
from countermand.values.identity import Address

AT = Address("somewhere")


class Stub:
    async def barrier(self) -> None: ...

    async def last_at(self, address: Address) -> str:
        return f"known of {address}"


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
