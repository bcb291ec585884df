"""tanX by its own Python client, as it is published."""

from pathlib import Path

from tests.clients.tanx import run_client
from tests.end_to_end.venue import Venue

SCRIPTS = Path(__file__).parent


def test_the_published_client_trades_cancels_and_outlives_its_tokens(venue: Venue) -> None:
    done = run_client(SCRIPTS / "tanx_acceptance.py", venue.url)
    assert done.returncode == 0, done.stderr[-4_000:]
    assert "is content" in done.stdout
