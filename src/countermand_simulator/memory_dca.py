"""The store of recurring orders of the simulator."""

from countermand.orders.dca.ports import DcaRows, OrderRow
from countermand.orders.dca.records import SHOWN
from countermand_simulator.fenced import Faults, FencedDatabase
from countermand_simulator.memory_vaults import MemoryVaultShard, MemoryVaultStore


class MemoryDcaShard(MemoryVaultShard[DcaRows, OrderRow]):
    pass


class MemoryDcaStore(MemoryVaultStore[MemoryDcaShard]):
    """`orders.dca.ports.Store`."""

    shown = SHOWN

    def __init__(self, database: FencedDatabase[MemoryDcaShard] | None = None, faults: Faults | None = None) -> None:
        super().__init__(FencedDatabase(MemoryDcaShard) if database is None else database, faults)
