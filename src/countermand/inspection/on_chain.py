"""Orders that live on the chain as they are shown, and what they wait for: a keeper, by the prices of now."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from msgspec import Struct

from countermand.inspection.timelines import shown_timeline
from countermand.inspection.wording import PriceOf, seconds_until
from countermand.orders.chain.inspection import ChainOrder
from countermand.orders.chain.model.order import ChainOrderState as ChainState
from countermand.orders.chain.model.order import IndexedLimitOrder, IndexedRecurringOrder
from countermand.services.liquidity.routing import worth_in
from countermand.services.tokens import Token, TokenRegistry
from countermand.solana.programs.dca import Dca
from countermand.solana.programs.dca_cycles import bounds_of, cycle_amount
from countermand.solana.programs.limit_order import LimitOrderAccount
from countermand.values.identity import Address, Mint
from countermand.values.instant import Instant
from countermand.values.quantities import BPS_ONE, BaseUnits, Bps, decimal_text

KEEPER: Final = "keeper"
PAUSE: Final = "pause"
NO_KEEPER: Final = "no keeper runs at this venue"
NO_SANDBOX_KEEPER: Final = "no keeper runs here: this sandbox was started with --no-keeper"
CHAINS_KEEPERS: Final = "the chain's own keepers fill it"
_EXPIRED: Final = "it expired: a keeper gives back what is left, or its owner cancels it"

Shown = dict[str, Any]


_TRIED: Final = {"fill": "fill", "cycle": "cycle", "refund": "refund", "dust": "return of dust", "end": "close"}


class Pausing(NamedTuple):
    """Until when nothing is done for an order, since what was tried last failed. `kind`: one of `_TRIED`."""

    until: Instant
    kind: str
    reason: str


def _never(_order: Address) -> None:
    return None


class Keepers(Struct, frozen=True):
    """`lack`: why nothing is filled here. None where a keeper fills what it can: all that does not pause, and to which
    nothing is an obstacle at any price.
    """

    lack: str | None
    pause_of: Callable[[Address], Pausing | None] = _never
    obstacle_to: Callable[[Address], str | None] = _never


class ChainOrders(Struct, frozen=True):
    tokens: TokenRegistry
    price_of: PriceOf
    now: Callable[[], Instant]
    keepers: Keepers

    def shown(self, order: ChainOrder) -> Shown:
        head = {
            "id": order.address,
            "family": order.family.value,
            "state": order.state.value,
            "wallet": order.owner,
            "inputMint": order.input_mint,
            "outputMint": order.output_mint,
        }
        timeline = {"timeline": shown_timeline(order.timeline)} if order.timeline else {}
        return head | _terms(order) | timeline | self._waits(order)

    def _waits(self, order: ChainOrder) -> Shown:
        terms = order.terms
        if order.state is not ChainState.OPEN or not isinstance(terms, LimitOrderAccount | Dca):
            return {"waitsFor": None, "waiting": None}
        pause = self.keepers.pause_of(order.address)
        lack = self.keepers.lack or self.keepers.obstacle_to(order.address)
        if pause is not None:
            seconds = seconds_until(pause.until, self.now())
            words = (
                f"its last {_TRIED[pause.kind]} failed ({pause.reason}); next try in {seconds} s of the venue's clock"
            )
            return {"waitsFor": words, "waiting": {"for": PAUSE, "until": pause.until, "reason": pause.reason}}
        data: Shown = {"for": KEEPER, "keeper": lack}
        if isinstance(terms, LimitOrderAccount):
            worth = self._worth(terms, terms.making_amount)
            data |= {"asks": str(terms.taking_amount), "worth": _text(worth)}
            words = _EXPIRED if self._has_expired(terms) else self._rate_words(terms, worth)
        else:
            units = cycle_amount(terms)
            least, most = bounds_of(terms, units)
            worth = self._worth(terms, units)
            data |= {"until": terms.next_cycle_at * 1000, **_bounds(least, most), "worth": _text(worth)}
            words = self._cycle_words(terms, least, most, worth)
        return {"waitsFor": words if lack is None else f"{words}; {lack}", "waiting": data}

    def _has_expired(self, order: LimitOrderAccount) -> bool:
        return order.expired_at is not None and self.now() // 1000 > order.expired_at

    def _pair(self, order: LimitOrderAccount | Dca) -> tuple[Token | None, Token | None]:
        return self.tokens.get(Mint(order.input_mint)), self.tokens.get(Mint(order.output_mint))

    def _worth(self, order: LimitOrderAccount | Dca, given_units: int) -> int | None:
        """Of so much of its input, in units of its output, before any fee. None: a price is not known."""
        given, wanted = self._pair(order)
        if given is None or wanted is None:
            return None
        price, other = self.price_of(given.mint), self.price_of(wanted.mint)
        if price is None or other is None:
            return None
        return worth_in(BaseUnits(given_units), given, price, wanted, other, Bps(0))

    def _rate_words(self, order: LimitOrderAccount, worth: int | None) -> str:
        given, wanted = self._pair(order)
        asked = f"asks for {_amount(order.taking_amount, wanted)} for {_amount(order.making_amount, given)}"
        if worth is None:
            return f"{asked}; what that is worth is not known"
        shown = f"{asked}, which is worth {_amount(worth, wanted)} before the fee"
        if worth >= order.taking_amount:
            return shown
        less = (order.taking_amount - worth) * BPS_ONE // order.taking_amount
        return f"{shown}, {decimal_text(less, 2)} % less"

    def _cycle_words(self, order: Dca, least: int, most: int | None, worth: int | None) -> str:
        now, due = self.now(), Instant(order.next_cycle_at * 1000)
        _, wanted = self._pair(order)
        bounds = [f"{sign} {_amount(units, wanted)}" for sign, units in (("≥", least), ("≤", most)) if units]
        when = f"is due in {seconds_until(due, now)} s of the venue's clock" if due > now else "is due"
        if not bounds:
            return f"its next cycle {when}"
        asked = f"its next cycle {when}, for {' and '.join(bounds)}"
        return asked if worth is None else f"{asked}, and is worth {_amount(worth, wanted)} before the fee"


def _text(units: int | None) -> str | None:
    return None if units is None else str(units)


def _amount(units: int, token: Token | None) -> str:
    return f"{units} units" if token is None else f"{decimal_text(units, token.decimals)} {token.symbol}"


def _terms(order: ChainOrder) -> Shown:
    match order.terms:
        case LimitOrderAccount() as account:
            return {
                "makingAmount": str(account.ori_making_amount),
                "takingAmount": str(account.ori_taking_amount),
                "remainingMakingAmount": str(account.making_amount),
                "remainingTakingAmount": str(account.taking_amount),
                **_limit_times(account.slippage_bps, account.expired_at, account.created_at, account.updated_at),
            }
        case IndexedLimitOrder() as known:
            return {
                "makingAmount": str(known.making),
                "takingAmount": str(known.taking),
                "remainingMakingAmount": str(known.remaining_making),
                "remainingTakingAmount": str(known.remaining_taking),
                **_limit_times(known.slippage_bps, known.expires_at_s, known.created_at_s, known.updated_at_s),
            }
        case Dca() as account:
            return {
                "amount": str(account.in_deposited),
                "remaining": str(account.in_left),
                "received": str(account.out_received),
                "amountPerCycle": str(account.in_amount_per_cycle),
                **_bounds(account.min_out, account.max_out),
                "cycleSeconds": account.cycle_frequency,
                "nextCycleAt": account.next_cycle_at * 1000,
                "createdAt": account.created_at * 1000,
            }
        case IndexedRecurringOrder() as known:
            return {
                "amount": str(known.deposited),
                "remaining": str(known.withdrawn if known.user_closed else 0),
                "received": str(known.received),
                "amountPerCycle": str(known.per_cycle),
                **_bounds(known.out_min, known.out_max),
                "cycleSeconds": known.interval_s,
                "nextCycleAt": None,
                "createdAt": known.created_at_s * 1000,
            }
    return {}


def _limit_times(slippage_bps: int, expires_at_s: int | None, created_at_s: int, updated_at_s: int) -> Shown:
    return {
        "slippageBps": slippage_bps,
        "expiresAt": None if expires_at_s is None else expires_at_s * 1000,
        "createdAt": created_at_s * 1000,
        "updatedAt": updated_at_s * 1000,
    }


def _bounds(least: int, most: int | None) -> Shown:
    """0, or None: none."""
    return {"minOutAmount": str(least) if least else None, "maxOutAmount": str(most) if most else None}
