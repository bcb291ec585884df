"""What the methods answer, and how they refuse. The shapes are those of https://solana.com/docs/rpc."""

import struct
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import base58
import msgspec
import pytest
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import CreateAccountWithSeedParams, create_account_with_seed
from solders.transaction import VersionedTransaction
from spl.token.instructions import create_idempotent_associated_token_account

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.port import AccountInfo
from countermand.solana.tokens import (
    MEMO_PROGRAM,
    SYSTEM_PROGRAM,
    TOKEN_2022_PROGRAM,
    TOKEN_PROGRAM,
    USDC_MINT,
    associated_token_address,
    token_account_bytes,
)
from tests.gifts import faucet_of
from tests.solana.facade_venue import (
    MINT_AUTHORITY,
    Facade,
    base64_of,
    funded,
    opened_chain,
    signature_of,
    signed,
    transfer_of,
)

BASE64 = {"encoding": "base64"}
CLOCK_SYSVAR = "SysvarC1ock11111111111111111111111111111111"


@pytest.fixture
async def chain() -> AsyncIterator[EmbeddedChain]:
    async with opened_chain() as opened:
        yield opened


@pytest.fixture
def rpc(chain: EmbeddedChain) -> Facade:
    return Facade(chain)


async def test_the_node_and_its_time(rpc: Facade, chain: EmbeddedChain) -> None:
    slot = await rpc.call("getSlot")
    assert await rpc.call("getHealth") == "ok"
    assert await rpc.call("getBlockHeight") >= slot
    assert set(await rpc.call("getVersion")) == {"solana-core", "feature-set"}
    assert await rpc.call("getGenesisHash") == chain.genesis_hash
    epoch = await rpc.call("getEpochInfo")
    assert epoch["slotIndex"] == epoch["absoluteSlot"] == epoch["blockHeight"]
    assert abs(await rpc.call("getBlockTime", slot) - chain.block_time(slot)) <= 1
    assert await rpc.call("getMinimumBalanceForRentExemption", 165) == 2_039_280
    assert [fee["prioritizationFee"] for fee in await rpc.call("getRecentPrioritizationFees", [])] == [0]


@pytest.mark.parametrize("commitment", ["processed", "confirmed", "finalized"])
async def test_every_commitment_answers(rpc: Facade, chain: EmbeddedChain, commitment: str) -> None:
    wallet = await funded(chain)
    config = {"commitment": commitment}
    assert await rpc.value("getBalance", str(wallet.pubkey()), config) == 2_000_000_000
    assert (await rpc.value("getLatestBlockhash", config))["lastValidBlockHeight"] >= 150
    assert await rpc.call("getSlot", config) <= chain.slot


@pytest.mark.parametrize("commitment", ["confirmed", "finalized", None])
async def test_what_has_landed_is_told_from_confirmed_on(rpc: Facade, chain: EmbeddedChain, commitment: str) -> None:
    wallet, config = str((await funded(chain)).pubkey()), {"commitment": commitment}
    (landed,) = await rpc.call("getSignaturesForAddress", wallet, config)
    told = await rpc.call("getTransaction", landed["signature"], config | {"maxSupportedTransactionVersion": 0})
    assert told["slot"] == landed["slot"]


async def test_explicit_nulls_are_absent(rpc: Facade) -> None:
    address = str(Pubkey.new_unique())
    nulls = {"limit": None, "before": None, "until": None, "commitment": None, "minContextSlot": None}
    assert await rpc.call("getSignaturesForAddress", address, nulls) == []
    assert await rpc.value("getAccountInfo", address, {"encoding": None, "dataSlice": None}) is None
    assert await rpc.value("getBalance", address, None) == 0


async def test_a_slot_that_has_not_come_is_not_answered_for(rpc: Facade) -> None:
    slot = await rpc.call("getSlot")
    assert await rpc.value("getBalance", str(Pubkey.new_unique()), {"minContextSlot": slot}) == 0
    error = await rpc.fails("getBalance", str(Pubkey.new_unique()), {"minContextSlot": slot + 100})
    assert error["code"] == -32016
    assert error["message"] == "Minimum context slot has not been reached"
    assert slot <= error["data"]["contextSlot"] < slot + 100


async def test_an_airdrop_lands_and_shows_everywhere(rpc: Facade) -> None:
    wallet = str(Pubkey.new_unique())
    signature = await rpc.call("requestAirdrop", wallet, 1_000_000)
    (status, unknown) = await rpc.value("getSignatureStatuses", [signature, str(Signature.default())])
    assert unknown is None
    assert status == {
        "slot": status["slot"],
        "confirmations": None,
        "err": None,
        "status": {"Ok": None},
        "confirmationStatus": "finalized",
    }
    account = await rpc.value("getAccountInfo", wallet, BASE64)
    assert account == {
        "data": ["", "base64"],
        "executable": False,
        "lamports": 1000000,
        "owner": SYSTEM_PROGRAM,
        "rentEpoch": 18446744073709551615,
        "space": 0,
    }
    assert (await rpc.fails("requestAirdrop", wallet, 2**62))["code"] == -32602


