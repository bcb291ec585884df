"""Between the wire and recurring orders, in both directions. Pure; what is wrong with a request raises `Declined`."""

import re
from datetime import datetime, timedelta
from typing import Final

from msgspec import UNSET, Raw

from countermand.answering import Declined
from countermand.dialects.trigger_v2.dca_wire import (
    CancellingDcaAnswer,
    CreateDcaRequest,
    DcaEvent,
    DcaHistoryParams,
    DcaItem,
    PlacedDcaAnswer,
)
from countermand.dialects.trigger_v2.envelope import error
from countermand.dialects.trigger_v2.reading import Flaws
from countermand.dialects.trigger_v2.states import DCA, DCA_DISPLAY
from countermand.dialects.trigger_v2.vault_translate import history_query, json_number
from countermand.dialects.trigger_v2.wire import CraftRequest
from countermand.iso_time import EPOCH, iso
from countermand.orders.dca.model.lifecycle import next_fill_at
from countermand.orders.dca.model.order import DcaOrder, DcaPlan, PriceBand
from countermand.orders.dca.ports import Sort
from countermand.orders.dca.records import HistoryEntry
from countermand.orders.dca.service import DcaView, OrderRequest
from countermand.orders.vaults.ports import HistoryQuery
from countermand.orders.vaults.service import Cancelling, Placed
from countermand.values.identity import Address, RequestId, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import USD_SCALE, UsdPrice

JL_MINTS: Final = {
    "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v": "9BEcn9aPEmhSPbPQeFGjidRiEKki46fVQDyPpSQXPA2D",
    "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB": "Cmn4v2wipYV41dkakDvCgFJpxhtaaKt11NyWV8pjSE8A",
}
"""The tokens that the original service lends out between rounds, of those that every venue knows. No venue lends."""
_FRACTION_SCALE: Final = 12
_ISO: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?P<seconds>:\d{2}(?P<fraction>\.\d{1,9})?)?(?P<zone>Z|[+-]\d{2}:\d{2})", re.ASCII
)


# --- deposits


def check_jl_mint(body: CraftRequest) -> None:
    if not isinstance(body.jl_mint, str):
        return
    fits = JL_MINTS.get(body.input_mint) == body.jl_mint
    words = (
        "jlMint is not supported by this venue" if fits else "jlMint does not match the JL token for this input mint"
    )
    raise Declined(error(400, words))


# --- orders


def into_request(body: CreateDcaRequest) -> OrderRequest:
    flaws = Flaws()
    amount = flaws.amount("inputAmount", body.input_amount)
    band, begin_at = _band(flaws, body), _begin(flaws, body)
    request = OrderRequest(
        deposit_request_id=RequestId(body.deposit_request_id.lower()),
        transaction=body.deposit_signed_tx,
        wallet=Wallet(flaws.public_key("userPubkey", body.user_pubkey)),
        input_mint=flaws.public_key("inputMint", body.input_mint),
        output_mint=flaws.public_key("outputMint", body.output_mint),
        amount=amount,
        plan=DcaPlan(body.order_count, body.interval_seconds, begin_at, band),
    )
    flaws.refuse()
    _check_jl(body)
    return request


def _band(flaws: Flaws, body: CreateDcaRequest) -> PriceBand | None:
    """The condition of a price-conditional order. Others have none."""
    given = _is_given(body.min_price_usd), _is_given(body.max_price_usd)
    if body.order_type != "price_conditional":
        if any(given):
            flaws["orderType"] = "Time-based orders cannot set minPriceUsd or maxPriceUsd"
        return None
    if not any(given):
        flaws["orderType"] = "Price-conditional orders must have at least minPriceUsd or maxPriceUsd set"
    least = flaws.usd("minPriceUsd", body.min_price_usd) if given[0] else None
    most = flaws.usd("maxPriceUsd", body.max_price_usd) if given[1] else None
    if not flaws.keys() & {"minPriceUsd", "maxPriceUsd"} and least is not None and most is not None and least > most:
        flaws["minPriceUsd"] = "minPriceUsd must not be greater than maxPriceUsd"
    if not isinstance(body.trigger_mint, str):
        flaws["triggerMint"] = "Price-conditional orders must specify a triggerMint"
        return None
    return PriceBand(flaws.public_key("triggerMint", body.trigger_mint), least, most)


def _begin(flaws: Flaws, body: CreateDcaRequest) -> Instant | None:
    if not isinstance(body.begin_fill_at, str):
        return None
    at = instant_of(body.begin_fill_at)
    if at is None:
        flaws["beginFillAt"] = "Invalid ISO datetime"
    return at


