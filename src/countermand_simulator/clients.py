"""The owners of orders. They do what owners do, and everything that they should not."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from countermand.kernel.event_log import Position, PositionAhead
from countermand.kernel.journal import encode
from countermand.orders.trigger.model.commands import Amendment, LegChange, UnsignedDeposit
from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.orders.trigger.model.order import NOWHERE, Family, Leg, OrderGroup, Role
from countermand.orders.trigger.model.refusals import Refused
from countermand.orders.trigger.model.trailing import Trail
from countermand.orders.trigger.ports import Sort
from countermand.orders.trigger.service import OrderRequest, TriggerView
from countermand.orders.vaults.ports import HistoryQuery
from countermand.orders.vaults.service import Cancelling, DepositUnknown, NotLanded, Placed, Withdrawn
from countermand.orders.vaults.shard import Answer as EngineAnswer
from countermand.values.identity import Mint, OrderId, RequestId, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import BaseUnits, Bps, UsdPrice
from countermand.values.structs import replace
from countermand_simulator.chance import chance
from countermand_simulator.harness import Lost
from countermand_simulator.process import Process
from countermand_simulator.world import World

Answer = dict[str, Any]

ORDERS_AT_ONCE: Final = 6
_ENDED: Final = ("filled", "cancelled", "deposit_failed")
_EVENTS: Final = (1, 7, 1_000)
_PAGE: Final = 100_000


@dataclass(slots=True)
class Ticket:
    """What an owner knows of one order."""

    craft: UnsignedDeposit
    request: OrderRequest
    asked: bool = False
    """Its creation was asked for: it may exist."""
    state: str = ""
    """As it was seen last."""
    cancel_id: RequestId | None = None
    offered: list[str] = field(default_factory=list)
    """The withdrawals that were offered to be signed, the newest last."""
    gone: bool = False
    """Nothing came of it, or it ended."""

    @property
    def order_id(self) -> OrderId:
        return self.craft.order_id


_TRAILING: Final = 0.4
_DISTANCES: Final = (Bps(50), Bps(100), Bps(300), Bps(1_000))


class Client:
    def __init__(self, world: World, wallet: str, others: Callable[[], list["Client"]]) -> None:
        self.world = world
        self.wallet = Wallet(wallet)
        self.random = chance(world.seed, wallet)
        self._families = chance(world.seed, f"families of {wallet}")
        self.tickets: list[Ticket] = []
        self._position: Position | None = None
        self._others = others

    # --- while there are faults

    async def live(self) -> None:
        deeds: list[tuple[Callable[[], Awaitable[None]], int]] = [
            (self._orders, 6),
            (self._creates_again, 2),
            (self._amends, 3),
            (self._cancels, 5),
            (self._confirms, 6),
            (self._reads, 2),
            (self._reads_history, 1),
            (self._reads_events, 1),
            (self._registers, 1),
            (self._meddles, 1),
        ]
        choices, weights = [deed for deed, _ in deeds], [weight for _, weight in deeds]
        while True:
            await asyncio.sleep(self.random.expovariate(1) * self.world.profile.pause_ms / 1000)
            [deed] = self.random.choices(choices, weights)
            if self.random.random() < self.world.profile.repeated:
                await asyncio.gather(self._dares(deed), self._dares(deed))
            else:
                await self._dares(deed)

    async def _dares(self, deed: Callable[[], Awaitable[None]]) -> None:
        with contextlib.suppress(Lost):
            await deed()

    def _any(self, *, asked: bool = True) -> Ticket | None:
        open_ = [ticket for ticket in self.tickets if ticket.asked == asked and not ticket.gone]
        past = [ticket for ticket in self.tickets if ticket.gone]
        if past and self.random.random() < 0.1:
            return self.random.choice(past)
        return self.random.choice(open_) if open_ else None

    async def _orders(self) -> None:
        if len([ticket for ticket in self.tickets if not ticket.gone]) >= ORDERS_AT_ONCE:
            await self._cancels()
            return
        ticket = await self._crafts()
        if self.random.random() < self.world.profile.prefund:
            await self.world.side.prefund(ticket.craft.input_account)
            self.world.happened("an address is prefunded")
        await self.creates(ticket)

    async def _crafts(self) -> Ticket:
        input_mint, output_mint, trigger_mint = self._pair()
        family = self._families.choice(self.world.side.families)
        amount = self.random.choice((1_000, 50_000, 1_000_000, 100_000_000))

        async def crafts(process: Process) -> Answer:
            craft = await process.orders.build_deposit(self.wallet, family, input_mint, output_mint, BaseUnits(amount))
            unsigned = process.transactions.unsigned_transaction(craft.craft)
            return {"kind": "crafted", "request": craft.request_id, "body": craft, "message": unsigned}

        answer = await self.world.ask(self.wallet, "craft", None, "deposit", crafts)
        craft: UnsignedDeposit = answer["body"]
        signed = self.world.side.signed(answer["message"], self.wallet)
        request = OrderRequest(
            deposit_request_id=craft.request_id,
            transaction=signed,
            wallet=self.wallet,
            family=family,
            input_mint=input_mint,
            output_mint=output_mint,
            trigger_mint=trigger_mint,
            amount=BaseUnits(amount),
            legs=self._legs(family, trigger_mint, (input_mint, output_mint)),
            expires_at=self._expiry(),
        )
        ticket = Ticket(craft, request)
        self.tickets.append(ticket)
        if self.random.random() < 0.15:
            self._meets_its_end(ticket)
        return ticket

    def _legs(self, family: Family, mint: str, pair_of: tuple[str, str]) -> tuple[Leg, ...]:
        if family is Family.SINGLE and self._families.random() < _TRAILING and mint in pair_of:
            direction = Direction.BELOW if mint == pair_of[0] else Direction.ABOVE
            trail = Trail(self._families.choice(_DISTANCES))
            return (Leg(Role.TRIGGER, Condition(direction, NOWHERE), self._slippage(), trail),)
        if family is Family.SINGLE:
            return (Leg(Role.TRIGGER, self._condition(mint), self._slippage()),)
        pair = (
            Leg(Role.TAKE_PROFIT, Condition(Direction.ABOVE, self._away(mint, 1)), self._slippage()),
            Leg(Role.STOP_LOSS, Condition(Direction.BELOW, self._away(mint, -1)), self._slippage()),
        )
        if family is Family.OCO:
            return pair
        return (Leg(Role.TRIGGER, self._condition(mint), self._slippage()), *pair)

    def _away(self, mint: str, sign: int) -> UsdPrice:
        """Above the market, or below it."""
        bps = sign * self._families.choice((5, 20, 100, 400))
        return UsdPrice(max(1, self.world.prices[mint] * (10_000 + bps) // 10_000))

    def _pair(self) -> tuple[Mint, Mint, Mint]:
        mints = list(self.world.side.mints)
        input_mint, output_mint = self.random.sample(mints, 2)
        moving = [mint for mint in (input_mint, output_mint) if mint != mints[1]]
        return Mint(input_mint), Mint(output_mint), Mint(self.random.choice(moving))

    def _condition(self, mint: str) -> Condition:
        """Mostly a little away from the market; sometimes through it, sometimes far."""
        bps = self.random.choice((5, 20, 100, 100, 400, 2_000, -50))
        direction = self.random.choice((Direction.ABOVE, Direction.BELOW))
        away = bps if direction is Direction.ABOVE else -bps
        return Condition(direction, UsdPrice(max(1, self.world.prices[mint] * (10_000 + away) // 10_000)))

    def _slippage(self) -> Bps | None:
        return self.random.choice((None, Bps(0), Bps(100)))

    def _expiry(self) -> Instant:
        return Instant(self.world.now() + self.random.randint(100, self.world.profile.expiry_ms))

    def _meets_its_end(self, ticket: Ticket) -> None:
        """The price crosses at the very instant of the order's expiry, or just before."""
        due = ticket.request.expires_at - self.world.now() - self.random.choice((0, 0, 1))
        self.world.later(max(0, due), partial(self._is_crossed, ticket))

    async def _is_crossed(self, ticket: Ticket) -> None:
        order = self.world.checkers.orders.get(ticket.order_id)
        if order is not None and order["state"] == "open":
            left_ms = order["expires_at"] - self.world.now()
            if left_ms in (0, 1):
                self.world.happened(f"a price crosses {left_ms} ms before an order expires")
        leg = ticket.request.legs[0]
        if leg.trail is not None:
            return
        price = leg.condition.price.picodollars
        await self.world.price(ticket.request.trigger_mint, price, at_once=False)

    async def creates(self, ticket: Ticket) -> None:
        request = ticket.request
        honest = self.random.random() >= self.world.profile.tampered or self.world.is_calm
        if not honest:
            request = self._falsified(request)
        ticket.asked = ticket.asked or honest
        key = f"{request.deposit_request_id} {request.expires_at}"

        async def places(process: Process) -> Answer:
            return _answer(await process.orders.place(request))

        answer = await self.world.ask(self.wallet, "create", ticket.order_id, key, places)
        if not honest:
            return
        if answer["kind"] == "placed":
            ticket.state = ticket.state or "open"
        elif answer["kind"] in ("refused", "unknown"):
            ticket.gone = True

    def _falsified(self, request: OrderRequest) -> OrderRequest:
        how = self.random.randrange(4)
        if how == 0:
            return replace(request, amount=BaseUnits(request.amount.units + 1))
        if how == 1:
            return replace(request, expires_at=Instant(request.expires_at + 1))
        if how == 2:
            return replace(request, expires_at=self.world.now())
        return replace(request, transaction=self.world.side.tampered(request.transaction, self.wallet, self.random))

    async def _creates_again(self) -> None:
        ticket = self._any(asked=self.random.random() < 0.7)
        if ticket is not None:
            await self.creates(ticket)

    async def _amends(self) -> None:
        ticket = self._any()
        if ticket is None:
            return
        mint = ticket.request.trigger_mint
        family = ticket.request.family
        price = self._condition(mint).price if self.random.random() < 0.8 else None
        expires_at = self._expiry() if self.random.random() < 0.3 else None
        changes: tuple[LegChange, ...] = (LegChange(price, self._slippage()),)
        if ticket.request.legs[0].trail is not None:
            changes = (LegChange(slippage=self._slippage(), distance=self._families.choice(_DISTANCES)),)
        if family is not Family.SINGLE:
            pair = self._families.choice(
                (
                    (LegChange(self._away(mint, 1)), LegChange(self._away(mint, -1))),
                    (LegChange(self._away(mint, 1)), LegChange()),
                    (LegChange(), LegChange(self._away(mint, -1))),
                )
            )
            parent = self._families.choice((LegChange(), *changes))
            changes = pair if family is Family.OCO else (parent, *pair)
        amendment = Amendment(family, changes, expires_at)

        async def amends(process: Process) -> Answer:
            return _answer(await process.orders.amend(ticket.order_id, self.wallet, amendment))

        await self.world.ask(self.wallet, "amend", ticket.order_id, "", amends)

    async def _cancels(self) -> None:
        ticket = self._any()
        if ticket is not None:
            await self.cancels(ticket)

    async def cancels(self, ticket: Ticket) -> Answer:
        async def cancels(process: Process) -> Answer:
            return _answer(await process.orders.cancel(ticket.order_id, self.wallet), self._message_of)

        answer = await self.world.ask(self.wallet, "cancel", ticket.order_id, ticket.order_id, cancels)
        if answer["kind"] == "cancelling":
            ticket.cancel_id = answer["request"]
            if answer["transaction"] is not None:
                ticket.offered.append(answer["transaction"])
        return answer

    async def _confirms(self) -> None:
        known = [ticket for ticket in self.tickets if ticket.cancel_id is not None]
        live = [ticket for ticket in known if not ticket.gone] or known
        if not live:
            await self._cancels()
            return
        ticket = self.random.choice(live)
        if not ticket.offered:
            await self.cancels(ticket)
            return
        unsigned = ticket.offered[-1]
        if self.random.random() < 0.2:
            unsigned = self.random.choice(ticket.offered)
        transaction = self.world.side.signed(unsigned, self.wallet)
        if self.random.random() < self.world.profile.tampered:
            transaction = self.world.side.tampered(transaction, self.wallet, self.random)
        await self.confirms(ticket, transaction)

    async def confirms(self, ticket: Ticket, transaction: str) -> Answer:
        request_id = ticket.cancel_id
        assert request_id is not None

        async def confirms(process: Process) -> Answer:
            return _answer(await process.orders.confirm_cancel(ticket.order_id, self.wallet, request_id, transaction))

        answer = await self.world.ask(self.wallet, "confirm", ticket.order_id, ticket.order_id, confirms)
        if answer["kind"] == "withdrawn":
            ticket.gone = True
        return answer

    async def _reads(self) -> None:
        ticket = self._any()
        if ticket is not None:
            await self.reads(ticket)

    async def reads(self, ticket: Ticket) -> str:
        """The state of the order, empty if there is none."""

        async def reads(process: Process) -> Answer:
            view = await process.orders.order(ticket.order_id)
            return {"kind": "order", **_shown(view)}

        answer = await self.world.ask(self.wallet, "read", ticket.order_id, "", reads)
        body = answer["body"]
        ticket.state = "" if body is None else body["state"]
        if ticket.state in _ENDED:
            ticket.gone = True
        return ticket.state

    async def _reads_history(self) -> None:
        query = HistoryQuery(self.wallet, None, None, Sort.UPDATED_AT, descending=True, limit=_PAGE, offset=0)

        async def reads(process: Process) -> Answer:
            page = await process.orders.history(query)
            return {"kind": "page", "orders": [(_json(view.order), _lines(view)) for view in page.orders]}

        await self.world.ask(self.wallet, "history", None, "", reads)

    async def _reads_events(self) -> None:
        """All that happened since it read last, a page of it."""
        since, limit = self._position, self.random.choice(_EVENTS)

        async def reads(process: Process) -> Answer:
            try:
                rows, after = await process.shard.read_events(since, limit)
            except PositionAhead:
                return {"kind": "ahead"}  # Of a writer that was replaced.
            first, last = (-1, 0) if since is None else (since.seq, since.n), (after.seq, after.n)
            told = [(row.seq, row.n, row.record.order_id, row.record.kind) for row in rows]
            return {"kind": "events", "from": first, "to": last, "events": told, "after": after}

        answer = await self.world.ask(self.wallet, "events", None, "", reads)
        if answer["kind"] == "events":
            self._position = answer["after"]

    async def _registers(self) -> None:
        async def registers(process: Process) -> Answer:
            return {"kind": "registered" if await process.orders.register_vault(self.wallet) else "known"}

        await self.world.ask(self.wallet, "register", None, "", registers)

    async def _meddles(self) -> None:
        """Asks to cancel another client's order."""
        victims = [ticket for other in self._others() if other is not self for ticket in other.tickets if ticket.asked]
        if not victims or self.random.random() >= self.world.profile.foreign:
            return
        ticket = self.random.choice(victims)

        async def cancels(process: Process) -> Answer:
            return _answer(await process.orders.cancel(ticket.order_id, self.wallet), self._message_of)

        answer = await self.world.ask(self.wallet, "meddle", ticket.order_id, "", cancels)
        if answer["kind"] != "refused":
            self.world.is_bug(self.wallet, AssertionError("a stranger could cancel"))

    # --- when the faults are over

    async def finishes(self, ticket: Ticket) -> None:
        """Sees to it that the order ends, as an owner can."""
        waits, pause_s = self.random.random() < 0.3, 0.5
        while True:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 15)
            try:
                if await self._is_finished(ticket, waits=waits):
                    return
            except Lost:
                continue

    async def _is_finished(self, ticket: Ticket, *, waits: bool) -> bool:
        state = await self.reads(ticket)
        if state in _ENDED:
            return True
        if state == "":
            return True
        if state == "depositing":
            await self.creates(ticket)
            return False
        if state in ("triggered", "executing", "partly_filled") or (state == "open" and waits):
            return False
        answer = await self.cancels(ticket)
        if answer["kind"] == "cancelling" and answer["transaction"] is not None:
            await self.confirms(ticket, self.world.side.signed(answer["transaction"], self.wallet))
        return False

    def _message_of(self, transaction: str) -> str:
        return self.world.side.base64_message(transaction)


def _answer(told: object, message_of: Callable[[str], str] | None = None) -> Answer:
    """What the engine answered, as the wire would say it."""
    match told:
        case Refused():
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
        case EngineAnswer():
            return {"kind": "amended", "order": told.order.id, "version": told.order.version}
        case _:
            raise AssertionError(f"{told!r} is no answer")


def _shown(view: TriggerView | None) -> Answer:
    return {"body": None, "shown": ()} if view is None else {"body": _json(view.order), "shown": _lines(view)}


def _lines(view: TriggerView) -> list[str]:
    return [f"{entry.kind} {entry.succeeded}" for entry in view.history]


def _json(group: OrderGroup) -> Answer:
    decoded: Answer = json.loads(encode(group))
    return decoded
