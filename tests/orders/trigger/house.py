"""A whole engine in the test's own process: real store, real Solana VM, real keys; no HTTP."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.transaction import VersionedTransaction

from countermand.kernel.clock import ClockSetting, VenueClock
from countermand.kernel.ids import Ids
from countermand.orders.trigger.model.commands import UnsignedDeposit
from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.orders.trigger.model.order import Family, Leg, OrderGroup, Role
from countermand.orders.trigger.model.refusals import TriggerRefused
from countermand.orders.trigger.service import OrderRequest, TriggerService
from countermand.orders.trigger.shard import TriggerShard
from countermand.orders.trigger.transactions import TriggerTransactions
from countermand.orders.trigger.work import TriggerOutbox
from countermand.orders.vaults.registry import VaultRegistry
from countermand.orders.vaults.service import PlaceAnswer, Placed
from countermand.sandbox.faults import FaultyChain, WorldFaults
from countermand.sandbox.pool import SandboxPool, sandbox_accounts
from countermand.sandbox.prices import DEFAULT_PRICES
from countermand.services.custody.custody import VaultCustody
from countermand.services.custody.vaults import VaultKeys
from countermand.services.prices import Prices
from countermand.services.tokens import SOL, USDC, TokenRegistry
from countermand.services.transactions.blockhashes import RecentBlockhash
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.genesis import Genesis
from countermand.solana.ledger_store import LedgerStore
from countermand.solana.port import AccountInfo
from countermand.solana.tokens import associated_token_address
from countermand.store.postgres import PostgresStore
from countermand.store.prices_postgres import PostgresPrices
from countermand.store.vaults_postgres import PostgresVaults
from countermand.values.identity import Mint, OrderId, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import USD_SCALE, BaseUnits, Bps, UsdPrice
from countermand_simulator.memory_ledger import MemoryLedgerStore
from countermand_simulator.memory_store import MemoryPrices, MemoryStore, MemoryVaults, NoFaults
from tests.gifts import faucet_of

SECOND = 1_000
HOUR = 3_600 * SECOND
ONE_SOL = 10**9
ONE_USDC = 10**6


def dollars(amount: int) -> UsdPrice:
    return UsdPrice(amount * 10**USD_SCALE)


def signed(transaction: bytes, by: Keypair) -> str:
    """Fills the signer's own slot and leaves the others, as a wallet does."""
    unsigned = VersionedTransaction.from_bytes(transaction)
    keys = unsigned.message.account_keys
    signatures = list(unsigned.signatures)
    signatures[keys.index(by.pubkey())] = by.sign_message(to_bytes_versioned(unsigned.message))
    return base64.b64encode(bytes(VersionedTransaction.populate(unsigned.message, signatures))).decode()


