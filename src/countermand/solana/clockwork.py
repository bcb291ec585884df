"""Slots and blockhashes: what passes with time on the embedded chain.

A slot passes every 400 ms of the wall clock, whether the venue's clock is frozen, moved or not: that clock gives block
time and nothing else. Slots never go back, not over a restart either: no slot is shown before a ceiling above it
is stored, and a restart begins at the ceiling.
An attempt that was declared dead because its last valid block height had passed can therefore never land.
"""

import hashlib
from bisect import bisect_right
from collections import deque
from functools import lru_cache
from typing import Protocol

from countermand.solana.ledger_store import StoredClock
from countermand.values.transactions import BLOCKHASH_BLOCKS

SLOT_MS = 400
SLOTS_PER_EPOCH = 432_000
FIRST_SLOT = 1_000
BLOCKHASH_SLOTS = BLOCKHASH_BLOCKS
"""Each slot has a block here."""

CEILING_AHEAD_SLOTS = 10
BLOCK_TIMES_KEPT = 4_096
BLOCKHASHES_KEPT = 1_024
"""More than the slots whose hashes programs see."""


class ChainClock(Protocol):
    """In Unix milliseconds: `now_ms` is the venue's clock, which may be frozen or moved; `wall_ms` the real one."""

    def now_ms(self) -> int: ...

    def wall_ms(self) -> int: ...


class SlotClock:
    def __init__(self, stored: StoredClock, clock: ChainClock) -> None:
        self._clock = clock
        self.ceiling = stored.ceiling
        """Slots below it may be shown."""
        self._anchor_slot, self._anchor_ms = stored.slot, stored.wall_ms
        self._slot = stored.slot
        self._last_wall_ms = stored.wall_ms
        self._block_time = stored.block_time
        self._block_times: deque[tuple[int, int]] = deque(maxlen=BLOCK_TIMES_KEPT)
        if self.now() < stored.ceiling:
            self._anchor(stored.ceiling)
        self.block_time_now()

    @classmethod
    def beginning(cls, slot: int, clock: ChainClock) -> StoredClock:
        return StoredClock(slot, clock.wall_ms(), slot + CEILING_AHEAD_SLOTS, clock.now_ms() // 1000)

    def now(self) -> int:
        """The present slot."""
        wall_ms = self._clock.wall_ms()
        if wall_ms < self._last_wall_ms:  # The machine's clock was set back: go on from here.
            self._anchor_slot, self._anchor_ms = self._slot, wall_ms
        self._last_wall_ms = wall_ms
        self._slot = self._anchor_slot + (wall_ms - self._anchor_ms) // SLOT_MS
        return self._slot

    def skip(self, slots: int) -> None:
        self._anchor_slot += slots

    def _anchor(self, slot: int) -> None:
        self._slot = self._anchor_slot = slot
        self._anchor_ms = self._last_wall_ms

    def block_time_now(self) -> int:
        """The venue's clock in seconds, but never back."""
        slot = self.now()
        self._block_time = max(self._block_time, self._clock.now_ms() // 1000)
        if self._block_times and self._block_times[-1][0] == slot:  # The venue's clock may move within a slot.
            self._block_times.pop()
        self._block_times.append((slot, self._block_time))
        return self._block_time

    def block_time(self, slot: int) -> int:
        """The block time of a slot, as last seen at or before it; before memory begins, counted back by slots."""
        self.block_time_now()
        after = bisect_right(self._block_times, slot, key=lambda seen: seen[0])
        if after:
            return self._block_times[after - 1][1]
        first_slot, first_time = self._block_times[0]
        return first_time - (first_slot - slot) * SLOT_MS // 1000

    def to_store(self) -> StoredClock:
        """The clock as a commit of this moment stores it, with a new ceiling."""
        slot = self.now()
        into_slot_ms = (self._last_wall_ms - self._anchor_ms) % SLOT_MS
        ceiling = max(self.ceiling, slot + 1 + CEILING_AHEAD_SLOTS)
        return StoredClock(slot, self._last_wall_ms - into_slot_ms, ceiling, self.block_time_now())


class Blockhashes:
    """blockhash(slot) = sha256(entropy ‖ slot): it cannot be foretold from outside, and needs no storage."""

    def __init__(self, entropy: bytes) -> None:
        self._entropy = entropy
        self._slots: dict[bytes, int] = {}
        self._first = self._next = 0

    def at(self, slot: int) -> bytes:
        return _blockhash(self._entropy, slot)

    def slot_of(self, blockhash: bytes, now: int) -> int | None:
        """The slot of a blockhash that is valid at the slot `now`, else None."""
        oldest = max(0, now - BLOCKHASH_SLOTS)
        for slot in range(self._first, min(oldest, self._next)):
            del self._slots[self.at(slot)]
        for slot in range(max(oldest, self._next), now + 1):
            self._slots[self.at(slot)] = slot
        self._first, self._next = oldest, max(self._next, now + 1)
        return self._slots.get(blockhash)


@lru_cache(BLOCKHASHES_KEPT)
def _blockhash(entropy: bytes, slot: int) -> bytes:
    """Each is wanted when its slot comes, when it is forgotten, and whenever the sysvars are set."""
    return hashlib.sha256(b"countermand blockhash" + entropy + slot.to_bytes(8, "little")).digest()
