"""E6: the largest accounts, tokens by delegate, the supply, and accounts in words: sysvars, programs, stakes, tables.

The expected words are those of https://solana.com/docs/rpc and of a node's own tests.
"""

import base64
import struct
from collections.abc import AsyncIterator
from typing import Any

import base58
import msgspec
import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.rpc.responses import (
    GetLargestAccountsResp,
    GetSupplyResp,
    GetTokenAccountsByDelegateJsonParsedResp,
    GetTokenLargestAccountsResp,
)
from solders.system_program import CreateAccountWithSeedParams, create_account_with_seed

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.facade import accounts, encode
from countermand.solana.port import AccountInfo
from countermand.solana.token_extensions import extensions_in_words
from countermand.solana.tokens import (
    SYSTEM_PROGRAM,
    TOKEN_2022_PROGRAM,
    TOKEN_PROGRAM,
    USDC_MINT,
    USDT_MINT,
    associated_token_address,
    mint_bytes,
    token_account_bytes,
)
from tests.gifts import faucet_of
from tests.solana.facade_venue import Facade, base64_of, funded, opened_chain, signed

PARSED = {"encoding": "jsonParsed"}
LOADER = "BPFLoaderUpgradeab1e11111111111111111111111"
STAKE = "Stake11111111111111111111111111111111111111"


@pytest.fixture
async def chain() -> AsyncIterator[EmbeddedChain]:
    async with opened_chain() as opened:
        yield opened


@pytest.fixture
def rpc(chain: EmbeddedChain) -> Facade:
    return Facade(chain)


async def body(rpc: Facade, method: str, *params: object) -> str:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return (await rpc.dispatcher.answer(msgspec.json.encode(request))).body.decode()


async def parsed(rpc: Facade, key: str) -> Any:
    return (await rpc.value("getAccountInfo", key, PARSED))["data"]


async def holds(chain: EmbeddedChain, owner: str, data: bytes, lamports: int = 10**9) -> str:
    """The key of a new account."""
    key = str(Pubkey.new_unique())
    await chain.put_accounts({key: AccountInfo(lamports, owner, data, executable=False)})
    return key


async def delegated(chain: EmbeddedChain, delegate: str, mint: str, amount: int) -> str:
    data = bytearray(token_account_bytes(mint=mint, owner=str(Pubkey.new_unique()), amount=amount))
    data[72:108] = bytes([1, 0, 0, 0]) + base58.b58decode(delegate)
    data[121:129] = amount.to_bytes(8, "little")
    return await holds(chain, TOKEN_PROGRAM, bytes(data), 2_039_280)


async def test_the_largest_accounts_of_a_mint(rpc: Facade, chain: EmbeddedChain) -> None:
    owners = [str(Pubkey.new_unique()) for _ in range(23)]
    for number, owner in enumerate(owners):
        await faucet_of(chain).mint_to(owner, USDC_MINT, 1_500_000 + number)
    await faucet_of(chain).mint_to(owners[0], USDT_MINT, 10**12)
    found = await rpc.value("getTokenLargestAccounts", USDC_MINT)
    expected = [associated_token_address(owner, USDC_MINT) for owner in reversed(owners)]
    assert [entry["address"] for entry in found] == expected[:20]
    assert found[0] == {
        "address": expected[0],
        "amount": "1500022",
        "decimals": 6,
        "uiAmount": 1.500022,
        "uiAmountString": "1.500022",
    }
    for wrong in (str(Pubkey.new_unique()), expected[0]):
        assert (await rpc.fails("getTokenLargestAccounts", wrong))["code"] == -32602
    read = GetTokenLargestAccountsResp.from_json(await body(rpc, "getTokenLargestAccounts", USDC_MINT))
    assert isinstance(read, GetTokenLargestAccountsResp)
    assert str(read.value[0].address) == expected[0]