@dataclass
class House:
    shard: TriggerShard
    prices: Prices
    outbox: TriggerOutbox
    orders: TriggerService
    registry: VaultRegistry
    transactions: TriggerTransactions
    chain: EmbeddedChain
    faults: WorldFaults
    pool: SandboxPool
    clock: VenueClock

    async def wallet(self, lamports: int = 10 * ONE_SOL, usdc: int = 0) -> Keypair:
        keypair = Keypair()
        await faucet_of(self.chain).airdrop(str(keypair.pubkey()), lamports)
        if usdc:
            await faucet_of(self.chain).mint_to(str(keypair.pubkey()), USDC.mint, usdc)
        return keypair

    async def deposit(
        self, by: Keypair, amount: int, selling: Mint = SOL.mint, buying: Mint = USDC.mint
    ) -> UnsignedDeposit:
        wallet = Wallet(str(by.pubkey()))
        return await self.orders.build_deposit(wallet, Family.SINGLE, selling, buying, BaseUnits(amount))

    def request(
        self, by: Keypair, deposit: UnsignedDeposit, condition: Condition, expires_in: int = HOUR
    ) -> OrderRequest:
        unsigned = base64.b64decode(self.transactions.unsigned_transaction(deposit.craft))
        return OrderRequest(
            deposit_request_id=deposit.request_id,
            transaction=signed(unsigned, by),
            wallet=Wallet(str(by.pubkey())),
            family=Family.SINGLE,
            input_mint=deposit.input_mint,
            output_mint=deposit.output_mint,
            trigger_mint=SOL.mint,
            amount=deposit.craft.moves,
            legs=(Leg(Role.TRIGGER, condition, Bps(300)),),
            expires_at=Instant(self.clock.now() + expires_in),
        )

    async def place(
        self, by: Keypair, condition: Condition, amount: int = ONE_SOL, expires_in: int = HOUR
    ) -> PlaceAnswer[OrderGroup, TriggerRefused]:
        return await self.orders.place(self.request(by, await self.deposit(by, amount), condition, expires_in))

    async def placed(self, by: Keypair, condition: Condition, amount: int = ONE_SOL) -> OrderId:
        answer = await self.place(by, condition, amount)
        assert isinstance(answer, Placed), answer
        return answer.order.id

    async def order(self, order_id: OrderId) -> OrderGroup:
        view = await self.orders.order(order_id)
        assert view is not None
        return view.order

    async def settled(self) -> None:
        while not (self.outbox.is_idle() and self.shard.is_settled()):
            await asyncio.sleep(0.002)

    async def lamports(self, of: Keypair) -> int:
        (account,) = await self.chain.accounts([str(of.pubkey())])
        return 0 if account is None else account.lamports

    async def usdc(self, of: Keypair) -> int:
        (account,) = await self.chain.accounts([associated_token_address(str(of.pubkey()), USDC.mint)])
        return 0 if account is None else int.from_bytes(account.data[64:72], "little")


def above(amount: int) -> Condition:
    return Condition(Direction.ABOVE, dollars(amount))


def below(amount: int) -> Condition:
    return Condition(Direction.BELOW, dollars(amount))


@asynccontextmanager
async def house(
    store: PostgresStore | MemoryStore, ledger: LedgerStore | None = None, confirm_timeout_ms: int = 300
) -> AsyncIterator[House]:
    """One life of a venue. Leaving it is a crash: nothing is drained."""
    keys, tokens, clock = VaultKeys(bytes(range(32))), TokenRegistry(), VenueClock(ClockSetting())
    accounts: dict[str, AccountInfo] = {str(at): info for at, info in sandbox_accounts(keys, tokens.all()).items()}
    genesis = Genesis(bytes(32), bytes([1]) * 32, bytes([2]) * 32, accounts)
    chain = await EmbeddedChain.open(ledger or MemoryLedgerStore(), clock, genesis=genesis)
    faults = WorldFaults()
    world = FaultyChain(chain, faults)
    prices = Prices(
        PostgresPrices(store.readers, 0)
        if isinstance(store, PostgresStore)
        else MemoryPrices(store.database, NoFaults(), lambda: shard.opened)
    )
    shard = TriggerShard(0, store, clock, prices, lambda groups, loaded: outbox.on_committed(groups, loaded))  # noqa: PLW0108
    prices.add_observer(shard.observe_prices)
    pool = SandboxPool(keys.pool.address, prices.price_of)
    custody = VaultCustody(keys, world, RecentBlockhash(world, clock.wall_ms), tokens, pool)
    transactions = TriggerTransactions(custody, tokens, prices.price_of)
    vaults = PostgresVaults(store.readers) if isinstance(store, PostgresStore) else MemoryVaults(store.database)
    outbox = TriggerOutbox(shard, transactions, clock, confirm_timeout_ms)
    orders = TriggerService(shard, outbox, transactions, store, clock, Ids(1), confirm_timeout_ms)
    tasks = [asyncio.create_task(shard.run()), asyncio.create_task(outbox.run())]
    try:
        await shard.loaded()
        await prices.set(DEFAULT_PRICES, at_once=False)
        registry = VaultRegistry(vaults, shard.now)
        yield House(shard, prices, outbox, orders, registry, transactions, chain, faults, pool, clock)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await chain.close()
