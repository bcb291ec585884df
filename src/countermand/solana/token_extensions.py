"""Extensions of Token-2022: what follows a mint or a token account, each with a type and a length of two bytes.

They are read into the words that a node has for them. What is encrypted is shown as base64.
"""

import base64
import math
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from countermand.solana.port import Address
from countermand.solana.programs.anchor import Fields, Unreadable

EXTENSIONS: Final = (
    "uninitialized",
    "transferFeeConfig",
    "transferFeeAmount",
    "mintCloseAuthority",
    "confidentialTransferMint",
    "confidentialTransferAccount",
    "defaultAccountState",
    "immutableOwner",
    "memoTransfer",
    "nonTransferable",
    "interestBearingConfig",
    "cpiGuard",
    "permanentDelegate",
    "nonTransferableAccount",
    "transferHook",
    "transferHookAccount",
    "confidentialTransferFeeConfig",
    "confidentialTransferFeeAmount",
    "metadataPointer",
    "tokenMetadata",
    "groupPointer",
    "tokenGroup",
    "groupMemberPointer",
    "tokenGroupMember",
    "confidentialMintBurn",
    "scaledUiAmountConfig",
    "pausableConfig",
    "pausableAccount",
)
"""By type."""

Json = dict[str, Any]
_NO_KEY: Final = "11111111111111111111111111111111"
STATES: Final = ("uninitialized", "initialized", "frozen")


def extensions_in_words(data: bytes) -> list[Json]:
    """Of what follows the type byte of a mint or an account. The list ends where the bytes make no sense."""
    return [_in_words(kind, state) for kind, state in _entries(data)]


def state_of(data: bytes, name: str) -> bytes | None:
    """What one of these extensions holds; None if there is none of this name."""
    kind = EXTENSIONS.index(name)
    return next((state for found, state in _entries(data) if found == kind), None)


def _entries(data: bytes) -> Iterator[tuple[int, bytes]]:
    of = Fields(data)
    while of.left >= 4:
        kind, size = of.u16(), of.u16()
        if kind == 0 or size > of.left:
            return
        yield kind, of.take(size)


def _in_words(kind: int, data: bytes) -> Json:
    name = EXTENSIONS[kind] if kind < len(EXTENSIONS) else None
    if name in _BARE:
        return {"extension": name}
    if name not in _STATES_OF:
        return {"extension": "unparsableExtension"}
    try:
        return {"extension": name, "state": _STATES_OF[name](Fields(data))}
    except (Unreadable, IndexError, UnicodeDecodeError):
        return {"extension": "unparsableExtension"}


def key_or_none(of: Fields) -> Address | None:
    key = of.key()
    return None if key == _NO_KEY else key


def _pointer(name: str) -> Callable[[Fields], Json]:
    return lambda of: {"authority": key_or_none(of), name: key_or_none(of)}


def _fee(of: Fields) -> Json:
    return {"epoch": of.u64(), "maximumFee": of.u64(), "transferFeeBasisPoints": of.u16()}


def _fee_config(of: Fields) -> Json:
    return {
        "transferFeeConfigAuthority": key_or_none(of),
        "withdrawWithheldAuthority": key_or_none(of),
        "withheldAmount": of.u64(),
        "olderTransferFee": _fee(of),
        "newerTransferFee": _fee(of),
    }


def _interest(of: Fields) -> Json:
    return {
        "rateAuthority": key_or_none(of),
        "initializationTimestamp": of.i64(),
        "preUpdateAverageRate": of.i16(),
        "lastUpdateTimestamp": of.i64(),
        "currentRate": of.i16(),
    }


def _scaled(of: Fields) -> Json:
    return {
        "authority": key_or_none(of),
        "multiplier": float_text(of.f64()),
        "newMultiplierEffectiveTimestamp": of.i64(),
        "newMultiplier": float_text(of.f64()),
    }


def _metadata(of: Fields) -> Json:
    return {
        "updateAuthority": key_or_none(of),
        "mint": of.key(),
        "name": text_of(of),
        "symbol": text_of(of),
        "uri": text_of(of),
        "additionalMetadata": [[text_of(of), text_of(of)] for _ in range(of.u32())],
    }


def text_of(of: Fields) -> str:
    return of.take(of.u32()).decode()


