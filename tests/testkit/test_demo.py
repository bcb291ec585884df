"""`countermand serve --demo`: something to look at."""

import re
import time
from pathlib import Path

from tests.end_to_end.venue import running_venue

FAMILIES = ("trigger", "dca", "limit", "recurring")


def test_a_demo_has_an_order_of_each_kind_and_prices_that_move(tmp_path: Path) -> None:
    with running_venue(tmp_path, "--demo", "--throwaway", confirm_timeout_ms=5_000) as venue:
        deadline = time.monotonic() + 60
        while not venue.ask("GET", "/sandbox/tanx/market-maker").ok()["marketMakers"]:
            assert time.monotonic() < deadline, venue.log.read_text()[-3_000:]
            time.sleep(0.1)
        lists = [venue.ask("GET", f"/sandbox/orders?family={family}").ok()["orders"] for family in FAMILIES]
        assert [len(each) for each in lists] == [4, 1, 1, 1]
        assert [each["symbol"] for each in venue.ask("GET", "/sandbox/playback").ok()["playbacks"]] == ["SOL"]
        assert venue.process.stdout is not None
        told = [venue.process.stdout.readline() for _ in range(6)][-1]
        assert re.fullmatch(r"Demo wallet: +[1-9A-Za-z]{32,44}\n", told), told
        assert venue.log.read_text() == "", "the URLs stay on the screen"
        venue.ask("DELETE", "/sandbox/playback").ok()
        venue.settles()
        assert venue.audit()["ok"]
