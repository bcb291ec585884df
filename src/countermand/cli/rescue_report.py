"""What `countermand rescue` prints: for people a table and a sentence, for programs a line of JSON."""

import base64
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from countermand.rescue.cancels import Cancel, Returned
from countermand.rescue.orders import Unfit
from countermand.rescue.rescue import Printed, Rehearsed, RescuePlan, Verdict
from countermand.rescue.sending import End, Ended, Total
from countermand.solana.port import Address
from countermand.solana.tokens import KNOWN_SYMBOLS, ui_amount

INCOMPLETE: Final = 1
_SOL_DECIMALS: Final = 9
_WIDTH_OF_A_FILE: Final = 200
_IN_VAULTS: Final = (
    "Orders of Trigger v2 lie in vaults whose keys Jupiter's servers hold: no chain tells of them, and they are "
    "cancelled by their API alone."
)


class WireReturned(msgspec.Struct, rename="camel"):
    """`units`: base units, decimal. `amount`: the same in the token's own units; null: its mint could not be read."""

    mint: str
    units: str
    amount: str | None


class WireOrder(msgspec.Struct, rename="camel", omit_defaults=True):
    order: str
    family: str
    input_mint: str
    output_mint: str
    created_at_s: int
    returns: list[WireReturned]
    rent_lamports: str
    creates_accounts: list[str]
    verdict: str
    reason: str | None = None


class WireUnfit(msgspec.Struct):
    account: str
    why: str
    reason: str


class WireOlder(msgspec.Struct, omit_defaults=True):
    """`count` null: not counted, and `reason` says why."""

    program: str
    name: str
    count: int | None
    accounts: list[str]
    reason: str | None = None


class WirePayer(msgspec.Struct, rename="camel"):
    """`feeLamports`: all fees together; more than `feeLamportsMax` are not sent."""

    wallet: str
    held_lamports: str
    needed_lamports: str
    fee_lamports: str
    fee_lamports_max: str


class Wire(msgspec.Struct, rename="camel"):
    """A transaction for another wallet: base64, and the last block height at which it can land."""

    orders: list[str]
    transaction: str
    last_valid_block_height: int


class WireEnded(msgspec.Struct, rename="camel", omit_defaults=True):
    order: str
    end: str
    signature: str | None = None
    reason: str | None = None


class WireTotal(msgspec.Struct, rename="camel"):
    returned: list[WireReturned]
    lamports: str
    fee_lamports: str


class RescueReport(msgspec.Struct, rename="camel", omit_defaults=True):
    """`ok`: nothing stands in the way, or nothing stood. `total` is absent if the node did not show all of it."""

    ok: bool
    owner: str
    orders: list[WireOrder]
    other_accounts: list[WireUnfit]
    cannot_be_rescued: list[WireOlder]
    payer: WirePayer
    transactions: list[Wire] | None = None
    ended: list[WireEnded] | None = None
    total: WireTotal | None = None


class Renewed(msgspec.Struct):
    transactions: list[Wire]


def status_of(plan: RescuePlan) -> int:
    return 0 if plan.is_complete else INCOMPLETE


def show_plan(plan: RescuePlan, *, as_json: bool = False) -> None:
    if as_json:
        _print_json(_report(plan, ok=plan.is_complete))
        return
    console = _console()
    if plan.rehearsed:
        console.print(table_of(plan.rehearsed))
    for sentence in _sentences(plan):
        _say(console, sentence)


def show_printed(plan: RescuePlan, wires: list[Wire], *, as_json: bool) -> None:
    if as_json:
        found = _report(plan, ok=plan.is_complete)
        found.transactions = wires
        _print_json(found)
        return
    show_plan(plan)
    _show_wires(wires)


def show_renewed(wires: list[Wire], *, as_json: bool) -> None:
    if as_json:
        _print_json(Renewed(wires))
    else:
        _show_wires(wires)


