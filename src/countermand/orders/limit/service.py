"""Limit orders on the chain: open ones are read from it, and the transactions of their makers are built for it."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from countermand.orders.limit.mints import is_harmless
from countermand.orders.limit.model.cancelling import batches, chosen
from countermand.orders.limit.model.order import LimitTerms, OpenLimitOrder, Unsigned
from countermand.orders.limit.model.refusals import LimitRefusal, LimitRefused
from countermand.services.transactions.builder import (
    BuiltMessage,
    TransactionBuilder,
    units_to_make,
    unsigned_text,
)
from countermand.services.transactions.chain_errors import asks_the_chain
from countermand.solana.port import AccountInfo, Blockhash, Chain, ChainRecords, Memcmp
from countermand.solana.programs import limit_order
from countermand.solana.programs.anchor import key
from countermand.solana.programs.compile import Budget, fits_packet
from countermand.solana.programs.limit_order import Cancellation, CreateOrderEvent, NewOrder
from countermand.solana.tokens import (
    SOL_MINT,
    TOKEN_PROGRAMS,
    associated_token_address,
    found_token_address,
    read_mint,
    read_token_account,
)
from countermand.values.identity import Address, Mint, Signature, Wallet
from countermand.values.quantities import BPS_ONE, BaseUnits

_ACCOUNTS_MAX: Final = 100
"""So many a node gives at once."""
_READ_AT_ONCE: Final = 50
"""Orders in about two milliseconds."""
_OPENINGS_MAX: Final = 8
"""How many transactions are looked at to find the one that opened an order."""
_NO_BLOCKHASH: Final[Blockhash] = "1" * 32
_HARD: Final = 8
"""Steps to the address of an account: with fewer, a cancel's units suffice to make it, under either token program."""


