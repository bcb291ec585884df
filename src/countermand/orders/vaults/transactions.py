"""The transactions of orders in vaults: what is the same whatever they wait for."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from countermand.orders.vaults.fresh_deposits import BuiltDeposit
from countermand.orders.vaults.model.market import PairPrices
from countermand.orders.vaults.model.order import VaultOrder
from countermand.services.custody.custody import VaultCustody
from countermand.services.custody.plans import Signatory, SigningPlan
from countermand.services.liquidity.routing import Quote
from countermand.services.liquidity.too_little import too_little
from countermand.services.transactions.submissions import alteration, read_submission
from countermand.values.identity import Address, Mint, Signature, Wallet
from countermand.values.quantities import BaseUnits, UsdPrice
from countermand.values.tokens import Token, Tokens
from countermand.values.transactions import (
    Alteration,
    Attempt,
    AttemptKind,
    ObservedOutcome,
    Submission,
    SwapRefused,
    UnsignedTransaction,
)

CLOSE_REJECTIONS_MAX: Final = 2
"""After so many rejected closes a transaction leaves the account open, and a sweep closes it later."""

Order = TypeVar("Order", bound=VaultOrder)


class VaultTransactions(ABC, Generic[Order]):
    """Implements most of `orders.vaults.ports.OrderTransactions`."""

    def __init__(self, custody: VaultCustody, tokens: Tokens, price_of: Callable[[Mint], UsdPrice | None]) -> None:
        self._custody = custody
        self._tokens = tokens
        self._price_of = price_of

    @abstractmethod
    def _plan_of(self, order: Order, attempt: Attempt) -> SigningPlan:
        """What keys of ours may sign in this attempt, whatever its bytes say."""

    def vault_of(self, wallet: Wallet) -> Address:
        return self._custody.vault_of(wallet)

    def signature_of(self, order: Order, attempt: Attempt) -> Signature:
        """The id of the attempt's transaction. Signs the committed bytes if a key of ours pays."""
        return self._custody.signature_of(self._plan_of(order, attempt), attempt)

    async def block_height(self) -> int:
        return await self._custody.block_height()

    async def simulate_deposit(self, deposit: BuiltDeposit) -> str | None:
        return await self._custody.flaw(deposit.craft)

    async def shortfall(self, built: UnsignedTransaction) -> str | None:
        return await self._custody.shortfall(built)

    def read_submission(self, transaction: str, wallet: Wallet) -> Submission:
        return read_submission(transaction, wallet)

    def alteration(self, built: UnsignedTransaction, submission: Submission) -> Alteration:
        return alteration(built, submission)

    def unsigned_transaction(self, built: UnsignedTransaction) -> str:
        return self._custody.unsigned_text(built)

    async def outcome(self, order: Order, attempt: Attempt) -> ObservedOutcome | None:
        return await self._custody.outcome(self._plan_of(order, attempt), attempt)

    async def send(self, order: Order, attempt: Attempt) -> None:
        await self._custody.send(self._plan_of(order, attempt), attempt)

    def _market(self, sold: Mint, bought: Mint) -> tuple[Token, Token, PairPrices] | SwapRefused:
        token, output = self._tokens.get(sold), self._tokens.get(bought)
        if token is None or output is None:
            return SwapRefused(f"no such token: {sold} or {bought}")
        price, output_price = self._price_of(sold), self._price_of(bought)
        if price is None or output_price is None:
            return SwapRefused(f"no price for {bought if price else sold}")
        return token, output, PairPrices(price, token.decimals, output_price, output.decimals)


def signatories(kind: AttemptKind) -> tuple[Signatory, tuple[Signatory, ...]]:
    """Who pays, and who signs beside."""
    match kind:
        case AttemptKind.DEPOSIT:
            return Signatory.USER, (Signatory.VAULT,)
        case AttemptKind.WITHDRAWAL:
            return Signatory.USER, (Signatory.VAULT, Signatory.TRACKER)
        case AttemptKind.FILL:
            return Signatory.GAS, (Signatory.VAULT, Signatory.ROUTER)
        case AttemptKind.SWEEP:
            return Signatory.GAS, (Signatory.VAULT,)


def minimum_received(least: int, output: Token, quote: Quote, buffer: str) -> BaseUnits | SwapRefused:
    """The least that the user may receive: `least` before the fee, which is taken off in proportion.

    `buffer` says in words where `least` comes from.
    """
    if quote.before_fee < least:
        return SwapRefused(f"{too_little(quote.before_fee, least, output)} ({buffer})")
    fee = quote.before_fee - quote.receives.units
    return BaseUnits(max(1, least - -(-fee * least // quote.before_fee)))
