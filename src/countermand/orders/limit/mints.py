"""Which mints an order may have: those whose transfers move exactly what they say."""

from typing import Final

from countermand.solana.tokens import Mint

_HARMLESS: Final = frozenset({3, 4, 6, 10, 18, 19, 20, 21, 22, 23, 25})
"""Extensions of Token-2022 that neither take from a transfer nor let any party stop it: close authority, confidential
transfer, default state, interest, scaled amount, and pointers and texts of metadata, groups and members. The order
programs refuse the others, and unknown ones."""


def is_harmless(mint: Mint) -> bool:
    data, at = mint.extensions, 0
    while at + 4 <= len(data):
        kind, size = int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 2 : at + 4], "little")
        if kind == 0:
            return True
        if kind not in _HARMLESS:
            return False
        at += 4 + size
    return at <= len(data)
