"""How the transactions of on-chain orders reach the chain, and what becomes of them."""

from typing import Final

from countermand.base64_text import bytes_of
from countermand.services.transactions.chain_errors import asks_the_chain
from countermand.services.transactions.client_transactions import Build, SignedTransaction
from countermand.services.transactions.outcomes import outcome_of
from countermand.solana.alterations import alteration_of
from countermand.solana.error_sentences import describe
from countermand.solana.funds import fee_shortfall_of
from countermand.solana.port import PACKET_BYTES_MAX, JsonError, Node
from countermand.solana.programs import dca, limit_order
from countermand.solana.wire import SIGNATURE_BYTES, MalformedTransaction, read_transaction
from countermand.values.identity import Address, Signature, Wallet
from countermand.values.transactions import Alteration, ObservedOutcome, TransactionOutcome

_LOOKED_AT_MAX: Final = 32
"""Transactions at either end of an order's history: near one it opens, near the other it closes. Strangers can name an
order too, but not before it is known."""
_PROGRAMS: Final = (limit_order.PROGRAM, dca.PROGRAM)


class ChainLanding:
    """Implements `services.transactions.client_transactions.Landing`."""

    def __init__(self, chain: Node) -> None:
        self._chain = chain

    def read(self, transaction: str) -> SignedTransaction | None:
        raw = bytes_of(transaction, PACKET_BYTES_MAX)
        if raw is None:
            return None
        try:
            read = read_transaction(raw)
        except MalformedTransaction:
            return None
        if not read.signatures_are_valid():
            return None
        signers = read.static_keys[: read.message.header.num_required_signatures]
        return SignedTransaction(
            raw,
            read.message_bytes,
            Signature(str(read.versioned.signatures[0])),
            tuple(Wallet(str(signer)) for signer in signers),
        )

    @asks_the_chain
    async def send(self, transaction: SignedTransaction) -> None:
        await self._chain.send(transaction.wire)

    @asks_the_chain
    async def shortfall(self, build: Build) -> str | None:
        return await fee_shortfall_of(self._chain, build.message)

    def alteration(self, build: Build, signed: SignedTransaction) -> Alteration:
        return alteration_of(build.message, signed.message)

    @asks_the_chain
    async def outcome(self, signature: Signature, last_valid_height: int) -> ObservedOutcome | None:
        found = await outcome_of(self._chain, signature, last_valid_height)
        if found is None:
            return None
        outcome, error = found
        return ObservedOutcome(outcome, signature, None if error is None else error_words(error))

    @asks_the_chain
    async def outcome_of_message(self, build: Build) -> ObservedOutcome | None:
        for signature in await self._naming(build.order):
            if await self._message_of(signature) == build.message:
                seen = await self.outcome(signature, build.last_valid_height)
                return None if seen is None or seen.outcome is TransactionOutcome.DEAD else seen
        return None

    @asks_the_chain
    async def must_have_landed(self, build: Build) -> bool:
        """An order that is gone proves nothing: a fill, or another cancel, may have closed it."""
        if not build.opens or await self._naming(build.order):
            return False
        (there,) = await self._chain.accounts([build.order])
        return there is not None and there.owner in _PROGRAMS

    async def _naming(self, order: Address) -> list[Signature]:
        found = [Signature(each.signature) for each in await self._chain.signatures_for_address(order)]
        return found if len(found) <= 2 * _LOOKED_AT_MAX else found[:_LOOKED_AT_MAX] + found[-_LOOKED_AT_MAX:]

    async def _message_of(self, signature: Signature) -> bytes | None:
        (transaction,) = await self._chain.transactions([signature])
        # Fewer than 128 signatures: their number takes one byte.
        return None if transaction is None else transaction.raw[1 + SIGNATURE_BYTES * transaction.raw[0] :]


def error_words(error: JsonError) -> str:
    """A program's own error as these families write it, with its number in decimals; others in a node's words."""
    if isinstance(error, dict):
        match error.get("InstructionError"):
            case [_, {"Custom": int(code)}]:
                return f"custom program error code: {code}"
    return describe(error)
