"""Why a cancel is refused, in words, and what to do about it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from countermand.rescue.cancels import Cancel
from countermand.rescue.orders import OrderFamily
from countermand.solana.error_sentences import describe
from countermand.solana.port import JsonError
from countermand.solana.program_errors import error_name
from countermand.solana.programs import dca, limit_order

_PROGRAM_OF: Final = MappingProxyType({OrderFamily.LIMIT: limit_order.PROGRAM, OrderFamily.DCA: dca.PROGRAM})
_TAKE_BACK: Final = "{to} is not the wallet's account for this token any more: take it back, then run it again"
_REMEDIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "AccountFrozen": "{own} or {to} is frozen: have it thawed by the token's freeze authority, then run it again",
        "AccountHasWithheldTransferFees": "{own} holds fees of the token: have them harvested to its mint, which "
        "any wallet can do, then run it again",
        "AccountNotInitialized": "one of {own} and {to} is missing: run it again, and it is made, or the order is "
        "found gone",
        "AccountOwnedByWrongProgram": "{own} or {to} is of another program than the order says: look at it in an "
        "explorer",
        "ConstraintTokenMint": _TAKE_BACK,
        "ConstraintTokenOwner": _TAKE_BACK,
        "InsufficientFunds": "{own} holds less than the order says: run it again, it may have been filled meanwhile",
        "MintMismatch": _TAKE_BACK,
        "MintPaused": "the token's authority has paused all its transfers: run it again when they go on",
        "NoMemo": "{to} takes nothing without a memo, and a cancel has none: switch that off (spl-token "
        "disable-required-transfer-memos {to}), then run it again",
        "NonTransferable": "the token cannot be moved at all; its issuer alone can help",
        "OwnerMismatch": _TAKE_BACK,
    }
)
_ELSE: Final = "run it again; if that does not help, let --print make the transaction, and ask the issuer of the token"


def words(error: JsonError, cancels: Sequence[Cancel], logs: Sequence[str] = ()) -> str:
    """Of a simulation or a transaction. `logs`: where they are known."""
    code = _code(error)
    if code is None:
        return f"the cancel is refused: {describe(error)}; run it again"
    name = error_name(_PROGRAM_OF[cancels[0].order.family], code, logs)
    escrows = [escrow for each in cancels for escrow in each.order.escrows]
    own = " or ".join(dict.fromkeys(escrow.account for escrow in escrows))
    to = " or ".join(dict.fromkeys(escrow.to or each.order.owner for each in cancels for escrow in each.order.escrows))
    remedy = _REMEDIES.get(name or "", _ELSE).format(own=own, to=to)
    return f"the cancel is refused: {code}{'' if name is None else f', {name}'}: {remedy}"


def _code(error: JsonError) -> int | None:
    if isinstance(error, dict):
        match error.get("InstructionError"):
            case [_, {"Custom": int(code)}]:
                return code
    return None
