"""What Trigger v1 and limit/v2 say, byte for byte: from the documentation, never from our own encoder."""

import base64
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.transaction import VersionedTransaction

from countermand.values.structs import replace
from tests.dialects.limit_venue import (
    JUP,
    LAST_VALID_HEIGHT,
    MAKER,
    NOW_S,
    SOL,
    USDC,
    LimitVenue,
    creation,
    signed,
)
from tests.solana.published_transactions import TRIGGER_CANCEL_FIVE, TRIGGER_CANCEL_ONE, TRIGGER_CREATE

CANCEL_BLOCKHASH = "5X6NZakijP7RbmkhuTy133WWNCH9qZzdafmtPWhjBaqr"
FIVE = (
    "GLDig3MURFwkbdo3gDCGp6qqLYvN3ZsmThVahYoY5ayG",
    "E7nynrBBG2JoKfkSgeqxJAXgY8S89CawmfoDLJrMrswD",
    "EbeWykv7npJUyH8rUaRWPXNLLD1EW5E6VfjxNVGB2GuU",
    "HCBDohvAWS11Kt6cBnKH9eNvQhoPq5TRejoTBCQErjWD",
    "7VtHk9SZ9Hb1zpxJzeDbvYwJKnT4LQNfRoypeBVTt4Da",
)
SIXTH = "GnVUz4HcwBSbri2pL1dYmmUp4Cwgx51EqjjEMXyaPznB"


@pytest.fixture
def published() -> LimitVenue:
    """As it was when the samples were made: six orders, and the blockhash of their cancels."""
    venue = LimitVenue()
    venue.chain.blockhash = CANCEL_BLOCKHASH
    for at, address in enumerate((*FIVE, SIXTH)):
        venue.holds_order(address, unique_id=at, created_at=NOW_S + at)
    return venue


def test_the_published_creation() -> None:
    unique_id = int.from_bytes(bytes.fromhex("4ec94635aa3d0b65"), "little")
    for root in ("/trigger/v1", "/limit/v2"):
        got = LimitVenue(unique_ids=[unique_id]).post(f"{root}/createOrder", creation())
        order = "CX2iPk4nxarGPkk7ziViJTfL1z2e1LnGWRDimVQ4tzYf"
        if root == "/limit/v2":
            assert got.raw == f'{{"order":"{order}","tx":"{TRIGGER_CREATE}"}}'
        else:
            name = got.body["requestId"]
            assert got.raw == (f'{{"requestId":"{name}","transaction":"{TRIGGER_CREATE}","order":"{order}","code":0}}')
            assert (name[14], len(name)) == ("4", 36)
        assert got.status == 200


def test_the_seed_s_answer_byte_for_byte(published: LimitVenue) -> None:
    """The page's request, and the page's answer."""
    asked = {"maker": MAKER, "computeUnitPrice": "auto", "orders": [*FIVE, SIXTH]}
    got = published.post("/limit/v2/cancelOrders", asked)
    assert got.status == 200
    assert got.raw == f'{{"txs":["{TRIGGER_CANCEL_FIVE}","{TRIGGER_CANCEL_ONE}"]}}'


@pytest.mark.parametrize("orders", [{}, {"orders": None}, {"orders": []}, {"order": None}])
def test_all_orders_are_those_six_by_creation(published: LimitVenue, orders: dict[str, Any]) -> None:
    got = published.post("/limit/v2/cancelOrders", {"maker": MAKER, **orders})
    assert got.raw == f'{{"txs":["{TRIGGER_CANCEL_FIVE}","{TRIGGER_CANCEL_ONE}"]}}'


@pytest.mark.parametrize("path", ["/trigger/v1/cancelOrders", "/trigger/v1/cancelOrder"])
@pytest.mark.parametrize("orders", [{}, {"orders": [*FIVE, SIXTH]}])
def test_the_newer_names_beside_the_seed_s(published: LimitVenue, path: str, orders: dict[str, Any]) -> None:
    got = published.post(path, {"maker": MAKER, "computeUnitPrice": "auto", **orders})
    both = f'["{TRIGGER_CANCEL_FIVE}","{TRIGGER_CANCEL_ONE}"]'
    assert got.raw == f'{{"requestId":"{got.body["requestId"]}","transactions":{both},"txs":{both},"code":0}}'


def test_the_cancel_of_one_order(published: LimitVenue) -> None:
    got = published.post("/trigger/v1/cancelOrder", {"maker": MAKER, "order": SIXTH})
    assert got.raw == (
        f'{{"requestId":"{got.body["requestId"]}","transaction":"{TRIGGER_CANCEL_ONE}","order":"{SIXTH}","code":0}}'
    )
    assert published.post("/limit/v2/cancelOrder", {"maker": MAKER, "order": SIXTH}).raw == (
        f'{{"tx":"{TRIGGER_CANCEL_ONE}"}}'
    )
    assert published.post("/limit/v2/cancelOrders", {"maker": MAKER, "order": SIXTH}).raw == (
        f'{{"txs":["{TRIGGER_CANCEL_ONE}"]}}'
    )