async def test_the_accounts_of_a_delegate(rpc: Facade, chain: EmbeddedChain) -> None:
    delegate, other = str(Pubkey.new_unique()), str(Pubkey.new_unique())
    dollars, euros = [await delegated(chain, delegate, mint, 5) for mint in (USDC_MINT, USDT_MINT)]
    await delegated(chain, other, USDC_MINT, 5)
    revoked = bytearray(token_account_bytes(mint=USDC_MINT, owner=other, amount=5))
    revoked[76:108] = base58.b58decode(delegate)
    await holds(chain, TOKEN_PROGRAM, bytes(revoked), 2_039_280)

    async def asked(among: dict[str, str]) -> list[str]:
        found = await rpc.value("getTokenAccountsByDelegate", delegate, among, PARSED)
        details = [entry["account"]["data"]["parsed"]["info"] for entry in found]
        assert all((info["delegate"], info["delegatedAmount"]["amount"]) == (delegate, "5") for info in details)
        return [entry["pubkey"] for entry in found]

    assert sorted(await asked({"programId": TOKEN_PROGRAM})) == sorted([dollars, euros])
    assert await asked({"mint": USDC_MINT}) == [dollars]
    assert (await rpc.fails("getTokenAccountsByDelegate", delegate, {"mint": other}))["code"] == -32602
    params = (delegate, {"mint": USDC_MINT}, PARSED)
    read = GetTokenAccountsByDelegateJsonParsedResp.from_json(await body(rpc, "getTokenAccountsByDelegate", *params))
    assert isinstance(read, GetTokenAccountsByDelegateJsonParsedResp)


async def test_the_supply_and_who_holds_it(rpc: Facade, chain: EmbeddedChain) -> None:
    """What the faucet holds is not in circulation."""
    wallet = str((await funded(chain)).pubkey())
    faucet = chain.faucet
    supply = await rpc.value("getSupply")
    assert supply["total"] == supply["circulating"] + supply["nonCirculating"]
    assert supply["nonCirculating"] == await rpc.value("getBalance", faucet)
    assert supply["nonCirculatingAccounts"] == [faucet]
    short = await rpc.value("getSupply", {"excludeNonCirculatingAccountsList": True})
    assert (short["nonCirculatingAccounts"], short["total"]) == ([], supply["total"])
    largest = await rpc.value("getLargestAccounts")
    assert [entry["address"] for entry in largest[:2]] == [faucet, wallet]
    assert largest[1]["lamports"] == 2_000_000_000
    assert (await rpc.value("getLargestAccounts", {"filter": "circulating"})) == largest[1:]
    assert (await rpc.value("getLargestAccounts", {"filter": "nonCirculating"})) == largest[:1]
    for method, answer in (("getSupply", GetSupplyResp), ("getLargestAccounts", GetLargestAccountsResp)):
        assert isinstance(answer.from_json(await body(rpc, method, {"filter": "circulating"})), answer)
    for _ in range(25):
        await holds(chain, SYSTEM_PROGRAM, b"", 2**64 - 1)
    assert [entry["lamports"] for entry in await rpc.value("getLargestAccounts")] == [2**64 - 1] * 20


# In words.


