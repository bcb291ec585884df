"""Recurring v1 on the wire: the published transactions and bodies, literally."""

import json

import pytest
from solders.keypair import Keypair

from countermand.solana.port import AccountInfo
from countermand.values.structs import replace
from tests.orders.recurring.stage import (
    CANCELLED_ORDER,
    JUP,
    NEW_MINT,
    NOW_S,
    PRICE_BASED,
    SEED_ORDER,
    SOL,
    UNPRICED,
    UNREADABLE,
    USDC,
    USER,
    Stage,
    a_cancel,
    a_create,
    an_order,
    in_shape,
    older_cancel,
)

SEED_TX = (
    "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABAAgORL7cu4ZNuxh1wI9W7GVU"
    "Ryr3A06dH348HDpIQzcAJ4pCGoZcAjkAUAd6xDlaLrZsPlKhZWTBUVe1+PNWNzCsHHdUeDGIufeWFDvFYjcKVm9e/kPQ8ZFXM+X1qUqo7Q8ojdVR"
    "qwNsrYI0EjYt7W9Ri9KVEgYBhD4Gk8ZmkJmQy06/by2TOVyTUuu9HYAIH+8AvsAiyyBVh4I4Fsd9iyTJycb9++681I/aqLQGU3mOLCTo/n/aEEBz"
    "spC9pe7iUa7qAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADBkZv5SEXMv/srbpyw5vnvIzlu8X3EmssQ5s6QAAAAAabiFf+q4GE+2h/"
    "Y0YYwDXaxDncGus7VZig8AAAAAABBt324ddloZPZy+FGzut5rBy0he1fWzeROoz1hX7/AKmMlyWPTiSJ8bs9ECkUjg2DC1oTmdr/EIQEjnvY2+n4"
    "WbB1qAZjecpv43A3/wwo1VSm5NY22ehRjP5uuuk/Ujb+tSfUXWQOPsFfYV1bDiOlSpa4PwuCC/cGNfJDSsZAzATG+nrzvtutOj1l82qryXQxsbvk"
    "wtL24OR8pgIDRS9dYVHlAnuRq2PiJat/evBaWH0uarok3ropi97M2igHfLt0AwcABQJWWgEABwAJA0ANAwAAAAAADA0AAQgNBQMEAgYJCgsMCBYH"
    "IWKotyLz"
)
SEED_ID = "1bb7b3db-0b7d-4d0c-bfd9-38017ce33eeb"
CREATE_TX = (
    "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABAAgNRL7cu4ZNuxh1wI9W7GVU"
    "Ryr3A06dH348HDpIQzcAJ4o8bJlCl2Wc6MzpcvkV0INcJ7u23GV89soNJ/8i5QPLuk+NOvCjbAbTzOyNoSWuhO5fYq+hNGrGQ2JdDy82Gw0bv28t"
    "kzlck1LrvR2ACB/vAL7AIssgVYeCOBbHfYskycnT/icRrhr4nbjk0DzDqAkM4ntju8NXHrILEpE0TUKNKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAwZGb+UhFzL/7K26csOb57yM5bvF9xJrLEObOkAAAAAGm4hX/quBhPtof2NGGMA12sQ53BrrO1WYoPAAAAAAAQbd9uHXZaGT2cvh"
    "Rs7reawctIXtX1s3kTqM9YV+/wCpjJclj04kifG7PRApFI4NgwtaE5na/xCEBI572Nvp+FmwdagGY3nKb+NwN/8MKNVUpuTWNtnoUYz+brrpP1I2"
    "/rUn1F1kDj7BX2FdWw4jpUqWuD8Lggv3BjXyQ0rGQMwExvp6877brTo9ZfNqq8l0MbG75MLS9uDkfKYCA0UvXWG7njQ5EK9zaEM059+IQanso4m+"
    "YzpvFchLCtBxOCdR5QcGAAUCGSwAAAYACQNADQMAAAAAAAkGAAMABwUIAQEFAgADDAIAAAAAwusLAAAAAAgBAwERCw0EAAAHDAMBAgUICQoLK453"
    "K22iNAuxgF7IZwAAAAAAwusLAAAAAADh9QUAAAAALAEAAAAAAAAAAAAIBAMAAAABCQ=="
)
CREATE_ID = "825f993e-6bfc-4aef-a1c8-2b534298b2bd"
CANCEL_TX = (
    "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABAAgORL7cu4ZNuxh1wI9W7GVU"
    "Ryr3A06dH348HDpIQzcAJ4oZOZHXAukWalAX/odOiV55UZa1ePBg8d2tRKQyqCjV6C/H8IQcrfZR4QeOJFykenP3QJznc6vNpqe2D57HTD7Gd1R4"
    "MYi595YUO8ViNwpWb17+Q9DxkVcz5fWpSqjtDyiji2RfCl7yoUfzkV42QPexQNFjBK5/+pJhV8QuWShN6r9vLZM5XJNS670dgAgf7wC+wCLLIFWH"
    "gjgWx32LJMnJAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADBkZv5SEXMv/srbpyw5vnvIzlu8X3EmssQ5s6QAAAAAabiFf+q4GE+2h/"
    "Y0YYwDXaxDncGus7VZig8AAAAAABBt324ddloZPZy+FGzut5rBy0he1fWzeROoz1hX7/AKmMlyWPTiSJ8bs9ECkUjg2DC1oTmdr/EIQEjnvY2+n4"
    "WbB1qAZjecpv43A3/wwo1VSm5NY22ehRjP5uuuk/Ujb+tSfUXWQOPsFfYV1bDiOlSpa4PwuCC/cGNfJDSsZAzATG+nrzvtutOj1l82qryXQxsbvk"
    "wtL24OR8pgIDRS9dYVCj/auTzJLgPke1v9c3puAy81rBYgsabmuLUTEQsZyVAwcABQL9WQEABwAJA0ANAwAAAAAADA0AAg0IAQQDBQYJCgsMCBYH"
    "IWKotyLz"
)
CANCEL_ID = "f806965f-6f7e-40ee-ad20-6d9b8b0ff201"


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.chain.has_order(SEED_ORDER, an_order(USER))
    return stage


