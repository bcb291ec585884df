"""The program of Recurring v1, held against its interface in `@jup-ag/dca-sdk` 3.0.1.

The literals are what `@coral-xyz/anchor` 0.29.0 makes of that interface.
"""

import base64
from collections.abc import Callable

import pytest
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from countermand.solana.ledger import InnerInstruction, InnerInstructions
from countermand.solana.programs import dca
from countermand.solana.programs.compile import Budget
from countermand.solana.programs.dca import (
    Dca,
    DcaBalance,
    DcaClosed,
    DcaDeposited,
    DcaFeeCollected,
    DcaFilled,
    DcaKeys,
    DcaOpened,
    DcaWithdrawn,
    NewDca,
    close_dca,
    dca_address,
    dca_bytes,
    deposit,
    deposit_message,
    error_name,
    events_of,
    open_dca,
    open_dca_v2,
    open_message,
    open_older_message,
    read_dca,
    read_event,
    withdraw,
    withdraw_message,
)
from countermand.solana.wire import read_transaction
from countermand.values.structs import replace
from tests.services.custody.layouts import decoded
from tests.solana.test_programs_limit_order import landed

PROGRAM = "DCA265Vj8a9CEuX1eb1LWRnDT7uK6q1xMipnNyatn23M"
EVENT_AUTHORITY = "Cspp27eGUDMXxPEdhmEXFVRn6Lt1L7xJyALF3nmnWoBj"
TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
ASSOCIATED = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
SYSTEM = "11111111111111111111111111111111"
SOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
USER = "5dMXLJ8GYQxcHe2fjpttVkEpRrxcajRXZqJHCiCbWS4H"
USERS_SOL = "DtHCQeMR1W7bRJqZBhfLdtjYijFhjrdnVjZJVbiwaegQ"
USERS_USDC = "92pDqRsYzgMmmVfoatehw25R2JcSvSqAKAZrcxhpWhbV"
PAYER = "devjnEpxbJUhJ39FSsFz7YPerr5bdxN8VWUXvfbFUK4"
BLOCKHASH = "943s4PskofczkaRsaVYH9eQEVSfLgjc4wiztx2MRmWcY"
BUDGET = Budget(88_662, 200_000)

NEW = NewDca(
    user=USER,
    payer=PAYER,
    input_mint=USDC,
    output_mint=SOL,
    idx=1_741_184_640,
    in_amount=1_000,
    in_amount_per_cycle=100,
    cycle_frequency=60,
    min_out=5,
    max_out=6,
    start_at=7,
)
OLDER = replace(NEW, payer=USER, min_out=None, start_at=None)
KEYS = NEW.keys


def key(number: int) -> str:
    return str(Pubkey(bytes([number] * 32)))


def flags(instruction: Instruction) -> list[str]:
    return [
        f"{meta.pubkey} {'s' if meta.is_signer else '-'}{'w' if meta.is_writable else '-'}"
        for meta in instruction.accounts
    ]


# Instructions


def test_an_address_is_derived_from_the_user_the_mints_and_a_number() -> None:
    """That of the published create."""
    assert dca_address(USER, SOL, USDC, 1_741_184_640) == ("FGXoHmS8MXU6pgzoJFHj86ZAW7wCFKodp6wgWi5WnoW7", 255)
    assert dca.EVENT_AUTHORITY == EVENT_AUTHORITY


