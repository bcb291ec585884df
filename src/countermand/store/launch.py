"""The command line that starts a program as another user: `become` is what it runs first."""

import os
import sys
from pathlib import Path

from msgspec import Struct

from countermand.store import become


class ProcessIdentity(Struct, frozen=True):
    """The user and group that the program runs as. With neither field, our own.

    `mapped_to`: in a user namespace of its own, our own user and group go by these numbers; files keep their owners.
    `user`: another user and group.
    """

    mapped_to: tuple[int, int] | None = None
    user: tuple[int, int] | None = None


AS_WE_ARE = ProcessIdentity()


def command(identity: ProcessIdentity, directory: Path, program: list[str]) -> list[str]:
    """The command line that runs `program` as `identity`, which must be able to enter `directory`."""
    options = [str(os.getpid()), str(directory), _pair(identity.mapped_to), _pair(identity.user)]
    return [sys.executable, "-I", "-S", become.__file__, *options, *program]


def _pair(numbers: tuple[int, int] | None) -> str:
    return "" if numbers is None else f"{numbers[0]}:{numbers[1]}"
