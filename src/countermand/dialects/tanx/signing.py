"""The message that the owner of an order signs: the order as StarkEx would settle it.

Clients sign whatever they are given. Nothing is settled on StarkEx here, so vaults are numbers that follow from account
and currency, and an order ends by a cancel, not by the expiry in its signature.
"""

from hashlib import sha256
from typing import Final

from countermand.curves.stark import LimitOrder, message_of
from countermand.dialects.tanx.coins import COINS
from countermand.orders.book.model.ledger.amount import AMOUNT_SCALE, Account, Currency
from countermand.orders.book.model.market import Market
from countermand.orders.book.model.order import BUY, BookTerms, Nonce

_VAULT_BITS: Final = 31
_NONCE_BITS: Final = 31
_QUANTA_MAX: Final = 2**63 - 1
_EXPIRY_HOURS: Final = range(3_997_985, 4_194_304)
"""Far away, as tanX has it. Not every message can be signed; of two with different hours at least one can."""


def msg_hash(terms: BookTerms, market: Market, nonce: Nonce) -> str:
    """In hexadecimal digits after `0x`, without leading zeros."""
    messages = (message_of(_limit_order(terms, market, nonce, hour)) for hour in _EXPIRY_HOURS)
    return hex(next(message for message in messages if message is not None))


def placement(nonce: Nonce, message: int, r: int, s: int) -> bytes:
    """A digest of the whole request, by which its repetition is recognised."""
    return sha256(f"{nonce} {message:x} {r:x} {s:x}".encode()).digest()


def _limit_order(terms: BookTerms, market: Market, nonce: Nonce, expires_hour: int) -> LimitOrder:
    """A market order has the worst price that it takes, or the worst that its market has."""
    buys = terms.side is BUY
    price = terms.price or (market.price_max if buys else market.price_min)
    # No amount: what the worst price of a market order comes to may be more than an amount can say.
    cost = price.ticks * terms.lots.lots * market.quote_step
    volume = terms.lots.lots * market.base_step
    base = COINS[market.base].asset_id, _vault(terms.account, market.base), _quanta(market.base, volume)
    quote = COINS[market.quote].asset_id, _vault(terms.account, market.quote), _quanta(market.quote, cost)
    sold, bought = (quote, base) if buys else (base, quote)
    return LimitOrder(
        token_sell=sold[0],
        token_buy=bought[0],
        vault_sell=sold[1],
        vault_buy=bought[1],
        amount_sell=sold[2],
        amount_buy=bought[2],
        nonce=nonce % (1 << _NONCE_BITS),
        expires_hour=expires_hour,
    )


def _vault(account: Account, currency: Currency) -> int:
    return int.from_bytes(sha256(f"{account} {currency}".encode()).digest()) % (1 << _VAULT_BITS)


def _quanta(currency: Currency, quanta: int) -> int:
    """An amount as StarkEx counts it. Less than 2⁶³, which is as much as can be signed: some trillions of dollars."""
    step = int(10 ** (AMOUNT_SCALE - COINS[currency].quantum_decimals))
    return min(quanta // step, _QUANTA_MAX)