class LimitService:
    """All coroutines may raise `Unavailable`. `unit_price`: micro-lamports per compute unit; None is `auto`."""

    def __init__(
        self, chain: Chain, records: ChainRecords, builder: TransactionBuilder, unique_id: Callable[[], int]
    ) -> None:
        self._chain = chain
        self._records = records
        self._builder = builder
        self._unique_id = unique_id

    @asks_the_chain
    async def build_create(self, terms: LimitTerms, unit_price: int | None) -> Unsigned | LimitRefused:
        programs = await self._programs(terms)
        if isinstance(programs, LimitRefused):
            return programs
        order = _new_order(terms, self._unique_id(), *programs)
        address = Address(order.address)

        def compose(budget: Budget, blockhash: Blockhash) -> bytes:
            return limit_order.create_message(order, budget, blockhash, wraps_sol=terms.wraps_sol)

        reserve = limit_order.reserve_of(address, order.input_mint, order.input_program)
        price = await self._price(unit_price, [address, Address(reserve)])
        spare = await self._spare(terms)
        return _unsigned(address, await self._builder.built(compose, price, spare=spare))

    @asks_the_chain
    async def build_cancels(
        self, maker: Wallet, named: Sequence[Address] | None, unit_price: int | None
    ) -> list[Unsigned]:
        """For those of the named orders that the maker has on the chain, or for all (None); nothing if there are none.

        Also for those that are filled: one whose escrow has a stranger's tokens is still there, with its rents.
        """
        orders = chosen(await self._cancellable(maker, named), named)
        if not orders:
            return []
        creates = await self._missing_accounts(orders)

        def message_of(batch: Sequence[OpenLimitOrder], budget: Budget, blockhash: Blockhash) -> bytes:
            cancels = [_cancellation(order, creates=_own_account(order) in creates) for order in batch]
            return limit_order.cancel_message(cancels, budget, blockhash)

        def fits(batch: Sequence[OpenLimitOrder]) -> bool:
            return fits_packet(message_of(batch, Budget(0, 0), _NO_BLOCKHASH))

        price = await self._price(
            unit_price, [address for order in orders for address in (order.address, order.reserve)]
        )
        built: list[Unsigned] = []
        for batch in batches(orders, fits):
            hard = {_own_account(order): None for order in batch if _is_hard(order)}
            units = limit_order.UNITS_OF_A_CANCEL * (len(batch) + sum(own in creates for own in hard))
            message = await self._builder.built(partial(message_of, batch), price, units)
            built.append(_unsigned(batch[0].address, message))
            await asyncio.sleep(0)  # Others have their turn.
        return built

    @asks_the_chain
    async def open_orders(
        self, maker: Wallet, input_mint: Mint | None = None, output_mint: Mint | None = None
    ) -> list[OpenLimitOrder]:
        """Those of which something is left, in the order of their addresses' bytes."""
        return [order for order in await self._orders(maker, input_mint, output_mint) if order.making.units]

    async def _cancellable(self, maker: Wallet, named: Sequence[Address] | None) -> list[OpenLimitOrder]:
        """A few are read by their addresses: lists of accounts take a node long, and many nodes give none."""
        if named is None or len(named) > _ACCOUNTS_MAX:
            return await self._orders(maker)
        found = [
            _open_order(address, order)
            for address, info in (await self._accounts(named)).items()
            if info.owner == limit_order.PROGRAM
            and len(info.data) == limit_order.ORDER_BYTES
            and (order := limit_order.read_order(info.data)) is not None
        ]
        return [order for order in found if order.maker == maker]

    async def _orders(
        self, maker: Wallet, input_mint: Mint | None = None, output_mint: Mint | None = None
    ) -> list[OpenLimitOrder]:
        memcmp: list[Memcmp] = [(limit_order.ORDER_MAKER_AT, bytes(key(maker)))]
        for offset, mint in (
            (limit_order.ORDER_INPUT_MINT_AT, input_mint),
            (limit_order.ORDER_OUTPUT_MINT_AT, output_mint),
        ):
            if mint is not None:
                memcmp.append((offset, bytes(key(mint))))
        found = await self._records.program_accounts(
            limit_order.PROGRAM, data_size=limit_order.ORDER_BYTES, memcmp=memcmp
        )
        orders: list[OpenLimitOrder] = []
        for start in range(0, len(found), _READ_AT_ONCE):
            for address, info in found[start : start + _READ_AT_ONCE]:
                order = limit_order.read_order(info.data)
                if order is not None:
                    orders.append(_open_order(Address(address), order))
            if len(found) > _READ_AT_ONCE:
                await asyncio.sleep(0)  # A maker may have thousands of orders, and others have their turn.
        return orders

    @asks_the_chain
    async def decimals_of(self, mints: Sequence[Mint]) -> dict[Mint, int]:
        """Of those that are mints."""
        accounts = await self._accounts([Address(mint) for mint in dict.fromkeys(mints)])
        read = ((Mint(address), read_mint(info.data)) for address, info in accounts.items())
        return {address: mint.decimals for address, mint in read if mint is not None}

    @asks_the_chain
    async def opened_by(self, order: OpenLimitOrder) -> Signature | None:
        """The transaction that opened it; None if the chain no longer tells.

        An address may have been used before, and strangers can name it in transactions of theirs: of all that name it,
        those around the time of its creation are looked at.
        """
        named = [each for each in await self._records.signatures_for_address(order.address) if each.error is None]
        named.sort(key=lambda each: abs(each.block_time - order.created_at_s))
        for transaction in await self._records.transactions([each.signature for each in named[:_OPENINGS_MAX]]):
            if transaction is not None and any(
                isinstance(event, CreateOrderEvent) and event.order == order.address
                for event in limit_order.events_of(transaction)
            ):
                return Signature(transaction.signature)
        return None

    async def _price(self, unit_price: int | None, writes: Sequence[Address]) -> int:
        return await self._builder.price(writes) if unit_price is None else unit_price

    async def _programs(self, terms: LimitTerms) -> tuple[Address, Address] | LimitRefused:
        """The token programs of both mints."""
        named = [Address(terms.input_mint), Address(terms.output_mint)]
        if terms.fee_account is not None:
            named += [terms.fee_account, Address(limit_order.FEE_ACCOUNT)]
        accounts = await self._accounts(named)
        programs: list[Address] = []
        for address in named[:2]:
            info = accounts.get(address)
            mint = None if info is None else read_mint(info.data)
            if info is None or mint is None or info.owner not in TOKEN_PROGRAMS:
                return LimitRefused(LimitRefusal.MINT_UNKNOWN, address)
            if not is_harmless(mint):
                return LimitRefused(LimitRefusal.MINT_UNSAFE, address)
            programs.append(Address(info.owner))
        if terms.fee_account is not None:
            info = accounts.get(terms.fee_account)
            account = None if info is None else read_token_account(info.data)
            if info is None or info.owner != programs[1] or account is None or account.mint != terms.output_mint:
                return LimitRefused(LimitRefusal.FEE_ACCOUNT_UNFIT, terms.fee_account)
            most = BPS_ONE - _own_fee_bps(terms, accounts.get(Address(limit_order.FEE_ACCOUNT)))
            if (terms.fee_bps or 0) > most:
                return LimitRefused(LimitRefusal.FEE_TOO_HIGH, str(most))
        return programs[0], programs[1]

    async def _spare(self, terms: LimitTerms) -> int:
        """Units for the account for wrapped SOL where it is there now: another order that sells SOL closes it."""
        if terms.input_mint != SOL_MINT or not terms.wraps_sol:
            return 0
        wrapped = Address(associated_token_address(terms.maker, SOL_MINT))
        return units_to_make(terms.maker, SOL_MINT) if await self._accounts([wrapped]) else 0

    async def _missing_accounts(self, orders: Sequence[OpenLimitOrder]) -> frozenset[Address]:
        """Token accounts that makers need for what comes back, and no longer have."""
        needed = {own: order.input_program for order in orders if (own := _own_account(order)) is not None}
        accounts = await self._accounts(list(needed))
        return frozenset(
            own for own, program in needed.items() if (info := accounts.get(own)) is None or info.owner != program
        )

    async def _accounts(self, addresses: Sequence[Address]) -> dict[Address, AccountInfo]:
        """Those that exist."""
        found: dict[Address, AccountInfo] = {}
        for start in range(0, len(addresses), _ACCOUNTS_MAX):
            asked = addresses[start : start + _ACCOUNTS_MAX]
            infos = await self._chain.accounts([*asked])
            found.update({address: info for address, info in zip(asked, infos, strict=True) if info is not None})
        return found


