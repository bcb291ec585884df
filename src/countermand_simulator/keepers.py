"""Those who run the orders on the chain, and one who would like to: both send past the API, and each may fail."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Final

from solders.instruction import AccountMeta, Instruction

from countermand.sandbox.keeper_transactions import KeeperTransactions, Payout, payout_of
from countermand.solana.programs import dca, dca_cycles, limit_order, limit_order_fills
from countermand.solana.programs.anchor import EVENT_TAG, event_discriminator, key
from countermand.solana.programs.compile import Budget, KeyOrder, compile_message
from countermand.solana.programs.dca import Dca, DcaKeys
from countermand.solana.programs.limit_order import LimitOrderAccount
from countermand.solana.programs.limit_order_fills import Taking
from countermand.values.identity import Address
from countermand_simulator.chance import chance
from countermand_simulator.harness import Lost
from countermand_simulator.process import Process
from countermand_simulator.world import World

_UNITS: Final = 400_000
_KEPT: Final = 8
_DOLLAR: Final = 10**6
_BOUGHT: Final = (1, 999, 10**6, 10**9)
"""What a cycle may bring: the simulated orders have no bounds."""

Limit = tuple[Address, LimitOrderAccount]
Recurring = tuple[DcaKeys, Dca]
Does = list[Instruction]


class Keeper:
    """It pays and gets everything itself. What it sends may be late, lost, doubled, or sent again long after."""

    def __init__(self, world: World, wallet: str) -> None:
        self._world = world
        self.wallet = Address(wallet)
        self.random = chance(world.seed, wallet)
        self.transactions = KeeperTransactions(self.wallet, self.wallet)
        self._sent: list[str] = []

    async def live(self) -> None:
        while True:
            await asyncio.sleep(self.random.expovariate(1) * self._world.profile.keeper_pause_ms / 1000)
            with contextlib.suppress(Lost):
                await self._acts()

    async def _acts(self) -> None:
        if self._sent and self.random.random() < 0.1:
            await self._hands_over(self.random.choice(self._sent))
            return
        limits, recurring = self._limits(), self._recurring()
        if limits and (not recurring or self.random.random() < 0.6):
            await self._sends(self.with_limit(self.random.choice(limits)))
        elif recurring:
            await self._sends(self.with_recurring(self.random.choice(recurring)))

    # --- what there is

    def now_s(self) -> int:
        return self._world.now() // 1000

    def _limits(self) -> list[Limit]:
        accounts = self._world.on_chain.owned_by(limit_order.PROGRAM)
        read = [(Address(name), limit_order.read_order(data)) for name, (_, data) in accounts.items()]
        return [(name, order) for name, order in read if order is not None]

    def _recurring(self) -> list[Recurring]:
        accounts = self._world.on_chain.owned_by(dca.PROGRAM)
        read = [(Address(name), dca.read_dca(data)) for name, (_, data) in accounts.items()]
        return [(_keys(name, order), order) for name, order in read if order is not None]

    # --- what it does

    def with_limit(self, limit: Limit) -> Does:
        name, order = limit
        if self.is_over(order) or not order.making_amount:
            return self.transactions.refund(name, order)
        if order.making_amount < _DOLLAR and self.random.random() < 0.2:
            return self.transactions.dust(name, order, _DOLLAR)
        part = self.part_of(order)
        if self.random.random() < 0.3:
            return self.flash(limit, part)
        asked = limit_order_fills.asked_for(order, part)
        does = self.fill(limit, part, asked + self.random.choice((0, 0, 1, asked // 100)))
        rest = order.making_amount - part
        if rest and self.random.random() < 0.2:
            does += self.fill(limit, rest, limit_order_fills.asked_for(order, rest))
        return does

    def fill(self, limit: Limit, part: int, given: int) -> Does:
        return self.transactions.fill(*limit, part, given)

    def flash(self, limit: Limit, part: int) -> Does:
        """Borrows and pays with accounts that a fill makes, and without its end."""
        name, order = limit
        taking = Taking.of(self.wallet, name, order)
        made = [each for each in self.fill(limit, part, 1) if each.program_id != key(limit_order.PROGRAM)]
        asked = limit_order_fills.asked_for(order, part)
        return [
            *made,
            limit_order_fills.pre_flash_fill_order(taking, part),
            limit_order_fills.flash_fill_order(taking, asked),
        ]

    def part_of(self, order: LimitOrderAccount) -> int:
        whole = order.making_amount
        return self.random.choice((whole, whole, max(1, whole // 2), self.random.randint(1, whole)))

    def is_over(self, order: LimitOrderAccount) -> bool:
        return order.expired_at is not None and order.expired_at < self.now_s()

    def with_recurring(self, recurring: Recurring) -> Does:
        keys, order = recurring
        if not order.in_left:
            return self.transactions.end(keys)
        if order.out_received > order.out_withdrawn and self.random.random() < 0.5:
            payout = payout_of(keys, has_account=True)
            return [dca_cycles.transfer(keys, self.wallet, lamports=payout is Payout.LAMPORTS)]
        return self.cycle(recurring) if order.next_cycle_at <= self.now_s() else []

    def cycle(self, recurring: Recurring) -> Does:
        keys, order = recurring
        used, repaid = dca_cycles.cycle_amount(order), self.random.choice(_BOUGHT)
        payout = self.random.choice((payout_of(keys, has_account=True), Payout.STAYS))
        return self.transactions.cycle(keys, used, repaid, payout)

    # --- how it sends

    async def _sends(self, does: Sequence[Instruction]) -> None:
        if not does:
            return

        def asks(process: Process) -> Any:
            return process.families.latest_blockhash()

        answer = await self._world.ask_on_chain(self.wallet, "rpc.blockhash", "", asks)
        all_of_it = [*Budget(_UNITS, 0).instructions(), *does]
        message = compile_message(all_of_it, self.wallet, answer["blockhash"], KeyOrder.RUST)
        signed = self._world.on_chain.signed_by_all(message)
        self._sent = [*self._sent, signed][-_KEPT:]
        await self._hands_over(signed)

    async def _hands_over(self, signed: str) -> None:
        def sends(process: Process) -> Any:
            return process.families.sends(signed)

        await self._world.ask_on_chain(self.wallet, "rpc.send", signed[-24:], sends)


class Trespasser(Keeper):
    """It tries what is not allowed, to it or to any wallet. All of it must fail, or be as fair as from any wallet."""

    def with_limit(self, limit: Limit) -> Does:
        name, order = limit
        part = max(1, order.making_amount)
        asked, taking = limit_order_fills.asked_for(order, part), Taking.of(self.wallet, name, order)
        tries: list[Callable[[], Does]] = [
            lambda: self.fill(limit, part, max(0, asked - 1)),
            lambda: self.fill(limit, part + 1, asked * 2),
            lambda: self.fill(limit, part, asked) * 2,
            lambda: [limit_order_fills.pre_flash_fill_order(taking, part)],
            lambda: [limit_order_fills.flash_fill_order(taking, asked)],
            lambda: self.transactions.refund(name, order),
            lambda: self.transactions.dust(name, order, 2**63),
            lambda: [_forged(limit_order.PROGRAM, limit_order.EVENT_AUTHORITY, "TradeEvent", name)],
        ]
        if self.is_over(order):
            tries.append(lambda: self.fill(limit, part, asked))
        return self.random.choice(tries)()

    def with_recurring(self, recurring: Recurring) -> Does:
        keys, _ = recurring
        cycle = self.cycle(recurring)
        tries = (
            cycle,
            cycle * 2,
            cycle[:2],
            self.transactions.end(keys),
            [dca_cycles.fulfill_flash_fill(keys, self.wallet, 1)],
            [dca_cycles.transfer(keys, self.wallet, lamports=False)],
            [_forged(dca.PROGRAM, dca.EVENT_AUTHORITY, "Filled", keys.dca)],
        )
        return self.random.choice(tries)


class Greedy(Keeper):
    """A keeper that is one, and tries now and then what not even a keeper may."""

    def with_limit(self, limit: Limit) -> Does:
        name, order = limit
        part = self.part_of(order) if order.making_amount else 1
        if self.random.random() < 0.15:
            return self.fill(limit, part, limit_order_fills.asked_for(order, part) * 99 // 100)
        if self.random.random() < 0.1:
            return self.transactions.refund(name, order)
        if self.is_over(order) and order.making_amount and self.random.random() < 0.5:
            return self.fill(limit, part, limit_order_fills.asked_for(order, part))
        return super().with_limit(limit)

    def with_recurring(self, recurring: Recurring) -> Does:
        if recurring[1].in_left and self.random.random() < 0.3:
            cycle = self.cycle(recurring)
            return self.random.choice((cycle, cycle * 2, self.transactions.end(recurring[0])))
        return super().with_recurring(recurring)


def keepers_of(world: World) -> list[Keeper]:
    if world.side.orders is None or not world.side.orders.keepers:
        return []
    first, *others = world.side.orders.keepers
    honest = [Keeper(world, wallet) for wallet in others]
    return [Greedy(world, first), *honest, Trespasser(world, world.side.orders.trespasser)]


def _forged(program: str, authority: str, event: str, order: str) -> Instruction:
    """An event that only the program itself can tell."""
    data = EVENT_TAG + event_discriminator(event) + bytes(key(Address(order))) + bytes(256)
    return Instruction(
        key(Address(program)), data, [AccountMeta(key(Address(authority)), is_signer=False, is_writable=False)]
    )


def _keys(name: Address, order: Dca) -> DcaKeys:
    return DcaKeys(dca=name, user=order.user, input_mint=order.input_mint, output_mint=order.output_mint)
