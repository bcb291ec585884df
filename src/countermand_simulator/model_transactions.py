"""The transactions of trigger orders on the model chain: the duties of `TriggerTransactions`, on messages in JSON."""

import json
from collections.abc import Callable
from typing import Any, Final

from countermand.kernel.ports import Unavailable
from countermand.orders.trigger.model.commands import UnsignedDeposit
from countermand.orders.trigger.model.order import Family, OrderGroup
from countermand.orders.trigger.model.slippage import minimum_of
from countermand.orders.vaults.model.market import Market
from countermand.services.transactions.landed import LandedChain, changes_of
from countermand.solana.port import ChainUnavailable, LedgerTransaction
from countermand.values.identity import Address, Mint, OrderId, RequestId, Signature, Wallet
from countermand.values.quantities import NOTHING, BaseUnits, UsdPrice
from countermand.values.transactions import (
    Alteration,
    Attempt,
    AttemptKind,
    ObservedOutcome,
    Submission,
    SubmissionFault,
    SwapAmounts,
    SwapRefused,
    TransactionOutcome,
    UnsignedTransaction,
)
from countermand_simulator.model_chain import NOT_EMPTY, RENT_LAMPORTS, SOL, canonical, own_account, sign

GAS: Final = "gas"
POOL: Final = "pool"
FEE_BPS: Final = 3
_OURS: Final = (GAS, POOL)


def vault(wallet: str) -> str:
    return f"vault of {wallet}"


def order_account(request_id: str) -> str:
    return f"account {request_id}"


