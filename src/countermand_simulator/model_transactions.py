"""The transactions of trigger orders on the model chain: the duties of `TriggerTransactions`, on messages in JSON."""

from typing import Any

from countermand.orders.trigger.model.commands import UnsignedDeposit
from countermand.orders.trigger.model.order import Family, OrderGroup
from countermand.orders.trigger.model.slippage import minimum_of
from countermand.orders.vaults.model.market import Market
from countermand.services.transactions.landed import changes_of
from countermand.solana.port import LedgerTransaction
from countermand.values.identity import Address, Mint, OrderId, RequestId, Signature, Wallet
from countermand.values.quantities import NOTHING, BaseUnits, UsdPrice
from countermand.values.transactions import (
    Attempt,
    ObservedOutcome,
    SwapAmounts,
    SwapRefused,
    UnsignedTransaction,
)
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


class ModelTransactions(ModelCustody):
    def vault_of(self, wallet: Wallet) -> Address:
        return Address(vault(wallet))

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
        does = self._deposits(wallet, input_mint, account, amount)
        craft = await self._craft(wallet, [wallet, vault(wallet)], does, moves=amount)
        return UnsignedDeposit(request_id, order_id, wallet, family, input_mint, output_mint, Address(account), craft)

    async def simulate_deposit(self, deposit: UnsignedDeposit) -> str | None:
        return await self._flaw(deposit.craft.message)

    async def build_withdrawal(self, group: OrderGroup) -> UnsignedTransaction:
        terms = group.terms
        dust = await self._dust(group.terms.input_account, group.remaining)
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

    async def build_fill(self, group: OrderGroup) -> UnsignedTransaction | SwapRefused:
        mood = self._mood()
        if mood == "refused":
            return SwapRefused("the pool is in no mood")
        terms = group.terms
        held = await self._dust(group.terms.input_account, group.remaining)
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
        minimum = max(1, less_fee(least))
        given = max(minimum, less_fee(worth) * (99 + group.version % 3) // 100)
        does: list[list[Any]] = [["move", terms.input_account, own_account(POOL, terms.input_mint), part.units]]
        does += self._gives(terms.wallet, terms.output_mint, given)
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
        held = await self._held(group.terms.input_account)
        if held is None:
            return None
        dust = BaseUnits(held)
        signers = [GAS, vault(group.terms.wallet)]
        return await self._craft(
            GAS, signers, self._sweep(group, dust), group.version, moves=NOTHING, dust=dust, closes=True
        )

    def signature_of(self, _group: OrderGroup, attempt: Attempt) -> Signature:
        return signature_of(attempt)

    async def outcome(self, group: OrderGroup, attempt: Attempt) -> ObservedOutcome | None:
        return await self._outcome_of(attempt, lambda landed: _swapped(group, attempt, landed))

    async def send(self, group: OrderGroup, attempt: Attempt) -> None:
        await self._send_as(group.terms.wallet, attempt)

    # --- making

    def _sweep(self, group: OrderGroup, dust: BaseUnits) -> Does:
        terms = group.terms
        close = ["close", terms.input_account, terms.wallet]
        return [*self._returns(terms.wallet, terms.input_mint, terms.input_account, dust), close]


def _parted(left: BaseUnits, mood: str) -> tuple[BaseUnits, BaseUnits]:
    """What a swap takes, and the rest."""
    units = {"part": max(1, left.units // 3), "crumbs": max(1, left.units - 3)}.get(mood, left.units)
    return BaseUnits(units), left - BaseUnits(units)


def _swapped(group: OrderGroup, attempt: Attempt, landed: LedgerTransaction) -> SwapAmounts:
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
