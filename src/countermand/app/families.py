"""The services of each family of orders, put together by hand on an infrastructure."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from msgspec import Struct

from countermand.app.infrastructure import Infrastructure
from countermand.dialects.tanx.session import LoginTexts, TanxSessions
from countermand.dialects.tanx.verifier import Verifier
from countermand.dialects.trigger_v2 import auth
from countermand.orders.book.members import StarkKeys
from countermand.orders.book.model.markets import MARKETS
from countermand.orders.book.service import BookService
from countermand.orders.book.shard import BookShard
from countermand.orders.book.state import MATCHES_SUCCEED, MatchFaults
from countermand.orders.chain.index import ChainIndex
from countermand.orders.chain.shard import ChainIndexShard
from countermand.orders.dca.service import DcaService
from countermand.orders.dca.shard import DcaShard
from countermand.orders.dca.transactions import DcaTransactions
from countermand.orders.dca.work import DcaOutbox
from countermand.orders.limit.service import LimitService
from countermand.orders.recurring.service import RecurringService
from countermand.orders.shards import BOOK_SHARD, CHAIN_SHARD, DCA_SHARD, TRIGGER_SHARD
from countermand.orders.trigger.service import TriggerService
from countermand.orders.trigger.shard import TriggerShard
from countermand.orders.trigger.transactions import TriggerTransactions
from countermand.orders.trigger.work import TriggerOutbox
from countermand.orders.vaults.registry import VaultRegistry
from countermand.services.custody.custody import VaultCustody
from countermand.services.liquidity.routing import Router
from countermand.services.transactions.blockhashes import RecentBlockhash
from countermand.services.transactions.builder import TransactionBuilder
from countermand.services.transactions.client_transactions import ClientTransactions
from countermand.services.transactions.landing import ChainLanding


class TriggerServices(Struct, frozen=True):
    shard: TriggerShard
    outbox: TriggerOutbox
    custody: VaultCustody
    transactions: TriggerTransactions
    orders: TriggerService
    registry: VaultRegistry
    sessions: auth.WalletSessions
    challenges: auth.Challenges


class DcaServices(Struct, frozen=True):
    shard: DcaShard
    outbox: DcaOutbox
    orders: DcaService


class BookServices(Struct, frozen=True):
    """The order books and their members, with the members' sessions and the keys that sign their orders."""

    shard: BookShard
    service: BookService
    texts: LoginTexts
    sessions: TanxSessions
    stark_keys: StarkKeys
    verifier: Verifier


class OnChainServices(Struct, frozen=True):
    """The families whose orders live on the chain: one service for both, and a view of the chain for each."""

    orders: ClientTransactions
    limits: LimitService
    recurring: RecurringService
    index: ChainIndex


class UnitPrices(Struct, frozen=True):
    """What `auto` is, in micro-lamports per compute unit. None: what recent transactions paid."""

    limit: int | None = None
    recurring: int | None = None


_LIMIT_UNIT_PRICE: Final = 15_406
_RECURRING_UNIT_PRICE: Final = 200_000
"""As in the published transactions. A node that does not tell recent fees leaves nothing better."""
EMBEDDED_UNIT_PRICES: Final = UnitPrices(_LIMIT_UNIT_PRICE, _RECURRING_UNIT_PRICE)
"""No others compete on the embedded chain."""


class Families(Struct, frozen=True):
    infrastructure: Infrastructure
    trigger: TriggerServices
    dca: DcaServices
    on_chain: OnChainServices
    book: BookServices
    blockhashes: RecentBlockhash

    def on_chain_jumped(self) -> None:
        """The chain jumped ahead, or begins anew: nothing that was remembered of it, or of tokens, counts any more."""
        self.blockhashes.invalidate()
        self.trigger.custody.invalidate()


@contextmanager
def families_of(
    infrastructure: Infrastructure,
    router: Router,
    unit_prices: UnitPrices,
    match_faults: MatchFaults = MATCHES_SUCCEED,
) -> Iterator[Families]:
    """`router` makes the swaps of fills."""
    blockhashes = RecentBlockhash(infrastructure.chain, infrastructure.clock.wall_ms)
    trigger = _trigger_services(infrastructure, blockhashes, router)
    dca = _dca_services(infrastructure, trigger.custody)
    on_chain = _on_chain_services(infrastructure, blockhashes, unit_prices)
    book = _book_services(infrastructure, match_faults)
    try:
        yield Families(infrastructure, trigger, dca, on_chain, book, blockhashes)
    finally:
        book.verifier.close()


