"""The gateway's log lines and metrics."""

import logging
import time
from typing import Final

import structlog
from prometheus_client import Counter

from countermand.gateway.areas import Area

_log: Final = structlog.get_logger("countermand")

_ANSWERS: Final = Counter("countermand_http_answers", "Answers over HTTP", ["area", "status"])
_CUT: Final = Counter("countermand_http_connections_cut", "Connections that were ended for a limit", ["reason"])
_OUTPUT_LOST: Final = Counter(
    "countermand_output_lines_lost", "Lines that could not be written to standard error or output", ["stream"]
)
_COUNTERS: Final[dict[tuple[str, int], Counter]] = {}


def answered(area: Area, status: int) -> None:
    counter = _COUNTERS.get((area.name, status))
    if counter is None:
        counter = _COUNTERS[area.name, status] = _ANSWERS.labels(area.name, str(status))
    counter.inc()


def request_answered(method: str, path: str, status: int, began_ns: int) -> None:
    """One line a request, for who debugs: without its query, which may hold a secret."""
    if _log.is_enabled_for(logging.DEBUG):
        milliseconds = round((time.monotonic_ns() - began_ns) / 1_000_000, 1)
        _log.debug("request answered", method=method, path=path, status=status, milliseconds=milliseconds)


def connection_cut(reason: str) -> None:
    """`too many`, `slow head` or `unread answer`. A peer's affair, so there is no line in the log."""
    _CUT.labels(reason).inc()


def output_lines_lost(stream: str, lines: int) -> None:
    """`stream`: stderr or stdout. Nothing is logged: that is what could not be done."""
    _OUTPUT_LOST.labels(stream).inc(lines)


def handler_failed(method: str, path: str, reason: BaseException) -> None:
    """A bug in a handler: its client got a 500, and an operator should look."""
    _log.error("a request failed", method=method, path=path, reason=repr(reason), exc_info=reason)


def listening(host: str, port: int) -> None:
    _log.info("listening", host=host, port=port)


def second_port_taken(port: int, reason: str) -> None:
    _log.warning(
        "the port for web3.js's WebSocket is taken; clients that derive its address will not find it, "
        "those that give wsEndpoint will",
        port=port,
        reason=reason,
    )


def stopping() -> None:
    _log.info("stopping")


def stopped(seconds: float, *, all_answered: bool) -> None:
    if all_answered:
        _log.info("all requests are answered, all connections closed", seconds=round(seconds, 3))
    else:
        _log.warning("some requests did not end in time; their connections were cut", seconds=round(seconds, 3))
