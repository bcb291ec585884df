"""The owners of trigger orders."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from countermand.orders.trigger.model.commands import Amendment, LegChange
from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.orders.trigger.model.order import NOWHERE, Family, Leg, Role
from countermand.orders.trigger.model.trailing import Trail
from countermand.orders.trigger.ports import Sort
from countermand.orders.trigger.service import OrderRequest
from countermand.values.identity import Mint
from countermand.values.instant import Instant
from countermand.values.quantities import BaseUnits, Bps, UsdPrice
from countermand.values.structs import replace
from countermand_simulator.chance import chance
from countermand_simulator.checkers.family import FamilyCheckers
from countermand_simulator.harness import Answer
from countermand_simulator.process import Process
from countermand_simulator.vault_owners import Action, Ticket, VaultOwner, answer_of
from countermand_simulator.world import World

_TRAILING: Final = 0.4
_DISTANCES: Final = (Bps(50), Bps(100), Bps(300), Bps(1_000))
_UNDER_WAY: Final = ("triggered", "executing", "partly_filled")


class Client(VaultOwner[Process, OrderRequest]):
    prefix = ""
    sort = Sort.UPDATED_AT
    hides = False
    prefunded = "an address is prefunded"

    def __init__(self, world: World, wallet: str, others: Callable[[], Sequence["Client"]]) -> None:
        super().__init__(world, wallet, wallet, others)
        self._families = chance(world.seed, f"families of {wallet}")

    def actions(self) -> list[tuple[Action, int]]:
        return [
            (self.opens, 6),
            (self.creates_again, 2),
            (self._amends, 3),
            (self.cancels, 5),
            (self.confirms, 6),
            (self.reads, 2),
            (self.reads_history, 1),
            (self.reads_events, 1),
            (self._registers, 1),
            (self.cancels_foreign, 1),
        ]

    @property
    def pause_ms(self) -> float:
        return self.world.profile.pause_ms

    @property
    def checkers(self) -> FamilyCheckers:
        return self.world.checkers

    def part_of(self, process: Process) -> Process:
        return process

    async def has_nothing_to_confirm(self) -> None:
        await self.cancels()

    # --- opening

    async def crafts(self) -> Ticket[OrderRequest]:
        input_mint, output_mint, trigger_mint = self._pair()
        family = self._families.choice(self.world.side.families)
        amount = self.random.choice((1_000, 50_000, 1_000_000, 100_000_000))

        async def crafts(process: Process) -> Answer:
            craft = await process.orders.build_deposit(self.wallet, family, input_mint, output_mint, BaseUnits(amount))
            unsigned = process.transactions.unsigned_transaction(craft.craft)
            return {"kind": "crafted", "request": craft.request_id, "body": craft, "message": unsigned}

        answer = await self.ask("craft", None, "deposit", crafts)
        request = OrderRequest(
            deposit_request_id=answer["request"],
            transaction=self.world.side.signed(answer["message"], self.wallet),
            wallet=self.wallet,
            family=family,
            input_mint=input_mint,
            output_mint=output_mint,
            trigger_mint=trigger_mint,
            amount=BaseUnits(amount),
            legs=self._legs(family, trigger_mint, (input_mint, output_mint)),
            expires_at=self._expiry(),
        )
        ticket = Ticket(answer["body"], request)
        self.tickets.append(ticket)
        if self.strikes(0.15):
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

    def _meets_its_end(self, ticket: Ticket[OrderRequest]) -> None:
        """The price crosses at the very instant of the order's expiry, or just before."""
        due = ticket.request.expires_at - self.world.now() - self.random.choice((0, 0, 1))
        self.world.later(max(0, due), partial(self._is_crossed, ticket))

    async def _is_crossed(self, ticket: Ticket[OrderRequest]) -> None:
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

    async def places(self, part: Process, request: OrderRequest) -> object:
        return await part.orders.place(request)

    def key_of(self, request: OrderRequest) -> str:
        return f"{request.deposit_request_id} {request.expires_at}"

    def falsified(self, request: OrderRequest) -> OrderRequest:
        how = self.random.randrange(4)
        if how == 0:
            return replace(request, amount=BaseUnits(request.amount.units + 1))
        if how == 1:
            return replace(request, expires_at=Instant(request.expires_at + 1))
        if how == 2:
            return replace(request, expires_at=self.world.now())
        return replace(request, transaction=self.world.side.tampered(request.transaction, self.wallet, self.random))

    # --- what is asked of trigger orders only

    async def _amends(self) -> None:
        ticket = self.any_of_its_own()
        if ticket is None:
            return
        mint = ticket.request.trigger_mint
        family = ticket.request.family
        price = self._condition(mint).price if self.strikes(0.8) else None
        expires_at = self._expiry() if self.strikes(0.3) else None
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
            return answer_of(await process.orders.amend(ticket.order_id, self.wallet, amendment))

        await self.ask("amend", ticket.order_id, "", amends)

    async def _registers(self) -> None:
        async def registers(process: Process) -> Answer:
            return {"kind": "registered" if await process.registry.register(self.wallet) else "known"}

        await self.ask("register", None, "", registers)

    # --- when the faults are over

    def patience(self) -> Callable[[str], bool]:
        waits = self.strikes(0.3)
        return lambda state: state in _UNDER_WAY or (waits and state == "open")
