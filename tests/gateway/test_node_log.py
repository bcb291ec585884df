"""What the log of a venue over a real node says of a node that does not answer."""

from structlog.testing import capture_logs

from countermand.app.node_log import AGAIN_MS, NodeLog
from countermand.solana.port import ChainUnavailable


def test_each_method_is_told_of_once_in_a_while() -> None:
    now = 0
    log = NodeLog(lambda: now)
    with capture_logs() as lines:
        for now in (0, 1, AGAIN_MS - 1, AGAIN_MS):
            log.unanswered("getProgramAccounts", ChainUnavailable(f"forbidden {now}"))
            log.unanswered("getEpochInfo", ChainUnavailable("too slow"))
    assert [(line["method"], line["reason"]) for line in lines] == [
        ("getProgramAccounts", "forbidden 0"),
        ("getEpochInfo", "too slow"),
        ("getProgramAccounts", f"forbidden {AGAIN_MS}"),
        ("getEpochInfo", "too slow"),
    ]
    assert {line["log_level"] for line in lines} == {"warning"}