def show_ended(plan: RescuePlan, ended: Sequence[Ended], total: Total | None, *, as_json: bool) -> int:
    """And the exit status."""
    left = any(each.end in (End.FAILED, End.UNKNOWN) for each in ended)
    ok = not (left or any(each.why.is_complaint for each in plan.unfit))
    if as_json:
        found = _report(plan, ok=ok)
        found.ended = [WireEnded(each.order, each.end.value, each.signature, each.reason) for each in ended]
        found.total = None if total is None else _wire_total(total)
        _print_json(found)
    else:
        _show_ends(ended, total, plan)
    return 0 if ok else INCOMPLETE


def wire_of(printed: Printed, transaction: bytes) -> Wire:
    return Wire(list(printed.orders), base64.b64encode(transaction).decode(), printed.last_valid_height)


def shortage(plan: RescuePlan) -> str:
    missing = plan.needed - plan.held
    return (
        f"{plan.payer} holds {_sol(plan.held)} SOL, and {_sol(plan.needed)} SOL are needed for fees and new accounts: "
        f"send it {_sol(missing)} SOL more, or let another wallet pay by --payer KEYFILE; nothing was sent"
    )


def dearness(plan: RescuePlan) -> str:
    most = f"{_sol(plan.fees_max)} SOL {'come back for closed accounts' if plan.fees_allowed is None else 'may be'}"
    return (
        f"the fees would be {_sol(plan.fees)} SOL, and {most}: give a smaller --unit-price, or allow the fees by "
        f"--fees-max {plan.fees}; nothing was sent"
    )


# --- for people


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH_OF_A_FILE)


def _say(console: Console, sentence: str) -> None:
    console.print(sentence, markup=False, soft_wrap=True)


def table_of(rehearsed: Sequence[Rehearsed]) -> Table:
    """Every column is whole on a narrow terminal: what is long goes on in the next line."""
    table = Table(box=None)
    table.add_column("kind", no_wrap=True)
    table.add_column("comes back", justify="right", overflow="fold")
    table.add_column("rent, SOL", justify="right", no_wrap=True)
    table.add_column("cancel", no_wrap=True)
    table.add_column("order", overflow="fold")
    for each in rehearsed:
        cancel = each.cancel
        came = "\n".join(map(_amount, cancel.returns)) or "nothing"
        table.add_row(cancel.order.family.value, came, _sol(cancel.rent), each.verdict.value, cancel.order.address)
    return table


def _sentences(plan: RescuePlan) -> Iterator[str]:
    for each in plan.rehearsed:
        if each.reason is not None:
            yield f"{each.cancel.order.address}: {each.reason}."
    for unfit in plan.unfit:
        yield f"{unfit.address} is left out: {unfit.reason}."
    if plan.rehearsed:
        yield f"{_many(len(plan.rehearsed), 'order')}, {_many(len(plan.prepared), 'transaction')}. {_all_of(plan)}"
    else:
        yield f"{plan.owner} has no open orders there."
    if plan.prepared:
        yield f"Fees: {_sol(plan.fees)} SOL in all, paid by {plan.payer}."
    if plan.is_dear:
        yield f"TOO DEAR: {dearness(plan)}."
    if plan.held < plan.needed:
        yield f"{shortage(plan)}."
    for counted in plan.counted:
        program = f"{counted.older.name} ({counted.older.program})"
        if counted.addresses is None:
            yield f"Not counted: {program}: {counted.reason}."
        elif counted.addresses:
            yield f"Cannot be rescued: {len(counted.addresses)} {program}: {', '.join(counted.addresses)}."
    yield _IN_VAULTS


def _all_of(plan: RescuePlan) -> str:
    cancels = [each.cancel for each in plan.rehearsed if each.verdict is not Verdict.FAILS]
    if not cancels:
        return "None of them can be cancelled now."
    rent = f"{_sol(sum(each.rent for each in cancels))} SOL of rent"
    return f"What comes back to {plan.owner}: {', '.join([*map(_amount, _summed(cancels)), rent])}."


