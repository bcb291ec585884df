"""What the endpoints of Trigger v2 work on."""

from collections.abc import Callable
from typing import Protocol

from falcon.asgi import Request
from msgspec import Struct

from countermand.answering import Declined
from countermand.dialects.trigger_v2.auth import Challenges, WalletSessions
from countermand.dialects.trigger_v2.envelope import UNAUTHORIZED, error
from countermand.dialects.trigger_v2.wire import VaultAnswer
from countermand.orders.dca.service import DcaService
from countermand.orders.trigger.service import TriggerService
from countermand.orders.vaults.registry import VaultRegistry
from countermand.values.identity import Address, Mint, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import UsdPrice
from countermand.values.tokens import Tokens
from countermand.values.transactions import UnsignedTransaction


class Vaults(Protocol):
    """What the wire shows of custody."""

    def vault_of(self, wallet: Wallet) -> Address: ...

    def unsigned_transaction(self, craft: UnsignedTransaction) -> str: ...


class TriggerV2Context(Struct, frozen=True):
    """What the endpoints work on."""

    orders: TriggerService
    registry: VaultRegistry
    dca: DcaService
    vaults: Vaults
    vault_id_of: Callable[[Wallet], str]
    tokens: Tokens
    price_of: Callable[[Mint], UsdPrice | None]
    sessions: WalletSessions
    challenges: Challenges
    now: Callable[[], Instant]
    """The venue's clock, by which an expiry lies in the future."""
    no_creates: str | None = None
    """Why no order can be placed here."""

    def wallet(self, req: Request) -> Wallet:
        """The wallet of the token that the request carries."""
        wallet = self.sessions.wallet_of(req.get_header("authorization"))
        if wallet is None:
            raise Declined(UNAUTHORIZED)
        return wallet

    def check_user(self, field: str, given: str, wallet: Wallet) -> None:
        """The user that a body names must be the one who asks."""
        if given == self.vaults.vault_of(wallet):
            raise Declined(error(400, f"{field} must not be the vault address"))
        if given != wallet:
            raise Declined(error(403, f"Forbidden: {field} must match authenticated user"))

    def vault_answer(self, wallet: Wallet) -> VaultAnswer:
        return VaultAnswer(
            user_pubkey=wallet,
            vault_pubkey=self.vaults.vault_of(wallet),
            privy_vault_id=self.vault_id_of(wallet),
        )
