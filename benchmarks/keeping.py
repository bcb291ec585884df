"""The sandbox's keeper at work: fills beside cancels, and the cycles of very many recurring orders that are due.

The accounts are put on an embedded chain in PostgreSQL as landed orders would have left them. In a process of its own:
`python -m benchmarks.keeping DATA SECONDS` prints its findings as JSON.
"""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec
import structlog
import uvloop
from solders.keypair import Keypair

from benchmarks.children import last_line
from countermand.app.database import database_of
from countermand.app.sandbox import SandboxApp, sandbox_app
from countermand.app.seeds import keys_of, seed_of
from countermand.sandbox.pool import pool_account
from countermand.services.tokens import TokenRegistry
from countermand.settings import Settings
from countermand.solana.ledger import Landed
from countermand.solana.port import AccountInfo, Address
from countermand.solana.programs import dca, limit_order
from countermand.solana.programs.compile import Budget
from countermand.solana.programs.dca import Dca, DcaBalance, DcaKeys, dca_address, dca_bytes
from countermand.solana.programs.limit_order import Cancellation, LimitOrderAccount, order_address, order_bytes
from countermand.solana.tokens import SOL_MINT, TOKEN_PROGRAM, associated_token_address, token_account_bytes
from countermand.values.identity import Address as OrderAddress
from countermand.values.identity import Mint
from countermand.values.quantities import UsdPrice

PLANS: Final = 100_000
_FILLS: Final = 20_000
_CANCELS: Final = 20_000
_CANCELLING: Final = 4
_PAUSE_S: Final = 0.02
"""Between the cancels of a maker: a keeper lets those who wait go first, and would wait for ever."""
_MAKERS: Final = 50
_A_BATCH: Final = 5_000
_USDC: Final = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
_MAKING: Final = 10_000_000
_RENT: Final = 10_000_000
_TOKEN_RENT: Final = 2_039_280
_SYSTEM: Final = "11111111111111111111111111111111"
_DAY_S: Final = 86_400
_DOLLAR: Final = 10**12
_FEE_ACCOUNT: Final = associated_token_address(limit_order.FEE_ACCOUNT, SOL_MINT)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """`fills`, `cancels` and `cycles` a second; the first two beside each other."""

    fills: float
    cancels: float
    plans: int
    cycles: float


@dataclass(frozen=True, slots=True)
class _Resting:
    address: Address
    maker: Keypair


def measure(data: Path, seconds: float) -> Kept:
    """In a child process, with a new venue under `data`."""
    return msgspec.json.decode(last_line("keeping", data, seconds), type=Kept)


async def _measure_here(data: Path, seconds: float) -> Kept:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    data.mkdir(parents=True, exist_ok=True, mode=0o711)
    settings = Settings(data=data, log_level="error")
    async with database_of(settings) as database:
        keys = await keys_of(settings, seed_of(settings), database.dsn)
        # A keeper learns of what lands, and of what is there when it begins: so all is put there before.
        async with sandbox_app(settings, keys, database.dsn) as venue:
            far = await _places(venue)
            counted = _Counted({str(order.maker.pubkey()) for order in far})
            venue.chain.subscribe(counted)
            async with _running(venue), _cancelling(venue, far):
                await venue.families.infrastructure.prices.set({Mint(SOL_MINT): UsdPrice(90 * _DOLLAR)}, at_once=True)
                fills, cancels = await counted.rates(seconds, limit_order.PROGRAM)
        async with sandbox_app(settings, keys, database.dsn) as venue:
            await _plans(venue)
            counted = _Counted(set())
            venue.chain.subscribe(counted)
            async with _running(venue):
                cycles, _ = await counted.rates(2 * seconds, dca.PROGRAM)
    return Kept(fills=fills, cancels=cancels, plans=PLANS, cycles=cycles)


@asynccontextmanager
async def _running(venue: SandboxApp) -> AsyncIterator[None]:
    families = venue.families
    shards = (families.trigger.shard, families.dca.shard, families.book.shard, families.on_chain.index.shard)
    works = [shard.run() for shard in shards] + [
        families.on_chain.index.run(),
        *(each() for each in venue.app.background),
    ]
    running = [asyncio.create_task(work) for work in works]
    try:
        await venue.app.begin()
        yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


class _Counted:
    """What landed and succeeded, by program: of keepers, and of others, who sign for their own orders."""

    def __init__(self, others: set[str]) -> None:
        self._by_keepers: dict[str, int] = {}
        self._by_others: dict[str, int] = {}
        self._others = others

    def __call__(self, landed: Landed) -> None:
        if landed.error is None:
            counts = self._by_others if landed.accounts[0] in self._others else self._by_keepers
            for program in (limit_order.PROGRAM, dca.PROGRAM):
                if program in landed.accounts:
                    counts[program] = counts.get(program, 0) + 1

    async def rates(self, seconds: float, program: str) -> tuple[float, float]:
        """After the first of the keepers."""
        while not self._by_keepers.get(program):
            await asyncio.sleep(0.01)
        began, before = time.perf_counter(), self._counts(program)
        await asyncio.sleep(seconds)
        took, after = time.perf_counter() - began, self._counts(program)
        return (after[0] - before[0]) / took, (after[1] - before[1]) / took

    def _counts(self, program: str) -> tuple[int, int]:
        return self._by_keepers.get(program, 0), self._by_others.get(program, 0)


