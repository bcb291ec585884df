"""A row of the walk through the messages of Trigger v2: a message, and the request that gets it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias

from tests.end_to_end.conftest import with_funds
from tests.end_to_end.dca_trader import HOUR_S, DcaTrader, dca
from tests.end_to_end.test_dca import iso
from tests.end_to_end.trader import ROOT, Trader, single
from tests.end_to_end.venue import SOL, USDC, Answer, Venue

FOR_EVER: Final = 1_000_000
NOWHERE: Final = "019f053d-3f0c-70ad-bb5e-76d633291f80"
SELL: Final = single(sell=1 * SOL, above=200)
TOKENS: Final = single(sell=200 * USDC, buy=SOL, below=100)
PLAN: Final = dca(sell=100 * USDC)


@dataclass
class Scene:
    """Those who ask."""

    venue: Venue
    alice: Trader

    def __post_init__(self) -> None:
        self.plans = DcaTrader(self.alice)

    @cached_property
    def bob(self) -> Trader:
        return with_funds(Trader(self.venue))

    def creates(self, **fields: object) -> Answer:
        """A create that is fine, but for these fields; None: without it."""
        return self.alice.creates(without_none(self.alice.body_for(SELL, self.alice.crafts(SELL)) | fields))

    def crafts(self, **fields: object) -> Answer:
        body = {
            "inputMint": SOL.mint,
            "outputMint": USDC.mint,
            "userAddress": self.alice.wallet,
            "amount": "1000000000",
            "orderType": "price",
            "orderSubType": "single",
        }
        return self.alice.post("/deposit/craft", without_none(body | fields))

    def plans_with(self, **fields: object) -> Answer:
        craft = self.plans.asks_to_deposit(PLAN).ok()
        return self.plans.creates(without_none(self.plans.body_for(PLAN, craft) | fields))

    def waits(self) -> str:
        """A recurring order of which no round has begun."""
        return self.plans.places(dca(sell=100 * USDC, beginFillAt=iso(self.venue.now() + HOUR_S * 1_000)))

    def stranger(self) -> Trader:
        """Without a vault."""
        stranger = Trader(self.venue)
        stranger.signs_in()
        return stranger

    def verifies(self, **fields: object) -> Answer:
        asked = {"walletPubkey": self.alice.wallet, "type": "message"}
        self.venue.ask("POST", f"{ROOT}/auth/challenge", asked).ok()
        return self.venue.ask("POST", f"{ROOT}/auth/verify", asked | fields)


Provoked: TypeAlias = Answer | tuple[Answer, dict[str, object]]
"""The answer, and what its body has beside the message."""


@dataclass(frozen=True)
class Row:
    endpoint: str
    status: int
    message: str
    field: str | None
    """It is said about that one, or about none."""
    provoke: Callable[[Scene], Provoked]

    @property
    def body(self) -> dict[str, object]:
        if self.endpoint == "gateway":
            return {"code": self.status, "message": self.message}
        if self.field is not None:
            return {"error": "Request validation failed", "details": {self.field: self.message}}
        return {"message" if self.status == 200 else "error": self.message}


ROWS: list[Row] = []


def says(
    endpoint: str, status: int, message: str, field: str | None = None
) -> Callable[[Callable[[Scene], Provoked]], Callable[[Scene], Provoked]]:
    """Marks what provokes a message. `field`: it is said about that one."""

    def add(provoke: Callable[[Scene], Provoked]) -> Callable[[Scene], Provoked]:
        ROWS.append(Row(endpoint, status, message, field, provoke))
        return provoke

    return add


def without_none(body: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in body.items() if value is not None}


def answered(result: Any) -> Answer:
    """Of a venue in memory."""
    return Answer(result.status_code, {}, result.content)


# --- what price orders and recurring orders have in common


@dataclass(frozen=True)
class Family:
    """What both families have in common, for rows that they share."""

    name: str
    wish: Any

    def traders(self, s: Scene) -> Any:
        return s.plans if self.name else s.alice

    def crafted(self, s: Scene) -> tuple[Any, dict[str, object]]:
        """A deposit, and the create that it pays for."""
        traders = self.traders(s)
        craft = traders.asks_to_deposit(self.wish).ok()
        return craft, traders.body_for(self.wish, craft)

    def hands_in(self, s: Scene, alter: Callable[[str, str], str]) -> Answer:
        """A deposit that is altered: the unsigned one and the signed one in, what is sent out."""
        craft, body = self.crafted(s)
        altered = alter(craft["transaction"], str(body["depositSignedTx"]))
        answer: Answer = self.traders(s).creates(body | {"depositSignedTx": altered})
        return answer

    def endpoint(self, name: str) -> str:
        return self.name + name


PRICE, DCA = Family("", SELL), Family("dca ", PLAN)


def of_both(
    endpoint: str, status: int, message: str
) -> Callable[[Callable[[Scene, Family], Provoked]], Callable[[Scene, Family], Provoked]]:
    """A message that both families have."""

    def add(provoke: Callable[[Scene, Family], Provoked]) -> Callable[[Scene, Family], Provoked]:
        for family in (PRICE, DCA):
            says(family.endpoint(endpoint), status, message)(bound(provoke, family))
        return provoke

    return add


def bound(provoke: Callable[[Scene, Family], Provoked], family: Family) -> Callable[[Scene], Provoked]:
    return lambda s: provoke(s, family)
