"""The real custody over the real embedded chain: a virtual machine, keys, signatures, and a ledger that can fail."""

import asyncio
import base64
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any, Final, Protocol

from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams
from solders.system_program import transfer as transfer_lamports

from countermand.custody.custody import VaultCustody
from countermand.custody.instructions import compile_message, key, sync_native, transfer
from countermand.custody.routing import Quote, Swap
from countermand.custody.vaults import VaultKeys
from countermand.domain.identity import Address, Mint
from countermand.domain.quantities import UsdPrice
from countermand.engine.clock import VenueClock
from countermand.engine.ports import Custody, SwapRefused
from countermand.liquidity.pool import SandboxPool, sandbox_accounts
from countermand.prices.feed import JUP, SOL, USDC, TokenRegistry
from countermand.simulation.faults import Mortal, boundary, breathe
from countermand.simulation.landings import Balance, Landing
from countermand.simulation.memory_ledger import MemoryLedgerStore
from countermand.simulation.swarm import Swarm
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.genesis import Genesis
from countermand.solana.ledger import LedgerTransaction, TokenBalance, read_ledger_transaction
from countermand.solana.ledger_store import (
    Epoch,
    LedgerBatch,
    LedgerSecrets,
    LedgerStore,
    LedgerUnavailable,
    LoadedLedger,
    StoredAccount,
    StoredClock,
    StoredStatus,
    StoredTransaction,
)
from countermand.solana.port import (
    AccountInfo,
    Chain,
    ChainUnavailable,
    LatestBlockhash,
    SignatureStatus,
    Simulation,
)
from countermand.solana.tokens import (
    SYSTEM_PROGRAM,
    TOKEN_ACCOUNT_RENT_LAMPORTS,
    associated_token_address,
    token_account_bytes,
)
from countermand.solana.wire import SIGNATURE_BYTES

_FUNDS: Final = 10**10
_SEED: Final = bytes(range(32))
_TOKENS: Final = (SOL, USDC, JUP)
_COMPUTE_UNITS: Final = 50_000


class Fortune(Protocol):
    """What this needs of the world."""

    @property
    def swarm(self) -> Swarm: ...

    @property
    def clock(self) -> VenueClock: ...

    def strikes(self, probability: float) -> bool: ...

    def between(self, low: int, high: int) -> int: ...

    def happened(self, what: str) -> None: ...

    def wall_ms(self) -> int: ...


class _Ledger(MemoryLedgerStore):
    """It shows what was committed, and its answers can get lost."""

    def __init__(self, world: Fortune) -> None:
        super().__init__()
        self._world = world
        self.landings: list[Landing] = []

    async def commit(self, batch: LedgerBatch) -> None:
        # Whatever else can be lost is lost with the same chance as a commit of ours.
        if self._world.strikes(self._world.swarm.commit_lost_before):
            self._world.happened("chain: a commit never arrived")
            raise LedgerUnavailable("the commit never arrived")
        await super().commit(batch)
        for stored in batch.transactions:
            self.landings.append(_landing(read_ledger_transaction(stored), self._world.wall_ms()))
        if self._world.strikes(self._world.swarm.commit_lost_after):
            self._world.happened("chain: the answer to a commit was lost")
            raise LedgerUnavailable("the answer to a commit was lost")


class _Hand:
    """The ledger as the chain inside one process writes it: what the process had not committed dies with it."""

    def __init__(self, world: Fortune, process: Mortal, ledger: _Ledger) -> None:
        self._world = world
        self._process = process
        self._ledger = ledger

    async def begin_epoch(self, opened: int | None) -> Epoch:
        breathe(self._process)
        return await self._ledger.begin_epoch(opened)

    async def load(self, epoch: Epoch, *, recent_slots: int) -> LoadedLedger:
        breathe(self._process)
        return await self._ledger.load(epoch, recent_slots=recent_slots)

    async def found(
        self, epoch: Epoch, secrets: LedgerSecrets, clock: StoredClock, accounts: Sequence[StoredAccount]
    ) -> None:
        breathe(self._process)
        await self._ledger.found(epoch, secrets, clock, accounts)

    async def commit(self, batch: LedgerBatch) -> None:
        await boundary(self._world, self._process, "ledger.before-commit")
        await asyncio.sleep(self._world.between(0, 5) / 1000)
        breathe(self._process)
        await self._ledger.commit(batch)
        await boundary(self._world, self._process, "ledger.after-commit")

    async def transaction(self, signature: bytes) -> StoredTransaction | None:
        return await self._ledger.transaction(signature)

    async def status(self, signature: bytes) -> StoredStatus | None:
        return await self._ledger.status(signature)

    async def signatures_for(
        self, address: bytes, *, limit: int, before: bytes | None, until: bytes | None
    ) -> list[StoredStatus]:
        return await self._ledger.signatures_for(address, limit=limit, before=before, until=until)

    async def close(self) -> None:
        """What is remembered stays."""


