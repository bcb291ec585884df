"""The owners of recurring orders of Trigger v2."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from countermand.orders.dca.model.order import DcaPlan, PriceBand
from countermand.orders.dca.ports import Sort
from countermand.orders.dca.service import OrderRequest
from countermand.values.identity import Mint
from countermand.values.instant import Instant
from countermand.values.quantities import BaseUnits, UsdPrice
from countermand.values.structs import replace
from countermand_simulator.checkers.family import FamilyCheckers
from countermand_simulator.harness import Answer
from countermand_simulator.process import Process
from countermand_simulator.rounds_process import Rounds
from countermand_simulator.vault_owners import Action, Ticket, VaultOwner
from countermand_simulator.world import World

_INTERVALS_S: Final = (1, 1, 2, 5, 20, 90, 3_600)
_DOLLARS: Final = (9, 10, 10, 12, 50)
"""What a round is worth; nine are too few."""
_PICODOLLARS: Final = 10**12
_BEGINS_MS: Final = (-1, 500, 500, 2_000, 2_000, 2_000, 20_000, 3_600_000, 31 * 24 * 3_600_000)
"""So long from now the first round is to begin. The first and the last are refused."""
_SOON_MS: Final = 30_000
_LONGEST_WAIT_MS: Final = 45_000
"""So long an owner waits for the end of an order once the faults are over."""


class Planner(VaultOwner[Rounds, OrderRequest]):
    prefix = "rounds."
    sort = Sort.UPDATED_AT
    hides = True
    prefunded = "the address of a recurring order is prefunded"

    def __init__(self, world: World, wallet: str, others: Callable[[], Sequence["Planner"]]) -> None:
        super().__init__(world, wallet, f"rounds of {wallet}", others)

    def actions(self) -> list[tuple[Action, int]]:
        return [
            (self.opens, 6),
            (self.creates_again, 2),
            (self.cancels, 2),
            (self._cancels_at_a_round, 2),
            (self.confirms, 3),
            (self.reads, 2),
            (self.reads_history, 1),
            (self.reads_events, 1),
            (self.cancels_foreign, 1),
        ]

    @property
    def pause_ms(self) -> float:
        return self.world.profile.plan_pause_ms

    @property
    def checkers(self) -> FamilyCheckers:
        return self.world.rounds

    def part_of(self, process: Process) -> Rounds:
        return process.rounds

    async def has_enough(self) -> None:
        await self.confirms()

    # --- opening

    async def crafts(self) -> Ticket[OrderRequest]:
        input_mint, output_mint = (Mint(mint) for mint in self.random.sample(list(self.world.side.mints), 2))
        rounds = self.random.choice((1, 2, 2, 3, 3, 5, 9))
        amount = self._amount(input_mint, rounds)

        async def crafts(rounds: Rounds) -> Answer:
            craft = await rounds.orders.build_deposit(self.wallet, input_mint, output_mint, amount)
            unsigned = rounds.transactions.unsigned_transaction(craft.craft)
            return {"kind": "crafted", "request": craft.request_id, "body": craft, "message": unsigned}

        answer = await self.ask("craft", None, "deposit", crafts)
        signed = self.world.side.signed(answer["message"], self.wallet)
        plan = DcaPlan(rounds, self.random.choice(_INTERVALS_S), self._begin(), self._band(input_mint, output_mint))
        request = OrderRequest(answer["request"], signed, self.wallet, input_mint, output_mint, amount, plan)
        ticket = Ticket(answer["body"], request)
        self.tickets.append(ticket)
        return ticket

    def _amount(self, mint: str, rounds: int) -> BaseUnits:
        """It need not divide by the rounds."""
        one = 10 ** self.world.side.decimals[mint] * _PICODOLLARS
        a_round = self.random.choice(_DOLLARS) * one // self.world.prices[mint]
        return BaseUnits(max(1, a_round) * rounds + self.random.choice((0, 1, rounds - 1)))

    def _begin(self) -> Instant | None:
        if self.strikes(0.5):
            return None
        return Instant(self.world.now() + self.random.choice(_BEGINS_MS))

    def _band(self, *pair: Mint) -> PriceBand | None:
        if self.strikes(0.5):
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

    async def places(self, part: Rounds, request: OrderRequest) -> object:
        return await part.orders.place(request)

    def key_of(self, request: OrderRequest) -> str:
        return f"{request.deposit_request_id} {request.plan}"

    def falsified(self, request: OrderRequest) -> OrderRequest:
        how = self.random.randrange(3)
        if how == 0:
            return replace(request, amount=BaseUnits(request.amount.units + 1))
        if how == 1:
            return replace(request, plan=replace(request.plan, rounds=request.plan.rounds + 1))
        return replace(request, transaction=self.world.side.tampered(request.transaction, self.wallet, self.random))

    # --- cancelling

    async def _cancels_at_a_round(self) -> None:
        """At the very instant at which a round is due, or just before or after."""
        for ticket in self.tickets:
            due = self.world.rounds.waits_until(ticket.order_id)
            left_ms = 0 if due is None else due - self.world.now()
            if not ticket.gone and 0 < left_ms < _SOON_MS and self.strikes(0.5):
                races_ms = left_ms + self.random.choice((-1, 0, 1, 5, 100))
                self.world.later(max(0, races_ms), partial(self._races, ticket, due))
                return

    async def _races(self, ticket: Ticket[OrderRequest], due: int | None) -> None:
        if self.world.rounds.waits_until(ticket.order_id) == due:
            self.world.happened("a cancel races a round")
        await self.dares(partial(self.cancels_one, ticket))

    # --- when the faults are over

    def patience(self) -> Callable[[str], bool]:
        patience_ms, began = self.random.choice((0, 15_000, _LONGEST_WAIT_MS)), self.world.wall_ms()
        return lambda state: (
            state == "executing" or (state != "withdrawing" and self.world.wall_ms() - began < patience_ms)
        )
