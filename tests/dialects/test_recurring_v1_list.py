"""`getRecurringOrders`: the published row, and what may be asked."""

import struct
from typing import Any

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction

from countermand.solana.port import AddressSignature, InnerInstruction, InnerInstructions, LedgerTransaction
from countermand.solana.programs.dca import EVENT_AUTHORITY, PROGRAM
from countermand.values.structs import replace
from tests.orders.recurring.stage import JUP, NOW_S, SOL, USDC, USER, Stage, an_order, in_shape

ORDER = "8icop2U4E6R9hJYtSS9fnfiiRrD3BjCY5jir22NfWcrn"
ADDRESSES = (
    "4DWzP4TdTsuwvYMaMWrRqzya4UTFKFoVjfUWNWh8zhzd",
    "5T3NGmbD8R59UWEaRaDq79r7fDxDUNidze3CVT94vrUb",
    "FGXoHmS8MXU6pgzoJFHj86ZAW7wCFKodp6wgWi5WnoW7",
)
ROW = (
    '{"userPubkey":"5dMXLJ8GYQxcHe2fjpttVkEpRrxcajRXZqJHCiCbWS4H",'
    '"orderKey":"8icop2U4E6R9hJYtSS9fnfiiRrD3BjCY5jir22NfWcrn",'
    '"inputMint":"EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",'
    '"outputMint":"So11111111111111111111111111111111111111112","inDeposited":"104","inWithdrawn":"0",'
    '"rawInDeposited":"104000000","rawInWithdrawn":"0","cycleFrequency":"86400","outWithdrawn":"0.431580133",'
    '"inAmountPerCycle":"52","minOutAmount":"0","maxOutAmount":"0","inUsed":"52","outReceived":"0.431580133",'
    '"rawOutWithdrawn":"431580133","rawInAmountPerCycle":"52000000","rawMinOutAmount":"0","rawMaxOutAmount":"0",'
    '"rawInUsed":"52000000","rawOutReceived":"431580133","openTx":"","closeTx":"","userClosed":false,'
    '"createdAt":"2025-03-11T02:51:53Z","updatedAt":"2025-03-11T02:51:53Z","trades":[]'
)
"""The published one, before its end and without its trade."""
PUBLISHED: dict[str, Any] = {
    "in_used": 52_000_000,
    "out_received": 431_580_133,
    "out_withdrawn": 431_580_133,
    "created_at": 1_741_661_513,
}


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.chain.has_order(ORDER, an_order(USER, **PUBLISHED))
    return stage


def active(**query: str) -> dict[str, str]:
    return {"user": USER, "recurringType": "time", "orderStatus": "active"} | query


def keys(answer: Any) -> list[str]:
    assert answer.status_code == 200
    return [row["orderKey"] for row in answer.json["time"]]


def test_the_published_row(stage: Stage) -> None:
    answer = stage.get(**active())
    assert answer.status_code == 200
    assert (
        answer.text
        == f'{{"user":"{USER}","orderStatus":"active","time":[{ROW}}}],"totalPages":1,"page":1,"totalItems":1}}'
    )


def test_orders_of_all_kinds_say_which(stage: Stage) -> None:
    answer = stage.get(**active(recurringType="all"))
    row = ROW + ',"recurringType":"time"}'
    assert (
        answer.text
        == f'{{"user":"{USER}","orderStatus":"active","all":[{row}],"totalPages":1,"page":1,"totalItems":1}}'
    )


def test_who_has_no_orders(stage: Stage) -> None:
    answer = stage.get(**active(user=JUP))
    assert answer.text == f'{{"user":"{JUP}","orderStatus":"active","time":[],"totalPages":0,"page":1,"totalItems":0}}'


def test_parts_of_tokens_are_exact(stage: Stage) -> None:
    stage.chain.has_order(ORDER, an_order(USER, in_deposited=2**64 - 1, in_withdrawn=1, out_received=2**64 - 1))
    row = stage.get(**active()).json["time"][0]
    assert (row["inDeposited"], row["inWithdrawn"]) == ("18446744073709.551615", "0.000001")
    assert (row["outReceived"], row["rawOutReceived"]) == ("18446744073.709551615", "18446744073709551615")


def test_pages_of_ten_and_the_newest_first(stage: Stage) -> None:
    named = [ORDER, *ADDRESSES]
    others = [str(Pubkey(bytes([n] * 32))) for n in range(1, 19)]
    for age, address in enumerate([*named, *others]):
        stage.chain.has_order(address, an_order(USER, created_at=1_741_661_513 - age))
    first, second, third = (stage.get(**active(page=page)) for page in ("1", "2", "3"))
    assert [answer.json["totalPages"] for answer in (first, second, third)] == [3, 3, 3]
    assert [answer.json["page"] for answer in (first, second, third)] == [1, 2, 3]
    assert [len(keys(answer)) for answer in (first, second, third)] == [10, 10, 2]
    assert keys(first) + keys(second) + keys(third) == [*named, *others]
    assert keys(stage.get(**active(page="4"))) == []


def test_orders_of_one_second_come_by_index_and_address(stage: Stage) -> None:
    for address in reversed(ADDRESSES):
        stage.chain.has_order(address, an_order(USER, **PUBLISHED))
    assert keys(stage.get(**active())) == sorted([*ADDRESSES, ORDER])
    stage.chain.has_order(ADDRESSES[2], an_order(USER, **(PUBLISHED | {"idx": NOW_S + 1})))
    assert keys(stage.get(**active())) == [ADDRESSES[2], *sorted([*ADDRESSES[:2], ORDER])]


