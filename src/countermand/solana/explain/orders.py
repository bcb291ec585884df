"""Sentences about the order programs: Trigger v1 and limit/v2, and Recurring v1."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from countermand.iso_time import SECONDS_MAX
from countermand.solana.explain.basics import Sentence
from countermand.solana.explain.calls import Call
from countermand.solana.explain.names import Names, counted, token
from countermand.solana.port import Address
from countermand.solana.programs import dca, dca_cycles, limit_order, limit_order_fills
from countermand.solana.programs.anchor import DISCRIMINATOR_BYTES, EVENT_TAG, Unreadable, instruction_discriminator
from countermand.solana.tokens import SOL_MINT

_UNTOLD: Final = ("update_fee", "withdraw_fee")
_UNTOLD_DCA: Final = ("initiate_dlmm_fill", "fulfill_dlmm_fill", "withdraw_fees")
_AMOUNT_BYTES: Final = 8
_FILL_RATES_AT: Final = 17
_FLASH_RATES_AT: Final = 13
"""Where the program's fee rates stand, and its own fee account behind them, if a fill names them."""


def trigger(call: Call, names: Names) -> str:
    return sentence_of(_TRIGGER, call)(call, names)


def recurring(call: Call, names: Names) -> str:
    return sentence_of(_RECURRING, call)(call, names)


def sentence_of(table: Mapping[bytes, Sentence], call: Call) -> Sentence:
    sentence = table.get(call.data[:DISCRIMINATOR_BYTES])
    if sentence is None:
        raise Unreadable("no such instruction")
    return sentence


def _initialize_order(call: Call, names: Names) -> str:
    of = call.fields(DISCRIMINATOR_BYTES)
    _, making, taking, expired_at, fee_bps = of.u64(), of.u64(), of.u64(), of.option(of.i64), of.option(of.u16)
    slippage_bps = of.option(of.u16) if of.left else None
    payer, maker, order, reserve, own = (call.account(index) for index in range(5))
    less = f", less at most {counted(slippage_bps, 'basis point')}" if slippage_bps else ""
    gives, wants = names.amount(making, call.account(7)), names.amount(taking, call.account(8))
    until = "without expiry" if expired_at is None else f"until {_instant(expired_at)}"
    return (
        f"{maker} places the order {order}: {gives} from {names.account(own)} for at least {wants}{less}, {until}. "
        f"The input waits in {reserve}, and {payer} pays the rents{_fee(fee_bps, call.account(6))}"
    )


def _fee(bps: int | None, receiver: Address) -> str:
    """The integrator's. An account that is left out is the program itself."""
    to = "" if receiver == limit_order.PROGRAM else f", for {receiver}"
    if bps is None and not to:
        return ""
    return f". The integrator takes {'a fee' if bps is None else counted(bps, 'basis point')} of the output{to}"


def _cancel_order(call: Call, names: Names) -> str:
    by, maker, order, reserve, to, mint = (call.account(index) for index in range(6))
    what = "the SOL" if mint == SOL_MINT else f"the {token(mint)}"
    where = f"{maker} as lamports" if to == limit_order.PROGRAM else names.account(to)
    whose = "its" if by == maker else f"{maker}'s expired"
    return f"{by} cancels {whose} order {order}: {what} in {reserve} goes to {where}, and the rents go to {maker}"


def _fill_order(call: Call, names: Names) -> str:
    of = call.fields(DISCRIMINATOR_BYTES)
    making, swap_data = of.u64(), of.take(of.u32())
    taker, maker, order, own, _, to = (call.account(index) for index in range(6))
    if not swap_data:
        given = f"what the order asks for it in {token(call.account(10))}"
    elif len(swap_data) == _AMOUNT_BYTES:
        given = names.amount(int.from_bytes(swap_data, "little"), call.account(10))
    else:
        given = f"what a swap of {counted(len(swap_data), 'byte')} gives in {token(call.account(10))}"
    return (
        f"{taker} fills {names.amount(making, call.account(8))} of {maker}'s order {order}, which go to "
        f"{names.account(own)}, for {given}: it goes to {_receiver(to, maker, names)}, less the fee for "
        f"{_fee_receivers(call, _FILL_RATES_AT)}"
    )


