"""What all methods of the chain's door have in common: the chain, the slot that an answer is about, names on the wire.

Everything that landed is finalized, so the three commitments mean the same; `minContextSlot` is honoured.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.facade import params
from countermand.solana.facade.errors import below_confirmed, slot_not_reached

API_VERSION: Final = "4.1.2"
"""The version of Agave whose runtime the virtual machine contains."""

_VERBS: Final = ("get", "is", "minimum", "request", "send", "simulate")

Json = dict[str, Any]


class MethodGroup:
    """Methods of a node. Each is named on the wire as here, but in camel case."""

    def __init__(self, chain: EmbeddedChain) -> None:
        self._chain = chain

    def by_name(self) -> dict[str, Callable[..., Awaitable[object]]]:
        names = (name for name in vars(type(self)) if name.split("_")[0] in _VERBS)
        return {_camel_case(name): getattr(self, name) for name in names}

    async def _slot(self, config: params.Read | None) -> int:
        """The slot that an answer is about: read before the state, so the state is never older than it says."""
        return await self._reached(None if config is None else config.min_context_slot)

    async def _confirmed_slot(self, config: params.Read | None) -> int:
        """For methods about blocks and what is in them, which a node knows from `confirmed` on."""
        if config is not None and config.commitment is params.Commitment.PROCESSED:
            raise below_confirmed()
        return await self._slot(config)

    async def _reached(self, wanted: int | None) -> int:
        slot = await self._chain.finalized_block_height()
        if wanted is not None and slot < wanted:
            raise slot_not_reached(slot)
        return slot


def at(slot: int, value: object) -> Json:
    return {"context": {"apiVersion": API_VERSION, "slot": slot}, "value": value}


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
