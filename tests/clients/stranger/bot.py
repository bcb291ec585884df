"""A bot that knows Jupiter's published pages alone: httpx (its successor, httpx2), and solders to sign.

It is a strategy, as its author would write it: nothing here knows that there is a sandbox.
"""

import base64
import time
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx
from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.signature import Signature
from solders.transaction import VersionedTransaction

SOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
DAY_MS = 86_400_000


@dataclass
class Bot:
    """`base` takes the place of https://api.jup.ag, `rpc` of the Solana node."""

    base: str
    rpc: str
    key: Keypair
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30, headers={"x-api-key": "any"}))

    @property
    def address(self) -> str:
        return str(self.key.pubkey())

    def get(self, path: str, **query: object) -> Any:
        return self._answer(self.http.get(self.base + path, params=query))  # type: ignore[arg-type]

    def post(self, path: str, body: object = None) -> Any:
        return self._answer(self.http.post(self.base + path, json=body))

    def _answer(self, response: httpx.Response) -> Any:
        if response.is_error:
            raise AssertionError(f"{response.request.url}: {response.status_code} {response.text}")
        return response.json()

    def signed(self, transaction: str) -> str:
        unsigned = VersionedTransaction.from_bytes(base64.b64decode(transaction))
        signatures = unsigned.signatures
        place = unsigned.message.account_keys.index(self.key.pubkey())
        signatures[place] = self.key.sign_message(to_bytes_versioned(unsigned.message))
        return base64.b64encode(bytes(VersionedTransaction.populate(unsigned.message, signatures))).decode()

    # --- Trigger v2

    def sign_in(self) -> None:
        who = {"walletPubkey": self.address, "type": "message"}
        challenge = self.post("/trigger/v2/auth/challenge", who)["challenge"]
        signature: Signature = self.key.sign_message(challenge.encode())
        token = self.post("/trigger/v2/auth/verify", {**who, "signature": str(signature)})["token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        if self.http.get(f"{self.base}/trigger/v2/vault").status_code == httpx.codes.NOT_FOUND:
            self.get("/trigger/v2/vault/register")

    def place_oco(self, amount: int, take_profit: float, stop_loss: float) -> str:
        pair = {"inputMint": SOL, "outputMint": USDC}
        asked = {"userAddress": self.address, "amount": str(amount), "orderType": "price", "orderSubType": "oco"}
        deposit = self.post("/trigger/v2/deposit/craft", {**pair, **asked})
        order = {
            "orderType": "oco",
            "depositRequestId": deposit["requestId"],
            "depositSignedTx": self.signed(deposit["transaction"]),
            "userPubkey": self.address,
            "inputAmount": str(amount),
            "triggerMint": SOL,
            "tpPriceUsd": take_profit,
            "slPriceUsd": stop_loss,
            "tpSlippageBps": 100,
            "expiresAt": int(time.time() * 1000) + DAY_MS,
        }
        return str(self.post("/trigger/v2/orders/price", {**pair, **order})["id"])

    def orders(self, state: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/trigger/v2/orders/history", state=state, limit=100)["orders"]
        return found

    def withdraw(self, order: str) -> str:
        """Both steps of a cancel. The signature of the withdrawal."""
        step = self.post(f"/trigger/v2/orders/price/cancel/{order}")
        proof = {"signedTransaction": self.signed(step["transaction"]), "cancelRequestId": step["requestId"]}
        return str(self.post(f"/trigger/v2/orders/price/confirm-cancel/{order}", proof)["txSignature"])

    # --- Trigger v1 and Recurring v1

    def place_limit(self, making: int, taking: int) -> str:
        """Sells so many lamports for so much USDC."""
        terms = {"makingAmount": str(making), "takingAmount": str(taking)}
        who = {"maker": self.address, "payer": self.address}
        built = self.post("/trigger/v1/createOrder", {**who, "inputMint": SOL, "outputMint": USDC, "params": terms})
        self._executed("/trigger/v1/execute", built)
        return str(built["order"])

    def limits(self, status: str) -> list[dict[str, Any]]:
        query = {"user": self.address, "orderStatus": status}
        found: list[dict[str, Any]] = self.get("/trigger/v1/getTriggerOrders", **query)["orders"]
        return found

    def place_dca(self, amount: int, cycles: int, every_s: int) -> str:
        time_based = {"inAmount": amount, "numberOfOrders": cycles, "interval": every_s}
        prices = {"minPrice": None, "maxPrice": None, "startAt": None}
        terms = {"params": {"time": {**time_based, **prices}}}
        who = {"user": self.address, "inputMint": USDC, "outputMint": SOL}
        built = self.post("/recurring/v1/createOrder", {**who, **terms})
        return str(self._executed("/recurring/v1/execute", built)["order"])

    def recurring(self, status: str) -> list[dict[str, Any]]:
        query = {"user": self.address, "recurringType": "time", "orderStatus": status}
        found: list[dict[str, Any]] = self.get("/recurring/v1/getRecurringOrders", **query)["time"]
        return found

    def _executed(self, path: str, built: dict[str, Any]) -> Any:
        sent = {"requestId": built["requestId"], "signedTransaction": self.signed(built["transaction"])}
        executed = self.post(path, sent)
        assert executed["status"] == "Success", executed
        return executed

    # --- Swap v1, and the chain

    def swap(self, amount: int) -> int:
        """Sells lamports at the market. The least USDC that it gives."""
        pair = {"inputMint": SOL, "outputMint": USDC}
        quote = self.get("/swap/v1/quote", **pair, amount=amount, slippageBps=50)
        built = self.post("/swap/v1/swap", {"quoteResponse": quote, "userPublicKey": self.address})
        signature = self.ask_node("sendTransaction", self.signed(built["swapTransaction"]), {"encoding": "base64"})
        self._landed(signature)
        return int(quote["otherAmountThreshold"])

    def _landed(self, signature: str) -> None:
        for _ in range(100):
            (status,) = self.ask_node("getSignatureStatuses", [signature])["value"]
            if status is not None and status["confirmationStatus"] in {"confirmed", "finalized"}:
                assert status["err"] is None, status
                return
            time.sleep(0.1)
        raise AssertionError(f"{signature} has not landed")

    def usdc(self) -> int:
        accounts = self.ask_node("getTokenAccountsByOwner", self.address, {"mint": USDC}, {"encoding": "jsonParsed"})[
            "value"
        ]
        amounts = [each["account"]["data"]["parsed"]["info"]["tokenAmount"]["amount"] for each in accounts]
        return sum(map(int, amounts))

    def ask_node(self, method: str, *params: object) -> Any:
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = self._answer(self.http.post(self.rpc, json=asked))
        assert "error" not in answer, answer
        return answer["result"]
