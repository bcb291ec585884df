"""One run at a time for a wallet."""

import os
from pathlib import Path

import pytest

from countermand.rescue.lock import Busy, alone


def test_one_at_a_time_and_nothing_stays_behind(tmp_path: Path) -> None:
    file = tmp_path / "new" / "wallet.lock"
    for _ in range(2):
        with alone(file):
            with pytest.raises(Busy), alone(file):
                raise AssertionError
            with alone(file.with_name("another")):
                pass
        assert list(file.parent.iterdir()) == []


def test_a_file_that_was_left_behind_locks_no_process_out(tmp_path: Path) -> None:
    file = tmp_path / "wallet.lock"
    file.touch()
    with alone(file), pytest.raises(Busy), alone(file):
        raise AssertionError


def test_a_lock_that_was_removed_under_its_holder_is_not_the_next_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second opens the file of the first, which ends before the second locks it, and a third begins."""
    file = tmp_path / "wallet.lock"
    first, third = alone(file), alone(file)
    first.__enter__()
    opens = os.open

    def slowly(path: Path, flags: int, mode: int) -> int:
        descriptor = opens(path, flags, mode)
        monkeypatch.setattr(os, "open", opens)
        first.__exit__(None, None, None)
        third.__enter__()
        return descriptor

    monkeypatch.setattr(os, "open", slowly)
    with pytest.raises(Busy), alone(file):
        raise AssertionError
    third.__exit__(None, None, None)
