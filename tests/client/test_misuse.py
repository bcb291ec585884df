"""What a newcomer gives that is none of what is taken: told at once, and by name."""

from typing import Any

import pytest
from solders.keypair import Keypair

from countermand.client import AsyncClient, AsyncTanxClient, Client, Refused, TanxClient, TanxKeys
from countermand.client.effects import Response
from countermand.client.exchange import Answered, request
from countermand.client.session import Session
from countermand.client.shapes.tanx import Tokens
from countermand.client.tanx import TanxSession


@pytest.mark.parametrize("kind", [Client, AsyncClient, TanxClient, AsyncTanxClient])
@pytest.mark.parametrize("url", ["127.0.0.1:8080", "localhost:8080", "ftp://127.0.0.1", "http://", ""])
def test_an_address_without_http_is_none(kind: Any, url: str) -> None:
    with pytest.raises(ValueError, match="is no address that begins with http"):
        kind(None, url)


@pytest.mark.parametrize("kind", [Client, AsyncClient, TanxClient, AsyncTanxClient])
@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:x", "http://\0"])
def test_an_address_that_cannot_be_read_is_none(kind: Any, url: str) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        kind(None, url)


@pytest.mark.parametrize("kind", [Client, AsyncClient, TanxClient, AsyncTanxClient])
@pytest.mark.parametrize("url", ["http://127.0.0.1/?a=b", "http://127.0.0.1/#a"])
def test_an_address_with_a_query_is_none(kind: Any, url: str) -> None:
    """Paths were added to the query, so that each request was one to `/`."""
    with pytest.raises(ValueError, match="ends in a query"):
        kind(None, url)


@pytest.mark.parametrize("kind", [Client, AsyncClient, TanxClient, AsyncTanxClient])
@pytest.mark.parametrize("key", ["secrét", "secret\n", "sec ret", "secret\0"])
def test_a_key_that_no_header_carries_is_none_and_is_not_shown(kind: Any, key: str) -> None:
    with pytest.raises(ValueError, match="the API key is none") as refused:
        kind(None, api_key=key)
    assert "sec" not in str(refused.value)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("of", [str, bytes, lambda key: key.pubkey()])
def test_what_cannot_sign_is_no_wallet_and_is_not_shown(kind: Any, of: Any) -> None:
    key = Keypair()
    with pytest.raises(TypeError, match="give a solders Keypair or a Wallet") as refused:
        kind(of(key))
    assert str(key) not in str(refused.value)
    assert repr(bytes(key)) not in str(refused.value)


@pytest.mark.parametrize("slip", ["0x12345678z", "12345678 9", b"12345678", 12345678.5, None])
def test_what_is_no_key_of_tanx_is_not_shown(slip: Any) -> None:
    for given in ((slip,), (1, slip)):
        if given == (1, None):
            continue  # The Stark key that tanX derives.
        with pytest.raises(ValueError, match="give a private key as a number, or") as refused:
            TanxKeys.of(*given)
        assert "12345678" not in str(refused.value)
        assert refused.value.__suppress_context__


@pytest.mark.parametrize("slip", [0, -12345678, 2**256 - 12345678, "-0x12345678"])
@pytest.mark.parametrize(("before", "curve"), [((), "Ethereum"), ((1,), "StarkEx")])
def test_a_number_that_is_no_key_of_tanx_is_refused_and_not_shown(before: Any, curve: str, slip: Any) -> None:
    """There were three exceptions for it, and a Stark key of 256 random bits was an AssertionError."""
    keys: tuple[Any, ...] = (*before, slip)
    with pytest.raises(ValueError, match=f"this is no private key of {curve}: one is more than 0 and") as refused:
        TanxKeys.of(*keys)
    assert "12345678" not in str(refused.value)


def test_what_tracebacks_show_holds_no_secret() -> None:
    tokens = Tokens(access="s3cret", refresh="s3cret")
    for held in (
        Session(None, api_key="s3cret", token="s3cret"),
        TanxSession(None, api_key="s3cret", tokens=tokens),
        request("POST", "/orders", {"signature": "s3cret"}, headers={"authorization": "Bearer s3cret"}),
        Answered(Response(200, {}, b'{"token":"s3cret"}')),
    ):
        assert "s3cret" not in repr(held)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"details": {"amount": "Required", "user": "Unknown"}}, "400 no (amount: Required; user: Unknown)"),
        ({"cause": "inputMint: required"}, "400 no (inputMint: required)"),
        ({}, "400 no"),
    ],
)
def test_a_refusal_reads_as_a_sentence(body: dict[str, Any], said: str) -> None:
    assert str(Refused(400, "no", body)) == said
