"""Between the wire and the domain, in both directions. Nothing here knows time or the world but by its arguments."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, TypeVar
from uuid import UUID

from countermand.addresses import is_address
from countermand.answering import Declined
from countermand.dialects.trigger_v1.envelope import error
from countermand.dialects.trigger_v1.reading import Complaint, complains, number, public_key
from countermand.dialects.trigger_v1.wire import (
    CancelRequest,
    CreateRequest,
    ExecuteRequest,
    FlatOrderRow,
    LimitOrderRow,
    OpenOrderRow,
    OrderAccount,
    OrderRow,
    Status,
)
from countermand.dialects.trigger_v1.wire import Trade as TradeRow
from countermand.iso_time import SECONDS_MAX
from countermand.orders.chain.model.order import ChainOrderState, IndexedLimitOrder, Trade
from countermand.orders.chain.ports import OrderWithTrades
from countermand.orders.limit.model.order import LimitTerms, OpenLimitOrder
from countermand.orders.limit.model.worth import USD_MIN, too_little
from countermand.values.identity import Address, Mint, RequestId, Signature, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import BPS_ONE, BaseUnits, UsdPrice, decimal_text
from countermand.values.tokens import Tokens

AUTO: Final = "auto"
LIMIT_PROGRAM: Final = "j1o2qRpjcyUwEvwtcfhEQefh773ZgjxcVRry7LDqg5X"
I64_MAX: Final = 2**63 - 1

R = TypeVar("R", FlatOrderRow, LimitOrderRow)

_STATUSES: Final[Mapping[ChainOrderState, Status]] = MappingProxyType(
    {
        ChainOrderState.OPEN: "Open",
        ChainOrderState.COMPLETED: "Completed",
        ChainOrderState.CANCELLED: "Cancelled",
    }
)

INVALID_CREATE: Final = complains("invalid create order request")
INVALID_CANCEL: Final = complains("invalid cancel order request")


def into_terms(asked: CreateRequest, now: Instant) -> LimitTerms:
    """Raises `Declined`."""
    wrong = INVALID_CREATE
    maker = maker_of(asked.maker)
    input_mint = Mint(public_key("inputMint", asked.input_mint, wrong))
    output_mint = Mint(public_key("outputMint", asked.output_mint, wrong))
    if input_mint == output_mint:
        raise Declined(wrong("inputMint and outputMint must differ"))
    params = asked.params
    fee_bps, fee_account = _fee(asked)
    return LimitTerms(
        maker=maker,
        payer=Wallet(public_key("payer", asked.payer, wrong)),
        input_mint=input_mint,
        output_mint=output_mint,
        making=_amount("params.makingAmount", params.making_amount),
        taking=_amount("params.takingAmount", params.taking_amount),
        expires_at_s=_expiry(params.expired_at, now),
        fee_bps=fee_bps,
        fee_account=fee_account,
        slippage_bps=_slippage(asked),
        wraps_sol=asked.wrap_and_unwrap_sol is not False,
    )


def check_worth(terms: LimitTerms, tokens: Tokens, price_of: Callable[[Mint], UsdPrice | None]) -> None:
    """Raises `Declined` for less than the minimum, and if the worth is unknown."""
    token, price = tokens.get(terms.input_mint), price_of(terms.input_mint)
    if token is None or price is None:
        raise Declined(INVALID_CREATE(f"no price is known for the input mint {terms.input_mint}"))
    worth = too_little(terms.making, token.decimals, price)
    if worth is not None:
        raise Declined(INVALID_CREATE(f"input mint making amount must be at least {USD_MIN} USD, received: {worth}"))


def into_named(asked: CancelRequest) -> list[Address] | None:
    """The orders that a cancel names; None, for all, only if it names none. Raises `Declined`."""
    named = list(asked.orders or ())
    if asked.order is not None:
        if named:
            raise Declined(INVALID_CANCEL("order: given beside orders"))
        named = asked.order.split(",")
    for address in named:
        public_key("orders" if asked.orders else "order", address, INVALID_CANCEL)
    return [Address(address) for address in named] or None


def into_unit_price(given: str | int | None, wrong: Complaint) -> int | None:
    """Micro-lamports per compute unit; None is `auto`. Raises `Declined`."""
    return None if given in (None, AUTO) else number("computeUnitPrice", given, wrong)


def maker_of(given: str) -> Wallet:
    """Raises `Declined`."""
    if not is_address(given):
        raise Declined(error(400, "invalid maker pubkey"))
    return Wallet(given)


def request_id_of(messages: Sequence[bytes]) -> RequestId:
    """A version 4 UUID that these messages give: who asks twice within a blockhash gets the same ones, and one id."""
    digest = hashlib.sha256(b"".join(hashlib.sha256(message).digest() for message in messages)).digest()
    return RequestId(str(UUID(bytes=digest[:16], version=4)))


def request_ids_in(asked: ExecuteRequest) -> frozenset[RequestId]:
    """By both names. None: the client did not keep it; two cannot both be that of the transaction."""
    return frozenset(RequestId(each.lower()) for each in (asked.request_id, asked.id) if each is not None)


def from_open_order(order: OpenLimitOrder) -> OpenOrderRow:
    account = OrderAccount(
        borrow_making_amount=str(order.borrowed.units),
        created_at=iso(order.created_at_s, millis=True),
        expired_at=None if order.expires_at_s is None else iso(order.expires_at_s, millis=True),
        making_amount=str(order.making.units),
        ori_making_amount=str(order.original_making.units),
        ori_taking_amount=str(order.original_taking.units),
        taking_amount=str(order.taking.units),
        unique_id=str(order.unique_id),
        updated_at=str(order.updated_at_s),
        fee_account=order.fee_account,
        input_mint=order.input_mint,
        input_mint_reserve=order.reserve,
        input_token_program=order.input_program,
        maker=order.maker,
        output_mint=order.output_mint,
        output_token_program=order.output_program,
        fee_bps=order.fee_bps,
        bump=order.bump,
        slippage_bps=order.slippage_bps,
    )
    return OpenOrderRow(account=account, public_key=order.address)


def from_open(order: OpenLimitOrder, decimals: Mapping[Mint, int], opened_by: Signature | None) -> OrderRow:
    """An open order of which the index knows nothing."""
    return _row(
        decimals,
        user_pubkey=order.maker,
        order_key=order.address,
        input_mint=order.input_mint,
        output_mint=order.output_mint,
        making=order.original_making.units,
        taking=order.original_taking.units,
        remaining_making=order.making.units,
        remaining_taking=order.taking.units,
        slippage_bps=order.slippage_bps,
        expires_at_s=order.expires_at_s,
        created_at_s=order.created_at_s,
        updated_at_s=order.updated_at_s,
        status="Open",
        open_tx=opened_by or "",
        close_tx="",
        trades=(),
    )


def from_told(told: OrderWithTrades, decimals: Mapping[Mint, int]) -> OrderRow:
    """An order as the index knows it, open or over."""
    order = told.order
    assert isinstance(order, IndexedLimitOrder)
    return _row(
        decimals,
        user_pubkey=order.owner,
        order_key=order.address,
        input_mint=order.input_mint,
        output_mint=order.output_mint,
        making=order.making,
        taking=order.taking,
        remaining_making=order.remaining_making,
        remaining_taking=order.remaining_taking,
        slippage_bps=order.slippage_bps,
        expires_at_s=order.expires_at_s,
        created_at_s=order.created_at_s,
        updated_at_s=order.updated_at_s,
        status=_STATUSES[order.state],
        open_tx=order.opened_by,
        close_tx=order.closed_by or "",
        trades=told.trades,
    )


def _row(
    decimals: Mapping[Mint, int],
    *,
    user_pubkey: str,
    order_key: str,
    input_mint: Mint,
    output_mint: Mint,
    making: int,
    taking: int,
    remaining_making: int,
    remaining_taking: int,
    slippage_bps: int,
    expires_at_s: int | None,
    created_at_s: int,
    updated_at_s: int,
    status: Status,
    open_tx: str,
    close_tx: str,
    trades: Sequence[Trade],
) -> OrderRow:
    sold, bought = decimals.get(input_mint, 0), decimals.get(output_mint, 0)
    return OrderRow(
        user_pubkey=user_pubkey,
        order_key=order_key,
        input_mint=input_mint,
        output_mint=output_mint,
        making_amount=decimal_text(making, sold),
        taking_amount=decimal_text(taking, bought),
        remaining_making_amount=decimal_text(remaining_making, sold),
        remaining_taking_amount=decimal_text(remaining_taking, bought),
        raw_making_amount=str(making),
        raw_taking_amount=str(taking),
        raw_remaining_making_amount=str(remaining_making),
        raw_remaining_taking_amount=str(remaining_taking),
        slippage_bps=str(slippage_bps),
        expired_at=None if expires_at_s is None else iso(expires_at_s),
        created_at=iso(created_at_s),
        updated_at=iso(updated_at_s),
        status=status,
        open_tx=open_tx,
        close_tx=close_tx,
        program_version=LIMIT_PROGRAM,
        trades=tuple(_trade(each, order_key, input_mint, output_mint, sold, bought) for each in trades),
    )


def _trade(trade: Trade, order_key: str, input_mint: Mint, output_mint: Mint, sold: int, bought: int) -> TradeRow:
    """`output_amount` is before the fee. A fill that failed has no amounts."""
    return TradeRow(
        order_key=order_key,
        keeper=trade.keeper,
        input_mint=input_mint,
        output_mint=output_mint,
        input_amount=decimal_text(trade.given, sold),
        output_amount=decimal_text(trade.received, bought),
        raw_input_amount=str(trade.given),
        raw_output_amount=str(trade.received),
        fee_mint=trade.fee_mint or "",
        fee_amount=decimal_text(trade.fee, bought),
        raw_fee_amount=str(trade.fee),
        tx_id=trade.signature,
        confirmed_at=iso(trade.at_s),
        action="Fill",
    )


def narrowed(row: OrderRow, kind: type[R]) -> R:
    """The row as an older endpoint shows it."""
    return kind(**{name: getattr(row, name) for name in kind.__struct_fields__})


def iso(seconds: int, *, millis: bool = False) -> str:
    """`2025-03-16T22:05:20Z`; times beyond the year 9999 are its end."""
    moment = datetime.fromtimestamp(max(0, min(seconds, SECONDS_MAX)), UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (".000Z" if millis else "Z")


def _amount(field: str, given: str | int) -> BaseUnits:
    units = number(field, given, INVALID_CREATE)
    if units == 0:
        raise Declined(INVALID_CREATE(f"{field}: must be more than 0"))
    return BaseUnits(units)


def _expiry(given: str | int | None, now: Instant) -> int | None:
    if given is None:
        return None
    seconds = number("params.expiredAt", given, INVALID_CREATE, I64_MAX)
    if seconds > SECONDS_MAX:
        words = f"{seconds} is after the year 9999; it is in seconds since the Unix epoch, not milliseconds"
        raise Declined(INVALID_CREATE(f"params.expiredAt: {words}"))
    if seconds * 1000 <= now:
        words = f"{seconds} is not in the future; it is in seconds since the Unix epoch"
        raise Declined(INVALID_CREATE(f"params.expiredAt: {words}"))
    return seconds


def _slippage(asked: CreateRequest) -> int | None:
    given = asked.params.slippage_bps
    return None if given is None else number("params.slippageBps", given, INVALID_CREATE, BPS_ONE)


def _fee(asked: CreateRequest) -> tuple[int | None, Address | None]:
    """What the integrator takes, and where. No fee needs no account."""
    field, given = ("referral", asked.referral) if asked.fee_account is None else ("feeAccount", asked.fee_account)
    account = None if given is None else Address(public_key(field, given, INVALID_CREATE))
    if asked.params.fee_bps is None:
        return None, account
    bps = number("params.feeBps", asked.params.fee_bps, INVALID_CREATE, BPS_ONE)
    if account is None and bps > 0:
        raise Declined(INVALID_CREATE("feeAccount: required with params.feeBps"))
    return (None if account is None else bps), account
