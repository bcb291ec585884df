"""Events of the kernel that matter to an operator: each writes its log line and moves a metric."""

import logging
from collections.abc import Sequence
from functools import cache
from typing import Final

import msgspec
import structlog
from prometheus_client import Counter, Gauge, Histogram

from countermand.kernel.ports import Epoch, EventRow
from countermand.values.identity import OrderId
from countermand.values.transactions import AttemptKind, TransactionOutcome

_log: Final = structlog.get_logger("countermand")

_EPOCHS_ENDED: Final = Counter(
    "countermand_epochs_ended", "Epochs of a shard that ended by a lost or failed commit", ["shard"]
)
_COMMITS: Final = Counter("countermand_commits", "Batches committed")
_COMMANDS: Final = Counter("countermand_journal_entries", "Journal entries committed")
_COMMIT_SECONDS: Final = Histogram("countermand_commit_seconds", "How long a commit takes")
_ORDERS: Final = Gauge("countermand_orders_in_memory", "Orders in memory", ["shard"])
_CLOCK_BEHIND: Final = Gauge(
    "countermand_clock_behind_seconds", "By how much the machine's clock is behind what the venue's has shown"
)
_ATTEMPTS: Final = Counter(
    "countermand_attempts_resolved", "Transactions whose outcome became known", ["kind", "outcome"]
)
_ANSWERS: Final = Counter(
    "countermand_orders_answered", "Requests on orders, by what was answered", ["request", "answer"]
)
_OUTBOX: Final = Gauge("countermand_outbox_pending", "Orders that an outbox owes something")


def answered(request: str, answer: str) -> None:
    """`request` is place, amend, cancel or confirm; `answer` names a refusal, or the kind of the answer."""
    _answers(request, answer.lower()).inc()


@cache
def _answers(request: str, answer: str) -> Counter:
    return _ANSWERS.labels(request, answer)


def attempt_resolved(order_id: OrderId, kind: AttemptKind, outcome: TransactionOutcome, error: str | None) -> None:
    _ATTEMPTS.labels(kind.value, outcome.value).inc()
    _log.debug("attempt resolved", order=order_id, kind=kind.value, outcome=outcome.value, error=error)


def outbox_pending(more: int) -> None:
    """By how many more orders than before an outbox owes something."""
    _OUTBOX.inc(more)


def effect_failed(order_id: OrderId, reason: BaseException) -> None:
    """A bug in an effect. The order is tried again, but an operator should look."""
    _log.error("an effect failed", order=order_id, reason=repr(reason), exc_info=reason)


def clock_behind(milliseconds: int) -> None:
    _CLOCK_BEHIND.set(milliseconds / 1000)


def clock_went_back(milliseconds: int) -> None:
    _log.warning(
        "the machine's clock is behind: the venue's stands until it has caught up", seconds=milliseconds / 1000
    )


def clock_caught_up(_milliseconds: int) -> None:
    _log.info("the machine's clock has caught up: the venue's goes on")


LINES: Final = "lines"
"""The key under which an event of the log holds several lines: all that one commit did to orders."""
ORDERS_CHANGED: Final = "orders changed"


class _Why(msgspec.Struct):
    """What a line repeats of an event's body."""

    cause: str
    reason: str | None = None


_WHY: Final = msgspec.json.Decoder(_Why)


def orders_changed(events: Sequence[EventRow]) -> None:
    """One line an event, with the sequence number of its journal entry: what a commit did, written at once.

    A thousand cancels a second each make one. Written one by one they would cost a tenth of the cancels.
    """
    if events and _log.is_enabled_for(logging.INFO):
        _log.info(ORDERS_CHANGED, **{LINES: [_line(event) for event in events]})


def _line(event: EventRow) -> dict[str, str | int]:
    record, why = event.record, _WHY.decode(event.record.body)
    line: dict[str, str | int] = {
        "event": record.kind,
        "order": record.order_id,
        "wallet": record.wallet,
        "seq": event.seq,
        "cause": why.cause,
    }
    if why.reason is not None:
        line["reason"] = why.reason
    return line


def shard_loaded(shard: int, epoch: Epoch, orders: int, *, again: bool) -> None:
    """Of the first load a start tells when all shards are loaded: if one cannot be read, that is its only line."""
    _orders_in(shard).set(orders)
    level = logging.INFO if again else logging.DEBUG
    _log.log(level, "shard loaded", shard=shard, epoch=epoch.number, seq=epoch.seq, orders=orders)


def epoch_ended(shard: int, reason: BaseException, pause_ms: int) -> None:
    """The shard loads again after the pause."""
    _EPOCHS_ENDED.labels(str(shard)).inc()
    _log.error(
        "the shard forgets and loads again",
        shard=shard,
        reason=str(reason),
        cause=repr(reason.__cause__),
        pause_ms=pause_ms,
    )


def committed(shard: int, entries: int, milliseconds: int, orders: int) -> None:
    _COMMITS.inc()
    _COMMANDS.inc(entries)
    _COMMIT_SECONDS.observe(milliseconds / 1000)
    _orders_in(shard).set(orders)


@cache
def _orders_in(shard: int) -> Gauge:
    return _ORDERS.labels(str(shard))
