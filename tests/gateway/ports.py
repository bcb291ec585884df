"""Ports for tests about ports that are taken."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_FIRST: Final = 20_000
_NOT_ASSIGNED: Final = 32_000
"""From 32,768 on, the system gives them to connections."""


@contextmanager
def free_port_before_a_taken_one() -> Iterator[int]:
    """The free one. The search begins elsewhere in each process."""
    for port in range(_FIRST + os.getpid() % 5_000 * 2, _NOT_ASSIGNED, 2):
        with socket.socket() as free, socket.socket() as taken:
            try:
                free.bind(("127.0.0.1", port))
                taken.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            free.close()
            taken.listen()
            yield port
            return
    raise AssertionError("no two ports are free")
