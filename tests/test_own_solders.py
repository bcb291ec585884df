"""A venue does not run with a solders that is not its own. That it runs beside an older one, `make package` shows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from countermand import own_solders
from countermand.settings import StartRefused


@pytest.mark.parametrize("command", [("simulate", "--steps", "1"), ("doctor", "--port", "0")], ids=lambda it: it[0])
def test_another_solders_is_refused_in_words_that_say_what_helps(command: tuple[str, ...], tmp_path: Path) -> None:
    described = tmp_path / "solders-0.26.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: solders\nVersion: 0.26.0\n")
    done = subprocess.run(
        [sys.executable, "-m", "countermand", *command],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == {"simulate": 2, "doctor": 1}[command[0]], done
    said = done.stdout + done.stderr
    assert said.count("0.26.0") == said.count("`countermand solders`") == 1
    assert done.stderr.count("\n") == (command[0] == "simulate")


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    monkeypatch.setattr(own_solders, "DIRECTORY", tmp_path)
    monkeypatch.setattr(sys, "path", ["elsewhere"])
    return sys.path


def test_the_venues_own_is_preferred_to_another(path: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_solders, "installed", lambda: "0.26.0")
    own_solders.prefer()
    assert path == [str(own_solders.DIRECTORY), "elsewhere"]


def test_one_that_fits_is_kept(path: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_solders, "installed", lambda: "0.29.4")
    own_solders.prefer()
    assert path == ["elsewhere"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "WARNING: Retrying\nERROR: No matching distribution found\n\n[notice] A new release of pip\n",
            "ERROR: No matching",
        ),
        ("No module named pip\n", "No module named pip"),
        ("", "pip said nothing"),
    ],
)
def test_why_pip_could_not_install_it_is_told(
    said: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text(f"import sys; sys.stderr.write({said!r}); sys.exit(1)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(StartRefused, match=f": {reason}"):
        own_solders.install()


def test_a_longer_number_is_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_solders, "installed", lambda: "0.290.1")
    with pytest.raises(StartRefused, match=r"0\.290\.1"):
        own_solders.check()