async def test_an_account_in_each_encoding(rpc: Facade, chain: EmbeddedChain) -> None:
    address, large = str(Pubkey.new_unique()), str(Pubkey.new_unique())
    await chain.put_accounts(
        {
            address: AccountInfo(10**9, SYSTEM_PROGRAM, b"Hello World!", executable=False),
            large: AccountInfo(10**9, SYSTEM_PROGRAM, bytes(129), executable=False),
        }
    )

    async def data(of: str = address, **config: object) -> Any:
        return (await rpc.value("getAccountInfo", of, config))["data"]

    assert await data() == "2NEpo7TZRRrLZSi2U"
    assert await data(encoding="base58") == ["2NEpo7TZRRrLZSi2U", "base58"]
    assert await data(encoding="base64") == ["SGVsbG8gV29ybGQh", "base64"]
    assert await data(encoding="jsonParsed") == ["SGVsbG8gV29ybGQh", "base64"]
    assert await data(encoding="base64", dataSlice={"offset": 6, "length": 99}) == ["V29ybGQh", "base64"]
    assert await data(large, encoding="base58", dataSlice={"offset": 1, "length": 1}) == ["1", "base58"]
    error = await rpc.fails("getAccountInfo", large)
    assert error["code"] == -32600
    assert "less than 128 bytes, please use Base64 encoding" in error["message"]
    assert (await rpc.value("getMultipleAccounts", [address, large]))[1]["data"][1] == "base64"


