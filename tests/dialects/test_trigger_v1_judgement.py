"""What Trigger v1 and limit/v2 refuse, and what they make of what they take."""

import base64
import json
import re
from typing import Any

import pytest
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.keypair import Keypair
from solders.transaction import VersionedTransaction

from countermand.services.transactions.builder import UNITS_UNKNOWN
from countermand.solana.port import PACKET_BYTES_MAX, AccountInfo
from countermand.solana.programs import limit_order
from countermand.solana.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM, associated_token_address, mint_bytes
from countermand.values.structs import replace
from tests.dialects.limit_venue import JUP, MAKER, NOW_S, SOL, USDC, LimitVenue, creation

OTHER = "5dMXLJ8GYQxcHe2fjpttVkEpRrxcajRXZqJHCiCbWS4H"
ROOTS = ("/trigger/v1", "/limit/v2")
SYSTEM = "11111111111111111111111111111111"


def address(number: int) -> str:
    return str(Keypair.from_seed(number.to_bytes(32, "big")).pubkey())


@pytest.fixture
def venue() -> LimitVenue:
    return LimitVenue()


def message_of(transaction: str) -> Any:
    return VersionedTransaction.from_bytes(base64.b64decode(transaction)).message


def budget_of(transaction: str) -> tuple[int, int]:
    """The compute limit and its price."""
    limit, price, *_ = (bytes(each.data) for each in message_of(transaction).instructions)
    assert (limit[0], price[0]) == (bytes(set_compute_unit_limit(0).data)[0], bytes(set_compute_unit_price(0).data)[0])
    return int.from_bytes(limit[1:], "little"), int.from_bytes(price[1:], "little")


def params(**changes: object) -> dict[str, object]:
    return creation(params={"makingAmount": "50000000", "takingAmount": "100000000"} | changes)


# Creating


def test_the_minimum_as_documented(venue: LimitVenue) -> None:
    got = venue.post(
        "/trigger/v1/createOrder",
        creation(inputMint=USDC, outputMint=SOL, params={"makingAmount": "1000000", "takingAmount": "1"}),
    )
    assert (got.status, got.raw) == (
        400,
        (
            '{"error":"invalid create order request",'
            '"cause":"input mint making amount must be at least 5 USD, received: 1","code":400}'
        ),
    )


@pytest.mark.parametrize(("units", "received"), [("4999999", "4.999999"), ("1", "0.000001"), ("5000000", None)])
def test_the_minimum_is_exact(venue: LimitVenue, units: str, received: str | None) -> None:
    body = creation(inputMint=USDC, outputMint=SOL, params={"makingAmount": units, "takingAmount": "1"})
    got = venue.post("/limit/v2/createOrder", body)
    if received is None:
        assert got.status == 200
    else:
        assert got.body["cause"] == f"input mint making amount must be at least 5 USD, received: {received}"