def _show_wires(wires: Sequence[Wire]) -> None:
    for number, wire in enumerate(wires, start=1):
        orders = _many(len(wire.orders), "order")
        until = f"lives until block height {wire.last_valid_block_height}"
        print(f"\nTransaction {number} of {len(wires)}, {orders}, {until}:\n{wire.transaction}")


def _show_ends(ended: Sequence[Ended], total: Total | None, plan: RescuePlan) -> None:
    console = _console()
    for each in ended:
        said = ": ".join(part for part in (each.signature, each.reason) if part is not None)
        _say(console, f"{each.end.value:>8}  {each.order}  {said}")
    for unfit in plan.unfit:
        _say(console, f"{'left out':>8}  {unfit.address}  {unfit.reason}")
    counts = ", ".join(f"{many} {end.value}" for end in End if (many := sum(each.end is end for each in ended)))
    others = f" {_many(len(plan.unfit), 'other account')} left out." if plan.unfit else ""
    _say(console, f"{_many(len(ended), 'order')}: {counts}.{others}" if ended else f"Nothing was to be sent.{others}")
    if total is None:
        _say(console, "The node does not show all that landed, so what came back is not told.")
    elif total.returned or total.lamports:
        came = ", ".join([*map(_amount, total.returned), f"{_sol(total.lamports)} SOL"])
        _say(console, f"What came back to {plan.owner}: {came}. Fees: {_sol(total.fees)} SOL, paid by {plan.payer}.")


def _summed(cancels: Sequence[Cancel]) -> list[Returned]:
    found: dict[Address, Returned] = {}
    for cancel in cancels:
        for each in cancel.returns:
            before = found.get(each.mint)
            units = each.units + (0 if before is None else before.units)
            found[each.mint] = Returned(each.mint, units, each.decimals)
    return list(found.values())


def _amount(returned: Returned) -> str:
    name = KNOWN_SYMBOLS.get(returned.mint) or returned.mint
    if returned.decimals is None:
        return f"{returned.units} units of {name}"
    return f"{ui_amount(returned.units, returned.decimals)} {name}"


def _sol(lamports: int) -> str:
    return ui_amount(lamports, _SOL_DECIMALS)


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


# --- for programs


def _report(plan: RescuePlan, *, ok: bool) -> RescueReport:
    return RescueReport(
        ok=ok,
        owner=plan.owner,
        orders=[_wire_order(each) for each in plan.rehearsed],
        other_accounts=[_wire_unfit(each) for each in plan.unfit],
        cannot_be_rescued=[
            WireOlder(
                each.older.program,
                each.older.name,
                None if each.addresses is None else len(each.addresses),
                list(each.addresses or ()),
                each.reason,
            )
            for each in plan.counted
        ],
        payer=WirePayer(plan.payer, str(plan.held), str(plan.needed), str(plan.fees), str(plan.fees_max)),
    )


def _wire_order(rehearsed: Rehearsed) -> WireOrder:
    cancel = rehearsed.cancel
    return WireOrder(
        order=cancel.order.address,
        family=cancel.order.family.value,
        input_mint=cancel.order.input_mint,
        output_mint=cancel.order.output_mint,
        created_at_s=cancel.order.created_at_s,
        returns=list(map(_wire_returned, cancel.returns)),
        rent_lamports=str(cancel.rent),
        creates_accounts=[each.to for each in cancel.creates if each.to is not None],
        verdict=rehearsed.verdict.value,
        reason=rehearsed.reason,
    )


def _wire_unfit(unfit: Unfit) -> WireUnfit:
    return WireUnfit(unfit.address, unfit.why.value, unfit.reason)


def _wire_returned(returned: Returned) -> WireReturned:
    amount = None if returned.decimals is None else ui_amount(returned.units, returned.decimals)
    return WireReturned(returned.mint, str(returned.units), amount)


def _wire_total(total: Total) -> WireTotal:
    return WireTotal(list(map(_wire_returned, total.returned)), str(total.lamports), str(total.fees))


def _print_json(value: RescueReport | Renewed) -> None:
    print(msgspec.json.encode(value).decode())
