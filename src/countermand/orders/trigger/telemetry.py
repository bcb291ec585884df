"""Events that matter to the operator of a venue: each writes its log line and moves a metric. None tells a secret."""

from typing import Final

import structlog
from prometheus_client import Counter, Gauge

from countermand.orders.trigger.model.refusals import Refused
from countermand.values.identity import OrderId
from countermand.values.transactions import AttemptKind, TransactionOutcome

_log: Final = structlog.get_logger("countermand")

_ATTEMPTS: Final = Counter(
    "countermand_attempts_resolved", "Transactions whose outcome became known", ["kind", "outcome"]
)
_ANSWERS: Final = Counter(
    "countermand_orders_answered", "Requests on orders, by what was answered", ["request", "answer"]
)
_OUTBOX: Final = Gauge("countermand_outbox_pending", "Orders that the outbox owes something")


def answered(request: str, answer: object) -> None:
    """`request` is place, amend, cancel or confirm."""
    named = answer.refusal.name.lower() if isinstance(answer, Refused) else type(answer).__name__.lower()
    _ANSWERS.labels(request, named).inc()


def attempt_resolved(order_id: OrderId, kind: AttemptKind, outcome: TransactionOutcome, error: str | None) -> None:
    _ATTEMPTS.labels(kind.value, outcome.value).inc()
    _log.debug("attempt resolved", order=order_id, kind=kind.value, outcome=outcome.value, error=error)


def outbox_pending(orders: int) -> None:
    _OUTBOX.set(orders)


def effect_failed(order_id: OrderId, reason: BaseException) -> None:
    """A bug in an effect. The order is tried again, but an operator should look."""
    _log.error("an effect failed", order=order_id, reason=repr(reason), exc_info=reason)
