"""The histories of several addresses as one list, in the order in which everything landed."""

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import groupby, pairwise

from countermand.solana.port import AddressSignature, LandedSignature, Signature


def in_order(histories: Sequence[Sequence[AddressSignature]]) -> list[LandedSignature]:
    """Each is given, oldest first, and holds all of the slots that it holds. Each transaction is in the list once.

    No history tells where in its slot a transaction stands, only what comes before it. So two of one slot that have
    none of the addresses in common are in any order. Raises `ValueError` where the histories contradict each other.
    """
    slots: dict[int, list[list[AddressSignature]]] = {}
    for history in histories:
        for slot, entries in groupby(history, lambda entry: entry.slot):
            slots.setdefault(slot, []).append(list(entries))
    return [landed for slot in sorted(slots) for landed in _slot_in_order(slots[slot])]


def _slot_in_order(histories: Sequence[Sequence[AddressSignature]]) -> list[LandedSignature]:
    entries = {entry.signature: entry for history in histories for entry in history}
    before: TopologicalSorter[Signature] = TopologicalSorter()
    for signature in entries:
        before.add(signature)
    for history in histories:
        for earlier, later in pairwise(history):
            before.add(later.signature, earlier.signature)
    try:
        order = [entries[signature] for signature in before.static_order()]
    except CycleError:
        raise ValueError("histories in different orders") from None
    return [
        LandedSignature(entry.signature, entry.slot, entry.error, entry.block_time, position=position)
        for position, entry in enumerate(order)
    ]
