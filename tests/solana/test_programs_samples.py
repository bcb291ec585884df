"""The published transactions, built again from their meaning, byte for byte."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from countermand.solana.programs import dca, limit_order
from countermand.solana.programs.compile import Budget, KeyOrder, compile_message, unsigned_transaction
from countermand.solana.programs.dca import DcaKeys, NewDca
from countermand.solana.programs.limit_order import Cancellation, NewOrder
from countermand.solana.wire import read_transaction
from countermand.values.structs import replace
from tests.services.custody.layouts import decoded
from tests.solana import published_transactions as published

SOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
JUP = "JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN"
MAKER = "devjnEpxbJUhJ39FSsFz7YPerr5bdxN8VWUXvfbFUK4"
USER = "5dMXLJ8GYQxcHe2fjpttVkEpRrxcajRXZqJHCiCbWS4H"
OTHER = "9vWTg8y4UvrLM49rqvJ2mtmpxicPytNs7FD78352g9Kr"
TOKEN_2022 = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
OTHER_BLOCKHASH = "3JbUvZ3vPFCMg8SJfU9DoaAKaEbbvpTQCEwzx5Ka99BL"
CANCEL_BLOCKHASH = "5X6NZakijP7RbmkhuTy133WWNCH9qZzdafmtPWhjBaqr"

NEW_ORDER = NewOrder(
    maker=MAKER,
    payer=MAKER,
    unique_id=int.from_bytes(bytes.fromhex("4ec94635aa3d0b65"), "little"),
    input_mint=SOL,
    output_mint=USDC,
    making_amount=50_000_000,
    taking_amount=100_000_000,
)
CREATE: dict[str, Any] = {
    "order": NEW_ORDER,
    "budget": Budget(132_000, 15_406),
    "blockhash": "943s4PskofczkaRsaVYH9eQEVSfLgjc4wiztx2MRmWcY",
}
FIVE = (
    "GLDig3MURFwkbdo3gDCGp6qqLYvN3ZsmThVahYoY5ayG",
    "E7nynrBBG2JoKfkSgeqxJAXgY8S89CawmfoDLJrMrswD",
    "EbeWykv7npJUyH8rUaRWPXNLLD1EW5E6VfjxNVGB2GuU",
    "HCBDohvAWS11Kt6cBnKH9eNvQhoPq5TRejoTBCQErjWD",
    "7VtHk9SZ9Hb1zpxJzeDbvYwJKnT4LQNfRoypeBVTt4Da",
)
SIXTH = "GnVUz4HcwBSbri2pL1dYmmUp4Cwgx51EqjjEMXyaPznB"


def cancels(*orders: str, maker: str = MAKER, mint: str = SOL) -> list[Cancellation]:
    return [Cancellation.to_maker(order, maker, mint) for order in orders]


CANCEL_FIVE: dict[str, Any] = {
    "cancels": cancels(*FIVE),
    "budget": Budget(216_000, 15_406),
    "blockhash": CANCEL_BLOCKHASH,
}
CANCEL_ONE: dict[str, Any] = {
    "cancels": cancels(SIXTH),
    "budget": Budget(43_200, 15_406),
    "blockhash": CANCEL_BLOCKHASH,
}

NEW_DCA = NewDca(
    user=USER,
    payer=USER,
    input_mint=SOL,
    output_mint=USDC,
    idx=1_741_184_640,
    in_amount=200_000_000,
    in_amount_per_cycle=100_000_000,
    cycle_frequency=300,
)
OPEN_DCA: dict[str, Any] = {
    "new": NEW_DCA,
    "budget": Budget(11_289, 200_000),
    "blockhash": "DdPA3SQtjKE5PhunwaMSk2qiLUji2KKZLigv1k6invgc",
}
SOLD = DcaKeys(dca="5T3NGmbD8R59UWEaRaDq79r7fDxDUNidze3CVT94vrUb", user=USER, input_mint=SOL, output_mint=USDC)
CLOSE_DCA: dict[str, Any] = {
    "keys": SOLD,
    "budget": Budget(88_662, 200_000),
    "blockhash": "6WgZXiqamz8vQEUpBaoG8VnPk4JyXbkcv7zD43j2mXY7",
}
BOUGHT = DcaKeys(dca="4DWzP4TdTsuwvYMaMWrRqzya4UTFKFoVjfUWNWh8zhzd", user=USER, input_mint=USDC, output_mint=SOL)
CLOSE_DCA_USDC: dict[str, Any] = {
    "keys": BOUGHT,
    "budget": Budget(88_573, 200_000),
    "blockhash": "6RneiHXFuLvGoGZ3Dshq8o6u1EUfLvTZhFrBwyWowqLQ",
}

Builder = Callable[..., bytes]
SAMPLES: dict[str, tuple[str, Builder, dict[str, Any]]] = {
    "TRIGGER_CREATE": (published.TRIGGER_CREATE, limit_order.create_message, CREATE),
    "TRIGGER_CANCEL_FIVE": (published.TRIGGER_CANCEL_FIVE, limit_order.cancel_message, CANCEL_FIVE),
    "TRIGGER_CANCEL_ONE": (published.TRIGGER_CANCEL_ONE, limit_order.cancel_message, CANCEL_ONE),
    "RECURRING_CREATE": (published.RECURRING_CREATE, dca.open_message, OPEN_DCA),
    "RECURRING_CANCEL": (published.RECURRING_CANCEL, dca.close_message, CLOSE_DCA),
    "RECURRING_CANCEL_USDC": (published.RECURRING_CANCEL_USDC, dca.close_message, CLOSE_DCA_USDC),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_published_transaction_byte_for_byte(name: str) -> None:
    sample, build, inputs = SAMPLES[name]
    transaction = unsigned_transaction(build(**inputs))
    assert transaction == base64.b64decode(sample)
    assert base64.b64encode(transaction).decode() == sample
    assert decoded(transaction[65:]) == decoded(read_transaction(transaction).message_bytes)


def variations(name: str, value: Any, **others: Any) -> list[dict[str, Any]]:
    """The input `name` with one of its fields changed, for each of them."""
    return [{name: replace(value, **{field: other})} for field, other in others.items()]


SPEND: tuple[dict[str, Any], ...] = {"budget": Budget(1, 15_406)}, {"blockhash": OTHER_BLOCKHASH}
OTHERS: dict[str, list[dict[str, Any]]] = {
    "TRIGGER_CREATE": [
        *SPEND,
        {"budget": Budget(132_000, 15_407)},
        {"wraps_sol": False},
        *variations(
            "order",
            NEW_ORDER,
            maker=OTHER,
            payer=OTHER,
            unique_id=1,
            input_mint=JUP,
            output_mint=JUP,
            making_amount=1,
            taking_amount=1,
            expired_at=1_800_000_000,
            fee_bps=10,
            fee_account=OTHER,
            input_program=TOKEN_2022,
            output_program=TOKEN_2022,
        ),
    ],
    "TRIGGER_CANCEL_FIVE": [
        *SPEND,
        {"budget": Budget(216_000, 0)},
        {"by": OTHER},
        {"cancels": cancels(*FIVE[:4])},
        {"cancels": cancels(*reversed(FIVE))},
        {"cancels": cancels(*FIVE[:4], SIXTH)},
        {"cancels": cancels(*FIVE, mint=USDC)},
        {"cancels": cancels(*FIVE, maker=OTHER)},
    ],
    "TRIGGER_CANCEL_ONE": [
        *SPEND,
        *(
            {"cancels": [each["one"]]}
            for each in variations(
                "one",
                cancels(SIXTH)[0],
                order=OTHER,
                maker=OTHER,
                input_mint=USDC,
                input_program=TOKEN_2022,
                returns_to=OTHER,
                creates=True,
            )
        ),
    ],
    "RECURRING_CREATE": [
        *SPEND,
        {"wraps_sol": False},
        *variations(
            "new",
            NEW_DCA,
            user=OTHER,
            payer=OTHER,
            input_mint=JUP,
            output_mint=JUP,
            idx=1,
            in_amount=1,
            in_amount_per_cycle=1,
            cycle_frequency=60,
            min_out=1,
            max_out=1,
            start_at=1,
        ),
    ],
    "RECURRING_CANCEL": [
        *SPEND,
        *variations("keys", SOLD, dca=OTHER, user=OTHER, input_mint=JUP, output_mint=JUP),
    ],
}


@pytest.mark.parametrize(("name", "other"), [(name, other) for name, others in OTHERS.items() for other in others])
def test_every_input_changes_the_bytes(name: str, other: dict[str, Any]) -> None:
    sample, build, inputs = SAMPLES[name]
    assert unsigned_transaction(build(**{**inputs, **other})) != base64.b64decode(sample)


def test_each_family_has_its_own_order_of_keys() -> None:
    budget, blockhash = Budget(43_200, 15_406), CANCEL_BLOCKHASH
    instructions = [*budget.instructions(), limit_order.cancel_order(cancels(SIXTH)[0])]
    javascript, rust = (compile_message(instructions, MAKER, blockhash, order) for order in KeyOrder)
    assert javascript == base64.b64decode(published.TRIGGER_CANCEL_ONE)[65:] != rust
    close = [*CLOSE_DCA["budget"].instructions(), dca.close_dca(SOLD)]
    javascript, rust = (compile_message(close, USER, CLOSE_DCA["blockhash"], order) for order in KeyOrder)
    assert rust == base64.b64decode(published.RECURRING_CANCEL)[65:] != javascript
