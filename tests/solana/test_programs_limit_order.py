"""The program of Trigger v1: instructions with everything in them, accounts and events read from bytes."""

import base64

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from countermand.solana.ledger import InnerInstruction, InnerInstructions, LedgerTransaction
from countermand.solana.port import JsonError
from countermand.solana.programs import limit_order
from countermand.solana.programs.compile import Budget
from countermand.solana.programs.limit_order import (
    Cancellation,
    CancelOrderEvent,
    CreateOrderEvent,
    FeeRates,
    LimitOrderAccount,
    NewOrder,
    TradeEvent,
    cancel_message,
    cancel_order,
    create_message,
    error_name,
    events_of,
    fee_rates_bytes,
    initialize_order,
    order_address,
    order_bytes,
    read_event,
    read_fee_rates,
    read_order,
    reserve_of,
)
from countermand.values.structs import replace
from tests.services.custody.layouts import decoded

PROGRAM = "j1o2qRpjcyUwEvwtcfhEQefh773ZgjxcVRry7LDqg5X"
EVENT_AUTHORITY = "ArsDfE54RTkC3zhtzPdtvTtKw9XSV5w1PCTBFVGiLd52"
FEE = "27ZASRjinQgXKsrijKqb9xyRnH6W5KWgLSDveRghvHqc"
SYSTEM = "11111111111111111111111111111111"
TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
TOKEN_2022 = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
ASSOCIATED = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
SOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
USDT = "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB"
JUP = "JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN"
MAKER = "devjnEpxbJUhJ39FSsFz7YPerr5bdxN8VWUXvfbFUK4"
MAKERS_USDC = "5AFMnLY8vazdxLajwQbgkvEztYWDFbbnVodDnWg1qT6C"
MAKERS_SOL = "ujg6HtgKKD5funhnDHHjkBi2DdJ4fCERguNNuC8Nkhf"
PAYER = "5dMXLJ8GYQxcHe2fjpttVkEpRrxcajRXZqJHCiCbWS4H"
REFERRAL = "9vWTg8y4UvrLM49rqvJ2mtmpxicPytNs7FD78352g9Kr"
BLOCKHASH = "943s4PskofczkaRsaVYH9eQEVSfLgjc4wiztx2MRmWcY"
BUDGET = Budget(132_000, 15_406)

NEW = NewOrder(
    maker=MAKER,
    payer=PAYER,
    unique_id=1,
    input_mint=USDC,
    output_mint=JUP,
    making_amount=2,
    taking_amount=3,
    expired_at=1_800_000_000,
    fee_bps=10,
    fee_account=REFERRAL,
    input_program=TOKEN_2022,
    output_program=TOKEN,
)


def key(number: int) -> str:
    return str(Pubkey(bytes([number] * 32)))


def flags(instruction: Instruction) -> list[tuple[str, str]]:
    return [(str(meta.pubkey), "s" * meta.is_signer + "w" * meta.is_writable) for meta in instruction.accounts]


# Addresses


def test_the_address_of_an_order_that_was_seen_on_chain() -> None:
    """From the captured answer of `openOrders` in Jupiter's documentation."""
    address, bump = order_address(MAKER, 3_697_202_764_802_760_127)
    assert (address, bump) == ("9vWTg8y4UvrLM49rqvJ2mtmpxicPytNs7FD78352g9Kr", 255)
    assert reserve_of(address, SOL).startswith("4Q4Q")
    assert (limit_order.EVENT_AUTHORITY, limit_order.FEE_ACCOUNT) == (EVENT_AUTHORITY, FEE)


# Instructions