def test_orders_joined_by_commas(published: LimitVenue) -> None:
    got = published.post("/limit/v2/cancelOrders", {"maker": MAKER, "order": ",".join((*FIVE, SIXTH, FIVE[0]))})
    assert got.raw == f'{{"txs":["{TRIGGER_CANCEL_FIVE}","{TRIGGER_CANCEL_ONE}"]}}'
    refused = published.post("/trigger/v1/cancelOrder", {"maker": MAKER, "order": ",".join(FIVE)})
    assert (refused.status, refused.body["error"]) == (400, "invalid cancel order request")


def test_open_orders_as_captured() -> None:
    venue = LimitVenue()
    venue.holds_order(
        "9vWTg8y4UvrLM49rqvJ2mtmpxicPytNs7FD78352g9Kr",
        unique_id=3_697_202_764_802_760_127,
        created_at=1_729_597_767,
        updated_at=1_729_597_767,
        input_mint_reserve="4Q4QiVvpHqz4ygfjyDJBbmSbCDFvtxRpa3B5PrZz6FXf",
        fee_account="APWoLnZc8g8iXLA8qLdHJ4w42ybRrq2Vm8UGQhH7TJ3r",
    )
    for query in ({"wallet": MAKER}, {"user": MAKER}, {"wallet": MAKER, "inputMint": SOL, "outputMint": USDC}):
        for root in ("/limit/v2", "/trigger/v1"):
            got = venue.get(f"{root}/openOrders", **query)
            assert got.raw == (
                '[{"account":{"borrowMakingAmount":"0","createdAt":"2024-10-22T11:49:27.000Z","expiredAt":null,'
                '"makingAmount":"50000000","oriMakingAmount":"50000000","oriTakingAmount":"100000000",'
                '"takingAmount":"100000000","uniqueId":"3697202764802760127","updatedAt":"1729597767",'
                '"feeAccount":"APWoLnZc8g8iXLA8qLdHJ4w42ybRrq2Vm8UGQhH7TJ3r",'
                '"inputMint":"So11111111111111111111111111111111111111112",'
                '"inputMintReserve":"4Q4QiVvpHqz4ygfjyDJBbmSbCDFvtxRpa3B5PrZz6FXf",'
                '"inputTokenProgram":"TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",'
                '"maker":"devjnEpxbJUhJ39FSsFz7YPerr5bdxN8VWUXvfbFUK4",'
                '"outputMint":"EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",'
                '"outputTokenProgram":"TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA","feeBps":10,"bump":255,"slippageBps":0},'
                '"publicKey":"9vWTg8y4UvrLM49rqvJ2mtmpxicPytNs7FD78352g9Kr"}]'
            )
    assert venue.get("/limit/v2/openOrders", wallet=MAKER, inputMint=JUP).raw == "[]"
    assert venue.get("/limit/v2/openOrders", wallet=MAKER, outputMint=JUP).raw == "[]"


def test_a_row_of_get_trigger_orders() -> None:
    """The fields and their order as captured; this one sold a part of what it holds, and expires."""
    venue = LimitVenue()
    venue.holds_order(
        SIXTH,
        input_mint=JUP,
        output_mint=SOL,
        ori_making_amount=29_000_000,
        ori_taking_amount=40_000_000,
        making_amount=14_500_000,
        taking_amount=20_000_000,
        expired_at=1_742_184_499,
        created_at=1_742_184_499,
        updated_at=1_742_184_573,
    )
    got = venue.get("/trigger/v1/getTriggerOrders", user=MAKER, orderStatus="active")
    assert got.raw == (
        '{"user":"devjnEpxbJUhJ39FSsFz7YPerr5bdxN8VWUXvfbFUK4","orderStatus":"active","orders":['
        '{"userPubkey":"devjnEpxbJUhJ39FSsFz7YPerr5bdxN8VWUXvfbFUK4",'
        '"orderKey":"GnVUz4HcwBSbri2pL1dYmmUp4Cwgx51EqjjEMXyaPznB",'
        '"inputMint":"JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN",'
        '"outputMint":"So11111111111111111111111111111111111111112","makingAmount":"29","takingAmount":"0.04",'
        '"remainingMakingAmount":"14.5","remainingTakingAmount":"0.02","rawMakingAmount":"29000000",'
        '"rawTakingAmount":"40000000","rawRemainingMakingAmount":"14500000","rawRemainingTakingAmount":"20000000",'
        '"slippageBps":"0","expiredAt":"2025-03-17T04:08:19Z","createdAt":"2025-03-17T04:08:19Z",'
        '"updatedAt":"2025-03-17T04:09:33Z","status":"Open","openTx":"","closeTx":"",'
        '"programVersion":"j1o2qRpjcyUwEvwtcfhEQefh773ZgjxcVRry7LDqg5X","trades":[]}],"totalPages":1,"page":1}'
    )


