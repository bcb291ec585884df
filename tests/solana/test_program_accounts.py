"""Accounts of a program by what stands in them: with an index and without, whatever happens to them."""

import random
from collections.abc import Mapping

import pytest
from solders.pubkey import Pubkey
from solders.system_program import AssignParams, assign

from countermand.solana.embedded import EmbeddedChain, Genesis
from countermand.solana.port import AccountInfo, ChainUnavailable, Memcmp
from countermand.solana.tokens import SYSTEM_PROGRAM, TOKEN_PROGRAM, USDC_MINT, associated_token_address
from countermand.values.structs import replace
from countermand_simulator.memory_ledger import MemoryLedgerStore
from tests.gifts import faucet_of
from tests.solana.chain_support import (
    GENESIS,
    SOL,
    FaultyStore,
    address,
    open_chain,
    pays,
    signed,
    token_transfer,
    wallet,
)
from tests.solana.facade_venue import Facade, base64_of

PROGRAM, OTHER = str(Pubkey.new_unique()), str(Pubkey.new_unique())
ALICE, BOB = bytes(Pubkey.new_unique()), bytes(Pubkey.new_unique())
HEAD = b"order   "
INDEXED: Genesis = replace(GENESIS, indexed={PROGRAM: (8, 40), TOKEN_PROGRAM: (32,)})


def order(maker: bytes, mint: bytes = b"m" * 32, size: int = 372, owner: str = PROGRAM) -> AccountInfo:
    return AccountInfo(3_000_000, owner, (HEAD + maker + mint).ljust(size, b"."), executable=False)


def at(number: int) -> str:
    """Addresses in the order of their numbers."""
    return str(Pubkey(number.to_bytes(32, "big")))


async def of(chain: EmbeddedChain, *memcmp: Memcmp, data_size: int | None = None) -> list[str]:
    return [key for key, _ in await chain.program_accounts(PROGRAM, data_size=data_size, memcmp=memcmp)]


async def holding(accounts: Mapping[str, AccountInfo], genesis: Genesis = INDEXED) -> EmbeddedChain:
    chain = await open_chain(genesis=genesis)
    await chain.put_accounts(accounts)
    return chain


ORDERS = {
    at(1_003): order(ALICE),
    at(1_001): order(ALICE, size=380),
    at(1_002): order(BOB, mint=b"n" * 32),
    at(1_004): order(ALICE, owner=OTHER),
    at(1_005): replace(order(ALICE), data=HEAD + ALICE[:20]),
    at(1_006): replace(order(ALICE), data=b"another." + ALICE),
}


@pytest.mark.parametrize("genesis", [INDEXED, GENESIS], ids=["indexed", "scanned"])
async def test_filters_mean_the_same_with_an_index_and_without(genesis: Genesis) -> None:
    chain = await holding(ORDERS, genesis)
    assert await of(chain) == [at(1_001), at(1_002), at(1_003), at(1_005), at(1_006)]
    assert await of(chain, (8, ALICE)) == [at(1_001), at(1_003), at(1_006)]
    assert await of(chain, (8, ALICE), data_size=372) == [at(1_003)]
    assert await of(chain, (0, HEAD), (8, ALICE)) == await of(chain, (0, HEAD + ALICE)) == [at(1_001), at(1_003)]
    assert await of(chain, (8, ALICE), (40, b"n" * 32)) == []
    assert await of(chain, (8, BOB + b"n" * 32)) == await of(chain, (40, b"n" * 32)) == [at(1_002)]
    assert await of(chain, (9, ALICE[1:]), data_size=380) == [at(1_001)]
    assert await of(chain, (8, ALICE[:20])) == [at(1_001), at(1_003), at(1_005), at(1_006)]
    assert await of(chain, (8, bytes(32))) == await of(chain, (1_000, b"x")) == []
    assert await chain.program_accounts(SYSTEM_PROGRAM, data_size=372) == []
    await chain.close()


async def test_what_a_node_would_refuse_is_refused() -> None:
    chain = await holding({})
    refused: list[tuple[int | None, list[Memcmp]]]
    refused = [(372, [(0, b"x")] * 4), (None, [(0, b"x")] * 5), (None, [(0, bytes(129))]), (None, [(-1, b"x")])]
    for size, memcmp in [*refused, (None, [(0, b"")])]:
        with pytest.raises(ValueError, match=r"max|to compare"):
            await chain.program_accounts(PROGRAM, data_size=size, memcmp=memcmp)
    await chain.close()


async def test_the_index_follows_every_change() -> None:
    """Against a scan of the same chain, over accounts that come, change hands and program, shrink and go."""
    chance = random.Random(7)
    chain = await open_chain(genesis=INDEXED)
    makers = [bytes([number]) * 32 for number in range(3)]
    for _ in range(300):
        address_of = at(1_000 + chance.randrange(12))
        info = order(chance.choice(makers), owner=chance.choice([PROGRAM, PROGRAM, OTHER]))
        if chance.random() < 0.3:
            info = replace(info, lamports=0, data=b"", owner=SYSTEM_PROGRAM)
        elif chance.random() < 0.2:
            info = replace(info, data=info.data[:20])
        await chain.put_accounts({address_of: info})
        for maker in makers:
            assert await of(chain, (8, maker)) == await of(chain, (8, maker[:31]), (39, maker[:1]))
    await chain.close()


