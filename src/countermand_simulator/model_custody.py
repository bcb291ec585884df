"""What any family of orders does on the model chain: messages in JSON, their signatures, and what became of them."""

import json
from collections.abc import Callable
from typing import Any, Final

from countermand.kernel.ports import Unavailable
from countermand.services.transactions.landed import LandedChain
from countermand.solana.port import ChainUnavailable, LedgerTransaction
from countermand.values.identity import Address, Mint, Signature, Wallet
from countermand.values.quantities import NOTHING, BaseUnits
from countermand.values.transactions import (
    Alteration,
    Attempt,
    AttemptKind,
    ObservedOutcome,
    OutputParcel,
    Submission,
    SubmissionFault,
    SwapAmounts,
    TransactionOutcome,
    UnsignedTransaction,
)
from countermand_simulator.model_chain import INSTRUCTION, NOT_EMPTY, SOL, canonical, own_account, sign

GAS: Final = "gas"
POOL: Final = "pool"
FEE_BPS: Final = 3
_OURS: Final = (GAS, POOL)

Does = list[list[Any]]


def vault(wallet: str) -> str:
    return f"vault of {wallet}"


def order_account(request_id: str) -> str:
    return f"account {request_id}"


def less_fee(units: int) -> int:
    return units - units * FEE_BPS // 10_000


