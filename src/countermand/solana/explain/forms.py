"""Recognises whole transactions by their form: those that this venue builds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from countermand.solana.explain.calls import Call
from countermand.solana.explain.names import TOKEN_PROGRAMS, Names, counted
from countermand.solana.port import Address
from countermand.solana.programs import dca, limit_order
from countermand.solana.tokens import ASSOCIATED_TOKEN_PROGRAM, COMPUTE_BUDGET_PROGRAM, SYSTEM_PROGRAM

_TRANSFER, _CLOSE, _INITIALIZE_ACCOUNT_3 = 3, 9, 18
_NO_INSTRUCTION: Final = 254
"""A fill that a sandbox wants to fail on chain carries it."""
_SYSTEM_TRANSFER: Final = b"\2\0\0\0"
_CREATE_WITH_SEED: Final = b"\3\0\0\0"
_WHAT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "withdrawal": "{2} gets back what is in the account {0} of the vault {1}",
        "fill": "the vault {1} sells from the account {0}",
        "sweep": "the account {0} of the vault {1} is emptied and closed",
    }
)


def form_of(payer: Address, calls: Sequence[Call], names: Names) -> str | None:
    """A sentence, or None. Who else made such a transaction, it cannot know."""
    acts = [call for call in calls if call.program != COMPUTE_BUDGET_PROGRAM]
    return _form_v1(acts) or _form_v2(payer, acts, names)


def _form_v1(acts: Sequence[Call]) -> str | None:
    cancels = sum(each.begins(limit_order.PROGRAM, limit_order.CANCEL_ORDER) for each in acts)
    if cancels:
        return f"It cancels {counted(cancels, 'order')} of Trigger v1."
    if any(each.begins(limit_order.PROGRAM, limit_order.INITIALIZE_ORDER) for each in acts):
        return "It places an order of Trigger v1."
    for discriminator, does in (
        (dca.OPEN_DCA, "opens"),
        (dca.OPEN_DCA_V2, "opens"),
        (dca.CLOSE_DCA, "cancels"),
        (dca.DEPOSIT, "adds to"),
        (dca.WITHDRAW, "takes from"),
    ):
        if any(each.begins(dca.PROGRAM, discriminator) for each in acts):
            return f"It {does} an order of Recurring v1."
    return None


@dataclass(frozen=True, slots=True)
class _Moves:
    """The token transfers, closes and lamports of a transaction that holds nothing else but new accounts."""

    transfers: list[Call]
    closes: list[Call]
    lamports: list[Call]


def _form_v2(payer: Address, acts: Sequence[Call], names: Names) -> str | None:
    if funded := _deposited(acts):
        return f"In form it is a deposit of Trigger v2: {payer} funds the order in the account {funded}."
    moves = _moves(acts)
    if moves is None or not (moves.transfers or moves.closes):
        return None
    first = (moves.transfers or moves.closes)[0]
    account, vault = first.accounts[0], first.accounts[2]
    # An order's account has an address of its own, and its vault never pays.
    if vault == payer or names.is_associated(account):
        return None
    does = _withdraws(payer, vault, account, moves) if len(first.accounts) > 3 else _sells(vault, account, moves)
    return does and f"In form it is a {does} of Trigger v2: {_WHAT[does].format(account, vault, payer)}."


def _withdraws(payer: Address, vault: Address, account: Address, moves: _Moves) -> str | None:
    """The payer gets it all back. After two closes that the chain refused, the close is left out."""
    alone = _all_from(account, vault, moves.transfers + moves.closes) and not moves.lamports
    once = len(moves.transfers) <= 1 and len(moves.closes) <= 1
    return "withdrawal" if alone and once and all(each.accounts[1] == payer for each in moves.closes) else None


def _sells(vault: Address, account: Address, moves: _Moves) -> str | None:
    """A fill is paid for once, in tokens or in lamports; a sweep is not paid for."""
    own = [each for each in moves.transfers if each.accounts[2] == vault]
    paid = len(moves.transfers) - len(own) + len(moves.lamports)
    if len(moves.closes) > 1 or not _all_from(account, vault, own + moves.closes):
        return None
    if paid == 1 and own:
        return "fill"
    return "sweep" if paid == 0 and moves.closes and len(own) <= 1 else None


def _all_from(account: Address, vault: Address, calls: Sequence[Call]) -> bool:
    return all(each.accounts[0] == account and each.accounts[2] == vault for each in calls)


def _deposited(acts: Sequence[Call]) -> Address | None:
    """The account that the first call creates under a seed and the second gives to the base of that seed."""
    if len(acts) < 3 or not acts[0].begins(SYSTEM_PROGRAM, _CREATE_WITH_SEED):
        return None
    create, initialize = acts[0], acts[1]
    if not _is_token(initialize, _INITIALIZE_ACCOUNT_3) or len(create.accounts) < 2:
        return None
    same = initialize.accounts[:1] == create.accounts[1:2]
    return create.accounts[1] if same and initialize.data[1:33] == create.data[4:36] else None


def _moves(acts: Sequence[Call]) -> _Moves | None:
    moves = _Moves([], [], [])
    for each in acts:
        if _is_token(each, _TRANSFER) and len(each.accounts) > 2:
            moves.transfers.append(each)
        elif _is_token(each, _CLOSE) and len(each.accounts) > 2:
            moves.closes.append(each)
        elif each.begins(SYSTEM_PROGRAM, _SYSTEM_TRANSFER):
            moves.lamports.append(each)
        elif each.program != ASSOCIATED_TOKEN_PROGRAM and not _is_token(each, _NO_INSTRUCTION):
            return None
    return moves


def _is_token(call: Call, number: int) -> bool:
    return call.program in TOKEN_PROGRAMS and call.data[:1] == bytes([number])
