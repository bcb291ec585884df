"""The real custody over the real embedded chain: a virtual machine, keys, signatures, and a ledger that can fail."""

import asyncio
import base64
import contextlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from random import Random
from typing import Any, Final, Protocol

from solders.hash import Hash
from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams
from solders.system_program import transfer as transfer_lamports

from countermand.kernel.clock import VenueClock
from countermand.orders.dca.transactions import DcaTransactions
from countermand.orders.trigger.model.order import Family
from countermand.orders.trigger.ports import Transactions
from countermand.orders.trigger.transactions import TriggerTransactions
from countermand.sandbox.pool import Liquidity, SandboxPool, pool_account, sandbox_accounts
from countermand.services.custody.custody import VaultCustody
from countermand.services.custody.instructions import compile_message, key, sync_native, transfer
from countermand.services.custody.vaults import VaultKeys
from countermand.services.liquidity.routing import Quote, RoutedSwap
from countermand.services.tokens import JUP, SOL, USDC, TokenRegistry
from countermand.services.transactions.blockhashes import RecentBlockhash
from countermand.services.transactions.landed import LandedChain
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.genesis import MINT_RENT_LAMPORTS, Genesis
from countermand.solana.ledger_store import LedgerStore
from countermand.solana.port import AccountInfo, ChainUnavailable, Node
from countermand.solana.programs import dca, limit_order
from countermand.solana.programs.artifacts import program_builds
from countermand.solana.programs.keepers import keepers_accounts
from countermand.solana.tokens import (
    SYSTEM_PROGRAM,
    TOKEN_2022_PROGRAM,
    TOKEN_ACCOUNT_RENT_LAMPORTS,
    TOKEN_PROGRAM,
    associated_token_address,
    mint_bytes,
    token_account_bytes,
)
from countermand.values.identity import Address, Mint
from countermand.values.quantities import BaseUnits, Bps, UsdPrice
from countermand.values.structs import replace
from countermand.values.transactions import SwapRefused
from countermand_simulator import signing
from countermand_simulator.fault_profile import FaultProfile
from countermand_simulator.faults import ProcessHandle
from countermand_simulator.landings import Balance, Landing
from countermand_simulator.svm_ledger import Hand, Inside, SeenLedger

_FUNDS: Final = 10**10
_SEED: Final = bytes(range(32))
_TOKENS: Final = (SOL, USDC, JUP)
_COMPUTE_UNITS: Final = 50_000
_RICH: Final = 10**15
_INDEXED: Final = {limit_order.PROGRAM: [limit_order.ORDER_MAKER_AT], dca.PROGRAM: [dca.DCA_USER_AT]}
_PROGRAMS: Final = program_builds()
NEW_MINT: Final = str(signing.wallet(250).pubkey())
"""Of Token-2022, without any extension."""
_KEEPERS, _TRESPASSER = 180, 190
_LIMIT_CLIENTS, _DCA_CLIENTS, _SPONSOR, _PARTNER, _PLANNERS = 100, 120, 140, 141, 160
"""The numbers of the first client of each program, who pays for others, who earns fees, and the first planner."""


class SvmContext(Protocol):
    """What this needs of the world."""

    @property
    def profile(self) -> FaultProfile: ...

    @property
    def clock(self) -> VenueClock: ...

    def strikes(self, probability: float) -> bool: ...

    def between(self, low: int, high: int) -> int: ...

    def happened(self, what: str) -> None: ...

    def wall_ms(self) -> int: ...


_PARTED_MIN: Final = 10_000_000
"""Smaller orders are not worth two swaps."""
_CRUMBS: Final = 7_000
"""Of any token, less than a cent or a little more."""


