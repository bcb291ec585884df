import pytest

from tests.programs.world import World


@pytest.fixture
def world() -> World:
    return World()
