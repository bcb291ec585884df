"""A walk through every documented message of Trigger v2: each is provoked by a request, and answered literally.

Documented is what docs/reference/trigger-v2.md lists, and what Jupiter published (`PUBLISHED`). Each message has its
row in `messages/`, with the request that gets it, or one in `ELSEWHERE` that says why there is none.
"""

import re
from collections.abc import Iterator
from typing import Final

import pytest

from tests.docs.blocks import ROOT
from tests.end_to_end.messages import cancels, creates, everywhere
from tests.end_to_end.messages.row import ROWS, Row, Scene
from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import Venue

CHAPTERS: Final = (everywhere, creates, cancels)
"""They add their rows when they are read."""
PAGE: Final = ROOT / "docs" / "reference" / "trigger-v2.md"

# --- what is documented

PUBLISHED: Final[list[tuple[str, int, str]]] = [
    ("create", 200, "Order already created"),
    ("dca create", 200, "Order already created"),
    ("any", 401, "Unauthorized"),
    ("challenge", 400, 'Invalid option: expected one of "message"|"transaction"'),
    ("verify", 400, "Challenge not found"),
    ("verify", 400, "Expected base58-encoded signature to decode to a byte array of length 64. …"),
    ("verify", 401, "Invalid signature"),
    ("vault", 404, "Vault not found"),
    ("register", 409, "Vault already registered"),
    ("craft", 400, "Order must be at least 10 USD (current value: {x} USD)"),
    ("craft", 400, "orderSubType must be omitted when orderType is 'dca'"),
    ("craft", 400, "jlMint does not match the JL token for this input mint"),
    ("create", 400, "exactly one of triggerPriceUsd or trailingBps must be set"),
    ("create", 400, "Trailing orders are not enabled"),
    ("create", 400, "Market price is unavailable for trailing order"),
    ("create", 400, "Trigger mint is not supported"),
    ("create", 400, "Mint pair is not supported"),
    ("create", 400, "Input mint and output mint cannot be the same"),
    ("create", 403, "Forbidden: userPubkey must match authenticated user"),
    ("create", 400, creates.NO_DEPOSIT),
    ("update", 404, "Order not found"),
    ("update", 400, "Cannot set trigger price on trailing stop loss order"),
    ("update", 400, "Cannot convert to trailing stop loss order"),
    ("update", 400, "Trailing order would immediately trigger"),
    ("cancel", 404, "Order not found"),
    ("confirm", 400, cancels.NOT_FOUND),
    ("confirm", 400, "Invalid transaction format"),
    ("confirm", 400, "Invalid withdrawal transaction: Transaction signers modified"),
    ("order", 404, "Order not found"),
    ("dca create", 400, "Too small: expected number to be >=2"),
    ("dca create", 400, "Too big: expected number to be <=31536000"),
    ("dca create", 400, "Each order must be at least 10 USD (current value: {x} USD)"),
    ("dca create", 400, "Input mint and output mint cannot be the same"),
    ("dca create", 400, "Begin fill time must be in the future"),
    ("dca create", 400, "Begin fill time cannot be more than 30 days in the future"),
    ("dca create", 400, "Maximum of 10 active DCA orders allowed per user"),
    ("dca create", 400, "Time-based orders cannot set minPriceUsd or maxPriceUsd"),
    ("dca create", 400, "Price-conditional orders must have at least minPriceUsd or maxPriceUsd set"),
    ("dca create", 400, "Price-conditional orders must specify a triggerMint"),
    ("dca create", 400, "Trigger mint is not supported"),
    ("dca create", 400, "Mint pair is not supported"),
    ("dca create", 400, "jlEnabled is only supported for time_based orders"),
    ("dca create", 400, "jlEnabled is not supported for this input mint"),
    ("dca create", 400, "JL orders require the JL deposit craft. Please re-craft the deposit with jlMint."),
    ("dca cancel", 400, "Cannot cancel DCA order in '{state}' state"),
    ("dca cancel", 404, "DCA order not found or you do not own it"),
    ("dca confirm", 400, "DCA order not in cancellation state"),
]
"""The messages of Jupiter's documentation, and those that were seen in its answers. {x}: whatever stands there."""

