"""The errors that the engine logs during a run. Nothing of it is printed, and its own bugs are told."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import structlog

IsBug = Callable[[str, BaseException], None]


@contextlib.contextmanager
def captured_log() -> Iterator[Callable[[IsBug], None]]:
    """Yields a function that registers a callback for bugs."""
    told: list[IsBug] = []

    def hear(_logger: object, _method: str, line: Any) -> Any:
        for is_bug in told:
            if line.get("event") == "an effect failed":
                is_bug("outbox", line["exc_info"])
            if "StateInDoubt" in str(line.get("reason", "")) + str(line.get("cause", "")):
                is_bug("shard", AssertionError(str(line)))
        raise structlog.DropEvent

    before, silent = structlog.get_config(), logging.root.manager.disable
    only_errors = structlog.make_filtering_bound_logger(logging.ERROR)
    structlog.configure(processors=[hear], wrapper_class=only_errors, cache_logger_on_first_use=False)
    logging.disable(logging.CRITICAL)
    try:
        yield told.append
    finally:
        structlog.configure(**before)
        logging.disable(silent)
