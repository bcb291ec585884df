"""Trigger v1 and limit/v2 over a chain that holds what a test says: real builders, real answers, nothing that lands
unless the test lands it."""

import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from solders.keypair import Keypair
from solders.transaction import VersionedTransaction

from countermand.dialects.trigger_v1.routes import TriggerV1Context, resources
from countermand.orders.limit.service import LimitService
from countermand.sandbox.prices import DEFAULT_PRICES
from countermand.services.tokens import TokenRegistry
from countermand.services.transactions.blockhashes import RecentBlockhash
from countermand.services.transactions.builder import TransactionBuilder
from countermand.services.transactions.client_transactions import ClientTransactions
from countermand.services.transactions.landing import ChainLanding
from countermand.solana.genesis import mint_account
from countermand.solana.port import (
    AccountInfo,
    AddressSignature,
    ChainUnavailable,
    LandedSignature,
    LatestBlockhash,
    LedgerTransaction,
    Memcmp,
    SignatureStatus,
    Simulation,
)
from countermand.solana.programs import limit_order
from countermand.solana.programs.limit_order import LimitOrderAccount, order_bytes
from countermand.solana.tokens import KNOWN_DECIMALS, TOKEN_PROGRAM, associated_token_address, token_account_bytes
from countermand.values.identity import Mint
from countermand.values.instant import Instant
from countermand.values.quantities import USD_SCALE, UsdPrice
from countermand_simulator.untold import NothingTold
from tests.dialects.mounted import Mounted
from tests.orders.recurring.stage import Drawer

MAKER = "devjnEpxbJUhJ39FSsFz7YPerr5bdxN8VWUXvfbFUK4"
SOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
JUP = "JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN"
NOW_S = 1_742_162_720
BLOCKHASH = "943s4PskofczkaRsaVYH9eQEVSfLgjc4wiztx2MRmWcY"
LAST_VALID_HEIGHT = 1_150


class StillClock:
    def __init__(self) -> None:
        self.wall = 0

    def now(self) -> Instant:
        return Instant(NOW_S * 1000)

    def wall_ms(self) -> int:
        self.wall += 1_000
        return self.wall

    def elapsed_ms(self) -> int:
        return self.wall_ms()

    async def sleep(self, ms: int) -> None:
        raise AssertionError(ms)


@dataclass
class StubChain:
    """Both ports of the chain. What is sent lands at once, with `verdict`, unless `drops`."""

    held: dict[str, AccountInfo] = field(default_factory=dict)
    blockhash: str = BLOCKHASH
    height: int = 1_000
    units: int = 120_000
    simulation_error: str | None = None
    fees: Sequence[int] = ()
    verdict: Any = None
    drops: bool = False
    down: bool = False
    gives_lists: bool = True
    landed: dict[str, SignatureStatus] = field(default_factory=dict)
    simulated: list[bytes] = field(default_factory=list)

    def _require(self) -> None:
        if self.down:
            raise ChainUnavailable

    async def latest_blockhash(self) -> LatestBlockhash:
        self._require()
        return LatestBlockhash(self.blockhash, LAST_VALID_HEIGHT)

    async def finalized_block_height(self) -> int:
        self._require()
        return self.height

    async def signature_status(self, signature: str) -> SignatureStatus | None:
        self._require()
        return self.landed.get(signature)

    async def accounts(self, addresses: list[str]) -> list[AccountInfo | None]:
        self._require()
        return [self.held.get(address) for address in addresses]

    async def simulate(self, transaction: bytes) -> Simulation:
        self._require()
        self.simulated.append(transaction)
        return Simulation(self.simulation_error, (), self.units)

    async def send(self, transaction: bytes) -> None:
        self._require()
        if not self.drops:
            signature = str(VersionedTransaction.from_bytes(transaction).signatures[0])
            self.landed[signature] = SignatureStatus(1, finalized=True, error=self.verdict)

    async def program_accounts(
        self, program: str, *, data_size: int | None = None, memcmp: Sequence[Memcmp] = ()
    ) -> Sequence[tuple[str, AccountInfo]]:
        self._require()
        if not self.gives_lists:
            raise ChainUnavailable("forbidden by its plan")
        return [
            (address, info)
            for address, info in self.held.items()
            if info.owner == program
            and data_size in (None, len(info.data))
            and all(info.data[at : at + len(wanted)] == wanted for at, wanted in memcmp)
        ]

    async def recent_prioritization_fees(self, addresses: Sequence[str]) -> Sequence[int]:
        self._require()
        return self.fees

    async def transactions(self, signatures: Sequence[str]) -> Sequence[LedgerTransaction | None]:
        assert not signatures
        return []

    async def signatures_for_address(
        self, address: str, *, limit: int = 1_000, before: str | None = None, until: str | None = None
    ) -> Sequence[AddressSignature]:
        return []

    async def newest_final(self, address: str) -> str | None:
        return None

    def landings(self, touching: Sequence[str]) -> AbstractAsyncContextManager[AsyncIterator[LandedSignature]]:
        raise AssertionError(touching)


