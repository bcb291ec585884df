"""How the transactions of on-chain orders reach the chain, and what becomes of them."""

import base64
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from countermand.domain.identity import Signature
from countermand.domain.trigger.commands import Fate
from countermand.engine.onchain import SignedTransaction
from countermand.engine.ports import FateSeen, Unavailable
from countermand.solana.facade.sentences import describe
from countermand.solana.port import PACKET_BYTES_MAX, Chain, ChainUnavailable, JsonError
from countermand.solana.wire import MalformedTransaction, read_transaction

_TEXT_CHARS_MAX = (PACKET_BYTES_MAX + 2) // 3 * 4

_P = ParamSpec("_P")
_T = TypeVar("_T")


def asks_the_chain(method: Callable[_P, Coroutine[Any, Any, _T]]) -> Callable[_P, Coroutine[Any, Any, _T]]:
    """Raises the engine's word for it when the chain does not answer."""

    @wraps(method)
    async def asking(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return await method(*args, **kwargs)
        except ChainUnavailable as error:
            raise Unavailable(str(error) or "the chain does not answer") from error

    return asking


class ChainLanding:
    """Implements `engine.onchain.Landing`."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def read(self, transaction: str) -> SignedTransaction | None:
        raw = _decoded(transaction)
        if raw is None:
            return None
        try:
            read = read_transaction(raw)
        except MalformedTransaction:
            return None
        if not read.signatures_are_valid():
            return None
        return SignedTransaction(raw, read.message_bytes, Signature(str(read.versioned.signatures[0])))

    @asks_the_chain
    async def send(self, transaction: SignedTransaction) -> None:
        await self._chain.send(transaction.wire)

    @asks_the_chain
    async def fate(self, signature: Signature, last_valid_height: int) -> FateSeen | None:
        # The height first: a node that is past the last valid one and then knows no status will never know one.
        height = await self._chain.finalized_block_height()
        status = await self._chain.signature_status(signature)
        if status is None:
            return FateSeen(Fate.DEAD, signature) if height > last_valid_height else None
        if not status.finalized:
            return None
        if status.error is not None:
            return FateSeen(Fate.REJECTED, signature, error_words(status.error))
        return FateSeen(Fate.LANDED, signature)


def error_words(error: JsonError) -> str:
    """A program's own error as these families write it, with its number in decimals; others in a node's words."""
    if isinstance(error, dict):
        match error.get("InstructionError"):
            case [_, {"Custom": int(code)}]:
                return f"custom program error code: {code}"
    return describe(error)


def _decoded(text: str) -> bytes | None:
    """Base64 in its one canonical spelling, of at most a packet."""
    if len(text) > _TEXT_CHARS_MAX:
        return None
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    if len(raw) > PACKET_BYTES_MAX or base64.b64encode(raw).decode() != text:
        return None
    return raw
