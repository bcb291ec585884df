"""A first order at Countermand, as in first_order.py, by the client that comes with it.

    pip install .                                               (in a clone)
    python first_order_client.py [http://127.0.0.1:8080]        (or COUNTERMAND_URL)

`client.sandbox` is Countermand's own; all else works against https://api.jup.ag, too, with a wallet that has funds.
"""

import os
import sys
import time

from solders.keypair import Keypair

from countermand.client import SOL, USDC, Client, Oco, Single

URL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("COUNTERMAND_URL", "http://127.0.0.1:8080")
NEXT_WEEK = int(time.time() * 1000) + 7 * 24 * 3_600_000


def main() -> None:
    wallet = Keypair()
    with Client(wallet, URL) as client:
        # Money from nothing, as only a sandbox gives it. Amounts are base units: a SOL has 10⁹ lamports.
        client.sandbox.airdrop("SOL", 5 * 10**9)
        print(f"Hello, {wallet.pubkey()}. SOL costs {client.prices.of(SOL)[SOL].usd_price} dollars")
        # An order to sell 1 SOL at 210 dollars, changed to 180, and filled when the price is there.
        sale = Single(sell=SOL, amount=10**9, buy=USDC, watch=SOL, above=210, expires_at=NEXT_WEEK)
        first = client.trigger.place(sale).id
        print(f"Placed {first}: sell 1 SOL at 210 dollars")
        client.trigger.update(first, price="180")
        client.sandbox.price("SOL", 185)
        client.sandbox.settle()
        order = client.trigger.order(first)
        print(f"Changed it to 180; SOL costs 185 dollars now, and the order is {order.order_state}")
        print(f"It sold {order.input_used} lamports for {order.output_amount} base units of USDC")
        # A pair with a profit to take and a loss to stop, cancelled: from the first step on it cannot trade any more.
        pair = Oco(
            sell=SOL, amount=2 * 10**9, buy=USDC, watch=SOL, take_profit=250, stop_loss="149.5", expires_at=NEXT_WEEK
        )
        second = client.trigger.place(pair).id
        cancelling = client.trigger.cancel(second)
        print(f"Asked to cancel {second}: nothing trades any more, whatever the price does")
        withdrawn = client.trigger.confirm(cancelling)
        print(f"The funds came back by {withdrawn.tx_signature}")
        for each in client.trigger.orders():
            print(each.id, each.order_type, each.order_state)


main()