def test_a_mint_finds_what_sells_and_what_buys_it(stage: Stage) -> None:
    buys, sells = ADDRESSES[:2]
    stage.chain.has_order(buys, an_order(USER, output_mint=JUP, created_at=2))
    stage.chain.has_order(sells, an_order(USER, input_mint=JUP, created_at=1))
    assert keys(stage.get(**active(mint=JUP))) == [buys, sells]
    assert keys(stage.get(**active(mint=SOL))) == [ORDER, sells]
    assert keys(stage.get(**active(mint=USER))) == []


def test_only_orders_of_the_user_and_of_the_program(stage: Stage) -> None:
    foreign, empty, other = ADDRESSES
    there = stage.chain.accounts_there
    stage.chain.has_order(foreign, an_order(JUP))
    there[empty] = replace(there[ORDER], data=b"\0" * 8 + there[ORDER].data[8:])
    there[other] = replace(there[ORDER], owner=USDC)
    assert keys(stage.get(**active())) == [ORDER]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, "missing field `user`"),
        ({"user": USER}, "missing field `recurringType`"),
        ({"user": USER, "recurringType": "time"}, "missing field `orderStatus`"),
        (active(user=""), "missing field `user`"),
        (active(orderStatus=""), "missing field `orderStatus`"),
        (active(user="abc"), "user: String is the wrong size"),
        (active(mint="0"), "mint: Invalid Base58 string"),
        (active(recurringType="x"), "recurringType: unknown variant `x`, expected one of `time`, `price`, `all`"),
        (active(orderStatus="open"), "orderStatus: unknown variant `open`, expected one of `active`, `history`"),
        (
            active(includeFailedTx="1"),
            "includeFailedTx: unknown variant `1`, expected one of `true`, `True`, `false`, `False`",
        ),
        *(
            (active(page=page), "page: invalid value: expected an integer of at least 1")
            for page in ("0", "-1", "1.5", "-1.0", "1e9999999", "x", "१", " 1")
        ),
        *(
            (active(page=page), "page: invalid value: expected an integer of at most 999999999")
            for page in ("1000000000", "1e9", "9" * 40, "9" * 400)
        ),
    ],
)
def test_questions_that_are_none(stage: Stage, query: dict[str, str], words: str) -> None:
    in_shape(stage.get(**query), 400, words)


def test_a_field_twice(stage: Stage) -> None:
    answer = stage.api.ask("GET", f"/recurring/v1/getRecurringOrders?user={USER}&user={USER}")
    in_shape(answer, 400, "duplicate field `user`")


@pytest.mark.parametrize("status", ["active", "history"])
def test_there_are_no_orders_by_price(stage: Stage, status: str) -> None:
    answer = stage.get(**active(recurringType="price", orderStatus=status))
    assert answer.json == {
        "user": USER,
        "orderStatus": status,
        "price": [],
        "totalPages": 0,
        "page": 1,
        "totalItems": 0,
    }


@pytest.mark.parametrize(
    "more",
    [
        *({"includeFailedTx": given} for given in ("true", "True", "false", "False")),
        {"page": "", "mint": "", "includeFailedTx": ""},
        {"other": "x"},
    ],
)
def test_what_else_may_be_asked(stage: Stage, more: dict[str, str]) -> None:
    assert keys(stage.get(**active(**more))) == [ORDER]


# --- the opening transaction


def landed(signature: str, *, order: str = ORDER, created_at: int = 1_741_661_513) -> LedgerTransaction:
    """A transaction in which the program told that it opened this order."""
    names = [bytes(Pubkey.from_string(each)) for each in (USER, order)]
    mints = [bytes(Pubkey.from_string(each)) for each in (USDC, SOL)]
    told = bytes.fromhex("e445a52e51cb9a1d") + bytes.fromhex("a6ac61094d4cbd6d") + b"".join(names)
    told += struct.pack("<Q", 104_000_000) + b"".join(mints) + struct.pack("<qQq", 86_400, 52_000_000, created_at)
    program, authority = Pubkey.from_string(PROGRAM), Pubkey.from_string(EVENT_AUTHORITY)
    outer = Instruction(program, b"", [AccountMeta(authority, is_signer=False, is_writable=False)])
    message = Message.new_with_blockhash([outer], Pubkey.from_string(USER), Hash.default())
    at = list(message.account_keys)
    call = InnerInstruction(at.index(program), bytes([at.index(authority)]), told, 2)
    return LedgerTransaction(
        signature=signature,
        slot=1,
        block_time=created_at,
        raw=bytes(Transaction.new_unsigned(message)),
        error=None,
        fee=5_000,
        units_consumed=1,
        logs=(),
        pre_balances=(),
        post_balances=(),
        pre_token_balances=(),
        post_token_balances=(),
        inner_instructions=(InnerInstructions(0, (call,)),),
        return_data=None,
        loaded_writable=(),
        loaded_readonly=(),
    )


def open_tx(stage: Stage) -> str:
    opening: str = stage.get(**active()).json["time"][0]["openTx"]
    return opening


def test_the_transaction_that_opened_it(stage: Stage) -> None:
    created = 1_741_661_513
    stage.chain.signatures[ORDER] = [
        AddressSignature("fill", 5, None, created + 60),
        AddressSignature("opening", 4, None, created),
        AddressSignature("failed before", 3, "error", created),
        AddressSignature("stranger", 2, None, created),
        AddressSignature("opened and closed before", 1, None, created - 1),
    ]
    stage.chain.landed = {
        "fill": landed("fill", order=ADDRESSES[0]),
        "stranger": landed("stranger", order=ADDRESSES[0]),
        "failed before": landed("failed before"),
        "opened and closed before": landed("opened and closed before", created_at=created - 1),
    }
    assert open_tx(stage) == ""
    stage.chain.landed["opening"] = landed("opening")
    assert open_tx(stage) == "opening"
