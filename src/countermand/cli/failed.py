"""A command that a bug ended."""


class Failed(Exception):
    """One line says which bug; `status` is the exit status."""

    def __init__(self, line: str, status: int) -> None:
        super().__init__(line)
        self.status = status