REFUSED_CREATIONS: list[tuple[dict[str, object], str]] = [
    (creation(maker=1), "maker"),
    (creation(inputMint="abc"), "inputMint"),
    (creation(inputMint=None), "inputMint"),
    (creation(outputMint="O" * 44), "outputMint"),
    (creation(outputMint=SOL), "inputMint and outputMint"),
    (creation(payer=""), "payer"),
    (creation(params=[]), "params"),
    (creation(params={}), "params.makingAmount"),
    (creation(computeUnitPrice="-1"), "computeUnitPrice"),
    (creation(computeUnitPrice=-1), "computeUnitPrice"),
    (creation(computeUnitPrice="1.5"), "computeUnitPrice"),
    (creation(computeUnitPrice=1.5), "computeUnitPrice"),
    (creation(computeUnitPrice="18446744073709551616"), "computeUnitPrice"),
    (creation(computeUnitPrice=2**64), "computeUnitPrice"),
    (creation(computeUnitPrice=""), "computeUnitPrice"),
    (creation(computeUnitPrice="Auto"), "computeUnitPrice"),
    (creation(computeUnitPrice=True), "computeUnitPrice"),
    (creation(wrapAndUnwrapSol="false"), "wrapAndUnwrapSol"),
    (creation(feeAccount="x"), "feeAccount"),
    (creation(feeAccount=OTHER), "feeAccount"),
    (creation(referral="x"), "referral"),
    (params(makingAmount="0"), "params.makingAmount"),
    (params(makingAmount="-5"), "params.makingAmount"),
    (params(makingAmount=-5), "params.makingAmount"),
    (params(makingAmount=1.5), "params.makingAmount"),
    (params(makingAmount="1e9"), "params.makingAmount"),
    (params(makingAmount="\u0661"), "params.makingAmount"),
    (params(makingAmount=2**64), "params.makingAmount"),
    (params(makingAmount=str(2**64)), "params.makingAmount"),
    (params(makingAmount="9" * 100_000), "params.makingAmount"),
    (params(makingAmount=None), "params.makingAmount"),
    (params(takingAmount=0), "params.takingAmount"),
    (params(takingAmount={}), "params.takingAmount"),
    (params(expiredAt=str(NOW_S)), "params.expiredAt"),
    (params(expiredAt="0"), "params.expiredAt"),
    (params(expiredAt="soon"), "params.expiredAt"),
    (params(expiredAt=str(NOW_S * 1000)), "params.expiredAt"),
    (params(expiredAt=-1), "params.expiredAt"),
    (params(expiredAt=2**63), "params.expiredAt"),
    (params(slippageBps="10001"), "params.slippageBps"),
    (params(feeBps="10001"), "params.feeBps"),
    (params(feeBps="50"), "feeAccount"),
]


@pytest.mark.parametrize(("body", "field"), REFUSED_CREATIONS, ids=range(len(REFUSED_CREATIONS)))
def test_a_refused_creation_names_the_field(venue: LimitVenue, body: dict[str, object], field: str) -> None:
    for root in ROOTS:
        got = venue.post(f"{root}/createOrder", body)
        assert (got.status, got.body["error"], got.body["code"]) == (400, "invalid create order request", 400)
        assert got.body["cause"].startswith(field), got.raw
        assert list(got.body) == ["error", "cause", "code"]
    assert venue.memory.rows == {}


@pytest.mark.parametrize("field", ["inputMint", "outputMint", "maker", "payer", "params"])
def test_a_missing_field_is_named(venue: LimitVenue, field: str) -> None:
    body = {name: value for name, value in creation().items() if name != field}
    assert venue.post("/trigger/v1/createOrder", body).body["cause"] == f"{field}: required"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "malformed JSON"),
        ("{", "malformed JSON"),
        ("[]", "body: "),
        ("null", "body: "),
        ('"x"', "body: "),
        ('{"x": ' + "[" * 200_000, "malformed JSON"),
        (json.dumps(creation())[:-1] + ', "maker": "x"}', "maker: duplicate key"),
        (json.dumps(creation()).replace('"50000000"', "NaN"), "malformed JSON"),
        (json.dumps(creation()).replace('"50000000"', "1e400"), "params.makingAmount: "),
        (json.dumps(creation()).replace('"takingAmount"', '"makingAmount"'), "makingAmount: duplicate key"),
    ],
)
def test_a_body_that_is_none(venue: LimitVenue, text: str, cause: str) -> None:
    for path, words in (
        ("createOrder", "invalid create order request"),
        ("cancelOrder", "invalid cancel order request"),
        ("cancelOrders", "invalid cancel order request"),
        ("execute", "invalid transaction"),
    ):
        if path != "createOrder" and "params" in cause + text:
            continue
        got = venue.post(f"/trigger/v1/{path}", text)
        assert (got.status, got.body["error"]) == (400, words)
        assert got.body["cause"].startswith(cause), got.raw
    assert venue.memory.rows == {}


@pytest.mark.parametrize("maker", ["", "abc", "0" * 44, MAKER + "1", "\ud800", "1" * 33])
def test_a_bad_maker(venue: LimitVenue, maker: str) -> None:
    for root in ROOTS:
        for path, body in (
            ("createOrder", creation(maker=maker)),
            ("cancelOrders", {"maker": maker}),
            ("cancelOrder", {"maker": maker, "order": SOL}),
        ):
            got = venue.post(f"{root}/{path}", body)
            if maker == "\ud800":
                assert got.status == 400
            else:
                assert (got.status, got.raw) == (400, '{"error":"invalid maker pubkey","code":400}')


