"""Whether the database answered, and took writes, when it was looked at last."""


class Reachable:
    """Each shard has a look about every second, and tells what it saw."""

    def __init__(self) -> None:
        self._silent_to = set[int]()
        self._read_only_to = set[int]()

    def answered(self, shard: int, *, read_only: bool = False) -> None:
        self._silent_to.discard(shard)
        if read_only:
            self._read_only_to.add(shard)
        else:
            self._read_only_to.discard(shard)

    def was_silent(self, shard: int) -> None:
        self._silent_to.add(shard)

    def reason(self) -> str | None:
        """Why no order is served; None while all is well. Where the database is, is nothing for who asks."""
        if self._silent_to:
            return "the database does not answer"
        return "the database is read-only" if self._read_only_to else None