class ModelCustody:
    """`price` tells the pool's prices; `mood` what the next swap meets."""

    def __init__(self, chain: LandedChain, price: Callable[[str], int], mood: Callable[[], str]) -> None:
        self._chain = chain
        self._price = price
        self._mood = mood

    async def block_height(self) -> int:
        try:
            return await self._chain.finalized_block_height()
        except ChainUnavailable as error:
            raise Unavailable(str(error)) from error

    async def shortfall(self, _craft: UnsignedTransaction) -> str | None:
        """No wallet is poor here."""
        return None

    def read_submission(self, transaction: str, wallet: Wallet) -> Submission:
        try:
            read = json.loads(transaction)
            message, signature = read["message"], read["signatures"].get(wallet)
        except (ValueError, KeyError, TypeError, AttributeError):
            return Submission(b"", None, SubmissionFault.NOT_A_TRANSACTION)
        if canonical(read) != transaction:
            return Submission(b"", None, SubmissionFault.NOT_CANONICAL)
        if signature is None:
            return Submission(message.encode(), None, SubmissionFault.UNSIGNED)
        if signature != sign(wallet, message):
            return Submission(message.encode(), None, SubmissionFault.WRONG_SIGNATURE)
        return Submission(message.encode(), Signature(signature), None)

    def alteration(self, built: UnsignedTransaction, submission: Submission) -> Alteration:
        ours, theirs = (json.loads(message) for message in (built.message, submission.message))
        unlike = {name: theirs.get(name) for name in ours if theirs.get(name) != ours[name]}
        return Alteration("signers" in unlike or "payer" in unlike, unlike)

    def unsigned_transaction(self, craft: UnsignedTransaction) -> str:
        return canonical({"message": craft.message.decode(), "signatures": {}})

    async def _outcome_of(
        self, attempt: Attempt, swapped: Callable[[LedgerTransaction], SwapAmounts]
    ) -> ObservedOutcome | None:
        """`swapped`: what a fill that landed moved."""
        signature = signature_of(attempt)
        try:
            height = await self._chain.finalized_block_height()
            status = await self._chain.signature_status(signature)
            if status is None:
                dead = height > attempt.craft.last_valid_height
                return ObservedOutcome(TransactionOutcome.DEAD, signature) if dead else None
            if status.error is not None:
                error = str(status.error)
                closing = _closing(attempt, error)
                return ObservedOutcome(TransactionOutcome.REJECTED, signature, error, closing is not None, closing)
            if attempt.kind is not AttemptKind.FILL:
                return ObservedOutcome(TransactionOutcome.LANDED, signature)
            (landed,) = await self._chain.transactions([signature])
        except ChainUnavailable as error:
            raise Unavailable(str(error)) from error
        assert landed is not None, "what has a status is shown"
        return ObservedOutcome(TransactionOutcome.LANDED, signature, swap=swapped(landed))

    async def _send_as(self, wallet: Wallet, attempt: Attempt) -> None:
        text = attempt.craft.message.decode()
        message = json.loads(text)
        ours = [key for key in message["signers"] if key in _OURS or key == vault(wallet)]
        signatures = {key: sign(key, text) for key in ours}
        if attempt.user_signature is not None:
            signatures[wallet] = attempt.user_signature
        try:
            await self._chain.send(canonical({"message": text, "signatures": signatures}).encode())
        except ChainUnavailable as error:
            raise Unavailable(str(error)) from error

    # --- what messages say

    def _deposits(self, wallet: Wallet, mint: Mint, account: str, amount: BaseUnits) -> Does:
        fund: list[Any] = ["move", own_account(wallet, mint), account, amount.units]
        if mint == SOL:
            fund = ["wrap", wallet, account, amount.units]
        return [["create", account, mint, vault(wallet)], fund]

    def _gives(self, wallet: Wallet, mint: Mint, amount: int) -> Does:
        """Out of the pool."""
        if mint == SOL:
            return [["pay", POOL, wallet, amount]]
        source, own = own_account(POOL, mint), own_account(wallet, mint)
        return [["ensure", wallet, mint], ["move", source, own, amount]]

    def _keeps(self, account: str, mint: Mint, amount: int) -> Does:
        """Out of the pool, in an account of the order."""
        return (
            [["wrap", POOL, account, amount]] if mint == SOL else [["move", own_account(POOL, mint), account, amount]]
        )

    def _returns(self, wallet: Wallet, mint: Mint, account: str, amount: BaseUnits) -> Does:
        """Wrapped SOL comes back by the close of its account alone."""
        if not amount or mint == SOL:
            return []
        return [["ensure", wallet, mint], ["move", account, own_account(wallet, mint), amount.units]]

    async def _craft(
        self,
        payer: str,
        signers: list[str],
        does: list[list[Any]],
        variant: int = 0,
        *,
        moves: BaseUnits,
        dust: BaseUnits = NOTHING,
        minimum: BaseUnits = NOTHING,
        closes: bool = False,
        returns: BaseUnits = NOTHING,
        output: OutputParcel | None = None,
    ) -> UnsignedTransaction:
        """`variant` makes another message with the same instructions."""
        try:
            recent = await self._chain.latest_blockhash()
        except ChainUnavailable as error:
            raise Unavailable(str(error)) from error
        message = {
            "blockhash": recent.blockhash,
            "does": does,
            "payer": payer,
            "signers": signers,
            "variant": variant,
        }
        text = canonical(message).encode()
        return UnsignedTransaction(text, recent.last_valid_block_height, moves, dust, minimum, closes, returns, output)

    async def _flaw(self, message: bytes) -> str | None:
        unsigned = canonical({"message": message.decode(), "signatures": {}})
        try:
            found = await self._chain.simulate(unsigned.encode())
        except ChainUnavailable as error:
            raise Unavailable(str(error)) from error
        return None if found.error is None else str(found.error)

    async def _dust(self, account: str, funds: BaseUnits) -> BaseUnits:
        """What the account holds beyond the order's own funds."""
        held = await self._held(account)
        if held is None or held < funds.units:
            raise Unavailable(f"the order's account holds {held} of {funds.units}")
        return BaseUnits(held - funds.units)

    async def _held(self, account: str) -> int | None:
        """None: there is no such account."""
        [info] = await self._infos(account)
        return None if info is None else int(json.loads(info)[2])

    async def _infos(self, address: str) -> list[bytes | None]:
        try:
            return [None if found is None else found.data for found in await self._chain.accounts([address])]
        except ChainUnavailable as error:
            raise Unavailable(str(error)) from error


def signature_of(attempt: Attempt) -> Signature:
    return attempt.user_signature or Signature(sign(GAS, attempt.craft.message.decode()))


def _closing(attempt: Attempt, error: str) -> Address | None:
    """The account whose close was rejected, since something was in it."""
    if NOT_EMPTY not in error:
        return None
    number = int(error.removeprefix(INSTRUCTION).partition(":")[0])
    return Address(json.loads(attempt.craft.message)["does"][number][1])
