"""A sandbox's clock at its end: whatever it shows, tanX can write."""

from pathlib import Path

from tests.end_to_end.member import Member
from tests.end_to_end.venue import running_venue

CENTURY_S = 3_100_000_000


def test_the_clock_goes_no_further_than_what_can_be_written(tmp_path: Path) -> None:
    with running_venue(tmp_path) as venue:
        answers = [venue.ask("POST", "/sandbox/clock/advance", {"seconds": CENTURY_S}) for _ in range(75)]
        assert [answer.status for answer in answers[-2:]] == [400, 400]
        assert "year 9000" in answers[-1].error[1]
        reached = venue.now()
        alice = Member(venue).joins().has(usdc="1000")
        assert alice.sees(alice.places("buy", 0.1, 1000))["created_at"].startswith("89")
        assert [row["state"] for row in alice.get("/sapi/v1/orders")] == ["wait"]
        venue.freezes(reached + 3_600_000)
        assert venue.ask("GET", "/sapi/v1/market/orderbook/?market=btcusdc").ok()["payload"]["bids"]
