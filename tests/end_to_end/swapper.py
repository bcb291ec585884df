"""A wallet that swaps by Swap v1, as bots do: one key, and the chain's JSON-RPC."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from solders.keypair import Keypair
from solders.transaction import VersionedTransaction

from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import Answer, Funds, Token, Venue

SLIPPAGE_EXCEEDED = 6001


@dataclass
class Swapper:
    venue: Venue
    key: Keypair

    @classmethod
    def of(cls, trader: Trader) -> "Swapper":
        return cls(trader.venue, trader.key)

    @property
    def wallet(self) -> str:
        return str(self.key.pubkey())

    def asks(self, sell: Token, buy: Token, amount: object, **more: object) -> Answer:
        query = {"inputMint": sell.mint, "outputMint": buy.mint, "amount": amount, **more}
        return self.venue.ask("GET", f"/swap/v1/quote?{urlencode(query)}")

    def quotes(self, sell: Funds, buy: Token, **more: object) -> Any:
        return self.asks(sell.token, buy, sell.units, **more).ok()

    def builds(self, quote: Mapping[str, Any], *, path: str = "swap", **more: object) -> Answer:
        return self.venue.ask(
            "POST", f"/swap/v1/{path}", {"userPublicKey": self.wallet, "quoteResponse": quote, **more}
        )

    def signs(self, transaction: str, *others: Keypair) -> str:
        """As bots do: the message alone, signed by the keys that they have."""
        unsigned = VersionedTransaction.from_bytes(base64.b64decode(transaction))
        return base64.b64encode(bytes(VersionedTransaction(unsigned.message, [self.key, *others]))).decode()

    def sends(self, signed: str, *, preflight: bool = False) -> Any:
        """Returns what is answered: a signature, or the error."""
        options = {"encoding": "base64", "skipPreflight": not preflight}
        asked = {"jsonrpc": "2.0", "id": 1, "method": "sendTransaction", "params": [signed, options]}
        answer = self.venue.ask("POST", "/rpc", asked).ok()
        return answer.get("result") or answer["error"]

    def lands(self, transaction: str, *others: Keypair) -> Any:
        """Returns the error on chain, or None."""
        signature = self.sends(self.signs(transaction, *others))
        assert isinstance(signature, str), signature
        return self.landed(signature)["meta"]["err"]

    def landed(self, signature: str) -> Any:
        found = self.venue.rpc("getTransaction", signature, {"maxSupportedTransactionVersion": 0, "encoding": "json"})
        assert found is not None, "it has not landed"
        return found

    def swaps(self, quote: Mapping[str, Any], **more: Any) -> Any:
        """Builds, signs and sends. Returns the error on chain, or None."""
        return self.lands(self.builds(quote, **more).ok()["swapTransaction"])

    def holds(self, token: Token) -> int:
        return self.venue.units(self.wallet, token)


def code_of(error: Any) -> int:
    """Of the program that failed."""
    code: int = error["InstructionError"][1]["Custom"]
    return code