@pytest.mark.parametrize(
    ("body", "units_and_price"),
    [
        (creation(computeUnitPrice="7"), (132_000, 7)),
        (creation(computeUnitPrice=7), (132_000, 7)),
        (creation(computeUnitPrice=None), (132_000, 15_406)),
        (creation(computeUnitPrice=str(2**64 - 1)), (132_000, 2**64 - 1)),
        (params(makingAmount=50_000_000, takingAmount=100_000_000, expiredAt=NOW_S + 1), (132_000, 15_406)),
        (params(slippageBps="0", feeBps="0", expiredAt=None), (132_000, 15_406)),
    ],
)
def test_prices_and_numbers_in_both_forms(
    venue: LimitVenue, body: dict[str, object], units_and_price: tuple[int, int]
) -> None:
    assert budget_of(venue.post("/trigger/v1/createOrder", body).body["transaction"]) == units_and_price


@pytest.mark.parametrize(
    ("expired_at", "words"),
    [
        (NOW_S * 1_000, "is after the year 9999; it is in seconds since the Unix epoch, not milliseconds"),
        (str(NOW_S * 1_000), "is after the year 9999; it is in seconds since the Unix epoch, not milliseconds"),
        (NOW_S, "is not in the future; it is in seconds since the Unix epoch"),
    ],
)
def test_an_expiry_in_milliseconds_is_told_that_it_is_in_seconds(
    venue: LimitVenue, expired_at: object, words: str
) -> None:
    """D3."""
    got = venue.post("/trigger/v1/createOrder", params(expiredAt=expired_at))
    assert (got.status, got.body["cause"]) == (400, f"params.expiredAt: {expired_at} {words}")


@pytest.mark.parametrize("spelling", ["{}.0", "{}e0", "{}0e-1"])
def test_a_whole_number_is_that_number_however_it_is_written(venue: LimitVenue, spelling: str) -> None:
    """D4. A text stays what it is documented to be: digits."""
    numbers = {"makingAmount": 50_000_000, "takingAmount": 100_000_000, "expiredAt": NOW_S + 1, "slippageBps": 50}
    plain = json.dumps(params(**numbers) | {"computeUnitPrice": 7})
    raw, found = re.subn(r"(?<=: )([0-9]+)(?=[,}])", lambda number: spelling.format(number[0]), plain)
    assert found == 5
    got = venue.post("/trigger/v1/createOrder", raw)
    assert budget_of(got.body["transaction"]) == (132_000, 7)
    written = venue.post("/trigger/v1/createOrder", params(slippageBps=spelling.format(50)))
    assert (written.status, written.body["cause"][:19]) == (400, "params.slippageBps:")


def test_a_page_is_a_whole_number_too(venue: LimitVenue) -> None:
    got = venue.get("/trigger/v1/getTriggerOrders", user=MAKER, orderStatus="active", page="2.0")
    assert (got.status, got.body["page"]) == (200, 2)


def test_the_compute_limit_is_what_it_takes_and_a_tenth(venue: LimitVenue) -> None:
    venue.chain.units = 10_001
    assert budget_of(venue.post("/limit/v2/createOrder", creation()).body["tx"])[0] == 11_001
    venue.chain.simulation_error = "AccountNotFound"
    assert budget_of(venue.post("/limit/v2/createOrder", creation()).body["tx"])[0] == UNITS_UNKNOWN


@pytest.mark.parametrize(
    ("fees", "price"),
    [
        ((), 0),
        ((7,), 7),
        (tuple(range(1, 101)), 95),
        ((0,) * 19 + (9,), 0),
        ((0,) * 18 + (9, 9), 9),
        ((10**9,), 500_000),
    ],
)
def test_auto_is_the_95th_percentile_of_recent_fees(fees: tuple[int, ...], price: int) -> None:
    venue = LimitVenue(auto_price=None)
    venue.chain.fees = fees
    venue.holds_order(address(1))
    assert budget_of(venue.post("/limit/v2/createOrder", creation()).body["tx"])[1] == price
    assert budget_of(venue.post("/limit/v2/cancelOrders", {"maker": MAKER}).body["txs"][0]) == (43_200, price)