async def test_sysvars_in_words(rpc: Facade, chain: EmbeddedChain) -> None:
    before = await rpc.call("getSlot")

    async def info(name: str, key: str) -> Any:
        shown = await parsed(rpc, key)
        assert (shown["program"], shown["parsed"]["type"]) == ("sysvar", name)
        return shown["parsed"]["info"]

    clock = await info("clock", "SysvarC1ock11111111111111111111111111111111")
    assert clock["slot"] >= before
    assert set(clock) == {"slot", "epoch", "epochStartTimestamp", "leaderScheduleEpoch", "unixTimestamp"}
    assert abs(clock["unixTimestamp"] - chain.block_time(clock["slot"])) <= 1
    assert await info("epochSchedule", "SysvarEpochSchedu1e111111111111111111111111") == await rpc.call(
        "getEpochSchedule"
    )
    rent = await info("rent", "SysvarRent111111111111111111111111111111111")
    exempt = 128 * int(rent["lamportsPerByteYear"]) * rent["exemptionThreshold"]
    assert exempt == await rpc.call("getMinimumBalanceForRentExemption", 0)
    recent = await info("recentBlockhashes", "SysvarRecentB1ockHashes11111111111111111111")
    assert len(recent) == 150
    assert recent[0]["feeCalculator"] == {"lamportsPerSignature": "5000"}
    assert await rpc.value("isBlockhashValid", recent[0]["blockhash"]) is True
    hashes = await info("slotHashes", "SysvarS1otHashes111111111111111111111111111")
    assert len(hashes) == 512
    assert hashes[0]["hash"] == chain.blockhash_at(hashes[0]["slot"])
    history = await info("slotHistory", "SysvarS1otHistory11111111111111111111111111")
    passed = history["nextSlot"]
    assert passed > before
    assert history["bits"] == "1" * passed + "0" * (2**20 - passed)
    assert isinstance(await info("stakeHistory", "SysvarStakeHistory1111111111111111111111111"), list)
    assert await info("lastRestartSlot", "SysvarLastRestartS1ot1111111111111111111111") == {"lastRestartSlot": 0}
    rewards = await info("epochRewards", "SysvarEpochRewards1111111111111111111111111")
    assert (rewards["active"], rewards["totalPoints"], rewards["totalRewards"]) == (False, "0", "0")


async def test_sysvars_that_are_no_more_in_words(rpc: Facade, chain: EmbeddedChain) -> None:
    owner, key = "Sysvar1111111111111111111111111111111111111", "SysvarFees111111111111111111111111111111111"
    await chain.put_accounts({key: AccountInfo(1, owner, struct.pack("<Q", 5_000), executable=False)})
    fees = {"type": "fees", "info": {"feeCalculator": {"lamportsPerSignature": "5000"}}}
    assert (await parsed(rpc, key))["parsed"] == fees
    history = struct.pack("<QQQQQ", 1, 7, 10, 2, 3)
    key = "SysvarStakeHistory1111111111111111111111111"
    await chain.put_accounts({key: AccountInfo(1, owner, history, executable=False)})
    assert (await parsed(rpc, key))["parsed"]["info"] == [
        {"epoch": 7, "stakeHistory": {"effective": 10, "activating": 2, "deactivating": 3}}
    ]
    unknown = await holds(chain, owner, history)
    assert (await parsed(rpc, unknown))[1] == "base64"


async def test_programs_in_words(rpc: Facade, chain: EmbeddedChain) -> None:
    authority, elf = Pubkey.new_unique(), b"\x7fELF and more"
    some, none = b"\1" + bytes(authority), b"\0"
    data = await holds(chain, LOADER, struct.pack("<IQ", 3, 42) + some + elf)
    final = await holds(chain, LOADER, struct.pack("<IQ", 3, 42) + none + elf)
    buffer = await holds(chain, LOADER, struct.pack("<I", 1) + some + elf)
    program = await holds(chain, LOADER, struct.pack("<I", 2) + bytes(Pubkey.from_string(data)))
    empty = await holds(chain, LOADER, struct.pack("<I", 0) + bytes(33))
    code = ["f0VMRiBhbmQgbW9yZQ==", "base64"]
    for key, words in (
        (program, {"type": "program", "info": {"programData": data}}),
        (data, {"type": "programData", "info": {"slot": 42, "authority": str(authority), "data": code}}),
        (final, {"type": "programData", "info": {"slot": 42, "authority": None, "data": code}}),
        (buffer, {"type": "buffer", "info": {"authority": str(authority), "data": code}}),
        (empty, {"type": "uninitialized"}),
    ):
        shown = await parsed(rpc, key)
        assert (shown["program"], shown["parsed"]) == ("bpf-upgradeable-loader", words)
    for broken in (b"", b"\2\0\0\0short", struct.pack("<IQ", 3, 42), b"\x09\0\0\0"):
        assert (await parsed(rpc, await holds(chain, LOADER, broken)))[1] == "base64"