INSTRUCTIONS: list[tuple[Callable[[], Instruction], list[str], str]] = [
    (
        lambda: open_dca_v2(NEW),
        [
            "7fo63KuMTNTTwHEof8gsN8yVDx6rK27stt39CqgtUQMa -w",
            "5dMXLJ8GYQxcHe2fjpttVkEpRrxcajRXZqJHCiCbWS4H s-",
            "devjnEpxbJUhJ39FSsFz7YPerr5bdxN8VWUXvfbFUK4 sw",
            "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v --",
            "So11111111111111111111111111111111111111112 --",
            "92pDqRsYzgMmmVfoatehw25R2JcSvSqAKAZrcxhpWhbV -w",
            "DAk2tbZFhmDtFfCrF1f366jdXSu6BtZuwZESVP7i8M7J -w",
            "DZ5UhNaLzw78qM9PiRCNhkbH7nG8yMSgStu22ciSFXXS -w",
            "11111111111111111111111111111111 --",
            "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA --",
            "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL --",
            "Cspp27eGUDMXxPEdhmEXFVRn6Lt1L7xJyALF3nmnWoBj --",
            "DCA265Vj8a9CEuX1eb1LWRnDT7uK6q1xMipnNyatn23M --",
        ],
        (
            "8e772b6da2340bb1805ec86700000000e80300000000000064000000000000003c0000000000000001050000000000000001"
            "0600000000000000010700000000000000"
        ),
    ),
    (
        lambda: open_dca(OLDER, closes_wrapped=True),
        [
            "7fo63KuMTNTTwHEof8gsN8yVDx6rK27stt39CqgtUQMa -w",
            "5dMXLJ8GYQxcHe2fjpttVkEpRrxcajRXZqJHCiCbWS4H sw",
            "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v --",
            "So11111111111111111111111111111111111111112 --",
            "92pDqRsYzgMmmVfoatehw25R2JcSvSqAKAZrcxhpWhbV -w",
            "DAk2tbZFhmDtFfCrF1f366jdXSu6BtZuwZESVP7i8M7J -w",
            "DZ5UhNaLzw78qM9PiRCNhkbH7nG8yMSgStu22ciSFXXS -w",
            "11111111111111111111111111111111 --",
            "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA --",
            "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL --",
            "Cspp27eGUDMXxPEdhmEXFVRn6Lt1L7xJyALF3nmnWoBj --",
            "DCA265Vj8a9CEuX1eb1LWRnDT7uK6q1xMipnNyatn23M --",
        ],
        ("2441b93601d264a3805ec86700000000e80300000000000064000000000000003c0000000000000000010600000000000000000101"),
    ),
    (
        lambda: close_dca(KEYS),
        [
            "5dMXLJ8GYQxcHe2fjpttVkEpRrxcajRXZqJHCiCbWS4H sw",
            "7fo63KuMTNTTwHEof8gsN8yVDx6rK27stt39CqgtUQMa -w",
            "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v --",
            "So11111111111111111111111111111111111111112 --",
            "DAk2tbZFhmDtFfCrF1f366jdXSu6BtZuwZESVP7i8M7J -w",
            "DZ5UhNaLzw78qM9PiRCNhkbH7nG8yMSgStu22ciSFXXS -w",
            "92pDqRsYzgMmmVfoatehw25R2JcSvSqAKAZrcxhpWhbV -w",
            "DtHCQeMR1W7bRJqZBhfLdtjYijFhjrdnVjZJVbiwaegQ -w",
            "11111111111111111111111111111111 --",
            "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA --",
            "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL --",
            "Cspp27eGUDMXxPEdhmEXFVRn6Lt1L7xJyALF3nmnWoBj --",
            "DCA265Vj8a9CEuX1eb1LWRnDT7uK6q1xMipnNyatn23M --",
        ],
        ("16072162a8b722f3"),
    ),
    (
        lambda: deposit(KEYS, 77),
        [
            "5dMXLJ8GYQxcHe2fjpttVkEpRrxcajRXZqJHCiCbWS4H sw",
            "7fo63KuMTNTTwHEof8gsN8yVDx6rK27stt39CqgtUQMa -w",
            "DAk2tbZFhmDtFfCrF1f366jdXSu6BtZuwZESVP7i8M7J -w",
            "92pDqRsYzgMmmVfoatehw25R2JcSvSqAKAZrcxhpWhbV -w",
            "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA --",
            "Cspp27eGUDMXxPEdhmEXFVRn6Lt1L7xJyALF3nmnWoBj --",
            "DCA265Vj8a9CEuX1eb1LWRnDT7uK6q1xMipnNyatn23M --",
        ],
        ("f223c68952e1f2b64d00000000000000"),
    ),
    (
        lambda: withdraw(KEYS, DcaBalance.IN, 55),
        [
            "5dMXLJ8GYQxcHe2fjpttVkEpRrxcajRXZqJHCiCbWS4H sw",
            "7fo63KuMTNTTwHEof8gsN8yVDx6rK27stt39CqgtUQMa -w",
            "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v --",
            "So11111111111111111111111111111111111111112 --",
            "DAk2tbZFhmDtFfCrF1f366jdXSu6BtZuwZESVP7i8M7J -w",
            "92pDqRsYzgMmmVfoatehw25R2JcSvSqAKAZrcxhpWhbV -w",
            "DCA265Vj8a9CEuX1eb1LWRnDT7uK6q1xMipnNyatn23M --",
            "11111111111111111111111111111111 --",
            "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA --",
            "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL --",
            "Cspp27eGUDMXxPEdhmEXFVRn6Lt1L7xJyALF3nmnWoBj --",
            "DCA265Vj8a9CEuX1eb1LWRnDT7uK6q1xMipnNyatn23M --",
        ],
        ("b712469c946da122370000000000000000"),
    ),
    (
        lambda: withdraw(KEYS, DcaBalance.OUT, 55),
        [
            "5dMXLJ8GYQxcHe2fjpttVkEpRrxcajRXZqJHCiCbWS4H sw",
            "7fo63KuMTNTTwHEof8gsN8yVDx6rK27stt39CqgtUQMa -w",
            "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v --",
            "So11111111111111111111111111111111111111112 --",
            "DZ5UhNaLzw78qM9PiRCNhkbH7nG8yMSgStu22ciSFXXS -w",
            "DCA265Vj8a9CEuX1eb1LWRnDT7uK6q1xMipnNyatn23M --",
            "DtHCQeMR1W7bRJqZBhfLdtjYijFhjrdnVjZJVbiwaegQ -w",
            "11111111111111111111111111111111 --",
            "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA --",
            "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL --",
            "Cspp27eGUDMXxPEdhmEXFVRn6Lt1L7xJyALF3nmnWoBj --",
            "DCA265Vj8a9CEuX1eb1LWRnDT7uK6q1xMipnNyatn23M --",
        ],
        ("b712469c946da122370000000000000001"),
    ),
]


