"""What custody and chain together must do for the engine, on the real ones and on the model of the simulator."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from random import Random

import pytest

from countermand.kernel.clock import ClockSetting, VenueClock
from countermand.kernel.ports import Unavailable
from countermand.orders.trigger.model.commands import UnsignedDeposit
from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.orders.trigger.model.events import CancelRequested, DepositLanded, OrderPlaced, OrderTriggered
from countermand.orders.trigger.model.lifecycle import evolve, place
from countermand.orders.trigger.model.order import Family, Leg, OrderGroup, Role, TriggerTerms
from countermand.orders.trigger.ports import Transactions
from countermand.values.identity import Mint, OrderId, RequestId, Signature, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import NOTHING, USD_SCALE, BaseUnits, Bps, UsdPrice
from countermand.values.structs import replace
from countermand.values.transactions import (
    Attempt,
    AttemptKind,
    SubmissionFault,
    SwapRefused,
    TransactionOutcome,
    UnsignedTransaction,
)
from countermand_simulator import fault_profile
from countermand_simulator.checkers.ledger import Ledger
from countermand_simulator.sides import ChainSide, ModelSide
from countermand_simulator.svm import SvmSide
from tests.orders.trigger.samples import progressed

NOW = Instant(1_700_000_000_000)
LEG = Leg(Role.TRIGGER, Condition(Direction.ABOVE, UsdPrice(200 * 10**USD_SCALE)), Bps(1_000))
UNITS = 1_000_000


@dataclass
class Still:
    """A world in which nothing goes wrong, and time stands still unless it is moved."""

    profile: fault_profile.FaultProfile
    ms: int = NOW
    clock: VenueClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = VenueClock(ClockSetting(), self.wall_ms)

    def wall_ms(self) -> int:
        return self.ms

    def strikes(self, probability: float) -> bool:
        return False

    def between(self, low: int, high: int) -> int:
        return low

    def happened(self, what: str) -> None: ...


class Alive:
    name, is_alive = "process", True

    def die(self, where: str) -> None: ...


@dataclass
class Venue:
    side: ChainSide
    custody: Transactions
    mood: list[str]
    numbers: list[int] = field(default_factory=lambda: [0])

    @property
    def user(self) -> Wallet:
        return Wallet(self.side.wallets[0])

    def held(self, account: str) -> int | None:
        """What the chain's transactions left in a token account; None if it is gone."""
        ledger = Ledger(self.side)
        ledger.follow()
        return ledger.amounts.get(account)

    async def crafted(self, selling: int, buying: int) -> UnsignedDeposit:
        self.numbers[0] += 1
        number = self.numbers[0]
        return await self.custody.build_deposit(
            request_id=RequestId(f"00000000-0000-4000-8000-{number:012x}"),
            order_id=OrderId(f"order {number}"),
            wallet=self.user,
            family=Family.SINGLE,
            input_mint=Mint(self.side.mints[selling]),
            output_mint=Mint(self.side.mints[buying]),
            amount=BaseUnits(UNITS),
        )

    def signature(self, craft: UnsignedTransaction) -> Signature:
        signed = self.side.signed(self.custody.unsigned_transaction(craft), self.user)
        submission = self.custody.read_submission(signed, self.user)
        assert submission.fault is None
        assert submission.message == craft.message
        assert submission.user_signature is not None
        return submission.user_signature

    def placed(self, deposit: UnsignedDeposit) -> tuple[OrderGroup, Attempt]:
        terms = TriggerTerms(
            deposit.wallet,
            deposit.family,
            deposit.input_mint,
            deposit.output_mint,
            Mint(self.side.mints[0]),
            deposit.input_account,
            deposit.craft.moves,
        )
        attempt = Attempt(1, AttemptKind.DEPOSIT, deposit.craft, self.signature(deposit.craft))
        group = place(deposit.order_id, OrderPlaced(terms, (LEG,), Instant(NOW + 10**6), attempt), NOW)
        return group, attempt

    async def opened(self, selling: int = 2, buying: int = 1) -> OrderGroup:
        """An order whose deposit landed. By default it sells JUP for USDC."""
        group, attempt = self.placed(await self.crafted(selling, buying))
        assert await self.outcome(group, attempt) == (TransactionOutcome.LANDED, None)
        return evolve(group, DepositLanded(Signature("")), NOW)

    async def triggered(self, selling: int = 2, buying: int = 1) -> OrderGroup:
        return evolve(await self.opened(selling, buying), OrderTriggered(0, LEG.condition.price), NOW)

    async def outcome(self, group: OrderGroup, attempt: Attempt) -> tuple[TransactionOutcome, bool | None] | None:
        """Sends it. The fate, and whether there is an error."""
        await self.custody.send(group, attempt)
        seen = await self.custody.outcome(group, attempt)
        if seen is None:
            return None
        assert seen.signature == self.custody.signature_of(group, attempt)
        return seen.outcome, None if seen.error is None else bool(seen.error)

    def attempt(self, kind: AttemptKind, craft: UnsignedTransaction) -> Attempt:
        user = self.signature(craft) if kind is AttemptKind.WITHDRAWAL else None
        return Attempt(2, kind, craft, user)


