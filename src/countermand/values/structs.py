"""What values are made of: the one door by which a library comes into the domain.

To a reader and a type checker a `Struct` is a dataclass with slots. Python makes its class in 12 µs instead of 0.5 ms,
and a venue starts with more than four hundred of them.

A value is made of others that were there before it, so none can be part of a cycle: Python does not look at them for
garbage, and none has the 16 bytes with which it would. A struct that changes says `gc=True`.
"""

from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType, field
from msgspec.structs import force_setattr

if TYPE_CHECKING:
    # mypy knows the fields of a struct here as it knows those of a dataclass: a wrong name or type is an error.
    from dataclasses import replace

    from msgspec import Struct
else:
    import msgspec
    from msgspec.structs import replace

    class Struct(msgspec.Struct, gc=False):
        """The base of values."""


__all__ = ["UNSET", "Struct", "UnsetType", "field", "force_setattr", "replace"]
