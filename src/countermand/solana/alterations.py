"""How a signed message differs from the one that was built, in words for a log.

Wallets insert instructions before they sign: compute budgets, asserts of their own. Then what comes back is another
transaction, and it helps to be told which one. Signatures are not looked at.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from solders.message import Message, MessageV0

from countermand.solana.explain import told_calls
from countermand.solana.explain.calls import Call
from countermand.solana.port import Address
from countermand.solana.wire import SIGNATURE_BYTES, WireTransaction, read_transaction
from countermand.values.transactions import Alteration

_LISTED_MAX: Final = 12


def alteration_of(built: bytes, submitted: bytes) -> Alteration:
    """Of two messages that decode. `submitted` may be of version 0, which makes it another message by itself."""
    ours, theirs = _read(built), _read(submitted)
    signers = _signers(ours), _signers(theirs)
    found: dict[str, object] = {}
    _change(found, "version", _version(ours), _version(theirs))
    _change(found, "payer", signers[0][0], signers[1][0])
    _added_and_removed(found, "signers", *signers)
    _added_and_removed(found, "accounts", _keys(ours), _keys(theirs))
    _instructions(found, told_calls(ours), told_calls(theirs))
    _change(found, "blockhash", str(ours.message.recent_blockhash), str(theirs.message.recent_blockhash))
    if not found:
        found["layout"] = "the same accounts and instructions, compiled in another order"
    return Alteration(signers[0] != signers[1], found)


def _instructions(
    found: dict[str, object], built: Sequence[tuple[Call, str]], submitted: Sequence[tuple[Call, str]]
) -> None:
    ours, theirs = Counter(call for call, _ in built), Counter(call for call, _ in submitted)
    added, removed = theirs - ours, ours - theirs
    _list(found, "instructions_added", [dict(submitted)[call] for call in added.elements()])
    _list(found, "instructions_removed", [dict(built)[call] for call in removed.elements()])
    if not added and not removed and [call for call, _ in built] != [call for call, _ in submitted]:
        found["instructions_reordered"] = True


def _read(message: bytes) -> WireTransaction:
    is_legacy = message[0] < 0x80
    signers = message[0] if is_legacy else message[1]
    return read_transaction(bytes([signers]) + bytes(SIGNATURE_BYTES * signers) + message)


def _signers(wire: WireTransaction) -> list[Address]:
    return _keys(wire)[: wire.message.header.num_required_signatures]


def _keys(wire: WireTransaction) -> list[Address]:
    keys = [str(key) for key in wire.static_keys]
    if isinstance(wire.message, MessageV0):
        keys += [str(table.account_key) for table in wire.message.address_table_lookups]
    return keys


def _version(wire: WireTransaction) -> str:
    return "legacy" if isinstance(wire.message, Message) else "version 0"


def _change(found: dict[str, object], name: str, built: str, submitted: str) -> None:
    if built != submitted:
        found[name] = f"{built} became {submitted}"


def _added_and_removed(found: dict[str, object], name: str, built: Sequence[str], submitted: Sequence[str]) -> None:
    _list(found, f"{name}_added", [each for each in submitted if each not in built])
    _list(found, f"{name}_removed", [each for each in built if each not in submitted])


def _list(found: dict[str, object], name: str, entries: Sequence[str]) -> None:
    if len(entries) > _LISTED_MAX:
        entries = [*entries[:_LISTED_MAX], f"and {len(entries) - _LISTED_MAX} more"]
    if entries:
        found[name] = list(entries)
