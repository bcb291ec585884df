"""The events that matter to whoever runs a venue: each writes its log line and moves its metric. None tells secrets."""

from typing import Final

import structlog
from prometheus_client import Counter, Gauge, Histogram

from countermand.domain.identity import OrderId
from countermand.domain.trigger.commands import Fate
from countermand.domain.trigger.order import AttemptKind
from countermand.domain.trigger.refusals import Refused
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
_OUTBOX: Final = Gauge("countermand_outbox_pending", "Orders that the outbox owes something")


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


def answered(request: str, answer: object) -> None:
    """`request` is place, amend, cancel or confirm."""
    named = answer.refusal.name.lower() if isinstance(answer, Refused) else type(answer).__name__.lower()
    _ANSWERS.labels(request, named).inc()


def attempt_resolved(order_id: OrderId, kind: AttemptKind, fate: Fate, error: str | None) -> None:
    _ATTEMPTS.labels(kind.value, fate.value).inc()
    _log.debug("attempt resolved", order=order_id, kind=kind.value, fate=fate.value, error=error)


def outbox_pending(orders: int) -> None:
    _OUTBOX.set(orders)


def effect_failed(order_id: OrderId, reason: BaseException) -> None:
    """A bug in an effect. The order is tried again, but somebody should look."""
    _log.error("an effect failed", order=order_id, reason=repr(reason), exc_info=reason)
