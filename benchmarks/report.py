"""`docs/benchmarks.md`, from what was measured and from the notes that people keep in `notes.md`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.book import COUNT, RUNS, WITH_MONEY, Race, Score, report
from benchmarks.figures import FILLS_PER_SECOND, PAIRS, Beside, Lifecycles, Start
from benchmarks.histories import Histories
from benchmarks.keeping import Kept
from benchmarks.layers import LAYERS, TASKS
from benchmarks.mixed import KINDS, Mixed
from benchmarks.on_chain import Listing
from benchmarks.resting import CROSSED, Resting
from benchmarks.rounds import Rounds
from benchmarks.slices import KINDS as SLICED
from benchmarks.slices import Slices
from benchmarks.sweeps import KINDS as SWEPT
from benchmarks.sweeps import Sweep
from countermand.kernel.shard import PER_SLICE
from countermand.orders.book.model.exchange import ORDERS_PER_TURN
from countermand.orders.trigger.model.live_orders import ORDERS_PER_SLICE

_NOTES: Final = Path(__file__).with_name("notes.md")
_MIB: Final = 1 << 20
_CANCELS: Final = """\
`POST /trigger/v2/orders/price/cancel/{id}`, as Node's fetch sends it: each of an order of its own, from 2,000 wallets,
among 10⁵ open orders. It crafts the withdrawal, and answers when PostgreSQL has it on disk."""
_FILLS: Final = f"""\
A rising price crosses {FILLS_PER_SECOND} orders a second; each is swapped in a transaction on chain."""
_CREATES: Final = """\
`POST /trigger/v2/orders/price` with a deposit that was crafted and signed before: commits the order, lands the deposit
on chain, commits that, and answers."""
_LIVES: Final = """\
Each step is a request that is answered when it is on disk, and each transaction runs in the virtual machine. The ratio
is to one thread of a bare LiteSVM that verifies, simulates and executes the same transactions, and stores nothing."""
_MEMORY: Final = """\
A tick is a whole turn of the engine: what is due, the price, the decision, and the journal entry if there is one.
Memory is the growth of a child process's resident set."""
_PAIRS: Final = f"""\
The same of OCO orders, among {PAIRS:,} of them and no others."""
_MIXED: Final = f"""\
The same of orders of all types: {", ".join(KINDS)}, as many of each. The parent of an OTOCO waits below, and those that
trail were placed at a thousand prices while the market fell. A *new high* crosses nothing, and moves the watermark of
all that trail, which is an entry of the journal; its p99 is of 2,000, the first of which merges all that trail. The
crossing is a falling price, over orders of every type that waits below."""
_ROUNDS: Final = """\
The venue's clock is set forward by an hour, and all of them are due, each at an instant of its own within one minute.
The shard and its outbox run on PostgreSQL, without HTTP; a liquidity refuses every swap, so no chain is asked. A round
is two entries of the journal: it begins, and it is postponed."""
_SLICES: Final = f"""\
They are decided in slices of at most {ORDERS_PER_SLICE}, each committed by PostgreSQL, without HTTP and outbox. What
the loop is held is the processor's time of its thread between two turns, garbage collection included, of the turns that
did something. A cancel of another order is asked for every ten milliseconds meanwhile."""
_RACES: Final = f"""\
{COUNT:,} operations from a fixed seed, 40 % of them cancels of a random live order, four fifths of the others resting
near a wandering mid, one fifth crossing. The same for every book, each in a process of its own; medians of {RUNS}
runs. "Ours" takes the path of the venue, which says what happens before it happens; "with money" is the venue's whole
turn, with holds, fees and balances, which no peer has; "in one step" is a shorter path that the venue does not take."""
_BOOK_CANCELS: Final = """\
`POST /sapi/v1/orders/cancel/`, as tanX's Python client sends it: each of an order of its own, from 500 users, among 10⁵
resting orders. It answers when PostgreSQL has it on disk."""
_BOOK_CREATES: Final = """\
`POST /sapi/v1/orders/create/` of orders that were drafted and signed before: verifies the Stark signature, locks the
money, puts the order into the book, and answers when PostgreSQL has it on disk."""
_SWEEPS: Final = f"""\
An order goes on in a turn of its own after {ORDERS_PER_TURN} makers. A turn triggers as many stops, and each has a turn
to enter the book. So many turns as make {PER_SLICE} events are a slice with its commit, on PostgreSQL, without
HTTP. What the loop is held is the processor's time of its thread between two turns of the loop, of those that
did something."""
_STARTS: Final = """\
From exec until `/health/ready` says yes. The server's memory an order includes the order's account on the embedded
chain."""


