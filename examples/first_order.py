"""A first order at Countermand, from an empty wallet to the funds back in it.

    pip install solders
    python first_order.py [http://127.0.0.1:8080]        (or COUNTERMAND_URL; or paste it into Python's prompt)

Everything below `/trigger/v2` is what a client of Jupiter's Trigger API does. Only `/sandbox` is Countermand's own.
"""

import base64
import json
import os
import sys
import time
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.transaction import VersionedTransaction

BASE = (sys.argv[1] if len(sys.argv) > 1 else os.environ.get("COUNTERMAND_URL", "http://127.0.0.1:8080")).rstrip("/")
SOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
LAMPORTS = 1_000_000_000
WEEK_MS = 7 * 24 * 3_600_000


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


@dataclass
class Wallet:
    key: Keypair
    token: str = ""


def address(wallet: Wallet) -> str:
    return str(wallet.key.pubkey())


def sign(wallet: Wallet, unsigned: str) -> str:
    """Signs a transaction as it came, in base64, and gives it back the same way."""
    transaction = VersionedTransaction.from_bytes(base64.b64decode(unsigned))
    signatures = transaction.signatures
    slot = transaction.message.account_keys.index(wallet.key.pubkey())
    signatures[slot] = wallet.key.sign_message(to_bytes_versioned(transaction.message))
    signed = VersionedTransaction.populate(transaction.message, signatures)
    return base64.b64encode(bytes(signed)).decode()


def sign_in(wallet: Wallet) -> None:
    """Signs a challenge, and gets a token for it."""
    asked = {"walletPubkey": address(wallet), "type": "message"}
    challenge = call("POST", "/trigger/v2/auth/challenge", asked)["challenge"]
    proof = asked | {"signature": str(wallet.key.sign_message(challenge.encode()))}
    wallet.token = call("POST", "/trigger/v2/auth/verify", proof)["token"]


def sell_above(wallet: Wallet, price: int, lamports: int) -> str:
    """Deposits and places an order that sells for USDC at `price` dollars or more. Returns its id."""
    pair = {"inputMint": SOL, "outputMint": USDC}
    asked = {"userAddress": address(wallet), "amount": str(lamports), "orderType": "price", "orderSubType": "single"}
    deposit = call("POST", "/trigger/v2/deposit/craft", pair | asked, wallet.token)
    order = {
        "orderType": "single",
        "depositRequestId": deposit["requestId"],
        "depositSignedTx": sign(wallet, deposit["transaction"]),
        "userPubkey": address(wallet),
        "inputAmount": str(lamports),
        "triggerMint": SOL,
        "triggerCondition": "above",
        "triggerPriceUsd": price,
        "expiresAt": int(time.time() * 1000) + WEEK_MS,
    }
    order_id: str = call("POST", "/trigger/v2/orders/price", pair | order, wallet.token)["id"]
    return order_id


def state_of(wallet: Wallet, order_id: str) -> str:
    state: str = call("GET", f"/trigger/v2/orders/history/{order_id}", token=wallet.token)["orderState"]
    return state


def show(wallet: Wallet, what: str) -> None:
    lamports = rpc("getBalance", address(wallet))
    accounts = rpc("getTokenAccountsByOwner", address(wallet), {"mint": USDC}, {"encoding": "jsonParsed"})
    amounts = [each["account"]["data"]["parsed"]["info"]["tokenAmount"]["uiAmountString"] for each in accounts]
    usdc = amounts[0] if amounts else "0"
    print(f"{what}: the wallet has {lamports / LAMPORTS} SOL and {usdc} USDC")


def rpc(method: str, *params: object) -> Any:
    """Asks the chain."""
    return call("POST", "/rpc", {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})["result"]["value"]


def main() -> None:
    wallet = Wallet(Keypair())
    # Money from nothing, as only a sandbox gives it.
    call("POST", "/sandbox/airdrop", {"wallet": address(wallet), "mint": "SOL", "amount": str(5 * LAMPORTS)})
    show(wallet, f"Hello, {address(wallet)}")
    sign_in(wallet)
    vault = call("GET", "/trigger/v2/vault/register", token=wallet.token)
    print(f"Signed in. The vault {vault['vaultPubkey']} will keep what is deposited")
    # An order to sell 1 SOL at 210 dollars, changed to 180, and filled when the price is there.
    first = sell_above(wallet, 210, LAMPORTS)
    print(f"Placed {first}: sell 1 SOL at 210 dollars")
    changed = {"orderType": "single", "triggerPriceUsd": 180}
    call("PATCH", f"/trigger/v2/orders/price/{first}", changed, wallet.token)
    print("Changed it to 180 dollars")
    call("PUT", "/sandbox/prices", {SOL: "185"})
    call("POST", "/sandbox/settle", {})
    print(f"SOL costs 185 dollars now, and the order is {state_of(wallet, first)}")
    show(wallet, "After the fill")
    # Another one, cancelled in two steps: from the answer to the first on it cannot fill; the second brings the funds.
    second = sell_above(wallet, 300, 2 * LAMPORTS)
    show(wallet, f"Placed {second}")
    cancel = call("POST", f"/trigger/v2/orders/price/cancel/{second}", token=wallet.token)
    print("Asked to cancel it: nothing fills any more, whatever the price does")
    confirm = {"signedTransaction": sign(wallet, cancel["transaction"]), "cancelRequestId": cancel["requestId"]}
    answer = call("POST", f"/trigger/v2/orders/price/confirm-cancel/{second}", confirm, wallet.token)
    print(f"Confirmed by {answer['txSignature']}: the order is {state_of(wallet, second)}")
    show(wallet, "With the funds back")


main()
