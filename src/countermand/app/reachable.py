"""Whether the database answered when it was looked at last."""


class Reachable:
    """Each shard has a look about every second, and tells what it saw."""

    def __init__(self) -> None:
        self._silent_to = set[int]()

    def answered(self, shard: int) -> None:
        self._silent_to.discard(shard)

    def was_silent(self, shard: int) -> None:
        self._silent_to.add(shard)

    def reason(self) -> str | None:
        """Why no order is served; None while it answers. Where the database is, is nothing for who asks."""
        return "the database does not answer" if self._silent_to else None
