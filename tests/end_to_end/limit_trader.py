"""A wallet that trades by Trigger v1 and limit/v2."""

import base64
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.keypair import Keypair
from solders.transaction import VersionedTransaction

from tests.end_to_end.trader import Trader, signed
from tests.end_to_end.venue import Answer, Funds, Token, Venue

FEE_LAMPORTS = 5_000


@dataclass
class LimitTrader:
    venue: Venue
    trader: Trader
    root: str = "/trigger/v1"
    asked: list[str] = field(default_factory=list)

    @property
    def wallet(self) -> str:
        return self.trader.wallet

    def post(self, path: str, **body: object) -> Answer:
        return self.venue.ask("POST", f"{self.root}/{path}", body)

    def get(self, path: str, **query: str) -> Any:
        return self.venue.ask("GET", f"{self.root}/{path}?{urlencode(query)}").ok()

    # --- building

    def builds(self, sell: Funds, buy: Token, take: int = 1_000, **changes: Any) -> Any:
        """The answer to a create; `params` in `changes` are added to the amounts."""
        params = {"makingAmount": str(sell.units), "takingAmount": str(take), **changes.pop("params", {})}
        body = {"inputMint": sell.token.mint, "outputMint": buy.mint, "maker": self.wallet, "payer": self.wallet}
        return self.post("createOrder", **{**body, "params": params, **changes}).ok()

    def builds_cancels(self, *orders: str) -> list[str]:
        """Of all orders, if none is named."""
        answer = self.post("cancelOrders", maker=self.wallet, orders=list(orders)).ok()
        transactions: list[str] = answer["txs"]
        return transactions

    # --- landing

    def signs(self, transaction: str, *others: Keypair) -> str:
        return signed(transaction, self.trader.key, *others)

    def executes(self, transaction: str, **body: object) -> Answer:
        return self.post("execute", signedTransaction=self.signs(transaction), **body)

    def sends(self, transaction: str) -> str:
        """By itself, past the venue."""
        encoding = {"encoding": "base64", "skipPreflight": True}
        signature: str = self.venue.rpc("sendTransaction", self.signs(transaction), encoding)
        return signature

    def places(self, sell: Funds, buy: Token, take: int = 1_000, **changes: Any) -> str:
        built = self.builds(sell, buy, take, **changes)
        order: str = built["order"]
        assert self.executes(built.get("transaction") or built["tx"]).ok()["status"] == "Success"
        return order

    # --- seeing

    def rows(self) -> list[Any]:
        rows: list[Any] = self.get("openOrders", wallet=self.wallet)
        return rows

    def open_orders(self) -> list[str]:
        return [row["publicKey"] for row in self.rows()]

    def trigger_orders(self) -> list[Any]:
        rows: list[Any] = self.get("getTriggerOrders", user=self.wallet, orderStatus="active")["orders"]
        return rows


def fees_of(transaction: str) -> int:
    """Lamports for one signature and for the compute units that it asks for."""
    message = VersionedTransaction.from_bytes(base64.b64decode(transaction)).message
    limit, price = (
        int.from_bytes(bytes(each.data)[1:], "little")
        for each in message.instructions
        if message.account_keys[each.program_id_index] == COMPUTE_BUDGET
    )
    return FEE_LAMPORTS + -(-limit * price // 10**6)
