"""E6: what the methods say of the node and its cluster. There is one node, without votes and rewards."""

from collections.abc import AsyncIterator

import msgspec
import pytest
import solders.rpc.responses as rust
from solders.pubkey import Pubkey

from countermand.solana.embedded import EmbeddedChain
from tests.solana.chain_support import ManualClock, open_chain
from tests.solana.facade_venue import Facade, opened_chain

EPOCH = 432_000


@pytest.fixture
async def chain() -> AsyncIterator[EmbeddedChain]:
    async with opened_chain() as opened:
        yield opened


@pytest.fixture
def rpc(chain: EmbeddedChain) -> Facade:
    return Facade(chain)


@pytest.fixture
async def old() -> AsyncIterator[Facade]:
    """A node in its fourth epoch, at a slot that stays."""
    clock = ManualClock()
    chain = await open_chain(clock=clock)
    clock.wall += 400 * 3 * EPOCH
    yield Facade(chain)
    await chain.close()


async def test_one_node_leads_every_slot(rpc: Facade) -> None:
    identity = (await rpc.call("getIdentity"))["identity"]
    slot = await rpc.call("getSlot")
    assert await rpc.call("getSlotLeader") == identity
    assert await rpc.call("getSlotLeaders", slot, 3) == [identity] * 3
    assert await rpc.call("getSlotLeaders", slot, 0) == []
    assert len(await rpc.call("getSlotLeaders", 2 * EPOCH - 5_000, 5_000)) == 5_000
    (node,) = await rpc.call("getClusterNodes")
    version = await rpc.call("getVersion")
    assert (node["pubkey"], node["version"], node["featureSet"]) == (
        identity,
        version["solana-core"],
        version["feature-set"],
    )
    assert {node[name] for name in ("gossip", "rpc", "tpu", "tpuQuic", "pubsub", "clientId")} == {None}


async def test_leaders_are_known_until_the_next_epoch_ends(rpc: Facade) -> None:
    refused = {"code": -32602, "message": "Invalid slot range: leader schedule for epoch 2 is unavailable"}
    assert await rpc.fails("getSlotLeaders", 2 * EPOCH, 1) == refused
    assert await rpc.fails("getSlotLeaders", 2 * EPOCH - 1, 2) == refused
    assert await rpc.call("getLeaderSchedule", 2 * EPOCH) is None
    assert await rpc.call("getLeaderSchedule", 2 * EPOCH - 1) is not None


async def test_the_schedule_of_leaders(rpc: Facade) -> None:
    identity = (await rpc.call("getIdentity"))["identity"]
    schedule = await rpc.call("getLeaderSchedule")
    assert list(schedule) == [identity]
    assert schedule[identity] == list(range(EPOCH))
    other = str(Pubkey.new_unique())
    for params in (({"identity": identity},), (None, {"identity": identity}), (EPOCH, {"identity": identity})):
        assert list(await rpc.call("getLeaderSchedule", *params)) == [identity]
    assert await rpc.call("getLeaderSchedule", {"identity": other}) == {}
    assert (await rpc.fails("getLeaderSchedule", {"identity": "x"}))["code"] == -32602


async def test_the_blocks_that_were_produced(old: Facade) -> None:
    identity = (await old.call("getIdentity"))["identity"]
    slot, begins = await old.call("getSlot"), 3 * EPOCH
    value = await old.value("getBlockProduction")
    produced = slot - begins + 1
    assert value == {
        "byIdentity": {identity: [produced, produced]},
        "range": {"firstSlot": begins, "lastSlot": slot},
    }
    config = {"range": {"firstSlot": 10, "lastSlot": 19}}
    assert (await old.value("getBlockProduction", config))["byIdentity"] == {identity: [10, 10]}
    stranger = {"identity": str(Pubkey.new_unique())}
    assert (await old.value("getBlockProduction", stranger))["byIdentity"] == {}
    for first, last, message in (
        (20, 19, "lastSlot, 19, cannot be less than firstSlot, 20"),
        (0, slot + 1, f"lastSlot, {slot + 1}, is too large; max {slot}"),
    ):
        config = {"range": {"firstSlot": first, "lastSlot": last}}
        assert await old.fails("getBlockProduction", config) == {"code": -32602, "message": message}


async def test_there_are_no_votes_and_no_rewards(old: Facade) -> None:
    vote = str(Pubkey.new_unique())
    none: dict[str, list[object]] = {"current": [], "delinquent": []}
    assert await old.call("getVoteAccounts") == none
    assert await old.call("getVoteAccounts", {"votePubkey": vote, "keepUnstakedDelinquents": True}) == none
    assert (await old.fails("getVoteAccounts", {"votePubkey": "x"}))["code"] == -32602
    assert await old.call("getBlockCommitment", 5) == {"commitment": None, "totalStake": 0}
    assert await old.value("getStakeMinimumDelegation") == 1
    assert set((await old.call("getInflationGovernor")).values()) == {0}
    assert await old.call("getInflationRate") == {"epoch": 3, "foundation": 0, "total": 0, "validator": 0}
    assert await old.call("getInflationReward", [vote, vote]) == [None, None]
    assert await old.call("getInflationReward", [vote], {"epoch": 0}) == [None]


async def test_the_rewards_of_an_epoch_are_told_in_the_next(rpc: Facade, old: Facade) -> None:
    """As on a node: the block that would tell them has not come."""
    for node, config, slot in ((rpc, None, EPOCH), (old, {"epoch": 3}, 4 * EPOCH)):
        refused = {"code": -32004, "message": f"Block not available for slot {slot}"}
        assert await node.fails("getInflationReward", [], config) == refused


async def test_what_a_node_without_snapshots_says(rpc: Facade) -> None:
    assert await rpc.fails("getHighestSnapshotSlot") == {"code": -32008, "message": "No snapshot"}
    slot = await rpc.call("getSlot")
    assert await rpc.call("getMaxRetransmitSlot") >= slot
    assert await rpc.call("getMaxShredInsertSlot") >= slot


@pytest.mark.parametrize(
    ("method", "params", "answer"),
    [
        ("getBlockCommitment", [5], rust.GetBlockCommitmentResp),
        ("getBlockProduction", [], rust.GetBlockProductionResp),
        ("getClusterNodes", [], rust.GetClusterNodesResp),
        ("getIdentity", [], rust.GetIdentityResp),
        ("getInflationGovernor", [], rust.GetInflationGovernorResp),
        ("getInflationRate", [], rust.GetInflationRateResp),
        ("getInflationReward", [["11111111111111111111111111111111"], {"epoch": 0}], rust.GetInflationRewardResp),
        ("getLeaderSchedule", [], rust.GetLeaderScheduleResp),
        ("getMaxRetransmitSlot", [], rust.GetMaxRetransmitSlotResp),
        ("getMaxShredInsertSlot", [], rust.GetMaxShredInsertSlotResp),
        ("getSlotLeader", [], rust.GetSlotLeaderResp),
        ("getSlotLeaders", [0, 5], rust.GetSlotLeadersResp),
        ("getVoteAccounts", [], rust.GetVoteAccountsResp),
        ("minimumLedgerSlot", [], rust.MinimumLedgerSlotResp),
    ],
)
async def test_what_rust_reads_of_it(old: Facade, method: str, params: list[object], answer: type) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    body = (await old.dispatcher.answer(msgspec.json.encode(request))).body.decode()
    read = answer.from_json(body)  # type: ignore[attr-defined]
    assert isinstance(read, answer), body
