"""Methods about the node and its cluster: one node, which leads every slot, without votes and stakes."""

from decimal import Decimal
from functools import cache
from typing import Final

import msgspec

from countermand.solana.clockwork import SLOTS_PER_EPOCH
from countermand.solana.facade import params
from countermand.solana.facade.errors import block_not_available, invalid_params, no_snapshot
from countermand.solana.facade.group import API_VERSION, Json, MethodGroup, at
from countermand.solana.facade.params import Unsigned, address
from countermand.solana.port import Address

SLOT_LEADERS_MAX: Final = 5_000
_EPOCHS_SCHEDULED_AHEAD: Final = 1
_FEATURE_SET: Final = 0
_SHRED_VERSION: Final = 1
_STAKE_LAMPORTS_MIN: Final = 1
_NONE: Final = Decimal("0.0")
_SOCKETS: Final = ("gossip", "pubsub", "rpc", "serveRepair", "tpu", "tpuForwards", "tpuForwardsQuic", "tpuQuic")
_MORE_SOCKETS: Final = ("tpuVote", "tvu")


class ClusterMethods(MethodGroup):
    async def get_health(self) -> str:
        await self._slot(None)
        return "ok"

    async def get_version(self) -> Json:
        return {"solana-core": API_VERSION, "feature-set": _FEATURE_SET}

    async def get_identity(self) -> Json:
        return {"identity": self._identity}

    async def get_genesis_hash(self) -> str:
        return self._chain.genesis_hash

    async def get_cluster_nodes(self) -> list[Json]:
        """Itself, without what gossip tells, the addresses of its sockets above all: it speaks none."""
        known = {"featureSet": _FEATURE_SET, "pubkey": self._identity, "shredVersion": _SHRED_VERSION}
        return [{**known, "version": API_VERSION, **dict.fromkeys((*_SOCKETS, *_MORE_SOCKETS, "clientId"))}]

    async def get_highest_snapshot_slot(self) -> Json:
        raise no_snapshot()

    async def get_max_retransmit_slot(self) -> int:
        return await self._slot(None)

    async def get_max_shred_insert_slot(self) -> int:
        return await self._slot(None)

    # Slots, epochs and leaders.

    async def get_slot(self, config: params.Read | None = None) -> int:
        return await self._slot(config)

    async def get_block_height(self, config: params.Read | None = None) -> int:
        return await self._slot(config)

    async def get_epoch_info(self, config: params.Read | None = None) -> Json:
        """Without `transactionCount`, which `getTransactionCount` tells: to all clients it is optional."""
        slot = await self._slot(config)
        return {
            "absoluteSlot": slot,
            "blockHeight": slot,
            "epoch": slot // SLOTS_PER_EPOCH,
            "slotIndex": slot % SLOTS_PER_EPOCH,
            "slotsInEpoch": SLOTS_PER_EPOCH,
        }

    async def get_epoch_schedule(self) -> Json:
        schedule = {"slotsPerEpoch": SLOTS_PER_EPOCH, "leaderScheduleSlotOffset": SLOTS_PER_EPOCH}
        return {**schedule, "warmup": False, "firstNormalEpoch": 0, "firstNormalSlot": 0}

    async def get_slot_leader(self, config: params.Read | None = None) -> str:
        await self._slot(config)
        return self._identity

    async def get_slot_leaders(self, start_slot: Unsigned, limit: Unsigned) -> list[str]:
        if limit > SLOT_LEADERS_MAX:
            raise invalid_params(f"Invalid limit; max {SLOT_LEADERS_MAX}")
        slot = await self._slot(None)
        for epoch in range(start_slot // SLOTS_PER_EPOCH, (start_slot + max(limit, 1) - 1) // SLOTS_PER_EPOCH + 1):
            if not _is_scheduled(epoch, slot):
                raise invalid_params(f"Invalid slot range: leader schedule for epoch {epoch} is unavailable")
        return [self._identity] * limit

    async def get_leader_schedule(
        self,
        options: Unsigned | params.ReadLeaders | None = None,
        config: params.ReadLeaders | None = None,
    ) -> dict[str, msgspec.Raw] | None:
        """Of the epoch of a slot, by default the present one. Null beyond the next epoch."""
        wanted, config = (options, config) if isinstance(options, int) else (None, options or config)
        identity = None if config is None or config.identity is None else address(config.identity)
        slot = await self._slot(config)
        if not _is_scheduled((slot if wanted is None else wanted) // SLOTS_PER_EPOCH, slot):
            return None
        return {self._identity: _every_slot()} if identity in (None, self._identity) else {}

    async def get_block_production(self, config: params.ReadProduction | None = None) -> Json:
        slot, config = await self._slot(config), config or params.ReadProduction()
        identity = None if config.identity is None else address(config.identity)
        first, last = slot // SLOTS_PER_EPOCH * SLOTS_PER_EPOCH, slot
        if config.range is not None:
            first = config.range.first_slot
            last = slot if config.range.last_slot is None else config.range.last_slot
        if last < first:
            raise invalid_params(f"lastSlot, {last}, cannot be less than firstSlot, {first}")
        if last > slot:
            raise invalid_params(f"lastSlot, {last}, is too large; max {slot}")
        slots = last - first + 1
        produced = {self._identity: [slots, slots]} if identity in (None, self._identity) else {}
        return at(slot, {"byIdentity": produced, "range": {"firstSlot": first, "lastSlot": last}})

    # Votes, stakes and inflation: there are none.

    async def get_vote_accounts(self, config: params.ReadVotes | None = None) -> Json:
        await self._slot(config)
        if config is not None and config.vote_pubkey is not None:
            address(config.vote_pubkey)
        return {"current": [], "delinquent": []}

    async def get_block_commitment(self, slot: Unsigned) -> Json:
        del slot  # Only unrooted slots have one.
        return {"commitment": None, "totalStake": 0}

    async def get_stake_minimum_delegation(self, config: params.Read | None = None) -> Json:
        return at(await self._slot(config), _STAKE_LAMPORTS_MIN)

    async def get_inflation_governor(self, config: params.Read | None = None) -> Json:
        await self._slot(config)
        return dict.fromkeys(("foundation", "foundationTerm", "initial", "taper", "terminal"), _NONE)

    async def get_inflation_rate(self) -> Json:
        epoch = await self._slot(None) // SLOTS_PER_EPOCH
        return {**dict.fromkeys(("foundation", "total", "validator"), _NONE), "epoch": epoch}

    async def get_inflation_reward(self, addresses: list[str], config: params.ReadEpoch | None = None) -> list[None]:
        """There are none. A node finds them in the first block of the next epoch, and so refuses before that."""
        for text in addresses:
            address(text)
        slot = await self._confirmed_slot(config)
        epoch = None if config is None else config.epoch
        if epoch is None:
            epoch = max(slot // SLOTS_PER_EPOCH - 1, 0)
        told_in = (epoch + 1) * SLOTS_PER_EPOCH
        if told_in > slot:
            raise block_not_available(told_in)
        return [None] * len(addresses)

    @property
    def _identity(self) -> Address:
        return self._chain.genesis_hash


def _is_scheduled(epoch: int, slot: int) -> bool:
    return epoch <= slot // SLOTS_PER_EPOCH + _EPOCHS_SCHEDULED_AHEAD


@cache
def _every_slot() -> msgspec.Raw:
    """The indices of an epoch's slots: three megabytes, which are written once."""
    return msgspec.Raw(msgspec.json.encode(list(range(SLOTS_PER_EPOCH))))
