"""Orders that live on the chain: their accounts held against their events, and against the accounts of their funds."""

from collections.abc import Mapping, Sequence
from typing import Final

import asyncpg
from msgspec import Struct, field
from solders.pubkey import Pubkey

from countermand.audit.findings import Audit
from countermand.audit.reading import transaction_in
from countermand.solana.programs import dca, limit_order
from countermand.solana.programs.dca import Dca, DcaClosed, DcaDeposited, DcaFilled, DcaOpened, DcaWithdrawn
from countermand.solana.programs.keepers import keepers_address, read_keepers
from countermand.solana.programs.limit_order import (
    CancelDustOrderEvent,
    CancelOrderEvent,
    CreateOrderEvent,
    LimitOrderAccount,
    TradeEvent,
)
from countermand.solana.tokens import TOKEN_AMOUNT, associated_token_address
from countermand.store.snapshot import Snapshot

_LIMIT: Final = bytes(Pubkey.from_string(limit_order.PROGRAM))
_DCA: Final = bytes(Pubkey.from_string(dca.PROGRAM))
_AT_A_TIME: Final = 500
_ESCROWS: Final = "SELECT address, data FROM chain_accounts WHERE address = ANY ($1::bytea[])"


class _Limit(Struct):
    created: CreateOrderEvent
    at: int
    making: int
    taking: int
    traded_at: int | None = None


class _Plan(Struct):
    """`asked`: what the instruction says that opened it, and that no event tells; None if it is not known."""

    opened: DcaOpened
    deposited: int
    asked: dca.Opening | None
    withdrawn_in: int = 0
    withdrawn_out: int = 0
    used: int = 0
    received: int = 0


class _Escrow(Struct, frozen=True):
    """An account of an order's funds, and how much must be in it at least: strangers may add to it."""

    order: str
    address: str
    mint: str
    units: int


class OnChain(Struct):
    """The open orders, as their events say. Those that are closed are forgotten."""

    found: Audit
    _limits: dict[str, _Limit] = field(default_factory=dict)
    _emptied: dict[str, _Limit] = field(default_factory=dict)
    """Filled to the end: such an order is there only while tokens of a stranger lie in its reserve."""
    _plans: dict[str, _Plan] = field(default_factory=dict)
    _escrows: list[_Escrow] = field(default_factory=list)
    _there: dict[str, None] = field(default_factory=dict)

    # --- events

    def follow(self, row: asyncpg.Record, keys: Sequence[bytes]) -> None:
        """Of a transaction that succeeded."""
        limits, plans = _LIMIT in keys, _DCA in keys
        if not (limits or plans):
            return
        transaction = transaction_in(row)
        for limit_event in limit_order.events_of(transaction) if limits else ():
            self._follow_limit(limit_event, row["block_time"])
        openings = dca.openings_of(transaction) if plans else {}
        for plan_event in dca.events_of(transaction) if plans else ():
            self._follow_plan(plan_event, openings)

    def _follow_limit(self, event: limit_order.LimitOrderEvent, at: int) -> None:
        match event:
            case CreateOrderEvent():
                self._limits[event.order] = _Limit(event, at, event.making_amount, event.taking_amount)
                self._emptied.pop(event.order, None)
            case CancelOrderEvent() | CancelDustOrderEvent():
                self._limits.pop(event.order, None)
                self._emptied.pop(event.order, None)
            case TradeEvent() if (limit := self._limits.get(event.order)) is not None:
                limit.making, limit.taking = event.remaining_making_amount, event.remaining_taking_amount
                limit.traded_at = at
                if limit.making == 0:
                    self._emptied[event.order] = self._limits.pop(event.order)

    def _follow_plan(self, event: dca.DcaEvent, openings: Mapping[str, list[dca.Opening]]) -> None:
        if isinstance(event, DcaOpened):
            asked = openings.get(event.dca)
            self._plans[event.dca] = _Plan(event, event.in_deposited, asked.pop(0) if asked else None)
            return
        plan = self._plans.get(event.dca)
        if plan is None:
            return
        match event:
            case DcaClosed():
                del self._plans[event.dca]
            case DcaDeposited():
                plan.deposited += event.amount
            case DcaWithdrawn():
                plan.withdrawn_in += event.in_amount
                plan.withdrawn_out += event.out_amount
            case DcaFilled():
                plan.used += event.in_amount
                plan.received += event.out_amount

    # --- accounts

    def note_account(self, address: str, program: str, data: bytes) -> None:
        """Of one of the order programs. Any wallet may make an empty account, and give it to one."""
        self._there[address] = None
        flaw = (
            self._flaw_of_limit(address, data) if program == limit_order.PROGRAM else self._flaw_of_plan(address, data)
        )
        if flaw is not None:
            self.found.differs("chain_accounts", address, flaw)

    def _flaw_of_limit(self, address: str, data: bytes) -> str | None:
        limit = self._limits.get(address) or self._emptied.get(address)
        if limit is None and not any(data):
            return None
        order = limit_order.read_order(data)
        if order is None or limit_order.order_bytes(order) != data:
            is_other = limit_order.read_fee_rates(data) is not None or _are_keepers(address, limit_order.PROGRAM, data)
            return None if is_other else "its data is no limit order"
        if limit is None:
            return "it is an open limit order, but its transactions say that it is closed, or never opened it"
        if not _is_derived(address, limit_order.order_address(order.maker, order.unique_id), order.bump):
            return "its address does not follow from its maker and number"
        if not _is_as_created(order, limit):
            return "its limit order is another than its transactions made"
        reserve = limit_order.reserve_of(address, order.input_mint, order.input_program)
        if order.input_mint_reserve != reserve:
            return f"its reserve is {order.input_mint_reserve}, not {reserve}"
        self._escrows.append(_Escrow(address, reserve, order.input_mint, order.making_amount))
        return None

    def _flaw_of_plan(self, address: str, data: bytes) -> str | None:
        plan = self._plans.get(address)
        if plan is None and not any(data):
            return None
        order = dca.read_dca(data)
        if order is None or dca.dca_bytes(order) != data:
            return None if _are_keepers(address, dca.PROGRAM, data) else "its data is no recurring order"
        if plan is None:
            return "it is an open recurring order, but its transactions say that it is closed, or never opened it"
        derived = dca.dca_address(order.user, order.input_mint, order.output_mint, order.idx)
        if not _is_derived(address, derived, order.bump):
            return "its address does not follow from its user, mints and number"
        if not _is_as_opened(order, plan):
            return "its recurring order is another than its transactions made"
        accounts = (
            associated_token_address(address, order.input_mint),
            associated_token_address(address, order.output_mint),
        )
        if (order.in_account, order.out_account) != accounts:
            return f"its accounts are {order.in_account} and {order.out_account}, not {accounts[0]} and {accounts[1]}"
        self._escrows.append(_Escrow(address, order.in_account, order.input_mint, order.in_left))
        received = order.out_received - order.out_withdrawn
        self._escrows.append(_Escrow(address, order.out_account, order.output_mint, received))
        return None

    async def compare(self, snapshot: Snapshot) -> None:
        for order in (*self._limits, *self._plans):
            if order not in self._there:
                self.found.differs("chain_accounts", order, "its transactions opened an order here, but there is none")
        for start in range(0, len(self._escrows), _AT_A_TIME):
            await self._compare_escrows(snapshot, self._escrows[start : start + _AT_A_TIME])

    async def _compare_escrows(self, snapshot: Snapshot, escrows: Sequence[_Escrow]) -> None:
        addresses = [bytes(Pubkey.from_string(each.address)) for each in escrows]
        rows: dict[bytes, bytes] = {row["address"]: row["data"] for row in await snapshot.fetch(_ESCROWS, addresses)}
        for escrow, address in zip(escrows, addresses, strict=True):
            data = rows.get(address)
            if data is None:
                self.found.differs(
                    "chain_accounts", escrow.address, f"it is missing: the funds of order {escrow.order}"
                )
            elif data[:64] != bytes(Pubkey.from_string(escrow.mint)) + bytes(Pubkey.from_string(escrow.order)):
                self.found.differs("chain_accounts", escrow.address, f"it is not of order {escrow.order} and its mint")
            elif (held := int.from_bytes(data[TOKEN_AMOUNT], "little")) < escrow.units:
                what = f"it holds {held}, but order {escrow.order} has {escrow.units} left"
                self.found.differs("chain_accounts", escrow.address, what)


