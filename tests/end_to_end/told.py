"""A reader of a venue's stream of server-sent events."""

import json
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPResponse
from typing import Any, Self

from tests.end_to_end.venue import Venue


class Reader:
    """Of `GET /sandbox/events`, unless another path is given."""

    def __init__(
        self, venue: Venue, query: str, *, path: str = "/sandbox/events", headers: Mapping[str, str] | None = None
    ) -> None:
        self._connection = HTTPConnection(venue.host, venue.port, timeout=15)
        self._connection.request("GET", f"{path}?{query}", headers=dict(headers or {}))
        self._response: HTTPResponse = self._connection.getresponse()
        assert self._response.status == 200, self._response.read()
        assert self._response.headers["content-type"] == "text/event-stream"
        hello = next(self)
        assert hello["event"] == "hello"
        self.cursor: str = hello["data"]["cursor"]
        self.last_id: str | None = hello.get("id")
        """That a browser would send, if it was cut off now."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.ends()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self

    def __next__(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while True:
            line = self._response.readline().decode()
            if not line:
                raise StopIteration
            name, _, value = line.rstrip("\n").partition(": ")
            if name == "data":
                found["data"] = json.loads(value)
            elif name:
                found[name] = value
            elif "data" in found:
                return found

    def until(self, order: str, event: str) -> list[dict[str, Any]]:
        """All that is told up to this event of this order."""
        seen = []
        for told_now in self:
            seen.append(told_now)
            data = told_now["data"]
            if told_now["event"] == "order" and (data["orderId"], data["event"]) == (order, event):
                return seen
        raise AssertionError(seen)

    def ends(self) -> None:
        self._response.close()
        self._connection.close()
