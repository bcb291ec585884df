"""Who listens for landed transactions of the embedded chain, and what waits to be read by each."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from solders.pubkey import Pubkey
from solders.signature import Signature as SignatureKey

from countermand.solana.group_commit import ExecutedTransaction
from countermand.solana.ledger import read_error
from countermand.solana.port import LANDED_WAITING_MAX, ChainUnavailable, LandedSignature


class LandedFeed:
    """An iterator with one reader. It ends by raising; what was told before that is read first."""

    def __init__(self, keys: Sequence[Pubkey]) -> None:
        self.keys: Final = tuple(dict.fromkeys(keys))
        self._waiting: deque[LandedSignature] = deque()
        self._more = asyncio.Event()
        self._failure: ChainUnavailable | None = None

    def __aiter__(self) -> "LandedFeed":
        return self

    async def __anext__(self) -> LandedSignature:
        while not self._waiting:
            if self._failure is not None:
                raise self._failure
            self._more.clear()
            await self._more.wait()
        return self._waiting.popleft()

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= LANDED_WAITING_MAX

    def push(self, landed: LandedSignature) -> None:
        self._waiting.append(landed)
        self._more.set()

    def end(self, reason: ChainUnavailable) -> None:
        self._failure = reason
        self._more.set()


class LandedFeeds:
    """All feeds of a chain. They are told what is committed, in the order of the commits."""

    def __init__(self) -> None:
        self._feeds: list[LandedFeed] = []
        self._about: dict[Pubkey, list[LandedFeed]] = {}

    def begin(self, keys: Sequence[Pubkey]) -> LandedFeed:
        feed = LandedFeed(keys)
        self._feeds.append(feed)
        for key in feed.keys:
            self._about.setdefault(key, []).append(feed)
        return feed

    def leave(self, feed: LandedFeed) -> None:
        """Does nothing to one that ended."""
        if feed not in self._feeds:
            return
        self._feeds.remove(feed)
        for key in feed.keys:
            self._about[key].remove(feed)
            if not self._about[key]:
                del self._about[key]

    def tell(self, committed: Sequence[ExecutedTransaction]) -> None:
        if not self._feeds:
            return
        for landed in committed:
            listening = [feed for key in landed.keys for feed in self._about.get(key, ())]
            if listening:
                told = _told(landed)
                # Once to each, however many of its addresses are named, or however often.
                for feed in {id(feed): feed for feed in listening}.values():
                    self._tell_one(feed, told)

    def end(self, reason: ChainUnavailable) -> None:
        """Ends all: the chain cannot tell what lands now."""
        for feed in self._feeds:
            feed.end(reason)
        self._feeds, self._about = [], {}

    def _tell_one(self, feed: LandedFeed, told: LandedSignature) -> None:
        if feed.is_full:
            self.leave(feed)
            feed.end(ChainUnavailable(f"{LANDED_WAITING_MAX} landed transactions wait to be read: more are not kept"))
        else:
            feed.push(told)


def _told(landed: ExecutedTransaction) -> LandedSignature:
    signature = str(SignatureKey.from_bytes(landed.signature))
    return LandedSignature(
        signature, landed.slot, read_error(landed.error), landed.block_time, position=landed.position
    )