def test_a_payer_other_than_the_maker(venue: LimitVenue) -> None:
    message = message_of(venue.post("/trigger/v1/createOrder", creation(payer=OTHER)).body["transaction"])
    assert message.header.num_required_signatures == 2
    assert [str(key) for key in message.account_keys[:2]] == [OTHER, MAKER]


def programs_called(transaction: str) -> list[str]:
    message = message_of(transaction)
    return [str(message.account_keys[each.program_id_index]) for each in message.instructions]


@pytest.mark.parametrize(("wraps", "calls"), [(True, 8), (None, 8), (False, 4)])
def test_wrapping_of_sol(venue: LimitVenue, wraps: bool | None, calls: int) -> None:
    """Without: both budgets, the creation of the account for the output, and the order."""
    body = creation(wrapAndUnwrapSol=wraps)
    called = programs_called(venue.post("/trigger/v1/createOrder", body).body["transaction"])
    assert (len(called), called.count(limit_order.PROGRAM), called.count(SYSTEM)) == (calls, 1, int(calls == 8))


def test_sol_comes_as_lamports_to_a_maker_without_an_account(venue: LimitVenue) -> None:
    body = creation(inputMint=USDC, outputMint=SOL, params={"makingAmount": "5000000", "takingAmount": "1"})
    assert len(programs_called(venue.post("/limit/v2/createOrder", body).body["tx"])) == 3
    body["wrapAndUnwrapSol"] = False
    assert len(programs_called(venue.post("/limit/v2/createOrder", body).body["tx"])) == 4


def mint_2022(*extensions: tuple[int, bytes]) -> AccountInfo:
    data = mint_bytes(authority=None, decimals=6)
    if extensions:
        body = b"".join(
            kind.to_bytes(2, "little") + len(value).to_bytes(2, "little") + value for kind, value in extensions
        )
        data = data.ljust(165, b"\0") + b"\1" + body
    return AccountInfo(1, TOKEN_2022_PROGRAM, data, executable=False)


@pytest.mark.parametrize(
    ("extensions", "fine"),
    [
        ((), True),
        (((18, bytes(64)), (19, b"text")), True),
        (((0, b""),), True),
        (((1, bytes(108)),), False),
        (((14, bytes(64)),), False),
        (((12, bytes(32)),), False),
        (((9, b""),), False),
        (((18, bytes(64)), (1, bytes(108))), False),
        (((99, b""),), False),
        (((64, b""),), False),
    ],
)
def test_token_2022_without_what_could_take_or_hold(
    venue: LimitVenue, extensions: tuple[tuple[int, bytes], ...], *, fine: bool
) -> None:
    mint = address(7)
    venue.chain.held[mint] = mint_2022(*extensions)
    got = venue.post("/trigger/v1/createOrder", creation(outputMint=mint))
    assert got.status == (200 if fine else 400)
    if fine:
        assert TOKEN_2022_PROGRAM in {str(key) for key in message_of(got.body["transaction"]).account_keys}
    else:
        assert mint in got.body["cause"]


def test_an_extension_that_is_cut_off(venue: LimitVenue) -> None:
    mint, info = address(7), mint_2022((18, bytes(64)))
    venue.chain.held[mint] = AccountInfo(1, TOKEN_2022_PROGRAM, info.data[:-1], executable=False)
    assert venue.post("/trigger/v1/createOrder", creation(outputMint=mint)).status == 400


def test_what_is_no_mint(venue: LimitVenue) -> None:
    account = venue.has_account(MAKER, USDC)
    for mint in (account, address(8), MAKER):
        got = venue.post("/trigger/v1/createOrder", creation(outputMint=mint))
        assert (got.status, got.body["cause"]) == (400, f"{mint} is not the mint of a token")
    got = venue.post("/trigger/v1/createOrder", creation(inputMint=address(8)))
    assert got.body["cause"] == f"no price is known for the input mint {address(8)}"