async def _places(venue: SandboxApp) -> list[_Resting]:
    """Limit orders that a fall of the price allows, and others that it does not."""
    makers = [Keypair() for _ in range(_MAKERS)]
    await _put(venue, ((str(maker.pubkey()), AccountInfo(10**12, _SYSTEM, b"", executable=False)) for maker in makers))
    far: list[_Resting] = []

    def accounts() -> Iterator[tuple[Address, AccountInfo]]:
        for number in range(_FILLS + _CANCELS):
            # A maker who cancels has no orders that are filled: both would change one account.
            maker = makers[number % _MAKERS // 2 + (0 if number < _FILLS else _MAKERS // 2)]
            taking = 100_000_000 if number < _FILLS else 10**12
            address, accounts = _limit(str(maker.pubkey()), number, taking)
            if number >= _FILLS:
                far.append(_Resting(address, maker))
            yield from accounts

    await _put(venue, accounts())
    return far


def _limit(maker: Address, number: int, taking: int) -> tuple[Address, list[tuple[Address, AccountInfo]]]:
    """Sells ten dollars for SOL."""
    address, bump = order_address(maker, number)
    reserve = limit_order.reserve_of(address, _USDC)
    order = LimitOrderAccount(
        maker=maker,
        input_mint=_USDC,
        output_mint=SOL_MINT,
        input_program=TOKEN_PROGRAM,
        output_program=TOKEN_PROGRAM,
        input_mint_reserve=reserve,
        unique_id=number,
        ori_making_amount=_MAKING,
        ori_taking_amount=taking,
        making_amount=_MAKING,
        taking_amount=taking,
        borrow_making_amount=0,
        expired_at=None,
        fee_bps=10,
        fee_account=_FEE_ACCOUNT,
        created_at=1,
        updated_at=1,
        bump=bump,
    )
    account = AccountInfo(_RENT, limit_order.PROGRAM, order_bytes(order), executable=False)
    return address, [(address, account), (reserve, _tokens(address, _USDC, _MAKING))]


async def _plans(venue: SandboxApp) -> None:
    """Recurring orders that sell ten dollars a day, whose first cycle is due."""
    now = venue.families.infrastructure.clock.now() // 1000

    def accounts() -> Iterator[tuple[Address, AccountInfo]]:
        for number in range(PLANS):
            user = str(Keypair().pubkey())
            address, bump = dca_address(user, _USDC, SOL_MINT, number)
            keys = DcaKeys(dca=address, user=user, input_mint=_USDC, output_mint=SOL_MINT)
            plan = Dca(
                user=user,
                input_mint=_USDC,
                output_mint=SOL_MINT,
                idx=number,
                next_cycle_at=now - 1,
                in_deposited=10 * _MAKING,
                in_withdrawn=0,
                out_withdrawn=0,
                in_used=0,
                out_received=0,
                in_amount_per_cycle=_MAKING,
                cycle_frequency=_DAY_S,
                next_cycle_amount_left=_MAKING,
                in_account=keys.own(DcaBalance.IN),
                out_account=keys.own(DcaBalance.OUT),
                min_out=0,
                max_out=0,
                keeper_in_balance_before_borrow=0,
                dca_out_balance_before_swap=0,
                created_at=now - 1,
                bump=bump,
            )
            yield user, AccountInfo(_RENT, _SYSTEM, b"", executable=False)
            yield keys.own(DcaBalance.IN), _tokens(address, _USDC, 10 * _MAKING)
            yield keys.own(DcaBalance.OUT), _wrapped(address)
            yield address, AccountInfo(_RENT, dca.PROGRAM, dca_bytes(plan), executable=False)

    await _put(venue, accounts())


async def _put(venue: SandboxApp, accounts: Iterator[tuple[Address, AccountInfo]]) -> None:
    while some := dict(islice(accounts, _A_BATCH)):
        await venue.chain.put_accounts(some)


@asynccontextmanager
async def _cancelling(venue: SandboxApp, orders: list[_Resting]) -> AsyncIterator[None]:
    """Some makers cancel one order after the other."""
    waiting = iter(orders)
    tasks = [asyncio.create_task(_cancel_all(venue, waiting)) for _ in range(_CANCELLING)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended


async def _cancel_all(venue: SandboxApp, waiting: Iterator[_Resting]) -> None:
    chain = venue.families.infrastructure.chain
    for order in waiting:
        recent = await chain.latest_blockhash()
        maker = str(order.maker.pubkey())
        cancel = Cancellation.to_maker(order.address, maker, _USDC, TOKEN_PROGRAM, creates=True)
        message = limit_order.cancel_message([cancel], Budget(200_000, 0), recent.blockhash)
        signature = order.maker.sign_message(message)
        await chain.send(bytes([1]) + bytes(signature) + message)
        while (status := await chain.signature_status(str(signature))) is None:
            await asyncio.sleep(0.002)
        assert status.error is None, status.error
        await asyncio.sleep(_PAUSE_S)


def _tokens(owner: Address, mint: Address, units: int) -> AccountInfo:
    return AccountInfo(
        _TOKEN_RENT, TOKEN_PROGRAM, token_account_bytes(mint=mint, owner=owner, amount=units), executable=False
    )


def _wrapped(owner: Address) -> AccountInfo:
    """An empty account of wrapped SOL."""
    token = TokenRegistry().get(Mint(SOL_MINT))
    assert token is not None
    return pool_account(OrderAddress(owner), token, 0)


if __name__ == "__main__":
    found = uvloop.run(_measure_here(Path(sys.argv[1]), float(sys.argv[2])))
    sys.stdout.buffer.write(msgspec.json.encode(found))