async def test_what_a_transaction_changes_is_found_right_after_it_landed() -> None:
    chain = await open_chain(genesis=INDEXED)
    alice, bob = wallet(1), wallet(2)
    for who in (alice, bob):
        await faucet_of(chain).airdrop(address(who), SOL)
        await faucet_of(chain).mint_to(address(who), USDC_MINT, 7)
    accounts = [associated_token_address(address(who), USDC_MINT) for who in (alice, bob)]

    async def amount_of(who: bytes) -> dict[str, int]:
        found = await chain.program_accounts(TOKEN_PROGRAM, data_size=165, memcmp=[(32, who)])
        return {key: int.from_bytes(info.data[64:72], "little") for key, info in found}

    source, to = accounts
    move = token_transfer(source, to, address(alice), 5)
    await chain.send(signed([move], [alice], (await chain.latest_blockhash()).blockhash))
    assert await amount_of(bytes(alice.pubkey())) == {accounts[0]: 2}
    assert await amount_of(bytes(bob.pubkey())) == {accounts[1]: 12}
    await chain.close()


async def test_an_account_that_changes_its_program_changes_its_index() -> None:
    chain = await open_chain(genesis=replace(GENESIS, indexed={SYSTEM_PROGRAM: (0,), PROGRAM: (0,)}))
    payer, taken = wallet(1), wallet(2)
    await faucet_of(chain).airdrop(address(payer), SOL)
    await chain.put_accounts({address(taken): AccountInfo(10**7, SYSTEM_PROGRAM, bytes(32), executable=False)})
    give = assign(AssignParams(pubkey=taken.pubkey(), owner=Pubkey.from_string(PROGRAM)))
    assert [key for key, _ in await chain.program_accounts(SYSTEM_PROGRAM, memcmp=[(0, bytes(32))])] == [address(taken)]
    landed = await chain.submit(signed([give], [payer, taken], (await chain.latest_blockhash()).blockhash))
    assert (landed.dropped, landed.error) == (None, None)
    assert await chain.program_accounts(SYSTEM_PROGRAM, memcmp=[(0, bytes(32))]) == []
    assert [key for key, _ in await chain.program_accounts(PROGRAM, memcmp=[(0, bytes(32))])] == [address(taken)]
    await chain.close()


async def test_the_index_is_rebuilt_on_load_and_on_reset() -> None:
    store = MemoryLedgerStore()
    chain = await open_chain(store, genesis=INDEXED)
    await chain.put_accounts(ORDERS)
    await chain.close()
    chain = await open_chain(store, genesis=INDEXED)
    assert await of(chain, (8, ALICE)) == [at(1_001), at(1_003), at(1_006)]
    await chain.reset(replace(INDEXED, entropy=b"E" * 32))
    assert await of(chain, (8, ALICE)) == []
    await chain.put_accounts({at(1_009): order(ALICE)})
    assert await of(chain, (8, ALICE)) == [at(1_009)]
    await chain.close()


async def test_what_a_failed_commit_took_back_is_not_found() -> None:
    store = FaultyStore()
    chain = await open_chain(store, genesis=INDEXED)
    await chain.put_accounts({at(1_001): order(ALICE)})
    store.failing = ["before"]
    with pytest.raises(ChainUnavailable):
        await chain.put_accounts({at(1_001): order(BOB), at(1_002): order(ALICE)})
    await chain.ready()
    assert await of(chain, (8, ALICE)) == [at(1_001)]
    assert await of(chain, (8, BOB)) == []
    await chain.close()


async def test_no_client_is_told_of_an_account_before_its_commit() -> None:
    store = FaultyStore()
    chain = await open_chain(store, genesis=INDEXED)
    payer = wallet(1)
    await faucet_of(chain).airdrop(address(payer), SOL)
    store.gate.clear()
    await chain.send(await pays(chain, payer, address(wallet(2)), 10**7))
    store.failing = ["before"]
    store.gate.set()
    with pytest.raises(ChainUnavailable):
        await of(chain, (8, ALICE))
    await chain.close()


async def test_the_facade_finds_orders_by_the_index() -> None:
    chain = await holding(ORDERS)
    rpc = Facade(chain)

    async def found(*filters: object) -> list[str]:
        asked = {"encoding": "base64", "filters": filters}
        return [entry["pubkey"] for entry in await rpc.call("getProgramAccounts", PROGRAM, asked)]

    of_alice = {"memcmp": {"offset": 8, "bytes": str(Pubkey(ALICE))}}
    in_base64 = {"memcmp": {"offset": 0, "bytes": base64_of(HEAD + ALICE), "encoding": "base64"}}
    nothing = {"memcmp": {"offset": 8, "bytes": ""}}
    assert await found(of_alice) == [at(1_001), at(1_003), at(1_006)]
    assert (
        await found({"dataSize": 372}, in_base64) == await found(in_base64, nothing, {"dataSize": 372}) == [at(1_003)]
    )
    assert await found(of_alice, "tokenAccountState") == []
    assert await found({"dataSize": 372}, {"dataSize": 380}, of_alice) == []
    await chain.close()


async def test_an_owner_of_a_few_among_many_orders_is_found_without_looking_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crowd = {at(10_000 + number): order(number.to_bytes(32, "big")) for number in range(2_000)}
    chain = await holding({**crowd, at(9): order(ALICE)})
    seen: list[int] = []

    async def counting() -> None:
        seen.append(1)

    monkeypatch.setattr(chain._turns, "mine", counting)
    assert await of(chain, (8, ALICE)) == [at(9)]
    assert len(seen) == 2, "one share for the index, one for what it found"
    await chain.close()


async def test_a_new_chain_has_the_accounts_of_its_genesis_and_no_other() -> None:
    chain = await open_chain()
    genesis = {key for key, info in GENESIS.all_accounts().items() if info.owner == SYSTEM_PROGRAM}
    assert {key for key, _ in await chain.program_accounts(SYSTEM_PROGRAM)} == genesis
    await chain.close()
