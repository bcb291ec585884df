"""Rows of the sandbox's own tables that no sandbox writes: each is refused by its name, and none is acted upon (B5)."""

from typing import Any, cast

import pytest

from countermand.sandbox.sandbox import LATEST, stored_clock, stored_seed
from countermand.sandbox.snapshots import read_row
from countermand.store.migrations import packaged
from countermand.store.sandbox_postgres import PostgresSandboxStore
from countermand.store.snapshots_postgres import SnapshotRefused, SnapshotRow
from countermand.stored_rows import StoredRowUnreadable

GOOD = b'{"frozen":false,"seed":7,"liquidity":{}}'


class Stored:
    def __init__(self, body: bytes) -> None:
        self.body = body

    async def setting(self, _name: str) -> bytes:
        return self.body


def stored(body: bytes) -> PostgresSandboxStore:
    return cast(PostgresSandboxStore, cast(Any, Stored(body)))


@pytest.mark.parametrize(
    "body", [b"x", b"", b"null", b'{"offset_ms":-99999999999999999}', b'{"frozen_at":-1}', b'{"frozen_at":9e18}', b"[]"]
)
async def test_a_clock_that_no_sandbox_has_set(body: bytes) -> None:
    with pytest.raises(StoredRowUnreadable, match="row clock of table sandbox_settings"):
        await stored_clock(stored(body))


@pytest.mark.parametrize("body", [b"x", b"", b"-1", b"18446744073709551616", b"1.5", b"[]"])
async def test_a_seed_that_no_sandbox_has(body: bytes) -> None:
    with pytest.raises(StoredRowUnreadable, match="row seed of table sandbox_settings"):
        await stored_seed(stored(body))


async def test_what_a_sandbox_writes_is_read() -> None:
    assert await stored_seed(stored(b"18446744073709551615")) == 2**64 - 1
    assert await stored_seed(stored(b"null")) is None
    assert (await stored_clock(stored(b'{"offset_ms":-1000,"frozen_at":null}'))).offset_ms == -1000


@pytest.mark.parametrize(
    ("taken_at", "body"),
    [
        (-1, GOOD),
        (LATEST + 1, GOOD),
        (5, b"x"),
        (5, b""),
        (5, b'{"frozen":false,"seed":-1,"liquidity":{}}'),
        (5, b'{"frozen":false,"seed":18446744073709551616,"liquidity":{}}'),
        (5, b'{"frozen":false,"seed":null,"liquidity":{"a":{"impact":{"bps":10001},"max_input":null}}}'),
        (5, b'{"frozen":false,"seed":null,"liquidity":{"a":{"impact":{"bps":1},"max_input":{"units":-1}}}}'),
    ],
)
def test_a_snapshot_that_no_sandbox_took(taken_at: int, body: bytes) -> None:
    """A restore of such an instant ended the venue."""
    with pytest.raises(SnapshotRefused, match="row a of table sandbox_snapshots"):
        read_row(SnapshotRow("a", 1, len(packaged()), 0, taken_at, body))


def test_a_snapshot_that_a_sandbox_took() -> None:
    assert read_row(SnapshotRow("a", 1, len(packaged()), 0, 5, GOOD)).seed == 7