def test_an_order_with_payer_expiry_fee_and_token_2022() -> None:
    order = NEW.address
    instruction = initialize_order(NEW)
    assert str(instruction.program_id) == PROGRAM
    assert bytes(instruction.data).hex() == (
        "856e4aaf709ff59f" + "0100000000000000" + "0200000000000000" + "03000000000000000100d2496b00000000" + "010a00"
    )
    own = str(
        Pubkey.find_program_address(
            [bytes(Pubkey.from_string(each)) for each in (MAKER, TOKEN_2022, USDC)], Pubkey.from_string(ASSOCIATED)
        )[0]
    )
    assert flags(instruction) == [
        (PAYER, "sw"),
        (MAKER, "s"),
        (order, "w"),
        (reserve_of(order, USDC, TOKEN_2022), "w"),
        (own, "w"),
        (FEE, ""),
        (REFERRAL, ""),
        (USDC, ""),
        (JUP, ""),
        (TOKEN_2022, ""),
        (TOKEN, ""),
        (SYSTEM, ""),
        (ASSOCIATED, ""),
        (EVENT_AUTHORITY, ""),
        (PROGRAM, ""),
    ]


def test_a_cancel_to_a_token_account_by_another_wallet() -> None:
    cancel = Cancellation.to_maker(NEW.address, MAKER, USDC)
    reserve = reserve_of(NEW.address, USDC)
    assert cancel.returns_to == MAKERS_USDC
    assert flags(cancel_order(cancel, by=PAYER)) == [
        (PAYER, "sw"),
        (MAKER, "w"),
        (NEW.address, "w"),
        (reserve, "w"),
        (MAKERS_USDC, "w"),
        (USDC, ""),
        (TOKEN, ""),
        (EVENT_AUTHORITY, ""),
        (PROGRAM, ""),
    ]


# Whole transactions


def test_payer_and_maker_sign_and_the_payer_pays() -> None:
    message = decoded(create_message(NEW, BUDGET, BLOCKHASH))
    assert message.signers == [PAYER, MAKER]
    assert message.header == (2, 1, 11)
    programs = [each.program for each in message.instructions]
    assert programs == ["ComputeBudget111111111111111111111111111111"] * 2 + [ASSOCIATED, PROGRAM]
    assert message.instructions[2].accounts[:4:2] == [PAYER, MAKER]


def test_sol_is_wrapped_by_the_maker_even_if_another_wallet_pays() -> None:
    new = replace(NEW, input_mint=SOL, input_program=TOKEN, output_mint=USDC)
    message = decoded(create_message(new, BUDGET, BLOCKHASH))
    create, fund, sync, output, place, close = message.instructions[2:]
    assert (create.program, create.accounts, create.data) == (
        ASSOCIATED,
        [MAKER, MAKERS_SOL, MAKER, SOL, SYSTEM, TOKEN],
        b"\1",
    )
    assert (fund.accounts, fund.data) == ([MAKER, MAKERS_SOL], b"\2\0\0\0" + (2).to_bytes(8, "little"))
    assert (sync.program, sync.accounts, sync.data) == (TOKEN, [MAKERS_SOL], b"\x11")
    assert output.accounts == [PAYER, MAKERS_USDC, MAKER, USDC, SYSTEM, TOKEN]
    assert place.program == PROGRAM
    assert (close.program, close.accounts, close.data) == (TOKEN, [MAKERS_SOL, MAKER, MAKER], b"\x09")


@pytest.mark.parametrize(("wraps", "programs"), [(True, [PROGRAM]), (False, [ASSOCIATED, PROGRAM])])
def test_an_output_of_sol_needs_an_account_only_if_it_stays_wrapped(wraps: bool, programs: list[str]) -> None:
    message = decoded(create_message(replace(NEW, output_mint=SOL), BUDGET, BLOCKHASH, wraps_sol=wraps))
    assert [each.program for each in message.instructions[2:]] == programs


