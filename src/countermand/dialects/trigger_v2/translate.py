"""Between the wire and the orders, in both directions. Pure; what is wrong with a request raises `Declined`."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import UNSET, Raw, UnsetType

from countermand.answering import Declined
from countermand.dialects.trigger_v2.dca_translate import check_jl_mint
from countermand.dialects.trigger_v2.envelope import error, invalid
from countermand.dialects.trigger_v2.reading import Flaws
from countermand.dialects.trigger_v2.refusals import WORDS
from countermand.dialects.trigger_v2.states import RAW, display_state
from countermand.dialects.trigger_v2.vault_translate import history_query, json_number
from countermand.dialects.trigger_v2.wire import (
    AmendRequest,
    CraftAnswer,
    CraftRequest,
    CreateRequest,
    GivenTerms,
    HistoryEvent,
    HistoryItem,
    HistoryParams,
    PlacedAnswer,
)
from countermand.orders.dca.model.commands import UnsignedDeposit as UnsignedDcaDeposit
from countermand.orders.trigger.model.commands import Amendment, LegChange, UnsignedDeposit
from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.orders.trigger.model.order import NOWHERE, Family, Leg, OrderGroup, Role, State
from countermand.orders.trigger.model.refusals import TriggerRefusal
from countermand.orders.trigger.model.trailing import Trail
from countermand.orders.trigger.ports import Sort
from countermand.orders.trigger.records import HistoryEntry
from countermand.orders.trigger.service import OrderRequest, TriggerView
from countermand.orders.vaults.ports import HistoryQuery
from countermand.orders.vaults.service import Placed
from countermand.values.holding import Holding
from countermand.values.identity import Address, Mint, RequestId, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import NOTHING, USD_SCALE, BaseUnits, Bps, UsdPrice
from countermand.values.structs import replace
from countermand.values.tokens import Token

DEPOSIT_USD_MIN: Final = 10
FAILED_FILLS_SHOWN: Final = 5
_FRACTION_SCALE: Final = 12

_FIELDS: Final = {
    "single": ("triggerPriceUsd", "trailingBps", "slippageBps"),
    "oco": ("tpPriceUsd", "slPriceUsd", "tpSlippageBps", "slSlippageBps"),
    "otoco": ("triggerPriceUsd", "slippageBps", "tpPriceUsd", "slPriceUsd", "tpSlippageBps", "slSlippageBps"),
}
"""What belongs to each type of order."""


# --- deposits


def check_craft(body: CraftRequest) -> tuple[Family | None, BaseUnits]:
    """The order's family, None for a recurring one, and the amount.

    Older clients name neither type nor sub-type: theirs is a single order.
    """
    flaws = Flaws()
    amount = flaws.amount("amount", body.amount)
    for field, key in (
        ("inputMint", body.input_mint),
        ("outputMint", body.output_mint),
        ("userAddress", body.user_address),
    ):
        flaws.public_key(field, key)
    flaws.refuse()
    sub_type = body.order_sub_type
    if body.order_type == "dca":
        if sub_type is not UNSET:
            raise Declined(error(400, "orderSubType must be omitted when orderType is 'dca'"))
        check_jl_mint(body)
        return None, amount
    if body.order_type == "price" and sub_type is UNSET:
        options = 'Invalid option: expected one of "single"|"oco"|"otoco"'
        raise Declined(invalid({"orderSubType": options}))
    return Family.SINGLE if isinstance(sub_type, UnsetType) else Family(sub_type), amount


def check_pair(input_mint: Mint, output_mint: Mint, token_of: Callable[[Mint], Token | None]) -> tuple[Token, Token]:
    """The tokens of a pair that can be traded."""
    sold, bought = token_of(input_mint), token_of(output_mint)
    if sold is None or bought is None:
        fields = {"inputMint": sold, "outputMint": bought}
        raise Declined(invalid({field: "Token is not known" for field, token in fields.items() if token is None}))
    if input_mint == output_mint:
        raise Declined(error(400, "Input mint and output mint cannot be the same"))
    if sold.stable and bought.stable:
        raise Declined(error(400, "Mint pair is not supported"))
    return sold, bought


def check_worth(amount: BaseUnits, token: Token, price: UsdPrice | None) -> None:
    if price is None:
        raise Declined(error(500, f"Failed to fetch the price of {token.mint}"))
    cents = amount.units * price.picodollars // 10 ** (token.decimals + USD_SCALE - 2)
    if cents < DEPOSIT_USD_MIN * 100:
        worth = f"{cents // 100}.{cents % 100:02d}"
        raise Declined(error(400, f"Order must be at least {DEPOSIT_USD_MIN} USD (current value: {worth} USD)"))


def from_craft(
    deposit: UnsignedDeposit | UnsignedDcaDeposit, transaction: str, vault: Address, token: Token
) -> CraftAnswer:
    output = deposit.output_account if isinstance(deposit, UnsignedDeposit) else None
    return CraftAnswer(
        transaction=transaction,
        request_id=deposit.request_id,
        receiver_address=vault,
        mint=deposit.input_mint,
        amount=str(deposit.craft.moves.units),
        token_decimals=token.decimals,
        input_token_account=deposit.input_account,
        output_token_account=output or UNSET,
    )


# --- orders


def into_request(body: CreateRequest) -> OrderRequest:
    family = Family(body.order_type)
    if family is Family.SINGLE and _is_given(body.trigger_price_usd) == (body.trailing_bps is not UNSET):
        raise Declined(error(400, "exactly one of triggerPriceUsd or trailingBps must be set"))
    flaws = _fields_of_other_types(body)
    _check_trail(flaws, body)
    if family is Family.OCO and body.trigger_condition is not UNSET:
        flaws["triggerCondition"] = "Not a field of oco orders"
    legs = _legs(flaws, body, family)
    amount = flaws.amount("inputAmount", body.input_amount)
    flaws.instant("expiresAt", body.expires_at)
    request = OrderRequest(
        deposit_request_id=RequestId(body.deposit_request_id.lower()),
        transaction=body.deposit_signed_tx,
        wallet=Wallet(flaws.public_key("userPubkey", body.user_pubkey)),
        family=family,
        input_mint=flaws.public_key("inputMint", body.input_mint),
        output_mint=flaws.public_key("outputMint", body.output_mint),
        trigger_mint=flaws.public_key("triggerMint", body.trigger_mint),
        amount=amount,
        legs=legs,
        expires_at=Instant(body.expires_at),
    )
    flaws.refuse()
    return request


def _legs(flaws: Flaws, body: CreateRequest, family: Family) -> tuple[Leg, ...]:
    match family:
        case Family.SINGLE:
            return (_trigger(flaws, body),)
        case Family.OCO:
            return _siblings(flaws, body)
        case Family.OTOCO:
            return (_trigger(flaws, body), *_siblings(flaws, body))


def _trigger(flaws: Flaws, body: CreateRequest) -> Leg:
    """The one leg of a single order, or the parent of an OTOCO."""
    if body.trigger_condition is UNSET:
        flaws["triggerCondition"] = 'Invalid option: expected one of "above"|"below"'
    direction = Direction.ABOVE if body.trigger_condition == "above" else Direction.BELOW
    if not isinstance(body.trailing_bps, UnsetType):
        trail = Trail(Bps(body.trailing_bps))
        return Leg(Role.TRIGGER, Condition(direction, NOWHERE), _slippage(body.slippage_bps), trail)
    price = flaws.usd("triggerPriceUsd", body.trigger_price_usd)
    return Leg(Role.TRIGGER, Condition(direction, price), _slippage(body.slippage_bps))


def _check_trail(flaws: Flaws, body: CreateRequest) -> None:
    """A stop below follows what is sold, one above what is bought."""
    if isinstance(body.trailing_bps, UnsetType) or body.order_type != "single":
        return
    below = body.trigger_condition == "below"
    if body.trigger_mint != (body.input_mint if below else body.output_mint):
        side = "inputMint" if below else "outputMint"
        flaws["triggerMint"] = f"Must be the {side} of a trailing order with triggerCondition {body.trigger_condition}"


def _siblings(flaws: Flaws, body: CreateRequest) -> tuple[Leg, ...]:
    """The two of an OCO, or the children of an OTOCO: one takes profit above, the other stops the loss below."""
    take_profit, stop_loss = flaws.usd("tpPriceUsd", body.tp_price_usd), flaws.usd("slPriceUsd", body.sl_price_usd)
    if not flaws.keys() & {"tpPriceUsd", "slPriceUsd"} and take_profit <= stop_loss:
        flaws["tpPriceUsd"] = WORDS[TriggerRefusal.PRICES_CROSSED].text
    return (
        Leg(Role.TAKE_PROFIT, Condition(Direction.ABOVE, take_profit), _slippage(body.tp_slippage_bps)),
        Leg(Role.STOP_LOSS, Condition(Direction.BELOW, stop_loss), _slippage(body.sl_slippage_bps)),
    )


def from_placed(placed: Placed[OrderGroup]) -> PlacedAnswer:
    return PlacedAnswer(
        id=placed.order.id,
        tx_signature=placed.signature,
        deposit_confirmed=True,
        message="Order already created" if placed.repeated else UNSET,
    )


def check_trigger(trigger_mint: Mint, token_of: Callable[[Mint], Token | None]) -> None:
    """Any token with a price may be watched, also one that is neither sold nor bought."""
    watched = token_of(trigger_mint)
    if watched is None:
        raise Declined(invalid({"triggerMint": "Token is not known"}))
    if watched.stable:
        raise Declined(error(400, "Trigger mint is not supported"))


def into_amendment(body: AmendRequest, now: Instant) -> Amendment:
    flaws = _fields_of_other_types(body)
    given = [field for field, is_given in _given_terms(body) if is_given]
    if not given and body.expires_at is UNSET:
        flaws["body"] = f"Give at least one of {', '.join(_FIELDS[body.order_type])}, expiresAt"
    if not isinstance(body.expires_at, UnsetType):
        if body.expires_at <= now:
            flaws["expiresAt"] = WORDS[TriggerRefusal.EXPIRY_PAST].text
        flaws.instant("expiresAt", body.expires_at)
    distance = None if isinstance(body.trailing_bps, UnsetType) else Bps(body.trailing_bps)
    trigger = replace(_change(flaws, "triggerPriceUsd", body.trigger_price_usd, body.slippage_bps), distance=distance)
    take_profit = _change(flaws, "tpPriceUsd", body.tp_price_usd, body.tp_slippage_bps)
    stop_loss = _change(flaws, "slPriceUsd", body.sl_price_usd, body.sl_slippage_bps)
    flaws.refuse()
    family = Family(body.order_type)
    legs = {
        Family.SINGLE: (trigger,),
        Family.OCO: (take_profit, stop_loss),
        Family.OTOCO: (trigger, take_profit, stop_loss),
    }[family]
    return Amendment(family, legs, None if isinstance(body.expires_at, UnsetType) else Instant(body.expires_at))


def _change(flaws: Flaws, field: str, price: Raw, slippage: int | UnsetType) -> LegChange:
    return LegChange(flaws.usd(field, price) if _is_given(price) else None, _slippage(slippage))


def _slippage(bps: int | UnsetType) -> Bps | None:
    return None if isinstance(bps, UnsetType) else Bps(bps)


def _is_given(raw: Raw) -> bool:
    return memoryview(raw).nbytes > 0


def _given_terms(body: GivenTerms) -> Iterator[tuple[str, bool]]:
    """Each term that belongs to some type of order, and whether it is given."""
    yield "triggerPriceUsd", _is_given(body.trigger_price_usd)
    yield "trailingBps", body.trailing_bps is not UNSET
    yield "slippageBps", body.slippage_bps is not UNSET
    yield "tpPriceUsd", _is_given(body.tp_price_usd)
    yield "slPriceUsd", _is_given(body.sl_price_usd)
    yield "tpSlippageBps", body.tp_slippage_bps is not UNSET
    yield "slSlippageBps", body.sl_slippage_bps is not UNSET


def _fields_of_other_types(body: GivenTerms) -> Flaws:
    own = _FIELDS[body.order_type]
    return Flaws(
        {
            field: f"Not a field of {body.order_type} orders"
            for field, is_given in _given_terms(body)
            if is_given and field not in own
        }
    )


# --- history


def into_query(params: HistoryParams, wallet: Wallet) -> HistoryQuery:
    return history_query(params, Sort(params.sort), wallet)


def from_view(view: TriggerView, vault: Address) -> HistoryItem:
    group = view.order
    terms = group.terms
    legs = {leg.role: leg for leg in group.legs}
    trigger = legs.get(Role.TRIGGER)
    trail = None if trigger is None else trigger.trail
    used = group.progress.posted
    return HistoryItem(
        id=group.id,
        order_type=terms.family.value,
        order_state=display_state(group.state).value,
        raw_state=RAW[group.state].value,
        user_pubkey=terms.wallet,
        privy_wallet_pubkey=vault,
        input_mint=terms.input_mint,
        initial_input_amount=str(terms.deposited.units),
        remaining_input_amount=str(_unsold(view).units),
        output_mint=terms.output_mint,
        trigger_mint=terms.trigger_mint,
        trigger_condition=None if trigger is None else trigger.condition.direction.value,
        trigger_price_usd=_price_of(trigger),
        slippage_bps=_slippage_of(trigger),
        expires_at=group.expires_at,
        created_at=group.created_at,
        updated_at=group.updated_at,
        triggered_at=group.progress.triggered_at,
        output_amount=str(group.progress.received.units) if group.progress.received else None,
        input_used=str(used.units) if used else None,
        fill_percent=json_number(_filled(group), _FRACTION_SCALE),
        trailing_bps=None if trail is None else trail.distance.bps,
        high_watermark=_watermark(trigger, Direction.BELOW),
        low_watermark=_watermark(trigger, Direction.ABOVE),
        tp_price_usd=_price_of(legs.get(Role.TAKE_PROFIT)),
        sl_price_usd=_price_of(legs.get(Role.STOP_LOSS)),
        tp_slippage_bps=_slippage_of(legs.get(Role.TAKE_PROFIT)),
        sl_slippage_bps=_slippage_of(legs.get(Role.STOP_LOSS)),
        events=tuple(_event(entry) for entry in _shown(view.history)),
    )


def _filled(group: OrderGroup) -> int:
    """The share of what the legs sell that pay the user, in 10⁻¹²."""
    holding: Holding | None = group.funds
    if group.terms.family is Family.OTOCO:
        holding = group.progress.proceeds if group.parent_is_done else None
    if group.state is State.FILLED:
        return int(10**_FRACTION_SCALE)
    return 0 if holding is None else holding.posted.units * 10**_FRACTION_SCALE // holding.reserved.units


def _unsold(view: TriggerView) -> BaseUnits:
    """What a cancel takes is not deducted, here or at the original; a rest that a last fill gave back is."""
    group = view.order
    if group.state is State.FILLED or (group.parent_is_done and not _cancel_took_deposit(view)):
        return NOTHING
    return group.terms.deposited - group.progress.posted


def _cancel_took_deposit(view: TriggerView) -> bool:
    group = view.order
    landed = None if group.progress.withdrawal is None else group.progress.withdrawal.signature
    return landed is not None and any(
        entry.signature == landed and entry.mint == group.terms.input_mint for entry in view.history
    )


def _price_of(leg: Leg | None) -> Raw | None:
    return None if leg is None else json_number(leg.condition.price.picodollars, USD_SCALE)


def _watermark(leg: Leg | None, direction: Direction) -> Raw | None:
    trail = None if leg is None or leg.condition.direction is not direction else leg.trail
    return None if trail is None or trail.watermark is None else json_number(trail.watermark.picodollars, USD_SCALE)


def _slippage_of(leg: Leg | None) -> int | None:
    return None if leg is None or leg.slippage is None else leg.slippage.bps


def _shown(entries: Sequence[HistoryEntry]) -> Iterator[HistoryEntry]:
    """The newest first, and of failed fills only the newest few."""
    failed = 0
    for entry in entries:
        if entry.kind == "fill" and not entry.succeeded:
            failed += 1
            if failed > FAILED_FILLS_SHOWN:
                continue
        yield entry


def _event(entry: HistoryEntry) -> HistoryEvent:
    is_fill = entry.kind == "fill"
    amount, output = entry.amount, entry.output_amount
    return HistoryEvent(
        type=entry.kind,
        timestamp=entry.at,
        tx_signature=entry.signature or UNSET,
        mint=UNSET if is_fill or entry.mint is None else entry.mint,
        amount=UNSET if is_fill or amount is None else str(amount.units),
        output_mint=entry.output_mint or UNSET,
        output_amount=UNSET if output is None else str(output.units),
        order_context=UNSET if entry.purpose is None else entry.purpose.value,
        state="success" if entry.succeeded else "failed",
    )