async def test_tokens_in_words(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet = str(Pubkey.new_unique())
    await faucet_of(chain).mint_to(wallet, USDC_MINT, 1_500_000)
    account = associated_token_address(wallet, USDC_MINT)
    amount = {"amount": "1500000", "decimals": 6, "uiAmount": 1.5, "uiAmountString": "1.5"}
    parsed = {
        "program": "spl-token",
        "parsed": {
            "info": {
                "isNative": False,
                "mint": "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
                "owner": wallet,
                "state": "initialized",
                "tokenAmount": amount,
            },
            "type": "account",
        },
        "space": 165,
    }
    assert (await rpc.value("getAccountInfo", account, {"encoding": "jsonParsed"}))["data"] == parsed
    for among in ({"mint": USDC_MINT}, {"programId": TOKEN_PROGRAM}):
        found = await rpc.value("getTokenAccountsByOwner", wallet, among, {"encoding": "jsonParsed"})
        assert [(entry["pubkey"], entry["account"]["data"]) for entry in found] == [(account, parsed)]
    assert await rpc.value("getTokenAccountBalance", account) == amount
    assert await rpc.value("getTokenSupply", USDC_MINT) == amount
    assert (await rpc.value("getAccountInfo", USDC_MINT, {"encoding": "jsonParsed"}))["data"]["parsed"] == {
        "info": {
            "decimals": 6,
            "freezeAuthority": None,
            "isInitialized": True,
            "mintAuthority": str(MINT_AUTHORITY.pubkey()),
            "supply": "1500000",
        },
        "type": "mint",
    }


async def test_amounts_are_exact_to_the_last_unit(rpc: Facade, chain: EmbeddedChain) -> None:
    """A node writes 18446744073709.55 here, which is what 64 bits of floating point hold."""
    wallet = str(Pubkey.new_unique())
    await faucet_of(chain).mint_to(wallet, USDC_MINT, 2**64 - 1)
    body = {"jsonrpc": "2.0", "id": 1, "method": "getTokenSupply", "params": [USDC_MINT]}
    answer = await rpc.dispatcher.answer(msgspec.json.encode(body))
    assert b'"uiAmount":18446744073709.551615,' in answer.body


async def test_token_questions_about_what_is_no_token(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet, stranger = str((await funded(chain)).pubkey()), str(Pubkey.new_unique())
    for method, address, message in (
        ("getTokenAccountBalance", stranger, "Invalid param: could not find account"),
        ("getTokenAccountBalance", wallet, "Invalid param: not a Token account"),
        ("getTokenAccountBalance", USDC_MINT, "Invalid param: not a Token account"),
        ("getTokenSupply", stranger, "Invalid param: could not find account"),
        ("getTokenSupply", wallet, "Invalid param: not a Token mint"),
    ):
        assert await rpc.fails(method, address) == {"code": -32602, "message": message}
    for among, part in (
        ({"mint": stranger}, "could not find mint"),
        ({"programId": SYSTEM_PROGRAM}, "unrecognized Token program id"),
        ({}, "exactly one of mint and programId"),
        ({"mint": USDC_MINT, "programId": TOKEN_PROGRAM}, "exactly one of mint and programId"),
    ):
        error = await rpc.fails("getTokenAccountsByOwner", wallet, among)
        assert error["code"] == -32602
        assert part in error["message"]


async def test_program_accounts_pass_every_filter(rpc: Facade, chain: EmbeddedChain) -> None:
    alice, bob = str(Pubkey.new_unique()), str(Pubkey.new_unique())
    for owner in (alice, bob):
        await faucet_of(chain).mint_to(owner, USDC_MINT, 7)

    async def found(*filters: object, **config: object) -> list[str]:
        answer = await rpc.call("getProgramAccounts", TOKEN_PROGRAM, {**BASE64, "filters": filters, **config})
        return [entry["pubkey"] for entry in answer]

    of_alice = {"memcmp": {"offset": 32, "bytes": alice}}
    in_base64 = {"memcmp": {"offset": 32, "bytes": base64_of(base58.b58decode(alice)), "encoding": "base64"}}
    accounts = [associated_token_address(owner, USDC_MINT) for owner in (alice, bob)]
    assert await found({"dataSize": 165}, of_alice) == await found(in_base64) == accounts[:1]
    assert sorted(await found({"dataSize": 165})) == sorted(accounts)
    assert sorted(await found("tokenAccountState")) == sorted(accounts)
    assert await found({"dataSize": 82}, of_alice) == []
    assert USDC_MINT in await found({"dataSize": 82})
    sliced = {"dataSlice": {"offset": 64, "length": 8}, "filters": [of_alice], **BASE64}
    (entry,) = await rpc.call("getProgramAccounts", TOKEN_PROGRAM, sliced)
    assert entry["account"]["data"] == ["BwAAAAAAAAA=", "base64"]
    assert entry["account"]["space"] == 165
    with_context = await rpc.value("getProgramAccounts", TOKEN_PROGRAM, sliced | {"withContext": True})
    assert with_context == [entry]
    wrongs: list[list[Any]]
    wrongs = [[{}], [of_alice | {"dataSize": 1}], [of_alice] * 5, [{"memcmp": {"offset": 0, "bytes": "1" * 129}}]]
    for wrong in wrongs:
        assert (await rpc.fails("getProgramAccounts", TOKEN_PROGRAM, {"filters": wrong}))["code"] == -32602


async def test_a_transaction_lands_and_is_shown(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet, to = await funded(chain), Pubkey.new_unique()
    raw = await signed(chain, wallet, transfer_of(wallet, 10**6, to))
    signature = await rpc.call("sendTransaction", base64_of(raw), BASE64)
    assert signature == signature_of(raw)
    versioned = {"maxSupportedTransactionVersion": 0}
    shown = await rpc.call("getTransaction", signature, versioned)
    assert shown["version"] == 0
    assert shown["transaction"]["signatures"] == [signature]
    message = shown["transaction"]["message"]
    assert message["header"] == {
        "numRequiredSignatures": 1,
        "numReadonlySignedAccounts": 0,
        "numReadonlyUnsignedAccounts": 1,
    }
    assert message["accountKeys"] == [str(wallet.pubkey()), str(to), SYSTEM_PROGRAM]
    assert message["instructions"] == [
        {"programIdIndex": 2, "accounts": [0, 1], "data": "3Bxs4Bc3VYuGVB19", "stackHeight": 1}
    ]
    meta = shown["meta"]
    assert meta["err"] is None
    assert meta["fee"] == 5_000
    assert meta["preBalances"][:2] == [2_000_000_000, 0]
    assert meta["postBalances"][:2] == [1_998_995_000, 1_000_000]
    assert meta["loadedAddresses"] == {"writable": [], "readonly": []}
    assert (await rpc.call("getTransaction", signature, versioned | BASE64))["transaction"] == [
        base64_of(raw),
        "base64",
    ]
    assert await rpc.call("getTransaction", str(Signature.default())) is None


async def test_a_client_that_knows_no_versions_is_told(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet = await funded(chain)
    legacy = await signed(chain, wallet, transfer_of(wallet, 10**6), legacy=True)
    versioned = await signed(chain, wallet, transfer_of(wallet, 10**6))
    for raw in (legacy, versioned):
        await rpc.call("sendTransaction", base64_of(raw), BASE64)
    for config in ({}, None, "base64", {"encoding": "jsonParsed"}):
        assert "version" not in await rpc.call("getTransaction", signature_of(legacy), config)
        assert await rpc.fails("getTransaction", signature_of(versioned), config) == {
            "code": -32015,
            "message": "Transaction version (0) is not supported by the requesting client. Please try the request "
            'again with the following configuration parameter: "maxSupportedTransactionVersion": 0',
        }
    versions = {"maxSupportedTransactionVersion": 0}
    assert (await rpc.call("getTransaction", signature_of(legacy), versions))["version"] == "legacy"


@pytest.mark.parametrize("legacy", [False, True])
async def test_what_may_not_be_written_is_not_shown_as_written(rpc: Facade, chain: EmbeddedChain, legacy: bool) -> None:
    """A node takes no lock on a reserved account, nor on a program that is called, whatever a wallet asks for."""
    wallet, other = await funded(chain), Pubkey.new_unique()
    asked = [CLOCK_SYSVAR, SYSTEM_PROGRAM, MEMO_PROGRAM, TOKEN_PROGRAM, str(other)]
    metas = [AccountMeta(Pubkey.from_string(key), is_signer=False, is_writable=True) for key in asked]
    paying = transfer_of(wallet, 10**6)
    raw = await signed(
        chain,
        wallet,
        Instruction(paying.program_id, bytes(paying.data), [*paying.accounts, *metas]),
        Instruction(Pubkey.from_string(MEMO_PROGRAM), b"called", []),
        legacy=legacy,
    )
    await rpc.call("sendTransaction", base64_of(raw), BASE64)
    config = {"maxSupportedTransactionVersion": 0, "encoding": "jsonParsed"}
    shown = await rpc.call("getTransaction", signature_of(raw), config)
    written = {key["pubkey"]: key["writable"] for key in shown["transaction"]["message"]["accountKeys"]}
    assert [written[key] for key in asked] == [False, False, False, True, True]


async def test_a_parsed_transaction_says_what_it_does(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet = str(Pubkey.new_unique())
    signature = await faucet_of(chain).mint_to(wallet, USDC_MINT, 1_500_000)
    config = {"maxSupportedTransactionVersion": 0, "encoding": "jsonParsed"}
    shown = await rpc.call("getTransaction", signature, config)
    account = associated_token_address(wallet, USDC_MINT)
    instructions = shown["transaction"]["message"]["instructions"]
    in_words = {entry["parsed"]["type"]: entry for entry in instructions if "parsed" in entry}
    assert in_words["createIdempotent"]["program"] == "spl-associated-token-account"
    assert in_words["mintTo"]["parsed"]["info"] == {
        "mint": USDC_MINT,
        "account": account,
        "mintAuthority": str(MINT_AUTHORITY.pubkey()),
        "amount": "1500000",
    }
    keys = shown["transaction"]["message"]["accountKeys"]
    assert keys[0] == {"pubkey": keys[0]["pubkey"], "signer": True, "source": "transaction", "writable": True}
    assert {key["pubkey"]: key["writable"] for key in keys}[account] is True
    assert {key["pubkey"]: key["writable"] for key in keys}[TOKEN_PROGRAM] is False
    meta = shown["meta"]
    assert meta["preTokenBalances"] == []
    (after,) = meta["postTokenBalances"]
    assert after == {
        "accountIndex": [key["pubkey"] for key in keys].index(account),
        "mint": USDC_MINT,
        "uiTokenAmount": {"amount": "1500000", "decimals": 6, "uiAmount": 1.5, "uiAmountString": "1.5"},
        "owner": wallet,
        "programId": TOKEN_PROGRAM,
    }
    inner = [call for group in meta["innerInstructions"] for call in group["instructions"]]
    assert [call["parsed"]["type"] for call in inner] == [
        "getAccountDataSize",
        "createAccount",
        "initializeImmutableOwner",
        "initializeAccount3",
    ]
    assert inner[0] == {
        "parsed": {"type": "getAccountDataSize", "info": {"mint": USDC_MINT, "extensionTypes": ["immutableOwner"]}},
        "program": "spl-token",
        "programId": TOKEN_PROGRAM,
        "stackHeight": 2,
    }
    plain = await rpc.call("getTransaction", signature, config | {"encoding": "json"})
    assert all("programIdIndex" in call for call in plain["meta"]["innerInstructions"][0]["instructions"])


async def test_the_preflight_tells_why_not(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet = await funded(chain)
    raw = await signed(chain, wallet, transfer_of(wallet, 10**12))
    error = await rpc.fails("sendTransaction", base64_of(raw), BASE64)
    assert error["code"] == -32002
    assert error["message"] == (
        "Transaction simulation failed: Error processing Instruction 0: custom program error: 0x1"
    )
    assert error["data"]["err"] == {"InstructionError": [0, {"Custom": 1}]}
    assert error["data"]["logs"][-1] == "Program 11111111111111111111111111111111 failed: custom program error: 0x1"
    assert error["data"]["unitsConsumed"] == 150
    assert error["data"]["loadedAccountsDataSize"] == 64 + 64 + len("system_program")
    assert rpc.sent == []
    unfunded = Keypair()
    raw = await signed(chain, unfunded, transfer_of(unfunded, 1))
    error = await rpc.fails("sendTransaction", base64_of(raw), BASE64)
    assert error["data"]["err"] == "AccountNotFound"
    assert error["data"]["loadedAccountsDataSize"] == 0
    assert error["message"].endswith("Attempt to debit an account but found no record of a prior credit.")


async def test_a_transaction_sent_again_and_one_too_late(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet = await funded(chain)
    raw = await signed(chain, wallet, transfer_of(wallet, 10**6))
    late = await signed(chain, wallet, transfer_of(wallet, 10**6))
    await rpc.call("sendTransaction", base64_of(raw), BASE64)
    error = await rpc.fails("sendTransaction", base64_of(raw), BASE64)
    assert error["data"]["err"] == "AlreadyProcessed"
    assert error["message"] == "Transaction simulation failed: This transaction has already been processed"
    blockhash = str(VersionedTransaction.from_bytes(late).message.recent_blockhash)
    assert await rpc.value("isBlockhashValid", blockhash) is True
    await chain.expire_blockhashes()
    assert await rpc.value("isBlockhashValid", blockhash) is False
    error = await rpc.fails("sendTransaction", base64_of(late), BASE64)
    assert (error["code"], error["data"]["err"]) == (-32002, "BlockhashNotFound")
    assert error["message"] == "Transaction simulation failed: Blockhash not found"


async def test_a_wrong_signature(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet = await funded(chain)
    message = VersionedTransaction.from_bytes(await signed(chain, wallet, transfer_of(wallet, 10**6))).message
    unsigned = base64_of(bytes(VersionedTransaction.populate(message, [Signature.default()])))
    failure = {"code": -32003, "message": "Transaction signature verification failure"}
    assert await rpc.fails("sendTransaction", unsigned, BASE64) == failure
    assert await rpc.fails("simulateTransaction", unsigned, {**BASE64, "sigVerify": True}) == failure
    assert (await rpc.value("simulateTransaction", unsigned, BASE64))["err"] is None


async def test_skipping_the_preflight_returns_the_signature_whatever_happens(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet = await funded(chain)
    raw = await signed(chain, wallet, transfer_of(wallet, 10**12))
    await chain.expire_blockhashes()
    signature = await rpc.call("sendTransaction", base64_of(raw), {**BASE64, "skipPreflight": True})
    assert signature == signature_of(raw)
    assert await rpc.value("getSignatureStatuses", [signature]) == [None]
    failing = await signed(chain, wallet, transfer_of(wallet, 10**12))
    signature = await rpc.call("sendTransaction", base64_of(failing), {**BASE64, "skipPreflight": True})
    (status,) = await rpc.value("getSignatureStatuses", [signature])
    assert status["err"] == {"InstructionError": [0, {"Custom": 1}]}
    assert status["status"] == {"Err": {"InstructionError": [0, {"Custom": 1}]}}


async def test_what_is_sent_takes_the_way_that_it_is_given(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet = await funded(chain)
    rpc.loses_transactions = True
    raw = await signed(chain, wallet, transfer_of(wallet, 10**6))
    assert await rpc.call("sendTransaction", base64_of(raw), BASE64) == signature_of(raw)
    assert rpc.sent == [raw]
    assert await rpc.value("getSignatureStatuses", [signature_of(raw)]) == [None]


async def test_base58_is_what_a_transaction_is_in_unless_said_otherwise(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet = await funded(chain)
    raw = await signed(chain, wallet, transfer_of(wallet, 10**6))
    assert await rpc.call("sendTransaction", base58.b58encode(raw).decode()) == signature_of(raw)


async def test_a_simulation_shows_what_would_be(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet, to = await funded(chain), str(Pubkey.new_unique())
    transfer = transfer_of(wallet, 10**6, Pubkey.from_string(to))
    message = MessageV0.try_compile(wallet.pubkey(), [transfer], [], Hash.default())
    unsigned = base64_of(bytes(VersionedTransaction.populate(message, [Signature.default()])))
    assert (await rpc.value("simulateTransaction", unsigned, BASE64))["err"] == "BlockhashNotFound"
    config = {**BASE64, "replaceRecentBlockhash": True, "innerInstructions": True, "accounts": {"addresses": [to]}}
    value = await rpc.value("simulateTransaction", unsigned, config)
    assert value["err"] is None
    assert value["accounts"][0]["lamports"] == 10**6
    assert value["innerInstructions"] == []
    assert value["unitsConsumed"] == 150
    assert value["loadedAccountsDataSize"] == 64 + 64 + len("system_program")
    assert await rpc.value("isBlockhashValid", value["replacementBlockhash"]["blockhash"]) is True
    assert await rpc.value("getBalance", to) == 0
    error = await rpc.fails("simulateTransaction", unsigned, config | {"sigVerify": True})
    assert error["message"] == "sigVerify may not be used with replaceRecentBlockhash"


async def test_a_simulation_shows_no_more_accounts_than_it_has(rpc: Facade, chain: EmbeddedChain) -> None:
    """Any accounts, but so many: as on a node."""
    wallet, to, table = await funded(chain), Pubkey.new_unique(), Pubkey.new_unique()
    data = struct.pack("<IQQBB32sH", 1, 2**64 - 1, 0, 0, 0, bytes(32), 0) + bytes(to)
    program = "AddressLookupTab1e1111111111111111111111111"
    await chain.put_accounts({str(table): AccountInfo(10**9, program, data, executable=False)})
    blockhash = Hash.from_string((await chain.latest_blockhash()).blockhash)
    tables = [AddressLookupTableAccount(table, [to])]
    message = MessageV0.try_compile(wallet.pubkey(), [transfer_of(wallet, 10**6, to)], tables, blockhash)
    raw = base64_of(bytes(VersionedTransaction(message, [wallet])))
    three = [str(wallet.pubkey()), str(to), str(Pubkey.new_unique())]
    value = await rpc.value("simulateTransaction", raw, {**BASE64, "accounts": {"addresses": three}})
    assert [account and account["lamports"] for account in value["accounts"]][1:] == [10**6, None]
    asked = {**BASE64, "accounts": {"addresses": [*three, str(table)]}}
    error = await rpc.fails("simulateTransaction", raw, asked)
    assert error == {"code": -32602, "message": "Too many accounts provided; max 3"}


async def test_a_simulation_tells_what_its_programs_call(rpc: Facade, chain: EmbeddedChain) -> None:
    """In words, whatever the encoding of the transaction."""
    wallet, owner = await funded(chain), Pubkey.new_unique()
    create = create_idempotent_associated_token_account(wallet.pubkey(), owner, Pubkey.from_string(USDC_MINT))
    raw = base64_of(await signed(chain, wallet, create))
    value = await rpc.value("simulateTransaction", raw, {**BASE64, "innerInstructions": True})
    (group,) = value["innerInstructions"]
    assert group["index"] == 0
    called = {call["parsed"]["type"]: call["parsed"]["info"] for call in group["instructions"]}
    assert list(called) == ["getAccountDataSize", "createAccount", "initializeImmutableOwner", "initializeAccount3"]
    assert called["createAccount"]["newAccount"] == associated_token_address(str(owner), USDC_MINT)
    assert (await rpc.value("simulateTransaction", raw, BASE64))["innerInstructions"] is None


@pytest.mark.parametrize("lamports", [10**6, 10**15])
async def test_a_simulation_shows_the_balances_that_a_landing_has(
    rpc: Facade, chain: EmbeddedChain, lamports: int
) -> None:
    """With success and without; and the fee."""
    wallet, owner = await funded(chain), Pubkey.new_unique()
    tokens = associated_token_address(str(wallet.pubkey()), USDC_MINT)
    await faucet_of(chain).mint_to(str(wallet.pubkey()), USDC_MINT, 5)
    create = create_idempotent_associated_token_account(wallet.pubkey(), owner, Pubkey.from_string(USDC_MINT))
    read = Instruction(Pubkey.from_string(MEMO_PROGRAM), b"reads", [])
    burn = Instruction(
        Pubkey.from_string(TOKEN_PROGRAM),
        b"\x08" + (2).to_bytes(8, "little"),
        [
            AccountMeta(Pubkey.from_string(tokens), is_signer=False, is_writable=True),
            AccountMeta(Pubkey.from_string(USDC_MINT), is_signer=False, is_writable=True),
            AccountMeta(wallet.pubkey(), is_signer=True, is_writable=False),
        ],
    )
    raw = await signed(chain, wallet, create, burn, read, transfer_of(wallet, lamports, owner))
    told = await rpc.value("simulateTransaction", base64_of(raw), BASE64)
    await rpc.call("sendTransaction", base64_of(raw), {**BASE64, "skipPreflight": True})
    landed = await rpc.call("getTransaction", signature_of(raw), {"maxSupportedTransactionVersion": 0})
    names = ("fee", "preBalances", "postBalances", "preTokenBalances", "postTokenBalances", "err", "loadedAddresses")
    assert {name: told[name] for name in names} == {name: landed["meta"][name] for name in names}
    assert [balance["uiTokenAmount"]["amount"] for balance in told["preTokenBalances"]] == ["5"]


async def test_a_program_that_is_missing_is_told_from_an_account_that_is_none(
    rpc: Facade, chain: EmbeddedChain
) -> None:
    """The first is what a client on the wrong cluster reads."""
    wallet = await funded(chain)
    missing, plain = Instruction(Pubkey.new_unique(), b"", []), Instruction((await funded(chain)).pubkey(), b"", [])
    not_there = "ProgramAccountNotFound", "Attempt to load a program that does not exist"
    no_program = "InvalidProgramForExecution", "This program may not be used for executing instructions"
    memo = Instruction(Pubkey.from_string(MEMO_PROGRAM), b"x", [])
    for called, (error, words) in (
        ((memo, missing, plain), not_there),
        ((plain,), no_program),
        ((plain, missing), no_program),
    ):
        raw = base64_of(await signed(chain, wallet, *called))
        assert (await rpc.value("simulateTransaction", raw, BASE64))["err"] == error
        refused = await rpc.fails("sendTransaction", raw, BASE64)
        assert (refused["data"]["err"], refused["message"]) == (error, f"Transaction simulation failed: {words}")


async def test_balances_have_the_decimals_that_their_mint_has_then(rpc: Facade, chain: EmbeddedChain) -> None:
    """A mint that a transaction makes, and one that it closes; in a simulation too."""
    wallet, program = await funded(chain), Pubkey.from_string(TOKEN_2022_PROGRAM)
    own, mint = wallet.pubkey(), Pubkey.create_with_seed(wallet.pubkey(), "mint", program)
    account = Pubkey.from_string(associated_token_address(str(own), str(mint), TOKEN_2022_PROGRAM))

    def token(data: bytes, *accounts: Pubkey) -> Instruction:
        metas = [AccountMeta(key, is_signer=key == own, is_writable=True) for key in accounts]
        return Instruction(program, data, metas)

    seeded = CreateAccountWithSeedParams(
        from_pubkey=own, to_pubkey=mint, base=own, seed="mint", lamports=10**8, space=202, owner=program
    )
    makes = [
        create_account_with_seed(seeded),
        token(b"\x19\1" + bytes(own), mint),
        token(b"\x14\6" + bytes(own) + b"\0", mint),
        create_idempotent_associated_token_account(own, own, mint, program),
        token(b"\7" + (1_500).to_bytes(8, "little"), mint, account, own),
    ]
    closes = [token(b"\x08" + (1_500).to_bytes(8, "little"), account, mint, own), token(b"\x09", mint, own, own)]
    for instructions, expected in (
        (makes, {"preTokenBalances": [], "postTokenBalances": [("1500", 6)]}),
        (closes, {"preTokenBalances": [("1500", 6)], "postTokenBalances": [("0", 0)]}),
    ):
        raw = await signed(chain, wallet, *instructions)
        told = await rpc.value("simulateTransaction", base64_of(raw), BASE64)
        await rpc.call("sendTransaction", base64_of(raw), BASE64)
        landed = await rpc.call("getTransaction", signature_of(raw), {"maxSupportedTransactionVersion": 0})
        for shown in (told, landed["meta"]):
            amounts = {name: [each["uiTokenAmount"] for each in shown[name]] for name in expected}
            assert {name: [(a["amount"], a["decimals"]) for a in held] for name, held in amounts.items()} == expected


async def test_a_simulation_of_what_would_not_be_included_has_no_balances(rpc: Facade, chain: EmbeddedChain) -> None:
    unfunded = Keypair()
    raw = base64_of(await signed(chain, unfunded, transfer_of(unfunded, 1)))
    for blockhash in ("valid", "expired"):
        told = await rpc.value("simulateTransaction", raw, BASE64)
        assert told["err"] == {"valid": "AccountNotFound", "expired": "BlockhashNotFound"}[blockhash]
        assert {told[name] for name in ("fee", "preBalances", "postBalances", "preTokenBalances")} == {None}
        await chain.expire_blockhashes()


async def test_a_simulation_names_what_lookup_tables_add(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet, owner, table = await funded(chain), Pubkey.new_unique(), Pubkey.new_unique()
    create = create_idempotent_associated_token_account(wallet.pubkey(), owner, Pubkey.from_string(USDC_MINT))
    tokens = associated_token_address(str(owner), USDC_MINT)
    kept = [Pubkey.from_string(tokens), Pubkey.from_string(USDC_MINT)]
    header = struct.pack("<IQQBB32sH", 1, 2**64 - 1, 0, 0, 0, bytes(32), 0)
    data = header + b"".join(map(bytes, kept))
    program = "AddressLookupTab1e1111111111111111111111111"
    await chain.put_accounts({str(table): AccountInfo(10**9, program, data, executable=False)})
    blockhash = Hash.from_string((await chain.latest_blockhash()).blockhash)
    message = MessageV0.try_compile(wallet.pubkey(), [create], [AddressLookupTableAccount(table, kept)], blockhash)
    assert len(message.address_table_lookups) == 1
    raw = base64_of(bytes(VersionedTransaction(message, [wallet])))
    value = await rpc.value("simulateTransaction", raw, {**BASE64, "innerInstructions": True})
    assert value["loadedAddresses"] == {"writable": [tokens], "readonly": [USDC_MINT]}
    ((*_, last),) = (group["instructions"] for group in value["innerInstructions"])
    assert last["parsed"]["type"] == "initializeAccount3"
    assert last["parsed"]["info"] == {"account": tokens, "mint": USDC_MINT, "owner": str(owner)}


@pytest.mark.parametrize(
    ("owner", "kept", "sentence"),
    [
        (None, 1, "Transaction loads an address table account that doesn't exist"),
        ("11111111111111111111111111111111", 1, "Transaction loads an address table account with an invalid owner"),
        ("AddressLookupTab1e1111111111111111111111111", 0, "Transaction address table lookup uses an invalid index"),
    ],
)
@pytest.mark.parametrize("lamports", [10**6, 10**15])
async def test_a_lookup_that_fails_is_no_transaction(
    rpc: Facade, chain: EmbeddedChain, owner: str | None, kept: int, sentence: str, lamports: int
) -> None:
    """A node looks up what tables add before it simulates, and so without a preflight, too."""
    wallet, to, table = await funded(chain), Pubkey.new_unique(), Pubkey.new_unique()
    if owner is not None:
        data = struct.pack("<IQQBB32sH", 1, 2**64 - 1, 0, 0, 0, bytes(32), 0) + bytes(to) * kept
        await chain.put_accounts({str(table): AccountInfo(10**9, owner, data, executable=False)})
    tables = [AddressLookupTableAccount(table, [to])]
    blockhash = Hash.from_string((await chain.latest_blockhash()).blockhash)
    message = MessageV0.try_compile(wallet.pubkey(), [transfer_of(wallet, lamports, to)], tables, blockhash)
    raw = base64_of(bytes(VersionedTransaction(message, [wallet])))
    refused = {"code": -32602, "message": f"invalid transaction: {sentence}"}
    assert await rpc.fails("simulateTransaction", raw, BASE64) == refused
    assert await rpc.fails("simulateTransaction", raw, {**BASE64, "replaceRecentBlockhash": True}) == refused
    assert await rpc.fails("sendTransaction", raw, BASE64) == refused
    assert await rpc.fails("sendTransaction", raw, {**BASE64, "skipPreflight": True}) == refused
    assert rpc.sent == []


async def test_indices_that_lead_nowhere_are_no_transaction(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet = await funded(chain)
    raw = bytearray(await signed(chain, wallet, transfer_of(wallet, 10**6)))
    to = raw.rindex(bytes([2, 0, 1, 12]))  # An instruction's two accounts, and the size of its data.
    raw[to + 2] = 9
    refused = {
        "code": -32602,
        "message": "invalid transaction: Transaction failed to sanitize accounts offsets correctly",
    }
    for method in ("simulateTransaction", "sendTransaction"):
        assert await rpc.fails(method, base64_of(bytes(raw)), BASE64) == refused


async def test_a_fee_is_counted_as_a_node_does(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet = await funded(chain)

    async def fee(*instructions: Any) -> Any:
        raw = await signed(chain, wallet, *instructions)
        message = VersionedTransaction.from_bytes(raw).message
        counted = await rpc.value("getFeeForMessage", base64_of(to_bytes_versioned(message)))
        await rpc.call("sendTransaction", base64_of(raw), BASE64)
        shown = await rpc.call("getTransaction", signature_of(raw), {"maxSupportedTransactionVersion": 0})
        assert counted == shown["meta"]["fee"]
        return counted

    assert await fee(transfer_of(wallet, 10**6)) == 5_000
    assert await fee(set_compute_unit_price(10**6), transfer_of(wallet, 10**6)) == 11_000
    budget = (set_compute_unit_limit(200_000), set_compute_unit_price(15_406))
    assert await fee(*budget, transfer_of(wallet, 10**6)) == 8_082
    stale = MessageV0.try_compile(wallet.pubkey(), [transfer_of(wallet, 1)], [], Hash.default())
    assert await rpc.value("getFeeForMessage", base64_of(to_bytes_versioned(stale))) is None


@pytest.mark.parametrize(
    ("program", "data"),
    [
        ("BPFLoader1111111111111111111111111111111111", b"\0"),
        ("BPFLoader2111111111111111111111111111111111", b"\0"),
        ("BPFLoaderUpgradeab1e11111111111111111111111", b"\0"),
        ("Ed25519SigVerify111111111111111111111111111", b"\0\0"),
        ("KeccakSecp256k11111111111111111111111111111", b"\0"),
        ("Secp256r1SigVerify1111111111111111111111111", b"\0\0"),
        ("AddressLookupTab1e1111111111111111111111111", b"\0"),
        ("Stake11111111111111111111111111111111111111", b"\0"),
        ("Vote111111111111111111111111111111111111111", b"\0"),
        (SYSTEM_PROGRAM, b"\0"),
        (TOKEN_PROGRAM, b"\0"),
    ],
)
async def test_units_of_each_program_are_counted_as_the_machine_counts_them(
    rpc: Facade, chain: EmbeddedChain, program: str, data: bytes
) -> None:
    wallet = await funded(chain)
    called = Instruction(Pubkey.from_string(program), data, [])
    raw = await signed(chain, wallet, set_compute_unit_price(10**6), called)
    message = to_bytes_versioned(VersionedTransaction.from_bytes(raw).message)
    counted = await rpc.value("getFeeForMessage", base64_of(message))
    simulated = await rpc.value("simulateTransaction", base64_of(raw), BASE64)
    assert counted == simulated["fee"]


async def test_signatures_of_an_address_come_newest_first_between_bounds(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet = await funded(chain)
    address = str(wallet.pubkey())
    sent = []
    for lamports in (10**6, 2 * 10**6, 10**12):
        raw = await signed(chain, wallet, transfer_of(wallet, lamports))
        sent.append(await rpc.call("sendTransaction", base64_of(raw), {**BASE64, "skipPreflight": True}))
    entries = await rpc.call("getSignaturesForAddress", address)
    assert [entry["signature"] for entry in entries][:3] == sent[::-1]
    assert entries[0]["err"] == {"InstructionError": [0, {"Custom": 1}]}
    assert entries[0]["confirmationStatus"] == "finalized"
    bounds = {"before": sent[2], "until": sent[0]}
    assert [entry["signature"] for entry in await rpc.call("getSignaturesForAddress", address, bounds)] == [sent[1]]
    assert len(await rpc.call("getSignaturesForAddress", address, {"limit": 1})) == 1
    assert (await rpc.fails("getSignaturesForAddress", address, {"limit": 1001}))["code"] == -32602


@pytest.mark.parametrize("bounds", [("before",), ("until",), ("before", "until")])
async def test_a_bound_that_never_landed_is_refused(rpc: Facade, chain: EmbeddedChain, bounds: tuple[str, ...]) -> None:
    """A node does so from Agave 4.0 on. Before, it answered with an empty list."""
    wallet = await funded(chain)
    unknown = str(Signature.new_unique())
    error = await rpc.fails("getSignaturesForAddress", str(wallet.pubkey()), dict.fromkeys(bounds, unknown))
    assert error == {"code": -32020, "message": f"Transaction {unknown} not found"}


async def test_a_frozen_and_delegated_token_account(rpc: Facade, chain: EmbeddedChain) -> None:
    owner, delegate, address = (str(Pubkey.new_unique()) for _ in range(3))
    data = bytearray(token_account_bytes(mint=USDC_MINT, owner=owner, amount=5))
    data[72:108] = bytes([1, 0, 0, 0]) + base58.b58decode(delegate)
    data[108] = 2
    data[121:129] = (3).to_bytes(8, "little")
    await chain.put_accounts({address: AccountInfo(2_039_280, TOKEN_PROGRAM, bytes(data), executable=False)})
    shown = await rpc.value("getAccountInfo", address, {"encoding": "jsonParsed"})
    info = shown["data"]["parsed"]["info"]
    assert (info["state"], info["delegate"], info["delegatedAmount"]["amount"]) == ("frozen", delegate, "3")
    assert Decimal(str(info["tokenAmount"]["uiAmount"])) == Decimal("0.000005")


async def test_a_down_chain_is_unhealthy(rpc: Facade, chain: EmbeddedChain) -> None:
    await chain.close()
    for method in ("getHealth", "getSlot", "getLatestBlockhash"):
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method})
        answer = await rpc.dispatcher.answer(body)
        assert answer.status == 503
        assert msgspec.json.decode(answer.body)["error"]["code"] == -32005