def cancelled(group: OrderGroup, craft: UnsignedTransaction | None = None) -> OrderGroup:
    return evolve(group, CancelRequested(RequestId("cancel"), craft), NOW)


@pytest.fixture(params=["model", "svm"])
async def venue(request: pytest.FixtureRequest) -> AsyncIterator[Venue]:
    still = Still(replace(fault_profile.drawn(Random(1)), wallets=1, slot_window=150, chain_inside=False))
    side: ChainSide = ModelSide(1, still.wall_ms, 150) if request.param == "model" else SvmSide(still)
    await side.open()
    prices = dict(zip(side.mints, (200 * 10**12, 10**12, 10**12 // 2), strict=True))
    mood = ["fine"]
    yield Venue(side, side.transactions(side.chain(Alive()), prices.__getitem__, lambda: mood[0]), mood)
    await side.close()


async def test_a_deposit_fills_an_account_of_its_own(venue: Venue) -> None:
    for selling in (0, 1, 2):
        deposit = await venue.crafted(selling, (selling + 1) % 3)
        assert deposit.craft.moves == BaseUnits(UNITS)
        assert await venue.custody.simulate_deposit(deposit) is None
        group, attempt = venue.placed(deposit)
        assert await venue.outcome(group, attempt) == (TransactionOutcome.LANDED, None)
        assert venue.held(deposit.input_account) == UNITS


async def test_what_is_sent_twice_lands_once(venue: Venue) -> None:
    group, attempt = venue.placed(await venue.crafted(1, 0))
    assert (
        await venue.outcome(group, attempt) == await venue.outcome(group, attempt) == (TransactionOutcome.LANDED, None)
    )
    assert venue.held(group.terms.input_account) == UNITS


async def test_a_prefunded_address_takes_no_deposit(venue: Venue) -> None:
    deposit = await venue.crafted(2, 1)
    await venue.side.prefund(deposit.input_account)
    assert await venue.custody.simulate_deposit(deposit)
    assert await venue.outcome(*venue.placed(deposit)) == (TransactionOutcome.REJECTED, True)


async def test_an_attempt_is_unresolved_until_its_height_has_passed(venue: Venue) -> None:
    group, attempt = venue.placed(await venue.crafted(1, 0))
    assert await venue.custody.outcome(group, attempt) is None
    await venue.side.expire_blockhashes()
    assert await venue.outcome(group, attempt) == (TransactionOutcome.DEAD, None)
    assert venue.held(group.terms.input_account) is None


@pytest.mark.parametrize("selling", [0, 1, 2])
async def test_a_withdrawal_takes_all_that_is_there_and_closes(venue: Venue, selling: int) -> None:
    group = await venue.opened(selling, (selling + 1) % 3)
    await venue.side.dust(group.terms.input_account, 7)
    craft = await venue.custody.build_withdrawal(group)
    assert (craft.moves, craft.dust, craft.closes) == (BaseUnits(UNITS), BaseUnits(7), True)
    attempt = venue.attempt(AttemptKind.WITHDRAWAL, craft)
    assert await venue.outcome(cancelled(group, craft), attempt) == (TransactionOutcome.LANDED, None)
    assert venue.held(group.terms.input_account) is None


async def test_dust_after_the_craft_makes_the_chain_refuse_until_the_close_is_left_out(venue: Venue) -> None:
    group = await venue.opened()
    craft = await venue.custody.build_withdrawal(group)
    await venue.side.dust(group.terms.input_account, 7)
    assert await venue.outcome(cancelled(group), venue.attempt(AttemptKind.WITHDRAWAL, craft)) == (
        TransactionOutcome.REJECTED,
        True,
    )
    group = progressed(cancelled(group), close_rejections=2)
    craft = await venue.custody.build_withdrawal(group)
    assert (craft.dust, craft.closes) == (BaseUnits(7), False)
    await venue.side.dust(group.terms.input_account, 5)
    assert await venue.outcome(group, venue.attempt(AttemptKind.WITHDRAWAL, craft)) == (TransactionOutcome.LANDED, None)
    assert venue.held(group.terms.input_account) == 5
    await _sweeps(venue, progressed(group, voided=group.terms.deposited), 5)


async def _sweeps(venue: Venue, group: OrderGroup, dust: int) -> None:
    craft = await venue.custody.build_sweep(group)
    assert craft is not None
    assert (craft.moves, craft.dust, craft.closes) == (NOTHING, BaseUnits(dust), True)
    assert await venue.outcome(group, venue.attempt(AttemptKind.SWEEP, craft)) == (TransactionOutcome.LANDED, None)
    assert venue.held(group.terms.input_account) is None
    assert await venue.custody.build_sweep(group) is None


async def test_dust_does_not_keep_sol_from_coming_back(venue: Venue) -> None:
    group = await venue.opened(0, 1)
    craft = await venue.custody.build_withdrawal(progressed(group, close_rejections=2))
    assert craft.closes
    await venue.side.dust(group.terms.input_account, 7)
    assert await venue.outcome(cancelled(group), venue.attempt(AttemptKind.WITHDRAWAL, craft)) == (
        TransactionOutcome.LANDED,
        None,
    )
    assert venue.held(group.terms.input_account) is None


async def test_a_withdrawal_that_is_made_again_is_another_message(venue: Venue) -> None:
    group = await venue.opened()
    first = await venue.custody.build_withdrawal(group)
    group = cancelled(group, first)
    second = await venue.custody.build_withdrawal(group)
    third = await venue.custody.build_withdrawal(cancelled(group, second))
    assert len({first.message, second.message, third.message}) == 3


async def test_an_account_that_holds_less_than_the_order_gives_no_withdrawal(venue: Venue) -> None:
    group = await venue.opened()
    with pytest.raises(Unavailable):
        await venue.custody.build_withdrawal(replace(group, terms=replace(group.terms, deposited=BaseUnits(UNITS + 1))))


@pytest.mark.parametrize(("selling", "buying"), [(0, 1), (1, 0), (2, 1)])
async def test_a_fill_pays_the_user_and_closes(venue: Venue, selling: int, buying: int) -> None:
    group = await venue.triggered(selling, buying)
    await venue.side.dust(group.terms.input_account, 7)
    craft = await venue.custody.build_fill(group)
    assert isinstance(craft, UnsignedTransaction)
    assert (craft.moves, craft.dust, craft.closes) == (BaseUnits(UNITS), BaseUnits(7), True)
    assert craft.minimum
    attempt = venue.attempt(AttemptKind.FILL, craft)
    assert await venue.outcome(group, attempt) == (TransactionOutcome.LANDED, None)
    assert venue.held(group.terms.input_account) is None
    seen = await venue.custody.outcome(group, attempt)
    assert seen is not None
    assert seen.swap is not None
    assert (seen.swap.used, seen.swap.returned) == (BaseUnits(UNITS), BaseUnits(7))
    assert seen.swap.received >= craft.minimum
    if buying:
        own = venue.side.token_account(venue.user, group.terms.output_mint)
        [(_, old, new)] = [change for change in venue.side.landings_since(0)[-1].changes if change[0] == own]
        assert old is not None
        assert new is not None
        assert new[2] - old[2] == seen.swap.received.units


async def test_a_fill_that_leaves_the_close_out_leaves_the_dust(venue: Venue) -> None:
    group = progressed(await venue.triggered(), close_rejections=2)
    await venue.side.dust(group.terms.input_account, 7)
    craft = await venue.custody.build_fill(group)
    assert isinstance(craft, UnsignedTransaction)
    assert (craft.dust, craft.closes) == (NOTHING, False)
    assert await venue.outcome(group, venue.attempt(AttemptKind.FILL, craft)) == (TransactionOutcome.LANDED, None)
    await _sweeps(venue, progressed(group, voided=group.terms.deposited), 7)


async def test_a_swap_can_be_refused_and_can_fail(venue: Venue) -> None:
    group = await venue.triggered()
    venue.mood[0] = "refused"
    assert isinstance(await venue.custody.build_fill(group), SwapRefused)
    venue.mood[0] = "fails"
    craft = await venue.custody.build_fill(group)
    assert isinstance(craft, UnsignedTransaction)
    assert await venue.outcome(group, venue.attempt(AttemptKind.FILL, craft)) == (TransactionOutcome.REJECTED, True)
    assert venue.held(group.terms.input_account) == UNITS


async def test_what_is_tampered_with_is_not_taken(venue: Venue) -> None:
    deposit = await venue.crafted(1, 0)
    unsigned = venue.custody.unsigned_transaction(deposit.craft)
    assert venue.custody.read_submission(unsigned, venue.user).fault is SubmissionFault.UNSIGNED
    assert venue.custody.read_submission("no transaction", venue.user).fault is SubmissionFault.NOT_A_TRANSACTION
    signed, random = venue.side.signed(unsigned, venue.user), Random(1)
    for _ in range(30):
        tampered = venue.side.tampered(signed, venue.user, random)
        read = venue.custody.read_submission(tampered, venue.user)
        assert read.fault is not None or read.message != deposit.craft.message


async def test_a_signature_is_the_same_whenever_it_is_asked_for(venue: Venue) -> None:
    group = await venue.triggered()
    craft = await venue.custody.build_fill(group)
    assert isinstance(craft, UnsignedTransaction)
    attempt = venue.attempt(AttemptKind.FILL, craft)
    assert venue.custody.signature_of(group, attempt) == venue.custody.signature_of(group, attempt)
