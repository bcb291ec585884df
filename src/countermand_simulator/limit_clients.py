"""The owners of limit orders on the chain."""

from typing import Any, Final

from countermand.orders.limit.model.order import LimitTerms
from countermand.solana.programs import limit_order
from countermand.solana.programs.compile import Budget
from countermand.solana.programs.limit_order import Cancellation
from countermand.solana.tokens import SOL_MINT
from countermand.values.identity import Address, Mint, Wallet
from countermand.values.quantities import BaseUnits
from countermand_simulator.checkers.on_chain import Moment
from countermand_simulator.checkers.replay import LimitSeen
from countermand_simulator.harness import Answer
from countermand_simulator.owners import Action, Draft, Owner
from countermand_simulator.process import Process
from countermand_simulator.world import Work

_STRANGERS_UNITS: Final = 100_000


class LimitClient(Owner):
    family = "limit"
    kind = LimitSeen
    orders_at_once = 12

    def actions(self) -> list[tuple[Action, int]]:
        return [
            (self.creates, 8),
            (self.cancels, 4),
            (self._cancels_all, 1),
            (self.reads, 3),
            (self._reads_opening, 1),
            (self._cancels_any, 2),
            (self.tries_again, 3),
            (self.is_given, 1),
            (self.clears_out, 1),
        ]

    # --- opening

    def new_order(self) -> tuple[str, Work]:
        terms = self._terms()

        def work(process: Process) -> Any:
            return process.families.creates_limit(terms)

        return terms.input_mint, work

    def _terms(self) -> LimitTerms:
        profile, mints = self.world.profile, self.world.on_chain.order_mints
        input_mint, output_mint = self.random.sample(list(mints), 2)
        earns = self.strikes(0.2) and output_mint != SOL_MINT
        return LimitTerms(
            maker=self.wallet,
            payer=Wallet(self.world.on_chain.sponsor) if self.strikes(profile.sponsored) else self.wallet,
            input_mint=Mint(input_mint),
            output_mint=Mint(output_mint),
            making=BaseUnits(self.random.choice((1, 50_000, 10**9))),
            taking=BaseUnits(self.random.choice((1, 10**6))),
            expires_at_s=self.now_s() + self.random.randint(0, 20) if self.strikes(profile.short_lived) else None,
            fee_bps=self.random.choice((0, 50, 9_990)) if earns else None,
            fee_account=Address(self.world.on_chain.partner_account(output_mint)) if earns else None,
            wraps_sol=self.strikes(0.9),
        )

    # --- closing

    async def cancels(self) -> None:
        open_ = list(self.open_orders())
        if not open_:
            return
        named = self.random.sample(open_, self.random.randint(1, min(7, len(open_))))
        if self.strikes(0.2):
            named.append(named[0])
        await self._cancels_named([Address(name) for name in named])

    async def _cancels_all(self) -> None:
        await self._cancels_named(None)

    async def _cancels_named(self, named: list[Address] | None) -> None:
        drafts = await self._asks_to_cancel(named)
        self.random.shuffle(drafts)
        for draft in drafts:
            await self.fulfils(draft)

    async def _asks_to_cancel(self, named: list[Address] | None) -> list[Draft]:
        def judge(moment: Moment, answer: Answer, lately: bool) -> None:
            self.world.chain_orders.cancels(moment, self.wallet, named, answer, lately=lately)
            self.judges_built(moment, answer, lately)

        def work(process: Process) -> Any:
            return process.families.cancels_limit(self.wallet, named)

        what = "all" if named is None else f"{len(named)} orders"
        return self.drafts_of(await self.world.ask_on_chain(self.wallet, "limit.cancel", what, work, judge))

    async def _cancels_any(self) -> None:
        """Cancels an order, perhaps another owner's, by a transaction that the server never saw."""
        everything = self.world.chain_orders.orders
        limits = {name: seen for name, seen in everything.items() if isinstance(seen, LimitSeen)}
        expired = [name for name, seen in limits.items() if self._has_expired(seen)]
        if limits:
            name = self.pick(expired if expired and self.strikes(0.7) else list(limits))
            await self._cancels_by_itself(name, limits[name])

    def _has_expired(self, seen: LimitSeen) -> bool:
        return seen.expires_at is not None and seen.expires_at < self.now_s()

    async def _cancels_by_itself(self, name: str, seen: LimitSeen) -> None:
        mint, creates = seen.input_mint, self.strikes(0.5)
        cancel = Cancellation.to_maker(name, seen.maker, mint, self.program_of(mint), creates=creates)
        if seen.maker != self.wallet:
            still = "" if self._has_expired(seen) else "not "
            self.world.happened(f"a stranger cancels an order that has {still}expired")

        def compose(blockhash: str) -> bytes:
            return limit_order.cancel_message([cancel], Budget(_STRANGERS_UNITS, 0), blockhash, self.wallet)

        await self.sends(await self.own_draft(compose))

    # --- reading

    async def reads(self) -> None:
        def judge(moment: Moment, answer: Answer, lately: bool) -> None:
            self.world.chain_orders.open_orders(moment, self.wallet, LimitSeen, answer, lately=lately)

        def work(process: Process) -> Any:
            return process.families.open_limit(self.wallet)

        await self.world.ask_on_chain(self.wallet, "limit.read", "", work, judge)

    async def _reads_opening(self) -> None:
        open_ = list(self.open_orders())
        if not open_:
            return
        order = Address(self.pick(open_))

        def judge(moment: Moment, answer: Answer, lately: bool) -> None:
            if lately:
                self.world.chain_orders.opened_by(moment, self.wallet, answer)

        def work(process: Process) -> Any:
            return process.families.opened_by(self.wallet, order)

        await self.world.ask_on_chain(self.wallet, "limit.opening", order, work, judge)

    # --- when the faults are over

    async def closes_all(self) -> None:
        await self.reads()
        for draft in await self._asks_to_cancel(None):
            await self.executes(draft)
        await self.reads()
