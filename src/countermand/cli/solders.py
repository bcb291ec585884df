"""`countermand solders`."""

from countermand import own_solders


def solders() -> int:
    """Install the solders that a venue runs with, where a bot in this environment needs an older one.

    It goes into a directory of its own, which only the commands look into.
    """
    own_solders.install()
    print(f"A venue runs with the solders in {own_solders.DIRECTORY}")
    return 0
