"""Custody over the model chain: the same duties as `custody.custody.VaultCustody`, on messages in JSON."""

import json
from collections.abc import Callable
from typing import Any, Final

from countermand.kernel.ports import Unavailable
from countermand.orders.trigger.model.commands import UnsignedDeposit
from countermand.orders.trigger.model.order import Family, OrderGroup
from countermand.orders.trigger.model.slippage import Market, minimum_of
from countermand.orders.trigger.ports import Alteration, ObservedOutcome, SwapRefused
from countermand.solana.port import Chain, ChainUnavailable
from countermand.values.identity import Address, Mint, OrderId, RequestId, Signature, Wallet
from countermand.values.quantities import NOTHING, BaseUnits, UsdPrice
from countermand.values.transactions import (
    Attempt,
    Submission,
    SubmissionFault,
    TransactionOutcome,
    UnsignedTransaction,
)
from countermand_simulator.model_chain import NOT_EMPTY, SOL, canonical, own_account, sign

GAS: Final = "gas"
POOL: Final = "pool"
FEE_BPS: Final = 3
_OURS: Final = (GAS, POOL)


def vault(wallet: str) -> str:
    return f"vault of {wallet}"


def order_account(request_id: str) -> str:
    return f"account {request_id}"


class ModelCustody:
    """`price` tells the pool's prices; `mood` what the next swap meets: "fine", "refused" or "fails"."""

    def __init__(self, chain: Chain, price: Callable[[str], int], mood: Callable[[], str]) -> None:
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

    async def craft_deposit(
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

    async def craft_withdrawal(self, group: OrderGroup) -> UnsignedTransaction:
        terms = group.terms
        gift = await self._gift(group)
        take = [
            "move",
            terms.input_account,
            own_account(terms.wallet, terms.input_mint),
            (group.remaining + gift).units,
        ]
        close = ["close", terms.input_account, terms.wallet]
        native = terms.input_mint == SOL
        closes = native or group.progress.close_rejections < 2
        does: list[list[Any]] = (
            [close] if native else [["ensure", terms.wallet, terms.input_mint], take, *([close] if closes else [])]
        )
        signers = [terms.wallet, vault(terms.wallet)]
        return await self._craft(
            terms.wallet, signers, does, group.version, moves=group.remaining, gift=gift, closes=closes
        )

    async def shortfall(self, _craft: UnsignedTransaction) -> str | None:
        """Nobody is poor here."""
        return None

    async def craft_fill(self, group: OrderGroup) -> UnsignedTransaction | SwapRefused:
        mood = self._mood()
        if mood == "refused":
            return SwapRefused("the pool is in no mood")
        terms = group.terms
        dust = await self._gift(group)
        closes = group.progress.close_rejections < 2
        gift = dust if closes else NOTHING
        input_price, output_price = self._price(terms.input_mint), self._price(terms.output_mint)
        worth = group.remaining.units * input_price // output_price
        market = Market(UsdPrice(input_price), 0, UsdPrice(output_price), 0)
        if worth < minimum_of(group, group.remaining, market).units:
            return SwapRefused("the pool gives less than its minimum")
        receives = BaseUnits(worth - worth * FEE_BPS // 10_000)
        does: list[list[Any]] = [
            ["move", terms.input_account, own_account(POOL, terms.input_mint), group.remaining.units]
        ]
        if terms.output_mint == SOL:
            does.append(["pay", POOL, terms.wallet, receives.units])
        else:
            does.append(["ensure", terms.wallet, terms.output_mint])
            source, own = own_account(POOL, terms.output_mint), own_account(terms.wallet, terms.output_mint)
            does.append(["move", source, own, receives.units])
        if closes:
            does += self._sweep(group, gift)
        flawed = [*does, ["fail"]] if mood == "fails" else does
        craft = await self._craft(
            GAS,
            [GAS, POOL, vault(terms.wallet)],
            flawed,
            group.version,
            moves=group.remaining,
            gift=gift,
            receives=receives,
            closes=closes,
        )
        flaw = None if mood == "fails" else await self._flaw(craft.message)
        return craft if flaw is None else SwapRefused(flaw)

    async def craft_sweep(self, group: OrderGroup) -> UnsignedTransaction | None:
        [account] = await self._accounts(group.terms.input_account)
        if account is None:
            return None
        gift = BaseUnits(json.loads(account)[2])
        signers = [GAS, vault(group.terms.wallet)]
        return await self._craft(
            GAS, signers, self._sweep(group, gift), group.version, moves=NOTHING, gift=gift, closes=True
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

    async def fate(self, group: OrderGroup, attempt: Attempt) -> ObservedOutcome | None:
        signature = self.signature_of(group, attempt)
        try:
            height = await self._chain.finalized_block_height()
            status = await self._chain.signature_status(signature)
        except ChainUnavailable as error:
            raise Unavailable(str(error)) from error
        if status is not None:
            error_text = None if status.error is None else str(status.error)
            fate = TransactionOutcome.LANDED if status.error is None else TransactionOutcome.REJECTED
            return ObservedOutcome(fate, signature, error_text, at_close=NOT_EMPTY in (error_text or ""))
        return ObservedOutcome(TransactionOutcome.DEAD, signature) if height > attempt.craft.last_valid_height else None

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

    def _sweep(self, group: OrderGroup, gift: BaseUnits) -> list[list[Any]]:
        terms = group.terms
        close = ["close", terms.input_account, terms.wallet]
        if not gift or terms.input_mint == SOL:
            return [close]
        own = own_account(terms.wallet, terms.input_mint)
        return [["ensure", terms.wallet, terms.input_mint], ["move", terms.input_account, own, gift.units], close]

    async def _craft(
        self,
        payer: str,
        signers: list[str],
        does: list[list[Any]],
        variant: int = 0,
        *,
        moves: BaseUnits,
        gift: BaseUnits = NOTHING,
        receives: BaseUnits = NOTHING,
        closes: bool = False,
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
        return UnsignedTransaction(text, recent.last_valid_block_height, moves, gift, receives, closes)

    async def _flaw(self, message: bytes) -> str | None:
        unsigned = canonical({"message": message.decode(), "signatures": {}})
        try:
            found = await self._chain.simulate(unsigned.encode())
        except ChainUnavailable as error:
            raise Unavailable(str(error)) from error
        return None if found.error is None else str(found.error)

    async def _gift(self, group: OrderGroup) -> BaseUnits:
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
