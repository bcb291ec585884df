"""Claims about what is told of on-chain orders: it is what landed, up to some transaction, each thing once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec

from countermand_simulator.checkers.claim import Claim
from countermand_simulator.checkers.messages import Message
from countermand_simulator.checkers.replay import DCA, LIMIT, LimitSeen, Replay, Seen, TradeSeen, tag
from countermand_simulator.violation import broken

Json = dict[str, Any]

PROGRAMS: Final = (LIMIT, DCA)
_OPEN: Final = "open"
_COMPLETED: Final = "completed"
_FILLS: Final = {
    (LIMIT, tag("fill_order")): (0, 2),
    (LIMIT, tag("pre_flash_fill_order")): (0, 1),
    (DCA, tag("initiate_flash_fill")): (0, 1),
}
"""By what begins a fill: where its keeper and its order are among its accounts."""


class IndexSeen(Protocol):
    """The rows of the index. An order goes by its address, the transaction that opened it, and a number."""

    def index_seq(self) -> tuple[int, int]:
        """The epoch, and how many transactions it knows: when both are the same, so are the rows."""

    def index_cursors(self) -> Mapping[str, bytes]:
        """By program."""

    def index_orders(self) -> Mapping[tuple[str, str, int], tuple[bool, bytes]]:
        """Whether it is stored as open, and its body."""

    def index_trades(self, order: tuple[str, str, int]) -> Mapping[int, bytes]: ...


@dataclass(slots=True)
class Story:
    """An order, from its opening on."""

    family: str
    seen: Seen
    trades: list[Json] = field(default_factory=list)
    state: str = _OPEN
    closed_by: str | None = None

    def told(self) -> Json:
        """What the index must tell of it, beside its trades."""
        seen, filled = self.seen, [trade for trade in self.trades if not trade["failed"]]
        told: Json = {
            "opened_by": seen.opened_by,
            "owner": seen.owner,
            "input_mint": seen.input_mint,
            "output_mint": seen.output_mint,
            "created_at_s": seen.created_at,
            "state": self.state,
            "closed_by": self.closed_by,
            "trades": len(self.trades),
            "failures": len(self.trades) - len(filled),
        }
        if isinstance(seen, LimitSeen):
            left = 0 if self.state == _COMPLETED else seen.making
            return told | {
                "making": seen.making_at_first,
                "taking": seen.taking_at_first,
                "remaining_making": left,
                "expires_at_s": seen.expires_at,
            }
        return told | {
            "deposited": seen.deposited,
            "used": sum(trade["given"] for trade in filled),
            "received": sum(trade["received"] for trade in filled),
        }


@dataclass(frozen=True, slots=True)
class _Effect:
    """What a landing did to one order. `number`: how many had landed with it."""

    number: int
    signature: str
    order: str
    seen: Seen | None
    """As it left it; None if it was closed, or nothing of it changed."""
    trades: tuple[Json, ...]
    ended: str | None


class Histories:
    def __init__(self, index: IndexSeen, saw: Callable[[str], None]) -> None:
        self._index = index
        self._saw = saw
        self._numbers: dict[str, int] = {}
        """How many had landed with it, by signature."""
        self._effects: dict[str, list[_Effect]] = {program: [] for program in PROGRAMS}
        """What landed and is not yet known to the index."""
        self._known: dict[str, int] = dict.fromkeys(PROGRAMS, 0)
        """The number of the last landing of a program that the index knows."""
        self._open: dict[str, Story] = {}
        self._stories: dict[tuple[str, str, int], Story] = {}
        self._ended: dict[str, list[tuple[str, str, int]]] = {}
        """By owner."""
        self._seq = (0, 0)

    # --- what landed

    def landed(self, number: int, signature: str, message: Message, replay: Replay | None) -> None:
        """`replay`: how it was carried out; None: it failed."""
        self._numbers[signature] = number
        if replay is None:
            self._failed(number, signature, message)
            return
        for order, seen in replay.became.items():
            kind = seen or replay.orders[order]
            trades = tuple(_trade(signature, trade) for trade in replay.trades if trade.order == order)
            self._effects[_family(kind)].append(
                _Effect(number, signature, order, seen, trades, replay.ended.get(order))
            )

    def _failed(self, number: int, signature: str, message: Message) -> None:
        failed: dict[tuple[str, str], str] = {}
        for call in message.calls:
            places = _FILLS.get((call.program, call.data[:8]))
            if places is not None:
                keeper, order = (call.accounts[place] for place in places)
                failed.setdefault((call.program, order), keeper)
        for (program, order), keeper in failed.items():
            trade = TradeSeen(order, keeper, 0, 0, 0)
            trades = ({**_trade(signature, trade), "failed": True},)
            self._effects[program].append(_Effect(number, signature, order, None, trades, None))

    # --- what is told of it

    def follow(self) -> None:
        """Judges the rows, if they are others than when it was asked last."""
        seq = self._index.index_seq()
        if seq == self._seq:
            return
        self._seq = seq
        touched: dict[tuple[str, str, int], None] = {}
        for program, body in self._index.index_cursors().items():
            touched |= dict.fromkeys(self._knows(program, msgspec.json.decode(body)["signatures"][-1]))
        orders = self._index.index_orders()
        if len(orders) != len(self._stories):
            unlike = sorted(set(orders) ^ set(self._stories))
            broken(Claim.HISTORIES_ARE_TRUE, f"{unlike} are told of, or should be: {len(orders)} orders are")
        for name in touched:
            self._compare(name, *orders[name])

    def _knows(self, program: str, signature: str) -> list[tuple[str, str, int]]:
        """The index has told of all that landed up to this. Returns the orders that it concerned."""
        number = self._numbers.get(signature)
        if number is None or number < self._known[program]:
            broken(Claim.HISTORIES_ARE_TRUE, f"the index of {program} goes from {self._known[program]} to {number}")
        self._known[program] = number
        effects = self._effects[program]
        done = [effect for effect in effects if effect.number <= number]
        del effects[: len(done)]
        return [name for effect in done if (name := self._apply(program, effect)) is not None]

    def _apply(self, program: str, effect: _Effect) -> tuple[str, str, int] | None:
        if not self._is_news(effect):
            return None
        story = self._open.get(effect.order)
        if story is None:
            assert effect.seen is not None
            story = self._open[effect.order] = Story(program, effect.seen)
        name = effect.order, story.seen.opened_by, 0
        self._stories[name] = story
        story.seen = effect.seen or story.seen
        story.trades += [{**trade, "n": len(story.trades) + n} for n, trade in enumerate(effect.trades, start=1)]
        if any(trade["failed"] for trade in effect.trades):
            self._saw("a fill that failed is told of")
        if effect.ended is not None:
            story.state, story.closed_by = effect.ended, effect.signature
            self._ended.setdefault(story.seen.owner, []).append(name)
            del self._open[effect.order]
            self._saw(f"an order is told of as {effect.ended}")
        return name

    def _is_news(self, effect: _Effect) -> bool:
        """It is of an open order, or opens one. A fill may fail when its order is gone; a filled one may be closed."""
        return effect.order in self._open or (effect.seen is not None and effect.seen.opened_by == effect.signature)

    def _compare(self, name: tuple[str, str, int], live: bool, body: bytes) -> None:
        story, told = self._stories[name], msgspec.json.decode(body)
        due = story.told()
        says = {field: told.get(field) for field in due}
        if says != due or live != (story.state == _OPEN):
            broken(Claim.HISTORIES_ARE_TRUE, f"of {name} is told {says}, live {live}; it is {due}")
        trades = [msgspec.json.decode(trade) for _, trade in sorted(self._index.index_trades(name).items())]
        self._compare_trades(name, trades, story.trades)

    def _compare_trades(self, name: tuple[str, str, int], trades: Sequence[Json], due: Sequence[Json]) -> None:
        told = [{field: trade[field] for field in (due or trades)[0]} for trade in trades]
        if told != list(due):
            broken(Claim.HISTORIES_ARE_TRUE, f"of {name} are told the trades {told}; they were {due}")

    # --- answers

    def asked(self, owner: str) -> int:
        """How many orders of it have ended, as the index knows now."""
        self.follow()
        return len(self._ended.get(owner, ()))

    def answered(self, knew: int, owner: str, program: str, answer: Json) -> None:
        """A page of the ended orders of a family, with all that were known when it was asked for. `knew`: see there."""
        self.follow()
        ended = [name for name in self._ended.get(owner, ()) if self._stories[name].family == program]
        must = [name for name in self._ended.get(owner, ())[:knew] if self._stories[name].family == program]
        shown = [tuple(row["order"]) for row in answer["rows"]]
        if len(dict.fromkeys(shown)) != len(shown) or answer["total"] != len(shown):
            broken(Claim.HISTORIES_ARE_TRUE, f"{owner} is shown {shown}, {answer['total']} in all")
        if not set(must) <= set(shown) <= set(ended):
            broken(Claim.HISTORIES_ARE_TRUE, f"{owner} is shown {shown}, of {ended}, and {must} were known")
        for row in answer["rows"]:
            story = self._stories[tuple(row["order"])]
            if (row["state"], row["closed_by"]) != (story.state, story.closed_by):
                broken(Claim.HISTORIES_ARE_TRUE, f"{owner} is shown {row}, and it is {story.told()}")
            due = [trade["signature"] for trade in reversed(story.trades)]
            if row["trades"] != due:
                broken(Claim.HISTORIES_ARE_TRUE, f"{owner} is shown the trades {row['trades']}, and they were {due}")

    # --- the end

    def knows_all(self) -> bool:
        self.follow()
        return not self._untold()

    def _untold(self) -> list[_Effect]:
        """What the index should know, and does not. Of what is no news it keeps nothing, not even that it saw it."""
        return [effect for effects in self._effects.values() for effect in effects if self._is_news(effect)]

    def at_rest(self) -> None:
        if not self.knows_all():
            broken(Claim.HISTORIES_ARE_TRUE, f"the index never tells of {self._untold()}")
        for name, (live, body) in self._index.index_orders().items():
            self._compare(name, live, body)


def _family(seen: Seen) -> str:
    return LIMIT if isinstance(seen, LimitSeen) else DCA


def _trade(signature: str, trade: TradeSeen) -> Json:
    return {
        "signature": signature,
        "keeper": trade.keeper,
        "given": trade.given,
        "received": trade.received,
        "fee": trade.fee,
        "failed": False,
    }
