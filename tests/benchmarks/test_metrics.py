"""What the benchmarks read of a venue's metrics has the names that the venue gives it."""

from prometheus_client import generate_latest

from benchmarks.venue import landed_fills
from countermand.kernel import telemetry
from countermand.values.identity import OrderId
from countermand.values.transactions import AttemptKind, TransactionOutcome


def test_fills_that_landed_are_counted() -> None:
    before = landed_fills(generate_latest().decode())
    for kind, outcome in (
        (AttemptKind.FILL, TransactionOutcome.LANDED),
        (AttemptKind.FILL, TransactionOutcome.DEAD),
        (AttemptKind.DEPOSIT, TransactionOutcome.LANDED),
        (AttemptKind.FILL, TransactionOutcome.LANDED),
    ):
        telemetry.attempt_resolved(OrderId("order"), kind, outcome, None)
    assert landed_fills(generate_latest().decode()) == before + 2