def _group(of: Fields) -> Json:
    return {"updateAuthority": key_or_none(of), "mint": of.key(), "size": of.u64(), "maxSize": of.u64()}


def _member(of: Fields) -> Json:
    return {"mint": of.key(), "group": of.key(), "memberNumber": of.u64()}


# What the confidential extensions hold: public keys, and amounts that only a key can read.

_PUBLIC_KEY, _ENCRYPTED, _DECRYPTABLE = 32, 64, 36


def _base64(of: Fields, size: int) -> str:
    return base64.b64encode(of.take(size)).decode()


def _confidential_mint(of: Fields) -> Json:
    authority, approves, auditor = key_or_none(of), of.flag(), of.take(_PUBLIC_KEY)
    shown = base64.b64encode(auditor).decode() if any(auditor) else None
    return {"authority": authority, "autoApproveNewAccounts": approves, "auditorElgamalPubkey": shown}


def _confidential_account(of: Fields) -> Json:
    return {
        "approved": of.flag(),
        "elgamalPubkey": _base64(of, _PUBLIC_KEY),
        "pendingBalanceLo": _base64(of, _ENCRYPTED),
        "pendingBalanceHi": _base64(of, _ENCRYPTED),
        "availableBalance": _base64(of, _ENCRYPTED),
        "decryptableAvailableBalance": _base64(of, _DECRYPTABLE),
        "allowConfidentialCredits": of.flag(),
        "allowNonConfidentialCredits": of.flag(),
        "pendingBalanceCreditCounter": of.u64(),
        "maximumPendingBalanceCreditCounter": of.u64(),
        "expectedPendingBalanceCreditCounter": of.u64(),
        "actualPendingBalanceCreditCounter": of.u64(),
    }


def _confidential_fee_config(of: Fields) -> Json:
    return {
        "authority": key_or_none(of),
        "withdrawWithheldAuthorityElgamalPubkey": _base64(of, _PUBLIC_KEY),
        "harvestToMintEnabled": of.flag(),
        "withheldAmount": _base64(of, _ENCRYPTED),
    }


def _confidential_mint_burn(of: Fields) -> Json:
    return {
        "confidentialSupply": _base64(of, _ENCRYPTED),
        "decryptableSupply": _base64(of, _DECRYPTABLE),
        "supplyElgamalPubkey": _base64(of, _PUBLIC_KEY),
        "pendingBurn": _base64(of, _ENCRYPTED),
    }


def float_text(number: float) -> str:
    """As Rust writes it: never with an exponent, and without a point where there is no fraction."""
    if not math.isfinite(number):
        return {"nan": "NaN"}.get(repr(number), repr(number))
    text = f"{Decimal(repr(number)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


_BARE: Final = ("immutableOwner", "nonTransferable", "nonTransferableAccount", "pausableAccount")
_STATES_OF: Final[Mapping[str | None, Callable[[Fields], Json]]] = {
    "transferFeeConfig": _fee_config,
    "transferFeeAmount": lambda of: {"withheldAmount": of.u64()},
    "mintCloseAuthority": lambda of: {"closeAuthority": key_or_none(of)},
    "defaultAccountState": lambda of: {"accountState": STATES[of.u8()]},
    "memoTransfer": lambda of: {"requireIncomingTransferMemos": of.flag()},
    "cpiGuard": lambda of: {"lockCpi": of.flag()},
    "interestBearingConfig": _interest,
    "scaledUiAmountConfig": _scaled,
    "permanentDelegate": lambda of: {"delegate": key_or_none(of)},
    "confidentialTransferMint": _confidential_mint,
    "confidentialTransferAccount": _confidential_account,
    "confidentialTransferFeeConfig": _confidential_fee_config,
    "confidentialTransferFeeAmount": lambda of: {"withheldAmount": _base64(of, _ENCRYPTED)},
    "confidentialMintBurn": _confidential_mint_burn,
    "tokenMetadata": _metadata,
    "tokenGroup": _group,
    "tokenGroupMember": _member,
    "transferHook": _pointer("programId"),
    "transferHookAccount": lambda of: {"transferring": of.flag()},
    "metadataPointer": _pointer("metadataAddress"),
    "groupPointer": _pointer("groupAddress"),
    "groupMemberPointer": _pointer("memberAddress"),
    "pausableConfig": lambda of: {"authority": key_or_none(of), "paused": of.flag()},
}
