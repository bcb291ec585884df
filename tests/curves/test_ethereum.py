"""Addresses, and who signed a text. The vector was made by the Python client of tanX."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countermand.curves import ethereum
from tests.dialects.tanx.keys import address_of, sign_text

KEY = 0x7D6384D6877BE027AA25BD458F2058E3F7FF68347DC583A9BAF96F5F97B413A8
ADDRESS = "0x9cc001058a30dd3ba6c7f0c98d6e20de089b00a1"
TEXT = "You’re now signing into Tanx Testnet, make sure the origin is https://testnet.tanx.fi (Login-code:abc)"
SIGNATURE = (
    "0x7697981a4c634db9b39c2e9eec6f5d64698f32c467bdd60e65674990ac2741f8"
    "5839bf60d1f4b17cd8d231cf19a299e938d889f4fddc05c02a7177b821209b6f1b"
)
ORDER = ethereum.CURVE.order


@pytest.fixture(params=["compiled", "plain"], autouse=True)
def arithmetic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything holds with the compiled library and without it."""
    if request.param == "plain":
        monkeypatch.setattr(ethereum, "library", None)
    elif ethereum.library is None:
        pytest.skip("no wheel for this platform")


@pytest.mark.parametrize(
    "signature",
    [
        SIGNATURE,
        SIGNATURE[2:],
        SIGNATURE.upper().replace("0X", "0x"),
        "0X" + SIGNATURE[2:],
        SIGNATURE[:-2] + "00",
    ],
)
def test_who_signed_is_known_by_the_signature(signature: str) -> None:
    assert ethereum.signer_of(TEXT, signature) == ADDRESS


@pytest.mark.parametrize("last", ["1c", "01"])
def test_the_other_parity_is_another_signer(last: str) -> None:
    signer = ethereum.signer_of(TEXT, SIGNATURE[:-2] + last)
    assert signer is not None
    assert signer != ADDRESS


def test_another_text_is_another_signer() -> None:
    assert ethereum.signer_of(TEXT + " ", SIGNATURE) != ADDRESS


@pytest.mark.parametrize("last", ["02", "03", "1a", "1d", "1e", "25", "ff"])
def test_a_last_byte_that_means_nothing(last: str) -> None:
    assert ethereum.signer_of(TEXT, SIGNATURE[:-2] + last) is None


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "0x",
        "0x00",
        SIGNATURE[:-1],
        SIGNATURE + "0",
        SIGNATURE + "00",
        SIGNATURE[:-1] + "g",
        SIGNATURE[:-1] + "١",
        SIGNATURE + "\n",
        " " + SIGNATURE,
        "\0" * 132,
        "0x" + "0" * 130,
        "0x" + "f" * 130,
        "0x" + f"{0:064x}{1:064x}1b",
        "0x" + f"{1:064x}{0:064x}1b",
        "0x" + f"{ORDER:064x}{1:064x}1b",
        "0x" + f"{1:064x}{ORDER:064x}1b",
        "0x" + f"{5:064x}{1:064x}1b",
        "ab" * 1_000_000,
    ],
)
def test_a_signature_that_is_none(signature: str) -> None:
    assert ethereum.signer_of(TEXT, signature) is None


def test_a_signature_whose_signer_would_be_at_infinity() -> None:
    """r·Q = s·R − z·G is infinite where R = (z / s)·G."""
    message = TEXT.encode()
    digest = int.from_bytes(ethereum.keccak(b"\x19Ethereum Signed Message:\n%d" % len(message) + message))
    s = 7
    point = ethereum.CURVE.combine((digest * pow(s, -1, ORDER) % ORDER, ethereum.CURVE.generator))
    assert point is not None
    x, y = point
    assert ethereum.signer_of(TEXT, f"0x{x:064x}{s:064x}{27 + y % 2:02x}") is None


@given(key=st.integers(1, ORDER - 1), text=st.text(st.characters(codec="utf-8")))
@settings(max_examples=20)
def test_the_signer_is_found(key: int, text: str) -> None:
    assert ethereum.signer_of(text, sign_text(key, text)) == address_of(key)


@given(
    signature=st.binary(min_size=64, max_size=64),
    parity=st.sampled_from([0, 1]),
    digest=st.binary(min_size=32, max_size=32),
)
@settings(max_examples=40)
def test_both_arithmetics_find_the_same(signature: bytes, parity: int, digest: bytes) -> None:
    assert ethereum._recover(digest, signature, parity) == ethereum.recover_slowly(digest, signature, parity)


def test_an_address_is_one_in_any_case() -> None:
    assert address_of(KEY) == ADDRESS
    for written in (ADDRESS, ADDRESS.upper(), "0x9cC001058a30dD3bA6C7f0c98d6E20de089b00a1"):
        assert ethereum.address_in(written) == ADDRESS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        ADDRESS[2:],
        ADDRESS[:-1],
        ADDRESS + "0",
        ADDRESS + "\n",
        " " + ADDRESS,
        ADDRESS[:-1] + "g",
        "fees",
        "0x" + "١" * 40,
    ],
)
def test_text_that_is_no_address(text: str) -> None:
    assert ethereum.address_in(text) is None


@pytest.mark.parametrize("key", [1, 2, ORDER // 3, ORDER - 1])
@pytest.mark.parametrize("text", ["", "a", TEXT])
def test_what_a_key_signs_is_told_to_be_its_own(key: int, text: str) -> None:
    signature = ethereum.sign_text(key, text)
    assert ethereum.signer_of(text, signature) == ethereum.address_of(key) == address_of(key)
    assert ethereum.sign_text(key, text) == signature
    assert int(signature[66:130], 16) <= ORDER // 2


def test_what_a_key_signs_is_what_the_clients_sign() -> None:
    assert ethereum.sign_text(KEY, TEXT) == SIGNATURE


@given(key=st.integers(1, ORDER - 1), digest=st.binary(min_size=32, max_size=32))
@settings(max_examples=20)
def test_both_arithmetics_sign_the_same(key: int, digest: bytes) -> None:
    """Or with another library, an Ethereum key would lead to another Stark key."""
    compiled = pytest.importorskip("coincurve").PrivateKey(key.to_bytes(32)).sign_recoverable(digest, hasher=None)
    assert ethereum.sign_slowly(key, digest) == f"0x{compiled[:64].hex()}{27 + compiled[64]:02x}"
