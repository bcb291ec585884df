"""Recognises whole transactions by their form: those that this venue builds."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from countermand.solana.durable_nonce import ADVANCE_NONCE
from countermand.solana.explain.calls import Call
from countermand.solana.explain.names import Names, listed
from countermand.solana.port import Address
from countermand.solana.programs import dca, limit_order, swap
from countermand.solana.tokens import (
    ASSOCIATED_TOKEN_PROGRAM,
    COMPUTE_BUDGET_PROGRAM,
    CREATES_ASSOCIATED,
    MEMO_PROGRAMS,
    SOL_MINT,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAMS,
    associated_token_address,
)

_TRANSFER, _CLOSE, _TRANSFER_CHECKED, _SYNC_NATIVE, _INITIALIZE_ACCOUNT_3 = 3, 9, 12, 17, 18
_NO_INSTRUCTION: Final = 254
"""A fill that a sandbox wants to fail on chain carries it."""
_SYSTEM_TRANSFER: Final = b"\2\0\0\0"
_CREATE_WITH_SEED: Final = b"\3\0\0\0"
_ACCOUNTS_MAX: Final = 2
"""An order that keeps what it buys has a second account for it."""

_ORDER: Final = ("an order", "orders")
_SWAP: Final = ("a swap", "swaps")
_NAMES: Final = MappingProxyType(
    {limit_order.PROGRAM: "Trigger v1", dca.PROGRAM: "Recurring v1", swap.PROGRAM: "Swap v1"}
)
_ACTS_OF_V1: Final = (
    (limit_order.PROGRAM, limit_order.CANCEL_ORDER, "cancels", _ORDER),
    (limit_order.PROGRAM, limit_order.INITIALIZE_ORDER, "places", _ORDER),
    (dca.PROGRAM, dca.OPEN_DCA, "opens", _ORDER),
    (dca.PROGRAM, dca.OPEN_DCA_V2, "opens", _ORDER),
    (dca.PROGRAM, dca.CLOSE_DCA, "cancels", _ORDER),
    (dca.PROGRAM, dca.DEPOSIT, "adds to", _ORDER),
    (dca.PROGRAM, dca.WITHDRAW, "takes from", _ORDER),
    (swap.PROGRAM, swap.SHARED_ACCOUNTS_ROUTE, "makes", _SWAP),
    (swap.PROGRAM, swap.SHARED_ACCOUNTS_EXACT_OUT_ROUTE, "makes", _SWAP),
)


def form_of(payer: Address, calls: Sequence[Call], names: Names) -> str | None:
    """A sentence, or None. Who else made such a transaction, it cannot know."""
    acts = [call for call in calls if call.program != COMPUTE_BUDGET_PROGRAM]
    return _form_v1(calls) or _deposit_v2(payer, calls, acts) or _form_v2(payer, acts, names)


def _form_v1(calls: Sequence[Call]) -> str | None:
    for program, discriminator, does, (one, many) in _ACTS_OF_V1:
        found = [each for each in calls if each.begins(program, discriminator)]
        if found:
            what = one if len(found) == 1 else f"{len(found)} {many}"
            others = [str(i) for i, each in enumerate(calls) if each not in found and not _prepares(each)]
            return f"It {does} {what} of {_NAMES[program]}{_beside(others)}."
    return None


def _beside(others: Sequence[str]) -> str:
    """A transaction that does what its signer asked for may do something else, too."""
    if not others:
        return ""
    which = f"instruction {others[0]} does" if len(others) == 1 else f"instructions {listed(others)} do"
    return f"; {which} not belong to that"


def _prepares(call: Call) -> bool:
    """What takes nothing from a signer but rents: budgets, notes, a nonce, new accounts, SOL wrapped and unwrapped."""
    accounts = call.accounts
    if call.program in (COMPUTE_BUDGET_PROGRAM, *MEMO_PROGRAMS):
        return True
    if call.program == ASSOCIATED_TOKEN_PROGRAM:
        return call.data in CREATES_ASSOCIATED
    if call.begins(SYSTEM_PROGRAM, _SYSTEM_TRANSFER) and len(accounts) > 1:
        return accounts[1] == associated_token_address(accounts[0], SOL_MINT)
    if _is_token(call, _CLOSE) and len(accounts) > 2:
        return accounts[1] == accounts[2]
    return _is_token(call, _SYNC_NATIVE) or call.begins(SYSTEM_PROGRAM, ADVANCE_NONCE)


class _Moves(Struct, frozen=True):
    """The token transfers, closes and lamports of a transaction that holds nothing else but new accounts."""

    transfers: list[Call]
    closes: list[Call]
    lamports: list[Call]
    of_tokens: list[Call]
    """Transfers and closes, in their order."""


def _deposit_v2(payer: Address, calls: Sequence[Call], acts: Sequence[Call]) -> str | None:
    funded = _deposited(acts)
    if not funded:
        return None
    account, *kept = funded
    second = f", and opens the account {kept[0]} for what it buys" if kept else ""
    others = [str(i) for i, each in enumerate(calls) if not _funds(each, funded) and not _prepares(each)]
    form = f"In form it is a deposit of Trigger v2: {payer} funds the order in the account {account}{second}"
    return f"{form}{_beside(others)}."


def _funds(call: Call, funded: Sequence[Address]) -> bool:
    """What opens the order's accounts, and what goes into the first."""
    at = call.accounts
    if call.begins(SYSTEM_PROGRAM, _CREATE_WITH_SEED):
        return len(at) > 1 and at[1] in funded
    if _is_token(call, _INITIALIZE_ACCOUNT_3):
        return len(at) > 0 and at[0] in funded
    if _is_token(call, _TRANSFER) or call.begins(SYSTEM_PROGRAM, _SYSTEM_TRANSFER):
        return len(at) > 1 and at[1] == funded[0]
    return _is_token(call, _TRANSFER_CHECKED) and len(at) > 2 and at[2] == funded[0]


