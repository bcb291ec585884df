"""What happens, as server-sent events, from any past position on and then live.

A reader holds a position in the event log of each shard, and how far it has read each feed. What it has not read yet
is read when its connection takes more, so a slow one costs no memory; what left a feed's list before it came to it, it
never sees.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec
from falcon.asgi import SSEvent

from countermand.inspection.bell import Bell
from countermand.inspection.queries import QueryRefused, limit_in, refused_choice, shown
from countermand.inspection.wire import EventWire
from countermand.kernel.event_log import EventLog, Position, PositionAhead, PositionGone
from countermand.kernel.ports import EventRow, Unavailable
from countermand.orders.chain.records import decode_chain_record
from countermand.orders.shards import BOOK_SHARD, CHAIN_SHARD, DCA_SHARD, TRIGGER_SHARD

PARAMETERS: Final = ("from", "include", "limit")
ORDERS: Final = "orders"
READERS_MAX: Final = 64
LIMIT_MAX: Final = 1_000_000
FAMILIES: Final = {TRIGGER_SHARD: "trigger", BOOK_SHARD: "book", DCA_SHARD: "dca"}
"""By shard. Orders on the chain share one, and their events tell of which family they are."""
_PAGE: Final = 256
_RECENT: Final = 500
_BREATH_S: Final = 0.05
"""Between two looks: what happens meanwhile is sent together."""
_SILENCE_S: Final = 10.0
"""After so long, a comment is sent: else it may not be seen that the reader has left, and a proxy would hang up."""
_ANEW_S: Final = 10.0
"""So long the shards may take to begin anew, one after the other."""
_LOOK_S: Final = 0.5
"""How often a feed is looked at that rings no bell."""

News = Callable[[], Iterable[tuple[str, bytes]]]
"""What is new since it was called last: the kinds of events, and their data."""

_encode: Final = msgspec.json.Encoder().encode


class TooManyReaders(Unavailable):
    pass


class Feed(msgspec.Struct, frozen=True):
    """What a stream tells beside the events of orders. `follow` begins to read it.

    `rings`: it rings the bell when it has news.
    """

    follow: Callable[[], News]
    rings: bool = True


class _Lines(SSEvent):
    """Several events in one piece."""

    def __init__(self, lines: bytes) -> None:
        super().__init__()
        self._lines = lines

    def serialize(self, handler: object = None) -> bytes:  # noqa: ARG002
        return self._lines


class Asked(msgspec.Struct):
    """`since`: where the events of orders begin; the word of a request, or a cursor. `limit` None: without an end."""

    since: str = "now"
    include: tuple[str, ...] = (ORDERS,)
    limit: int | None = None


class _Reader(msgspec.Struct):
    positions: dict[int, Position]
    gone: asyncio.Event
    news: Sequence[News] = ()
    told: bytearray = msgspec.field(default_factory=bytearray)
    left: int | None = None
    """So many events more, if there is a limit."""
    patient_until: float | None = None
    """By the loop's time: while the venue begins anew, so long for the shards that have not yet."""

    def cursor(self) -> str:
        return ",".join(str(self.positions[shard]) for shard in sorted(self.positions))

    def greet(self) -> None:
        """Before all events, and not one of them: from where on they are told.

        Its id is for an `EventSource` that is cut off before the first event of an order.
        """
        cursor = self.cursor()
        self.told += f'event: hello\nid: {cursor}\ndata: {{"cursor":"{cursor}"}}\n\n'.encode()

    def tell(self, kind: str, data: bytes, *, with_cursor: bool = False) -> None:
        if self.left == 0:
            return
        if self.left is not None:
            self.left -= 1
        cursor = f"id: {self.cursor()}\n" if with_cursor else ""
        self.told += f"event: {kind}\n{cursor}data: ".encode() + data + b"\n\n"

    def take(self) -> _Lines:
        lines, self.told = bytes(self.told), bytearray()
        return _Lines(lines)