# --- the published transactions


def test_the_page_s_cancel_byte_for_byte() -> None:
    stage = Stage(units=88_662)
    stage.chain.blockhash = "6WgZXiqamz8vQEUpBaoG8VnPk4JyXbkcv7zD43j2mXY7"
    stage.chain.has_order(SEED_ORDER, an_order(USER, input_mint=SOL, output_mint=USDC))
    answer = stage.post(
        "cancelOrder",
        b'{"order":"5T3NGmbD8R59UWEaRaDq79r7fDxDUNidze3CVT94vrUb",'
        b'"user":"5dMXLJ8GYQxcHe2fjpttVkEpRrxcajRXZqJHCiCbWS4H","params":"recurring"}',
    )
    assert answer.status_code == 200
    assert answer.text == f'{{"id":"{SEED_ID}","tx":"{SEED_TX}"}}'
    assert answer.headers["content-type"] == "application/json"


def test_a_published_create_byte_for_byte() -> None:
    stage = Stage(units=11_289)
    stage.prices[SOL] = 1_000
    stage.chain.blockhash = "DdPA3SQtjKE5PhunwaMSk2qiLUji2KKZLigv1k6invgc"
    body = a_create(inAmount=200_000_000, interval=300) | {"inputMint": SOL, "outputMint": USDC}
    answer = stage.post("createOrder", body)
    assert answer.text == f'{{"requestId":"{CREATE_ID}","transaction":"{CREATE_TX}"}}'
    assert answer.status_code == 200


def test_a_published_cancel_byte_for_byte() -> None:
    stage = Stage(units=88_573)
    stage.chain.blockhash = "6RneiHXFuLvGoGZ3Dshq8o6u1EUfLvTZhFrBwyWowqLQ"
    stage.chain.has_order(CANCELLED_ORDER, an_order(USER))
    answer = stage.post("cancelOrder", a_cancel(order=CANCELLED_ORDER))
    assert answer.text == f'{{"requestId":"{CANCEL_ID}","transaction":"{CANCEL_TX}"}}'


# --- create


