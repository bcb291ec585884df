"""The time that programs see: the clock, the schedule of epochs, and the slots and blockhashes that have been.

On a cluster a transaction lands in a later slot than the last one that was told, so a program finds that one in
`SlotHashes`. Here it lands in the very slot that was told last: that one is among them too, or no lookup table could be
created from it. All sysvars say the same as the chain's RPC does.
"""

import struct
from collections import deque
from collections.abc import Callable
from typing import Final

from solders.account import Account
from solders.clock import Clock
from solders.epoch_schedule import EpochSchedule
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.slot_history import SlotHistory
from solders.solders import LiteSVM
from solders.sysvar import RECENT_BLOCKHASHES

from countermand.solana.clockwork import BLOCKHASH_SLOTS, SLOTS_PER_EPOCH
from countermand.solana.tokens import SYSVAR_OWNER

SLOT_HASHES_KEPT: Final = 512
LAMPORTS_PER_SIGNATURE: Final = 5_000
_FEE: Final = struct.pack("<Q", LAMPORTS_PER_SIGNATURE)
_HISTORY_WORDS: Final = 16_384
_WORD_BITS: Final = 64
_FULL_WORD: Final = 2**_WORD_BITS - 1
_OWNER: Final = Pubkey.from_string(SYSVAR_OWNER)

SlotHash = Callable[[int], bytes]


class Sysvars:
    """Those of one machine. `set` moves them on, never back."""

    def __init__(self, svm: LiteSVM) -> None:
        self._svm = svm
        self._time = (-1, -1)
        self._hashes: deque[tuple[int, Hash]] = deque(maxlen=SLOT_HASHES_KEPT)
        self._history: SlotHistory | None = None
        svm.set_epoch_schedule(EpochSchedule.custom(SLOTS_PER_EPOCH, SLOTS_PER_EPOCH, warmup=False))

    def set(self, slot: int, unix_time: int, slot_hash: SlotHash) -> None:
        """`unix_time` may move within a slot: the venue's clock is not the one that slots follow."""
        if self._time == (slot, unix_time):
            return
        if self._time[0] != slot:
            self._pass_slots(slot, slot_hash)
        self._time = (slot, unix_time)
        epoch = slot // SLOTS_PER_EPOCH
        self._svm.set_clock(Clock(slot, 0, epoch, epoch + 1, unix_time))

    def _pass_slots(self, slot: int, slot_hash: SlotHash) -> None:
        newest = self._hashes[0][0] if self._hashes else -1
        history = self._history or _history_until(slot)
        for passed in range(max(newest + 1, slot + 1 - SLOT_HASHES_KEPT, 0), slot + 1):
            self._hashes.appendleft((passed, Hash(slot_hash(passed))))
        for passed in range(history.next_slot, slot + 1):
            history.add(passed)
        self._history = history
        self._svm.set_slot_history(history)
        hashes = list(self._hashes)
        self._svm.set_slot_hashes(hashes)
        self._svm.set_account(RECENT_BLOCKHASHES, _recent_blockhashes(hashes[:BLOCKHASH_SLOTS]))


def _history_until(slot: int) -> SlotHistory:
    """As if every slot up to this one had a block."""
    slots = slot + 1
    words, rest = divmod(slots, _WORD_BITS)
    bits = [_FULL_WORD] * words + [(1 << rest) - 1] + [0] * _HISTORY_WORDS
    full = [_FULL_WORD] * _HISTORY_WORDS
    return SlotHistory(full if words >= _HISTORY_WORDS else bits[:_HISTORY_WORDS], slots)


def _recent_blockhashes(newest_first: list[tuple[int, Hash]]) -> Account:
    entries = b"".join([bytes(blockhash) + _FEE for _, blockhash in newest_first])
    return Account(1, struct.pack("<Q", len(newest_first)) + entries, _OWNER, executable=False)
