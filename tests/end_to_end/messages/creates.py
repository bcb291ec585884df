"""What crafts and creates are refused with, of both families."""

from collections.abc import Callable
from typing import Final

from tests.dialects.fakes import FakeVenue
from tests.end_to_end.dca_trader import HOUR_S, DcaTrader, Plan
from tests.end_to_end.messages.row import (
    DCA,
    FOR_EVER,
    NOWHERE,
    PLAN,
    SELL,
    TOKENS,
    Family,
    Provoked,
    Scene,
    answered,
    of_both,
    says,
)
from tests.end_to_end.test_cancel import appended, of_a_stranger
from tests.end_to_end.test_dca import iso
from tests.end_to_end.trader import ROOT
from tests.end_to_end.venue import JUP, SOL, USDC, USDT, Answer

STRANGER: Final = "EHqmfkN89RJ7Y33CXM6uCzhVeuywHoJXZZLszBHHZy7o"
NO_DEPOSIT: Final = "Deposit transaction not found in cache. Please craft a new deposit first."
SLOW: Final = "Deposit transaction did not land. Retry with the same depositRequestId."
INVALID: Final = "Invalid signed deposit transaction: "

# --- deposits and creates: what one changed field is answered with

CHANGED: Final[list[tuple[str, str, str | None, dict[str, object]]]] = [
    ("craft", "Order must be at least 10 USD (current value: 0.07 USD)", None, {"amount": "533333"}),
    ("craft", "Input mint and output mint cannot be the same", None, {"outputMint": SOL.mint}),
    ("craft", "Mint pair is not supported", None, {"inputMint": USDC.mint, "outputMint": USDT.mint}),
    ("craft", "orderSubType must be omitted when orderType is 'dca'", None, {"orderType": "dca"}),
    (
        "craft",
        "jlMint does not match the JL token for this input mint",
        None,
        {"orderType": "dca", "orderSubType": None, "jlMint": JUP.mint},
    ),
    (
        "craft",
        "jlMint is not supported by this venue",
        None,
        {
            "orderType": "dca",
            "orderSubType": None,
            "inputMint": USDC.mint,
            "outputMint": SOL.mint,
            "jlMint": "9BEcn9aPEmhSPbPQeFGjidRiEKki46fVQDyPpSQXPA2D",
        },
    ),
    ("craft", "Token is not known", "inputMint", {"inputMint": STRANGER}),
    ("craft", 'Invalid option: expected one of "single"|"oco"|"otoco"', "orderSubType", {"orderSubType": None}),
    ("craft", "Invalid input: expected a whole number of base units", "amount", {"amount": "1.5"}),
    ("create", "exactly one of triggerPriceUsd or trailingBps must be set", None, {"trailingBps": 500}),
    ("create", "Trigger mint is not supported", None, {"triggerMint": USDC.mint}),
    ("create", "Input mint and output mint cannot be the same", None, {"outputMint": SOL.mint}),
    ("create", "Mint pair is not supported", None, {"inputMint": USDC.mint, "outputMint": USDT.mint}),
    ("create", NO_DEPOSIT, None, {"depositRequestId": NOWHERE}),
    ("create", "Differs from the crafted deposit", "inputAmount", {"inputAmount": "999999999"}),
    ("create", "Expiry time must be in the future", "expiresAt", {"expiresAt": 10**12}),
    ("create", "Invalid transaction format", None, {"depositSignedTx": "nonsense"}),
    ("create", "Not a field of single orders", "tpPriceUsd", {"tpPriceUsd": 100}),
    (
        "create",
        "tpPriceUsd must be greater than slPriceUsd",
        "tpPriceUsd",
        {
            "orderType": "oco",
            "triggerCondition": None,
            "triggerPriceUsd": None,
            "tpPriceUsd": 100,
            "slPriceUsd": 100,
        },
    ),
    (
        "create",
        "Must be the outputMint of a trailing order with triggerCondition above",
        "triggerMint",
        {"triggerPriceUsd": None, "trailingBps": 500},
    ),
    ("dca create", "Input mint and output mint cannot be the same", None, {"inputMint": SOL.mint}),
    ("dca create", "Mint pair is not supported", None, {"outputMint": USDT.mint}),
    (
        "dca create",
        "Trigger mint is not supported",
        None,
        {"orderType": "price_conditional", "triggerMint": USDC.mint, "minPriceUsd": 1},
    ),
    ("dca create", NO_DEPOSIT, None, {"depositRequestId": NOWHERE}),
    ("dca create", "Differs from the crafted deposit", "inputAmount", {"inputAmount": "99000000"}),
    ("dca create", "Invalid transaction format", None, {"depositSignedTx": "nonsense"}),
    ("dca create", "Begin fill time must be in the future", None, {"beginFillAt": "2020-01-01T00:00:00Z"}),
    (
        "dca create",
        "Begin fill time cannot be more than 30 days in the future",
        None,
        {"beginFillAt": "2999-01-01T00:00:00.000Z"},
    ),
    ("dca create", "Invalid ISO datetime", "beginFillAt", {"beginFillAt": "tomorrow"}),
    ("dca create", "Each order must be at least 10 USD (current value: 8.33 USD)", None, {"orderCount": 12}),
    ("dca create", "Too small: expected number to be >=2", "orderCount", {"orderCount": 1}),
    ("dca create", "Too big: expected number to be <=31536000", "intervalSeconds", {"intervalSeconds": 31_536_001}),
    (
        "dca create",
        "Time-based orders cannot set minPriceUsd or maxPriceUsd",
        "orderType",
        {"orderType": "time_based", "maxPriceUsd": 1},
    ),
    (
        "dca create",
        "Price-conditional orders must have at least minPriceUsd or maxPriceUsd set",
        "orderType",
        {"orderType": "price_conditional", "triggerMint": SOL.mint},
    ),
    (
        "dca create",
        "Price-conditional orders must specify a triggerMint",
        "triggerMint",
        {"orderType": "price_conditional", "minPriceUsd": 1},
    ),
    (
        "dca create",
        "minPriceUsd must not be greater than maxPriceUsd",
        "minPriceUsd",
        {"orderType": "price_conditional", "triggerMint": SOL.mint, "minPriceUsd": 2, "maxPriceUsd": 1},
    ),
    (
        "dca create",
        "jlEnabled is only supported for time_based orders",
        None,
        {"jlEnabled": True, "orderType": "price_conditional", "triggerMint": SOL.mint, "minPriceUsd": 1},
    ),
    (
        "dca create",
        "jlEnabled is not supported for this input mint",
        None,
        {"jlEnabled": True, "inputMint": JUP.mint},
    ),
    (
        "dca create",
        "JL orders require the JL deposit craft. Please re-craft the deposit with jlMint.",
        None,
        {"jlEnabled": True},
    ),
]
ASKS: Final[dict[str, Callable[..., Answer]]] = {
    "craft": Scene.crafts,
    "create": Scene.creates,
    "dca create": Scene.plans_with,
}


