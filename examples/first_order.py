"""A first order at Countermand, from an empty wallet to the funds back in it.

    pip install solders
    python first_order.py [http://127.0.0.1:8080]        (or COUNTERMAND_URL)

Everything below `/trigger/v2` is what a client of Jupiter's Trigger API does. Only `/sandbox` is Countermand's own.
"""

import base64
import json
import os
import sys
import time
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.transaction import VersionedTransaction

BASE = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("COUNTERMAND_URL", "http://127.0.0.1:8080")
SOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
LAMPORTS = 1_000_000_000
HOUR_MS = 3_600_000


def call(method: str, path: str, body: object = None, token: str = "") -> Any:
    """Asks the venue, and returns the JSON of its answer."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if body is not None:
        headers["Content-Type"] = "application/json"
    data = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(BASE + path, data, headers, method=method)) as answer:
            return json.load(answer)
    except HTTPError as error:
        raise SystemExit(f"{method} {path}: {error.code} {error.read().decode()}") from error


class Wallet:
    def __init__(self) -> None:
        self.key = Keypair()
        self.address = str(self.key.pubkey())
        self.token = ""

    def sign(self, unsigned: str) -> str:
        """Signs a transaction as it came, in base64, and gives it back the same way."""
        transaction = VersionedTransaction.from_bytes(base64.b64decode(unsigned))
        signatures = transaction.signatures
        slot = transaction.message.account_keys.index(self.key.pubkey())
        signatures[slot] = self.key.sign_message(to_bytes_versioned(transaction.message))
        signed = VersionedTransaction.populate(transaction.message, signatures)
        return base64.b64encode(bytes(signed)).decode()

    def sign_in(self) -> None:
        """Signs a challenge, and gets a token for it."""
        asked = {"walletPubkey": self.address, "type": "message"}
        challenge = call("POST", "/trigger/v2/auth/challenge", asked)["challenge"]
        proof = asked | {"signature": str(self.key.sign_message(challenge.encode()))}
        self.token = call("POST", "/trigger/v2/auth/verify", proof)["token"]

    def sell_above(self, price: int, lamports: int) -> str:
        """Deposits and places an order that sells for USDC at `price` dollars or more. Returns its id."""
        pair = {"inputMint": SOL, "outputMint": USDC}
        asked = {"userAddress": self.address, "amount": str(lamports), "orderType": "price", "orderSubType": "single"}
        deposit = call("POST", "/trigger/v2/deposit/craft", pair | asked, self.token)
        order = {
            "orderType": "single",
            "depositRequestId": deposit["requestId"],
            "depositSignedTx": self.sign(deposit["transaction"]),
            "userPubkey": self.address,
            "inputAmount": str(lamports),
            "triggerMint": SOL,
            "triggerCondition": "above",
            "triggerPriceUsd": price,
            "expiresAt": int(time.time() * 1000) + HOUR_MS,
        }
        order_id: str = call("POST", "/trigger/v2/orders/price", pair | order, self.token)["id"]
        return order_id

    def state_of(self, order_id: str) -> str:
        state: str = call("GET", f"/trigger/v2/orders/history/{order_id}", token=self.token)["orderState"]
        return state

    def show(self, what: str) -> None:
        lamports = rpc("getBalance", self.address)
        accounts = rpc("getTokenAccountsByOwner", self.address, {"mint": USDC}, {"encoding": "jsonParsed"})
        amounts = [each["account"]["data"]["parsed"]["info"]["tokenAmount"]["uiAmountString"] for each in accounts]
        usdc = amounts[0] if amounts else "0"
        print(f"{what}: the wallet has {lamports / LAMPORTS} SOL and {usdc} USDC")


def rpc(method: str, *params: object) -> Any:
    """Asks the chain."""
    return call("POST", "/rpc", {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})["result"]["value"]


def main() -> None:
    wallet = Wallet()
    # Money from nothing, as only a sandbox gives it.
    call("POST", "/sandbox/airdrop", {"wallet": wallet.address, "mint": "SOL", "amount": str(5 * LAMPORTS)})
    wallet.show(f"Hello, {wallet.address}")

    wallet.sign_in()
    vault = call("GET", "/trigger/v2/vault/register", token=wallet.token)
    print(f"Signed in. The vault {vault['vaultPubkey']} will keep what is deposited")

    # An order to sell 1 SOL at 210 dollars, changed to 180, and filled when the price is there.
    first = wallet.sell_above(210, LAMPORTS)
    print(f"Placed {first}: sell 1 SOL at 210 dollars")
    changed = {"orderType": "single", "triggerPriceUsd": 180}
    call("PATCH", f"/trigger/v2/orders/price/{first}", changed, wallet.token)
    print("Changed it to 180 dollars")
    call("PUT", "/sandbox/prices", {SOL: "185"})
    call("POST", "/sandbox/settle", {})
    print(f"SOL costs 185 dollars now, and the order is {wallet.state_of(first)}")
    wallet.show("After the fill")

    # Another one, cancelled in two steps: from the answer to the first on it cannot fill; the second brings the funds.
    second = wallet.sell_above(300, 2 * LAMPORTS)
    wallet.show(f"Placed {second}")
    cancel = call("POST", f"/trigger/v2/orders/price/cancel/{second}", token=wallet.token)
    print("Asked to cancel it: nothing fills any more, whatever the price does")
    confirm = {"signedTransaction": wallet.sign(cancel["transaction"]), "cancelRequestId": cancel["requestId"]}
    answer = call("POST", f"/trigger/v2/orders/price/confirm-cancel/{second}", confirm, wallet.token)
    print(f"Confirmed by {answer['txSignature']}: the order is {wallet.state_of(second)}")
    wallet.show("With the funds back")


if __name__ == "__main__":
    main()
