"""Custody over a real virtual machine, with one wallet whose orders are made, cancelled and filled by hand."""

import base64
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from countermand.orders.trigger.model.commands import UnsignedDeposit
from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.orders.trigger.model.events import DepositLanded, OrderPlaced
from countermand.orders.trigger.model.lifecycle import evolve, place
from countermand.orders.trigger.model.order import Family, Leg, OrderGroup, Role, TriggerTerms
from countermand.orders.trigger.transactions import TriggerTransactions
from countermand.sandbox.pool import SandboxPool, pool_account, sandbox_accounts
from countermand.sandbox.prices import DEFAULT_PRICES
from countermand.services.custody.custody import VaultCustody
from countermand.services.custody.vaults import VaultKeys
from countermand.services.tokens import JUP, SOL, USDC, USDT, Token, TokenRegistry
from countermand.services.transactions.blockhashes import RecentBlockhash
from countermand.solana.embedded import EmbeddedChain, Genesis
from countermand.solana.genesis import mint_account
from countermand.solana.port import AccountInfo, LatestBlockhash, LedgerTransaction, SignatureStatus, Simulation
from countermand.solana.tokens import TOKEN_2022_PROGRAM, associated_token_address, read_token_account
from countermand.values.identity import Address, Mint, OrderId, RequestId, Signature, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import USD_SCALE, BaseUnits, Bps, UsdPrice
from countermand.values.structs import replace
from countermand.values.transactions import Attempt, AttemptKind, ObservedOutcome, UnsignedTransaction
from countermand_simulator.memory_ledger import MemoryLedgerStore
from tests.gifts import faucet_of
from tests.orders.trigger.samples import progressed
from tests.services.custody.layouts import decoded

__all__ = ["JUP", "RENT", "SOL", "USDC", "USDT", "ChainByHand", "Clock", "Venue", "opened_venue"]

RENT = 2_039_280
SEED = bytes(range(32))
FEE_OF_A_SIGNATURE = 5_000
USER = Keypair.from_seed(bytes([7] * 32))


@dataclass
class Clock:
    ms: int = 1_760_000_000_000

    def now_ms(self) -> int:
        return self.ms

    wall_ms = now_ms


@dataclass
class ChainByHand:
    """The embedded chain behind its port, with faults and counts."""

    inner: EmbeddedChain
    down: BaseException | None = None
    blockhashes_asked: int = 0
    sent: list[bytes] = field(default_factory=list)
    loses: int = 0
    on_jump: Callable[[], None] = lambda: None

    def _up(self) -> None:
        if self.down is not None:
            raise self.down

    async def latest_blockhash(self) -> LatestBlockhash:
        self.blockhashes_asked += 1
        self._up()
        return await self.inner.latest_blockhash()

    async def finalized_block_height(self) -> int:
        self._up()
        return await self.inner.finalized_block_height()

    async def signature_status(self, signature: str) -> SignatureStatus | None:
        self._up()
        return await self.inner.signature_status(signature)

    async def accounts(self, addresses: list[str]) -> list[AccountInfo | None]:
        self._up()
        return await self.inner.accounts(addresses)

    async def simulate(self, transaction: bytes) -> Simulation:
        self._up()
        return await self.inner.simulate(transaction)

    async def transactions(self, signatures: Sequence[str]) -> Sequence[LedgerTransaction | None]:
        self._up()
        return await self.inner.transactions(signatures)

    async def send(self, transaction: bytes) -> None:
        self._up()
        self.sent.append(transaction)
        if self.loses:
            self.loses -= 1
        else:
            await self.inner.send(transaction)


def transactions_of(
    keys: VaultKeys,
    chain: ChainByHand,
    tokens: TokenRegistry,
    prices: Mapping[Mint, UsdPrice],
    pool: SandboxPool,
    clock: Clock,
) -> TriggerTransactions:
    blockhashes = RecentBlockhash(chain, clock.wall_ms)
    custody = VaultCustody(keys, chain, blockhashes, tokens, pool)
    chain.on_jump = blockhashes.invalidate
    return TriggerTransactions(custody, tokens, prices.get)


