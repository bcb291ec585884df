"""Instructions in words, each as a node writes it. The bytes are those of the clients' own builders, or of the layouts.

Accounts are written as letters here: `a` is the first account of the instruction, `b` the second.
"""

import struct
from typing import Any

import pytest
import solders.system_program as system
from solders.hash import Hash
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from countermand.solana.facade.parsed import Instruction as Called
from countermand.solana.facade.parsed import parsed_instruction
from countermand.solana.tokens import ASSOCIATED_TOKEN_PROGRAM, SYSTEM_PROGRAM, TOKEN_2022_PROGRAM, TOKEN_PROGRAM

A, B, C, D = (Pubkey.new_unique() for _ in range(4))
KEYS = {str(A): "A", str(B): "B", str(C): "C", str(D): "D"}
LOOKUP_TABLES = "AddressLookupTab1e1111111111111111111111111"
NONCES = {
    "recentBlockhashesSysvar": "SysvarRecentB1ockHashes11111111111111111111",
    "rentSysvar": "SysvarRent111111111111111111111111111111111",
}
OF_BLOCKHASHES = {"recentBlockhashesSysvar": NONCES["recentBlockhashesSysvar"]}


def named(value: Any) -> Any:
    """The same with letters for the keys."""
    if isinstance(value, dict):
        return {name: named(each) for name, each in value.items()}
    if isinstance(value, list):
        return [named(each) for each in value]
    return KEYS.get(value, value) if isinstance(value, str) else value


def words(instruction: Instruction) -> Any:
    accounts = tuple(str(meta.pubkey) for meta in instruction.accounts)
    shown = parsed_instruction(Called(str(instruction.program_id), accounts, bytes(instruction.data), 1))
    return named(shown["parsed"]) if "parsed" in shown else None


def called(program: str, data: bytes, *accounts: Pubkey) -> Any:
    shown = parsed_instruction(Called(program, tuple(map(str, accounts)), data, 1))
    return named(shown["parsed"]) if "parsed" in shown else None


