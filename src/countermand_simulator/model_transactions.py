"""The transactions of trigger orders on the model chain: the duties of `TriggerTransactions`, on messages in JSON."""

from typing import Final

from countermand.orders.trigger.model.commands import UnsignedDeposit
from countermand.orders.trigger.model.order import Family, OrderGroup
from countermand.orders.trigger.model.slippage import minimum_of
from countermand.orders.vaults.model.market import PairPrices
from countermand.services.transactions.landed import changes_of
from countermand.solana.port import LedgerTransaction
from countermand.values.identity import Address, Mint, OrderId, RequestId, Signature, Wallet
from countermand.values.quantities import NOTHING, BaseUnits, UsdPrice
from countermand.values.transactions import (
    Attempt,
    ObservedOutcome,
    OutputParcel,
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

_CLOSE_REJECTIONS_MAX: Final = 2


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
        output = _output_account(request_id) if family is Family.OTOCO else None
        if output is not None:
            does.append(["create", output, output_mint, vault(wallet)])
        craft = await self._craft(wallet, [wallet, vault(wallet)], does, moves=amount)
        own = Address(account)
        return UnsignedDeposit(request_id, order_id, wallet, family, input_mint, output_mint, own, craft, output)

    async def simulate_deposit(self, deposit: UnsignedDeposit) -> str | None:
        return await self._flaw(deposit.craft.message)

    async def build_withdrawal(self, group: OrderGroup) -> UnsignedTransaction:
        terms, does = group.terms, Does()
        dust, closes, output = NOTHING, True, None
        if not group.parent_is_done:
            dust = await self._dust(terms.input_account, group.remaining)
            closes = _closes(group, terms.input_account)
            does += self._emptied(group, terms.input_account, group.remaining + dust, closes=closes)
        if terms.output_account is not None:
            due = group.progress.proceeds.left if group.progress.proceeds else NOTHING
            output = OutputParcel(
                due, await self._dust(terms.output_account, due), _closes(group, terms.output_account)
            )
            does += self._emptied(group, terms.output_account, due + output.dust, closes=output.closes)
        moves = NOTHING if group.parent_is_done else group.remaining
        signers = [terms.wallet, vault(terms.wallet)]
        return await self._craft(
            terms.wallet, signers, does, group.version, moves=moves, dust=dust, closes=closes, output=output
        )

    async def build_fill(self, group: OrderGroup) -> UnsignedTransaction | SwapRefused:
        mood = self._mood()
        if mood == "refused":
            return SwapRefused("the pool is in no mood")
        terms, sale = group.terms, group.sale()
        held = await self._dust(sale.account, sale.amount)
        part, rest = _parted(sale.amount, mood)
        ends = not rest or mood != "part"
        closes = ends and _closes(group, sale.account)
        dust, returns = held if closes else NOTHING, rest if ends else NOTHING
        price, output_price = self._price(sale.sold), self._price(sale.bought)
        worth = part.units * price // output_price
        least = minimum_of(group, part, PairPrices(UsdPrice(price), 0, UsdPrice(output_price), 0)).units
        if worth < least:
            return SwapRefused("the pool gives less than its minimum")
        minimum = max(1, less_fee(least))
        given = max(minimum, less_fee(worth) * (99 + group.version % 3) // 100)
        does: Does = [["move", sale.account, own_account(POOL, sale.sold), part.units]]
        if sale.to is None:
            does += self._gives(terms.wallet, sale.bought, given)
        else:
            does += self._keeps(sale.to, sale.bought, given)
        if closes or returns:
            does += self._emptied(group, sale.account, dust + returns, closes=closes)
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
        terms, does, found = group.terms, Does(), dict[str, BaseUnits]()
        for account in (terms.input_account, terms.output_account):
            held = None if account is None else await self._held(account)
            if account is not None and held is not None:
                found[account] = BaseUnits(held)
                does += self._emptied(group, account, found[account], closes=True)
        if not found:
            return None
        dust, second = found.get(terms.input_account), found.get(terms.output_account or "")
        return await self._craft(
            GAS,
            [GAS, vault(terms.wallet)],
            does,
            group.version,
            moves=NOTHING,
            dust=dust or NOTHING,
            closes=dust is not None,
            output=None if second is None else OutputParcel(NOTHING, second, closes=True),
        )

    def signature_of(self, _group: OrderGroup, attempt: Attempt) -> Signature:
        return signature_of(attempt)

    async def outcome(self, group: OrderGroup, attempt: Attempt) -> ObservedOutcome | None:
        return await self._outcome_of(attempt, lambda landed: _swapped(group, attempt, landed))

    async def send(self, group: OrderGroup, attempt: Attempt) -> None:
        await self._send_as(group.terms.wallet, attempt)

    # --- making

    def _emptied(self, group: OrderGroup, account: str, back: BaseUnits, *, closes: bool) -> Does:
        wallet = group.terms.wallet
        does = self._returns(wallet, _mint_of(group, account), account, back)
        return [*does, ["close", account, wallet]] if closes else does


def _output_account(request_id: RequestId) -> Address:
    return Address(f"output {order_account(request_id)}")


def _mint_of(group: OrderGroup, account: str) -> Mint:
    return group.terms.output_mint if account == group.terms.output_account else group.terms.input_mint


def _closes(group: OrderGroup, account: str) -> bool:
    """Wrapped SOL comes back by a close alone, which no dust can forbid."""
    progress, is_output = group.progress, account == group.terms.output_account
    rejections = progress.output_close_rejections if is_output else progress.close_rejections
    return _mint_of(group, account) == SOL or rejections < _CLOSE_REJECTIONS_MAX


def _parted(left: BaseUnits, mood: str) -> tuple[BaseUnits, BaseUnits]:
    """What a swap takes, and the rest."""
    units = {"part": max(1, left.units // 3), "crumbs": max(1, left.units - 3)}.get(mood, left.units)
    return BaseUnits(units), left - BaseUnits(units)


def _swapped(group: OrderGroup, attempt: Attempt, landed: LedgerTransaction) -> SwapAmounts:
    sale, changes, closes = group.sale(), changes_of(landed), attempt.craft.closes
    wallet, account = group.terms.wallet, sale.account
    closed = -changes.lamports_of(account) if closes else 0
    if sale.sold == SOL:
        dust = changes.lamports_of(wallet) - RENT_LAMPORTS if closes else 0
    else:
        dust = changes.tokens_of(own_account(wallet, sale.sold))
    used = -changes.tokens_of(account) - dust
    if sale.to is not None:
        received = changes.tokens_of(sale.to)
    elif sale.bought == SOL:
        received = changes.lamports_of(wallet) - closed
    else:
        received = changes.tokens_of(own_account(wallet, sale.bought))
    return SwapAmounts(BaseUnits(used), BaseUnits(received), BaseUnits(dust))