@dataclass
class Venue:
    chain: EmbeddedChain
    port: ChainByHand
    clock: Clock
    keys: VaultKeys
    tokens: TokenRegistry
    prices: dict[Mint, UsdPrice]
    pool: SandboxPool
    custody: TriggerTransactions
    user: Keypair = USER
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def wallet(self) -> Wallet:
        return Wallet(str(self.user.pubkey()))

    def jumps(self) -> None:
        """The venue is told that its chain jumped ahead."""
        self.port.on_jump()

    # What the user does

    async def build_deposit(
        self,
        input_: Token,
        amount: int,
        output: Token = USDC,
        request_id: str | None = None,
        family: Family = Family.SINGLE,
    ) -> UnsignedDeposit:
        # The address of a second account does not follow from the last digit.
        number = next(self.numbers) * (16 if family is Family.OTOCO else 1)
        return await self.custody.build_deposit(
            request_id=RequestId(request_id or f"00000000-0000-4000-8000-{number:012x}"),
            order_id=OrderId(f"00000000-0000-7000-8000-{number:012x}"),
            wallet=self.wallet,
            family=family,
            input_mint=input_.mint,
            output_mint=output.mint,
            amount=BaseUnits(amount),
        )

    def placed(self, deposit: UnsignedDeposit, leg: Leg | None = None, trigger: Token | None = None) -> OrderGroup:
        """Without a leg it waits for the price to be where it is, or above."""
        watched = trigger.mint if trigger else deposit.input_mint
        if leg is None:
            leg = Leg(Role.TRIGGER, Condition(Direction.ABOVE, self.prices.get(watched, usd(1))), None)
        terms = TriggerTerms(
            wallet=deposit.wallet,
            family=deposit.family,
            input_mint=deposit.input_mint,
            output_mint=deposit.output_mint,
            trigger_mint=watched,
            input_account=deposit.input_account,
            deposited=deposit.craft.moves,
            output_account=deposit.output_account,
        )
        attempt = Attempt(1, AttemptKind.DEPOSIT, deposit.craft, self.signs(deposit.craft.message))
        event = OrderPlaced(terms, (leg,), Instant(2_000_000_000_000), attempt)
        return place(deposit.order_id, event, Instant(self.clock.ms))

    async def has_open(
        self,
        input_: Token,
        amount: int,
        output: Token = USDC,
        leg: Leg | None = None,
        trigger: Token | None = None,
        family: Family = Family.SINGLE,
    ) -> OrderGroup:
        """An order whose deposit has landed, and which has triggered."""
        deposit = await self.build_deposit(input_, amount, output, family=family)
        group = self.placed(deposit, leg, trigger)
        assert group.progress.attempt is not None
        landed = await self.lands(group, group.progress.attempt)
        group = evolve(group, DepositLanded(landed.signature), Instant(self.clock.ms))
        return progressed(group, triggered_leg=0)

    def signs(self, message: bytes, key: Keypair | None = None) -> Signature:
        return Signature(str((key or self.user).sign_message(message)))

    def withdrawing(self, group: OrderGroup, craft: UnsignedTransaction) -> Attempt:
        return Attempt(group.progress.attempts + 1, AttemptKind.WITHDRAWAL, craft, self.signs(craft.message))

    def filling(self, group: OrderGroup, craft: UnsignedTransaction) -> Attempt:
        return Attempt(group.progress.attempts + 1, AttemptKind.FILL, craft, None)

    def sweeping(self, group: OrderGroup, craft: UnsignedTransaction) -> Attempt:
        return Attempt(group.progress.attempts + 1, AttemptKind.SWEEP, craft, None)

    async def lists_token_2022(self) -> Token:
        """The user and the pool have a million units of it."""
        mint = Mint(str(Pubkey(bytes([5] * 32))))
        token = Token(mint, "NEW", 3, Address(TOKEN_2022_PROGRAM))
        await self.chain.put_accounts({mint: replace(mint_account(None, 3), owner=TOKEN_2022_PROGRAM)})
        for owner in (self.wallet, self.keys.pool.address):
            account = pool_account(Address(owner), token, 1_000_000)
            await self.chain.put_accounts({self.own(token, owner): account})
        self.tokens.add(token)
        self.prices[mint] = usd(1)
        return token

    # What becomes of it

    async def settles(self, group: OrderGroup, attempt: Attempt) -> ObservedOutcome:
        await self.custody.send(group, attempt)
        fate = await self.custody.outcome(group, attempt)
        assert fate is not None
        return fate

    async def lands(self, group: OrderGroup, attempt: Attempt) -> ObservedOutcome:
        assert len(self.wire(attempt.craft)) <= 1232
        fate = await self.settles(group, attempt)
        assert fate.error is None, (fate, decoded(attempt.craft.message))
        return fate

    def wire(self, craft: UnsignedTransaction) -> bytes:
        return base64.b64decode(self.custody.unsigned_transaction(craft))

    async def units_used(self, craft: UnsignedTransaction) -> int:
        return (await self.chain.simulate(self.wire(craft))).units_consumed

    def restarted(self) -> TriggerTransactions:
        """The same keys, and nothing remembered."""
        keys = VaultKeys(SEED)
        return transactions_of(keys, self.port, self.tokens, self.prices, self.pool, self.clock)

    # What the chain holds

    def own(self, token: Token, owner: str | None = None) -> Address:
        return Address(associated_token_address(owner or self.wallet, token.mint, token.program))

    async def lamports(self, address: str) -> int:
        (info,) = await self.chain.accounts([address])
        return 0 if info is None else info.lamports

    async def units(self, address: str) -> int | None:
        """The balance of a token account, or None if there is none."""
        (info,) = await self.chain.accounts([address])
        account = None if info is None else read_token_account(info.data)
        return None if account is None else account.amount

    async def balances(self) -> Mapping[str, int]:
        """What the user has: lamports, and units of each token."""
        found = {"lamports": await self.lamports(self.wallet)}
        for token in self.tokens.all():
            found[token.symbol] = await self.units(self.own(token)) or 0
        return found

    async def closes_own(self, token: Token) -> None:
        """The user's token account is gone, with all that was in it."""
        await self.chain.put_accounts({self.own(token): AccountInfo(0, str(Pubkey.default()), b"", executable=False)})

    async def stranger_sends(self, group: OrderGroup, amount: int) -> None:
        """Dust of the input token arrives in the order's account."""
        (info,) = await self.chain.accounts([group.terms.input_account])
        assert info is not None
        account = read_token_account(info.data)
        assert account is not None
        data = info.data[:64] + (account.amount + amount).to_bytes(8, "little") + info.data[72:]
        lamports = info.lamports + (0 if account.native_reserve is None else amount)
        await self.chain.put_accounts({group.terms.input_account: replace(info, lamports=lamports, data=data)})

    async def stranger_sends_lamports(self, address: str, amount: int) -> None:
        await faucet_of(self.chain).airdrop(address, amount)