def _trigger_services(infra: Infrastructure, blockhashes: RecentBlockhash, router: Router) -> TriggerServices:
    store, clock, keys = infra.stores.trigger, infra.clock, infra.keys
    patience_ms = infra.settings.confirm_timeout_ms
    shard = TriggerShard(
        TRIGGER_SHARD,
        store,
        clock,
        infra.prices,
        lambda groups, loaded: outbox.on_committed(groups, loaded),  # noqa: PLW0108
    )
    infra.prices.add_observer(shard.observe_prices)
    shard.opened = infra.taken.shards[TRIGGER_SHARD]
    custody = VaultCustody(keys, infra.chain, blockhashes, infra.tokens, router)
    transactions = TriggerTransactions(custody, infra.tokens, infra.prices.price_of)
    outbox = TriggerOutbox(shard, transactions, clock, patience_ms)
    return TriggerServices(
        shard=shard,
        outbox=outbox,
        custody=custody,
        transactions=transactions,
        orders=TriggerService(shard, outbox, transactions, store, clock, infra.ids, patience_ms),
        registry=VaultRegistry(infra.stores.vaults, shard.now),
        sessions=auth.WalletSessions(keys.jwt_secret(), clock, infra.incarnation),
        challenges=auth.Challenges(secrets.token_bytes(32), clock, infra.incarnation),
    )


def _dca_services(infra: Infrastructure, custody: VaultCustody) -> DcaServices:
    store, clock, patience_ms = infra.stores.dca, infra.clock, infra.settings.confirm_timeout_ms
    shard = DcaShard(
        DCA_SHARD,
        store,
        clock,
        infra.prices,
        lambda orders, loaded: outbox.on_committed(orders, loaded),  # noqa: PLW0108
    )
    shard.opened = infra.taken.shards[DCA_SHARD]
    transactions = DcaTransactions(custody, infra.tokens, infra.prices.price_of)
    outbox = DcaOutbox(shard, transactions, clock, patience_ms)
    return DcaServices(
        shard=shard,
        outbox=outbox,
        orders=DcaService(shard, outbox, transactions, store, clock, infra.ids, patience_ms),
    )


def _book_services(infra: Infrastructure, match_faults: MatchFaults) -> BookServices:
    clock, secret, stores = infra.clock, infra.keys.jwt_secret(), infra.stores
    shard = BookShard(BOOK_SHARD, stores.book, clock, MARKETS, match_faults)
    shard.opened = infra.taken.shards[BOOK_SHARD]
    return BookServices(
        shard=shard,
        service=BookService(shard, stores.book, infra.ids),
        texts=LoginTexts(secret, clock, infra.incarnation),
        sessions=TanxSessions(secret, clock, stores.members, infra.incarnation),
        stark_keys=StarkKeys(stores.members),
        verifier=Verifier(),
    )


def _on_chain_services(infra: Infrastructure, blockhashes: RecentBlockhash, unit_prices: UnitPrices) -> OnChainServices:
    chain, clock = infra.chain, infra.clock
    limit_builder = TransactionBuilder(chain, chain, blockhashes, unit_prices.limit, _LIMIT_UNIT_PRICE)
    recurring_builder = TransactionBuilder(chain, chain, blockhashes, unit_prices.recurring, _RECURRING_UNIT_PRICE)
    patience_ms = infra.settings.confirm_timeout_ms
    orders = ClientTransactions(infra.stores.builds, ChainLanding(chain), clock, patience_ms)

    def unique_id() -> int:
        return UUID(infra.ids.request_id()).int >> 65

    shard = ChainIndexShard(CHAIN_SHARD, infra.stores.index, clock)
    shard.opened = infra.taken.shards[CHAIN_SHARD]
    index = ChainIndex(shard, infra.stores.index, chain, chain, is_own=infra.settings.chain == "embedded")
    return OnChainServices(
        orders=orders,
        limits=LimitService(chain, chain, limit_builder, unique_id),
        recurring=RecurringService(orders, chain, chain, recurring_builder, index, clock, infra.prices.price_of),
        index=index,
    )
