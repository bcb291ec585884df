"""Recurring orders over a chain of plain dictionaries, spoken to by HTTP."""

import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import falcon.testing
from solders.keypair import Keypair
from solders.message import Message
from solders.transaction import VersionedTransaction

from countermand.dialects.recurring_v1.routes import resources
from countermand.gateway.falcon_app import new_app
from countermand.orders.recurring.service import RecurringService
from countermand.services.transactions.blockhashes import RecentBlockhash
from countermand.services.transactions.builder import BuiltMessage, Compose, TransactionBuilder
from countermand.services.transactions.client_transactions import BuildRow, ClientTransactions
from countermand.services.transactions.landing import ChainLanding
from countermand.solana.genesis import mint_account
from countermand.solana.port import (
    AccountInfo,
    AddressSignature,
    ChainUnavailable,
    JsonError,
    LandedSignature,
    LatestBlockhash,
    LedgerTransaction,
    Memcmp,
    SignatureStatus,
    Simulation,
)
from countermand.solana.programs.compile import Budget
from countermand.solana.programs.dca import PROGRAM as DCA_PROGRAM
from countermand.solana.programs.dca import Dca, dca_bytes
from countermand.solana.tokens import TOKEN_2022_PROGRAM
from countermand.values.identity import Mint
from countermand.values.instant import Instant
from countermand.values.quantities import UsdPrice
from countermand_simulator.untold import NothingTold
from tests.dialects.mounted import Mounted

SOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
JUP = "JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN"
NEW_MINT = "2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo"
"""Of Token-2022."""
UNPRICED = "mSoLzYCxHdYgdzU16g5QSh3i5K3z3KZK7ytfqcJm7So"
USER = "5dMXLJ8GYQxcHe2fjpttVkEpRrxcajRXZqJHCiCbWS4H"
SEED_ORDER = "5T3NGmbD8R59UWEaRaDq79r7fDxDUNidze3CVT94vrUb"
CANCELLED_ORDER = "4DWzP4TdTsuwvYMaMWrRqzya4UTFKFoVjfUWNWh8zhzd"
UNREADABLE = "Failed to deserialize account data: failed to fill whole buffer"
PRICE_BASED = "price-based recurring orders are not supported"
NOW_S = 1_741_184_640
PRICE = 200_000
"""Micro-lamports per compute unit."""


class StandingClock:
    """Both clocks stand still, but that a request which waits passes the time."""

    def __init__(self) -> None:
        self.at_ms = NOW_S * 1000

    def now(self) -> Instant:
        return Instant(self.at_ms)

    def wall_ms(self) -> int:
        self.at_ms += 1
        return self.at_ms

    def elapsed_ms(self) -> int:
        return self.wall_ms()

    async def sleep(self, ms: int) -> None:
        raise AssertionError("nothing sleeps here")


@dataclass
class PaperChain:
    """What it holds, a test wrote. What is sent lands at once, with `rejection` as its error; or never."""

    accounts_there: dict[str, AccountInfo] = field(default_factory=dict)
    blockhash: str = "11111111111111111111111111111111"
    height: int = 1_000
    units: int = 50_000
    simulation_error: JsonError | None = None
    rejection: JsonError | None = None
    lands: bool = True
    down: bool = False
    sent: list[bytes] = field(default_factory=list)
    statuses: dict[str, SignatureStatus] = field(default_factory=dict)
    signatures: dict[str, list[AddressSignature]] = field(default_factory=dict)
    landed: dict[str, LedgerTransaction] = field(default_factory=dict)

    def _up(self) -> None:
        if self.down:
            raise ChainUnavailable("down")

    async def latest_blockhash(self) -> LatestBlockhash:
        self._up()
        return LatestBlockhash(self.blockhash, self.height + 150)

    async def finalized_block_height(self) -> int:
        self._up()
        return self.height

    async def signature_status(self, signature: str) -> SignatureStatus | None:
        self._up()
        return self.statuses.get(signature)

    async def accounts(self, addresses: list[str]) -> list[AccountInfo | None]:
        self._up()
        return [self.accounts_there.get(address) for address in addresses]

    async def simulate(self, transaction: bytes) -> Simulation:
        self._up()
        return Simulation(self.simulation_error, (), self.units)

    async def send(self, transaction: bytes) -> None:
        self._up()
        self.sent.append(transaction)
        if self.lands:
            signature = str(VersionedTransaction.from_bytes(transaction).signatures[0])
            self.statuses[signature] = SignatureStatus(self.height, finalized=True, error=self.rejection)

    async def program_accounts(
        self, program: str, *, data_size: int | None = None, memcmp: Sequence[Memcmp] = ()
    ) -> Sequence[tuple[str, AccountInfo]]:
        self._up()
        return [
            (address, account)
            for address, account in self.accounts_there.items()
            if account.owner == program
            and data_size in (None, len(account.data))
            and all(account.data[at : at + len(wanted)] == wanted for at, wanted in memcmp)
        ]

    async def recent_prioritization_fees(self, addresses: Sequence[str]) -> Sequence[int]:
        self._up()
        return []

    async def transactions(self, signatures: Sequence[str]) -> Sequence[LedgerTransaction | None]:
        self._up()
        return [self.landed.get(signature) for signature in signatures]

    async def signatures_for_address(
        self, address: str, *, limit: int = 1_000, before: str | None = None, until: str | None = None
    ) -> Sequence[AddressSignature]:
        self._up()
        return [] if before is not None else self.signatures.get(address, [])

    async def newest_final(self, address: str) -> str | None:
        raise AssertionError(address)

    def landings(self, touching: Sequence[str]) -> AbstractAsyncContextManager[AsyncIterator[LandedSignature]]:
        raise AssertionError(touching)

    def has_order(self, address: str, order: Dca) -> None:
        self.accounts_there[address] = AccountInfo(2_902_320, DCA_PROGRAM, dca_bytes(order), executable=False)


