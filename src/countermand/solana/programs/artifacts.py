"""The builds of our own programs, which the embedded chain runs at the addresses of the published ones.

Their sources, and what these bytes were built from, are in the project's directory `programs`.
"""

from importlib import resources
from typing import Final

from countermand.solana.port import Address
from countermand.solana.programs import dca, limit_order, swap

_FILES: Final = {limit_order.PROGRAM: "limit_order.so", dca.PROGRAM: "dca.so"}


def program_builds() -> dict[Address, bytes]:
    """The order programs as ELF files, by their addresses, as `Genesis.programs` takes them."""
    return {address: _built(name) for address, name in _FILES.items()}


def sandbox_program_builds() -> dict[Address, bytes]:
    """Those, and the one that swaps against a sandbox's pool."""
    return {**program_builds(), swap.PROGRAM: _built("swap.so")}


def _built(name: str) -> bytes:
    # They have a directory of their own: beside the modules, `dca.so` would be imported in place of `dca.py`.
    return resources.files("countermand.solana.programs").joinpath("built").joinpath(name).read_bytes()