def changed(endpoint: str, fields: dict[str, object]) -> Callable[[Scene], Answer]:
    return lambda s: ASKS[endpoint](s, **fields)


for _endpoint, _message, _field, _fields in CHANGED:
    says(_endpoint, 400, _message, _field)(changed(_endpoint, _fields))


@says("craft", 400, "userAddress must not be the vault address")
def a_craft_for_the_vault(s: Scene) -> Answer:
    return s.crafts(userAddress=s.alice.vault)


@says("craft", 403, "Forbidden: userAddress must match authenticated user")
def a_craft_for_another(s: Scene) -> Answer:
    return s.crafts(userAddress=STRANGER)


@says("craft", 403, "Vault not found")
def a_craft_without_a_vault(s: Scene) -> Answer:
    return s.stranger().asks_to_deposit(SELL)


@says("craft", 500, f"Failed to fetch the price of {SOL.mint}")
def a_craft_without_a_price(_: Scene) -> Answer:
    """Every token of a sandbox has a price: it is taken from a venue in memory."""
    venue = FakeVenue()
    alice = venue.user()
    venue.prices.clear()
    return answered(alice.ask("POST", f"{ROOT}/deposit/craft", alice.craft_body()))


@says("create", 400, "Market price is unavailable for trailing order")
def a_trail_of_no_price(_: Scene) -> Answer:
    """As before."""
    alice = FakeVenue().user()
    asked = alice.order_body(alice.crafts(), triggerPriceUsd=None, trailingBps=500, triggerCondition="below")
    return answered(alice.ask("POST", f"{ROOT}/orders/price", asked))