def test_pages_of_ten_the_newest_first() -> None:
    venue = LimitVenue()
    addresses = [str(Keypair.from_seed(bytes([number]) * 32).pubkey()) for number in range(11)]
    for at, address in enumerate(addresses):
        venue.holds_order(address, created_at=NOW_S + at)

    def page(number: str) -> Any:
        return venue.get("/trigger/v1/getTriggerOrders", user=MAKER, orderStatus="active", page=number).body

    first, second, third = page("1"), page("2"), page("3")
    assert [row["orderKey"] for row in first["orders"] + second["orders"]] == addresses[::-1]
    assert (len(first["orders"]), third["orders"], third["totalPages"], third["page"]) == (10, [], 2, 3)


@pytest.mark.parametrize(
    ("given", "by_page"), [("1", True), ("true", True), ("True", True), ("0", False), ("False", False)]
)
def test_flags_as_clients_write_them(published: LimitVenue, given: str, by_page: bool) -> None:
    """Python's clients send `True` for a true."""
    got = published.get("/trigger/v1/openOrders", wallet=MAKER, responseV2=given)
    assert got.raw.startswith('{"orders":' if by_page else "[")


@pytest.mark.parametrize("given", ["true", "True", "false", "False"])
def test_failed_fills_are_asked_for_as_clients_write_it(published: LimitVenue, given: str) -> None:
    got = published.get("/trigger/v1/getTriggerOrders", user=MAKER, orderStatus="history", includeFailedTx=given)
    assert got.status == 200


def test_pages_of_a_maker_without_history(published: LimitVenue) -> None:
    got = published.get("/trigger/v1/getTriggerOrders", user=MAKER, orderStatus="history", includeFailedTx="true")
    assert got.raw == f'{{"user":"{MAKER}","orderStatus":"history","orders":[],"totalPages":0,"page":1}}'
    got = published.get("/trigger/v1/orderHistory", wallet=MAKER, page="2")
    assert got.raw == '{"orders":[],"totalPages":0,"page":2,"hasMoreData":false}'
    got = published.get("/limit/v2/orderHistory", wallet=MAKER, page="2")
    assert got.raw == '{"orders":[],"hasMoreData":false,"page":2}'


# Executing


class Executing:
    """A maker with a key, who has built one order."""

    def __init__(self, root: str = "/trigger/v1") -> None:
        self.venue, self.root, self.key = LimitVenue(), root, Keypair.from_seed(b"m" * 32)
        wallet = str(self.key.pubkey())
        self.built = self.venue.post(f"{root}/createOrder", creation(maker=wallet, payer=wallet)).body
        self.transaction = signed(self.built.get("transaction") or self.built["tx"], self.key)
        raw = base64.b64decode(self.transaction)
        self.signature = str(VersionedTransaction.from_bytes(raw).signatures[0])

    def executes(self, **changes: object) -> Any:
        return self.venue.post(f"{self.root}/execute", {"signedTransaction": self.transaction, **changes})


@pytest.mark.parametrize("root", ["/trigger/v1", "/limit/v2"])
@pytest.mark.parametrize("name", ["execute", "executeOrder"])
def test_execute_lands_it_once_and_says_so_every_time(root: str, name: str) -> None:
    maker = Executing(root)
    for _ in range(2):
        got = maker.venue.post(f"{root}/{name}", {"signedTransaction": maker.transaction})
        assert (got.status, got.raw) == (
            200,
            f'{{"status":"Success","signature":"{maker.signature}","code":0}}',
        )
    assert list(maker.venue.chain.landed) == [maker.signature]


def test_a_request_id_is_optional_but_must_be_the_right_one() -> None:
    maker = Executing()
    other = maker.venue.post("/trigger/v1/createOrder", creation()).body["requestId"]
    mine = maker.built["requestId"]
    for wrong in (
        {"requestId": other},
        {"id": other},
        {"requestId": ""},
        {"requestId": "x"},
        {"requestId": mine, "id": other},
        {"requestId": other, "id": mine},
    ):
        got = maker.executes(**wrong)
        assert (got.status, got.raw) == (400, '{"error":"invalid transaction","code":400,"status":"Failed"}')
    for right in (
        {"requestId": maker.built["requestId"]},
        {"requestId": maker.built["requestId"].upper()},
        {"id": maker.built["requestId"]},
        {"id": mine.upper(), "requestId": mine},
        {"requestId": None},
    ):
        assert maker.executes(**right).status == 200


