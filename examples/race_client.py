"""A cancel against a crossing price, ten times over, by the async client of Countermand.

    pip install .                                        (in a clone)
    python race_client.py [http://127.0.0.1:8080]        (or COUNTERMAND_URL)

The first one wins, and never both: an order is filled, or its funds come back whole.
"""

import asyncio
import os
import sys
import time

from solders.keypair import Keypair

from countermand.client import SOL, USDC, AsyncClient, Refused, Single

URL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("COUNTERMAND_URL", "http://127.0.0.1:8080")
TOMORROW = int(time.time() * 1000) + 24 * 3_600_000


async def race(client: AsyncClient, head_start_ms: int) -> str:
    """The price has a head start; how the order ended."""
    await client.sandbox.price("SOL", 150)
    sale = Single(sell=SOL, amount=10**8, buy=USDC, watch=SOL, above=200, expires_at=TOMORROW)
    placed = await client.trigger.place(sale)
    await asyncio.gather(client.sandbox.price("SOL", 201), withdraw(client, placed.id, head_start_ms))
    await client.sandbox.settle()
    order = await client.trigger.order(placed.id)
    sold, withdrawn = order.input_used or 0, [each for each in order.events if each.type == "withdrawal"]
    assert bool(sold) != bool(withdrawn), "never both"
    return order.order_state


async def withdraw(client: AsyncClient, order_id: str, after_ms: int) -> None:
    await asyncio.sleep(after_ms / 1000)
    try:
        await client.trigger.withdraw(order_id)
    except Refused as refused:
        if "Cannot cancel" not in refused.words:
            raise


async def main() -> None:
    async with AsyncClient(Keypair(), URL) as client:
        await client.sandbox.airdrop("SOL", 5 * 10**9)
        ends = [await race(client, 3 * number) for number in range(10)]
        print(f"{ends.count('filled')} filled, {ends.count('cancelled')} cancelled, of {len(ends)}")


asyncio.run(main())