def _form_v2(payer: Address, acts: Sequence[Call], names: Names) -> str | None:
    moves = _moves(acts)
    if moves is None or not moves.of_tokens:
        return None
    vault = moves.of_tokens[0].accounts[2]
    own = [each for each in moves.of_tokens if each.accounts[2] == vault]
    accounts = list(dict.fromkeys(each.accounts[0] for each in own))
    # An order's account has an address of its own, and its vault never pays.
    if vault == payer or len(accounts) > _ACCOUNTS_MAX or any(map(names.is_associated, accounts)):
        return None
    which = f"the account{'s' * (len(accounts) > 1)} {listed(accounts)} of the vault {vault}"
    if not _once(own):
        return None
    if any(len(each.accounts) > 3 for each in own):  # The tracker signs beside the vault.
        is_all = len(own) == len(moves.of_tokens) and not moves.lamports
        does = _withdraws(payer, which, moves, names) if is_all else None
    else:
        does = _does(vault, which, accounts, own, moves)
    return does and f"In form it is a {does}."


def _withdraws(payer: Address, which: str, moves: _Moves, names: Names) -> str | None:
    """Without its token in the transaction, nothing says whose account it is that gets the tokens."""
    if any(each.accounts[1] != payer for each in moves.closes):
        return None
    receivers = dict.fromkeys(each.accounts[1] for each in moves.transfers)
    if all(map(names.is_payers, receivers)):
        return f"withdrawal of Trigger v2: {payer} gets back what is in {which}"
    goes = f"what is in {which} goes to {names.accounts(receivers)}"
    return f"withdrawal of Trigger v2: {goes}, and the lamports go to {payer}"


def _does(vault: Address, which: str, accounts: list[Address], own: list[Call], moves: _Moves) -> str | None:
    transfers = [each for each in own if each in moves.transfers]
    # A fill is paid for once, in tokens or in lamports; a sweep is not paid for.
    paid = len(moves.transfers) - len(transfers) + len(moves.lamports)
    if paid == 1 and transfers and len(accounts) == 1:
        return f"fill of Trigger v2: the vault {vault} sells from the account {accounts[0]}"
    if paid == 0 and moves.closes:
        return f"sweep of Trigger v2: {which} {'are' if len(accounts) > 1 else 'is'} emptied and closed"
    return None


def _once(own: Sequence[Call]) -> bool:
    """After two closes that the chain refused, a close is left out."""
    taken = [(each.accounts[0], each.data[0]) for each in own]
    return len(set(taken)) == len(taken)


def _deposited(acts: Sequence[Call]) -> list[Address]:
    """The accounts that are opened under seeds for the bases of those: at the beginning, and perhaps at the end."""
    funded = _opened(acts[:2])
    if funded is None or len(acts) < 3:
        return []
    kept = _opened(acts[-2:]) if len(acts) > 4 else None
    return [funded] if kept is None else [funded, kept]


def _opened(pair: Sequence[Call]) -> Address | None:
    """The account that the first call creates under a seed and the second gives to the base of that seed."""
    create, initialize = pair if len(pair) == 2 else (None, None)
    if create is None or initialize is None or len(create.accounts) < 2:
        return None
    if not create.begins(SYSTEM_PROGRAM, _CREATE_WITH_SEED) or not _is_token(initialize, _INITIALIZE_ACCOUNT_3):
        return None
    same = initialize.accounts[:1] == create.accounts[1:2]
    return create.accounts[1] if same and initialize.data[1:33] == create.data[4:36] else None


def _moves(acts: Sequence[Call]) -> _Moves | None:
    moves = _Moves([], [], [], [])
    for each in acts:
        if (is_transfer := _is_token(each, _TRANSFER)) or _is_token(each, _CLOSE):
            if len(each.accounts) < 3:
                return None
            (moves.transfers if is_transfer else moves.closes).append(each)
            moves.of_tokens.append(each)
        elif each.begins(SYSTEM_PROGRAM, _SYSTEM_TRANSFER):
            moves.lamports.append(each)
        elif each.program != ASSOCIATED_TOKEN_PROGRAM and not _is_token(each, _NO_INSTRUCTION):
            return None
    return moves


def _is_token(call: Call, number: int) -> bool:
    return call.program in TOKEN_PROGRAMS and call.data[:1] == bytes([number])