def test_the_published_refusal(stage: Stage) -> None:
    answer = stage.post("createOrder", a_create(inAmount=2_990_000))
    assert answer.status_code == 400
    assert answer.text == (
        '{"code":400,"error":"Order is valued at 2.99 USDC, minimum is 100.00 USDC","status":"Bad Request"}'
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inAmount": 99_999_999}, "Order is valued at 99.99 USDC, minimum is 100.00 USDC"),
        ({"inAmount": 0}, "Order is valued at 0.00 USDC, minimum is 100.00 USDC"),
        (
            {"inAmount": 100_000_000, "numberOfOrders": 3},
            "Each order is valued at 33.33 USDC, minimum is 50.00 USDC",
        ),
        ({"numberOfOrders": 1}, "Number of orders is 1, minimum is 2"),
        ({"numberOfOrders": 0}, "Number of orders is 0, minimum is 2"),
        ({"interval": 29}, "Interval is 29 seconds, minimum is 30"),
        ({"interval": 0}, "Interval is 0 seconds, minimum is 30"),
        ({"interval": -86_400}, "Interval is -86400 seconds, minimum is 30"),
    ],
)
def test_minimums(stage: Stage, changes: dict[str, int], words: str) -> None:
    in_shape(stage.post("createOrder", a_create(**changes)), 400, words)


@pytest.mark.parametrize(
    "changes", [{"inAmount": 100_000_000}, {"interval": 30}, {"startAt": NOW_S - 60}, {"startAt": NOW_S + 9}]
)
def test_what_just_passes(stage: Stage, changes: dict[str, int]) -> None:
    answer = stage.post("createOrder", a_create(**changes))
    assert (answer.status_code, list(answer.json)) == (200, ["requestId", "transaction"])


IN_SECONDS = "startAt is in seconds since the Unix epoch"
INTERVAL_MAX = "maximum is 31536000; interval is in seconds, not milliseconds"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"startAt": NOW_S * 1_000}, f"startAt is {NOW_S * 1_000}, which is no time in this age; {IN_SECONDS}, not"),
        ({"startAt": 10**11}, f"startAt is {10**11}, which is no time in this age; {IN_SECONDS}, not milliseconds"),
        ({"startAt": 2**63 - 1}, f"startAt is {2**63 - 1}, which is no time in this age; {IN_SECONDS}, not"),
        ({"startAt": NOW_S - 61}, f"startAt is {NOW_S - 61}, which is past; {IN_SECONDS}, or null to start at once"),
        ({"startAt": 0}, f"startAt is 0, which is past; {IN_SECONDS}, or null to start at once"),
        ({"startAt": -1}, f"startAt is -1, which is past; {IN_SECONDS}, or null to start at once"),
        ({"interval": 86_400_000}, f"Interval is 86400000 seconds, {INTERVAL_MAX}"),
        ({"interval": 31_536_001}, f"Interval is 31536001 seconds, {INTERVAL_MAX}"),
        ({"interval": 2**63 - 1}, f"Interval is {2**63 - 1} seconds, {INTERVAL_MAX}"),
    ],
)
def test_milliseconds_are_refused_and_the_answer_says_seconds(
    stage: Stage, changes: dict[str, int], words: str
) -> None:
    """D3."""
    answer = stage.post("createOrder", a_create(**changes))
    assert (answer.status_code, answer.json["error"][: len(words)]) == (400, words)


@pytest.mark.parametrize("changes", [{"interval": 31_536_000}, {"startAt": 10**11 - 1}, {"startAt": None}])
def test_the_longest_that_passes(stage: Stage, changes: dict[str, int]) -> None:
    assert stage.post("createOrder", a_create(**changes)).status_code == 200


@pytest.mark.parametrize("field", ["inAmount", "numberOfOrders", "interval", "startAt"])
@pytest.mark.parametrize("spelling", ["{}.0", "{}e0", "{}0E-1"])
def test_a_whole_number_is_that_number_however_it_is_written(stage: Stage, field: str, spelling: str) -> None:
    """D4."""
    body = a_create(startAt=NOW_S + 60)
    number = body["params"]["time"][field]
    raw = json.dumps(body).replace(f'"{field}": {number}', f'"{field}": ' + spelling.format(number))
    assert raw != json.dumps(body)
    assert stage.post("createOrder", raw.encode()).status_code == 200