async def test_stakes_in_words(rpc: Facade, chain: EmbeddedChain) -> None:
    staker, withdrawer, custodian, voter = (Pubkey.new_unique() for _ in range(4))
    meta = struct.pack("<Q32s32sqQ32s", 42, bytes(staker), bytes(withdrawer), -1, 1, bytes(custodian))
    stake = struct.pack("<32sQQQdQ", bytes(voter), 20, 2, 2**64 - 1, 0.25, 10)
    in_words = {
        "rentExemptReserve": "42",
        "authorized": {"staker": str(staker), "withdrawer": str(withdrawer)},
        "lockup": {"unixTimestamp": -1, "epoch": 1, "custodian": str(custodian)},
    }
    delegation = {
        "voter": str(voter),
        "stake": "20",
        "activationEpoch": "2",
        "deactivationEpoch": "18446744073709551615",
    }
    for data, words in (
        (struct.pack("<I", 1) + meta + bytes(76), {"type": "initialized", "info": {"meta": in_words, "stake": None}}),
        (
            struct.pack("<I", 2) + meta + stake + bytes(4),
            {
                "type": "delegated",
                "info": {"meta": in_words, "stake": {"creditsObserved": 10, "delegation": delegation}},
            },
        ),
        (bytes(200), {"type": "uninitialized"}),
        (struct.pack("<I", 3), {"type": "rewardsPool"}),
    ):
        shown = await parsed(rpc, await holds(chain, STAKE, data))
        assert (shown["program"], shown["parsed"]) == ("stake", words)
    for broken in (struct.pack("<I", 2) + meta, b"\1", struct.pack("<I", 4)):
        assert (await parsed(rpc, await holds(chain, STAKE, broken)))[1] == "base64"


async def test_a_list_of_what_is_long_in_words_is_limited(rpc: Facade, monkeypatch: pytest.MonkeyPatch) -> None:
    """C6: the history of slots has a character for each bit, a megabyte of them. What is beyond is not even written."""
    written: list[object] = []

    def account_json(*details: Any) -> dict[str, Any]:
        written.append(details)
        return encode.account_json(*details)

    monkeypatch.setattr(accounts, "account_json", account_json)
    history = "SysvarS1otHistory11111111111111111111111111"
    assert len(await rpc.value("getMultipleAccounts", [history] * 3, PARSED)) == 3
    written.clear()
    assert (await rpc.fails("getMultipleAccounts", [history] * 60, PARSED))["code"] == -32012
    assert len(written) <= 17
    assert len(await rpc.value("getMultipleAccounts", [history] * 60, {"encoding": "base64"})) == 60


async def test_all_sysvars_together_in_words(rpc: Facade) -> None:
    found = await rpc.call("getProgramAccounts", "Sysvar1111111111111111111111111111111111111", PARSED)
    assert len(found) >= 8
    assert {entry["account"]["data"]["program"] for entry in found} == {"sysvar"}


async def test_extensions_of_tokens_in_words(rpc: Facade, chain: EmbeddedChain) -> None:
    """A mint and an account of Token-2022, as a node shows them."""
    authority, hook = Pubkey.new_unique(), Pubkey.new_unique()

    def extension(kind: int, data: bytes) -> bytes:
        return struct.pack("<HH", kind, len(data)) + data

    fee = struct.pack("<QQH", 7, 5_000, 100)
    extensions = (
        extension(1, bytes(authority) + bytes(32) + struct.pack("<Q", 9) + fee + fee)
        + extension(9, b"")
        + extension(14, bytes(authority) + bytes(hook))
        + extension(19, b"a name and an address")
        + extension(9_999, b"?")
        + bytes(8)
    )
    base = mint_bytes(authority=None, decimals=6).ljust(165, b"\0") + b"\1"
    mint = await holds(chain, TOKEN_2022_PROGRAM, base + extensions)
    shown = await parsed(rpc, mint)
    in_words = {"epoch": 7, "maximumFee": 5_000, "transferFeeBasisPoints": 100}
    assert (shown["program"], shown["parsed"]["type"]) == ("spl-token-2022", "mint")
    assert shown["parsed"]["info"]["extensions"] == [
        {
            "extension": "transferFeeConfig",
            "state": {
                "transferFeeConfigAuthority": str(authority),
                "withdrawWithheldAuthority": None,
                "withheldAmount": 9,
                "olderTransferFee": in_words,
                "newerTransferFee": in_words,
            },
        },
        {"extension": "nonTransferable"},
        {"extension": "transferHook", "state": {"authority": str(authority), "programId": str(hook)}},
        {"extension": "unparsableExtension"},
        {"extension": "unparsableExtension"},
    ]
    account = token_account_bytes(mint=mint, owner=str(authority), amount=5) + b"\2"
    extensions = extension(7, b"") + extension(8, b"\1") + extension(2, b"short")
    key = await holds(chain, TOKEN_2022_PROGRAM, account + extensions)
    assert (await parsed(rpc, key))["parsed"]["info"]["extensions"] == [
        {"extension": "immutableOwner"},
        {"extension": "memoTransfer", "state": {"requireIncomingTransferMemos": True}},
        {"extension": "unparsableExtension"},
    ]
    assert "extensions" not in (await parsed(rpc, USDC_MINT))["parsed"]["info"]


