"""Accounts in words, as `jsonParsed` shows them where the program that owns them is known; tokens are in `encode`.

Layouts are those of bincode: little-endian numbers, and a length of 8 bytes before what repeats.
"""

import base64
import struct
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from solders.address_lookup_table_account import AddressLookupTable
from solders.pubkey import Pubkey

from countermand.solana.durable_nonce import NONCE_ACCOUNT_BYTES, NONCE_INITIALIZED
from countermand.solana.port import AccountInfo, Address
from countermand.solana.tokens import LOOKUP_TABLE_PROGRAM, SYSTEM_PROGRAM, SYSVAR_OWNER, UPGRADEABLE_LOADER

Json = dict[str, Any]
Parsed = tuple[str, object]
"""The type, and what is said of it: None where there is nothing to say."""

STAKE_PROGRAM: Final = "Stake11111111111111111111111111111111111111"


def parsed_account(key: Address, info: AccountInfo) -> Json | None:
    """None where a node too shows the bytes."""
    found = _PARSERS.get(info.owner)
    if found is None:
        return None
    program, parse = found
    try:
        parsed = parse(key, info.data)
    except (struct.error, ValueError, IndexError):
        parsed = None
    if parsed is None:
        return None
    kind, details = parsed
    shown: Json = {"type": kind} if details is None else {"info": details, "type": kind}
    return {"program": program, "parsed": shown, "space": len(info.data)}


def _nonce(_key: Address, data: bytes) -> Parsed | None:
    if len(data) != NONCE_ACCOUNT_BYTES or not data.startswith(NONCE_INITIALIZED):
        return None
    details = {"authority": _text(data[8:40]), "blockhash": _text(data[40:72]), "feeCalculator": _fee(_u64(data, 72))}
    return "initialized", details


def _lookup_table(_key: Address, data: bytes) -> Parsed | None:
    if data[:4] == bytes(4):
        return "uninitialized", None
    table = AddressLookupTable.deserialize(data)
    details: Json = {
        "addresses": [str(key) for key in table.addresses],
        "deactivationSlot": str(table.meta.deactivation_slot),
        "lastExtendedSlot": str(table.meta.last_extended_slot),
        "lastExtendedSlotStartIndex": table.meta.last_extended_slot_start_index,
    }
    if table.meta.authority is not None:
        details["authority"] = str(table.meta.authority)
    return "lookupTable", details


# Programs.

_LOADER_BUFFER, _LOADER_PROGRAM, _LOADER_DATA = 1, 2, 3


def _loaded_program(_key: Address, data: bytes) -> Parsed | None:
    (kind,) = struct.unpack_from("<I", data)
    if kind == 0:
        return "uninitialized", None
    if kind == _LOADER_PROGRAM:
        return "program", {"programData": _text(_exactly(data, 4, 32))}
    if kind == _LOADER_BUFFER:
        return "buffer", _authority_and_code(data, 4)
    if kind == _LOADER_DATA:
        return "programData", {"slot": _u64(data, 4), **_authority_and_code(data, 12)}
    return None


def _authority_and_code(data: bytes, start: int) -> Json:
    """A key that may be missing: then the code begins where it would stand."""
    has_key = data[start]
    key = _text(_exactly(data, start + 1, 32)) if has_key else None
    code = data[start + 33 if has_key else start + 1 :]
    return {"authority": key, "data": [base64.b64encode(code).decode(), "base64"]}


# Stakes.

_STAKE_INITIALIZED, _STAKE_DELEGATED, _STAKE_REWARDS = 1, 2, 3
_STAKE_META: Final = struct.Struct("<Q32s32sqQ32s")
_STAKE: Final = struct.Struct("<32sQQQdQ")


def _stake(_key: Address, data: bytes) -> Parsed | None:
    (kind,) = struct.unpack_from("<I", data)
    if kind == 0:
        return "uninitialized", None
    if kind == _STAKE_REWARDS:
        return "rewardsPool", None
    if kind == _STAKE_INITIALIZED:
        return "initialized", {"meta": _stake_meta(data), "stake": None}
    if kind == _STAKE_DELEGATED:
        voter, stake, activated, deactivated, _, observed = _STAKE.unpack_from(data, 4 + _STAKE_META.size)
        delegation = {
            "voter": _text(voter),
            "stake": str(stake),
            "activationEpoch": str(activated),
            "deactivationEpoch": str(deactivated),
        }
        delegated = {"creditsObserved": observed, "delegation": delegation}
        return "delegated", {"meta": _stake_meta(data), "stake": delegated}
    return None


def _stake_meta(data: bytes) -> Json:
    reserve, staker, withdrawer, unix_time, epoch, custodian = _STAKE_META.unpack_from(data, 4)
    return {
        "rentExemptReserve": str(reserve),
        "authorized": {"staker": _text(staker), "withdrawer": _text(withdrawer)},
        "lockup": {"custodian": _text(custodian), "epoch": epoch, "unixTimestamp": unix_time},
    }


# Sysvars.