@says("create", 400, "userPubkey must not be the vault address")
def a_create_for_the_vault(s: Scene) -> Answer:
    return s.creates(userPubkey=s.alice.vault)


@says("create", 403, "Forbidden: userPubkey must match authenticated user")
def a_create_for_another(s: Scene) -> Answer:
    return s.creates(userPubkey=STRANGER)


@says("create", 400, "Vault not found")
def a_create_without_a_vault(s: Scene) -> Answer:
    stranger = s.stranger()
    craft = {"requestId": NOWHERE, "transaction": s.alice.crafts(SELL)["transaction"]}
    body = s.alice.body_for(SELL, craft) | {"userPubkey": stranger.wallet}
    return stranger.creates(body)


@says("dca create", 400, "Vault not found")
def a_recurring_create_without_a_vault(s: Scene) -> Answer:
    stranger = s.stranger()
    craft = {"requestId": NOWHERE, "transaction": s.alice.crafts(SELL)["transaction"]}
    body = s.plans.body_for(PLAN, craft) | {"userPubkey": stranger.wallet}
    return DcaTrader(stranger).creates(body)


# --- deposits that are handed in


@of_both("create", 400, INVALID + "its bytes are not in the canonical form")
def a_deposit_with_a_byte_more(s: Scene, family: Family) -> Answer:
    return family.hands_in(s, lambda _, good: appended(good))


@of_both("create", 400, INVALID + "Transaction accounts modified")
def another_deposit(s: Scene, family: Family) -> Answer:
    other = s.alice.signs(s.alice.crafts(TOKENS)["transaction"])
    return family.hands_in(s, lambda *_: other)


@of_both("create", 400, INVALID + "the wallet's signature is missing")
def an_unsigned_deposit(s: Scene, family: Family) -> Answer:
    return family.hands_in(s, lambda unsigned, _: unsigned)


@of_both("create", 400, INVALID + "the wallet's signature is wrong")
def a_deposit_that_another_signed(s: Scene, family: Family) -> Answer:
    return family.hands_in(s, lambda unsigned, _: of_a_stranger(unsigned))


@of_both("create", 400, INVALID + "Blockhash not found")
def a_deposit_that_died_unsigned(s: Scene, family: Family) -> Answer:
    _, body = family.crafted(s)
    s.venue.faults(expireBlockhashes=True)
    answer: Answer = family.traders(s).creates(body)
    return answer


@of_both("create", 200, "Order already created")
def a_create_that_is_repeated(s: Scene, family: Family) -> Provoked:
    _, body = family.crafted(s)
    placed = family.traders(s).creates(body).ok()
    return family.traders(s).creates(body), placed


@of_both("create", 500, SLOW)
def a_deposit_that_is_lost(s: Scene, family: Family) -> Answer:
    _, body = family.crafted(s)
    s.venue.faults(dropTransactions=FOR_EVER)
    answer: Answer = family.traders(s).creates(body)
    return answer


@of_both("create", 400, "Deposit failed. Please craft a new deposit.")
def a_deposit_that_can_never_land(s: Scene, family: Family) -> Answer:
    _, body = family.crafted(s)
    s.venue.faults(dropTransactions=1)
    assert family.traders(s).creates(body).error == (500, SLOW)
    s.venue.faults(dropTransactions=FOR_EVER, expireBlockhashes=True)
    s.venue.settles()
    answer: Answer = family.traders(s).creates(body)
    return answer


@of_both("create", 400, "Duplicate deposit")
def a_deposit_that_pays_for_another_order(s: Scene, family: Family) -> Provoked:
    _, body = family.crafted(s)
    order = family.traders(s).creates(body).ok()["id"]
    other = {"intervalSeconds": 60} if family is DCA else {"triggerPriceUsd": 300}
    return family.traders(s).creates(body | other), {"id": order}


@says("dca create", 400, "Maximum of 10 active DCA orders allowed per user")
def an_eleventh_recurring_order(s: Scene) -> Answer:
    later: dict[str, object] = {"beginFillAt": iso(s.venue.now() + HOUR_S * 1_000)}
    small = Plan(20 * USDC, SOL, 2, HOUR_S, later)
    for _ in range(10):
        s.plans.places(small)
    return s.plans.asks_for(small)
