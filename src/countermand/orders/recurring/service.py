"""Recurring orders on the chain: their transactions are built here, and their accounts are read."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final, Protocol
from uuid import UUID

from solders.pubkey import Pubkey

from countermand.kernel.ports import Clock
from countermand.orders.chain.model.order import ChainFamily, IndexedRecurringOrder
from countermand.orders.chain.moments import as_of_one_moment
from countermand.orders.chain.ports import ChainHistoryQuery, Histories, OrderWithTrades
from countermand.orders.recurring.model.decide import (
    CycleBounds,
    MintKind,
    Sold,
    bounds_of_cycle,
    check_mints,
    check_schedule,
    check_worth,
)
from countermand.orders.recurring.model.order import CLOSES, OPENS, OrderPage, RecurringOrder, RecurringTerms
from countermand.orders.recurring.model.refusals import RecurringRefusal, RecurringRefused
from countermand.services.transactions.builder import BuiltMessage, Compose, units_to_make
from countermand.services.transactions.chain_errors import asks_the_chain
from countermand.services.transactions.client_transactions import Build, ClientTransactions, Execution
from countermand.solana.port import AccountInfo, AddressSignature, Chain, ChainRecords
from countermand.solana.programs import dca
from countermand.solana.programs.compile import Budget
from countermand.solana.programs.dca import Dca, DcaBalance, DcaKeys, DcaOpened, NewDca
from countermand.solana.tokens import SOL_MINT, TOKEN_2022_PROGRAM, TOKEN_PROGRAM, read_mint
from countermand.values.identity import Address, Mint, RequestId, Signature, Wallet
from countermand.values.quantities import BaseUnits, UsdPrice

PAGE_ROWS: Final = 10
_ISSUED_MAX: Final = 16_384
_HISTORY_PAGES_MAX: Final = 10
_OPENINGS_ASKED_MAX: Final = 8


class Builder(Protocol):
    """`services.transactions.builder.TransactionBuilder`, as far as it is used here."""

    async def price(self, writes: Sequence[Address]) -> int: ...

    async def built(self, compose: Compose, price: int, units: int | None = None, spare: int = 0) -> BuiltMessage: ...


class RecurringService:
    """Methods may raise `Unavailable`; those that build may raise `CommitUnknown`."""

    def __init__(
        self,
        orders: ClientTransactions,
        chain: Chain,
        records: ChainRecords,
        builder: Builder,
        index: Histories,
        clock: Clock,
        price_of: Callable[[Mint], UsdPrice | None],
    ) -> None:
        self._orders = orders
        self._chain = chain
        self._records = records
        self._builder = builder
        self._index = index
        self._clock = clock
        self._price_of = price_of
        self._issued: dict[tuple[Wallet, Mint, Mint], int] = {}
        """The newest index given for a wallet and a pair, so that two orders of one second have two addresses."""
        self._issued_before: frozenset[Address] | None = None
        """The orders that an earlier process built, and that may still be opened."""

    # --- building

    async def create(self, terms: RecurringTerms) -> Build | RecurringRefused:
        refused = check_schedule(terms, self._clock.now() // 1000)
        if refused is not None:
            return refused
        bounds = await self._bounds(terms)
        if isinstance(bounds, RecurringRefused):
            return bounds
        new = await self._new(terms, bounds)

        def compose(budget: Budget, blockhash: str) -> bytes:
            return dca.open_message(new, budget, blockhash)

        sells_sol = terms.input_mint == SOL_MINT
        spare = await self._spare(new.keys, [DcaBalance.IN]) if sells_sol else 0
        return await self._built(terms.wallet, OPENS, Address(new.keys.dca), compose, spare)

    async def cancel(self, order: Address, wallet: Wallet) -> Build | RecurringRefused:
        """For as long as it exists: what a fill takes before the cancel lands, it has taken."""
        (account,) = await self._accounts([order])
        found = None if account is None or account.owner != dca.PROGRAM else dca.read_dca(account.data)
        if found is None or found.user != wallet:
            return RecurringRefused(RecurringRefusal.ORDER_UNREADABLE)
        keys = DcaKeys(dca=order, user=wallet, input_mint=found.input_mint, output_mint=found.output_mint)

        def compose(budget: Budget, blockhash: str) -> bytes:
            return dca.close_message(keys, budget, blockhash)

        spare = await self._spare(keys, [DcaBalance.IN, DcaBalance.OUT])
        return await self._built(wallet, CLOSES, order, compose, spare)

    async def execute(self, transaction: str, request_id: RequestId | None) -> Execution:
        return await self._orders.execute(transaction, request_id, lambda build: build.purpose in (OPENS, CLOSES))

    async def _bounds(self, terms: RecurringTerms) -> CycleBounds | RecurringRefused:
        """Of a cycle's output, when both tokens and the amount are fit."""
        sold, bought = await self._accounts([Address(terms.input_mint), Address(terms.output_mint)])
        refused = check_mints(terms, _kind_of(sold), _kind_of(bought))
        if refused is not None:
            return refused
        decimals = _decimals_of(sold)
        refused = check_worth(terms, Sold(decimals, self._price_of(terms.input_mint)))
        return refused or bounds_of_cycle(terms, decimals, _decimals_of(bought))

    async def _new(self, terms: RecurringTerms, bounds: CycleBounds) -> NewDca:
        """Its index is the second of its creation, or the next one that is free."""
        name = terms.wallet, terms.input_mint, terms.output_mint
        now_s = self._clock.now() // 1000
        if self._issued_before is None:
            self._issued_before = await self._orders.opened_when_landed(OPENS)
        while True:
            index = max(now_s, self._issued.get(name, 0) + 1)
            self._remember(name, index, now_s)
            new = NewDca(
                user=terms.wallet,
                payer=terms.wallet,
                input_mint=terms.input_mint,
                output_mint=terms.output_mint,
                idx=index,
                in_amount=terms.amount.units,
                in_amount_per_cycle=terms.per_cycle.units,
                cycle_frequency=terms.interval_s,
                min_out=None if bounds.least is None else bounds.least.units,
                max_out=None if bounds.most is None else bounds.most.units,
                start_at=terms.starts_at_s,
            )
            address = Address(new.keys.dca)
            (there,) = await self._accounts([address])
            if address not in self._issued_before and (there is None or there.owner != dca.PROGRAM):
                return new

    def _remember(self, name: tuple[Wallet, Mint, Mint], index: int, now_s: int) -> None:
        self._issued[name] = index
        if len(self._issued) > _ISSUED_MAX:  # Those of seconds that are over are never given again.
            self._issued = {each: at for each, at in self._issued.items() if at >= now_s}

    async def _spare(self, keys: DcaKeys, sides: Sequence[DcaBalance]) -> int:
        """Units for accounts of the user that the transaction need not make now, and may have to when it lands.

        One for wrapped SOL is closed by whatever else sells SOL meanwhile; one for output is made only if a cycle has
        left something in the order.
        """
        units = 0
        for side, account in zip(
            sides, await self._accounts([Address(keys.users(each)) for each in sides]), strict=True
        ):
            is_there = account is not None and account.owner == TOKEN_PROGRAM  # Any wallet can send lamports there.
            if is_there if keys.mint(side) == SOL_MINT else side is DcaBalance.OUT and not is_there:
                units += units_to_make(keys.user, keys.mint(side))
        return units

    async def _built(self, wallet: Wallet, purpose: str, order: Address, compose: Compose, spare: int) -> Build:
        price = await self._builder.price([Address(wallet), order])
        built = await self._builder.built(compose, price, spare=spare)
        build = Build(
            _request_id_of(built.message),
            wallet,
            purpose,
            order,
            purpose == OPENS,
            built.message,
            built.last_valid_height,
        )
        await self._orders.remember([build])
        return build

    # --- reading

    async def open_orders(
        self, wallet: Wallet, page: int, mint: Mint | None = None, *, with_failed: bool = False
    ) -> OrderPage:
        """The newest first. `page` counts from 1; `mint`: only those that sell or buy it.

        Each comes with its trades as of one instant. What the index does not know of them, since it began later, the
        chain may.
        """
        return await as_of_one_moment(lambda: self._open_orders(wallet, page, mint, with_failed=with_failed))

    async def _open_orders(
        self, wallet: Wallet, page: int, mint: Mint | None, *, with_failed: bool
    ) -> tuple[OrderPage, bool]:
        """Also whether one of them ended since its account was read; it is left out."""
        found = [
            (address, order)
            for address, order in await self._orders_of(wallet)
            if mint is None or mint in (order.input_mint, order.output_mint)
        ]
        found.sort(key=lambda each: (-each[1].created_at, -each[1].idx, each[0]))
        shown = found[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
        told = await self._index.open_at([address for address, _ in shown], with_failed=with_failed)
        named = (*(order for _, order in shown), *(each.order for each in told.values()))
        decimals = await self._decimals(mint for each in named for mint in (each.input_mint, each.output_mint))
        unknown = await self._index.unknown([address for address, _ in shown if address not in told])
        orders: list[RecurringOrder] = []
        for address, order in shown:
            known = told.get(address)
            if known is not None:
                orders.append(_told_order(known, decimals))
            elif address in unknown:
                orders.append(_open_order(address, order, decimals, await self._opened_by(address, order)))
        return OrderPage(tuple(orders), -(-len(found) // PAGE_ROWS), len(found)), len(orders) < len(shown)

    async def history(
        self, wallet: Wallet, page: int, mint: Mint | None = None, *, with_failed: bool = False
    ) -> OrderPage:
        """Those that are over, the one that ended last first."""
        query = ChainHistoryQuery(
            owner=wallet,
            family=ChainFamily.RECURRING,
            either_mint=mint,
            with_failed=with_failed,
            limit=PAGE_ROWS,
            offset=(page - 1) * PAGE_ROWS,
        )
        found = await self._index.history(query)
        decimals = await self._decimals(
            mint for each in found.orders for mint in (each.order.input_mint, each.order.output_mint)
        )
        orders = tuple(_told_order(each, decimals) for each in found.orders)
        return OrderPage(orders, -(-found.total // PAGE_ROWS), found.total)

    @asks_the_chain
    async def _accounts(self, addresses: list[Address]) -> list[AccountInfo | None]:
        return await self._chain.accounts([str(address) for address in addresses])

    @asks_the_chain
    async def _orders_of(self, wallet: Wallet) -> Sequence[tuple[Address, Dca]]:
        owner = bytes(Pubkey.from_string(wallet))
        accounts = await self._records.program_accounts(
            dca.PROGRAM, data_size=dca.DCA_BYTES, memcmp=[(dca.DCA_USER_AT, owner)]
        )
        return [
            (Address(address), order)
            for address, account in accounts
            if (order := dca.read_dca(account.data)) is not None
        ]

    async def _decimals(self, named: Iterable[str]) -> dict[str, int]:
        mints = dict.fromkeys(named)
        accounts = await self._accounts([Address(mint) for mint in mints]) if mints else []
        return {mint: _decimals_of(account) for mint, account in zip(mints, accounts, strict=True)}

    @asks_the_chain
    async def _opened_by(self, address: Address, order: Dca) -> Signature | None:
        """The transaction that opened it. Strangers can name an address too, and it may have been an order before.

        Of several within the second of its creation it is the last: the others opened what was closed since.
        """
        landed = [each async for each in self._landed_since(address, order.created_at)]
        oldest = landed[: -_OPENINGS_ASKED_MAX - 1 : -1]
        transactions = await self._records.transactions([each.signature for each in oldest])
        opening = None
        for each, transaction in zip(oldest, transactions, strict=True):
            if opening is not None and each.block_time > order.created_at:
                break
            if transaction is not None and _opens(dca.events_of(transaction), address):
                opening = Signature(each.signature)
        return opening

    async def _landed_since(self, address: Address, second: int) -> AsyncIterator[AddressSignature]:
        """What succeeded with this address in it, newest first. An earlier order there was another order."""
        before = None
        for _ in range(_HISTORY_PAGES_MAX):
            signatures = await self._records.signatures_for_address(address, before=before)
            for each in signatures:
                if each.error is None and each.block_time >= second:
                    yield each
            if not signatures or signatures[-1].block_time < second:
                return
            before = signatures[-1].signature


def _request_id_of(message: bytes) -> RequestId:
    """A cancel that is asked for twice within a blockhash has the same bytes, and so the same id."""
    return RequestId(str(UUID(bytes=sha256(message).digest()[:16], version=4)))


def _kind_of(account: AccountInfo | None) -> MintKind:
    if account is None or account.owner not in (TOKEN_PROGRAM, TOKEN_2022_PROGRAM) or read_mint(account.data) is None:
        return MintKind.NONE
    return MintKind.SUPPORTED if account.owner == TOKEN_PROGRAM else MintKind.UNSUPPORTED


def _decimals_of(account: AccountInfo | None) -> int:
    mint = None if account is None else read_mint(account.data)
    assert mint is not None, "the mint of an order is there for as long as the order"
    return mint.decimals


def _opens(events: Iterable[dca.DcaEvent], address: Address) -> bool:
    return any(isinstance(event, DcaOpened) and event.dca == address for event in events)


def _open_order(address: Address, order: Dca, decimals: dict[str, int], opened_by: Signature | None) -> RecurringOrder:
    """One of which the index knows nothing."""
    return RecurringOrder(
        order=address,
        wallet=Wallet(order.user),
        input_mint=Mint(order.input_mint),
        output_mint=Mint(order.output_mint),
        input_decimals=decimals[order.input_mint],
        output_decimals=decimals[order.output_mint],
        deposited=BaseUnits(order.in_deposited),
        withdrawn=BaseUnits(order.in_withdrawn),
        used=BaseUnits(order.in_used),
        received=BaseUnits(order.out_received),
        paid_out=BaseUnits(order.out_withdrawn),
        per_cycle=BaseUnits(order.in_amount_per_cycle),
        out_min=BaseUnits(order.min_out),
        out_max=BaseUnits(order.max_out),
        interval_s=order.cycle_frequency,
        created_at_s=order.created_at,
        updated_at_s=order.created_at,  # The account does not say when it changed.
        opened_by=opened_by,
    )


def _told_order(told: OrderWithTrades, decimals: dict[str, int]) -> RecurringOrder:
    order = told.order
    assert isinstance(order, IndexedRecurringOrder)
    return RecurringOrder(
        order=order.address,
        wallet=order.owner,
        input_mint=order.input_mint,
        output_mint=order.output_mint,
        input_decimals=decimals[order.input_mint],
        output_decimals=decimals[order.output_mint],
        deposited=BaseUnits(order.deposited),
        withdrawn=BaseUnits(order.withdrawn),
        used=BaseUnits(order.used),
        received=BaseUnits(order.received),
        paid_out=BaseUnits(order.paid_out),
        per_cycle=BaseUnits(order.per_cycle),
        out_min=BaseUnits(order.out_min),
        out_max=BaseUnits(order.out_max),
        interval_s=order.interval_s,
        created_at_s=order.created_at_s,
        updated_at_s=order.updated_at_s,
        opened_by=order.opened_by,
        closed_by=order.closed_by,
        user_closed=order.user_closed,
        trades=told.trades,
    )
