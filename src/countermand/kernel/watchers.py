"""Who waits for the next commit that changes an order."""

import asyncio
from collections.abc import Iterable

from countermand.values.identity import OrderId


class Watchers:
    def __init__(self) -> None:
        self._watching: dict[OrderId, list[asyncio.Future[None]]] = {}

    async def changed(self, order_id: OrderId) -> None:
        """Returns when the order is next woken."""
        future = asyncio.get_running_loop().create_future()
        watching = self._watching.setdefault(order_id, [])
        watching.append(future)
        try:
            await future
        except asyncio.CancelledError:
            watching.remove(future)
            if not watching and self._watching.get(order_id) is watching:
                del self._watching[order_id]
            raise

    def is_watched(self, order_id: OrderId) -> bool:
        return order_id in self._watching

    def wake(self, order_ids: Iterable[OrderId]) -> None:
        for order_id in order_ids:
            for future in self._watching.pop(order_id, ()):
                if not future.done():
                    future.set_result(None)

    def wake_all(self) -> None:
        self.wake(tuple(self._watching))