@pytest.mark.parametrize(
    ("instruction", "kind", "info"),
    [
        (
            system.create_account(
                system.CreateAccountParams(from_pubkey=A, to_pubkey=B, lamports=5, space=80, owner=C)
            ),
            "createAccount",
            {"source": "A", "newAccount": "B", "lamports": 5, "space": 80, "owner": "C"},
        ),
        (
            system.assign(system.AssignParams(pubkey=A, owner=B)),
            "assign",
            {"account": "A", "owner": "B"},
        ),
        (
            system.transfer(system.TransferParams(from_pubkey=A, to_pubkey=B, lamports=7)),
            "transfer",
            {"source": "A", "destination": "B", "lamports": 7},
        ),
        (
            system.create_account_with_seed(
                system.CreateAccountWithSeedParams(
                    from_pubkey=A, to_pubkey=B, base=C, seed="seed", lamports=5, space=80, owner=D
                )
            ),
            "createAccountWithSeed",
            {"source": "A", "newAccount": "B", "base": "C", "seed": "seed", "lamports": 5, "space": 80, "owner": "D"},
        ),
        (
            system.advance_nonce_account(system.AdvanceNonceAccountParams(nonce_pubkey=A, authorized_pubkey=B)),
            "advanceNonce",
            {"nonceAccount": "A", "nonceAuthority": "B", **OF_BLOCKHASHES},
        ),
        (
            system.withdraw_nonce_account(
                system.WithdrawNonceAccountParams(nonce_pubkey=A, authorized_pubkey=B, to_pubkey=C, lamports=9)
            ),
            "withdrawFromNonce",
            {"nonceAccount": "A", "nonceAuthority": "B", "destination": "C", "lamports": 9, **NONCES},
        ),
        (
            system.initialize_nonce_account(system.InitializeNonceAccountParams(nonce_pubkey=A, authority=B)),
            "initializeNonce",
            {"nonceAccount": "A", "nonceAuthority": "B", **NONCES},
        ),
        (
            system.authorize_nonce_account(
                system.AuthorizeNonceAccountParams(nonce_pubkey=A, authorized_pubkey=B, new_authority=C)
            ),
            "authorizeNonce",
            {"nonceAccount": "A", "nonceAuthority": "B", "newAuthorized": "C"},
        ),
        (
            system.allocate(system.AllocateParams(pubkey=A, space=80)),
            "allocate",
            {"account": "A", "space": 80},
        ),
        (
            system.allocate_with_seed(system.AllocateWithSeedParams(address=A, base=B, seed="seed", space=80, owner=C)),
            "allocateWithSeed",
            {"account": "A", "base": "B", "seed": "seed", "space": 80, "owner": "C"},
        ),
        (
            system.assign_with_seed(system.AssignWithSeedParams(address=A, base=B, seed="seed", owner=C)),
            "assignWithSeed",
            {"account": "A", "base": "B", "seed": "seed", "owner": "C"},
        ),
        (
            system.transfer_with_seed(
                system.TransferWithSeedParams(
                    from_pubkey=A, from_base=B, from_seed="seed", from_owner=C, to_pubkey=D, lamports=3
                )
            ),
            "transferWithSeed",
            {
                "source": "A",
                "sourceBase": "B",
                "destination": "D",
                "lamports": 3,
                "sourceSeed": "seed",
                "sourceOwner": "C",
            },
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_system_program_in_words(instruction: Instruction, kind: str, info: dict[str, Any]) -> None:
    assert words(instruction) == {"type": kind, "info": info}


def test_lookup_tables_in_words() -> None:
    table = {"lookupTableAccount": "A", "lookupTableAuthority": "B"}
    create = called(LOOKUP_TABLES, struct.pack("<IQB", 0, 42, 254), A, B, C, Pubkey.from_string(SYSTEM_PROGRAM))
    payer = {"payerAccount": "C", "systemProgram": SYSTEM_PROGRAM}
    assert create == {"type": "createLookupTable", "info": {**table, **payer, "recentSlot": 42, "bumpSeed": 254}}
    assert called(LOOKUP_TABLES, struct.pack("<I", 1), A, B) == {"type": "freezeLookupTable", "info": table}
    added = struct.pack("<IQ", 2, 2) + bytes(C) + bytes(D)
    more = {**table, "newAddresses": ["C", "D"]}
    assert called(LOOKUP_TABLES, added, A, B) == {"type": "extendLookupTable", "info": more}
    paid = called(LOOKUP_TABLES, added, A, B, C, Pubkey.from_string(SYSTEM_PROGRAM))
    assert paid == {"type": "extendLookupTable", "info": {**more, **payer}}
    assert called(LOOKUP_TABLES, struct.pack("<I", 3), A, B) == {"type": "deactivateLookupTable", "info": table}
    closed = {**table, "recipient": "C"}
    assert called(LOOKUP_TABLES, struct.pack("<I", 4), A, B, C) == {"type": "closeLookupTable", "info": closed}


AMOUNT = struct.pack("<Q", 1_500_000)
IN_UNITS = {"amount": "1500000", "decimals": 6, "uiAmountString": "1.5"}
SOME, NONE = b"\1" + bytes(D), b"\0"


@pytest.mark.parametrize("program", [TOKEN_PROGRAM, TOKEN_2022_PROGRAM])
@pytest.mark.parametrize(
    ("data", "accounts", "kind", "info"),
    [
        (
            b"\0\6" + bytes(C) + SOME,
            2,
            "initializeMint",
            {"mint": "A", "rentSysvar": "B", "decimals": 6, "mintAuthority": "C", "freezeAuthority": "D"},
        ),
        (b"\x14\6" + bytes(C) + NONE, 1, "initializeMint2", {"mint": "A", "decimals": 6, "mintAuthority": "C"}),
        (b"\1", 4, "initializeAccount", {"account": "A", "mint": "B", "owner": "C", "rentSysvar": "D"}),
        (b"\x10" + bytes(D), 3, "initializeAccount2", {"account": "A", "mint": "B", "owner": "D", "rentSysvar": "C"}),
        (b"\x12" + bytes(D), 2, "initializeAccount3", {"account": "A", "mint": "B", "owner": "D"}),
        (b"\2\1", 4, "initializeMultisig", {"multisig": "A", "rentSysvar": "B", "m": 1, "signers": ["C", "D"]}),
        (b"\x13\2", 3, "initializeMultisig2", {"multisig": "A", "m": 2, "signers": ["B", "C"]}),
        (b"\3" + AMOUNT, 3, "transfer", {"source": "A", "destination": "B", "authority": "C", "amount": "1500000"}),
        (
            b"\3" + AMOUNT,
            4,
            "transfer",
            {"source": "A", "destination": "B", "multisigAuthority": "C", "signers": ["D"], "amount": "1500000"},
        ),
        (b"\4" + AMOUNT, 3, "approve", {"source": "A", "delegate": "B", "owner": "C", "amount": "1500000"}),
        (b"\5", 2, "revoke", {"source": "A", "owner": "B"}),
        (
            b"\6\0" + SOME,
            2,
            "setAuthority",
            {"mint": "A", "authority": "B", "authorityType": "mintTokens", "newAuthority": "D"},
        ),
        (
            b"\6\2" + NONE,
            3,
            "setAuthority",
            {
                "account": "A",
                "multisigAuthority": "B",
                "signers": ["C"],
                "authorityType": "accountOwner",
                "newAuthority": None,
            },
        ),
        (b"\7" + AMOUNT, 3, "mintTo", {"mint": "A", "account": "B", "mintAuthority": "C", "amount": "1500000"}),
        (b"\x08" + AMOUNT, 3, "burn", {"account": "A", "mint": "B", "authority": "C", "amount": "1500000"}),
        (b"\x09", 3, "closeAccount", {"account": "A", "destination": "B", "owner": "C"}),
        (b"\x09", 4, "closeAccount", {"account": "A", "destination": "B", "multisigOwner": "C", "signers": ["D"]}),
        (b"\x0a", 3, "freezeAccount", {"account": "A", "mint": "B", "freezeAuthority": "C"}),
        (b"\x0b", 3, "thawAccount", {"account": "A", "mint": "B", "freezeAuthority": "C"}),
        (
            b"\x0c" + AMOUNT + b"\6",
            4,
            "transferChecked",
            {"source": "A", "mint": "B", "destination": "C", "authority": "D", "tokenAmount": IN_UNITS},
        ),
        (
            b"\x0d" + AMOUNT + b"\6",
            4,
            "approveChecked",
            {"source": "A", "mint": "B", "delegate": "C", "owner": "D", "tokenAmount": IN_UNITS},
        ),
        (
            b"\x0e" + AMOUNT + b"\6",
            3,
            "mintToChecked",
            {"mint": "A", "account": "B", "mintAuthority": "C", "tokenAmount": IN_UNITS},
        ),
        (
            b"\x0f" + AMOUNT + b"\6",
            3,
            "burnChecked",
            {"account": "A", "mint": "B", "authority": "C", "tokenAmount": IN_UNITS},
        ),
        (b"\x11", 1, "syncNative", {"account": "A"}),
        (b"\x15", 1, "getAccountDataSize", {"mint": "A"}),
        (
            b"\x15\7\0\x09\0",
            1,
            "getAccountDataSize",
            {"mint": "A", "extensionTypes": ["immutableOwner", "nonTransferable"]},
        ),
        (b"\x16", 1, "initializeImmutableOwner", {"account": "A"}),
        (b"\x17" + AMOUNT, 1, "amountToUiAmount", {"mint": "A", "amount": "1500000"}),
        (b"\x181.5", 1, "uiAmountToAmount", {"mint": "A", "uiAmount": "1.5"}),
    ],
)
def test_the_token_programs_in_words(program: str, data: bytes, accounts: int, kind: str, info: dict[str, Any]) -> None:
    """A node calls both by the name of the first."""
    shown = parsed_instruction(Called(program, tuple(KEYS)[:accounts], data, 2))
    assert (shown["program"], shown["programId"], shown["stackHeight"]) == ("spl-token", program, 2)
    words = named(shown["parsed"])
    words["info"].get("tokenAmount", {}).pop("uiAmount", None)  # An exact number, compared elsewhere.
    assert words == {"type": kind, "info": info}


def text(value: str) -> bytes:
    return struct.pack("<I", len(value)) + value.encode()


ONE_SOME, ONE_NONE = bytes(D), bytes(32)
FEE_IN_UNITS = {"amount": "2", "decimals": 6, "uiAmountString": "0.000002"}
MINT_AND_AUTHORITY = {"mint": "A", "authority": "B"}


@pytest.mark.parametrize(
    ("data", "accounts", "kind", "info"),
    [
        (b"\x19" + SOME, 1, "initializeMintCloseAuthority", {"mint": "A", "newAuthority": "D"}),
        (b"\x19" + NONE, 1, "initializeMintCloseAuthority", {"mint": "A", "newAuthority": None}),
        (
            b"\x1a\0" + SOME + NONE + struct.pack("<HQ", 42, 2121),
            1,
            "initializeTransferFeeConfig",
            {"mint": "A", "transferFeeConfigAuthority": "D", "transferFeeBasisPoints": 42, "maximumFee": 2121},
        ),
        (
            b"\x1a\1" + AMOUNT + b"\6" + struct.pack("<Q", 2),
            4,
            "transferCheckedWithFee",
            {
                "source": "A",
                "mint": "B",
                "destination": "C",
                "authority": "D",
                "tokenAmount": IN_UNITS,
                "feeAmount": FEE_IN_UNITS,
            },
        ),
        (
            b"\x1a\2",
            3,
            "withdrawWithheldTokensFromMint",
            {"mint": "A", "feeRecipient": "B", "withdrawWithheldAuthority": "C"},
        ),
        (
            b"\x1a\3\1",
            4,
            "withdrawWithheldTokensFromAccounts",
            {"mint": "A", "feeRecipient": "B", "withdrawWithheldAuthority": "C", "sourceAccounts": ["D"]},
        ),
        (b"\x1a\4", 3, "harvestWithheldTokensToMint", {"mint": "A", "sourceAccounts": ["B", "C"]}),
        (
            b"\x1a\5" + struct.pack("<HQ", 42, 2121),
            2,
            "setTransferFee",
            {"mint": "A", "transferFeeConfigAuthority": "B", "transferFeeBasisPoints": 42, "maximumFee": 2121},
        ),
        (b"\x1c\0\2", 1, "initializeDefaultAccountState", {"mint": "A", "accountState": "frozen"}),
        (
            b"\x1c\1\1",
            4,
            "updateDefaultAccountState",
            {"mint": "A", "multisigFreezeAuthority": "B", "signers": ["C", "D"], "accountState": "initialized"},
        ),
        (
            b"\x1d\2\0\x08\0\x19\0",
            4,
            "reallocate",
            {
                "account": "A",
                "payer": "B",
                "systemProgram": "C",
                "owner": "D",
                "extensionTypes": ["transferFeeAmount", "memoTransfer", "scaledUiAmount"],
            },
        ),
        (b"\x1e\0", 2, "enableRequiredMemoTransfers", {"account": "A", "owner": "B"}),
        (b"\x1e\1", 2, "disableRequiredMemoTransfers", {"account": "A", "owner": "B"}),
        (b"\x1f", 3, "createNativeMint", {"payer": "A", "nativeMint": "B", "systemProgram": "C"}),
        (b"\x20", 1, "initializeNonTransferableMint", {"mint": "A"}),
        (
            b"\x21\0" + ONE_NONE + struct.pack("<h", -5),
            1,
            "initializeInterestBearingConfig",
            {"mint": "A", "rateAuthority": None, "rate": -5},
        ),
        (
            b"\x21\1" + struct.pack("<h", 7),
            2,
            "updateInterestBearingConfigRate",
            {"mint": "A", "rateAuthority": "B", "newRate": 7},
        ),
        (b"\x22\0", 2, "enableCpiGuard", {"account": "A", "owner": "B"}),
        (b"\x22\1", 3, "disableCpiGuard", {"account": "A", "multisigOwner": "B", "signers": ["C"]}),
        (b"\x23" + ONE_SOME, 1, "initializePermanentDelegate", {"mint": "A", "delegate": "D"}),
        (b"\x24\0" + ONE_NONE + ONE_SOME, 1, "initializeTransferHook", {"mint": "A", "programId": "D"}),
        (b"\x24\1" + ONE_SOME, 2, "updateTransferHook", {**MINT_AND_AUTHORITY, "programId": "D"}),
        (
            b"\x27\0" + ONE_SOME + ONE_SOME,
            1,
            "initializeMetadataPointer",
            {"mint": "A", "authority": "D", "metadataAddress": "D"},
        ),
        (b"\x27\1" + ONE_NONE, 2, "updateMetadataPointer", MINT_AND_AUTHORITY),
        (b"\x28\0" + ONE_NONE + ONE_SOME, 1, "initializeGroupPointer", {"mint": "A", "groupAddress": "D"}),
        (b"\x29\1" + ONE_SOME, 2, "updateGroupMemberPointer", {**MINT_AND_AUTHORITY, "memberAddress": "D"}),
        (
            b"\x2b\0" + ONE_SOME + struct.pack("<d", 1.5),
            1,
            "initializeScaledUiAmountConfig",
            {"mint": "A", "authority": "D", "multiplier": "1.5"},
        ),
        (
            b"\x2b\1" + struct.pack("<dq", 2, 99),
            2,
            "updateMultiplier",
            {**MINT_AND_AUTHORITY, "newMultiplier": "2", "newMultiplierTimestamp": 99},
        ),
        (b"\x2c\0" + ONE_NONE, 1, "initializePausableConfig", {"mint": "A", "authority": None}),
        (b"\x2c\1", 2, "pause", MINT_AND_AUTHORITY),
        (b"\x2c\2", 2, "resume", MINT_AND_AUTHORITY),
        (b"\x2d\0", 3, "unwrapLamports", {"source": "A", "destination": "B", "authority": "C"}),
        (
            b"\x2d\1" + AMOUNT,
            3,
            "unwrapLamports",
            {"source": "A", "destination": "B", "authority": "C", "amount": "1500000"},
        ),
        (
            b"\xff\3\x09\3" + AMOUNT + b"\1\1\x11",
            4,
            "batch",
            {
                "instructions": [
                    {
                        "type": "transfer",
                        "info": {"source": "A", "destination": "B", "authority": "C", "amount": "1500000"},
                    },
                    {"type": "syncNative", "info": {"account": "D"}},
                ]
            },
        ),
        (
            bytes.fromhex("d2e11ea258b84d8d") + text("Mega") + text("M") + text("uri"),
            4,
            "initializeTokenMetadata",
            {
                "metadata": "A",
                "updateAuthority": "B",
                "mint": "C",
                "mintAuthority": "D",
                "name": "Mega",
                "symbol": "M",
                "uri": "uri",
            },
        ),
        (
            bytes.fromhex("dde9312db5cadcc8") + b"\2" + text("new"),
            2,
            "updateTokenMetadataField",
            {"metadata": "A", "updateAuthority": "B", "field": "uri", "value": "new"},
        ),
        (
            bytes.fromhex("dde9312db5cadcc8") + b"\3" + text("key") + text("new"),
            2,
            "updateTokenMetadataField",
            {"metadata": "A", "updateAuthority": "B", "field": "key", "value": "new"},
        ),
        (
            bytes.fromhex("ea122038598d25b5") + b"\1" + text("key"),
            2,
            "removeTokenMetadataKey",
            {"metadata": "A", "updateAuthority": "B", "key": "key", "idempotent": True},
        ),
        (
            bytes.fromhex("d7e4a6e45464567b") + ONE_NONE,
            2,
            "updateTokenMetadataAuthority",
            {"metadata": "A", "updateAuthority": "B", "newAuthority": None},
        ),
        (
            bytes.fromhex("faa6b4fa0d0cb846") + b"\1" + struct.pack("<Q", 1) + b"\0",
            1,
            "emitTokenMetadata",
            {"metadata": "A", "start": 1},
        ),
        (
            bytes.fromhex("79716c2736330004") + ONE_SOME + struct.pack("<Q", 300),
            3,
            "initializeTokenGroup",
            {"group": "A", "mint": "B", "mintAuthority": "C", "updateAuthority": "D", "maxSize": 300},
        ),
        (
            bytes.fromhex("6c25ab8ff81e126e") + struct.pack("<Q", 500),
            2,
            "updateTokenGroupMaxSize",
            {"group": "A", "updateAuthority": "B", "maxSize": 500},
        ),
        (
            bytes.fromhex("a1695801edddd8cb") + ONE_SOME,
            2,
            "updateTokenGroupAuthority",
            {"group": "A", "updateAuthority": "B", "newAuthority": "D"},
        ),
    ],
)
def test_extensions_of_token_2022_in_words(data: bytes, accounts: int, kind: str, info: dict[str, Any]) -> None:
    shown = called(TOKEN_2022_PROGRAM, data, *(A, B, C, D)[:accounts])
    for name in ("tokenAmount", "feeAmount"):
        shown["info"].get(name, {}).pop("uiAmount", None)
    assert shown == {"type": kind, "info": info}


def test_a_member_of_a_group_in_words() -> None:
    accounts = (A, B, C, D, A)
    roles = ("member", "memberMint", "memberMintAuthority", "group", "groupUpdateAuthority")
    shown = called(TOKEN_2022_PROGRAM, bytes.fromhex("9820deb0dfed7486"), *accounts)
    assert shown == {"type": "initializeTokenGroupMember", "info": dict(zip(roles, "ABCDA", strict=True))}


def test_a_nested_account_in_words() -> None:
    accounts = (A, B, C, D, A, B, Pubkey.from_string(TOKEN_PROGRAM))
    roles = ("nestedSource", "nestedMint", "destination", "nestedOwner", "ownerMint", "wallet", "tokenProgram")
    shown = called(ASSOCIATED_TOKEN_PROGRAM, b"\2", *accounts)
    assert shown == {
        "type": "recoverNested",
        "info": dict(zip(roles, [*"ABCDAB", TOKEN_PROGRAM], strict=True)),
    }
    assert called(ASSOCIATED_TOKEN_PROGRAM, b"\2", *accounts[:6]) is None


@pytest.mark.parametrize(
    ("program", "data", "accounts"),
    [
        (TOKEN_2022_PROGRAM, b"\x1a\x06", 4),
        (TOKEN_2022_PROGRAM, b"\x1a\3\2", 4),
        (TOKEN_2022_PROGRAM, b"\x1b\0" + bytes(65), 1),
        (TOKEN_2022_PROGRAM, b"\x1c\0\7", 1),
        (TOKEN_2022_PROGRAM, b"\x27\2", 2),
        (TOKEN_2022_PROGRAM, b"\x27", 2),
        (TOKEN_2022_PROGRAM, b"\xff\1\2\xff\0", 4),
        (TOKEN_2022_PROGRAM, b"\xff\5\1\x11", 4),
        (TOKEN_2022_PROGRAM, b"\xff\1\x09\x11", 4),
        (TOKEN_2022_PROGRAM, b"\xff\1\1\xfe", 4),
        (TOKEN_2022_PROGRAM, bytes.fromhex("dde9312db5cadcc8") + b"\4" + text("new"), 2),
        (TOKEN_2022_PROGRAM, bytes.fromhex("d2e11ea258b84d8d") + text("\x00")[:-1] + b"\xff", 4),
        (SYSTEM_PROGRAM, b"", 2),
        (SYSTEM_PROGRAM, b"\2\0\0", 2),
        (SYSTEM_PROGRAM, struct.pack("<I", 99), 2),
        (SYSTEM_PROGRAM, struct.pack("<IQ", 2, 7), 1),
        (SYSTEM_PROGRAM, struct.pack("<II", 2, 7), 2),
        (SYSTEM_PROGRAM, struct.pack("<I32sQ", 10, bytes(32), 2**63), 1),
        (SYSTEM_PROGRAM, struct.pack("<I32sQ", 10, bytes(32), 1) + b"\xff" + bytes(32), 1),
        (LOOKUP_TABLES, struct.pack("<IQ", 2, 2**60), 2),
        (LOOKUP_TABLES, struct.pack("<IQ", 2, 1) + bytes(31), 2),
        (TOKEN_PROGRAM, b"", 3),
        (TOKEN_PROGRAM, b"\3\1", 3),
        (TOKEN_PROGRAM, b"\3" + AMOUNT, 2),
        (TOKEN_PROGRAM, b"\6\xf0" + NONE, 2),
        (TOKEN_PROGRAM, b"\6\0\2", 2),
        (TOKEN_PROGRAM, b"\x15\xff\xff", 1),
        (TOKEN_PROGRAM, b"\x18\xff", 1),
        (TOKEN_PROGRAM, b"\2\1", 1),
        (TOKEN_PROGRAM, b"\xfe", 1),
        (str(Hash.default()), b"", 0),
    ],
)
def test_what_does_not_read_is_shown_as_bytes(program: str, data: bytes, accounts: int) -> None:
    keys = tuple(KEYS)[:accounts]
    shown = parsed_instruction(Called(program, keys, data, 1))
    assert "parsed" not in shown
    assert (shown["programId"], tuple(shown["accounts"])) == (program, keys)
