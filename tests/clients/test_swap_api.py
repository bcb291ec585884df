"""Jupiter's own client for Swap v1 swaps against the sandbox, and web3.js signs and sends."""

from pathlib import Path

from tests.clients.node import run_node
from tests.end_to_end.venue import Venue

SCRIPT = Path(__file__).with_name("swap_api.mjs")


def test_a_bot_by_the_published_client(venue: Venue) -> None:
    done = run_node(SCRIPT, venue.url)
    assert done.returncode == 0, done.stderr[-4_000:]
    assert "is content" in done.stdout
