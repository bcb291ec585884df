"""What the sandbox's stream tells beside the events of orders."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from countermand.inspection.price_history import PriceHistory
from countermand.inspection.stream import ORDERS, Feed, News
from countermand.sandbox.requests import RequestLog
from countermand.sandbox.wire import ChainWire, SandboxWire

REQUESTS: Final = "requests"
PRICES: Final = "prices"
SANDBOX: Final = "sandbox"
INCLUDED: Final = (ORDERS, REQUESTS, PRICES, SANDBOX)

_encode: Final = msgspec.json.Encoder().encode


def feeds_of(requests: RequestLog, prices: PriceHistory, shown: Callable[[], SandboxWire]) -> Mapping[str, Feed]:
    return {REQUESTS: requests.feed, PRICES: prices.feed, SANDBOX: Feed(lambda: _changes(shown), rings=False)}


def _changes(shown: Callable[[], SandboxWire]) -> News:
    told = b""

    def news() -> Iterator[tuple[str, bytes]]:
        nonlocal told
        # What changes by itself is told with the other changes alone.
        state = _encode(msgspec.structs.replace(shown(), now=0, chain=ChainWire(0, 0)))
        if state != told:
            told = state
            yield SANDBOX, state

    return news
