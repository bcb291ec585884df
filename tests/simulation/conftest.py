"""Where the parts of the simulator's seeds leave what occurred in them, and how often their garbage is looked for."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

_YOUNG_OBJECTS = 5_000


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all workers of xdist."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    (shared / "simulated").mkdir(exist_ok=True)
    return shared / "simulated"


@pytest.fixture(scope="module", autouse=True)
def _garbage_is_looked_for_seldom() -> Iterator[None]:
    """A run leaves little behind: else a twentieth of its time went into looking."""
    before = gc.get_threshold()
    gc.set_threshold(_YOUNG_OBJECTS, *before[1:])
    yield
    gc.set_threshold(*before)