class EventStream:
    def __init__(self, logs: Mapping[int, EventLog], feeds: Mapping[str, Feed], bell: Bell) -> None:
        """`feeds`: by the names by which they are included."""
        self._logs = logs
        self._feeds = feeds
        self._bell = bell
        self._readers = 0
        self._closing = asyncio.Event()

    def asked(self, parameters: Mapping[str, str], last_event_id: str | None) -> Asked:
        """A reader that comes back goes on where it was. Raises `QueryRefused`."""
        include = tuple(parameters.get("include", ORDERS).split(","))
        for name in include:
            if name != ORDERS and name not in self._feeds:
                raise refused_choice("include", name, (ORDERS, *self._feeds))
        limit = parameters.get("limit")
        limit_max = None if limit is None else limit_in(limit, LIMIT_MAX)
        return Asked(last_event_id or parameters.get("from", "now"), include, limit_max)

    async def close(self) -> None:
        """Ends all streams: the server stops."""
        self._closing.set()

    def open(self, wanted: Asked, gone: asyncio.Event) -> AsyncGenerator[SSEvent | None, None]:
        """`gone`: the reader has left. Raises `QueryRefused` and `TooManyReaders`."""
        reader = _Reader(self._positions(wanted.since), gone, left=wanted.limit)
        if self._readers >= READERS_MAX:
            raise TooManyReaders(f"{READERS_MAX} readers are connected already")
        feeds = [feed for name, feed in self._feeds.items() if name in wanted.include]
        reader.news = [feed.follow() for feed in feeds]
        return self._told(reader, orders=ORDERS in wanted.include, must_look=not all(feed.rings for feed in feeds))

    def _positions(self, since: str) -> dict[int, Position]:
        if since == "start":
            return {shard: log.start() for shard, log in self._logs.items()}
        if since == "now":
            return {shard: log.end() for shard, log in self._logs.items()}
        if since == "recent":
            return {shard: _before(log) for shard, log in self._logs.items()}
        try:
            found = [Position.parse(part) for part in since.split(",")]
        except ValueError:
            found = []
        positions = {position.shard: position for position in found}
        if len(found) != len(self._logs) or positions.keys() != self._logs.keys():
            raise QueryRefused(f"from: {shown(since)!r} is no cursor; send start, recent, now, or an event's id")
        return positions

    async def _told(self, reader: _Reader, *, orders: bool, must_look: bool) -> AsyncGenerator[SSEvent | None, None]:
        self._readers += 1
        now = asyncio.get_running_loop().time
        silent_from = now()
        try:
            reader.greet()
            while not (self._closing.is_set() or reader.gone.is_set()) and reader.left != 0:
                more = orders and await self._tell_orders(reader)
                for news in reader.news:
                    for kind, data in news():
                        reader.tell(kind, data)
                if reader.told:
                    yield reader.take()
                    silent_from = now()
                elif now() - silent_from >= _SILENCE_S:
                    yield None
                    silent_from = now()
                if not more and reader.left != 0:
                    await self._news(reader, _LOOK_S if must_look else _SILENCE_S)
        finally:
            self._readers -= 1

    async def _tell_orders(self, reader: _Reader) -> bool:
        """Whether there may be more."""
        if lost := [shard for shard, log in self._logs.items() if not log.knows(reader.positions[shard])]:
            return self._begins_anew(reader, lost)
        more = False
        for shard, log in self._logs.items():
            try:
                events, after = await log.read(reader.positions[shard], _PAGE)
            except (PositionGone, PositionAhead):
                return True
            except Unavailable:
                continue
            incarnation = after.incarnation
            for event in events:
                reader.positions[shard] = Position(incarnation, shard, event.seq, event.n)
                reader.tell("order", _encode(_event(shard, event)), with_cursor=True)
            reader.positions[shard] = after
            more = more or len(events) == _PAGE
        return more

    def _begins_anew(self, reader: _Reader, lost: Sequence[int]) -> bool:
        """The shards begin anew one after the other, and a reader forgets what it was told before a reset: so it is
        told of one, once all have. False: not yet."""
        now = asyncio.get_running_loop().time()
        is_anew = [log.start().incarnation != reader.positions[shard].incarnation for shard, log in self._logs.items()]
        if any(is_anew) and not all(is_anew):
            reader.patient_until = now + _ANEW_S if reader.patient_until is None else reader.patient_until
            if now < reader.patient_until:
                return False
        reader.patient_until = None
        reader.positions |= {shard: self._logs[shard].start() for shard in lost}
        reader.tell("reset", b"{}", with_cursor=True)
        return True

    async def _news(self, reader: _Reader, patience_s: float) -> None:
        """Waits until something happens, which may be none of the reader's, and no longer than so long."""
        waits: list[Awaitable[object]] = [self._bell.rings(), self._closing.wait(), reader.gone.wait()]
        waits += [log.changed(reader.positions[shard]) for shard, log in self._logs.items()]
        tasks = [asyncio.ensure_future(each) for each in waits]
        try:
            done, _ = await asyncio.wait(tasks, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        if done:
            await asyncio.sleep(_BREATH_S)


def _before(log: EventLog) -> Position:
    """The end, less the newest entries."""
    start, end = log.start(), log.end()
    return start if end.seq - _RECENT <= start.seq else Position(end.incarnation, end.shard, end.seq - _RECENT, end.n)


def _event(shard: int, event: EventRow) -> EventWire:
    record = event.record
    family = decode_chain_record(record.body).family if shard == CHAIN_SHARD else FAMILIES[shard]
    return EventWire(
        family,
        record.order_id or None,
        record.wallet or None,
        event.seq,
        event.n,
        record.kind,
        msgspec.Raw(record.body),
    )