def borsh(text: str) -> bytes:
    return struct.pack("<I", len(text.encode())) + text.encode()


ONE, TWO = Pubkey(bytes([1] * 32)), Pubkey(bytes([2] * 32))
KEY_OF_3 = base64.b64encode(bytes([3] * 32)).decode()
CIPHERTEXT_OF_4 = base64.b64encode(bytes([4] * 64)).decode()
CIPHERTEXT_OF_5 = base64.b64encode(bytes([5] * 36)).decode()


@pytest.mark.parametrize(
    ("kind", "data", "name", "state"),
    [
        (
            19,
            bytes(ONE) + bytes(TWO) + b"".join(map(borsh, ("Großes", "G", "ipfs://x"))) + b"\1\0\0\0\1\0\0\0k\1\0\0\0v",
            "tokenMetadata",
            {
                "updateAuthority": str(ONE),
                "mint": str(TWO),
                "name": "Großes",
                "symbol": "G",
                "uri": "ipfs://x",
                "additionalMetadata": [["k", "v"]],
            },
        ),
        (
            21,
            bytes(32) + bytes(TWO) + struct.pack("<QQ", 1, 9),
            "tokenGroup",
            {"updateAuthority": None, "mint": str(TWO), "size": 1, "maxSize": 9},
        ),
        (
            23,
            bytes(ONE) + bytes(TWO) + struct.pack("<Q", 3),
            "tokenGroupMember",
            {"mint": str(ONE), "group": str(TWO), "memberNumber": 3},
        ),
        (
            4,
            bytes(ONE) + b"\1" + bytes(32),
            "confidentialTransferMint",
            {"authority": str(ONE), "autoApproveNewAccounts": True, "auditorElgamalPubkey": None},
        ),
        (
            5,
            b"\1" + bytes([3] * 32) + bytes([4] * 192) + bytes([5] * 36) + b"\1\0" + struct.pack("<4Q", 1, 2, 3, 4),
            "confidentialTransferAccount",
            {
                "approved": True,
                "elgamalPubkey": KEY_OF_3,
                "pendingBalanceLo": CIPHERTEXT_OF_4,
                "pendingBalanceHi": CIPHERTEXT_OF_4,
                "availableBalance": CIPHERTEXT_OF_4,
                "decryptableAvailableBalance": CIPHERTEXT_OF_5,
                "allowConfidentialCredits": True,
                "allowNonConfidentialCredits": False,
                "pendingBalanceCreditCounter": 1,
                "maximumPendingBalanceCreditCounter": 2,
                "expectedPendingBalanceCreditCounter": 3,
                "actualPendingBalanceCreditCounter": 4,
            },
        ),
        (
            16,
            bytes(32) + bytes([3] * 32) + b"\0" + bytes([4] * 64),
            "confidentialTransferFeeConfig",
            {
                "authority": None,
                "withdrawWithheldAuthorityElgamalPubkey": KEY_OF_3,
                "harvestToMintEnabled": False,
                "withheldAmount": CIPHERTEXT_OF_4,
            },
        ),
        (17, bytes([4] * 64), "confidentialTransferFeeAmount", {"withheldAmount": CIPHERTEXT_OF_4}),
        (
            24,
            bytes([4] * 64) + bytes([5] * 36) + bytes([3] * 32) + bytes([4] * 64),
            "confidentialMintBurn",
            {
                "confidentialSupply": CIPHERTEXT_OF_4,
                "decryptableSupply": CIPHERTEXT_OF_5,
                "supplyElgamalPubkey": KEY_OF_3,
                "pendingBurn": CIPHERTEXT_OF_4,
            },
        ),
    ],
)
def test_an_extension_in_words(kind: int, data: bytes, name: str, state: dict[str, Any]) -> None:
    entry = struct.pack("<HH", kind, len(data)) + data
    assert extensions_in_words(entry) == [{"extension": name, "state": state}]
    shorter = struct.pack("<HH", kind, len(data) - 1) + data[:-1]
    assert extensions_in_words(shorter) == [{"extension": "unparsableExtension"}]