class ModelTransactions:
    """`price` tells the pool's prices; `mood` what the next swap meets."""

    def __init__(self, chain: LandedChain, price: Callable[[str], int], mood: Callable[[], str]) -> None:
        self._chain = chain
        self._price = price
        self._mood = mood

    def vault_of(self, wallet: Wallet) -> Address:
        return Address(vault(wallet))

    async def block_height(self) -> int:
        try:
            return await self._chain.finalized_block_height()
        except ChainUnavailable as error:
            raise Unavailable(str(error)) from error

    async def build_deposit(
        self,
        *,
        request_id: RequestId,
        order_id: OrderId,
        wallet: Wallet,
        family: Family,
        input_mint: Mint,
        output_mint: Mint,
        amount: BaseUnits,
    ) -> UnsignedDeposit:
        account = order_account(request_id)
        fund: list[Any] = ["move", own_account(wallet, input_mint), account, amount.units]
        if input_mint == SOL:
            fund = ["wrap", wallet, account, amount.units]
        does = [["create", account, input_mint, vault(wallet)], fund]
        craft = await self._craft(wallet, [wallet, vault(wallet)], does, moves=amount)
        return UnsignedDeposit(request_id, order_id, wallet, family, input_mint, output_mint, Address(account), craft)

    async def simulate_deposit(self, deposit: UnsignedDeposit) -> str | None:
        return await self._flaw(deposit.craft.message)

    async def build_withdrawal(self, group: OrderGroup) -> UnsignedTransaction:
        terms = group.terms
        dust = await self._dust(group)
        take = [
            "move",
            terms.input_account,
            own_account(terms.wallet, terms.input_mint),
            (group.remaining + dust).units,
        ]
        close = ["close", terms.input_account, terms.wallet]
        native = terms.input_mint == SOL
        closes = native or group.progress.close_rejections < 2
        does: list[list[Any]] = (
            [close] if native else [["ensure", terms.wallet, terms.input_mint], take, *([close] if closes else [])]
        )
        signers = [terms.wallet, vault(terms.wallet)]
        return await self._craft(
            terms.wallet, signers, does, group.version, moves=group.remaining, dust=dust, closes=closes
        )

    async def shortfall(self, _craft: UnsignedTransaction) -> str | None:
        """No wallet is poor here."""
        return None

    async def build_fill(self, group: OrderGroup) -> UnsignedTransaction | SwapRefused:
        mood = self._mood()
        if mood == "refused":
            return SwapRefused("the pool is in no mood")
        terms = group.terms
        held = await self._dust(group)
        part, rest = _parted(group.remaining, mood)
        ends = not rest or mood != "part"
        closes = ends and (terms.input_mint == SOL or group.progress.close_rejections < 2)
        dust, returns = held if closes else NOTHING, rest if ends else NOTHING
        input_price, output_price = self._price(terms.input_mint), self._price(terms.output_mint)
        worth = part.units * input_price // output_price
        market = Market(UsdPrice(input_price), 0, UsdPrice(output_price), 0)
        least = minimum_of(group, part, market).units
        if worth < least:
            return SwapRefused("the pool gives less than its minimum")
        minimum = max(1, _less_fee(least))
        given = max(minimum, _less_fee(worth) * (99 + group.version % 3) // 100)
        does: list[list[Any]] = [["move", terms.input_account, own_account(POOL, terms.input_mint), part.units]]
        if terms.output_mint == SOL:
            does.append(["pay", POOL, terms.wallet, given])
        else:
            does.append(["ensure", terms.wallet, terms.output_mint])
            source, own = own_account(POOL, terms.output_mint), own_account(terms.wallet, terms.output_mint)
            does.append(["move", source, own, given])
        if closes:
            does += self._sweep(group, dust + returns)
        elif returns:
            does += self._sweep(group, returns)[:-1]
        flawed = [*does, ["fail"]] if mood == "fails" else does
        craft = await self._craft(
            GAS,
            [GAS, POOL, vault(terms.wallet)],
            flawed,
            group.version,
            moves=part,
            dust=dust,
            minimum=BaseUnits(minimum),
            closes=closes,
            returns=returns,
        )
        flaw = None if mood == "fails" else await self._flaw(craft.message)
        return craft if flaw is None else SwapRefused(flaw)

    async def build_sweep(self, group: OrderGroup) -> UnsignedTransaction | None:
        [account] = await self._accounts(group.terms.input_account)
        if account is None:
            return None
        dust = BaseUnits(json.loads(account)[2])
        signers = [GAS, vault(group.terms.wallet)]
        return await self._craft(
            GAS, signers, self._sweep(group, dust), group.version, moves=NOTHING, dust=dust, closes=True
        )

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

    def signature_of(self, _group: OrderGroup, attempt: Attempt) -> Signature:
        return attempt.user_signature or Signature(sign(GAS, attempt.craft.message.decode()))

    async def outcome(self, group: OrderGroup, attempt: Attempt) -> ObservedOutcome | None:
        signature = self.signature_of(group, attempt)
        try:
            height = await self._chain.finalized_block_height()
            status = await self._chain.signature_status(signature)
            if status is None:
                dead = height > attempt.craft.last_valid_height
                return ObservedOutcome(TransactionOutcome.DEAD, signature) if dead else None
            if status.error is not None:
                error = str(status.error)
                return ObservedOutcome(TransactionOutcome.REJECTED, signature, error, at_close=NOT_EMPTY in error)
            if attempt.kind is not AttemptKind.FILL:
                return ObservedOutcome(TransactionOutcome.LANDED, signature)
            (landed,) = await self._chain.transactions([signature])
        except ChainUnavailable as error:
            raise Unavailable(str(error)) from error
        return ObservedOutcome(TransactionOutcome.LANDED, signature, swap=_swapped(group, attempt, landed))

    async def send(self, group: OrderGroup, attempt: Attempt) -> None:
        text = attempt.craft.message.decode()
        message = json.loads(text)
        ours = [key for key in message["signers"] if key in _OURS or key == vault(group.terms.wallet)]
        signatures = {key: sign(key, text) for key in ours}
        if attempt.user_signature is not None:
            signatures[group.terms.wallet] = attempt.user_signature
        try:
            await self._chain.send(canonical({"message": text, "signatures": signatures}).encode())
        except ChainUnavailable as error:
            raise Unavailable(str(error)) from error

    # --- making

    def _sweep(self, group: OrderGroup, dust: BaseUnits) -> list[list[Any]]:
        terms = group.terms
        close = ["close", terms.input_account, terms.wallet]
        if not dust or terms.input_mint == SOL:
            return [close]
        own = own_account(terms.wallet, terms.input_mint)
        return [["ensure", terms.wallet, terms.input_mint], ["move", terms.input_account, own, dust.units], close]

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
    ) -> UnsignedTransaction:
        """`variant` makes another message of the same deeds."""
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
        return UnsignedTransaction(text, recent.last_valid_block_height, moves, dust, minimum, closes, returns)

    async def _flaw(self, message: bytes) -> str | None:
        unsigned = canonical({"message": message.decode(), "signatures": {}})
        try:
            found = await self._chain.simulate(unsigned.encode())
        except ChainUnavailable as error:
            raise Unavailable(str(error)) from error
        return None if found.error is None else str(found.error)

    async def _dust(self, group: OrderGroup) -> BaseUnits:
        """What the order's account holds beyond the order's own funds."""
        [account] = await self._accounts(group.terms.input_account)
        held = None if account is None else json.loads(account)[2]
        if held is None or held < group.remaining.units:
            raise Unavailable(f"the order's account holds {held} of {group.remaining.units}")
        return BaseUnits(held - group.remaining.units)

    async def _accounts(self, address: str) -> list[bytes | None]:
        try:
            return [None if found is None else found.data for found in await self._chain.accounts([address])]
        except ChainUnavailable as error:
            raise Unavailable(str(error)) from error


def _parted(left: BaseUnits, mood: str) -> tuple[BaseUnits, BaseUnits]:
    """What a swap takes, and the rest."""
    units = {"part": max(1, left.units // 3), "crumbs": max(1, left.units - 3)}.get(mood, left.units)
    return BaseUnits(units), left - BaseUnits(units)


def _less_fee(units: int) -> int:
    return units - units * FEE_BPS // 10_000


def _swapped(group: OrderGroup, attempt: Attempt, landed: LedgerTransaction | None) -> SwapAmounts:
    assert landed is not None, "what has a status is shown"
    terms, changes = group.terms, changes_of(landed)
    wallet, account = terms.wallet, terms.input_account
    closed = -changes.lamports_of(account) if attempt.craft.closes else 0
    if terms.input_mint == SOL:
        dust = changes.lamports_of(wallet) - RENT_LAMPORTS if attempt.craft.closes else 0
    else:
        dust = changes.tokens_of(own_account(wallet, terms.input_mint))
    used = -changes.tokens_of(account) - dust
    if terms.output_mint == SOL:
        received = changes.lamports_of(wallet) - closed
    else:
        received = changes.tokens_of(own_account(wallet, terms.output_mint))
    return SwapAmounts(BaseUnits(used), BaseUnits(received), BaseUnits(dust))
