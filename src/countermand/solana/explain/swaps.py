"""Sentences about the aggregator: Swap v1."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from countermand.solana.explain.basics import Sentence
from countermand.solana.explain.calls import Call
from countermand.solana.explain.names import Names, counted
from countermand.solana.explain.orders import event, named_all, sentence_of
from countermand.solana.programs import swap
from countermand.solana.programs.anchor import DISCRIMINATOR_BYTES, EVENT_TAG, Unreadable

_UNTOLD: Final = (
    "route",
    "route_with_token_ledger",
    "exact_out_route",
    "shared_accounts_route_with_token_ledger",
    "set_token_ledger",
    "create_token_ledger",
    "create_token_account",
    "create_open_orders",
    "create_program_open_orders",
    "claim",
    "claim_token",
)
_TERMS_BYTES: Final = 19
"""An instruction ends with two amounts, the slippage and the integrator's rate; before them are steps of any length."""
_BPS_ONE: Final = 10_000


def swaps(call: Call, names: Names) -> str:
    return sentence_of(_SWAPS, call)(call, names)


def _shared_accounts_route(call: Call, names: Names) -> str:
    amount, quoted, slippage_bps, fee_bps = _terms(call)
    least = max(quoted - quoted * slippage_bps // _BPS_ONE, 0)
    gives, gets = names.amount(amount, call.account(7)), names.amount(least, call.account(8))
    return f"{_who(call)} swaps {gives} from {_ends(call, names, f'at least {gets}')}{_fee(fee_bps, call)}"


def _shared_accounts_exact_out_route(call: Call, names: Names) -> str:
    amount, quoted, slippage_bps, fee_bps = _terms(call)
    most = quoted + quoted * slippage_bps // _BPS_ONE
    gives, gets = names.amount(most, call.account(7)), names.amount(amount, call.account(8))
    return f"{_who(call)} swaps at most {gives} from {_ends(call, names, f'exactly {gets}')}{_fee(fee_bps, call)}"


def _terms(call: Call) -> tuple[int, int, int, int]:
    at = len(call.data) - _TERMS_BYTES
    if at < DISCRIMINATOR_BYTES:
        raise Unreadable("it ends before its terms")
    of = call.fields(at)
    return of.u64(), of.u64(), of.u16(), of.u8()


def _who(call: Call) -> str:
    return call.account(2)


def _ends(call: Call, names: Names, gets: str) -> str:
    return f"{names.account(call.account(3))} for {gets}, to {names.account(call.account(6))}"


def _fee(bps: int, call: Call) -> str:
    """The integrator's. An account that is left out is the program itself."""
    if not bps:
        return ""
    account = call.account(9)
    to = "" if account == swap.PROGRAM else f", for {account}"
    return f". The integrator takes {counted(bps, 'basis point')}{to}"


_SWAPS: Final[Mapping[bytes, Sentence]] = MappingProxyType(
    {
        swap.SHARED_ACCOUNTS_ROUTE: _shared_accounts_route,
        swap.SHARED_ACCOUNTS_EXACT_OUT_ROUTE: _shared_accounts_exact_out_route,
        EVENT_TAG: event,
        **named_all(_UNTOLD),
    }
)
