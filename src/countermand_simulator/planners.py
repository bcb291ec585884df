"""The owners of recurring orders of Trigger v2."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from countermand.kernel.event_log import Position, PositionAhead
from countermand.kernel.journal import encode
from countermand.orders.dca.model.commands import UnsignedDeposit
from countermand.orders.dca.model.order import DcaOrder, Plan, PriceBand
from countermand.orders.dca.model.refusals import Refused
from countermand.orders.dca.ports import Sort
from countermand.orders.dca.service import DcaView, OrderRequest
from countermand.orders.vaults.ports import HistoryQuery
from countermand.orders.vaults.service import Cancelling, DepositUnknown, NotLanded, Placed, Withdrawn
from countermand.values.identity import Mint, OrderId, RequestId, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import BaseUnits, UsdPrice
from countermand.values.structs import replace
from countermand_simulator.chance import chance
from countermand_simulator.harness import Answer, Lost
from countermand_simulator.process import Process
from countermand_simulator.rounds_process import Rounds
from countermand_simulator.world import World

ORDERS_AT_ONCE: Final = 6
_ENDED: Final = ("completed", "cancelled", "deposit_failed")
_PAGE: Final = 100_000
_EVENTS: Final = (1, 7, 1_000)
_INTERVALS_S: Final = (1, 1, 2, 5, 20, 90, 3_600)
_DOLLARS: Final = (9, 10, 10, 12, 50)
"""What a round is worth; nine are too few."""
_PICODOLLARS: Final = 10**12
_BEGINS_MS: Final = (-1, 500, 500, 2_000, 2_000, 2_000, 20_000, 3_600_000, 31 * 24 * 3_600_000)
"""So long from now the first round is to begin. The first and the last are refused."""
_SOON_MS: Final = 30_000
_LONGEST_WAIT_MS: Final = 45_000
"""So long an owner waits for the end of an order once the faults are over."""

Deed = Callable[[], Awaitable[Any]]
RoundsWork = Callable[[Rounds], Awaitable[Answer]]


@dataclass(slots=True)
class Ticket:
    """What an owner knows of one order."""

    craft: UnsignedDeposit
    request: OrderRequest
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


class Planner:
    def __init__(self, world: World, wallet: str, others: Callable[[], list["Planner"]]) -> None:
        self.world = world
        self.wallet = Wallet(wallet)
        self.random = chance(world.seed, f"rounds of {wallet}")
        self.tickets: list[Ticket] = []
        self._position: Position | None = None
        self._others = others

    # --- while there are faults

    async def live(self) -> None:
        deeds: list[tuple[Deed, int]] = [
            (self._orders, 6),
            (self._creates_again, 2),
            (self._cancels, 2),
            (self._cancels_at_a_round, 2),
            (self._confirms, 3),
            (self._reads, 2),
            (self._reads_history, 1),
            (self._reads_events, 1),
            (self._meddles, 1),
        ]
        choices, weights = [deed for deed, _ in deeds], [weight for _, weight in deeds]
        while True:
            await asyncio.sleep(self.random.expovariate(1) * self.world.profile.plan_pause_ms / 1000)
            [deed] = self.random.choices(choices, weights)
            if self._strikes(self.world.profile.repeated):
                await asyncio.gather(self._dares(deed), self._dares(deed))
            else:
                await self._dares(deed)

    async def _dares(self, deed: Deed) -> None:
        with contextlib.suppress(Lost):
            await deed()

    def _strikes(self, probability: float) -> bool:
        return self.random.random() < probability

    async def _ask(self, kind: str, order_id: str | None, key: str, work: RoundsWork) -> Answer:
        async def works(process: Process) -> Answer:
            return await work(process.rounds)

        return await self.world.ask(self.wallet, f"rounds.{kind}", order_id, key, works, self.world.rounds)

    def _any(self, *, asked: bool = True) -> Ticket | None:
        open_ = [ticket for ticket in self.tickets if ticket.asked == asked and not ticket.gone]
        past = [ticket for ticket in self.tickets if ticket.gone]
        if past and self._strikes(0.1):
            return self.random.choice(past)
        return self.random.choice(open_) if open_ else None

    # --- opening

    async def _orders(self) -> None:
        if len([ticket for ticket in self.tickets if not ticket.gone]) >= ORDERS_AT_ONCE:
            await self._confirms()
            return
        ticket = await self._crafts()
        if self._strikes(self.world.profile.prefund):
            self.world.happened("the address of a recurring order is prefunded")
            await self.world.side.prefund(ticket.craft.input_account)
        await self._creates(ticket)

    async def _crafts(self) -> Ticket:
        input_mint, output_mint = (Mint(mint) for mint in self.random.sample(list(self.world.side.mints), 2))
        rounds = self.random.choice((1, 2, 2, 3, 3, 5, 9))
        amount = self._amount(input_mint, rounds)

        async def crafts(rounds: Rounds) -> Answer:
            craft = await rounds.orders.build_deposit(self.wallet, input_mint, output_mint, amount)
            unsigned = rounds.transactions.unsigned_transaction(craft.craft)
            return {"kind": "crafted", "request": craft.request_id, "body": craft, "message": unsigned}

        answer = await self._ask("craft", None, "deposit", crafts)
        signed = self.world.side.signed(answer["message"], self.wallet)
        craft: UnsignedDeposit = answer["body"]
        plan = Plan(rounds, self.random.choice(_INTERVALS_S), self._begin(), self._band(input_mint, output_mint))
        request = OrderRequest(craft.request_id, signed, self.wallet, input_mint, output_mint, amount, plan)
        ticket = Ticket(craft, request)
        self.tickets.append(ticket)
        return ticket

    def _amount(self, mint: str, rounds: int) -> BaseUnits:
        """It need not divide by the rounds."""
        one = 10 ** self.world.side.decimals[mint] * _PICODOLLARS
        a_round = self.random.choice(_DOLLARS) * one // self.world.prices[mint]
        return BaseUnits(max(1, a_round) * rounds + self.random.choice((0, 1, rounds - 1)))

    def _begin(self) -> Instant | None:
        if self._strikes(0.5):
            return None
        return Instant(self.world.now() + self.random.choice(_BEGINS_MS))

    def _band(self, *pair: Mint) -> PriceBand | None:
        if self._strikes(0.5):
            return None
        mint = self.random.choice([mint for mint in pair if mint != self.world.side.mints[1]])
        least, most = self._away(mint, -1), self._away(mint, 1)
        how = self.random.randrange(4)
        if how == 0:
            return PriceBand(mint, least, None)
        if how == 1:
            return PriceBand(mint, None, most)
        return PriceBand(mint, least, most) if how == 2 else PriceBand(mint, most, None)

    def _away(self, mint: str, sign: int) -> UsdPrice:
        """Above the market, or below it."""
        bps = sign * self.random.choice((5, 20, 100, 400))
        return UsdPrice(max(1, self.world.prices[mint] * (10_000 + bps) // 10_000))

    async def _creates(self, ticket: Ticket) -> None:
        request = ticket.request
        honest = not self._strikes(self.world.profile.tampered)
        if not honest:
            request = self._falsified(request)
        ticket.asked = ticket.asked or honest

        async def places(rounds: Rounds) -> Answer:
            return _answer(await rounds.orders.place(request))

        key = f"{request.deposit_request_id} {request.plan}"
        answer = await self._ask("create", ticket.order_id, key, places)
        if honest and answer["kind"] in ("refused", "unknown"):
            ticket.gone = True

    def _falsified(self, request: OrderRequest) -> OrderRequest:
        how = self.random.randrange(3)
        if how == 0:
            return replace(request, amount=BaseUnits(request.amount.units + 1))
        if how == 1:
            return replace(request, plan=replace(request.plan, rounds=request.plan.rounds + 1))
        return replace(request, transaction=self.world.side.tampered(request.transaction, self.wallet, self.random))

    async def _creates_again(self) -> None:
        ticket = self._any(asked=self._strikes(0.7))
        if ticket is not None:
            await self._creates(ticket)

    # --- cancelling

    async def _cancels(self) -> None:
        ticket = self._any()
        if ticket is not None:
            await self._cancels_one(ticket)

    async def _cancels_at_a_round(self) -> None:
        """At the very instant at which a round is due, or just before or after."""
        for ticket in self.tickets:
            due = self.world.rounds.waits_until(ticket.order_id)
            left_ms = 0 if due is None else due - self.world.now()
            if not ticket.gone and 0 < left_ms < _SOON_MS and self._strikes(0.5):
                races_ms = left_ms + self.random.choice((-1, 0, 1, 5, 100))
                self.world.later(max(0, races_ms), partial(self._races, ticket, due))
                return

    async def _races(self, ticket: Ticket, due: int | None) -> None:
        if self.world.rounds.waits_until(ticket.order_id) == due:
            self.world.happened("a cancel races a round")
        await self._dares(partial(self._cancels_one, ticket))

    async def _cancels_one(self, ticket: Ticket) -> Answer:
        async def cancels(rounds: Rounds) -> Answer:
            return _answer(await rounds.orders.cancel(ticket.order_id, self.wallet), self._message_of)

        answer = await self._ask("cancel", ticket.order_id, ticket.order_id, cancels)
        if answer["kind"] == "cancelling":
            ticket.cancel_id = answer["request"]
            if answer["transaction"] is not None:
                ticket.offered.append(answer["transaction"])
        return answer

    async def _confirms(self) -> None:
        known = [ticket for ticket in self.tickets if ticket.cancel_id is not None]
        live = [ticket for ticket in known if not ticket.gone] or known
        if not live:
            return
        ticket = self.random.choice(live)
        if not ticket.offered:
            await self._cancels_one(ticket)
            return
        unsigned = ticket.offered[-1]
        if self._strikes(0.2):
            unsigned = self.random.choice(ticket.offered)
        transaction = self.world.side.signed(unsigned, self.wallet)
        if self._strikes(self.world.profile.tampered):
            transaction = self.world.side.tampered(transaction, self.wallet, self.random)
        await self._confirms_one(ticket, transaction)

    async def _confirms_one(self, ticket: Ticket, transaction: str) -> None:
        request_id = ticket.cancel_id
        assert request_id is not None

        async def confirms(rounds: Rounds) -> Answer:
            answer = await rounds.orders.confirm_cancel(ticket.order_id, self.wallet, request_id, transaction)
            return _answer(answer)

        answer = await self._ask("confirm", ticket.order_id, ticket.order_id, confirms)
        if answer["kind"] == "withdrawn":
            ticket.gone = True

    async def _meddles(self) -> None:
        """Asks to cancel another owner's order."""
        victims = [ticket for other in self._others() if other is not self for ticket in other.tickets if ticket.asked]
        if not victims or not self._strikes(self.world.profile.foreign):
            return
        ticket = self.random.choice(victims)

        async def cancels(rounds: Rounds) -> Answer:
            return _answer(await rounds.orders.cancel(ticket.order_id, self.wallet), self._message_of)

        # It is as if there were no such order.
        answer = await self._ask("meddle", None, "", cancels)
        if answer["kind"] != "refused":
            self.world.is_bug(self.wallet, AssertionError("a stranger could cancel a recurring order"))

    # --- reading

    async def _reads(self) -> None:
        ticket = self._any()
        if ticket is not None:
            await self._reads_one(ticket)

    async def _reads_one(self, ticket: Ticket) -> str:
        """The state of the order, empty if there is none."""

        async def reads(rounds: Rounds) -> Answer:
            view = await rounds.orders.order(ticket.order_id)
            shown = {"body": None, "shown": ()} if view is None else {"body": _json(view.order), "shown": _lines(view)}
            return {"kind": "order", **shown}

        body = (await self._ask("read", ticket.order_id, "", reads))["body"]
        state = "" if body is None else str(body["state"])
        if state in _ENDED:
            ticket.gone = True
        return state

    async def _reads_history(self) -> None:
        query = HistoryQuery(self.wallet, None, None, Sort.UPDATED_AT, descending=True, limit=_PAGE, offset=0)

        async def reads(rounds: Rounds) -> Answer:
            page = await rounds.orders.history(query)
            return {"kind": "page", "orders": [(_json(view.order), _lines(view)) for view in page.orders]}

        await self._ask("history", None, "", reads)

    async def _reads_events(self) -> None:
        since, limit = self._position, self.random.choice(_EVENTS)

        async def reads(rounds: Rounds) -> Answer:
            try:
                rows, after = await rounds.shard.read_events(since, limit)
            except PositionAhead:
                return {"kind": "ahead"}
            first, last = (-1, 0) if since is None else (since.seq, since.n), (after.seq, after.n)
            told = [(row.seq, row.n, row.record.order_id, row.record.kind) for row in rows]
            return {"kind": "events", "from": first, "to": last, "events": told, "after": after}

        answer = await self._ask("events", None, "", reads)
        if answer["kind"] == "events":
            self._position = answer["after"]

    # --- when the faults are over

    async def finishes(self, ticket: Ticket) -> None:
        """Sees to it that the order ends, as an owner can."""
        patience_ms = self.random.choice((0, 15_000, _LONGEST_WAIT_MS))
        began, pause_s = self.world.wall_ms(), 0.5
        while True:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 15)
            waits = self.world.wall_ms() - began < patience_ms
            with contextlib.suppress(Lost):
                if await self._is_finished(ticket, waits=waits):
                    return

    async def _is_finished(self, ticket: Ticket, *, waits: bool) -> bool:
        state = await self._reads_one(ticket)
        if state in _ENDED or state == "":
            return True
        if state == "depositing":
            await self._creates(ticket)
        elif state != "executing" and not (waits and state != "withdrawing"):
            answer = await self._cancels_one(ticket)
            if answer["kind"] == "cancelling" and answer["transaction"] is not None:
                await self._confirms_one(ticket, self.world.side.signed(answer["transaction"], self.wallet))
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
        case _:
            raise AssertionError(f"{told!r} is no answer")


def _lines(view: DcaView) -> list[str]:
    return [f"{entry.kind} {entry.succeeded}" for entry in view.history]


def _json(order: DcaOrder) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(encode(order))
    return decoded
