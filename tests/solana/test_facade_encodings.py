"""E2: `base64+zstd`, the default of Rust's client, wherever an account's encoding is asked for."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import zstandard
from solders.account import Account
from solders.hash import Hash
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.rpc.responses import GetAccountInfoResp, GetMultipleAccountsResp, GetProgramAccountsResp
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.port import AccountInfo
from countermand.solana.tokens import SYSTEM_PROGRAM, TOKEN_PROGRAM, USDC_MINT, associated_token_address
from tests.gifts import faucet_of
from tests.solana.facade_venue import Facade, Node, base64_of, funded, opened_chain, served, signed, transfer_of
from tests.solana.test_facade_sockets import listening

ZSTD = "base64+zstd"
COMPRESSED = {"encoding": ZSTD}
DATA = b"Hello World! " * 100
SLICE = {"offset": 6, "length": 5}


@pytest.fixture
async def chain() -> AsyncIterator[EmbeddedChain]:
    async with opened_chain() as opened:
        yield opened


@pytest.fixture
def rpc(chain: EmbeddedChain) -> Facade:
    return Facade(chain)


@pytest.fixture
async def node(chain: EmbeddedChain) -> AsyncIterator[Node]:
    async with served(chain) as running:
        yield running


@pytest.fixture
async def account(chain: EmbeddedChain) -> str:
    key = str(Pubkey.new_unique())
    await chain.put_accounts({key: AccountInfo(10**9, SYSTEM_PROGRAM, DATA, executable=False)})
    return key


def plain(data: Any) -> bytes:
    text, encoding = data
    assert encoding == ZSTD
    return zstandard.ZstdDecompressor().decompress(base64.b64decode(text))


async def test_an_account_is_compressed(rpc: Facade, account: str) -> None:
    shown = await rpc.value("getAccountInfo", account, COMPRESSED)
    assert plain(shown["data"]) == DATA
    assert len(shown["data"][0]) < len(DATA)
    assert shown["space"] == len(DATA)


async def test_a_slice_is_cut_before_it_is_compressed(rpc: Facade, account: str) -> None:
    for window, wanted in ((SLICE, b"World"), ({"offset": 1_290, "length": 99}, DATA[1_290:])):
        shown = await rpc.value("getAccountInfo", account, {**COMPRESSED, "dataSlice": window})
        assert plain(shown["data"]) == wanted
        assert shown["space"] == len(DATA)


async def test_no_data_is_compressed_too(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet = str((await funded(chain)).pubkey())
    shown = await rpc.value("getAccountInfo", wallet, COMPRESSED)
    assert plain(shown["data"]) == b""


async def test_every_list_of_accounts_is_compressed(rpc: Facade, chain: EmbeddedChain, account: str) -> None:
    owner = str(Pubkey.new_unique())
    await faucet_of(chain).mint_to(owner, USDC_MINT, 7)
    tokens = associated_token_address(owner, USDC_MINT)
    (info,) = await chain.accounts([tokens])
    assert info is not None
    (many, nothing) = await rpc.value("getMultipleAccounts", [account, str(Pubkey.new_unique())], COMPRESSED)
    assert (plain(many["data"]), nothing) == (DATA, None)
    filters = [{"memcmp": {"offset": 32, "bytes": owner}}]
    owned = await rpc.call("getProgramAccounts", TOKEN_PROGRAM, {**COMPRESSED, "filters": filters})
    of_owner = await rpc.value("getTokenAccountsByOwner", owner, {"mint": USDC_MINT}, COMPRESSED)
    for found in (owned, of_owner):
        assert [(entry["pubkey"], plain(entry["account"]["data"])) for entry in found] == [(tokens, info.data)]


async def test_the_accounts_of_a_simulation_are_compressed(rpc: Facade, chain: EmbeddedChain, account: str) -> None:
    wallet = await funded(chain)
    message = MessageV0.try_compile(wallet.pubkey(), [transfer_of(wallet, 10**6)], [], Hash.default())
    unsigned = base64_of(bytes(VersionedTransaction.populate(message, [Signature.default()])))
    wanted = {"addresses": [account], **COMPRESSED}
    config = {"encoding": "base64", "replaceRecentBlockhash": True, "accounts": wanted}
    (shown,) = (await rpc.value("simulateTransaction", unsigned, config))["accounts"]
    assert plain(shown["data"]) == DATA


async def test_notifications_are_compressed(node: Node, chain: EmbeddedChain) -> None:
    owner = str(Pubkey.new_unique())
    tokens = associated_token_address(owner, USDC_MINT)
    async with listening(node) as listener:
        of_account = await listener.gets("accountSubscribe", tokens, COMPRESSED)
        filtered = {**COMPRESSED, "filters": [{"dataSize": 165}]}
        of_program = await listener.gets("programSubscribe", TOKEN_PROGRAM, filtered)
        await faucet_of(chain).mint_to(owner, USDC_MINT, 7)
        (info,) = await chain.accounts([tokens])
        assert info is not None
        told = await listener.hears("accountNotification", of_account)
        assert plain(told["value"]["data"]) == info.data
        told = await listener.hears("programNotification", of_program)
        assert plain(told["value"]["account"]["data"]) == info.data


async def test_what_rust_reads_of_it(rpc: Facade, account: str) -> None:
    """The response types are those of Rust's client, which asks so by default."""

    async def body(method: str, *params: object) -> str:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return (await rpc.dispatcher.answer(msgspec.json.encode(request))).body.decode()

    expected = Account(10**9, DATA, Pubkey.from_string(SYSTEM_PROGRAM), executable=False, rent_epoch=2**64 - 1)
    one = GetAccountInfoResp.from_json(await body("getAccountInfo", account, COMPRESSED))
    assert isinstance(one, GetAccountInfoResp)
    assert one.value == expected
    many = GetMultipleAccountsResp.from_json(await body("getMultipleAccounts", [account], COMPRESSED))
    assert isinstance(many, GetMultipleAccountsResp)
    assert many.value == [expected]
    filtered = {**COMPRESSED, "filters": [{"dataSize": len(DATA)}]}
    owned = GetProgramAccountsResp.from_json(await body("getProgramAccounts", SYSTEM_PROGRAM, filtered))
    assert isinstance(owned, GetProgramAccountsResp)
    assert [entry.account for entry in owned.value] == [expected]


async def test_what_compresses_well_is_limited_by_what_it_was(rpc: Facade, chain: EmbeddedChain) -> None:
    """C6: it has to be compressed first."""
    large = str(Pubkey.new_unique())
    await chain.put_accounts({large: AccountInfo(10**12, SYSTEM_PROGRAM, bytes(10 << 20), executable=False)})
    shown = await rpc.value("getAccountInfo", large, COMPRESSED)
    assert len(shown["data"][0]) < 10_000
    assert (await rpc.fails("getMultipleAccounts", [large, large], COMPRESSED))["code"] == -32012
    sliced = {**COMPRESSED, "dataSlice": {"offset": 0, "length": 1 << 20}}
    assert len(await rpc.value("getMultipleAccounts", [large, large], sliced)) == 2


async def test_transactions_have_no_such_encoding(chain: EmbeddedChain, rpc: Facade) -> None:
    """On a node neither."""
    wallet = await funded(chain)
    raw = await signed(chain, wallet, transfer_of(wallet, 10**6))
    assert (await rpc.fails("sendTransaction", base64_of(raw), COMPRESSED))["code"] == -32602
    assert (await rpc.fails("getTransaction", str(Signature.default()), COMPRESSED))["code"] == -32602
