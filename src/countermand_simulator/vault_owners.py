"""The owners of orders in vaults. They do what owners do, and everything that they should not."""

import asyncio
import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Final, Generic, Protocol, TypeAlias, TypeVar

from countermand.kernel.event_log import Position, PositionAhead
from countermand.kernel.journal import encode
from countermand.orders.vaults.model.order import VaultOrder
from countermand.orders.vaults.model.refusals import VaultRefused
from countermand.orders.vaults.ports import HistoryQuery
from countermand.orders.vaults.service import (
    Cancelling,
    DepositUnknown,
    NotLanded,
    OrderView,
    Placed,
    VaultService,
    Withdrawn,
)
from countermand.orders.vaults.shard import Decided, VaultShard
from countermand.values.identity import Address, OrderId, RequestId, Wallet
from countermand_simulator.chance import chance
from countermand_simulator.checkers.family import FamilyCheckers
from countermand_simulator.harness import Answer, Lost
from countermand_simulator.process import Process
from countermand_simulator.world import World

ORDERS_AT_ONCE: Final = 6
_PAGE: Final = 100_000
_EVENTS: Final = (1, 7, 1_000)


class VaultPart(Protocol):
    """What serves one family in a process."""

    @property
    def orders(self) -> VaultService[Any, Any, Any, Any, Any]: ...

    @property
    def shard(self) -> VaultShard[Any, Any, Any, Any, Any, Any, Any]: ...


class Craft(Protocol):
    """A deposit that was built."""

    @property
    def order_id(self) -> OrderId: ...

    @property
    def input_account(self) -> Address: ...


Part = TypeVar("Part", bound=VaultPart)
Request = TypeVar("Request")
Action = Callable[[], Awaitable[object]]


@dataclass(slots=True)
class Ticket(Generic[Request]):
    """What an owner knows of one order."""

    craft: Craft
    request: Request
    asked: bool = False
    """Its creation was asked for: it may exist."""
    cancel_id: RequestId | None = None
    offered: list[str] = field(default_factory=list)
    """The withdrawals that were offered to be signed, the newest last."""
    gone: bool = False
    """Nothing came of it, or it ended."""

    @property
    def order_id(self) -> OrderId:
        return self.craft.order_id


