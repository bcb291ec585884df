"""Chance that follows from a seed: each name has a stream of its own, which no other disturbs."""

from random import Random


def chance(seed: int, who: str) -> Random:
    # Nothing here is secret: the same seed must give the same run.
    return Random(f"{seed} {who}")  # noqa: S311