def test_a_cancel_creates_each_missing_account_once_and_never_one_for_sol() -> None:
    cancels = [
        Cancellation.to_maker(key(1), MAKER, USDC, creates=True),
        Cancellation.to_maker(key(2), MAKER, USDC, creates=True),
        Cancellation.to_maker(key(3), MAKER, SOL, creates=True),
        Cancellation.to_maker(key(4), MAKER, JUP, TOKEN_2022, creates=True),
        Cancellation.to_maker(key(5), MAKER, key(9)),
    ]
    message = decoded(cancel_message(cancels, BUDGET, BLOCKHASH))
    created = [each.accounts for each in message.instructions if each.program == ASSOCIATED]
    assert [(each[3], each[5]) for each in created] == [(USDC, TOKEN), (JUP, TOKEN_2022)]
    assert [each.accounts[2] for each in message.instructions[4:]] == [key(number) for number in range(1, 6)]
    assert message.signers == [MAKER]


@pytest.mark.parametrize(("slippage_bps", "added"), [(None, ""), (0, "010000"), (69, "014500")])
def test_the_slippage_is_the_last_argument_and_may_be_missing(slippage_bps: int | None, added: str) -> None:
    given = bytes(initialize_order(replace(NEW, slippage_bps=slippage_bps)).data)
    assert given.hex() == bytes(initialize_order(NEW).data).hex() + added


def test_an_expired_order_is_cancelled_by_the_payer() -> None:
    message = decoded(cancel_message([Cancellation.to_maker(key(1), MAKER, SOL)], BUDGET, BLOCKHASH, by=PAYER))
    assert message.signers == [PAYER]
    assert message.instructions[2].accounts[:2] == [PAYER, MAKER]


def test_another_wallet_pays_for_a_cancel_that_its_maker_signs() -> None:
    cancel = Cancellation.to_maker(key(1), MAKER, USDC, creates=True)
    message = decoded(cancel_message([cancel], BUDGET, BLOCKHASH, payer=PAYER))
    assert message.signers == [PAYER, MAKER]
    (created,) = [each.accounts for each in message.instructions if each.program == ASSOCIATED]
    assert (created[0], created[2]) == (PAYER, MAKER)
    assert message.instructions[-1].accounts[:2] == [MAKER, MAKER]


# Accounts


ORDER = LimitOrderAccount(
    maker=key(1),
    input_mint=key(2),
    output_mint=key(3),
    input_program=key(4),
    output_program=key(5),
    input_mint_reserve=key(6),
    unique_id=2**64 - 1,
    ori_making_amount=208,
    ori_taking_amount=216,
    making_amount=224,
    taking_amount=232,
    borrow_making_amount=240,
    expired_at=None,
    fee_bps=0x1122,
    fee_account=key(7),
    created_at=1_700_000_000,
    updated_at=-1,
    bump=254,
)


def order_data(expiry: bytes) -> bytes:
    """Laid out by hand: each field at its offset, and what follows the expiry after it."""
    data = bytearray(372)
    data[:8] = bytes.fromhex("86addfb94d561c33")
    for at, number in zip(range(8, 200, 32), range(1, 7), strict=True):
        data[at : at + 32] = bytes([number] * 32)
    data[200:208] = b"\xff" * 8
    for at in range(208, 248, 8):
        data[at : at + 8] = at.to_bytes(8, "little")
    tail = b"\x22\x11" + b"\7" * 32 + bytes.fromhex("00f1536500000000") + b"\xff" * 8 + b"\xfe"
    data[248 : 248 + len(expiry + tail)] = expiry + tail
    return bytes(data)


@pytest.mark.parametrize(
    ("expiry", "expired_at"), [("00", None), ("0100d2496b00000000", 1_800_000_000), ("01ffffffffffffffff", -1)]
)
def test_an_order_is_read_and_an_expiry_moves_what_follows(expiry: str, expired_at: int | None) -> None:
    order, data = replace(ORDER, expired_at=expired_at), order_data(bytes.fromhex(expiry))
    assert read_order(data) == order
    assert order_bytes(order) == data


@pytest.mark.parametrize("expiry", ["00", "0100d2496b00000000"])
def test_the_slippage_follows_the_bump(expiry: str) -> None:
    data = order_data(bytes.fromhex(expiry)).replace(b"\xff\xfe\0\0", b"\xff\xfe\x45\0")
    order = read_order(data)
    assert order is not None
    assert (order.bump, order.slippage_bps) == (254, 69)
    assert order_bytes(order) == data


