"""Finds an owner's orders: by asking a node for the accounts of the programs, or by addresses that are known."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from countermand.rescue.orders import OLDER, OlderProgram, OpenOrder, Read, Unfit, read
from countermand.solana.port import AccountInfo, Address, ChainUnavailable, Memcmp
from countermand.solana.programs import dca, limit_order
from countermand.solana.programs.anchor import key
from countermand.solana.rpc import RpcChain
from countermand.solana.rpc.node import BadStatus, NodeBusy, NodeRefused

_LISTS: Final[Sequence[tuple[Address, Memcmp, int]]] = (
    (
        limit_order.PROGRAM,
        (limit_order.ORDER_DISCRIMINATOR_AT, limit_order.ORDER_DISCRIMINATOR),
        limit_order.ORDER_MAKER_AT,
    ),
    (dca.PROGRAM, (dca.DCA_DISCRIMINATOR_AT, dca.DCA_DISCRIMINATOR), dca.DCA_USER_AT),
)
"""A program, what its orders begin with, and where they have their owner. No size: newer orders may be longer."""


class ListRefused(Exception):
    """The node does not list the accounts of a program, or not now. In words, without a remedy."""


class Counted(Struct, frozen=True):
    """How many orders of an older program the owner has. None: the node did not tell, and why."""

    older: OlderProgram
    addresses: tuple[Address, ...] | None
    reason: str | None = None


class Found(Struct, frozen=True):
    orders: tuple[OpenOrder, ...]
    unfit: tuple[Unfit, ...]
    counted: tuple[Counted, ...]


async def find(chain: RpcChain, owner: Address) -> Found:
    """All of them. Raises `ListRefused`, or `ChainUnavailable`."""
    found: dict[Address, AccountInfo] = {}
    for program, begins, owner_at in _LISTS:
        found |= dict(await _listed(chain, program, [begins, (owner_at, bytes(key(owner)))]))
    reads = [read(address, info, owner) for address, info in found.items()]
    return _found(reads, tuple([await _count(chain, older, owner) for older in OLDER]))


async def find_named(chain: RpcChain, owner: Address, named: Sequence[Address]) -> Found:
    """Those of the named accounts that are open orders of the owner. Older programs are not asked for."""
    addresses = list(dict.fromkeys(named))
    infos = await chain.accounts(addresses)
    reads = [read(address, info, owner) for address, info in zip(addresses, infos, strict=True)]
    counted = tuple(Counted(older, None, "only the named accounts were looked at") for older in OLDER)
    return _found(reads, counted)


async def existing(chain: RpcChain, addresses: Sequence[Address]) -> dict[Address, AccountInfo]:
    asked = list(dict.fromkeys(addresses))
    infos = await chain.accounts(asked)
    return {address: info for address, info in zip(asked, infos, strict=True) if info is not None}


def _found(reads: Sequence[Read], counted: tuple[Counted, ...]) -> Found:
    orders = tuple(each for each in reads if isinstance(each, OpenOrder))
    return Found(orders, tuple(each for each in reads if isinstance(each, Unfit)), counted)


async def _count(chain: RpcChain, older: OlderProgram, owner: Address) -> Counted:
    try:
        found = await _listed(chain, older.program, [(older.owner_at, bytes(key(owner)))])
    except (ListRefused, ChainUnavailable) as refused:
        return Counted(older, None, str(refused))
    return Counted(older, tuple(address for address, _ in found))


async def _listed(
    chain: RpcChain, program: Address, filters: Sequence[Memcmp]
) -> Sequence[tuple[Address, AccountInfo]]:
    try:
        return await chain.program_accounts(program, memcmp=filters)
    except (NodeRefused, BadStatus, NodeBusy) as refused:
        raise ListRefused(str(refused)) from refused
