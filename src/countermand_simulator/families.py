"""Orders that live on the chain, as one process of the venue serves them: limit orders and recurring ones."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from countermand.dialects.trigger_v1.routes import CANCELS, CREATES, TriggerV1Context
from countermand.kernel.clock import VenueClock
from countermand.kernel.ids import Ids
from countermand.kernel.ports import Unavailable
from countermand.orders.chain.model.order import ChainFamily
from countermand.orders.chain.ports import ChainHistoryQuery, Histories
from countermand.orders.limit.model import order as limit
from countermand.orders.limit.model.refusals import LimitRefused
from countermand.orders.limit.service import LimitService
from countermand.orders.recurring.model import order as recurring
from countermand.orders.recurring.model.refusals import RecurringRefused
from countermand.orders.recurring.service import RecurringService
from countermand.services.tokens import TokenRegistry
from countermand.services.transactions.blockhashes import RecentBlockhash
from countermand.services.transactions.builder import TransactionBuilder
from countermand.services.transactions.client_transactions import (
    Build,
    BuildStore,
    ClientTransactions,
    Executed,
    Execution,
    NotOurs,
)
from countermand.services.transactions.landing import ChainLanding
from countermand.solana.port import ChainUnavailable, Node
from countermand.values.identity import Address, Mint, RequestId, Wallet
from countermand.values.quantities import UsdPrice

Answer = dict[str, Any]

_LIMIT_UNIT_PRICE: Final = 15_406
_RECURRING_UNIT_PRICE: Final = 200_000
_ALL: Final = 1_000_000
_PURPOSES: Final = (CREATES, CANCELS)


@dataclass(frozen=True, slots=True)
class Makes:
    """What the families are made of. A test that wants a defect puts its own part in."""

    on_chain: type[ClientTransactions] = ClientTransactions
    landing: type[ChainLanding] = ChainLanding
    limits: type[LimitService] = LimitService


SOUND_FAMILIES: Final = Makes()


class Families:
    """`rpc` is the chain as owners reach it through this process, `node` as the process itself does."""

    def __init__(
        self,
        makes: Makes,
        builds: BuildStore,
        node: Node,
        rpc: Node,
        histories: Histories,
        clock: VenueClock,
        ids: Ids,
        confirm_ms: int,
        price_of: Callable[[Mint], UsdPrice | None],
        stepped: Callable[[str], None],
    ) -> None:
        def unique_id() -> int:
            return UUID(ids.request_id()).int >> 65

        orders = makes.on_chain(builds, makes.landing(node), clock, confirm_ms)
        blockhashes = RecentBlockhash(node, clock.wall_ms)
        limit_builder = TransactionBuilder(node, node, blockhashes, _LIMIT_UNIT_PRICE)
        recurring_builder = TransactionBuilder(node, node, blockhashes, _RECURRING_UNIT_PRICE)
        limits = makes.limits(node, node, limit_builder, unique_id)
        self._venue = TriggerV1Context(orders, limits, histories, TokenRegistry(), price_of, clock)
        self._recurring = RecurringService(orders, node, node, recurring_builder, histories, clock, price_of)
        self._histories = histories
        self._rpc = rpc
        self._stepped = stepped

    # --- limit orders, as the routes of their dialects serve them

    async def creates_limit(self, terms: limit.LimitTerms) -> Answer:
        unsigned = await self._venue.limits.build_create(terms, None)
        if isinstance(unsigned, LimitRefused):
            return {"kind": "refused", "refusal": unsigned.refusal.name}
        return await self._remembered(terms.maker, CREATES, [unsigned])

    async def cancels_limit(self, maker: Wallet, named: Sequence[Address] | None) -> Answer:
        unsigned = await self._venue.limits.build_cancels(maker, named, None)
        if not unsigned:
            return {"kind": "refused", "refusal": "NO_ORDERS"}
        return await self._remembered(maker, CANCELS, unsigned)

    async def _remembered(self, maker: Wallet, purpose: str, unsigned: Sequence[limit.Unsigned]) -> Answer:
        request_id = await self._venue.remember(maker, purpose, unsigned)
        self._stepped(purpose)
        built = [(each.message, each.last_valid_height) for each in unsigned]
        return {"kind": "built", "request": request_id, "order": unsigned[0].order, "built": built}

    async def open_limit(self, maker: Wallet) -> Answer:
        found = await self._venue.limits.open_orders(maker)
        return {"kind": "open", "orders": {order.address: _limit_shown(order) for order in found}}

    async def opened_by(self, maker: Wallet, order: Address) -> Answer:
        """The transaction that opened it; empty if that is unknown or it is not open."""
        for found in await self._venue.limits.open_orders(maker):
            if found.address == order:
                return {"kind": "opened", "order": order, "signature": await self._venue.limits.opened_by(found)}
        return {"kind": "opened", "order": order, "signature": None}

    # --- recurring ones

    async def creates_recurring(self, terms: recurring.RecurringTerms) -> Answer:
        return self._built(await self._recurring.create(terms))

    async def cancels_recurring(self, user: Wallet, order: Address) -> Answer:
        return self._built(await self._recurring.cancel(order, user))

    def _built(self, built: Build | RecurringRefused) -> Answer:
        if isinstance(built, RecurringRefused):
            return {"kind": "refused", "refusal": built.refusal.name}
        self._stepped(built.purpose)
        message = built.message, built.last_valid_height
        return {"kind": "built", "request": built.request_id, "order": built.order, "built": [message]}

    async def open_recurring(self, user: Wallet) -> Answer:
        page = await self._recurring.open_orders(user, 1)
        shown = {order.order: _recurring_shown(order) for order in page.orders}
        return {"kind": "open", "orders": shown, "pages": page.total_pages}

    async def history(self, owner: Wallet, family: ChainFamily) -> Answer:
        """All of the owner's orders that have ended, with their fills."""
        query = ChainHistoryQuery(owner=owner, family=family, with_failed=True, limit=_ALL, offset=0)
        page = await self._histories.history(query)
        rows = [
            {
                "order": (told.order.address, told.order.opened_by, told.order.nth),
                "state": told.order.state.value,
                "closed_by": told.order.closed_by,
                "trades": [trade.signature for trade in told.trades],
            }
            for told in page.orders
        ]
        return {"kind": "history", "total": page.total, "rows": rows}

    # --- what becomes of transactions

    async def executes(self, family: str, transaction: str, request_id: RequestId | None) -> Answer:
        if family != "limit":
            return self._executed(await self._recurring.execute(transaction, request_id))
        orders = self._venue.orders
        return self._executed(await orders.execute(transaction, request_id, lambda build: build.purpose in _PURPOSES))

    def _executed(self, execution: Execution) -> Answer:
        if isinstance(execution, NotOurs):
            return {"kind": "not ours"}
        self._stepped(f"executed {execution.build.purpose}")
        if isinstance(execution, Executed):
            return {"kind": "executed", "signature": execution.signature, "error": execution.error}
        return {"kind": "unconfirmed", "signature": execution.signature}

    async def sends(self, transaction: str) -> Answer:
        """What an owner does without the venue, through the JSON-RPC of its chain."""
        try:
            await self._rpc.send(base64.b64decode(transaction))
        except ChainUnavailable as error:
            raise Unavailable(str(error)) from error
        return {"kind": "sent"}

    async def latest_blockhash(self) -> Answer:
        try:
            recent = await self._rpc.latest_blockhash()
        except ChainUnavailable as error:
            raise Unavailable(str(error)) from error
        return {"kind": "blockhash", "blockhash": recent.blockhash, "height": recent.last_valid_block_height}


def _limit_shown(order: limit.OpenLimitOrder) -> Answer:
    return {
        "maker": order.maker,
        "input_mint": order.input_mint,
        "output_mint": order.output_mint,
        "making": order.making.units,
        "taking": order.taking.units,
        "expires_at": order.expires_at_s,
        "created_at": order.created_at_s,
        "reserve": order.reserve,
    }


def _recurring_shown(order: recurring.RecurringOrder) -> Answer:
    return {
        "user": order.wallet,
        "input_mint": order.input_mint,
        "output_mint": order.output_mint,
        "deposited": order.deposited.units,
        "withdrawn": order.withdrawn.units,
        "per_round": order.per_cycle.units,
        "interval": order.interval_s,
        "created_at": order.created_at_s,
        "opened_by": order.opened_by,
    }
