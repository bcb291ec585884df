"""A part of the simulator's seeds."""

from tests.simulation.seeds import part

test_no_seed_breaks_a_claim = part(1)