def test_a_fee_for_an_integrator(venue: LimitVenue) -> None:
    account = venue.has_account(OTHER, USDC)
    for given in ({"feeAccount": account}, {"referral": account}):
        got = venue.post("/trigger/v1/createOrder", params(feeBps="50") | given)
        message = message_of(got.body["transaction"])
        placed = next(
            each for each in message.instructions if bytes(each.data).startswith(limit_order.INITIALIZE_ORDER)
        )
        assert bytes(placed.data)[-3:] == b"\1" + (50).to_bytes(2, "little")
        assert str(message.account_keys[placed.accounts[6]]) == account
    got = venue.post("/trigger/v1/createOrder", params(feeBps="9990") | {"feeAccount": account})
    assert got.status == 200
    got = venue.post("/trigger/v1/createOrder", params(feeBps="9991") | {"feeAccount": account})
    assert got.status == 400
    assert got.body["cause"] == "params.feeBps: at most 9990, since the program's own fee comes on top"
    wrong = venue.has_account(OTHER, JUP)
    got = venue.post("/trigger/v1/createOrder", params(feeBps="50") | {"feeAccount": wrong})
    assert got.body["cause"] == f"feeAccount {wrong} is not a token account of the output mint"


# Cancelling


BAD_ORDERS: list[dict[str, object]] = [
    {"orders": ""},
    {"orders": SOL},
    {"orders": 0},
    {"orders": False},
    {"orders": {}},
    {"orders": [""]},
    {"orders": [None]},
    {"orders": [1]},
    {"orders": ["abc"]},
    {"orders": [[SOL]]},
    {"order": ""},
    {"order": ","},
    {"order": f"{SOL},"},
    {"order": "abc"},
    {"order": []},
    {"order": 1},
    {"order": SOL, "orders": [SOL]},
    {"order": "", "orders": []},
]


@pytest.mark.parametrize("named", BAD_ORDERS, ids=range(len(BAD_ORDERS)))
@pytest.mark.parametrize("path", ["cancelOrder", "cancelOrders"])
def test_what_names_orders_badly_never_means_all(venue: LimitVenue, path: str, named: dict[str, object]) -> None:
    venue.holds_order(address(1))
    for root in ROOTS:
        got = venue.post(f"{root}/{path}", {"maker": MAKER, **named})
        assert (got.status, got.body["error"]) == (400, "invalid cancel order request")
        assert got.body["cause"].startswith("order")
    assert venue.memory.rows == {}


@pytest.mark.parametrize(
    "body",
    [{}, {"orders": [SOL]}, {"order": SOL}, {"orders": []}, {"order": address(9)}, {"orders": [address(9)]}],
)
def test_none_left(venue: LimitVenue, body: dict[str, object]) -> None:
    """Nothing is open; another's order is not the maker's."""
    venue.holds_order(address(9), maker=OTHER)
    for root in ROOTS:
        for path in ("cancelOrder", "cancelOrders"):
            got = venue.post(f"{root}/{path}", {"maker": MAKER, **body})
            assert (got.status, got.raw) == (400, '{"error":"no matching orders found","code":400}')


def orders_in(transaction: str) -> list[str]:
    message = message_of(transaction)
    return [
        str(message.account_keys[each.accounts[2]])
        for each in message.instructions
        if bytes(each.data) == limit_order.CANCEL_ORDER
    ]


@pytest.mark.parametrize("count", [1, 5, 6, 11])
def test_batches_of_five_keep_the_given_order(venue: LimitVenue, count: int) -> None:
    given = [venue.holds_order(address(number)) for number in range(count)]
    named = [given[0], address(99), *given, given[-1], venue.holds_order(address(98), maker=OTHER)]
    answer = venue.post("/trigger/v1/cancelOrders", {"maker": MAKER, "orders": named}).body
    batches = [orders_in(transaction) for transaction in answer["transactions"]]
    assert batches == [given[start : start + 5] for start in range(0, count, 5)]
    for transaction in answer["transactions"]:
        assert budget_of(transaction) == (43_200 * len(orders_in(transaction)), 15_406)


def test_named_orders_are_cancelled_over_a_node_that_gives_no_lists(venue: LimitVenue) -> None:
    venue.chain.gives_lists = False
    mine, foreign = venue.holds_order(address(1)), venue.holds_order(address(2))
    venue.chain.held[foreign] = replace(venue.chain.held[foreign], owner=TOKEN_PROGRAM)
    for root in ROOTS:
        answer = venue.post(f"{root}/cancelOrders", {"maker": MAKER, "orders": [foreign, mine]}).body
        assert [orders_in(transaction) for transaction in answer["txs"]] == [[mine]]
        assert venue.post(f"{root}/cancelOrder", {"maker": MAKER, "order": mine}).status == 200
        assert venue.post(f"{root}/cancelOrder", {"maker": MAKER, "order": foreign}).status == 400
        assert venue.post(f"{root}/cancelOrders", {"maker": MAKER}).status == 500


