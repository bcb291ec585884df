"""The builds of our own two order programs, which the embedded chain runs at the addresses of the published ones.

Their sources, and what these bytes were built from, are in the project's directory `programs`.
"""

from importlib import resources
from typing import Final

from countermand.solana.port import Address
from countermand.solana.programs import dca, limit_order

_FILES: Final = {limit_order.PROGRAM: "limit_order.so", dca.PROGRAM: "dca.so"}


def program_builds() -> dict[Address, bytes]:
    """Both programs as ELF files, by their addresses, as `Genesis.programs` takes them."""
    # They have a directory of their own: beside the modules, `dca.so` would be imported in place of `dca.py`.
    built = resources.files("countermand.solana.programs").joinpath("built")
    return {address: built.joinpath(name).read_bytes() for address, name in _FILES.items()}