def _are_keepers(address: str, program: str, data: bytes) -> bool:
    return address == keepers_address(program) and read_keepers(data) is not None


def _is_derived(address: str, derived: tuple[str, int], bump: int) -> bool:
    return derived == (address, bump)


def _is_as_created(order: LimitOrderAccount, limit: _Limit) -> bool:
    event = limit.created
    return (
        (order.maker, order.input_mint, order.output_mint) == (event.maker, event.input_mint, event.output_mint)
        and (order.input_program, order.output_program) == (event.input_program, event.output_program)
        and (order.ori_making_amount, order.ori_taking_amount) == (event.making_amount, event.taking_amount)
        and (order.making_amount, order.taking_amount, order.borrow_making_amount) == (limit.making, limit.taking, 0)
        and (order.expired_at, order.slippage_bps) == (event.expired_at, event.slippage_bps)
        and (order.fee_bps, order.fee_account) == (event.fee_bps, event.fee_account)
        and order.created_at == limit.at
        and limit.at <= order.updated_at <= (limit.at if limit.traded_at is None else limit.traded_at)
    )


def _is_as_opened(order: Dca, plan: _Plan) -> bool:
    event = plan.opened
    return (
        (order.user, order.input_mint, order.output_mint) == (event.user, event.input_mint, event.output_mint)
        and (order.in_amount_per_cycle, order.cycle_frequency) == (event.in_amount_per_cycle, event.cycle_frequency)
        and order.created_at == event.created_at
        and (order.in_deposited, order.in_used) == (plan.deposited, plan.used)
        and (order.in_withdrawn, order.out_withdrawn) == (plan.withdrawn_in, plan.withdrawn_out)
        and order.out_received == plan.received
        and (plan.asked is None or (plan.asked.min_out, plan.asked.max_out) == (order.min_out, order.max_out))
        and (
            plan.asked is None or order.in_used > 0 or _is_untouched(order, max(plan.asked.start_at, event.created_at))
        )
    )


def _is_untouched(order: Dca, first_cycle_at: int) -> bool:
    """As an order is that never traded."""
    kept = order.keeper_in_balance_before_borrow, order.dca_out_balance_before_swap
    waits = order.next_cycle_at, order.next_cycle_amount_left
    return kept == (0, 0) and waits == (first_cycle_at, order.in_amount_per_cycle)