def test_what_a_node_filters_by_stands_where_the_constants_say() -> None:
    data = order_data(b"\0")
    assert len(data) == limit_order.ORDER_BYTES
    assert data[limit_order.ORDER_DISCRIMINATOR_AT :].startswith(limit_order.ORDER_DISCRIMINATOR)
    for at, number in (
        (limit_order.ORDER_MAKER_AT, 1),
        (limit_order.ORDER_INPUT_MINT_AT, 2),
        (limit_order.ORDER_OUTPUT_MINT_AT, 3),
    ):
        assert data[at : at + 32] == bytes([number] * 32)
        assert data[at - 1] != number


@pytest.mark.parametrize(
    "data",
    [b"", order_data(b"\0")[:-1], order_data(b"\2"), b"\0" + order_data(b"\0")[1:]],
)
def test_bytes_that_are_no_order(data: bytes) -> None:
    assert read_order(data) is None


def test_what_a_newer_program_adds_to_an_order_is_ignored() -> None:
    assert read_order(order_data(b"\0") + bytes(9)) == read_order(order_data(b"\0")) is not None


def test_the_fee_rates() -> None:
    data = bytes.fromhex("183796faa81b65b2" + "0a00" + "0300")
    assert read_fee_rates(data) == read_fee_rates(data + b"\0") == FeeRates(normal_bps=10, stable_bps=3)
    assert fee_rates_bytes(FeeRates(10, 3)) == data
    assert read_fee_rates(data[:-1]) is None
    assert read_fee_rates(b"\0" + data[1:]) is None


@pytest.mark.parametrize(
    ("pair", "bps"),
    [((USDC, USDT), 3), ((USDT, USDC), 3), ((USDC, JUP), 10), ((JUP, USDT), 10), ((JUP, SOL), 10)],
)
def test_the_usual_rate_of_a_pair(pair: tuple[str, str], bps: int) -> None:
    assert limit_order.USUAL_RATES.of(*pair) == bps


# Events


def keys(*numbers: int) -> str:
    return "".join(bytes([number] * 32).hex() for number in numbers)


CREATED = (
    "318e48a6e61d5454"
    + keys(1, 2, 3, 4, 5, 6)
    + "0700000000000000"
    + "0800000000000000"
    + "010900000000000000"
    + "0a00"
    + keys(11)
)
CREATED_FOR_EVER = CREATED.replace("010900000000000000", "00")
CANCELLED = "ae428d1104e0a24d" + keys(1)
TRADED = (
    "bddb7fd34ee661ee" + keys(1, 2) + "".join(number.to_bytes(8, "little").hex() for number in (3, 4, 5, 2**64 - 1))
)
CREATED_EVENT = CreateOrderEvent(key(1), key(2), key(3), key(4), key(5), key(6), 7, 8, 9, 10, key(11))


@pytest.mark.parametrize(
    ("data", "event"),
    [
        (CREATED, CREATED_EVENT),
        (CREATED_FOR_EVER, replace(CREATED_EVENT, expired_at=None)),
        (CREATED + "4500", replace(CREATED_EVENT, slippage_bps=69)),
        (CREATED + "45", None),
        (CANCELLED, CancelOrderEvent(key(1))),
        (TRADED, TradeEvent(key(1), key(2), 3, 4, 5, 2**64 - 1)),
        (TRADED + "00", TradeEvent(key(1), key(2), 3, 4, 5, 2**64 - 1)),
        (TRADED[:-2], None),
        (CREATED.replace("0109000000", "0209000000"), None),
        ("0000000000000000" + keys(1), None),
        ("ae42", None),
        ("", None),
    ],
)
def test_an_event_is_read(data: str, event: object) -> None:
    assert read_event(bytes.fromhex(data)) == event