def test_more_named_orders_than_one_question_may_have(venue: LimitVenue) -> None:
    named = [venue.holds_order(address(number)) for number in range(101)]
    answer = venue.post("/limit/v2/cancelOrders", {"maker": MAKER, "orders": named}).body
    assert [order for transaction in answer["txs"] for order in orders_in(transaction)] == named


def test_all_are_in_order_of_creation_and_then_of_address(venue: LimitVenue) -> None:
    late, *same = (venue.holds_order(address(n), created_at=NOW_S + (n == 0)) for n in range(5))
    answer = venue.post("/limit/v2/cancelOrders", {"maker": MAKER}).body
    assert orders_in(answer["txs"][0]) == [*sorted(same), late]


def test_the_maker_s_account_is_created_first_where_it_is_gone(venue: LimitVenue) -> None:
    orders = [venue.holds_order(address(n), input_mint=mint) for n, mint in enumerate((USDC, JUP, USDC, SOL))]
    venue.has_account(MAKER, JUP)
    (transaction,) = venue.post("/limit/v2/cancelOrders", {"maker": MAKER, "orders": orders}).body["txs"]
    assert orders_in(transaction) == orders
    called = programs_called(transaction)
    assert called.count("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL") == 1
    assert budget_of(transaction) == (43_200 * 4, 15_406)
    message = message_of(transaction)
    creating = message.instructions[2]
    assert str(message.account_keys[creating.accounts[1]]) == associated_token_address(MAKER, USDC)
    assert bytes(creating.data) == b"\1"


def test_five_fit_a_packet_at_their_largest(venue: LimitVenue) -> None:
    """Five mints of two token programs, and no account of the maker's for any of them."""
    orders = []
    for number in range(5):
        mint, program = address(100 + number), (TOKEN_PROGRAM, TOKEN_2022_PROGRAM)[number % 2]
        orders.append(venue.holds_order(address(number), input_mint=mint, input_program=program))
    (transaction,) = venue.post("/limit/v2/cancelOrders", {"maker": MAKER, "orders": orders}).body["txs"]
    assert orders_in(transaction) == orders
    assert len(base64.b64decode(transaction)) <= PACKET_BYTES_MAX


# Reading


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("openOrders", {}, "wallet"),
        ("openOrders", {"wallet": "abc"}, "wallet"),
        ("openOrders", {"wallet": MAKER, "inputMint": "x"}, "inputMint"),
        ("orderHistory", {"wallet": MAKER, "page": "0"}, "page"),
        ("orderHistory", {"user": MAKER, "page": "x"}, "page"),
        ("orderHistory", {}, "wallet"),
        ("getTriggerOrders", {"orderStatus": "active"}, "user"),
        ("getTriggerOrders", {"user": MAKER}, "orderStatus"),
        ("getTriggerOrders", {"user": MAKER, "orderStatus": "open"}, "orderStatus"),
        ("getTriggerOrders", {"user": "x", "orderStatus": "active"}, "user"),
        ("getTriggerOrders", {"user": MAKER, "orderStatus": "active", "page": "-1"}, "page"),
        ("getTriggerOrders", {"user": MAKER, "orderStatus": "active", "page": "1.5"}, "page"),
        ("getTriggerOrders", {"user": "", "orderStatus": "active"}, "user"),
        ("getTriggerOrders", {"user": MAKER, "orderStatus": ""}, "orderStatus"),
        ("openOrders", {"wallet": "", "user": ""}, "wallet"),
        ("getTriggerOrders", {"user": MAKER, "orderStatus": "active", "outputMint": "0"}, "outputMint"),
        ("getTriggerOrders", {"user": MAKER, "orderStatus": "active", "includeFailedTx": "1"}, "includeFailedTx"),
    ],
)
def test_a_refused_query_names_the_field(venue: LimitVenue, path: str, query: dict[str, str], field: str) -> None:
    for root in ROOTS:
        got = venue.get(f"{root}/{path}", **query)
        assert (got.status, got.body["error"], got.body["code"]) == (400, "invalid request", 400)
        assert got.body["cause"].startswith(field), got.raw