class VaultOwner(ABC, Generic[Part, Request]):
    """`prefix` is what the kinds of its requests begin with. `sort` orders its history."""

    prefix: ClassVar[str]
    sort: ClassVar[Enum]
    hides: ClassVar[bool]
    """To a stranger, it is as if there were no such order."""
    prefunded: ClassVar[str]
    """What is said when a stranger sends money to where an order will be."""

    def __init__(self, world: World, wallet: str, seed: str, others: "Others[Part, Request]") -> None:
        self.world = world
        self.wallet = Wallet(wallet)
        self.random = chance(world.seed, seed)
        self.tickets: list[Ticket[Request]] = []
        self._position: Position | None = None
        self._others = others

    # --- what is a family's own

    @abstractmethod
    def actions(self) -> list[tuple[Action, int]]:
        """What it may do next, and how often one against another."""

    @property
    @abstractmethod
    def pause_ms(self) -> float:
        """Between two actions, on average."""

    @property
    @abstractmethod
    def checkers(self) -> FamilyCheckers: ...

    @abstractmethod
    def part_of(self, process: Process) -> Part: ...

    @abstractmethod
    async def crafts(self) -> Ticket[Request]:
        """Has a deposit built, for an order of its choice."""

    @abstractmethod
    async def places(self, part: Part, request: Request) -> object:
        """The engine's answer."""

    @abstractmethod
    def key_of(self, request: Request) -> str:
        """Requests of the same key ask for the same."""

    @abstractmethod
    def falsified(self, request: Request) -> Request: ...

    async def has_enough(self) -> None:
        """Instead of opening one more."""
        await self.cancels()

    async def has_nothing_to_confirm(self) -> None: ...

    # --- while there are faults

    async def live(self) -> None:
        actions = self.actions()
        choices, weights = [action for action, _ in actions], [weight for _, weight in actions]
        while True:
            await asyncio.sleep(self.random.expovariate(1) * self.pause_ms / 1000)
            [action] = self.random.choices(choices, weights)
            if self.strikes(self.world.profile.repeated):
                await asyncio.gather(self.dares(action), self.dares(action))
            else:
                await self.dares(action)

    async def dares(self, action: Action) -> None:
        with contextlib.suppress(Lost):
            await action()

    def strikes(self, probability: float) -> bool:
        return self.random.random() < probability

    async def ask(self, kind: str, order_id: str | None, key: str, work: Callable[[Part], Awaitable[Answer]]) -> Answer:
        async def works(process: Process) -> Answer:
            return await work(self.part_of(process))

        return await self.world.ask(self.wallet, f"{self.prefix}{kind}", order_id, key, works, self.checkers)

    def any_of_its_own(self, *, asked: bool = True) -> Ticket[Request] | None:
        open_ = [ticket for ticket in self.tickets if ticket.asked == asked and not ticket.gone]
        past = [ticket for ticket in self.tickets if ticket.gone]
        if past and self.strikes(0.1):
            return self.random.choice(past)
        return self.random.choice(open_) if open_ else None

    # --- opening

    async def opens(self) -> None:
        if len([ticket for ticket in self.tickets if not ticket.gone]) >= ORDERS_AT_ONCE:
            await self.has_enough()
            return
        ticket = await self.crafts()
        if self.strikes(self.world.profile.prefund):
            self.world.happened(self.prefunded)
            await self.world.side.prefund(ticket.craft.input_account)
        await self._creates(ticket)

    async def creates_again(self) -> None:
        ticket = self.any_of_its_own(asked=self.strikes(0.7))
        if ticket is not None:
            await self._creates(ticket)

    async def _creates(self, ticket: Ticket[Request]) -> None:
        request = ticket.request
        honest = not self.strikes(self.world.profile.tampered) or self.world.is_calm
        if not honest:
            request = self.falsified(request)
        ticket.asked = ticket.asked or honest

        async def places(part: Part) -> Answer:
            return answer_of(await self.places(part, request))

        answer = await self.ask("create", ticket.order_id, self.key_of(request), places)
        if honest and answer["kind"] in ("refused", "unknown"):
            ticket.gone = True

    # --- cancelling

    async def cancels(self) -> None:
        ticket = self.any_of_its_own()
        if ticket is not None:
            await self.cancels_one(ticket)

    async def cancels_one(self, ticket: Ticket[Request]) -> Answer:
        answer = await self._asks_to_cancel("cancel", ticket, ticket.order_id, ticket.order_id)
        if answer["kind"] == "cancelling":
            ticket.cancel_id = answer["request"]
            if answer["transaction"] is not None:
                ticket.offered.append(answer["transaction"])
        return answer

    async def _asks_to_cancel(self, kind: str, ticket: Ticket[Request], named: OrderId | None, key: str) -> Answer:
        async def cancels(part: Part) -> Answer:
            told = await part.orders.cancel(ticket.order_id, self.wallet)
            return answer_of(told, self.world.side.base64_message)

        return await self.ask(kind, named, key, cancels)

    async def confirms(self) -> None:
        known = [ticket for ticket in self.tickets if ticket.cancel_id is not None]
        live = [ticket for ticket in known if not ticket.gone] or known
        if not live:
            await self.has_nothing_to_confirm()
            return
        ticket = self.random.choice(live)
        if not ticket.offered:
            await self.cancels_one(ticket)
            return
        unsigned = ticket.offered[-1]
        if self.strikes(0.2):
            unsigned = self.random.choice(ticket.offered)
        transaction = self.world.side.signed(unsigned, self.wallet)
        if self.strikes(self.world.profile.tampered):
            transaction = self.world.side.tampered(transaction, self.wallet, self.random)
        await self._confirms_one(ticket, transaction)

    async def _confirms_one(self, ticket: Ticket[Request], transaction: str) -> None:
        request_id = ticket.cancel_id
        assert request_id is not None

        async def confirms(part: Part) -> Answer:
            told = await part.orders.confirm_cancel(ticket.order_id, self.wallet, request_id, transaction)
            return answer_of(told)

        answer = await self.ask("confirm", ticket.order_id, ticket.order_id, confirms)
        if answer["kind"] == "withdrawn":
            ticket.gone = True

    async def cancels_foreign(self) -> None:
        """Asks to cancel another owner's order."""
        victims = [ticket for other in self._others() if other is not self for ticket in other.tickets if ticket.asked]
        if not victims or not self.strikes(self.world.profile.foreign):
            return
        ticket = self.random.choice(victims)
        answer = await self._asks_to_cancel("foreign cancel", ticket, None if self.hides else ticket.order_id, "")
        if answer["kind"] != "refused":
            self.world.is_bug(self.wallet, AssertionError("a stranger could cancel"))

    # --- reading

    async def reads(self) -> None:
        ticket = self.any_of_its_own()
        if ticket is not None:
            await self._reads_one(ticket)

    async def _reads_one(self, ticket: Ticket[Request]) -> str:
        """The state of the order, empty if there is none."""

        async def reads(part: Part) -> Answer:
            view = await part.orders.order(ticket.order_id)
            shown = {"body": None, "shown": ()} if view is None else {"body": _json(view.order), "shown": _lines(view)}
            return {"kind": "order", **shown}

        body = (await self.ask("read", ticket.order_id, "", reads))["body"]
        state = "" if body is None else str(body["state"])
        if state in self.checkers.ended:
            ticket.gone = True
        return state

    async def reads_history(self) -> None:
        query = HistoryQuery(self.wallet, None, None, self.sort, descending=True, limit=_PAGE, offset=0)

        async def reads(part: Part) -> Answer:
            page = await part.orders.history(query)
            return {"kind": "page", "orders": [(_json(view.order), _lines(view)) for view in page.orders]}

        await self.ask("history", None, "", reads)

    async def reads_events(self) -> None:
        """All that happened since it read last, a page of it."""
        since, limit = self._position, self.random.choice(_EVENTS)

        async def reads(part: Part) -> Answer:
            try:
                rows, after = await part.shard.read_events(since, limit)
            except PositionAhead:
                return {"kind": "ahead"}  # Of a writer that was replaced.
            first, last = (-1, 0) if since is None else (since.seq, since.n), (after.seq, after.n)
            told = [(row.seq, row.n, row.record.order_id, row.record.kind) for row in rows]
            return {"kind": "events", "from": first, "to": last, "events": told, "after": after}

        answer = await self.ask("events", None, "", reads)
        if answer["kind"] == "events":
            self._position = answer["after"]

    # --- when the faults are over

    async def finishes(self, ticket: Ticket[Request]) -> None:
        """Sees to it that the order ends, as an owner can."""
        waits, pause_s = self.patience(), 0.5
        while True:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 15)
            with contextlib.suppress(Lost):
                if await self._is_finished(ticket, waits):
                    return

    @abstractmethod
    def patience(self) -> Callable[[str], bool]:
        """Whether an order in this state is left alone, to be asked until it ends."""

    async def _is_finished(self, ticket: Ticket[Request], waits: Callable[[str], bool]) -> bool:
        state = await self._reads_one(ticket)
        if state in self.checkers.ended or state == "":
            return True
        if state == "depositing":
            await self._creates(ticket)
        elif not waits(state):
            answer = await self.cancels_one(ticket)
            if answer["kind"] == "cancelling" and answer["transaction"] is not None:
                await self._confirms_one(ticket, self.world.side.signed(answer["transaction"], self.wallet))
        return False