class _Pool(SandboxPool):
    def __init__(
        self, authority: Address, price_of: Callable[[Mint], UsdPrice | None], mood: Callable[[], str]
    ) -> None:
        super().__init__(authority, price_of)
        self._mood = mood

    async def quote(self, swap: RoutedSwap) -> Quote | SwapRefused:
        mood = self._mood()
        if mood == "refused":
            return SwapRefused("the pool is in no mood")
        if mood == "fails":
            self.failures_due += 1
        amount = swap.amount.units
        if amount < _PARTED_MIN:
            mood = "fine"
        takes = {"part": amount // 3, "crumbs": amount - _CRUMBS}.get(mood, amount)
        self.liquidity[swap.input.token.mint] = Liquidity(Bps(0), BaseUnits(takes))
        return await super().quote(swap)

    def settlement(self, swap: RoutedSwap, quote: Quote, minimum: BaseUnits) -> tuple[Instruction, ...]:
        """Gives less than was quoted, as much, or more."""
        given = quote.receives.units * (99 + swap.amount.units % 3) // 100
        return super().settlement(swap, replace(quote, receives=BaseUnits(max(given, minimum.units))), minimum)


class SvmSide:
    """Implements `sides.ChainSide`."""

    def __init__(self, world: SvmContext) -> None:
        self.sol = SOL.mint
        self.mints = tuple(token.mint for token in _TOKENS)
        self.families = (Family.SINGLE, Family.SINGLE, Family.OCO, Family.OTOCO)
        self.decimals: Mapping[str, int] = {token.mint: token.decimals for token in _TOKENS}
        self._world = world
        self._keys = VaultKeys(_SEED)
        self._tokens = TokenRegistry()
        self._stranger = signing.wallet(255)
        self.wallets = self._people(0, world.profile.wallets)
        self.limit_clients = self._people(_LIMIT_CLIENTS, world.profile.limit_clients)
        self.dca_clients = self._people(_DCA_CLIENTS, world.profile.dca_clients)
        self.planners = self._people(_PLANNERS, world.profile.planners)
        self.keepers = self._people(_KEEPERS, world.profile.keepers)
        self.trespasser = str(signing.wallet(_TRESPASSER).pubkey())
        self.sponsor = str(signing.wallet(_SPONSOR).pubkey())
        self._partner = str(signing.wallet(_PARTNER).pubkey())
        numbers = [*range(world.profile.wallets), _SPONSOR, _TRESPASSER, 255]
        numbers += [_KEEPERS + number for number in range(world.profile.keepers)]
        numbers += [_LIMIT_CLIENTS + number for number in range(world.profile.limit_clients)]
        numbers += [_DCA_CLIENTS + number for number in range(world.profile.dca_clients)]
        numbers += [_PLANNERS + number for number in range(world.profile.planners)]
        self._signers = {str(pair.pubkey()): pair for pair in map(signing.wallet, numbers)}
        self.order_mints = (*self.mints, NEW_MINT)
        self._ledger = SeenLedger(world, list(_INDEXED))
        self._genesis = self._begun_with()
        self._ours: EmbeddedChain | None = None
        """One chain for all processes, unless each has its own over one ledger."""
        self._inside: list[tuple[ProcessHandle, Inside]] = []
        self._height = 0
        self._gifts = 0

    def _people(self, first: int, how_many: int) -> tuple[str, ...]:
        return tuple(str(signing.wallet(number).pubkey()) for number in range(first, first + how_many))

    def _begun_with(self) -> Genesis:
        accounts: dict[str, AccountInfo] = dict(sandbox_accounts(self._keys, self._tokens.all()))
        data = mint_bytes(authority=None, decimals=6)
        accounts[NEW_MINT] = AccountInfo(MINT_RENT_LAMPORTS, TOKEN_2022_PROGRAM, data, executable=False)
        for wallet in (*self.wallets, str(self._stranger.pubkey())):
            self._endow(accounts, wallet, _FUNDS, self.order_mints[1:])
        for number, wallet in enumerate((*self.limit_clients, *self.dca_clients)):
            # Each wallet lacks an account for one of the tokens, and the first sender makes it.
            missing = self.order_mints[1 + number % 3]
            self._endow(accounts, wallet, _RICH, [mint for mint in self.order_mints[1:] if mint != missing])
        for number, wallet in enumerate(self.planners):
            # Every other one lacks an account for a token, and the first sender makes it.
            missing = self.mints[2] if number % 2 else ""
            self._endow(accounts, wallet, _RICH, [mint for mint in self.mints[1:] if mint != missing])
        self._endow(accounts, self.sponsor, _RICH, ())
        if self.keepers:
            accounts |= keepers_accounts((limit_order.PROGRAM, dca.PROGRAM), self.keepers)
            for wallet in (*self.keepers, self.trespasser):
                self._endow(accounts, wallet, _RICH, self.order_mints[1:])
                accounts[self.token_account(wallet, self.sol)] = pool_account(Address(wallet), SOL, _RICH)
        self._endow(accounts, self._partner, _FUNDS, self.order_mints[1:])
        random = bytes([1]) * 32, bytes([2]) * 32
        return Genesis(bytes(32), *random, accounts, programs=_PROGRAMS, indexed=_INDEXED)

    def _endow(self, accounts: dict[str, AccountInfo], wallet: str, amount: int, mints: Sequence[str]) -> None:
        accounts[wallet] = AccountInfo(amount, SYSTEM_PROGRAM, b"", executable=False)
        for mint in mints:
            data = token_account_bytes(mint=mint, owner=wallet, amount=amount)
            info = AccountInfo(TOKEN_ACCOUNT_RENT_LAMPORTS, _program_of(mint), data, executable=False)
            accounts[self.token_account(wallet, mint)] = info

    async def open(self) -> None:
        if not self._world.profile.chain_inside:
            self._ours = await self._opened(self._ledger)

    async def _opened(self, ledger: LedgerStore) -> EmbeddedChain:
        return await EmbeddedChain.open(ledger, self._world.clock, genesis=self._genesis, stopwatch=lambda: 0)

    async def close(self) -> None:
        if self._ours is not None:
            await self._ours.close()

    def chain(self, process: ProcessHandle) -> LandedChain:
        return self.node(process)

    def node(self, process: ProcessHandle) -> Node:
        if self._ours is not None:
            return self._ours
        for other, inside in self._inside:
            if other is process:
                return inside
        inside = Inside()
        self._inside = [(other, chain) for other, chain in self._inside if other.is_alive]
        self._inside.append((process, inside))
        return inside

    async def boot(self, process: ProcessHandle) -> None:
        for other, inside in self._inside:
            if other is process:
                inside.hand = Hand(self._world, process, self._ledger)
                inside.opened = await self._opened(inside.hand)

    async def stopped(self, process: ProcessHandle) -> None:
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

    def transactions(self, chain: LandedChain, price: Callable[[str], int], mood: Callable[[], str]) -> Transactions:
        price_of = _by_mint(price)
        return TriggerTransactions(self._custody(chain, price_of, mood), self._tokens, price_of)

    def rounds(self, chain: LandedChain, price: Callable[[str], int], mood: Callable[[], str]) -> DcaTransactions:
        price_of = _by_mint(price)
        return DcaTransactions(self._custody(chain, price_of, mood), self._tokens, price_of)

    def _custody(
        self, chain: LandedChain, price_of: Callable[[Mint], UsdPrice | None], mood: Callable[[], str]
    ) -> VaultCustody:
        pool = _Pool(self._keys.pool.address, price_of, mood)
        blockhashes = RecentBlockhash(chain, self._world.wall_ms)
        return VaultCustody(self._keys, chain, blockhashes, self._tokens, pool)

    def message_of(self, transaction: bytes) -> bytes:
        return signing.message_of(transaction)

    def base64_message(self, unsigned: str) -> str:
        return base64.b64encode(self.message_of(base64.b64decode(unsigned))).decode()

    def signed(self, unsigned: str, wallet: str) -> str:
        return signing.filled(self.message_of(base64.b64decode(unsigned)), {wallet: self._signers[wallet]})

    def tampered(self, signed: str, wallet: str, random: Random) -> str:
        return signing.tampered(signed, {wallet: self._signers[wallet]}, random)

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
            own = key(associated_token_address(str(stranger), mint, str(program)))
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
        raw = base64.b64decode(signing.filled(message, self._signers))
        await chain.submit(raw)

    async def expire_blockhashes(self) -> None:
        await self._try(lambda chain: chain.expire_blockhashes())

    def height(self) -> int:
        chain = self._newest()
        if chain is not None:
            self._height = max(self._height, chain.slot)
        return self._height

    def landed(self) -> int:
        return len(self._ledger.landings)

    def landings_since(self, number: int) -> Sequence[Landing]:
        return self._ledger.landings[number:]

    def token_account(self, wallet: str, mint: str) -> str:
        return associated_token_address(wallet, mint, _program_of(mint))

    # --- of orders that live on the chain

    @property
    def orders(self) -> "SvmSide":
        return self

    def is_replaced(self, process: ProcessHandle) -> bool:
        hands = [inside.hand for other, inside in self._inside if other is process]
        return any(hand is not None and hand.is_replaced for hand in hands)

    def partner_account(self, mint: str) -> str:
        return self.token_account(self._partner, mint)

    def signed_by_all(self, message: bytes) -> str:
        return signing.filled(message, self._signers)

    def signed_otherwise(self, message: bytes) -> str:
        return signing.filled_otherwise(message, self._signers)

    def tampered_by_all(self, signed: str, random: Random) -> str:
        return signing.tampered(signed, self._signers, random)

    def begun_with(self) -> Mapping[str, Balance]:
        accounts = self._genesis.all_accounts()
        return {address: _balance(info.lamports, info.owner, info.data) for address, info in accounts.items()}

    def balances(self) -> Mapping[str, Balance]:
        return {
            str(Pubkey(each.address)): _balance(each.lamports, str(Pubkey(each.owner)), each.data)
            for each in self._ledger.all_accounts()
        }

    def owned_by(self, program: str) -> Mapping[str, tuple[int, bytes]]:
        return self._ledger.owned_by(program)


def _by_mint(price: Callable[[str], int]) -> Callable[[Mint], UsdPrice | None]:
    return lambda mint: UsdPrice(price(mint))


def _program_of(mint: str) -> str:
    return TOKEN_2022_PROGRAM if mint == NEW_MINT else TOKEN_PROGRAM


def _balance(lamports: int, owner: str, data: bytes) -> Balance:
    if owner in (TOKEN_PROGRAM, TOKEN_2022_PROGRAM) and len(data) in (165, 170):
        return lamports, str(Pubkey(data[:32])), int.from_bytes(data[64:72], "little")
    return lamports, "", 0