def test_what_is_sold_is_valued_at_its_price(stage: Stage) -> None:
    body = a_create(inAmount=666_666_666) | {"inputMint": SOL, "outputMint": USDC}
    in_shape(stage.post("createOrder", body), 400, "Order is valued at 99.99 USDC, minimum is 100.00 USDC")
    body["params"]["time"]["inAmount"] += 2
    assert stage.post("createOrder", body).status_code == 200


@pytest.mark.parametrize(
    ("mints", "words"),
    [
        ({"inputMint": NEW_MINT}, f"Token-2022 mints are not supported: {NEW_MINT}"),
        ({"outputMint": NEW_MINT}, f"Token-2022 mints are not supported: {NEW_MINT}"),
        ({"outputMint": USER}, f"{USER} is not a token mint"),
        ({"outputMint": USDC}, "Input mint and output mint cannot be the same"),
        ({"inputMint": UNPRICED}, f"The price of {UNPRICED} is not known"),
    ],
)
def test_mints_that_cannot_be_traded(stage: Stage, mints: dict[str, str], words: str) -> None:
    in_shape(stage.post("createOrder", a_create() | mints), 400, words)


def test_what_is_bought_needs_no_price(stage: Stage) -> None:
    assert stage.post("createOrder", a_create() | {"outputMint": JUP}).status_code == 200


def test_two_orders_of_one_second_are_two_orders(stage: Stage) -> None:
    first, second = (stage.post("createOrder", a_create()).json["transaction"] for _ in range(2))
    assert first != second


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"price": {"depositAmount": 110_000_000, "incrementUsdcValue": 10_000_000, "interval": 1}}, PRICE_BASED),
        ({"price": "nonsense"}, PRICE_BASED),
        ({}, "params: expected exactly one of `time`, `price`"),
        ({"other": {}}, "params: expected exactly one of `time`, `price`"),
        ({"time": a_create()["params"]["time"], "price": {}}, "params: expected exactly one of `time`, `price`"),
        ({"time": {}}, "params.time: missing field `inAmount`"),
        ({"time": []}, "params.time: invalid type: sequence, expected a map"),
        ([], "params: invalid type: sequence, expected a map"),
        ("recurring", "params: invalid type: string, expected a map"),
    ],
)
def test_kinds_of_orders(stage: Stage, params: object, words: str) -> None:
    in_shape(stage.post("createOrder", a_create() | {"params": params}), 400, words)


@pytest.mark.parametrize("path", ["priceDeposit", "priceWithdraw"])
@pytest.mark.parametrize("body", [b"", b"{", b'{"order":"x","user":"y","amount":1}'])
def test_price_based_orders_take_and_give_nothing(stage: Stage, path: str, body: bytes) -> None:
    in_shape(stage.post(path, body), 400, PRICE_BASED)


