"""What a transaction needs of the chain before it can be signed: a blockhash, a price, a number of compute units."""

import base64
from collections.abc import Callable, Sequence
from typing import Final

from solders.hash import Hash

from countermand.services.transactions.blockhashes import RecentBlockhash
from countermand.services.transactions.chain_errors import asks_the_chain
from countermand.solana.clockwork import SLOT_MS
from countermand.solana.errors import BLOCKHASH_NOT_FOUND, SANITIZE_FAILURE
from countermand.solana.port import (
    FEE_ADDRESSES_MAX,
    UNITS_MAX,
    Blockhash,
    Chain,
    ChainRecords,
    QuestionRefused,
    Simulation,
)
from countermand.solana.programs.compile import Budget, unsigned_transaction
from countermand.solana.tokens import found_token_address
from countermand.solana.wire import MalformedTransaction
from countermand.values.identity import Address
from countermand.values.structs import Struct

AUTO_PRICE_MAX: Final = 500_000
"""Micro-lamports per compute unit: more is never offered unless it is asked for."""
UNITS_UNKNOWN: Final = 200_000
"""The limit of a transaction that fails when it is simulated now, such as one whose maker has yet to be funded."""
_UNITS_OF_AN_ACCOUNT: Final = 25_000
_UNITS_OF_A_STEP: Final = 1_500
Compose = Callable[[Budget, Blockhash], bytes]
"""The message of a transaction with this budget and blockhash."""


class BuiltMessage(Struct, frozen=True):
    """A message that is ready to be signed."""

    message: bytes
    last_valid_height: int


@asks_the_chain
async def simulated(
    chain: Chain, blockhashes: RecentBlockhash, compose: Callable[[Hash], bytes]
) -> tuple[BuiltMessage, Simulation]:
    """The message with a recent blockhash, and what the chain would make of it. Raises `Unavailable`."""
    message, simulation = await _simulated_once(chain, blockhashes, compose)
    if simulation.error == BLOCKHASH_NOT_FOUND:  # The chain has jumped since it was asked for the blockhash.
        blockhashes.invalidate()
        return await _simulated_once(chain, blockhashes, compose)
    return message, simulation


async def _simulated_once(
    chain: Chain, blockhashes: RecentBlockhash, compose: Callable[[Hash], bytes]
) -> tuple[BuiltMessage, Simulation]:
    recent = await blockhashes.get()
    message = compose(recent.blockhash)
    try:
        simulation = await chain.simulate(unsigned_transaction(message))
    except MalformedTransaction:  # Such as one whose payer is a program: nothing can sign for it.
        simulation = Simulation(SANITIZE_FAILURE, (), 0)
    return BuiltMessage(message, recent.last_valid_height), simulation


class TransactionBuilder:
    """All methods may raise `Unavailable`. `auto_price`, micro-lamports, if given, is used instead of recent fees.

    `untold_price`: the same, where the node refuses to tell recent fees.
    """

    def __init__(
        self,
        chain: Chain,
        records: ChainRecords,
        blockhashes: RecentBlockhash,
        auto_price: int | None = None,
        untold_price: int = 0,
    ) -> None:
        self._chain = chain
        self._records = records
        self._blockhashes = blockhashes
        self._auto_price = auto_price
        self._untold_price = untold_price

    @asks_the_chain
    async def price(self, writes: Sequence[Address]) -> int:
        """`auto`: the 95th percentile of what it recently took to write these accounts, at most `AUTO_PRICE_MAX`."""
        if self._auto_price is not None:
            return self._auto_price
        try:
            fees = sorted(await self._records.recent_prioritization_fees(writes[:FEE_ADDRESSES_MAX]))
        except QuestionRefused:  # The adapter has told the log.
            return self._untold_price
        if not fees:
            return 0
        # The nearest rank: the smallest that at least 95 of a hundred do not exceed.
        return min(fees[(95 * len(fees) + 99) // 100 - 1], AUTO_PRICE_MAX)

    @asks_the_chain
    async def built(self, compose: Compose, price: int, units: int | None = None, spare: int = 0) -> BuiltMessage:
        """`units` None: what it takes when simulated, a tenth more, and `spare` for what may change before it lands."""
        if units is None:
            units = min(await self._units(compose, price) + spare, UNITS_MAX)
        recent = await self._blockhashes.get(SLOT_MS)  # What a client asks for a slot later is another transaction.
        return BuiltMessage(compose(Budget(units, price), str(recent.blockhash)), recent.last_valid_height)

    async def _units(self, compose: Compose, price: int) -> int:
        most = Budget(UNITS_MAX, price)
        _, simulation = await simulated(self._chain, self._blockhashes, lambda blockhash: compose(most, str(blockhash)))
        if simulation.error is not None:
            return UNITS_UNKNOWN
        return units_to_offer(simulation.units_consumed)


def units_to_offer(used: int) -> int:
    """A tenth more than a simulation used, at most as many as there can be."""
    return min(used * 11 // 10, UNITS_MAX)


def units_to_make(owner: str, mint: str) -> int:
    """What it takes at most to make an owner's token account, of the first token program."""
    return _UNITS_OF_AN_ACCOUNT + _UNITS_OF_A_STEP * found_token_address(owner, mint)[1]


def unsigned_text(message: bytes) -> str:
    """The transaction with all signature slots empty, base64."""
    return base64.b64encode(unsigned_transaction(message)).decode()
