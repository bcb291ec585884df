"""The time that programs see: the clock, the schedule of epochs, and the slots and blockhashes that have been.

On a cluster a transaction lands in a later slot than the last one that was told, so a program finds that one in
`SlotHashes`. Here it lands in the very slot that was told last: that one is among them too, or no lookup table could be
created from it. All sysvars say the same as the chain's RPC does.
"""

import struct
from collections.abc import Callable
from typing import Final

from solders.account import Account
from solders.clock import Clock
from solders.epoch_schedule import EpochSchedule
from solders.pubkey import Pubkey
from solders.slot_history import SlotHistory
from solders.solders import LiteSVM
from solders.sysvar import RECENT_BLOCKHASHES, SLOT_HASHES

from countermand.solana.clockwork import BLOCKHASH_SLOTS, SLOTS_PER_EPOCH
from countermand.solana.port import LAMPORTS_PER_SIGNATURE
from countermand.solana.tokens import SYSVAR_OWNER

SLOT_HASHES_KEPT: Final = 512
_U64: Final = struct.Struct("<Q")
_FEE: Final = _U64.pack(LAMPORTS_PER_SIGNATURE)
_ENTRY_BYTES: Final = 40
"""A hash with a slot before it, or a fee after it."""
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
        self._newest = -1
        self._slot_hashes = self._recent_blockhashes = b""
        """Their entries as they are stored, newest first."""
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
        history = self._history or _history_until(slot)
        passed = range(slot, max(self._newest, slot - SLOT_HASHES_KEPT, -1), -1)
        hashes = [(_U64.pack(each), slot_hash(each)) for each in passed]
        for each in range(history.next_slot, slot + 1):
            history.add(each)
        self._newest, self._history = slot, history
        self._slot_hashes = _newest(SLOT_HASHES_KEPT, [number + each for number, each in hashes], self._slot_hashes)
        recent = [each + _FEE for _, each in hashes]
        self._recent_blockhashes = _newest(BLOCKHASH_SLOTS, recent, self._recent_blockhashes)
        self._svm.set_slot_history(history)
        self._svm.set_account(SLOT_HASHES, _sysvar(self._slot_hashes, SLOT_HASHES_KEPT))
        self._svm.set_account(RECENT_BLOCKHASHES, _sysvar(self._recent_blockhashes))


def _newest(kept: int, newer: list[bytes], older: bytes) -> bytes:
    return (b"".join(newer) + older)[: kept * _ENTRY_BYTES]


def _sysvar(entries: bytes, room: int = 0) -> Account:
    """A list: how many there are, and then each, in an account with room for so many."""
    data = _U64.pack(len(entries) // _ENTRY_BYTES) + entries.ljust(room * _ENTRY_BYTES, b"\0")
    return Account(1, data, _OWNER, executable=False)


def _history_until(slot: int) -> SlotHistory:
    """As if every slot up to this one had a block."""
    slots = slot + 1
    words, rest = divmod(slots, _WORD_BITS)
    bits = [_FULL_WORD] * words + [(1 << rest) - 1] + [0] * _HISTORY_WORDS
    full = [_FULL_WORD] * _HISTORY_WORDS
    return SlotHistory(full if words >= _HISTORY_WORDS else bits[:_HISTORY_WORDS], slots)