class _Inside:
    """The chain inside a process, which is there once it was opened. Implements `solana.port.Chain`."""

    def __init__(self) -> None:
        self.opened: EmbeddedChain | None = None

    async def latest_blockhash(self) -> LatestBlockhash:
        return await self._chain().latest_blockhash()

    async def finalized_block_height(self) -> int:
        return await self._chain().finalized_block_height()

    async def signature_status(self, signature: str) -> SignatureStatus | None:
        return await self._chain().signature_status(signature)

    async def accounts(self, addresses: list[str]) -> list[AccountInfo | None]:
        return await self._chain().accounts(addresses)

    async def simulate(self, transaction: bytes) -> Simulation:
        return await self._chain().simulate(transaction)

    async def send(self, transaction: bytes) -> None:
        await self._chain().send(transaction)

    def _chain(self) -> EmbeddedChain:
        if self.opened is None:
            raise ChainUnavailable("the chain is being opened")
        return self.opened


class _Pool(SandboxPool):
    def __init__(
        self, authority: Address, price_of: Callable[[Mint], UsdPrice | None], mood: Callable[[], str]
    ) -> None:
        super().__init__(authority, price_of)
        self._mood = mood

    async def quote(self, swap: Swap) -> Quote | SwapRefused:
        mood = self._mood()
        if mood == "refused":
            return SwapRefused("the pool is in no mood")
        if mood == "fails":
            self.failures_due += 1
        return await super().quote(swap)


class SvmSide:
    """Implements `sides.ChainSide`."""

    def __init__(self, world: Fortune) -> None:
        self.sol = SOL.mint
        self.mints = tuple(token.mint for token in _TOKENS)
        self._world = world
        self._keys = VaultKeys(_SEED)
        self._tokens = TokenRegistry()
        self._signers = {str(pair.pubkey()): pair for pair in map(_wallet, range(world.swarm.wallets))}
        self._stranger = _wallet(255)
        self.wallets = tuple(self._signers)
        self._ledger = _Ledger(world)
        self._genesis = self._begun_with()
        self._ours: EmbeddedChain | None = None
        """One chain for everybody, unless each process has its own over one ledger."""
        self._inside: list[tuple[Mortal, _Inside]] = []
        self._height = 0
        self._gifts = 0

    def _begun_with(self) -> Genesis:
        accounts: dict[str, AccountInfo] = dict(sandbox_accounts(self._keys, self._tokens.all()))
        for wallet in (*self.wallets, str(self._stranger.pubkey())):
            accounts[wallet] = AccountInfo(_FUNDS, SYSTEM_PROGRAM, b"", executable=False)
            for token in _TOKENS[1:]:
                data = token_account_bytes(mint=token.mint, owner=wallet, amount=_FUNDS)
                info = AccountInfo(TOKEN_ACCOUNT_RENT_LAMPORTS, token.program, data, executable=False)
                accounts[self.token_account(wallet, token.mint)] = info
        return Genesis(bytes(32), bytes([1]) * 32, bytes([2]) * 32, accounts)

    async def open(self) -> None:
        if not self._world.swarm.chain_inside:
            self._ours = await self._opened(self._ledger)

    async def _opened(self, ledger: LedgerStore) -> EmbeddedChain:
        return await EmbeddedChain.open(ledger, self._world.clock, genesis=self._genesis, stopwatch=lambda: 0)

    async def close(self) -> None:
        if self._ours is not None:
            await self._ours.close()

    def chain(self, process: Mortal) -> Chain:
        if self._ours is not None:
            return self._ours
        inside = _Inside()
        self._inside = [(other, chain) for other, chain in self._inside if other.is_alive]
        self._inside.append((process, inside))
        return inside

    async def boot(self, process: Mortal) -> None:
        for other, inside in self._inside:
            if other is process:
                inside.opened = await self._opened(_Hand(self._world, process, self._ledger))

    async def stopped(self, process: Mortal) -> None:
        for other, inside in self._inside:
            if other is process and inside.opened is not None:
                await inside.opened.stopped()
                return
        await asyncio.Event().wait()

    def _newest(self) -> EmbeddedChain | None:
        if self._ours is not None:
            return self._ours
        open_ = [inside.opened for process, inside in self._inside if process.is_alive and inside.opened is not None]
        return open_[-1] if open_ else None

    def custody(self, chain: Chain, price: Callable[[str], int], mood: Callable[[], str]) -> Custody:
        def price_of(mint: Mint) -> UsdPrice | None:
            return UsdPrice(price(mint))

        pool = _Pool(self._keys.pool.address, price_of, mood)
        return VaultCustody(self._keys, chain, self._tokens, price_of, pool, self._world.wall_ms)

    def message_of(self, transaction: bytes) -> bytes:
        return transaction[1 + SIGNATURE_BYTES * transaction[0] :]

    def base64_message(self, unsigned: str) -> str:
        return base64.b64encode(self.message_of(base64.b64decode(unsigned))).decode()

    def signed(self, unsigned: str, wallet: str) -> str:
        raw = base64.b64decode(unsigned)
        return _filled(raw[0], self.message_of(raw), {wallet: self._signers[wallet]})

    def tampered(self, signed: str, wallet: str, random: Random) -> str:
        raw = base64.b64decode(signed)
        message, how = self.message_of(raw), random.randrange(5)
        if how == 0:
            return _filled(raw[0], message, {})
        if how == 1:
            return _filled(raw[0], message, {wallet: self._stranger})
        if how == 2:
            other = Message.from_bytes(message)
            recent = bytes(other.recent_blockhash)
            return _filled(raw[0], message.replace(recent, random.randbytes(32)), {wallet: self._signers[wallet]})
        return signed + " " if how == 3 else "not a transaction"

    async def dust(self, account: str, amount: int) -> None:
        await self._try(lambda chain: self._dusts(chain, account, amount))

    async def prefund(self, account: str) -> None:
        await self._try(lambda chain: self._prefunds(chain, account))

    async def _try(self, gift: Callable[[EmbeddedChain], Coroutine[Any, Any, None]]) -> None:
        """A stranger does not insist."""
        chain = self._newest()
        if chain is not None:
            with contextlib.suppress(ChainUnavailable, TimeoutError):
                async with asyncio.timeout(1):
                    await gift(chain)

    async def _dusts(self, chain: EmbeddedChain, account: str, amount: int) -> None:
        [info] = await chain.accounts([account])
        if info is None or info.owner == SYSTEM_PROGRAM:
            return
        mint = str(Pubkey(info.data[:32]))
        stranger, to = self._stranger.pubkey(), key(account)
        program = key(info.owner)
        if mint == self.sol:
            given = TransferParams(from_pubkey=stranger, to_pubkey=to, lamports=amount)
            await self._gives(chain, [transfer_lamports(given), sync_native(to, program)])
        else:
            own = key(self.token_account(str(stranger), mint))
            await self._gives(chain, [transfer(own, to, stranger, amount, program)])

    async def _prefunds(self, chain: EmbeddedChain, account: str) -> None:
        given = TransferParams(from_pubkey=self._stranger.pubkey(), to_pubkey=key(account), lamports=1_000_000)
        if await chain.accounts([account]) == [None]:
            await self._gives(chain, [transfer_lamports(given)])

    async def _gives(self, chain: EmbeddedChain, does: list[Instruction]) -> None:
        self._gifts += 1
        recent = await chain.latest_blockhash()
        blockhash = bytes(Hash.from_string(recent.blockhash))
        message = compile_message(self._stranger.pubkey(), blockhash, _COMPUTE_UNITS, self._gifts, does)
        raw = base64.b64decode(_filled(1, message, {str(self._stranger.pubkey()): self._stranger}))
        await chain.submit(raw)

    def skip_ms(self, ms: int) -> None:
        chain = self._newest()
        if chain is not None:
            chain.advance(ms / 1000)

    def height(self) -> int:
        chain = self._newest()
        if chain is not None:
            self._height = max(self._height, chain.slot)
        return self._height

    def landings_since(self, number: int) -> Sequence[Landing]:
        return self._ledger.landings[number:]

    def token_account(self, wallet: str, mint: str) -> str:
        return associated_token_address(wallet, mint)


