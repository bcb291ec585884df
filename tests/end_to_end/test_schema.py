"""Requests that a machine makes up from our OpenAPI documents: none ends in a bug, and answers look as documented."""

import re
from pathlib import Path

import pytest

from tests.end_to_end.member import Member
from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import Venue
from tests.forked import Forker, run

SCHEMATHESIS = Forker("tests.end_to_end.imported_schemathesis")
RUNS = "import os, sys, schemathesis.cli; os.chdir(sys.argv.pop(1)); schemathesis.cli.schemathesis()"
CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance,status_code_conformance"


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("trigger-v2", 100),
        ("trigger-v1", 100),
        ("recurring-v1", 100),
        ("swap-v1", 100),
        ("price-v3", 10),
        ("price-v2", 10),
        ("tokens-v2", 10),
    ],
)
def test_made_up_requests_are_answered_as_documented(
    venue: Venue, alice: Trader, name: str, most: int, tmp_path: Path
) -> None:
    check(venue, name, alice.token, tmp_path, most=most)


def test_made_up_requests_of_a_member_of_tanx(venue: Venue, tmp_path: Path) -> None:
    member = Member(venue).joins().has(btc="1000", usdc="1000000")
    member.places("buy", 0.01, 1000)
    assert member.access is not None
    check(venue, "tanx", member.access, tmp_path)


def check(venue: Venue, name: str, token: str, tmp_path: Path, *, most: int = 100) -> None:
    """`most`: more requests than that are made up."""
    done = run(
        RUNS,
        str(tmp_path),
        *("run", f"{venue.url}/openapi/{name}.json"),
        *("--url", venue.url, "--header", f"Authorization: Bearer {token}"),
        *("--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", "15"),
        *("--generation-deterministic", "--workers", "1", "--no-color"),
        seconds=120,
        forker=SCHEMATHESIS,
    )
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    made_up = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert made_up is not None
    assert int(made_up[1]) == int(made_up[2]) > most