async def test_metadata_that_the_program_wrote(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet, program = await funded(chain), Pubkey.from_string(TOKEN_2022_PROGRAM)
    own, mint = wallet.pubkey(), Pubkey.create_with_seed(wallet.pubkey(), "mint", program)

    def token(data: bytes, *accounts: Pubkey) -> Instruction:
        metas = [AccountMeta(key, is_signer=key == own, is_writable=key == mint) for key in accounts]
        return Instruction(program, data, metas)

    raw = await signed(
        chain,
        wallet,
        create_account_with_seed(
            CreateAccountWithSeedParams(
                from_pubkey=own, to_pubkey=mint, base=own, seed="mint", lamports=10**8, space=234, owner=program
            )
        ),
        token(b"\x27\0" + bytes(own) + bytes(mint), mint),
        token(b"\x14\6" + bytes(own) + b"\0", mint),
        token(bytes.fromhex("d2e11ea258b84d8d") + borsh("Name") + borsh("SYM") + borsh("uri"), mint, own, mint, own),
    )
    await rpc.call("sendTransaction", base64_of(raw), {"encoding": "base64"})
    extensions = (await parsed(rpc, str(mint)))["parsed"]["info"]["extensions"]
    assert extensions == [
        {"extension": "metadataPointer", "state": {"authority": str(own), "metadataAddress": str(mint)}},
        {
            "extension": "tokenMetadata",
            "state": {
                "updateAuthority": str(own),
                "mint": str(mint),
                "name": "Name",
                "symbol": "SYM",
                "uri": "uri",
                "additionalMetadata": [],
            },
        },
    ]


async def test_a_multisig_in_words(rpc: Facade, chain: EmbeddedChain) -> None:
    signers = [Pubkey.new_unique() for _ in range(3)]
    data = b"\2\3\1" + b"".join(map(bytes, signers)) + bytes(32 * 8)
    shown = await parsed(rpc, await holds(chain, TOKEN_PROGRAM, data))
    assert shown["parsed"] == {
        "type": "multisig",
        "info": {
            "numRequiredSigners": 2,
            "numValidSigners": 3,
            "isInitialized": True,
            "signers": [str(key) for key in signers],
        },
    }
    assert (await parsed(rpc, await holds(chain, TOKEN_PROGRAM, bytes(355))))[1] == "base64"


INTEREST_BEARING, SCALED = 10, 25


def near(text: str) -> Any:
    return pytest.approx(float(text), rel=1e-12)


def interest(rate: int, before: int, updated: int) -> bytes:
    state = bytes(32) + struct.pack("<qhqh", 1_600_000_000, before, updated, rate)
    return struct.pack("<HH", INTEREST_BEARING, len(state)) + state


def scaled(multiplier: float, since: int, new: float) -> bytes:
    state = bytes(32) + struct.pack("<dqd", multiplier, since, new)
    return struct.pack("<HH", SCALED, len(state)) + state


@pytest.mark.parametrize("decimals", [0, 6, 9])
@pytest.mark.parametrize(
    "extension",
    [
        interest(500, 0, 1_600_000_000),
        interest(30_000, -1_000, 1_700_000_000),
        scaled(2.5, 0, 1 / 3),
        scaled(1e-9, 2**62, 7.0),
        scaled(123_456.789, 2**62, 1.0),
        struct.pack("<HH", 3, 32) + bytes(32),
    ],
    ids=["interest", "more interest", "scale that changed", "tiny scale", "large scale", "neither"],
)
async def test_amounts_read_as_the_token_program_writes_them(
    rpc: Facade, chain: EmbeddedChain, decimals: int, extension: bytes
) -> None:
    wallet, owner = await funded(chain), str(Pubkey.new_unique())

    async def written(mint: str, amount: int) -> str:
        metas = [AccountMeta(Pubkey.from_string(mint), is_signer=False, is_writable=False)]
        ask = Instruction(Pubkey.from_string(TOKEN_2022_PROGRAM), b"\x17" + amount.to_bytes(8, "little"), metas)
        raw = base64_of(await signed(chain, wallet, ask))
        told = await rpc.value("simulateTransaction", raw, {"encoding": "base64"})
        return base64.b64decode(told["returnData"]["data"][0]).decode()

    for amount in (0, 1, 10**6, 999_999_999, 2**63, 2**64 - 1):
        data = mint_bytes(authority=None, decimals=decimals, supply=amount).ljust(165, b"\0") + b"\1" + extension
        mint = await holds(chain, TOKEN_2022_PROGRAM, data)
        account = await holds(chain, TOKEN_2022_PROGRAM, token_account_bytes(mint=mint, owner=owner, amount=amount))
        before = await written(mint, amount)
        (largest,) = await rpc.value("getTokenLargestAccounts", mint)
        shown = [
            largest,
            await rpc.value("getTokenAccountBalance", account),
            await rpc.value("getTokenSupply", mint),
            (await parsed(rpc, account))["parsed"]["info"]["tokenAmount"],
        ]
        after = await written(mint, amount)
        texts = {each["uiAmountString"] for each in shown}
        if extension.startswith(struct.pack("<H", INTEREST_BEARING)):
            # It grows by the second, and the program's own exponential differs in the last bit.
            assert all(float(text) in (near(before), near(after)) for text in texts)
        else:
            assert texts == {before}
        assert {each["amount"] for each in shown} == {str(amount)}
        assert [each["uiAmount"] for each in shown] == [pytest.approx(float(before), rel=1e-6)] * len(shown)


async def test_what_interest_and_scales_are_in_words(rpc: Facade, chain: EmbeddedChain) -> None:
    base = mint_bytes(authority=None, decimals=6).ljust(165, b"\0") + b"\1"
    mint = await holds(chain, TOKEN_2022_PROGRAM, base + interest(500, -7, 1_700_000_000) + scaled(2.5, 9, 1e-9))
    assert (await parsed(rpc, mint))["parsed"]["info"]["extensions"] == [
        {
            "extension": "interestBearingConfig",
            "state": {
                "rateAuthority": None,
                "initializationTimestamp": 1_600_000_000,
                "preUpdateAverageRate": -7,
                "lastUpdateTimestamp": 1_700_000_000,
                "currentRate": 500,
            },
        },
        {
            "extension": "scaledUiAmountConfig",
            "state": {
                "authority": None,
                "multiplier": "2.5",
                "newMultiplierEffectiveTimestamp": 9,
                "newMultiplier": "0.000000001",
            },
        },
    ]


async def test_an_amount_beyond_all_numbers_is_none(rpc: Facade, chain: EmbeddedChain) -> None:
    base = mint_bytes(authority=None, decimals=6, supply=1).ljust(165, b"\0") + b"\1"
    for extension, text in ((interest(32_767, 0, -(2**61)), "inf"), (scaled(float("nan"), 0, float("nan")), "NaN")):
        mint = await holds(chain, TOKEN_2022_PROGRAM, base + extension)
        told = await rpc.value("getTokenSupply", mint)
        assert (told["uiAmount"], told["uiAmountString"]) == (None, text)
