"""`python -m benchmarks`: measures everything, bounded in time, and writes `docs/benchmarks.md`."""

import asyncio
import shutil
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from benchmarks import (
    book,
    figures,
    histories,
    keeping,
    layers,
    machine,
    mixed,
    on_chain,
    resting,
    rounds,
    slices,
    sweeps,
)
from benchmarks.report import Measured, written
from benchmarks.venue import serving

_PAGE: Final = Path(__file__).parent.parent / "docs" / "benchmarks.md"
_RUNGS: Final = 9_000


def main() -> None:
    options = _options()
    data = Path(tempfile.mkdtemp(prefix="countermand-bench-", dir=options.data))
    data.chmod(0o711)  # As root, our PostgreSQL may have to be another user.
    measured = Measured()
    try:
        measured.machine = machine.described(data)
        for name, part in _PARTS.items():
            if options.only in (None, name):
                part(measured, data, options.seconds)
    finally:
        shutil.rmtree(data, ignore_errors=True)
    page = written(measured)
    if options.only is None:
        _PAGE.parent.mkdir(exist_ok=True)
        _PAGE.write_text(page, encoding="utf-8")
    print(page)


def _options() -> Namespace:
    parser = ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each load lasts")
    parser.add_argument("--data", type=Path, help="where the databases are put; a disk, since they are synced")
    parser.add_argument(
        "--only",
        choices=tuple(_PARTS),
        help="print one part, write nothing",
    )
    return parser.parse_args()


def _resting(measured: Measured, _data: Path, _seconds: float) -> None:
    for count in (10**3, 10**5, 10**6):
        _say(f"{count} resting orders")
        measured.resting.append(resting.measure(count))


def _mixed(measured: Measured, _data: Path, _seconds: float) -> None:
    for count in (10**5, 10**6):
        _say(f"{count} resting orders of all types")
        measured.mixed.append(mixed.measure(count))


def _starts(measured: Measured, data: Path, _seconds: float) -> None:
    _say("an empty start")
    measured.starts.append(figures.start(data / "empty", 0))


def _creates(measured: Measured, data: Path, seconds: float) -> None:
    _say("creates, and whole lives")
    owners = asyncio.run(figures.begun(data / "creates"))
    with serving(data / "creates") as venue:
        figures.fund(venue, owners)
        measured.creates = figures.creates(venue, owners, seconds)
        measured.lives = figures.lives(venue, owners, seconds)
        venue.settle()
        measured.audit_ok = venue.ask("GET", "/sandbox/audit")["ok"]
    shutil.rmtree(data / "creates")


def _layers(measured: Measured, data: Path, _seconds: float) -> None:
    for layer in layers.LAYERS:
        _say(f"a cancel's time: {layer}")
        measured.layers[layer] = layers.measure(layer, data / layer)
        shutil.rmtree(data / layer)


def _cancels(measured: Measured, data: Path, seconds: float) -> None:
    _say(f"cancels: first {figures.RESTING} open orders are written")
    where = data / "cancels"
    orders = asyncio.run(figures.filled(where, figures.RESTING, 0))
    measured.starts.append(figures.start(where, figures.RESTING))
    with serving(where) as venue:
        _say("cancels")
        measured.cancels = figures.cancels(venue, orders, seconds)
    shutil.rmtree(where)


def _pairs(measured: Measured, data: Path, seconds: float) -> None:
    _say(f"OCO cancels: first {figures.PAIRS} open orders are written")
    where = data / "pairs"
    orders = asyncio.run(figures.paired(where, figures.PAIRS))
    with serving(where) as venue:
        _say("OCO cancels")
        measured.pair_cancels = [figures.pair_cancels(venue, orders, seconds)]
    shutil.rmtree(where)


def _rounds(measured: Measured, data: Path, _seconds: float) -> None:
    _say(f"{rounds.ORDERS} recurring orders that are due within one minute")
    measured.rounds = rounds.measure(data / "rounds")
    shutil.rmtree(data / "rounds")


def _slices(measured: Measured, data: Path, _seconds: float) -> None:
    for what in slices.KINDS:
        _say(f"{slices.ORDERS} orders at once: {what}")
        measured.slices.append(slices.measure(what, data / "slices"))
        shutil.rmtree(data / "slices")


def _fills(measured: Measured, data: Path, seconds: float) -> None:
    """Orders of their own, since a quick machine cancels all that it is given."""
    _say(f"cancels beside fills: first {figures.RESTING} open orders are written")
    where = data / "fills"
    orders = asyncio.run(figures.filled(where, figures.RESTING - _RUNGS, _RUNGS))
    with serving(where) as venue:
        _say("cancels beside fills")
        measured.cancels_beside_fills = figures.cancels_beside_fills(venue, orders, seconds)
    shutil.rmtree(where)


def _book(measured: Measured, data: Path, seconds: float) -> None:
    _say("the book without a server, beside others")
    measured.races = book.races()
    for what in sweeps.KINDS:
        _say(f"order books: {sweeps.ORDERS} at once: {what}")
        measured.sweeps.append(sweeps.measure(what, data / "sweeps"))
        shutil.rmtree(data / "sweeps")
    _say(f"order books: first {figures.RESTING} resting orders are written, and others signed")
    where, drafts = data / "book", sum(figures.BOOK_CREATES.values())
    orders, signed = asyncio.run(figures.traded(where, figures.RESTING, drafts))
    measured.book_starts.append(figures.start(where, figures.RESTING))
    with serving(where) as venue:
        _say("order books: cancels")
        measured.book_cancels = figures.book_cancels(venue, orders, seconds)
        _say("order books: creates")
        measured.book_creates = figures.book_creates(venue, signed, seconds)
        measured.book_audit_ok = venue.ask("GET", "/sandbox/audit")["ok"]
    shutil.rmtree(where)


def _on_chain(measured: Measured, data: Path, _seconds: float) -> None:
    _say("orders on the chain")
    measured.listing = on_chain.measure(data / "on-chain")
    shutil.rmtree(data / "on-chain")


def _histories(measured: Measured, data: Path, _seconds: float) -> None:
    _say(f"the index of orders on the chain: {histories.TRANSACTIONS} transactions, {histories.TRADES} trades")
    measured.histories = histories.measure(data / "histories")
    shutil.rmtree(data / "histories")


def _keeping(measured: Measured, data: Path, seconds: float) -> None:
    _say(f"the keeper: {keeping.PLANS} recurring orders that are due")
    measured.kept = keeping.measure(data / "keeping", seconds)
    shutil.rmtree(data / "keeping")


def _say(what: str) -> None:
    print(time.strftime("%H:%M:%S"), what, flush=True)


_PARTS: Final[Mapping[str, Callable[[Measured, Path, float], None]]] = {
    "resting": _resting,
    "mixed": _mixed,
    "starts": _starts,
    "creates": _creates,
    "layers": _layers,
    "cancels": _cancels,
    "pairs": _pairs,
    "rounds": _rounds,
    "slices": _slices,
    "fills": _fills,
    "book": _book,
    "on-chain": _on_chain,
    "histories": _histories,
    "keeping": _keeping,
}


if __name__ == "__main__":
    main()
