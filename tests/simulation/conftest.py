"""Where the parts of the simulator's seeds leave what occurred in them."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all workers of xdist."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    (shared / "simulated").mkdir(exist_ok=True)
    return shared / "simulated"
