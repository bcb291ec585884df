"""A client of the order APIs, sync and async: exact, checked before it signs, and safe to repeat.

    from countermand.client import SOL, USDC, Client, Single

    with Client(keypair) as client:
        placed = client.trigger.place(
            Single(sell=SOL, amount=10**9, buy=USDC, watch=SOL, above="210.5", expires_at=tomorrow)
        )
        client.trigger.withdraw(placed.id)

Amounts are whole base units, prices Decimals (or their text), times milliseconds. Whatever is signed is compared with
what was asked for, and refused with `Unsafe` if it does anything else. Each method says whether it may be repeated.
"""

from countermand.client.client import HERE, AsyncClient, AsyncTanxClient, Client, TanxClient
from countermand.client.effects import Wallet
from countermand.client.errors import (
    BadAnswer,
    ClientError,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Unavailable,
    Unsafe,
)
from countermand.client.limit import Built, Landed, Limit
from countermand.client.numbers import base_units
from countermand.client.orders import Oco, Otoco, PriceOrder, Recurring, Single, Trailing
from countermand.client.recurring import Cycles
from countermand.client.session import Policy
from countermand.client.tanx import TanxKeys
from countermand.client.tokens import JUP, SOL, USDC, USDT
from countermand.client.vaults import Cancelling, Deposit, Placed, Withdrawn

__all__ = [
    "HERE",
    "JUP",
    "SOL",
    "USDC",
    "USDT",
    "AsyncClient",
    "AsyncTanxClient",
    "BadAnswer",
    "Built",
    "Cancelling",
    "Client",
    "ClientError",
    "Cycles",
    "Deposit",
    "Landed",
    "Limit",
    "Oco",
    "Otoco",
    "OutcomeUnknown",
    "Placed",
    "Policy",
    "PriceOrder",
    "RateLimited",
    "Recurring",
    "Refused",
    "Single",
    "TanxClient",
    "TanxKeys",
    "Trailing",
    "Unavailable",
    "Unsafe",
    "Wallet",
    "Withdrawn",
    "base_units",
]
