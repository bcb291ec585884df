"""What the sandbox shows of a request holds no secret."""

import json

import msgspec
import pytest

from countermand.sandbox.redaction import HIDDEN, as_curl, shown_body, shown_headers, shown_query, url_of

SECRET = "s3cret-s3cret-s3cret-s3cret-s3cret-s3cret-s3cret"


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "signature",
        "signedTransaction",
        "depositSignedTx",
        "access",
        "refresh",
        "api_key",
        "organization_key",
        "user_signature",
        "Authorization",
        "r",
    ],
)
def test_a_secret_is_hidden_at_any_depth(name: str) -> None:
    body = {"payload": [{"deep": {name: SECRET, "amount": "5"}}]}
    assert shown_body(json.dumps(body).encode()) == {"payload": [{"deep": {name: HIDDEN, "amount": "5"}}]}


def test_what_is_no_secret_stays() -> None:
    body = {"txSignature": "abc", "amount": 5, "token_decimals": 6, "tokens": ["SOL"], "signature": ""}
    assert shown_body(json.dumps(body).encode()) == body


@pytest.mark.parametrize(
    "body",
    [
        b'{"token": "%s"' % SECRET.encode(),
        b"token=" + SECRET.encode(),
        b'{"signature": "%s"}}' % SECRET.encode(),
        b"market=btcusdc&api_key=" + SECRET[:6].encode(),
        b"api%5Fkey=" + SECRET[:6].encode() + b"&market=btcusdc",
    ],
)
def test_a_body_that_is_no_json_hides_what_may_be_one(body: bytes) -> None:
    shown = shown_body(body)
    assert SECRET[:6] not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize("number", ["0.1000000000000000055511151231257827", "1e400", "5E-1", "68733.81", "3.0"])
def test_numbers_are_shown_digit_for_digit(number: str) -> None:
    assert msgspec.json.encode(shown_body(b'{"volume":%s}' % number.encode())) == b'{"volume":%s}' % number.encode()


def test_what_is_no_number_of_json_is_shown_as_it_came() -> None:
    assert shown_body(b'{"volume": NaN}') == '{"volume": NaN}'


def test_bodies_that_no_client_should_send() -> None:
    assert shown_body(b"") is None
    assert shown_body(b"[" * 100_000) == "[" * 100_000
    assert "\ufffd" in shown_body(b"\xff\xfe")


def test_a_text_without_a_name_may_be_a_secret() -> None:
    assert shown_body(json.dumps(SECRET).encode()) == HIDDEN
    assert shown_body(json.dumps([SECRET, "SOL", {"orders": [SECRET], "token": SECRET}]).encode()) == [
        HIDDEN,
        "SOL",
        {"orders": [SECRET], "token": HIDDEN},
    ]


def test_headers_and_queries() -> None:
    headers = shown_headers(
        [(b"Authorization", b"Bearer " + SECRET.encode()), (b"x-api-key", b"k"), (b"accept", b"*/*")]
    )
    assert headers == {"authorization": "Bearer $TOKEN", "x-api-key": "$API_KEY", "accept": "*/*"}
    others = shown_headers([(b"x-auth-token", SECRET.encode()), (b"X-Client-Secret", b"s"), (b"token-program", b"p")])
    assert others == {"x-auth-token": HIDDEN, "x-client-secret": HIDDEN, "token-program": "p"}
    assert shown_query(f"x-api-key={SECRET}&vsToken=SOL") == "x-api-key=%28hidden%29&vsToken=SOL"
    assert shown_query(f"limit=5&token={SECRET}") == "limit=5&token=%28hidden%29"
    assert shown_query(f"auth_header={SECRET}") == "auth_header=%28hidden%29"
    assert shown_query("a=%20b&c") == "a=%20b&c"


def test_a_form_shows_what_is_no_secret() -> None:
    assert shown_body(b"market=btcusdc&price=&refresh=abc&volume=0.01") == (
        "market=btcusdc&price=&refresh=(hidden)&volume=0.01"
    )


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("JWT a.b.c", "JWT $TOKEN"),
        ("Bearer a.b.c", "Bearer $TOKEN"),
        ("a.b.c", "$TOKEN"),
        ("JWT", "$TOKEN"),
        ("", ""),
        (f"{SECRET} x", "$TOKEN"),
    ],
)
def test_an_authorization_shows_whether_it_had_a_scheme(sent: str, shown: str) -> None:
    """tanX refuses a token without one."""
    assert shown_headers([(b"authorization", sent.encode())]) == {"authorization": shown}


def test_an_address_is_one_that_curl_takes() -> None:
    """Which reads brackets as patterns, and no blanks."""
    assert url_of("http://h", "/p/a b'c/100%/é", "") == "http://h/p/a%20b'c/100%25/%C3%A9"
    assert url_of("http://h", "/p", "x[]=1&y={a,b}&z=%27+%20\xe9") == "http://h/p?x%5B%5D=1&y=%7Ba,b%7D&z=%27+%20%E9"


def test_a_curl_command_is_words_of_a_shell() -> None:
    headers = {"content-type": "application/json", "authorization": "Bearer $TOKEN", "accept": "*/*"}
    assert as_curl("POST", "http://h/p", headers, {"it's": 1}) == (
        "curl -X POST 'http://h/p' \\\n"
        '  -H "authorization: Bearer $TOKEN" \\\n'
        '  -H "content-type: application/json" \\\n'
        """  -d '{"it'"'"'s":1}'"""
    )
    assert as_curl("GET", "http://h/p?a=1", {}, None) == "curl 'http://h/p?a=1'"
    assert as_curl("GET", "http://h/p", {}, {"limit": 1}) == "curl -X GET 'http://h/p' \\\n  -d '{\"limit\":1}'"
    assert as_curl("POST", "http://h/p", {}, "@name") == "curl -X POST 'http://h/p' \\\n  --data-raw '@name'"
    assert as_curl("HEAD", "http://h/p", {}, None) == "curl --head 'http://h/p'"