ELSEWHERE: Final[dict[tuple[str, int, str], str]] = {
    ("create", 400, "Trailing orders are not enabled"): "they are enabled everywhere",
    ("gateway", 401, "Invalid API key"): (
        "it needs a venue with keys: tests/end_to_end/test_sandbox.py, test_keys_are_judged_before_tokens"
    ),
    ("dca create", 500, "Failed to fetch the price of {detail}"): (
        "every token of a sandbox has a price: tests/orders/dca/test_decide.py, Refusal.PRICE_UNKNOWN"
    ),
}
"""Documented, and not provoked here: why."""


def documented_on_the_page() -> Iterator[tuple[str, int, str]]:
    """Endpoint, status and message, of each table of the reference."""
    family = ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("#"):
            family = "dca " if "ecurring" in line else "" if line.startswith("## ") else family
        match [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]:
            case [refusal, status, message, _, endpoints] if re.fullmatch("`[A-Z_]+`", refusal):
                for endpoint in endpoints.partition(":")[0].split(", "):
                    if endpoint != "none":
                        yield family + endpoint, int(status), message.strip("`")
            case [endpoints, status, messages] if status.isdigit():
                for endpoint in endpoints.split(", "):
                    for message in quoted(messages):
                        named = "userPubkey" if endpoint == "create" else "userAddress"
                        yield family + endpoint, int(status), message.replace("userAddress", named)
            case [status, body, _] if status.isdigit():
                for kind, message in re.findall(r'"(error|message)":"([^"]+)"', body):
                    if message != "Request validation failed":
                        yield "gateway" if kind == "message" else "any", int(status), message


def quoted(cell: str) -> list[str]:
    """What is a message, not the name of a field."""
    return [words for before, words in re.findall(r"(\(|create: |in )?`([^`]+)`", cell) if not before]


def fits(template: str, message: str) -> bool:
    """`template` has names in braces, or an ellipsis, where anything may stand."""
    parts = re.split(r"\{\w+\}|…", template)
    return re.fullmatch(".+".join(map(re.escape, parts)), message) is not None


def plain_length(template: str) -> int:
    return len(re.sub(r"\{\w+\}|…", "", template))


DOCUMENTED: Final = sorted({*documented_on_the_page(), *PUBLISHED})


def documented_as(row: Row) -> list[tuple[str, int, str]]:
    """The messages of the documentation that a row is an example of: the one that says most about it."""
    fitting = [each for each in DOCUMENTED if each[:2] == (row.endpoint, row.status) and fits(each[2], row.message)]
    most = max((plain_length(each[2]) for each in fitting), default=0)
    return [each for each in fitting if plain_length(each[2]) == most]


def test_the_page_is_read() -> None:
    """Or nothing would be missed."""
    on_the_page = set(documented_on_the_page())
    assert len(on_the_page) > 90, CHAPTERS
    assert (
        "confirm",
        400,
        "Withdrawal transaction failed on chain ({detail}). Please initiate cancel again.",
    ) in on_the_page
    assert ("dca create", 400, "minPriceUsd must not be greater than maxPriceUsd") in on_the_page
    assert ("gateway", 429, "[API Gateway] Too many requests") in on_the_page
    assert {endpoint.removeprefix("dca ") for endpoint, _, _ in on_the_page} <= {
        "any", "gateway", "verify", "vault", "register", "craft", "create", "update", "cancel", "confirm", "history",
    }  # fmt: skip


@pytest.mark.parametrize("message", DOCUMENTED, ids=lambda each: f"{each[0]}: {each[2][:60]}")
def test_every_documented_message_has_its_row(message: tuple[str, int, str]) -> None:
    provoked = any(message in documented_as(row) for row in ROWS)
    assert provoked is not (message in ELSEWHERE)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.endpoint}: {row.message[:60]}")
def test_a_message_is_provoked(venue: Venue, alice: Trader, row: Row) -> None:
    provoked = row.provoke(Scene(venue, alice))
    answer, more = provoked if isinstance(provoked, tuple) else (provoked, {})
    told = {**row.body, **more}
    assert (answer.status, answer.body) == (row.status, spoken(told, alice))


def spoken(body: dict[str, object], alice: Trader) -> dict[str, object]:
    return {
        name: said.replace("{wallet}", alice.wallet) if isinstance(said, str) else said for name, said in body.items()
    }
