"""Tells who waits that something is new, without keeping anything for them."""

import asyncio


class Bell:
    def __init__(self) -> None:
        self._news = asyncio.Event()

    def ring(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def rings(self) -> None:
        """Returns at the next ring."""
        await self._news.wait()