@pytest.mark.parametrize(
    ("time", "words"),
    [
        ({"inAmount": "104000000"}, "params.time.inAmount: invalid type: string, expected an integer"),
        ({"inAmount": 1.5}, "params.time.inAmount: invalid type: floating point number, expected an integer"),
        ({"inAmount": True}, "params.time.inAmount: invalid type: boolean, expected an integer"),
        ({"inAmount": None}, "params.time.inAmount: invalid type: null, expected an integer"),
        ({"inAmount": -1}, "params.time.inAmount: invalid value: expected an integer of at least 0"),
        ({"inAmount": 2**63}, f"params.time.inAmount: invalid value: expected an integer of at most {2**63 - 1}"),
        ({"inAmount": 10**40}, f"params.time.inAmount: invalid value: expected an integer of at most {2**63 - 1}"),
        ({"numberOfOrders": "2"}, "params.time.numberOfOrders: invalid type: string, expected an integer"),
        ({"interval": 2**63}, f"params.time.interval: invalid value: expected an integer of at most {2**63 - 1}"),
        ({"minPrice": True}, "params.time.minPrice: invalid type: boolean, expected a floating point number or null"),
        ({"maxPrice": "x"}, "params.time.maxPrice: invalid type: string, expected a floating point number or null"),
        ({"maxPrice": [1]}, "params.time.maxPrice: invalid type: sequence, expected a floating point number or null"),
        ({"minPrice": 0}, "params.time.minPrice: invalid value: expected a number above 0"),
        ({"minPrice": -0.0}, "params.time.minPrice: invalid value: expected a number above 0"),
        ({"maxPrice": -1.5}, "params.time.maxPrice: invalid value: expected a number above 0"),
        ({"maxPrice": 1e300}, "params.time.maxPrice: invalid value: expected a number up to 10^20"),
        ({"minPrice": 1e-31}, "params.time.minPrice: invalid value: expected a number with at most 30 decimals"),
        ({"minPrice": 2, "maxPrice": 1}, "minPrice must not be greater than maxPrice"),
        ({"maxPrice": 1e-18}, "No amount of the output that a cycle could give is worth maxPrice"),
        ({"minPrice": 1e-18}, "No amount of the output that a cycle could give is worth minPrice"),
        ({"minPrice": 1e17}, "No amount of the output that a cycle could give is worth minPrice"),
        (
            {"minPrice": 3, "maxPrice": 3},
            "No amount of the output that a cycle could give is worth minPrice to maxPrice",
        ),
        ({"startAt": "now"}, "params.time.startAt: invalid type: string, expected an integer or null"),
    ],
)
def test_wrong_values_are_named(stage: Stage, time: dict[str, object], words: str) -> None:
    in_shape(stage.post("createOrder", a_create(**time)), 400, words)


@pytest.mark.parametrize("field", ["user", "inputMint", "outputMint", "params"])
def test_missing_fields_are_named(stage: Stage, field: str) -> None:
    body = {name: value for name, value in a_create().items() if name != field}
    in_shape(stage.post("createOrder", body), 400, f"missing field `{field}`")


@pytest.mark.parametrize("field", ["inAmount", "numberOfOrders", "interval"])
def test_missing_terms_are_named(stage: Stage, field: str) -> None:
    body = a_create()
    del body["params"]["time"][field]
    in_shape(stage.post("createOrder", body), 400, f"params.time: missing field `{field}`")


@pytest.mark.parametrize("field", ["user", "inputMint", "outputMint"])
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("0OIl", "Invalid Base58 string"),
        ("", "String is the wrong size"),
        ("abc", "String is the wrong size"),
        (USER + "1", "String is the wrong size"),
        ("é" * 20, "Invalid Base58 string"),
        ("é" * 40, "String is the wrong size"),
        ("1" * 32 + " ", "Invalid Base58 string"),
        ("1" * 32 + "\n", "Invalid Base58 string"),
        ("1" * 200_000, "String is the wrong size"),
        (5, "invalid type: integer, expected a string"),
    ],
)
def test_keys_that_are_none_are_named(stage: Stage, field: str, given: object, words: str) -> None:
    in_shape(stage.post("createOrder", a_create() | {field: given}), 400, f"{field}: {words}")


@pytest.mark.parametrize("path", ["createOrder", "cancelOrder", "execute"])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "Failed to parse the request body as JSON"),
        (b"{", "Failed to parse the request body as JSON"),
        (b'{"user": NaN}', "Failed to parse the request body as JSON"),
        (b"\xff", "Failed to parse the request body as JSON"),
        (b'{"deep":' + b"[" * 100_000, "Failed to parse the request body as JSON"),
        (b"null", "invalid type: null, expected a map"),
        (b"[]", "invalid type: sequence, expected a map"),
        (b'"x"', "invalid type: string, expected a map"),
        (b'{"user":"a","user":"b"}', "duplicate field `user`"),
    ],
)
def test_bodies_that_are_none(stage: Stage, path: str, body: bytes, words: str) -> None:
    in_shape(stage.post(path, body), 400, words)


def test_a_key_may_not_stand_twice_deep_inside(stage: Stage) -> None:
    body = (
        f'{{"user":"{USER}","inputMint":"{USDC}","outputMint":"{SOL}","params":{{"time":'
        '{"inAmount":104000000,"inAmount":1,"numberOfOrders":2,"interval":86400}}}'
    )
    in_shape(stage.post("createOrder", body.encode()), 400, "duplicate field `inAmount`")