def _own_fee_bps(terms: LimitTerms, rates: AccountInfo | None) -> int:
    """What the program takes itself."""
    read = None if rates is None else limit_order.read_fee_rates(rates.data)
    return (read or limit_order.USUAL_RATES).of(terms.input_mint, terms.output_mint)


def _new_order(terms: LimitTerms, unique_id: int, input_program: Address, output_program: Address) -> NewOrder:
    return NewOrder(
        maker=terms.maker,
        payer=terms.payer,
        unique_id=unique_id,
        input_mint=terms.input_mint,
        output_mint=terms.output_mint,
        making_amount=terms.making.units,
        taking_amount=terms.taking.units,
        expired_at=terms.expires_at_s,
        fee_bps=terms.fee_bps,
        slippage_bps=terms.slippage_bps,
        fee_account=terms.fee_account,
        input_program=input_program,
        output_program=output_program,
    )


def _unsigned(order: Address, built: BuiltMessage) -> Unsigned:
    return Unsigned(order, built.message, unsigned_text(built.message), built.last_valid_height)


def _own_account(order: OpenLimitOrder) -> Address | None:
    """Where the input comes back to; None: as lamports."""
    if order.input_mint == SOL_MINT:
        return None
    return Address(associated_token_address(order.maker, order.input_mint, order.input_program))


def _is_hard(order: OpenLimitOrder) -> bool:
    """The address to which the input comes back is so hard to find that a cancel's units may not make the account."""
    if order.input_mint == SOL_MINT:
        return False
    return found_token_address(order.maker, order.input_mint, order.input_program)[1] >= _HARD


def _cancellation(order: OpenLimitOrder, *, creates: bool) -> Cancellation:
    return Cancellation.to_maker(order.address, order.maker, order.input_mint, order.input_program, creates=creates)


def _open_order(address: Address, order: limit_order.LimitOrderAccount) -> OpenLimitOrder:
    return OpenLimitOrder(
        address=address,
        maker=Wallet(order.maker),
        input_mint=Mint(order.input_mint),
        output_mint=Mint(order.output_mint),
        input_program=Address(order.input_program),
        output_program=Address(order.output_program),
        reserve=Address(order.input_mint_reserve),
        unique_id=order.unique_id,
        original_making=BaseUnits(order.ori_making_amount),
        original_taking=BaseUnits(order.ori_taking_amount),
        making=BaseUnits(order.making_amount),
        taking=BaseUnits(order.taking_amount),
        borrowed=BaseUnits(order.borrow_making_amount),
        expires_at_s=order.expired_at,
        fee_bps=order.fee_bps,
        fee_account=Address(order.fee_account),
        created_at_s=order.created_at,
        updated_at_s=order.updated_at,
        bump=order.bump,
        slippage_bps=order.slippage_bps,
    )