def test_the_same_cancel_under_two_request_ids(published: LimitVenue) -> None:
    """Both answers have the transaction of the sixth order, and either may be signed."""
    key = Keypair.from_seed(b"k" * 32)
    wallet = str(key.pubkey())
    for at, address in enumerate((*FIVE, SIXTH)):
        published.holds_order(address, maker=wallet, created_at=NOW_S + at)
    every = published.post("/trigger/v1/cancelOrders", {"maker": wallet}).body
    again = published.post("/trigger/v1/cancelOrders", {"maker": wallet}).body
    one = published.post("/trigger/v1/cancelOrder", {"maker": wallet, "order": SIXTH}).body
    assert (every["txs"][1], every) == (one["transaction"], again)
    assert every["requestId"] != one["requestId"]
    transaction = signed(one["transaction"], key)
    for request_id in (one["requestId"], every["requestId"]):
        got = published.post("/trigger/v1/execute", {"signedTransaction": transaction, "requestId": request_id})
        assert got.status == 200
    first = signed(every["txs"][0], key)
    got = published.post("/trigger/v1/execute", {"signedTransaction": first, "requestId": one["requestId"]})
    assert (got.status, got.body["error"]) == (400, "invalid transaction")


def test_what_is_unsigned_altered_or_another_s() -> None:
    maker = Executing()
    raw = bytearray(base64.b64decode(maker.transaction))
    altered = bytearray(raw)
    altered[-1] ^= 1
    unsigned = maker.built["transaction"]
    read = VersionedTransaction.from_bytes(base64.b64decode(unsigned))
    stranger_s = Keypair.from_seed(b"s" * 32).sign_message(to_bytes_versioned(read.message))
    foreign = base64.b64encode(bytes(VersionedTransaction.populate(read.message, [stranger_s]))).decode()
    for given in (
        unsigned,
        base64.b64encode(altered).decode(),
        foreign,
        "",
        "%%%",
        maker.transaction + "AAAA",
        "A" * 9_000,
    ):
        got = maker.venue.post("/trigger/v1/execute", {"signedTransaction": given})
        assert (got.status, got.raw) == (400, '{"error":"invalid transaction","code":400,"status":"Failed"}')
    elsewhere = LimitVenue().post("/trigger/v1/execute", {"signedTransaction": maker.transaction})
    assert (elsewhere.status, elsewhere.body["error"]) == (400, "invalid transaction")
    assert maker.venue.chain.landed == {}


def test_what_another_family_built_is_not_executed_here() -> None:
    maker = Executing()
    ((digest, row),) = maker.venue.memory.rows.items()
    maker.venue.memory.rows[digest] = replace(row, body=row.body.replace(b"limit.create", b"recurring.create"))
    assert (maker.executes().status, maker.venue.chain.landed) == (400, {})


def test_a_transaction_that_fails_on_chain() -> None:
    maker = Executing()
    maker.venue.chain.verdict = {"InstructionError": [3, {"Custom": 6009}]}
    for _ in range(2):
        got = maker.executes()
        assert (got.status, got.raw) == (
            500,
            (
                '{"error":"custom program error code: 6009","code":500,'
                f'"signature":"{maker.signature}","status":"Failed"}}'
            ),
        )


def test_a_transaction_that_does_not_land() -> None:
    maker = Executing()
    maker.venue.chain.drops = True
    unconfirmed = (
        500,
        f'{{"error":"unable to confirm transaction","code":500,"signature":"{maker.signature}","status":"Failed"}}',
    )
    got = maker.executes()
    assert (got.status, got.raw) == unconfirmed
    maker.venue.chain.drops = False
    assert maker.executes().status == 200, "it can still land"
    maker.venue.chain.landed.clear()
    maker.venue.chain.height = LAST_VALID_HEIGHT + 1
    got = maker.executes()
    assert (got.status, got.raw) == unconfirmed
    assert maker.venue.chain.landed == {}


def test_the_chain_is_away() -> None:
    maker = Executing()
    maker.venue.chain.down = True
    assert maker.venue.post("/trigger/v1/createOrder", creation()).raw == (
        '{"error":"unable to get latest blockhash","code":500}'
    )
    assert maker.venue.post("/trigger/v1/cancelOrders", {"maker": MAKER}).raw == (
        '{"error":"something went wrong while generating cancel instructions","code":500}'
    )
    assert (maker.executes().status, maker.executes().body["error"]) == (
        503,
        "the outcome of this request is unknown, please repeat the same request",
    )
    assert maker.venue.get("/limit/v2/openOrders", wallet=MAKER).status == 503


@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
def test_many_open_orders_are_one_array(count: int) -> None:
    venue = LimitVenue()
    orders = [venue.holds_order(str(Keypair().pubkey()), created_at=NOW_S + at) for at in range(count)]
    assert [row["publicKey"] for row in venue.get("/limit/v2/openOrders", wallet=MAKER).body] == orders