def _receiver(to: Address, maker: Address, names: Names) -> str:
    return f"{maker} as lamports" if to == limit_order.PROGRAM else names.account(to)


def _fee_receivers(call: Call, rates_at: int) -> str:
    """The order's account, and the program's own where the rates stand before it."""
    if limit_order.FEE_ACCOUNT not in call.accounts[rates_at : rates_at + 1]:
        return call.account(6)
    return f"{call.account(6)}, of which the program's own part goes to {call.account(rates_at + 1)}"


def _pre_flash_fill_order(call: Call, names: Names) -> str:
    amount = names.amount(call.fields(DISCRIMINATOR_BYTES).u64(), call.account(4))
    taker, order, _, own = (call.account(index) for index in range(4))
    return f"{taker} borrows {amount} from the order {order}, to {names.account(own)}, and must pay for it further on"


def _flash_fill_order(call: Call, names: Names) -> str:
    most = names.amount(call.fields(DISCRIMINATOR_BYTES).u64(), call.account(8))
    taker, maker, order, _, to = (call.account(index) for index in range(5))
    return (
        f"{taker} pays for what it borrowed from {maker}'s order {order}, at most {most}: it goes to "
        f"{_receiver(to, maker, names)}, less the fee for {_fee_receivers(call, _FLASH_RATES_AT)}"
    )


def _cancel_dust_order(call: Call, names: Names) -> str:
    dollar = names.amount(call.fields(DISCRIMINATOR_BYTES).u64(), call.account(5))
    keeper, maker, order, reserve, to, mint = (call.account(index) for index in range(6))
    return (
        f"{keeper} returns {maker}'s order {order} if it has less than one dollar, {dollar}: the {token(mint)} in "
        f"{reserve} goes to {names.account(to)}, and the rents go to {maker}"
    )


def event(_: Call, __: Names) -> str:
    return "an event; the program takes it from itself alone"


def _open(call: Call, names: Names) -> str:
    second = call.data.startswith(dca.OPEN_DCA_V2)
    of = call.fields(DISCRIMINATOR_BYTES)
    _, gives, per_cycle, seconds = of.u64(), of.u64(), of.u64(), of.i64()
    least, most, start_at = of.option(of.u64), of.option(of.u64), of.option(of.i64)
    first = 3 if second else 2
    account, user, payer = call.account(0), call.account(1), call.account(first - 1)
    sells, buys, own = (call.account(index) for index in (first, first + 1, first + 2))
    return (
        f"{user} opens the recurring order {account}: {names.amount(gives, sells)} from {names.account(own)}, "
        f"of which {names.amount(per_cycle, sells)} every {counted(seconds, 'second')} buy {token(buys)}"
        f"{_bounds(least, most, buys, names)}"
        f"{f', from {_instant(start_at)} on' if start_at else ''}. {payer} pays the rents"
    )


def _bounds(least: int | None, most: int | None, mint: Address, names: Names) -> str:
    """0 is no bound either."""
    bounds = [
        f"{word} {names.amount(bound, mint)}" for word, bound in (("at least", least), ("at most", most)) if bound
    ]
    return f" ({' and '.join(bounds)} each time)" if bounds else ""


def _close(call: Call, names: Names) -> str:
    user, account, sells, buys = (call.account(index) for index in range(4))
    back, bought = (
        # The program names an account for SOL too, but pays lamports.
        f"{user} as lamports" if mint == SOL_MINT else names.account(to)
        for mint, to in ((sells, call.account(6)), (buys, call.account(7)))
    )
    return (
        f"{user} cancels the recurring order {account}: the {token(sells)} that it still has goes to {back}, "
        f"the {token(buys)} that it bought to {bought}, and the rents go to {user}"
    )


def _deposit(call: Call, names: Names) -> str:
    user, account, _, own = (call.account(index) for index in range(4))
    amount = names.amount(call.fields(DISCRIMINATOR_BYTES).u64(), names.mint_of(own))
    return f"{user} adds {amount} from {names.account(own)} to the recurring order {account}"


