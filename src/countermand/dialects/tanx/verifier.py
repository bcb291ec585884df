"""Signatures are verified beside the event loop: each takes a millisecond, in which the loop answers others."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from countermand.curves import stark
from countermand.kernel.ports import Unavailable

WAITING_MAX: Final = 2_048
"""At a thousand a second and core, who comes later would wait for more than a second."""
_THREADS_MAX: Final = 4


class Verifier:
    """A few threads, which the library leaves free to run: it needs no interpreter while it computes."""

    def __init__(self, waiting_max: int = WAITING_MAX) -> None:
        self._threads = ThreadPoolExecutor(min(_THREADS_MAX, os.cpu_count() or 1), thread_name_prefix="verifier")
        self._waiting_max = waiting_max
        self._waiting = 0

    async def verify(self, stark_key: int, message: int, r: int, s: int) -> bool:
        """As `stark.verify`. Raises `Unavailable` when too many wait."""
        if self._waiting >= self._waiting_max:
            raise Unavailable(f"{self._waiting} signatures are waiting to be verified")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, stark.verify, stark_key, message, r, s)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
