"""The transactions of recurring orders on the model chain: the duties of `DcaTransactions`, on messages in JSON."""

from countermand.orders.dca.model.commands import UnsignedDeposit
from countermand.orders.dca.model.order import DcaOrder
from countermand.orders.dca.model.slippage import cents_of, least_of
from countermand.orders.vaults.model.market import PairPrices
from countermand.services.transactions.landed import changes_of
from countermand.solana.port import LedgerTransaction
from countermand.values.identity import Address, Mint, OrderId, RequestId, Signature, Wallet
from countermand.values.quantities import NOTHING, BaseUnits, UsdPrice
from countermand.values.transactions import Attempt, ObservedOutcome, SwapAmounts, SwapRefused, UnsignedTransaction
from countermand_simulator.model_chain import RENT_LAMPORTS, SOL, own_account
from countermand_simulator.model_custody import (
    GAS,
    POOL,
    Does,
    ModelCustody,
    less_fee,
    order_account,
    signature_of,
    vault,
)


class ModelRounds(ModelCustody):
    async def build_deposit(
        self,
        *,
        request_id: RequestId,
        order_id: OrderId,
        wallet: Wallet,
        input_mint: Mint,
        output_mint: Mint,
        amount: BaseUnits,
    ) -> UnsignedDeposit:
        account = order_account(request_id)
        does = self._deposits(wallet, input_mint, account, amount)
        craft = await self._craft(wallet, [wallet, vault(wallet)], does, moves=amount)
        return UnsignedDeposit(request_id, order_id, wallet, input_mint, output_mint, Address(account), craft)

    async def simulate_deposit(self, deposit: UnsignedDeposit) -> str | None:
        return await self._flaw(deposit.craft.message)

    async def build_withdrawal(self, order: DcaOrder) -> UnsignedTransaction:
        terms, closes = order.terms, _closes(order)
        dust = await self._dust(terms.input_account, order.remaining)
        does = self._emptied(order, order.remaining + dust, closes=closes)
        signers = [terms.wallet, vault(terms.wallet)]
        return await self._craft(
            terms.wallet, signers, does, order.version, moves=order.remaining, dust=dust, closes=closes
        )

    async def build_fill(self, order: DcaOrder) -> UnsignedTransaction | SwapRefused:
        mood = self._mood()
        if mood == "refused":
            return SwapRefused("the pool is in no mood")
        if mood in ("part", "crumbs"):
            return SwapRefused("only a part of this round can be swapped at once now")
        terms, amount = order.terms, order.round_amount
        price, output_price = self._price(terms.input_mint), self._price(terms.output_mint)
        worth = amount.units * price // output_price
        least = least_of(amount, PairPrices(UsdPrice(price), 0, UsdPrice(output_price), 0))
        if worth < least:
            return SwapRefused("the pool gives less than its minimum")
        minimum = max(1, less_fee(least))
        given = max(minimum, less_fee(worth) * (99 + order.version % 3) // 100)
        does: Does = [["move", terms.input_account, own_account(POOL, terms.input_mint), amount.units]]
        does += self._gives(terms.wallet, terms.output_mint, given)
        closes = amount == order.remaining and _closes(order)
        dust = await self._dust(terms.input_account, order.remaining) if closes else NOTHING
        if closes:
            does += self._emptied(order, dust, closes=True)
        if mood == "fails":
            does.append(["fail"])
        craft = await self._craft(
            GAS,
            [GAS, POOL, vault(terms.wallet)],
            does,
            order.version,
            moves=amount,
            dust=dust,
            minimum=BaseUnits(minimum),
            closes=closes,
        )
        flaw = None if mood == "fails" else await self._flaw(craft.message)
        return craft if flaw is None else SwapRefused(flaw)

    async def build_sweep(self, order: DcaOrder) -> UnsignedTransaction | None:
        held = await self._held(order.terms.input_account)
        if held is None:
            return None
        dust, signers = BaseUnits(held), [GAS, vault(order.terms.wallet)]
        does = self._emptied(order, dust, closes=True)
        return await self._craft(GAS, signers, does, order.version, moves=NOTHING, dust=dust, closes=True)

    def worth_cents(self, mint: Mint, amount: BaseUnits) -> int | None:
        return cents_of(amount, UsdPrice(self._price(mint)), 0)

    def signature_of(self, _order: DcaOrder, attempt: Attempt) -> Signature:
        return signature_of(attempt)

    async def outcome(self, order: DcaOrder, attempt: Attempt) -> ObservedOutcome | None:
        return await self._outcome_of(attempt, lambda landed: _swapped(order, attempt, landed))

    async def send(self, order: DcaOrder, attempt: Attempt) -> None:
        await self._send_as(order.terms.wallet, attempt)

    def _emptied(self, order: DcaOrder, back: BaseUnits, *, closes: bool) -> Does:
        terms = order.terms
        does = self._returns(terms.wallet, terms.input_mint, terms.input_account, back)
        return [*does, ["close", terms.input_account, terms.wallet]] if closes else does


def _closes(order: DcaOrder) -> bool:
    """Wrapped SOL comes back by a close alone, which no dust can forbid."""
    return order.terms.input_mint == SOL or order.progress.close_rejections < 2


def _swapped(order: DcaOrder, attempt: Attempt, landed: LedgerTransaction) -> SwapAmounts:
    terms, changes, closes = order.terms, changes_of(landed), attempt.craft.closes
    wallet, account = terms.wallet, terms.input_account
    if terms.input_mint == SOL:
        dust = changes.lamports_of(wallet) - RENT_LAMPORTS if closes else 0
    else:
        dust = changes.tokens_of(own_account(wallet, terms.input_mint))
    used = -changes.tokens_of(account) - dust
    if terms.output_mint == SOL:
        received = changes.lamports_of(wallet) - (-changes.lamports_of(account) if closes else 0)
    else:
        received = changes.tokens_of(own_account(wallet, terms.output_mint))
    return SwapAmounts(BaseUnits(used), BaseUnits(received), BaseUnits(dust))