@dataclass(frozen=True)
class Got:
    status: int
    raw: str

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


class LimitVenue:
    """`auto_price` None: by recent fees. `unique_ids` are given to orders one after the other."""

    def __init__(self, auto_price: int | None = 15_406, unique_ids: Sequence[int] = range(1, 1_000)) -> None:
        self.chain = StubChain({mint: mint_account(None, decimals) for mint, decimals in KNOWN_DECIMALS.items()})
        self.memory, self.clock = Drawer(), StillClock()
        self.prices: dict[Mint, UsdPrice] = dict(DEFAULT_PRICES)
        ids = iter(unique_ids)
        blocks = TransactionBuilder(self.chain, self.chain, RecentBlockhash(self.chain, self.clock.wall_ms), auto_price)
        orders = ClientTransactions(self.memory, ChainLanding(self.chain), self.clock, 3_000)
        venue = TriggerV1Context(
            orders=orders,
            limits=LimitService(self.chain, self.chain, blocks, lambda: next(ids)),
            index=NothingTold(),
            tokens=TokenRegistry(),
            price_of=self.prices.get,
            clock=self.clock,
        )
        self._api = Mounted(resources(venue))

    def post(self, path: str, body: object) -> Got:
        text = body if isinstance(body, str) else json.dumps(body)
        answer = self._api.ask("POST", path, body=text, headers={"content-type": "application/json"})
        return Got(answer.status_code, answer.text)

    def get(self, path: str, **params: str) -> Got:
        answer = self._api.ask("GET", path, params=params)
        return Got(answer.status_code, answer.text)

    def price(self, mint: str, dollars: int) -> None:
        self.prices[Mint(mint)] = UsdPrice(dollars * 10**USD_SCALE)

    def holds_order(self, address: str, **changes: Any) -> str:
        self.chain.held[address] = AccountInfo(1, limit_order.PROGRAM, order_bytes(order(**changes)), executable=False)
        return address

    def has_account(self, owner: str, mint: str) -> str:
        """The owner's associated token account."""
        address = associated_token_address(owner, mint)
        data = token_account_bytes(mint=mint, owner=owner)
        self.chain.held[address] = AccountInfo(2_039_280, TOKEN_PROGRAM, data, executable=False)
        return address


def order(**changes: Any) -> LimitOrderAccount:
    """Sells 0.05 SOL for 100 USDC, as the published one."""
    given: Mapping[str, Any] = {
        "maker": MAKER,
        "input_mint": SOL,
        "output_mint": USDC,
        "input_program": TOKEN_PROGRAM,
        "output_program": TOKEN_PROGRAM,
        "input_mint_reserve": SOL,
        "unique_id": 1,
        "ori_making_amount": 50_000_000,
        "ori_taking_amount": 100_000_000,
        "making_amount": 50_000_000,
        "taking_amount": 100_000_000,
        "borrow_making_amount": 0,
        "expired_at": None,
        "fee_bps": 10,
        "fee_account": SOL,
        "created_at": NOW_S,
        "updated_at": NOW_S,
        "bump": 255,
    }
    return LimitOrderAccount(**{**given, **changes})


def creation(**changes: object) -> dict[str, object]:
    """The body of a create that is fine: 0.05 SOL for 100 USDC."""
    body: dict[str, object] = {
        "inputMint": SOL,
        "outputMint": USDC,
        "maker": MAKER,
        "payer": MAKER,
        "params": {"makingAmount": "50000000", "takingAmount": "100000000"},
        "computeUnitPrice": "auto",
    }
    return body | changes


def signed(transaction: str, *keys: Keypair) -> str:
    message = VersionedTransaction.from_bytes(base64.b64decode(transaction)).message
    return base64.b64encode(bytes(VersionedTransaction(message, list(keys)))).decode()