def _clock(data: bytes) -> object:
    names = ("slot", "epochStartTimestamp", "epoch", "leaderScheduleEpoch", "unixTimestamp")
    return dict(zip(names, struct.unpack_from("<QqQQq", data), strict=True))


def _epoch_schedule(data: bytes) -> object:
    names = ("slotsPerEpoch", "leaderScheduleSlotOffset", "warmup", "firstNormalEpoch", "firstNormalSlot")
    return dict(zip(names, struct.unpack_from("<QQ?QQ", data), strict=True))


def _epoch_rewards(data: bytes) -> object:
    begins, partitions, parent, points_low, points_high, total, distributed, active = struct.unpack_from(
        "<QQ32sQQQQ?", data
    )
    return {
        "distributionStartingBlockHeight": begins,
        "numPartitions": partitions,
        "parentBlockhash": _text(parent),
        "totalPoints": str(points_high << 64 | points_low),
        "totalRewards": str(total),
        "distributedRewards": str(distributed),
        "active": active,
    }


def _fees(data: bytes) -> object:
    return {"feeCalculator": _fee(_u64(data, 0))}


def _last_restart(data: bytes) -> object:
    return {"lastRestartSlot": _u64(data, 0)}


def _recent_blockhashes(data: bytes) -> object:
    return [{"blockhash": _text(key), "feeCalculator": _fee(fee)} for key, fee in _entries(data, "<32sQ")]


def _rent(data: bytes) -> object:
    lamports, threshold, burned = struct.unpack_from("<QdB", data)
    return {"lamportsPerByteYear": str(lamports), "exemptionThreshold": Decimal(threshold), "burnPercent": burned}


def _slot_hashes(data: bytes) -> object:
    return [{"slot": slot, "hash": _text(key)} for slot, key in _entries(data, "<Q32s")]


def _slot_history(data: bytes) -> object:
    """A character for each of the last 2²⁰ slots, by the slot's remainder: `1` if it had a block."""
    words = _u64(data, 1)
    bits = int.from_bytes(_exactly(data, 9, 8 * words), "little")
    count, next_slot = struct.unpack_from("<QQ", data, 9 + 8 * words)
    return {"nextSlot": next_slot, "bits": f"{bits:0{count}b}"[::-1]}


def _stake_history(data: bytes) -> object:
    names = ("effective", "activating", "deactivating")
    return [
        {"epoch": epoch, "stakeHistory": dict(zip(names, held, strict=True))}
        for epoch, *held in _entries(data, "<QQQQ")
    ]


_SYSVARS: Final[Mapping[Address, tuple[str, Callable[[bytes], object]]]] = {
    "SysvarC1ock11111111111111111111111111111111": ("clock", _clock),
    "SysvarEpochRewards1111111111111111111111111": ("epochRewards", _epoch_rewards),
    "SysvarEpochSchedu1e111111111111111111111111": ("epochSchedule", _epoch_schedule),
    "SysvarFees111111111111111111111111111111111": ("fees", _fees),
    "SysvarLastRestartS1ot1111111111111111111111": ("lastRestartSlot", _last_restart),
    "SysvarRecentB1ockHashes11111111111111111111": ("recentBlockhashes", _recent_blockhashes),
    "SysvarRent111111111111111111111111111111111": ("rent", _rent),
    "SysvarS1otHashes111111111111111111111111111": ("slotHashes", _slot_hashes),
    "SysvarS1otHistory11111111111111111111111111": ("slotHistory", _slot_history),
    "SysvarStakeHistory1111111111111111111111111": ("stakeHistory", _stake_history),
}


def _sysvar(key: Address, data: bytes) -> Parsed | None:
    found = _SYSVARS.get(key)
    return None if found is None else (found[0], found[1](data))


_PARSERS: Final[Mapping[Address, tuple[str, Callable[[Address, bytes], Parsed | None]]]] = {
    LOOKUP_TABLE_PROGRAM: ("address-lookup-table", _lookup_table),
    STAKE_PROGRAM: ("stake", _stake),
    SYSTEM_PROGRAM: ("nonce", _nonce),
    SYSVAR_OWNER: ("sysvar", _sysvar),
    UPGRADEABLE_LOADER: ("bpf-upgradeable-loader", _loaded_program),
}


def _entries(data: bytes, layout: str) -> Iterator[tuple[Any, ...]]:
    entry = struct.Struct(layout)
    return entry.iter_unpack(_exactly(data, 8, entry.size * _u64(data, 0)))


def _exactly(data: bytes, start: int, size: int) -> bytes:
    if start + size > len(data):
        raise ValueError(f"{size} bytes at {start} are expected, there are {len(data)} in all")
    return data[start : start + size]


def _u64(data: bytes, start: int) -> int:
    return int.from_bytes(_exactly(data, start, 8), "little")


def _fee(lamports_per_signature: int) -> Json:
    return {"lamportsPerSignature": str(lamports_per_signature)}


def _text(key: bytes) -> str:
    return str(Pubkey(key))