@pytest.mark.parametrize(("build", "accounts", "data"), INSTRUCTIONS)
def test_an_instruction_is_that_of_the_published_interface(
    build: Callable[[], Instruction], accounts: list[str], data: str
) -> None:
    instruction = build()
    assert str(instruction.program_id) == PROGRAM
    assert flags(instruction) == accounts
    assert bytes(instruction.data).hex() == data


# Whole transactions


def test_payer_and_user_sign_and_the_payer_pays() -> None:
    message = decoded(open_message(NEW, BUDGET, BLOCKHASH))
    assert message.signers == [PAYER, USER]
    assert [each.program for each in message.instructions[2:]] == [PROGRAM]


def test_the_older_form_closes_the_wrapped_account_itself() -> None:
    new = replace(OLDER, input_mint=SOL, output_mint=USDC)
    message = decoded(open_older_message(new, BUDGET, BLOCKHASH))
    assert [each.program for each in message.instructions[2:]] == [ASSOCIATED, SYSTEM, TOKEN, PROGRAM]
    assert message.instructions[-1].data.endswith(b"\1\1")
    message = decoded(open_older_message(OLDER, BUDGET, BLOCKHASH))
    assert [each.program for each in message.instructions[2:]] == [PROGRAM]
    assert message.instructions[-1].data.endswith(b"\1\0")


def test_a_deposit_of_sol_is_wrapped_and_what_is_left_comes_back() -> None:
    keys = DcaKeys(dca=KEYS.dca, user=USER, input_mint=SOL, output_mint=USDC)
    create, fund, sync, gives, close = decoded(deposit_message(keys, 9, BUDGET, BLOCKHASH)).instructions[2:]
    assert (create.program, create.accounts) == (ASSOCIATED, [USER, USERS_SOL, USER, SOL, SYSTEM, TOKEN])
    assert (fund.accounts, fund.data) == ([USER, USERS_SOL], b"\2\0\0\0\x09\0\0\0\0\0\0\0")
    assert (sync.accounts, sync.data) == ([USERS_SOL], b"\x11")
    assert gives.data == bytes.fromhex("f223c68952e1f2b6" + "0900000000000000")
    assert (close.accounts, close.data) == ([USERS_SOL, USER, USER, USER], b"\x09")
    message = decoded(deposit_message(keys, 9, BUDGET, BLOCKHASH, wraps_sol=False))
    assert [each.program for each in message.instructions[2:]] == [PROGRAM]


def test_a_withdrawal_creates_the_account_it_needs_and_unwraps_sol() -> None:
    message = decoded(withdraw_message(KEYS, DcaBalance.OUT, 5, BUDGET, BLOCKHASH))
    assert [each.program for each in message.instructions[2:]] == [ASSOCIATED, PROGRAM, TOKEN]
    assert message.instructions[2].accounts[1] == message.instructions[4].accounts[0] == USERS_SOL
    message = decoded(withdraw_message(KEYS, DcaBalance.OUT, 5, BUDGET, BLOCKHASH, unwraps_sol=False))
    assert [each.program for each in message.instructions[2:]] == [ASSOCIATED, PROGRAM]
    message = decoded(withdraw_message(KEYS, DcaBalance.IN, 5, BUDGET, BLOCKHASH))
    assert [each.program for each in message.instructions[2:]] == [ASSOCIATED, PROGRAM]
    assert message.instructions[2].accounts[1] == USERS_USDC


# Accounts


