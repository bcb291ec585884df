"""What traders do with recurring orders of Trigger v2."""

from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from tests.end_to_end.trader import Cancelling, Trader, landed
from tests.end_to_end.venue import SOL, Answer, Funds, Token

HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class Plan:
    """Sells so much in so many rounds."""

    sell: Funds
    buy: Token = SOL
    rounds: int = 3
    every_s: int = HOUR_S
    more: dict[str, object] = field(default_factory=dict)
    """Further fields of the create."""

    def but(self, more: dict[str, object]) -> "Plan":
        """With further fields."""
        return replace(self, more=self.more | more)


def dca(sell: Funds, buy: Token = SOL, *, rounds: int = 3, every_s: int = HOUR_S, **more: object) -> Plan:
    return Plan(sell, buy, rounds, every_s, more)


@dataclass
class DcaTrader:
    """The recurring orders of a trader."""

    trader: Trader

    def asks_to_deposit(self, plan: Plan, **more: object) -> Answer:
        asked = {
            "inputMint": plan.sell.token.mint,
            "outputMint": plan.buy.mint,
            "userAddress": self.trader.wallet,
            "amount": str(plan.sell.units),
            "orderType": "dca",
        }
        return self.trader.post("/deposit/craft", asked | more)

    def body_for(self, plan: Plan, craft: Any) -> dict[str, object]:
        """The create that makes `plan` of a crafted deposit."""
        return {
            "depositRequestId": craft["requestId"],
            "depositSignedTx": self.trader.signs(craft["transaction"]),
            "userPubkey": self.trader.wallet,
            "inputMint": plan.sell.token.mint,
            "outputMint": plan.buy.mint,
            "inputAmount": str(plan.sell.units),
            "orderCount": plan.rounds,
            "intervalSeconds": plan.every_s,
            **plan.more,
        }

    def creates(self, body: object) -> Answer:
        return self.trader.post("/orders/dca", body)

    def asks_for(self, plan: Plan) -> Answer:
        """Crafts and creates it."""
        return self.creates(self.body_for(plan, self.asks_to_deposit(plan).ok()))

    def places(self, plan: Plan) -> str:
        """The id of the order, whose deposit has landed."""
        craft = self.asks_to_deposit(plan).ok()
        body = self.body_for(plan, craft)
        order_id: str = landed(lambda: self.creates(body)).ok()["id"]
        self.trader.accounts[order_id] = craft["inputTokenAccount"]
        return order_id

    def sees(self, order_id: str) -> Any:
        return self.trader.get(f"/orders/history/dca/{order_id}").ok()

    def history(self, **query: object) -> Any:
        return self.trader.get("/orders/history/dca?" + urlencode(query)).ok()

    def asks_to_cancel(self, order_id: str) -> Answer:
        return self.trader.post(f"/orders/dca/cancel/{order_id}")

    def confirms(self, order_id: str, cancelling: Any) -> Answer:
        return self.hands_in(
            order_id, Cancelling(self.trader.signs(cancelling["transaction"]), cancelling["requestId"])
        )

    def withdraws(self, order_id: str, cancelling: Any) -> Any:
        """Confirms, and the withdrawal has landed."""
        return landed(lambda: self.confirms(order_id, cancelling)).ok()

    def hands_in(self, order_id: str, signed: Cancelling) -> Answer:
        body = {"signedTransaction": signed.transaction, "cancelRequestId": signed.request_id}
        return self.trader.post(f"/orders/dca/confirm-cancel/{order_id}", body)

    def events_of(self, order_id: str) -> list[tuple[str, str]]:
        """Type and state, the newest first."""
        return [(event["type"], event["state"]) for event in self.sees(order_id)["events"]]