@pytest.mark.parametrize(
    ("path", "empty"),
    [
        ("openOrders", "wallet=&inputMint=&outputMint=&responseV2=&page="),
        ("openOrders", "wallet=&inputMint=&outputMint=&responseV2=1&page="),
        ("orderHistory", "wallet=&inputMint=&outputMint=&page="),
        ("getTriggerOrders", "orderStatus=active&inputMint=&outputMint=&page=&includeFailedTx="),
    ],
)
def test_a_parameter_without_a_value_counts_as_left_out(venue: LimitVenue, path: str, empty: str) -> None:
    """As httpx writes a null."""
    venue.holds_order(address(1))
    full = "&".join(each for each in empty.split("&") if not each.endswith("="))
    for root in ROOTS:
        left_out = venue.get(f"{root}/{path}?user={MAKER}&{full}")
        assert (left_out.status, venue.get(f"{root}/{path}?user={MAKER}&{empty}").raw) == (200, left_out.raw)


@pytest.mark.parametrize("path", ["openOrders", "orderHistory", "getTriggerOrders"])
def test_a_query_that_gives_a_field_twice_is_told_so(venue: LimitVenue, path: str) -> None:
    got = venue.get(f"/trigger/v1/{path}?user={MAKER}&user={MAKER}&orderStatus=active")
    assert (got.status, got.body["cause"]) == (400, "user: given more than once")


def test_what_is_no_order_is_not_shown(venue: LimitVenue) -> None:
    held = venue.chain.held
    fine = venue.holds_order(address(1))
    info = held[fine]
    held[address(2)] = AccountInfo(1, limit_order.PROGRAM, bytes(8) + info.data[8:], executable=False)
    held[address(3)] = AccountInfo(1, limit_order.PROGRAM, info.data + b"\0", executable=False)
    held[address(4)] = AccountInfo(1, TOKEN_PROGRAM, info.data, executable=False)
    assert [row["publicKey"] for row in venue.get("/limit/v2/openOrders", wallet=MAKER).body] == [fine]


@pytest.mark.parametrize("seconds", [-(2**63), -1, 2**63 - 1])
def test_times_that_no_calendar_has(venue: LimitVenue, seconds: int) -> None:
    """Any wallet can place an order with such an expiry by itself."""
    venue.holds_order(address(1), expired_at=seconds)
    (row,) = venue.get("/limit/v2/openOrders", wallet=MAKER).body
    assert row["account"]["expiredAt"] in ("1970-01-01T00:00:00.000Z", "9999-12-31T23:59:59.000Z")


@pytest.mark.parametrize(
    ("query", "cause"),
    [
        ({"orderStatus": "open"}, "orderStatus: expected one of active, history, got 'open'"),
        (
            {"orderStatus": "active", "includeFailedTx": "yes"},
            "includeFailedTx: expected one of true, True, false, False, got 'yes'",
        ),
    ],
)
def test_a_choice_that_is_none_is_told_with_those_that_are(
    venue: LimitVenue, query: dict[str, str], cause: str
) -> None:
    got = venue.get("/trigger/v1/getTriggerOrders", user=MAKER, **query)
    assert (got.status, got.body["cause"]) == (400, cause)


@pytest.mark.parametrize("field", ["makingAmount", "takingAmount", "expiredAt", "slippageBps", "feeBps"])
def test_a_number_with_decimals_is_told_to_be_none_that_is_whole(venue: LimitVenue, field: str) -> None:
    """`20000000.0` is taken: that it is a float says nothing."""
    got = venue.post("/trigger/v1/createOrder", params(**{field: 0.57 * 10**8}))
    assert (got.status, got.body["cause"]) == (400, f"params.{field}: expected a whole number")


@pytest.mark.parametrize("page", ["abc", "1.5"])
def test_a_page_that_is_no_number(venue: LimitVenue, page: str) -> None:
    got = venue.get("/limit/v2/orderHistory", wallet=MAKER, page=page)
    assert (got.status, got.body["cause"]) == (400, "page: expected a whole number")
