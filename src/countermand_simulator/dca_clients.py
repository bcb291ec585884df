"""The owners of recurring orders."""

from typing import Any, Final

from countermand.orders.recurring.model.order import RecurringTerms
from countermand.solana.programs import dca
from countermand.solana.programs.compile import Budget
from countermand.solana.programs.dca import DcaBalance, DcaKeys
from countermand.values.identity import Address, Mint
from countermand.values.quantities import BaseUnits
from countermand_simulator.checkers.on_chain import Moment
from countermand_simulator.checkers.replay import DcaSeen
from countermand_simulator.harness import Answer
from countermand_simulator.owners import Action, Owner
from countermand_simulator.process import Process
from countermand_simulator.world import Work

_OWN_UNITS: Final = 200_000


class DcaClient(Owner):
    family = "recurring"
    kind = DcaSeen
    orders_at_once = 6

    def actions(self) -> list[tuple[Action, int]]:
        return [
            (self.creates, 6),
            (self.cancels, 3),
            (self._cancels_what_is_not_there, 1),
            (self._changes, 3),
            (self.reads, 3),
            (self.tries_again, 3),
            (self.is_given, 1),
            (self.clears_out, 1),
        ]

    # --- opening

    def new_order(self) -> tuple[str, Work]:
        terms = self._terms()

        def work(process: Process) -> Any:
            return process.families.creates_recurring(terms)

        return terms.input_mint, work

    def _terms(self) -> RecurringTerms:
        """Worth enough at any price; sometimes too little, or too often."""
        input_mint, output_mint = self.random.sample(self.world.side.mints, 2)
        return RecurringTerms(
            wallet=self.wallet,
            input_mint=Mint(input_mint),
            output_mint=Mint(output_mint),
            amount=BaseUnits(self.random.choice((10**12 + 1, 10**12, 10**12, 10**13, 10**13, 1_000))),
            cycles=self.random.choice((1, 2, 2, 3, 3, 7, 8)),
            interval_s=self.random.choice((29, 30, 30, 60, 60, 86_400)),
            starts_at_s=self.random.choice((None, self.now_s(), self.now_s() + 60)),
        )

    # --- closing

    async def cancels(self) -> None:
        open_ = list(self.open_orders())
        if open_:
            await self._cancels_one(Address(self.pick(open_)))

    async def _cancels_one(self, order: Address) -> None:
        def judge(moment: Moment, answer: Answer, lately: bool) -> None:
            self.world.chain_orders.cancels(moment, self.wallet, [order], answer, lately=lately)
            self.judges_built(moment, answer, lately)

        def work(process: Process) -> Any:
            return process.families.cancels_recurring(self.wallet, order)

        answer = await self.world.ask_on_chain(self.wallet, "recurring.cancel", order, work, judge)
        await self.fulfils_all(answer)

    async def _cancels_what_is_not_there(self) -> None:
        """Another owner's order, one of another family, or none."""
        others = [name for name, seen in self.world.chain_orders.orders.items() if seen.owner != self.wallet]
        await self._cancels_one(Address(self.pick([*others, self.wallet])))

    # --- between

    async def _changes(self) -> None:
        """Deposits and withdrawals are no part of the API: owners make them by themselves."""
        open_ = self.open_orders()
        if not open_:
            return
        name = self.pick(list(open_))
        seen = open_[name]
        keys = DcaKeys(dca=name, user=self.wallet, input_mint=seen.input_mint, output_mint=seen.output_mint)
        amount, budget = self.random.choice((1, 10**6, 10**11, 10**14)), Budget(_OWN_UNITS, 0)
        deposits = self.strikes(0.5)

        def compose(blockhash: str) -> bytes:
            if deposits:
                return dca.deposit_message(keys, amount, budget, blockhash)
            return dca.withdraw_message(keys, DcaBalance.IN, amount, budget, blockhash)

        draft = await self.own_draft(compose)
        await self.sends(draft)
        if self.strikes(0.2):
            await self.executes(draft)

    # --- reading

    async def reads(self) -> None:
        def judge(moment: Moment, answer: Answer, lately: bool) -> None:
            if answer["pages"] <= 1:
                self.world.chain_orders.open_orders(moment, self.wallet, DcaSeen, answer, lately=lately)

        def work(process: Process) -> Any:
            return process.families.open_recurring(self.wallet)

        await self.world.ask_on_chain(self.wallet, "recurring.read", "", work, judge)

    # --- when the faults are over

    async def closes_all(self) -> None:
        await self.reads()
        for order in self.open_orders():
            await self._cancels_one(Address(order))
        await self.reads()