Others: TypeAlias = Callable[[], Sequence[VaultOwner[Part, Request]]]
"""All owners of a kind."""


def answer_of(told: object, message_of: Callable[[str], str] | None = None) -> Answer:
    """What the engine answered, as the wire would say it."""
    match told:
        case VaultRefused():
            state = None if told.state is None else told.state.value
            return {"kind": "refused", "refusal": told.refusal.name, "state": state, "detail": told.detail}
        case Placed():
            return {"kind": "placed", "order": told.order.id, "signature": told.signature, "repeated": told.repeated}
        case NotLanded():
            return {"kind": "not landed"}
        case DepositUnknown():
            return {"kind": "unknown"}
        case Withdrawn():
            return {"kind": "withdrawn", "order": told.order_id, "signature": told.signature}
        case Cancelling():
            transaction = told.transaction
            message = None if transaction is None or message_of is None else message_of(transaction)
            answer = {"kind": "cancelling", "order": told.order.id, "request": told.request_id}
            return {**answer, "transaction": transaction, "message": message}
        case Decided():
            return {"kind": "amended", "order": told.order.id, "version": told.order.version}
        case _:
            raise AssertionError(f"{told!r} is no answer")


def _lines(view: OrderView[Any, Any]) -> list[str]:
    return [f"{entry.kind} {entry.succeeded}" for entry in view.history]


def _json(order: VaultOrder) -> Answer:
    decoded: Answer = json.loads(encode(order))
    return decoded
