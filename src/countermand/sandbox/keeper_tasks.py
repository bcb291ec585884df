"""What is to be done with an order on the chain now, or else what it waits for: a price, or an instant.

A rate is so many units of the output for one of the input. Levels stand for it as whole numbers that never miss a price
which allows something: the order is judged again when its level is reached, and only that decides.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from msgspec import Struct

from countermand.orders.trigger.model.condition import Direction
from countermand.sandbox.pool import SandboxPool
from countermand.services.tokens import Token, TokenRegistry
from countermand.solana.programs import dca_cycles, limit_order_fills
from countermand.solana.programs.dca import FEE_BPS, Dca
from countermand.solana.programs.limit_order import LimitOrderAccount
from countermand.values.identity import Address, Mint
from countermand.values.instant import Instant
from countermand.values.quantities import BPS_ONE, U64_MAX, USD_SCALE, BaseUnits, UsdPrice, decimal_text
from countermand.values.transactions import SwapRefused

_RATE_ONE: Final = 1 << 64
_JITTER_S: Final = 31

Order: TypeAlias = LimitOrderAccount | Dca
Market: TypeAlias = tuple[str, str, Direction]
"""Input, output, and from where the rate comes. Without an output it is the price of the input in US dollars."""


class Task(Struct, frozen=True):
    """Input and output of a fill or a cycle; for the return of dust, what one dollar is in the input."""

    kind: str
    takes: int = 0
    gives: int = 0

    @property
    def swaps(self) -> bool:
        return self.kind in ("fill", "cycle")


class Wait(Struct, frozen=True):
    """`levels`: how far the rate of each market must have come, as `reaches` measures it.

    `due`: when the clock alone changes something. `held`: only the end of the fault that holds refunds does.
    """

    levels: tuple[tuple[Market, int], ...] = ()
    due: Instant | None = None
    held: bool = False


class Judge:
    """`jitter` of a cycle, in seconds, by the order's address and its time; none for the first."""

    def __init__(
        self,
        pool: SandboxPool,
        tokens: TokenRegistry,
        price_of: Callable[[Mint], UsdPrice | None],
        now: Callable[[], Instant],
        jitter: Callable[[Address, int], int],
        refund_delay_ms: int,
        holds_refunds: Callable[[], bool],
    ) -> None:
        self._pool, self._tokens, self._price_of, self._now = pool, tokens, price_of, now
        self._jitter, self._refund_delay_ms, self._holds_refunds = jitter, refund_delay_ms, holds_refunds

    def judge(self, address: Address, order: Order) -> Task | Wait:
        return self._limit(order) if isinstance(order, LimitOrderAccount) else self._recurring(address, order)

    def obstacle(self, order: Order) -> str | None:
        """What keeps the pool from making the swap that an order asks for, whatever the order's rate or time.

        Of an expired one, what keeps it from being returned.
        """
        over_at = self._over_at(order) if isinstance(order, LimitOrderAccount) else None
        if over_at is not None and self._now() >= over_at:
            return self._held_by(self._refund_at(over_at))
        if isinstance(order, Dca) and not order.in_left:
            return None
        given, wanted = self._tokens.get(Mint(order.input_mint)), self._tokens.get(Mint(order.output_mint))
        if given is None or wanted is None:
            return f"the sandbox does not know {order.output_mint if given else order.input_mint}"
        needed = order.making_amount if isinstance(order, LimitOrderAccount) else dca_cycles.cycle_amount(order)
        quote = self._pool.offer(BaseUnits(needed), given, wanted)
        if isinstance(quote, SwapRefused):
            return quote.reason
        if isinstance(order, Dca) and quote.takes.units < needed:
            return f"the pool takes {quote.takes.units} of {given.mint} at once, and a cycle sells {needed}"
        return None

    def reaches(self, mints: Iterable[Mint]) -> Mapping[Market, int]:
        """How far the markets of these mints have come: a level up to there is reached."""
        found: dict[Market, int] = {}
        for mint in mints:
            token, price = self._tokens.get(mint), self._price_of(mint)
            if token is None or price is None:
                continue
            found[mint, "", Direction.BELOW] = -price.picodollars
            for other in self._tokens.all():
                found.update(self._reach(token, other))
                found.update(self._reach(other, token))
        return found

    def _reach(self, given: Token, wanted: Token) -> Mapping[Market, int]:
        rate = None if given == wanted else self._pool.rate(given, wanted)
        if rate is None:
            return {}
        units, of = rate[0] * _RATE_ONE, rate[1]
        return {
            (given.mint, wanted.mint, Direction.ABOVE): -(-units // of),
            (given.mint, wanted.mint, Direction.BELOW): -(units // of),
        }

    # --- limit orders

    def _limit(self, order: LimitOrderAccount) -> Task | Wait:
        if not order.making_amount:
            return Task("refund")
        over_at = self._over_at(order)
        if over_at is not None and self._now() >= over_at:
            return self._expired(self._refund_at(over_at))
        is_rest = order.making_amount < order.ori_making_amount
        dollar = self._dollar(order.input_mint) if is_rest else None
        if dollar is not None and order.making_amount < dollar:
            return Task("dust", dollar)
        offered = self._offer(order, order.making_amount)
        if offered is not None:
            takes, receives = offered
            asked = limit_order_fills.asked_for(order, takes)
            if receives >= limit_order_fills.least_for(order, takes):
                return Task("fill", takes, min(asked, receives))
        levels = [_limit_level(order)]
        token = self._tokens.get(Mint(order.input_mint)) if is_rest else None
        if token is not None:
            levels.append(_dust_level(order, token))
        return Wait(tuple(levels), over_at)

    @staticmethod
    def _over_at(order: LimitOrderAccount) -> Instant | None:
        return None if order.expired_at is None else Instant((order.expired_at + 1) * 1000)

    def _refund_at(self, over_at: Instant) -> Instant:
        return Instant(over_at + self._refund_delay_ms)

    def _held_by(self, refund_at: Instant) -> str | None:
        if self._holds_refunds():
            return "the fault noRefunds holds the keeper back"
        wait_ms = refund_at - self._now()
        return f"the keeper waits {decimal_text(wait_ms, 3)} s more, by --keeper-refund-delay" if wait_ms > 0 else None

    def _expired(self, refund_at: Instant) -> Task | Wait:
        if self._now() < refund_at:
            return Wait(due=refund_at)
        return Wait(held=True) if self._holds_refunds() else Task("refund")

    def _dollar(self, mint: str) -> int | None:
        """So many units are worth one US dollar or more, and one unit less is not."""
        token, price = self._tokens.get(Mint(mint)), self._price_of(Mint(mint))
        if token is None or price is None:
            return None
        units: int = -(-(10 ** (token.decimals + USD_SCALE)) // price.picodollars)
        return min(units, U64_MAX)

    # --- recurring orders

    def _recurring(self, address: Address, order: Dca) -> Task | Wait:
        if not order.in_left:
            return Task("end")
        late_s = self._jitter(address, order.next_cycle_at) % _JITTER_S if order.in_used else 0
        due = Instant((order.next_cycle_at + late_s) * 1000)
        if self._now() < due:
            return Wait(due=due)
        used = dca_cycles.cycle_amount(order)
        offered = self._offer(order, used)
        if offered is not None and offered[0] == used:
            repaid = offered[1]
            if dca_cycles.is_within_bounds(order, used, repaid - dca_cycles.fee_of(repaid)):
                return Task("cycle", used, repaid)
        return Wait((self._recurring_level(order, used),))

    def _recurring_level(self, order: Dca, used: int) -> tuple[Market, int]:
        """Where the rate enters the bounds, from the side on which it is now."""
        least, most = dca_cycles.bounds_of(order, used)
        # The fee is rounded down: of what the pool gives, the user may get one unit more than its share.
        low = max(0, least - 1) * BPS_ONE * _RATE_ONE // (used * (BPS_ONE - FEE_BPS))
        rises = (order.input_mint, order.output_mint, Direction.ABOVE), low
        given, wanted = self._tokens.get(Mint(order.input_mint)), self._tokens.get(Mint(order.output_mint))
        if most is None or given is None or wanted is None:
            return rises
        reach = self._reach(given, wanted).get(rises[0])
        if reach is None or reach < low:
            return rises
        # What the pool gives is up to two units less than the rate says, for its own fee and price.
        high = -(-(most * BPS_ONE + 2 * BPS_ONE) * _RATE_ONE // (used * (BPS_ONE - FEE_BPS)))
        return (order.input_mint, order.output_mint, Direction.BELOW), -high

    def _offer(self, order: Order, units: int) -> tuple[int, int] | None:
        """How much of the input the pool takes now, and what it gives for that."""
        given, wanted = self._tokens.get(Mint(order.input_mint)), self._tokens.get(Mint(order.output_mint))
        if given is None or wanted is None:
            return None
        quote = self._pool.offer(BaseUnits(units), given, wanted)
        return None if isinstance(quote, SwapRefused) else (quote.takes.units, quote.receives.units)


def _limit_level(order: LimitOrderAccount) -> tuple[Market, int]:
    asked = order.ori_taking_amount * (BPS_ONE - order.slippage_bps) * _RATE_ONE
    level = asked // (order.ori_making_amount * BPS_ONE)
    return (order.input_mint, order.output_mint, Direction.ABOVE), level


def _dust_level(order: LimitOrderAccount, token: Token) -> tuple[Market, int]:
    """The highest price, in 10⁻¹² dollars, at which the rest is worth less than a dollar."""
    price = (10 ** (token.decimals + USD_SCALE) - 1) // order.making_amount
    return (order.input_mint, "", Direction.BELOW), -price
