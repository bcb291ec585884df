"""Events that matter to the operator of a venue: each writes its log line and moves a metric. None tells a secret."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

import structlog
from prometheus_client import Counter, Gauge, Histogram

from countermand.domain.identity import OrderId
from countermand.domain.trigger.commands import Fate
from countermand.domain.trigger.order import AttemptKind
from countermand.domain.trigger.refusals import Refused
from countermand.engine.order_news import OrderNews
from countermand.engine.ports import Epoch

_log: Final = structlog.get_logger("countermand")

_TERMS: Final = Counter("countermand_terms_ended", "Terms of a shard that ended by a lost or failed commit", ["shard"])
_COMMITS: Final = Counter("countermand_commits", "Batches committed")
_COMMANDS: Final = Counter("countermand_journal_entries", "Journal entries committed")
_COMMIT_SECONDS: Final = Histogram("countermand_commit_seconds", "How long a commit takes")
_ORDERS: Final = Gauge("countermand_orders_in_memory", "Orders in memory", ["shard"])
_ATTEMPTS: Final = Counter("countermand_attempts_resolved", "Transactions whose fate became known", ["kind", "fate"])
_ANSWERS: Final = Counter(
    "countermand_orders_answered", "Requests on orders, by what was answered", ["request", "answer"]
)
_ALTERED: Final = Counter(
    "countermand_transactions_altered", "Signed transactions that differ from what was built", ["kind"]
)
_OUTBOX: Final = Gauge("countermand_outbox_pending", "Orders that the outbox owes something")
_CLOCK_BEHIND: Final = Gauge(
    "countermand_clock_behind_seconds", "By how much the machine's clock is behind what the venue's has shown"
)


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


def shard_loaded(shard: int, epoch: Epoch, orders: int) -> None:
    _ORDERS.labels(str(shard)).set(orders)
    _log.info("shard loaded", shard=shard, epoch=epoch.number, seq=epoch.seq, orders=orders)


def term_ended(shard: int, reason: BaseException, pause_ms: int) -> None:
    """The shard loads again after the pause."""
    _TERMS.labels(str(shard)).inc()
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
    _ORDERS.labels(str(shard)).set(orders)


def tells_of_orders() -> bool:
    """There is a reader of what happens to orders. Without one, it is not even gathered."""
    told: bool = _log.is_enabled_for(logging.INFO)
    return told


def orders_changed(news: Iterable[tuple[int, OrderNews]]) -> None:
    """One line an event, with the sequence number of its journal entry: what a commit did, written at once.

    A thousand cancels a second each make one. Written one by one they would cost a tenth of the cancels.
    """
    lines = [_line(seq, each) for seq, each in news]
    if lines:
        _log.info(ORDERS_CHANGED, **{LINES: lines})


def _line(seq: int, news: OrderNews) -> dict[str, Any]:
    line: dict[str, Any] = {
        "event": news.event,
        "order": news.order,
        "wallet": news.owner,
        "seq": seq,
        "cause": news.cause,
    }
    if news.reason is not None:
        line["reason"] = news.reason
    return line


def answered(request: str, answer: object) -> None:
    """`request` is place, amend, cancel or confirm."""
    named = answer.refusal.name.lower() if isinstance(answer, Refused) else type(answer).__name__.lower()
    _ANSWERS.labels(request, named).inc()


def transaction_altered(kind: str, of: str, differences: Mapping[str, object]) -> None:
    """The wallet signed another transaction than the one that was built: mostly a wallet that adds instructions.

    `kind` says what it was for, `of` names the order or the request.
    """
    _ALTERED.labels(kind).inc()
    _log.info("a signed transaction is not the one that was built", kind=kind, of=of, **differences)


def attempt_resolved(order_id: OrderId, kind: AttemptKind, fate: Fate, error: str | None) -> None:
    _ATTEMPTS.labels(kind.value, fate.value).inc()
    _log.debug("attempt resolved", order=order_id, kind=kind.value, fate=fate.value, error=error)


def outbox_pending(orders: int) -> None:
    _OUTBOX.set(orders)


def effect_failed(order_id: OrderId, reason: BaseException) -> None:
    """A bug in an effect. The order is tried again, but an operator should look."""
    _log.error("an effect failed", order=order_id, reason=repr(reason), exc_info=reason)
