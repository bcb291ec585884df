"""What is measured over HTTP, and how."""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from benchmarks import bare_machine, journeys, requests
from benchmarks.book_loader import Resting, trading
from benchmarks.driving import Figure, collect, drive
from benchmarks.loader import Open, Owner, filling, ladder, pairs, resting
from benchmarks.venue import Venue, echoing, serving
from countermand.services.tokens import JUP, SOL, USDC

T = TypeVar("T")

CONNECTIONS: Final = (1, 32, 256)
FILLS_PER_SECOND: Final = 500
RESTING: Final = 100_000
PAIRS: Final = 30_000
"""More than a machine cancels in the time of a load."""
PAIR_CONNECTIONS: Final = 32

_ECHO_S: Final = 2.0
_PRICE_EVERY_S: Final = 0.1
_CRAFTERS: Final = 32
_YEAR_MS: Final = 365 * 24 * 3_600_000
_SHARES: Final = {1: 1, 32: 4, 256: 6}
"""How the orders are dealt out to the runs. A machine that is quick enough to cancel its share ends its run early."""
BOOK_CREATES: Final = {1: 2_000, 32: 8_000, 256: 8_000}
_FUNDS: Final = str(10**13)
_CREATES: Final = {1: 500, 32: 3_000, 256: 3_500}
"""A crafted deposit lives for a minute, so these must be crafted, signed and created in less."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A figure of the venue, and of the peer right before and after."""

    figure: Figure
    echo_per_second: float
    echo_ceiling: float
    cpu_us: float
    """Of the venue's process (without PostgreSQL), a request."""
    echo_cpu_us: float
    fills_per_second: float = 0.0

    @property
    def ratio(self) -> float:
        return self.figure.per_second / self.echo_per_second

    @property
    def cpu_ratio(self) -> float:
        """The same by the processor's time: what it would be if nothing else used the machine."""
        return self.echo_cpu_us / self.cpu_us


@dataclass(frozen=True, slots=True)
class Start:
    orders: int
    ready_s: float
    resident_bytes: int


@dataclass(frozen=True, slots=True)
class Lifecycles:
    """Whole lives of orders, on chain."""

    name: str
    connections: int
    lives: int
    seconds: float
    bare_per_second: float | None = None
    """Of a bare virtual machine, for the same transactions."""

    @property
    def per_second(self) -> float:
        return self.lives / self.seconds

    @property
    def ratio(self) -> float | None:
        return None if self.bare_per_second is None else self.per_second / self.bare_per_second


# --- the peer


def _beside(connections: int, run: Callable[[], tuple[Figure, float]], fills: Callable[[], float]) -> Beside:
    """`run` answers its figure, and the seconds of the processor that the venue used for it."""
    before = _echo(connections)
    figure, cpu_s = run()
    after = _echo(connections)
    return Beside(
        figure=figure,
        echo_per_second=(before[0] + after[0]) / 2,
        echo_ceiling=min(before[1], after[1]),
        cpu_us=cpu_s * 1e6,
        echo_cpu_us=(before[2] + after[2]) / 2 * 1e6,
        fills_per_second=fills(),
    )


def _echo(connections: int) -> tuple[float, float, float]:
    """Requests a second, the generator's ceiling, and the processor's seconds a request."""
    processes = 1
    while True:
        with echoing() as peer:
            figure = drive(
                peer.port, connections, [requests.echo()], seconds=_ECHO_S, endless=True, processes=processes
            )
            cpu_s = peer.cpu_s() / figure.requests_in_all
        if figure.ceiling >= 1.5 * figure.per_second or 2 * processes > connections:
            return figure.per_second, figure.ceiling, cpu_s
        processes *= 2


# --- cancels


def cancels(venue: Venue, orders: list[Open], seconds: float) -> list[Beside]:
    """Each order is cancelled once. Takes the orders that it uses off the list."""
    return [_cancels(venue, orders, connections, seconds) for connections in CONNECTIONS]


def pair_cancels(venue: Venue, orders: list[Open], seconds: float) -> Beside:
    """OCO orders, each cancelled once, at the connections at which a machine is busy and not crowded."""
    return _cancels(venue, orders, PAIR_CONNECTIONS, seconds, all_of_them=True)


def cancels_beside_fills(venue: Venue, orders: list[Open], seconds: float) -> list[Beside]:
    """The same while a rising price makes orders fill."""
    rising = _Rising(venue)
    measured = [_cancels(venue, orders, connections, seconds, rising) for connections in CONNECTIONS]
    assert any(each.fills_per_second for each in measured), "no fill landed beside these cancels"
    return measured


