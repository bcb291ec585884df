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
from countermand.solana.tokens import SYSTEM_PROGRAM, TOKEN_2022_PROGRAM, TOKEN_PROGRAM

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


@pytest.mark.parametrize(
    ("program", "data", "accounts"),
    [
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