DATA = base64.b64decode(
    "Ul1afyhlkZoBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAwMD"
    "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwNoAAAAAAAAAJD/////////sAQAAAAAAACAAAAAAAAAAIgAAAAAAAAAkAAAAAAA"
    "AACYAAAAAAAAAKAAAAAAAAAAqAAAAAAAAACwAAAAAAAAAAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBQUFBQUFBQUF"
    "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQX4AAAAAAAAAP//////////CAEAAAAAAAAQAQAAAAAAABgBAAAAAAAA/w=="
)
ACCOUNT = Dca(
    user=key(1),
    input_mint=key(2),
    output_mint=key(3),
    idx=104,
    next_cycle_at=-112,
    in_deposited=1_200,
    in_withdrawn=128,
    out_withdrawn=136,
    in_used=144,
    out_received=152,
    in_amount_per_cycle=160,
    cycle_frequency=168,
    next_cycle_amount_left=176,
    in_account=key(4),
    out_account=key(5),
    min_out=248,
    max_out=2**64 - 1,
    keeper_in_balance_before_borrow=264,
    dca_out_balance_before_swap=272,
    created_at=280,
    bump=255,
)


def test_an_account_is_read_and_written() -> None:
    assert read_dca(DATA) == ACCOUNT
    assert dca_bytes(ACCOUNT) == DATA
    assert ACCOUNT.in_left == 1_200 - 144 - 128


def test_what_a_node_filters_by_stands_where_the_constants_say() -> None:
    assert len(DATA) == dca.DCA_BYTES
    assert DATA[dca.DCA_DISCRIMINATOR_AT :].startswith(dca.DCA_DISCRIMINATOR)
    assert DATA[dca.DCA_USER_AT : dca.DCA_USER_AT + 32] == bytes([1] * 32)
    assert DATA[dca.DCA_USER_AT - 1] != 1


@pytest.mark.parametrize("data", [b"", DATA[:-1], b"\0" + DATA[1:]])
def test_bytes_that_are_no_account(data: bytes) -> None:
    assert read_dca(data) is None


def test_what_a_newer_program_adds_to_an_account_is_ignored() -> None:
    assert read_dca(DATA + bytes(9)) == read_dca(DATA) is not None


# Events


EVENTS = [
    (
        (
            "pqxhCU1MvW0BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAQAA"
            "AAAAAAADAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEAgAAAAAA"
            "AAADAAAAAAAAAAQAAAAAAAAA"
        ),
        DcaOpened(key(1), key(2), 1, key(3), key(4), 2, 3, 4),
    ),
    (
        (
            "hgQRP90tsa0BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAwMD"
            "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAEAAAAAAAAAAgAAAAAA"
            "AAAFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQMAAAAAAAAA"
        ),
        DcaFilled(key(1), key(2), key(3), key(4), 1, 2, key(5), 3),
    ),
    (
        (
            "Mh9Xm4fcw+8BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAQAA"
            "AAAAAAADAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEAgAAAAAA"
            "AAADAAAAAAAAAAQAAAAAAAAABQAAAAAAAAAGAAAAAAAAAAcAAAAAAAAAAQ=="
        ),
        DcaClosed(key(1), key(2), 1, key(3), key(4), 2, 3, 4, 5, 6, 7, user_closed=True),
    ),
    (
        ("wPHJ2UaWWvcCAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgEAAAAAAAAAAgAAAAAAAAAB"),
        DcaWithdrawn(key(2), 1, 2, user_withdraw=True),
    ),
    (
        ("Ps3yr/SpiDQCAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgkAAAAAAAAA"),
        DcaDeposited(key(2), 9),
    ),
    (
        (
            "KojYdLXRbbUBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAwMD"
            "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMIAAAAAAAAAA=="
        ),
        DcaFeeCollected(key(1), key(2), key(3), 8),
    ),
]


@pytest.mark.parametrize(("data", "event"), EVENTS)
def test_an_event_is_read(data: str, event: object) -> None:
    raw = base64.b64decode(data)
    assert read_event(raw) == read_event(raw + b"\0") == event
    assert read_event(raw[:-1]) is None
    assert read_event(b"\0" + raw[1:]) is None


def test_the_events_of_a_transaction_are_those_of_this_program() -> None:
    """A transaction with one event of each program."""
    transaction = landed()
    tag = bytes.fromhex("e445a52e51cb9a1d")
    keys = [str(each) for each in read_transaction(transaction.raw).static_keys]
    names = PROGRAM, EVENT_AUTHORITY
    calls = tuple(
        InnerInstruction(len(keys), bytes([authority]), tag + base64.b64decode(EVENTS[4][0]), 2)
        for authority in (len(keys) + 1, 0)
    )
    changed = replace(transaction, inner_instructions=(InnerInstructions(0, calls),), loaded_readonly=names)
    assert list(events_of(changed)) == [DcaDeposited(key(2), 9)]
    assert list(events_of(replace(changed, error="AccountInUse"))) == []


def test_errors_have_names() -> None:
    assert [error_name(code) for code in (6000, 6003, 6041, 6046, 3007, 6047)] == [
        "InvalidAmount",
        "TooFrequent",
        "BalanceNotZero",
        "SwapOutMoreThanUserMaximum",
        "AccountOwnedByWrongProgram",
        None,
    ]