def _cancels(
    venue: Venue,
    orders: list[Open],
    connections: int,
    seconds: float,
    rising: "_Rising | None" = None,
    *,
    all_of_them: bool = False,
) -> Beside:
    taken = [orders.pop() for _ in range(len(orders))] if all_of_them else share(orders, connections)
    items = [requests.cancel(order.id, order.owner.token) for order in taken]
    fills = 0.0

    def run() -> tuple[Figure, float]:
        nonlocal fills
        cpu, began = venue.cpu_s(), time.perf_counter()
        landed = venue.fills_landed()
        if rising is not None:
            rising.begin()
        figure = drive(
            venue.port, connections, items, seconds=seconds, meanwhile=None if rising is None else rising.step
        )
        orders.extend(taken[figure.requests_in_all + connections :])  # The others are as they were.
        used = (venue.cpu_s() - cpu) / figure.requests_in_all
        if rising is not None:
            fills = (venue.fills_landed() - landed) / (time.perf_counter() - began)
            venue.settle()
        return figure, used

    return _beside(connections, run, lambda: fills)


def share(orders: list[T], connections: int) -> list[T]:
    """Takes its share off the list, of what this run and those after it may use."""
    among = sum(_SHARES[each] for each in CONNECTIONS if each >= connections)
    return [orders.pop() for _ in range(len(orders) * _SHARES[connections] // among)]


class _Rising:
    """The price of JUP climbs so that it crosses `FILLS_PER_SECOND` orders of the ladder."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._reached = 1_000_000
        self._due = 0.0

    def begin(self) -> None:
        self._due = time.perf_counter()

    def step(self) -> None:
        time.sleep(max(0.0, self._due - time.perf_counter()))
        self._due += _PRICE_EVERY_S
        self._reached += int(FILLS_PER_SECOND * _PRICE_EVERY_S)
        self._venue.set_prices({JUP.mint: f"{self._reached / 1e6:.6f}"})


# --- creates and whole lives


def creates(venue: Venue, owners: Sequence[Owner], seconds: float) -> list[Beside]:
    """Deposits are crafted and signed before; what is measured commits the order, lands the deposit and answers."""
    measured = []
    for connections in CONNECTIONS:
        wanted = _CREATES[connections]

        def run(connections: int = connections, wanted: int = wanted) -> tuple[Figure, float]:
            items = _signed(venue, owners, wanted)
            cpu = venue.cpu_s()
            figure = drive(venue.port, connections, items, seconds=seconds)
            return figure, (venue.cpu_s() - cpu) / figure.requests_in_all

        measured.append(_beside(connections, run, lambda: 0.0))
    return measured


def _signed(venue: Venue, owners: Sequence[Owner], count: int) -> list[bytes]:
    wishes = {str(owner.wallet): (owner, _wish(owner, dollars="300.5")) for owner in owners}
    asked = [requests.craft(wish) for _, wish in islice(_again(list(wishes.values())), count)]
    signed = []
    # The answers come in any order, and do not name the wallet: its key is the first of the deposit's accounts.
    for body in collect(venue.port, _CRAFTERS, asked):
        crafted = msgspec.json.decode(body)
        owner, wish = wishes[journeys.payer(crafted["transaction"])]
        signed.append(journeys.create(wish, crafted, owner.keypair))
    return signed


def lives(venue: Venue, owners: Sequence[Owner], seconds: float) -> list[Lifecycles]:
    return [
        _withdrawn_lives(venue, owners, seconds),
        _filled_lives(venue, owners, seconds),
        _otoco_lives(venue, owners, seconds),
    ]


def _withdrawn_lives(venue: Venue, owners: Sequence[Owner], seconds: float) -> Lifecycles:
    """Craft, create, cancel, confirm: each answered before the next is asked."""
    items = [_wish(owner, dollars="300.5") for owner in owners]
    figure = drive(venue.port, 32, items, seconds=seconds, journey="creates_and_withdraws", endless=True, warm_up_s=0.5)
    seconds, bare = figure.requests / figure.per_second, bare_machine.lives_per_second(venue, owners)
    return Lifecycles("create → cancel → confirm", 32, figure.requests // 4, seconds, bare)


def _filled_lives(venue: Venue, owners: Sequence[Owner], seconds: float) -> Lifecycles:
    """Craft and create orders that trigger when their deposit lands. It ends when the last one is filled."""
    items = [_wish(owner, dollars="100.5") for owner in owners]
    landed, began = venue.fills_landed(), time.perf_counter()
    drive(venue.port, 32, items, seconds=seconds, journey="crafts_and_creates", endless=True)
    venue.settle()
    filled = venue.fills_landed() - landed
    assert filled, "none of these orders was filled"
    return Lifecycles("create → fill", 32, filled, time.perf_counter() - began)


def _otoco_lives(venue: Venue, owners: Sequence[Owner], seconds: float) -> Lifecycles:
    """The parent triggers when its deposit lands, a child when the parent is filled. It ends with the last child."""
    items = [_wish(owner, dollars="100.5") | {"take_profit": "140.5", "stop_loss": "50.5"} for owner in owners]
    landed, began = venue.fills_landed(), time.perf_counter()
    drive(venue.port, 32, items, seconds=seconds, journey="crafts_and_creates", endless=True)
    venue.settle()
    filled = venue.fills_landed() - landed
    assert filled
    assert filled % 2 == 0, "each of these orders is filled twice"
    return Lifecycles("OTOCO: create → parent fills → child fills", 32, filled // 2, time.perf_counter() - began)


def _again(items: Sequence[Any]) -> Any:
    while True:
        yield from items


def _wish(owner: Owner, *, dollars: str) -> dict[str, Any]:
    """An order that sells a SOL above `dollars`."""
    return {
        "key": bytes(owner.keypair),
        "wallet": owner.wallet,
        "token": owner.token,
        "sells": SOL.mint,
        "buys": USDC.mint,
        "watches": SOL.mint,
        "amount": "1000000000",
        "condition": "above",
        "dollars": dollars,
        "expires_at": int(time.time() * 1000) + _YEAR_MS,
    }


# --- the order books


def book_cancels(venue: Venue, orders: list[Resting], seconds: float) -> list[Beside]:
    """Each order is cancelled once. Takes the orders that it uses off the list."""
    measured = []
    for connections in CONNECTIONS:
        taken = share(orders, connections)
        items = [requests.tanx_cancel(order.id, order.owner.token) for order in taken]
        measured.append(_requests(venue, connections, items, seconds))
    return measured


def book_creates(venue: Venue, signed: list[bytes], seconds: float) -> list[Beside]:
    """Orders were drafted and signed before; what is measured verifies the signature, and commits the order."""
    measured = []
    for connections in CONNECTIONS:
        items = [signed.pop() for _ in range(min(BOOK_CREATES[connections], len(signed)))]
        measured.append(_requests(venue, connections, items, seconds))
    return measured


def _requests(venue: Venue, connections: int, items: list[bytes], seconds: float) -> Beside:
    def run() -> tuple[Figure, float]:
        cpu = venue.cpu_s()
        figure = drive(venue.port, connections, items, seconds=seconds)
        return figure, (venue.cpu_s() - cpu) / figure.requests_in_all

    return _beside(connections, run, lambda: 0.0)


async def traded(data: Path, count: int, drafts: int) -> tuple[list[Resting], list[bytes]]:
    """A data directory with orders in the book, and the requests that place more."""
    async with trading(data) as it:
        return await it.rest(count), await it.draft(drafts)


# --- starts


def start(data: Path, orders: int) -> Start:
    """Starts a venue on the data directory, and stops it again."""
    with serving(data) as venue:
        return Start(orders, venue.ready_s, venue.resident_bytes())


async def begun(data: Path) -> Sequence[Owner]:
    """A data directory without orders. Its wallets have vaults, and no money yet."""
    shutil.rmtree(data, ignore_errors=True)
    async with filling(data) as it:
        await it.register()
        return it.owners


def fund(venue: Venue, owners: Sequence[Owner]) -> None:
    """By the faucet, so that the audit knows where the money comes from."""
    for owner in owners:
        for mint in ("SOL", USDC.mint, JUP.mint):
            venue.ask("POST", "/sandbox/airdrop", {"wallet": owner.wallet, "mint": mint, "amount": _FUNDS})


async def filled(data: Path, count: int, rungs: int) -> list[Open]:
    """A data directory with open orders. Returns those that rest."""
    shutil.rmtree(data, ignore_errors=True)
    async with filling(data) as it:
        await it.enrich()
        rest = await it.add(resting(count))
        await it.add(ladder(rungs))
        return rest


async def paired(data: Path, count: int) -> list[Open]:
    """The same with OCO orders alone."""
    shutil.rmtree(data, ignore_errors=True)
    async with filling(data) as it:
        await it.enrich()
        return await it.add(pairs(count))