def _wallet(number: int) -> Keypair:
    return Keypair.from_seed(bytes([number]) * 32)


_STRANGER: Final = str(_wallet(255).pubkey())


def _filled(slots: int, message: bytes, signers: dict[str, Keypair]) -> str:
    """The transaction with the signers' slots filled and the others empty."""
    keys = [str(each) for each in Message.from_bytes(message).account_keys[:slots]]
    signatures = [signers[each].sign_message(message) if each in signers else Signature.default() for each in keys]
    return base64.b64encode(bytes([slots]) + b"".join(map(bytes, signatures)) + message).decode()


def _landing(landed: LedgerTransaction, at_ms: int) -> Landing:
    raw = landed.raw
    message = raw[1 + SIGNATURE_BYTES * raw[0] :]
    keys = [str(each) for each in Message.from_bytes(message).account_keys]
    before = {balance.account_index: balance for balance in landed.pre_token_balances}
    after = {balance.account_index: balance for balance in landed.post_token_balances}
    changes = []
    for index, address in enumerate(keys):
        old = _balance(landed.pre_balances[index], before.get(index))
        new = _balance(landed.post_balances[index], after.get(index))
        if old != new:
            changes.append((address, old, new))
    payer = "" if keys[0] == _STRANGER else keys[0]
    error = None if landed.error is None else str(landed.error)
    return Landing(landed.signature, base64.b64encode(message).decode(), at_ms, error, payer, tuple(changes))


def _balance(lamports: int, token: TokenBalance | None) -> Balance | None:
    if token is None:
        return (lamports, "", 0) if lamports else None
    return lamports, token.mint, token.amount