def _withdraw(call: Call, names: Names) -> str:
    of = call.fields(DISCRIMINATOR_BYTES)
    units, side = of.u64(), of.u8()
    if side > dca.DcaBalance.OUT:
        raise Unreadable(f"no side {side}")
    user, account, to = call.account(0), call.account(1), call.account(5 + side)
    where = user if to == dca.PROGRAM else names.account(to)
    amount = names.amount(units, call.account(2 + side))
    return f"{user} takes {amount} out of the recurring order {account}, to {where}"


def _initiate_flash_fill(call: Call, names: Names) -> str:
    keeper, account, sells, own = (call.account(index) for index in range(4))
    return (
        f"the keeper {keeper} borrows the {token(sells)} of a cycle from the recurring order {account}, to "
        f"{names.account(own)}, and must repay it further on"
    )


def _fulfill_flash_fill(call: Call, names: Names) -> str:
    repaid = names.amount(call.fields(DISCRIMINATOR_BYTES).u64(), call.account(3))
    keeper, account, fee = call.account(0), call.account(1), call.account(8)
    return (
        f"the keeper {keeper} has brought {repaid} for a cycle of the recurring order {account}, of which the fee goes "
        f"to {names.account(fee)}"
    )


def _transfer(call: Call, names: Names) -> str:
    keeper, account, user, buys, _, to = (call.account(index) for index in range(6))
    where = f"{user} as lamports" if to == dca.PROGRAM else names.account(to)
    return f"the keeper {keeper} pays out the {token(buys)} that the recurring order {account} bought, to {where}"


def _end_and_close(call: Call, names: Names) -> str:
    keeper, account, _, buys = (call.account(index) for index in range(4))
    user, first, second = call.account(6), call.account(7), call.account(8)
    to = next((each for each in (first, second) if each != dca.PROGRAM), None)
    where = f"{user} as lamports" if buys == SOL_MINT or to is None else names.account(to)
    return (
        f"the keeper {keeper} closes the recurring order {account}, which has sold everything: the {token(buys)} that "
        f"it still has goes to {where}, and the rents go to {user}"
    )


def _named(name: str) -> Sentence:
    def sentence(call: Call, names: Names) -> str:
        rest = len(call.data) - DISCRIMINATOR_BYTES
        return f"the instruction {name}, for {names.accounts(call.accounts) or 'no account'}, with {rest} more bytes"

    return sentence


def _instant(seconds: int) -> str:
    """A moment that a calendar has, else the number."""
    if not 0 <= seconds <= SECONDS_MAX:
        return f"second {seconds:,} of the Unix epoch"
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def named_all(names: tuple[str, ...]) -> dict[bytes, Sentence]:
    return {instruction_discriminator(name): _named(name) for name in names}


_TRIGGER: Final[Mapping[bytes, Sentence]] = MappingProxyType(
    {
        limit_order.INITIALIZE_ORDER: _initialize_order,
        limit_order.CANCEL_ORDER: _cancel_order,
        limit_order_fills.FILL_ORDER: _fill_order,
        limit_order_fills.PRE_FLASH_FILL_ORDER: _pre_flash_fill_order,
        limit_order_fills.FLASH_FILL_ORDER: _flash_fill_order,
        limit_order_fills.CANCEL_DUST_ORDER: _cancel_dust_order,
        EVENT_TAG: event,
        **named_all(_UNTOLD),
    }
)
_RECURRING: Final[Mapping[bytes, Sentence]] = MappingProxyType(
    {
        dca.OPEN_DCA: _open,
        dca.OPEN_DCA_V2: _open,
        dca.CLOSE_DCA: _close,
        dca.DEPOSIT: _deposit,
        dca.WITHDRAW: _withdraw,
        dca_cycles.INITIATE_FLASH_FILL: _initiate_flash_fill,
        dca_cycles.FULFILL_FLASH_FILL: _fulfill_flash_fill,
        dca_cycles.TRANSFER: _transfer,
        dca_cycles.END_AND_CLOSE: _end_and_close,
        EVENT_TAG: event,
        **named_all(_UNTOLD_DCA),
    }
)