EVENT_TAG = "e445a52e51cb9a1d"
STATIC = [PAYER, PROGRAM, EVENT_AUTHORITY]


def landed(*inner: tuple[str, str, str], error: JsonError | None = None, looked_up: bool = False) -> LedgerTransaction:
    """A transaction with inner instructions of (program, first account, data), their keys in it or looked up."""
    payer = Keypair.from_seed(bytes(32))
    inside = [key(90)] if looked_up else [key(90), PROGRAM, EVENT_AUTHORITY, key(91)]
    metas = [AccountMeta(Pubkey.from_string(each), is_signer=False, is_writable=False) for each in inside]
    message = MessageV0.try_compile(
        payer.pubkey(), [Instruction(Pubkey.from_string(key(92)), b"", metas)], [], Hash.default()
    )
    keys = [str(each) for each in message.account_keys]
    writable, readonly = ((key(91), PROGRAM), (EVENT_AUTHORITY,)) if looked_up else ((), ())
    keys += [*writable, *readonly]
    calls = tuple(
        InnerInstruction(keys.index(program), bytes([keys.index(first)]), bytes.fromhex(data), 3)
        for program, first, data in inner
    )
    return LedgerTransaction(
        signature="1" * 64,
        slot=1,
        block_time=1,
        raw=bytes(VersionedTransaction(message, [payer])),
        error=error,
        fee=5_000,
        units_consumed=1,
        logs=(),
        pre_balances=(),
        post_balances=(),
        pre_token_balances=(),
        post_token_balances=(),
        inner_instructions=(InnerInstructions(0, calls[:1]), InnerInstructions(2, calls[1:])),
        return_data=None,
        loaded_writable=writable,
        loaded_readonly=readonly,
    )


@pytest.mark.parametrize("looked_up", [False, True])
def test_the_events_of_a_transaction_in_their_order(looked_up: bool) -> None:
    transaction = landed(
        (PROGRAM, EVENT_AUTHORITY, EVENT_TAG + CANCELLED),
        (PROGRAM, EVENT_AUTHORITY, EVENT_TAG + "00" * 40),
        (PROGRAM, EVENT_AUTHORITY, EVENT_TAG + CREATED),
        looked_up=looked_up,
    )
    assert list(events_of(transaction)) == [CancelOrderEvent(key(1)), CREATED_EVENT]


def test_a_failed_transaction_has_no_events() -> None:
    call = (PROGRAM, EVENT_AUTHORITY, EVENT_TAG + CANCELLED)
    assert list(events_of(landed(call, error={"InstructionError": [0, {"Custom": 6000}]}))) == []
    assert list(events_of(landed(call))) == [CancelOrderEvent(key(1))]


@pytest.mark.parametrize(
    "call",
    [
        (key(91), EVENT_AUTHORITY, EVENT_TAG + CANCELLED),
        (PROGRAM, key(91), EVENT_TAG + CANCELLED),
        (PROGRAM, EVENT_AUTHORITY, CANCELLED),
        (PROGRAM, EVENT_AUTHORITY, "00" * 8 + CANCELLED),
    ],
)
def test_what_another_program_or_authority_says_is_no_event(call: tuple[str, str, str]) -> None:
    assert list(events_of(landed(call))) == []


def test_errors_have_names() -> None:
    assert [error_name(code) for code in (6000, 6008, 6016, 6027, 3012, 1)] == [
        "InvalidMakingAmount",
        "OrderNotExpired",
        "InvalidBorrowMakingAmount",
        "UnsupportedMint",
        "AccountNotInitialized",
        None,
    ]


def test_the_discriminators_are_the_published_ones() -> None:
    assert limit_order.INITIALIZE_ORDER.hex() == "856e4aaf709ff59f"
    assert limit_order.CANCEL_ORDER.hex() == "5f81edf00831df84"
    assert base64.b64encode(limit_order.ORDER_DISCRIMINATOR) == b"hq3fuU1WHDM="
