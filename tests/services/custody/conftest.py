"""A venue without its engine: custody over a real virtual machine, and one wallet that signs."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.services.custody.venue import Venue, opened_venue


@pytest_asyncio.fixture
async def venue() -> AsyncIterator[Venue]:
    async with opened_venue() as opened:
        yield opened
