"""Chance that follows from a seed: each who needs some has a stream of its own, which nobody else disturbs."""

from random import Random


def chance(seed: int, who: str) -> Random:
    # Nothing here is secret: the same seed must give the same run.
    return Random(f"{seed} {who}")  # noqa: S311