@contextlib.asynccontextmanager
async def opened_venue() -> AsyncIterator[Venue]:
    """The user has 10 SOL, and 1,000 of each other token."""
    clock, keys, tokens = Clock(), VaultKeys(SEED), TokenRegistry()
    genesis = Genesis(bytes(32), bytes([1] * 32), bytes([2] * 32), accounts=sandbox_accounts(keys, tokens.all()))
    chain = await EmbeddedChain.open(MemoryLedgerStore(), clock, genesis=genesis)
    try:
        wallet = str(USER.pubkey())
        await faucet_of(chain).airdrop(wallet, 10 * 10**9)
        for token in (USDC, USDT, JUP):
            await faucet_of(chain).mint_to(wallet, token.mint, 1_000 * 10**token.decimals)
        prices = dict(DEFAULT_PRICES)
        pool = SandboxPool(keys.pool.address, prices.get)
        port = ChainByHand(chain)
        custody = transactions_of(keys, port, tokens, prices, pool, clock)
        yield Venue(chain, port, clock, keys, tokens, prices, pool, custody)
    finally:
        await chain.close()


def usd(dollars: int) -> UsdPrice:
    return UsdPrice(dollars * 10**USD_SCALE)


def leg(
    direction: Direction = Direction.ABOVE, slippage: int | None = None, role: Role = Role.TRIGGER, dollars: int = 150
) -> Leg:
    return Leg(role, Condition(direction, usd(dollars)), None if slippage is None else Bps(slippage))


def unsigned(message: bytes) -> VersionedTransaction:
    return VersionedTransaction.from_bytes(message[:1] + bytes(64 * message[0]) + message)