def _check_jl(body: CreateDcaRequest) -> None:
    if body.jl_enabled is not True:
        return
    if body.order_type == "price_conditional":
        raise Declined(error(400, "jlEnabled is only supported for time_based orders"))
    if body.input_mint not in JL_MINTS:
        raise Declined(error(400, "jlEnabled is not supported for this input mint"))
    words = "JL orders require the JL deposit craft. Please re-craft the deposit with jlMint."
    raise Declined(error(400, words))


def from_placed(placed: Placed[DcaOrder]) -> PlacedDcaAnswer:
    return PlacedDcaAnswer(
        id=placed.order.id,
        tx_signature=placed.signature,
        message="Order already created" if placed.repeated else UNSET,
    )


def from_cancelling(cancelling: Cancelling[DcaOrder], transaction: str) -> CancellingDcaAnswer:
    order = cancelling.order
    return CancellingDcaAnswer(
        id=order.id,
        rounds_remaining=order.rounds_remaining,
        refund_amount=str(order.remaining.units),
        transaction=transaction,
        request_id=cancelling.request_id,
    )


# --- history


def into_query(params: DcaHistoryParams, wallet: Wallet) -> HistoryQuery:
    return history_query(params, Sort(params.sort), wallet)


def from_view(view: DcaView, vault: Address) -> DcaItem:
    order = view.order
    terms, progress, plan = order.terms, order.progress, order.terms.plan
    band, state = plan.band, DCA[order.state]
    used, deposited = progress.posted, terms.deposited
    due = next_fill_at(order)
    return DcaItem(
        id=order.id,
        request_id=terms.deposit_request_id,
        user_pubkey=terms.wallet,
        vault_pubkey=vault,
        input_mint=terms.input_mint,
        output_mint=terms.output_mint,
        input_amount_initial=str(deposited.units),
        input_amount_remaining=str((deposited - used).units),
        amount_per_round=str(terms.per_round.units),
        output_amount_total=str(progress.received.units),
        input_amount_used=str(used.units),
        order_type="time_based" if band is None else "price_conditional",
        min_price_usd=None if band is None else _price(band.least),
        max_price_usd=None if band is None else _price(band.most),
        trigger_mint=None if band is None else band.mint,
        retry_window_seconds=plan.retry_window_s,
        number_of_rounds=plan.rounds,
        interval_seconds=plan.interval_s,
        begin_fill_at=iso(order.created_at if plan.begin_at is None else plan.begin_at),
        next_fill_at=None if due is None else iso(due),
        last_fill_at=None if progress.last_fill_at is None else iso(progress.last_fill_at),
        rounds_filled=progress.rounds_filled,
        fill_percent=json_number(used.units * 10**_FRACTION_SCALE // deposited.units, _FRACTION_SCALE),
        state=state.value,
        display_state=DCA_DISPLAY[state].value,
        created_at=iso(order.created_at),
        updated_at=iso(order.updated_at),
        events=tuple(_event(entry) for entry in view.history),
    )


def _event(entry: HistoryEntry) -> DcaEvent:
    is_fill, tries = entry.kind == "fill", entry.tries
    state = "success" if entry.succeeded else "rescheduled" if entry.rescheduled else "failed"
    # A fill at the first try shows no count.
    counts = is_fill and tries is not None and not (entry.succeeded and tries == 1)
    return DcaEvent(
        type=entry.kind,
        timestamp=iso(entry.at),
        tx_signature=entry.signature or UNSET,
        round_number=entry.round if is_fill and entry.round is not None else UNSET,
        input_amount=UNSET if entry.amount is None else str(entry.amount.units),
        output_amount=UNSET if entry.output_amount is None else str(entry.output_amount.units),
        state=state,
        attempt_count=tries if counts and tries is not None else UNSET,
    )


def instant_of(text: str) -> Instant | None:
    """None: it is no ISO 8601 date and time with its zone."""
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    fraction = match["fraction"] or ""
    plain = text.replace(fraction, "", 1).removesuffix("Z") + ("+00:00" if match["zone"] == "Z" else "")
    try:
        read = datetime.fromisoformat(plain)
    except ValueError:
        return None
    ms = int(fraction[1:4].ljust(3, "0")) if fraction else 0
    return Instant((read - EPOCH) // timedelta(milliseconds=1) + ms)


def _is_given(raw: Raw) -> bool:
    """`null` is none."""
    return bytes(memoryview(raw)[:5]) not in (b"", b"null")


def _price(price: UsdPrice | None) -> Raw | None:
    return None if price is None else json_number(price.picodollars, USD_SCALE)