def test_unknown_fields_are_ignored(stage: Stage) -> None:
    assert stage.post("createOrder", a_create(jitter=1) | {"payer": 5}).status_code == 200


# --- cancel


def test_the_forms_of_a_cancel(stage: Stage) -> None:
    assert list(stage.post("cancelOrder", a_cancel()).json) == ["requestId", "transaction"]
    for params in ("recurring", "time"):
        assert list(stage.post("cancelOrder", older_cancel(params=params)).json) == ["id", "tx"]
    both = a_cancel(params="recurring")
    assert list(stage.post("cancelOrder", both).json) == ["requestId", "transaction"]


def unreadable_orders() -> list[tuple[str, str]]:
    """What is at the address whose order is to be cancelled."""
    return [
        ("nothing", SEED_ORDER),
        ("a mint", USDC),
        ("another wallet's order", CANCELLED_ORDER),
        ("an older account", JUP),
    ]


@pytest.mark.parametrize(("what", "order"), unreadable_orders())
def test_what_is_no_order_of_the_user(what: str, order: str) -> None:
    stage = Stage()
    stage.chain.has_order(CANCELLED_ORDER, an_order(str(Keypair().pubkey())))
    stage.chain.has_order(JUP, an_order(USER))
    stage.chain.accounts_there[JUP] = cut(stage.chain.accounts_there[JUP])
    older = stage.post("cancelOrder", older_cancel(order=order))
    assert older.status_code == 400
    assert older.text == (
        '{"code":400,"message":"Failed to deserialize account data: failed to fill whole buffer",'
        '"status":"Bad Request"}'
    )
    newer = stage.post("cancelOrder", a_cancel(order=order))
    assert newer.status_code == 400
    assert newer.text == (
        '{"code":400,"error":"Failed to deserialize account data: failed to fill whole buffer","status":"Bad Request"}'
    )


def test_bytes_of_an_order_under_another_program(stage: Stage) -> None:
    there = stage.chain.accounts_there
    there[SEED_ORDER] = replace(there[SEED_ORDER], owner=USDC)
    in_shape(stage.post("cancelOrder", a_cancel()), 400, UNREADABLE)


def cut(account: AccountInfo) -> AccountInfo:
    return replace(account, data=account.data[:-1])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (a_cancel(recurringType="price"), PRICE_BASED),
        (
            a_cancel(recurringType="all"),
            "recurringType: unknown variant `all`, expected one of `time`, `price`",
        ),
        ({"order": SEED_ORDER, "user": USER}, "missing field `recurringType`"),
        ({"user": USER, "recurringType": "time"}, "missing field `order`"),
        ({"order": SEED_ORDER, "recurringType": "time"}, "missing field `user`"),
        (a_cancel(order="0"), "order: Invalid Base58 string"),
        (a_cancel(user="abc"), "user: String is the wrong size"),
        (a_cancel(order=None), "order: invalid type: null, expected a string"),
        (a_cancel(order=[SEED_ORDER]), "order: invalid type: sequence, expected a string"),
        (a_cancel(recurringType=None), "recurringType: invalid type: null, expected a string"),
    ],
)
def test_cancels_that_are_none(stage: Stage, body: object, words: str) -> None:
    in_shape(stage.post("cancelOrder", body), 400, words)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (older_cancel(params="price"), PRICE_BASED),
        (
            older_cancel(params="other"),
            "params: unknown variant `other`, expected one of `recurring`, `time`, `price`",
        ),
        (older_cancel(params={"time": {}}), "params: invalid type: map, expected a string"),
        ({"user": USER, "params": "recurring"}, "missing field `order`"),
        ({"order": SEED_ORDER, "params": "recurring"}, "missing field `user`"),
        (older_cancel(order="0"), "order: Invalid Base58 string"),
        (older_cancel(user="abc"), "user: String is the wrong size"),
    ],
)
def test_the_older_form_is_refused_in_its_own_shape(stage: Stage, body: object, words: str) -> None:
    answer = stage.post("cancelOrder", body)
    assert answer.status_code == 400
    assert answer.json == {"code": 400, "message": words, "status": "Bad Request"}