@dataclass(slots=True)
class Measured:
    """Everything that a run has found. What was not asked for is empty."""

    machine: list[tuple[str, str]] = field(default_factory=list)
    cancels: list[Beside] = field(default_factory=list)
    cancels_beside_fills: list[Beside] = field(default_factory=list)
    creates: list[Beside] = field(default_factory=list)
    lives: list[Lifecycles] = field(default_factory=list)
    resting: list[Resting] = field(default_factory=list)
    mixed: list[Mixed] = field(default_factory=list)
    pair_cancels: list[Beside] = field(default_factory=list)
    rounds: Rounds | None = None
    slices: list[Slices] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    races: list[Race] = field(default_factory=list)
    sweeps: list[Sweep] = field(default_factory=list)
    book_cancels: list[Beside] = field(default_factory=list)
    book_creates: list[Beside] = field(default_factory=list)
    book_starts: list[Start] = field(default_factory=list)
    book_audit_ok: bool | None = None
    listing: Listing | None = None
    histories: Histories | None = None
    kept: Kept | None = None
    layers: dict[str, float] = field(default_factory=dict)
    """Microseconds of the loop's thread for one cancel, by layer."""
    audit_ok: bool | None = None


def written(measured: Measured) -> str:
    introduction = (
        "# Benchmarks\n\n`make bench` measured these and wrote this page. Absolute figures belong to the machine; "
        "what travels is the ratio to the *echo*: the shortest program that Granian can serve, one "
        "RSGI worker that gives a small JSON body back, measured right before and right after, as often at a time."
    )
    parts = [
        introduction,
        _table(("machine", ""), measured.machine),
        "## What was to be reached\n\n" + _table(("figure", "wanted", "measured", ""), list(_verdicts(measured))),
        _http(measured),
        _book(measured),
        _layers(measured),
        _on_chain(measured),
        _slices(measured),
        _rounds(measured),
        _memory(measured),
        _NOTES.read_text(encoding="utf-8").strip(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


# --- the verdicts


def _verdicts(measured: Measured) -> Iterable[tuple[str, ...]]:
    for each in measured.cancels:
        if each.figure.connections == 256:
            yield _verdict("durable cancel, 256 connections, of the echo", "≥ 0.18", each.ratio, each.ratio >= 0.18)
        if each.figure.connections == 32:
            p99 = each.figure.p99_ms
            yield _verdict("its p99 at 32 connections, the chain idle", "< 15 ms", f"{p99:.1f} ms", p99 < 15)
    for each in measured.cancels_beside_fills:
        if each.figure.connections == 32:
            p99, fills = each.figure.p99_ms, each.fills_per_second
            name = f"the same beside {fills:.0f} fills/s ({FILLS_PER_SECOND} asked for)"
            yield _verdict(name, "< 40 ms", f"{p99:.1f} ms", p99 < 40)
    for life in measured.lives:
        if life.ratio is not None:
            yield _verdict(f"{life.name}, of a bare LiteSVM", "≥ 0.15", life.ratio, life.ratio >= 0.15)
    yield from _tick_verdicts(measured)
    for mixed in measured.mixed:
        tick = mixed.tick_p50_us
        name = f"a tick that crosses none of {_power(mixed.orders)} orders of all types"
        yield _verdict(name, "< 20 µs", f"{tick:.1f} µs", tick < 20)
    if measured.rounds is not None:
        held = measured.rounds.held_p99
        name = f"the loop held while {_power(measured.rounds.orders)} rounds are due, p99"
        yield _verdict(name, "< 10 ms", f"{held:.1f} ms", held < 10)
    for sliced in measured.slices:
        name = f"the loop held while {_power(sliced.orders)} orders are decided: {SLICED[sliced.what]}, p99"
        yield _verdict(name, "≤ 5 ms", f"{sliced.held_p99:.1f} ms", sliced.held_p99 <= 5)
        yield _verdict("the same, p99.9", "≤ 10 ms", f"{sliced.held_p999:.1f} ms", sliced.held_p999 <= 10)
        yield _verdict("a cancel meanwhile, p99", "≤ 30 ms", f"{sliced.cancel_p99:.1f} ms", sliced.cancel_p99 <= 30)
    yield from _book_verdicts(measured)
    if measured.listing is not None:
        yield _listing_verdict(measured.listing)
    if measured.histories is not None:
        caught_up = measured.histories.catch_up_s
        name = f"the index catches up with {_power(measured.histories.transactions)} transactions"
        yield _verdict(name, "< 60 s", f"{caught_up:.1f} s", caught_up < 60)
    for start in measured.starts:
        wanted = 5 if start.orders else 3
        name = f"ready with {_power(start.orders)} open orders" if start.orders else "ready, empty"
        yield _verdict(name, f"< {wanted} s", f"{start.ready_s:.2f} s", start.ready_s < wanted)


def _tick_verdicts(measured: Measured) -> Iterable[tuple[str, ...]]:
    ticks = {each.orders: each.tick_p50_us for each in measured.resting}
    if 10**6 in ticks:
        yield _verdict("a tick that crosses none of 10⁶ orders", "< 20 µs", f"{ticks[10**6]:.1f} µs", ticks[10**6] < 20)
    if {10**3, 10**6} <= ticks.keys():
        factor = ticks[10**6] / ticks[10**3]
        yield _verdict("the same, of what it costs with 10³", "≤ 2", factor, factor <= 2)
    for each in measured.resting:
        if each.orders >= 10**5:
            weight = each.bytes_an_order
            yield _verdict(
                f"memory a resting order, of {_power(each.orders)}", "< 1 KB", f"{weight:.0f} bytes", weight < 1024
            )


def _listing_verdict(found: Listing) -> tuple[str, ...]:
    name = f"open orders of a maker among {_power(found.orders)} on the chain, p99"
    return _verdict(name, "milliseconds", f"{found.p99_ms:.2f} ms", found.p99_ms < 5)


def _book_verdicts(measured: Measured) -> Iterable[tuple[str, ...]]:
    for race in measured.races:
        rate, best = race.scores[0].cpu_rate, _best_peer(race)
        where = f"the book's core, {race.depth:,} orders resting"
        yield _verdict(f"{where}, operations/s", "≥ 500,000", f"{rate:,.0f}", rate >= 500_000)
        money = next(score for score in race.scores if score.name == WITH_MONEY)
        yield f"{where}, the whole turn with money, operations/s", "", f"{money.cpu_rate:,.0f}", ""
        yield _verdict(f"{where}, of {best.name}", "≥ 10", f"{rate / best.cpu_rate:.1f}", rate >= 10 * best.cpu_rate)
    for sweep in measured.sweeps:
        name = f"the loop held by {sweep.orders:,} {sweep.what}: {SWEPT[sweep.what]}, p99"
        yield _verdict(name, "≤ 10 ms", f"{sweep.held_p99:.1f} ms", sweep.held_p99 <= 10)
    for each in measured.book_cancels:
        if each.figure.connections == 256:
            yield _verdict("tanX cancel, 256 connections, of the echo", "≥ 0.18", each.ratio, each.ratio >= 0.18)
        if each.figure.connections == 32:
            p99 = each.figure.p99_ms
            yield _verdict("its p99 at 32 connections", "< 15 ms", f"{p99:.1f} ms", p99 < 15)
    for start in measured.book_starts:
        name = f"ready with {_power(start.orders)} orders in the books"
        yield _verdict(name, "< 5 s", f"{start.ready_s:.2f} s", start.ready_s < 5)


def _verdict(name: str, wanted: str, found: float | str, reached: bool) -> tuple[str, ...]:
    return name, wanted, found if isinstance(found, str) else f"{found:.2f}", "yes" if reached else "**no**"


def _best_peer(race: Race) -> Score:
    """The quickest that did all of the operations in its time."""
    peers = [score for score in race.scores if not score.name.startswith("ours") and score.done == COUNT]
    return max(peers, key=lambda score: score.cpu_rate)


# --- the tables


def _http(measured: Measured) -> str:
    sections = (
        ("Durable cancels", _CANCELS, measured.cancels),
        ("Durable cancels of an OCO", _PAIRS, measured.pair_cancels),
        ("The same cancels beside fills", _FILLS, measured.cancels_beside_fills),
        ("Durable creates", _CREATES, measured.creates),
    )
    parts = ["## Over HTTP, to disk"]
    for title, text, rows in sections:
        if rows:
            parts.append(f"### {title}\n\n{text}\n\n{_besides(rows)}")
    if measured.lives:
        parts.append(_lives(measured))
    return "\n\n".join(parts) if len(parts) > 1 else ""


def _besides(rows: Sequence[Beside]) -> str:
    fills = any(row.fills_per_second for row in rows)
    head = [
        "connections",
        "requests/s",
        "p50",
        "p99",
        "longest",
        "echo/s",
        "ratio",
        "of the CPU¹",
        "generator's ceiling",
    ]
    table = [
        [
            str(row.figure.connections),
            f"{row.figure.per_second:,.0f}",
            *(f"{ms:.1f} ms" for ms in (row.figure.p50_ms, row.figure.p99_ms, row.figure.max_ms)),
            f"{row.echo_per_second:,.0f}",
            f"{row.ratio:.3f}",
            f"{row.cpu_ratio:.3f}",
            f"{row.echo_ceiling:,.0f}/s",
            *([f"{row.fills_per_second:.0f}"] if fills else []),
        ]
        for row in rows
    ]
    costs = ", ".join(f"{row.cpu_us:.0f} µs at {row.figure.connections}" for row in rows)
    note = f"¹ The processor's time of an echo over that of the venue's process, which was {costs}."
    return _table([*head, *(["fills/s"] if fills else [])], table) + "\n\n" + note


def _book(measured: Measured) -> str:
    parts = []
    if measured.races:
        parts.append(f"### The core, without I/O\n\n{_RACES}\n\n{report(measured.races)}")
    if measured.sweeps:
        parts.append(_sweeps(measured.sweeps))
    sections = (
        ("Durable cancels", _BOOK_CANCELS, measured.book_cancels),
        ("Durable creates", _BOOK_CREATES, measured.book_creates),
    )
    for title, text, rows in sections:
        if rows:
            parts.append(f"### {title}\n\n{text}\n\n{_besides(rows)}")
    for start in measured.book_starts:
        size = f"{start.resident_bytes / _MIB:.0f} MiB"
        orders = f"{_power(start.orders)} orders in the books"
        parts.append(f"### Recovery\n\nWith {orders}: ready after {start.ready_s:.2f} s, with {size} resident.")
    if measured.book_audit_ok is not None:
        found = "found no difference" if measured.book_audit_ok else "**found differences**"
        parts.append(f"Afterwards the audit {found}.")
    return "\n\n".join(["## The order books", *parts]) if parts else ""


def _sweeps(found: Sequence[Sweep]) -> str:
    rows = [
        (
            f"{each.orders:,}: {SWEPT[each.what]}",
            f"{each.seconds:.2f} s",
            *(f"{ms:.1f} ms" for ms in (each.held_p99, each.held_max)),
        )
        for each in found
    ]
    table = _table(("makers, or stops", "in all", "loop held, p99", "longest"), rows)
    return f"### Very many makers, or stops, at once\n\n{_SWEEPS}\n\n{table}"


def _on_chain(measured: Measured) -> str:
    parts: list[str] = []
    if (found := measured.listing) is not None:
        parts.append(
            f"The {found.of_one} open orders of one maker, read from the embedded chain among {_power(found.orders)} "
            f"of others, without HTTP: {found.p50_ms:.2f} ms (p50), {found.p99_ms:.2f} ms (p99)."
        )
    if (told := measured.histories) is not None:
        rate = told.transactions / told.catch_up_s
        parts.append(
            f"The index, of which nothing is left, catches up with {_power(told.transactions)} transactions in "
            f"{told.catch_up_s:.1f} s ({rate:,.0f}/s), while nothing else is done. A page of ten closed orders among "
            f"{_power(told.trades)} trades, without HTTP: {told.p50_ms:.1f} ms (p50), {told.p99_ms:.1f} ms (p99)."
        )
    if (kept := measured.kept) is not None:
        parts.append(
            f"The keeper, without HTTP: {kept.fills:,.0f} fills a second of orders that one price allows, beside "
            f"{kept.cancels:,.0f} cancels a second that their makers send; {kept.cycles:,.0f} cycles a second of "
            f"{_power(kept.plans)} recurring orders that are all due. Each is a transaction that the programs execute "
            "and PostgreSQL has on disk."
        )
    return "\n\n".join(["## Orders on the chain", *parts]) if parts else ""


def _layers(measured: Measured) -> str:
    if not measured.layers:
        return ""
    rows = [(layer, LAYERS[layer], f"{took:.0f} µs") for layer, took in measured.layers.items()]
    text = (
        f"The processor's time of the loop's thread for one cancel, {TASKS} tasks at a time, without a socket: no "
        "profiler is on. `engine` contains `craft` and `turn`, and each one after it contains the one before. What the "
        "venue needs beyond the gateway is its server's."
    )
    return f"## Where a cancel's time goes\n\n{text}\n\n{_table(('layer', 'what it adds', 'in all'), rows)}"


def _lives(measured: Measured) -> str:
    rows = [
        (
            each.name,
            str(each.connections),
            f"{each.per_second:,.0f}",
            str(each.lives),
            "" if each.bare_per_second is None else f"{each.bare_per_second:,.0f}/s",
            "" if each.ratio is None else f"{each.ratio:.3f}",
        )
        for each in measured.lives
    ]
    audit = {True: "Afterwards the audit found no difference.", False: "**The audit found differences.**", None: ""}
    table = _table(("life", "connections", "lives/s", "lives", "bare LiteSVM", "ratio"), rows)
    return f"### Whole lives on chain\n\n{_LIVES} {audit[measured.audit_ok]}\n\n{table}"


def _slices(measured: Measured) -> str:
    if not measured.slices:
        return ""
    rows = [
        (
            f"{_power(found.orders)}: {SLICED[found.what]}",
            f"{found.seconds:.1f} s",
            *(f"{ms:.1f} ms" for ms in (found.held_p99, found.held_p999, found.held_max)),
            *(f"{ms:.0f} ms" for ms in (found.cancel_p50, found.cancel_p99)),
        )
        for found in measured.slices
    ]
    head = ("orders", "in all", "loop held, p99", "p99.9", "longest", "a cancel, p50", "p99")
    return f"## Very many orders at once\n\n{_SLICES}\n\n{_table(head, rows)}"


def _rounds(measured: Measured) -> str:
    found = measured.rounds
    if found is None:
        return ""
    row = [
        _power(found.orders),
        f"{found.per_second:,.0f}",
        f"{found.decided:,} in {found.seconds:.1f} s",
        *(f"{ms:.1f} ms" for ms in (found.held_p99, found.held_p999, found.held_max)),
    ]
    head = ("recurring orders", "rounds/s", "decided", "loop held, p99", "p99.9", "longest")
    return f"## Recurring orders that are due at once\n\n{_ROUNDS}\n\n{_table(head, [row])}"


def _mixed(measured: Measured) -> str:
    rows = [
        (
            _power(each.orders),
            f"{each.tick_p50_us:.1f} µs",
            f"{each.tick_p99_us:.1f} µs",
            f"{each.extremum_p50_us:.0f} µs",
            f"{each.extremum_p99_us:.0f} µs",
            f"{each.crossing_ms:.0f} ms",
            f"{each.bytes_an_order:.0f} bytes",
        )
        for each in measured.mixed
    ]
    crossing = f"crossing {_power(CROSSED)}"
    head = ("resting orders", "tick, p50", "p99", "new high, p50", "p99", crossing, "memory an order")
    return f"### Orders of all types\n\n{_MIXED}\n\n{_table(head, rows)}"


def _memory(measured: Measured) -> str:
    if not measured.resting and not measured.starts and not measured.mixed:
        return ""
    resting = [
        (
            _power(each.orders),
            f"{each.tick_p50_us:.1f} µs",
            f"{each.tick_p99_us:.1f} µs",
            "" if each.crossing_ms is None else f"{each.crossing_ms:.0f} ms",
            f"{each.bytes_an_order:.0f} bytes",
        )
        for each in measured.resting
    ]
    empty = next((start for start in measured.starts if not start.orders), None)
    starts = [
        (
            _power(start.orders) if start.orders else "none",
            f"{start.ready_s:.2f} s",
            f"{start.resident_bytes / _MIB:.0f} MiB",
            f"{(start.resident_bytes - empty.resident_bytes) / start.orders:.0f} bytes"
            if start.orders and empty
            else "",
        )
        for start in measured.starts
    ]
    head = ("resting orders", "tick, p50", "p99", f"crossing {_power(CROSSED)}", "memory an order")
    starts_head = ("open orders", "ready after", "resident", "an order")
    parts = [f"## In memory\n\n{_MEMORY}\n\n{_table(head, resting)}"] if resting else []
    if measured.mixed:
        parts.append(_mixed(measured))
    if starts:
        parts.append(f"## Starts\n\n{_STARTS}\n\n{_table(starts_head, starts)}")
    return "\n\n".join(parts)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _power(count: int) -> str:
    power = len(str(count)) - 1
    assert count == 10**power, f"{count} is no power of ten"
    return "10" + str(power).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