class Drawer:
    """A store of builds."""

    def __init__(self) -> None:
        self.rows: dict[bytes, BuildRow] = {}
        self.failing: BaseException | None = None

    async def add(self, rows: Sequence[BuildRow]) -> None:
        if self.failing is not None:
            raise self.failing
        for row in rows:
            self.rows.setdefault(row.digest, row)

    async def find(self, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        return {digest: self.rows[digest].body for digest in digests if digest in self.rows}

    async def newest(self, blocks: int) -> Sequence[bytes]:
        since = max((row.last_valid_height for row in self.rows.values()), default=0) - blocks
        return [row.body for row in self.rows.values() if row.body and row.last_valid_height >= since]


@dataclass
class FixedBudget:
    """What a transaction may use, whatever a simulation says."""

    chain: PaperChain
    units: int

    async def price(self, writes: Sequence[str]) -> int:
        return PRICE

    async def built(self, compose: Compose, price: int, units: int | None = None, spare: int = 0) -> BuiltMessage:
        return BuiltMessage(compose(Budget(self.units, price), self.chain.blockhash), self.chain.height + 150)


class Stage:
    """`units` None: what the simulation says, and a tenth more."""

    def __init__(self, *, units: int | None = None) -> None:
        self.chain = PaperChain()
        self.clock = StandingClock()
        self.drawer = Drawer()
        self.prices = {SOL: 150, USDC: 1, NEW_MINT: 1}
        for mint, decimals in ((SOL, 9), (USDC, 6), (JUP, 6), (UNPRICED, 9)):
            self.chain.accounts_there[mint] = mint_account(None, decimals)
        token_2022 = AccountInfo(1_461_600, TOKEN_2022_PROGRAM, mint_account(None, 6).data, executable=False)
        self.chain.accounts_there[NEW_MINT] = token_2022
        builds = ClientTransactions(self.drawer, ChainLanding(self.chain), self.clock, 20)
        blocks = TransactionBuilder(self.chain, self.chain, RecentBlockhash(self.chain, self.clock.wall_ms), PRICE)
        self.orders = RecurringService(
            builds,
            self.chain,
            self.chain,
            blocks if units is None else FixedBudget(self.chain, units),
            NothingTold(),
            self.clock,
            self._price_of,
        )
        self.api = Mounted(resources(self.orders), new_app)

    def _price_of(self, mint: Mint) -> UsdPrice | None:
        dollars = self.prices.get(mint)
        return None if dollars is None else UsdPrice(dollars * 10**12)

    def post(self, path: str, body: object) -> falcon.testing.Result:
        """`body`: bytes are sent as they are, all else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.api.ask("POST", f"/recurring/v1/{path}", body=data, headers={"content-type": "application/json"})

    def get(self, **query: str) -> falcon.testing.Result:
        return self.api.ask("GET", "/recurring/v1/getRecurringOrders", params=query)


def signed(transaction: str, *keys: Keypair) -> str:
    message = Message.from_bytes(base64.b64decode(transaction)[65:])
    return base64.b64encode(bytes(VersionedTransaction(message, list(keys)))).decode()


def an_order(user: str, **changes: Any) -> Dca:
    """52 USDC a day for SOL, twice, as it is right after its opening."""
    fields: dict[str, Any] = {
        "user": user,
        "input_mint": USDC,
        "output_mint": SOL,
        "idx": NOW_S,
        "next_cycle_at": NOW_S,
        "in_deposited": 104_000_000,
        "in_withdrawn": 0,
        "out_withdrawn": 0,
        "in_used": 0,
        "out_received": 0,
        "in_amount_per_cycle": 52_000_000,
        "cycle_frequency": 86_400,
        "next_cycle_amount_left": 52_000_000,
        "in_account": user,
        "out_account": user,
        "min_out": 0,
        "max_out": 0,
        "keeper_in_balance_before_borrow": 0,
        "dca_out_balance_before_swap": 0,
        "created_at": 1_741_661_513,
        "bump": 255,
    }
    return Dca(**(fields | changes))


def a_create(**changes: Any) -> dict[str, Any]:
    time = {"inAmount": 104_000_000, "numberOfOrders": 2, "interval": 86_400}
    time |= {"minPrice": None, "maxPrice": None, "startAt": None} | changes
    return {"user": USER, "inputMint": USDC, "outputMint": SOL, "params": {"time": time}}


def a_cancel(**changes: Any) -> dict[str, Any]:
    return {"order": SEED_ORDER, "user": USER, "recurringType": "time"} | changes


def older_cancel(**changes: Any) -> dict[str, Any]:
    return {"order": SEED_ORDER, "user": USER, "params": "recurring"} | changes


def in_shape(answer: Any, status: int, words: str) -> None:
    """As the newer form refuses."""
    phrase = {400: "Bad Request", 500: "Internal Server Error", 501: "Not Implemented", 503: "Service Unavailable"}
    assert answer.json == {"code": status, "error": words, "status": phrase[status]}
    assert answer.status_code == status
