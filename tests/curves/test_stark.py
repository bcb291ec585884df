"""Signatures of orders. The vectors are StarkWare's and those that the Python client of tanX made."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countermand.curves import stark
from countermand.curves.stark import BOUND, CURVE, FIELD, LimitOrder
from tests.dialects.tanx.keys import sign_message

ORDER = CURVE.order

PUBLISHED = LimitOrder(
    token_sell=0x5FA3383597691EA9D827A79E1A4F0F7989C35CED18CA9619DE8AB97E661020,
    token_buy=0x774961C824A3B0FB3D2965F01471C9C7734BF8DBDE659E0C08DCA2EF18D56A,
    vault_sell=21,
    vault_buy=27,
    amount_sell=2154686749748910716,
    amount_buy=1470242115489520459,
    nonce=0,
    expires_hour=438953,
)
USDC = 0x2893294412A4C8F915F75892B395EBBF6859EC246EC365C3B1F56F47C3A0A5D
ETH = 0x2705737CD248AC819034B5DE474C8F0368224F72A0FDA9E031499D519992D9E
BUY = LimitOrder(USDC, ETH, 1002, 1001, 1000000000, 5000000000, 931, 500000)
SELL = LimitOrder(ETH, USDC, 1001, 1002, 5000000000, 1000000000, 932, 500000)

VECTORS = {
    "published": (
        0x77A3B314DB07C45076D11F62B6F9E748A39790441823307743CF00D6597EA43,
        0x397E76D1667C4454BFB83514E120583AF836F8E32A516765497823EABE16A3F,
        0x173FD03D8B008EE7432977AC27D1E9D1A1F6C98B1A2F05FA84A21C84C44E882,
        0x4B6D75385AED025AA222F28A0ADC6D58DB78FF17E51C3F59E259B131CD5A1CC,
    ),
    "test key": (
        0x17DD6B0C2219DCE78F9992A6DA29F32269DE0F570833D78E11BD400ED8AA5B8,
        0xE5EEA5423FBB8332C24D750BC49C899EBA99AF665306AADDC9968972002E1,
        0x3662DC54D28F0D27A31B2694B82C1536490610BCE6414BD74DFCC969F0C9302,
        0x3995DE563E025A38D8C1438C4E4BF9CCD6DAA52A90A7DE1635238C5CCCCBCAD,
    ),
    "buy": (
        0x12195277B7F3E8C9836F9EFE65D6289AF92CF52F0E030782B9E268527941DD6,
        0x7C66E9A074C98859DC899CC16C572131D41DD3738FE2B3881D3A40705FB8711,
        0xDE71B2B6A3284EC111940314E77A254F787D89817381D27BA10BB2976DC53C,
        0xED125FD74BC99BC69B238BEF912D682499B485F62CE5E5580DB42113EB99FF,
    ),
    "sell": (
        0x12195277B7F3E8C9836F9EFE65D6289AF92CF52F0E030782B9E268527941DD6,
        0x22465285195ACE50F36F4BB26F4B2B2543E043F91E9869EC085FFE90E8E78AE,
        0x167DD1CECBC3193059F8C248EB65E6707C1DD6C7AB64139E8599917AC7E05B3,
        0x351CC7B2776249A3A2F23E5CC725482376DE4CD7344566794739A09940E07E7,
    ),
    "with a fee": (
        0x12195277B7F3E8C9836F9EFE65D6289AF92CF52F0E030782B9E268527941DD6,
        0x71B28AC83AAB19D9F984B6330ECB65DEDE099E288FD38DD64060DC4D1F30BB9,
        0x13BD95ADE9F651DAD12FBB763CC7D5DFFFB991CC7F13E111EB29C44FA9AD59B,
        0x72B871608BDE849F88E1F86EAD10275923D3F9BDF2E091BF2B9AE547B0A5BDA,
    ),
}
KEY, MESSAGE, R, S = VECTORS["test key"]
PRIVATE_KEY = 0x64004F706C1EAA39348AFB3191C74812D86E5B14B967E578ADDB4D89CE1234C


@pytest.fixture(params=["compiled", "plain"], autouse=True)
def arithmetic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything holds with the compiled library and without it."""
    if request.param == "plain":
        monkeypatch.setattr(stark, "library", None)
    elif stark.library is None:
        pytest.skip("no wheel for this platform")


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS.keys())
def test_what_the_clients_sign_verifies_and_nothing_beside_it(vector: tuple[int, int, int, int]) -> None:
    key, message, r, s = vector
    assert stark.verify(key, message, r, s)
    assert stark.verify(key, message, r, ORDER - s)
    assert not stark.verify(key, message + 1, r, s)
    assert not stark.verify(key, message, r + 1, s)
    assert not stark.verify(key, message, r, s + 1)
    assert not stark.verify(VECTORS["published" if key == KEY else "test key"][0], message, r, s)


@pytest.mark.parametrize(("order", "vector"), [(PUBLISHED, "published"), (BUY, "buy"), (SELL, "sell")])
def test_the_message_of_an_order(order: LimitOrder, vector: str) -> None:
    assert stark.message_of(order) == VECTORS[vector][1]


@pytest.mark.parametrize(
    ("field", "most"),
    [
        ("token_sell", FIELD - 1),
        ("token_buy", FIELD - 1),
        ("vault_sell", 2**31 - 1),
        ("vault_buy", 2**31 - 1),
        ("amount_sell", 2**63 - 1),
        ("amount_buy", 2**63 - 1),
        ("nonce", 2**31 - 1),
        ("expires_hour", 2**22 - 1),
    ],
)
def test_a_number_that_does_not_fit_its_field_makes_no_message(field: str, most: int) -> None:
    messages = [stark.message_of(replace(BUY, **{field: number})) for number in (0, most, most + 1, -1)]
    assert messages[2:] == [None, None]
    assert None not in messages[:2]
    assert len({stark.message_of(BUY), *messages[:2]}) == 3


def test_pedersen_is_starkwares() -> None:
    left = 0x3D937C035C878245CAF64531A5756109C53068DA139362728FEB561405371CB
    right = 0x208A0A10250E382E1E4BBE2880906C2791BF6275695E02FBBC6AEFF9CD8B31A
    assert stark.pedersen(left, right) == 0x30E480BED5FE53FA909CC0F8C4D99B8F9F2C016BE4C41E13A4848797979C662


@pytest.mark.parametrize(("left", "right"), [(0, 0), (FIELD - 1, FIELD - 1), (2**248, 2**248 - 1), (1, 2**251)])
def test_both_arithmetics_hash_the_same_at_the_edges(left: int, right: int) -> None:
    assert stark.pedersen(left, right) == stark.pedersen_slowly(left, right)


def test_a_private_key_follows_from_an_ethereum_signature() -> None:
    mainnet = (
        "585aff4b213abd5a52c799913056c81d6a2666d2cb445faa2754c11060858d54"
        "5459cbab45d3d535345bc2085c46092c433979337c5e78d8668c99c727ffd0411b"
    )
    private_key = stark.private_key_of(bytes.fromhex(mainnet))
    assert private_key == 0xE6C58036898CC1413CF1147CA90DD857A59ADEFCED59C8ACB8C807264B83D4
    assert stark.public_key(private_key) == VECTORS["buy"][0]
    assert stark.public_key(PRIVATE_KEY) == KEY


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0x1", 1),
        ("0X0Ab", 0xAB),
        ("0x" + "0" * 63 + "7", 7),
        ("0x" + "f" * 64, 2**256 - 1),
        ("0x0", 0),
    ],
)
def test_numbers_as_clients_write_them(text: str, number: int) -> None:
    assert stark.from_hex(text) == number


@pytest.mark.parametrize(
    "text",
    ["", "0x", "1", "0xg", "0x-1", "-0x1", "+0x1", " 0x1", "0x1 ", "0x1\n", "0x1_0", "0x" + "0" * 65, "0x١", "x1"],
)
def test_text_that_is_no_number(text: str) -> None:
    assert stark.from_hex(text) is None


# --- hostile


def _infinite_sums() -> Iterator[tuple[int, int, int, int]]:
    """Signatures whose two points are each other's opposite, or the same one: their makers know the private keys."""
    for private_key in (1, 2, ORDER - 1, PRIVATE_KEY):
        key = stark.public_key(private_key)
        for message in (1, 2, MESSAGE):
            for sign in (1, -1):
                r = sign * message * pow(private_key, -1, ORDER) % ORDER
                if r < BOUND:
                    yield key, message, r, 12345


def test_a_signature_made_to_break_the_library_is_only_wrong() -> None:
    assert len([*_infinite_sums()]) > 12
    for key, message, r, s in _infinite_sums():
        assert stark.verify(key, message, r, s) is False


@pytest.mark.parametrize("number", [0, -1, BOUND, FIELD, ORDER, 2**256, 2**256 + 1, 10**1000, -(2**251)])
def test_a_number_out_of_range_is_only_wrong(number: int) -> None:
    for place in range(4):
        vector = [KEY, MESSAGE, R, S]
        vector[place] = number
        assert stark.verify(*vector) is False


def test_an_inverse_out_of_range_is_only_wrong() -> None:
    for inverse in (BOUND, ORDER - 1):
        assert stark.verify(KEY, MESSAGE, R, pow(inverse, -1, ORDER)) is False


def test_a_key_is_on_the_curve() -> None:
    assert stark.is_key(KEY)
    assert not any(stark.is_key(x) for x in (0, -1, FIELD, FIELD + KEY, 2**256, 5))
    on_it = [x for x in range(100) if stark.is_key(x)]
    assert 30 < len(on_it) < 70
    for x in on_it:
        assert stark.verify(x, MESSAGE, R, S) is False


_EDGES = [base + step for base in (0, BOUND, FIELD, ORDER, ORDER // 2, 2**248, 2**256) for step in range(-3, 4)]
_KEYS = [stark.public_key(private_key) for private_key in (1, 2, 3, ORDER // 2, PRIVATE_KEY)]
_numbers = st.one_of(
    st.sampled_from(_EDGES),
    st.integers(-(2**260), 2**260),
    st.integers(1, ORDER - 1).map(lambda number: pow(number, -1, ORDER)),
    st.integers(1, 20),
)


@given(st.one_of(st.sampled_from(_KEYS), _numbers), _numbers, _numbers, _numbers)
@settings(max_examples=150)
def test_no_numbers_raise(key: int, message: int, r: int, s: int) -> None:
    assert stark.verify(key, message, r, s) is False


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30), st.integers(1, 30))
@settings(max_examples=150)
def test_no_small_relations_raise(private_key: int, message: int, r: int, s: int) -> None:
    key = stark.public_key(private_key)
    for first, second in ((r, s), (message * pow(r, -1, ORDER) % ORDER, s), (r, pow(s, -1, ORDER))):
        assert stark.verify(key, message, first, second) is False


@given(st.integers(1, ORDER - 1), st.integers(1, BOUND - 1))
@settings(max_examples=20)
def test_a_signature_with_the_private_key_verifies(private_key: int, message: int) -> None:
    r, s = sign_message(private_key, message)
    if s < BOUND:
        assert stark.verify(stark.public_key(private_key), message, r, s)


@given(st.text())
@settings(max_examples=200)
def test_no_text_raises(text: str) -> None:
    number = stark.from_hex(text)
    assert number is None or 0 <= number < 2**256


@pytest.mark.parametrize("private_key", [1, 2, PRIVATE_KEY, ORDER - 1])
@pytest.mark.parametrize("message", [1, MESSAGE, BOUND - 1])
def test_what_a_key_signs_is_verified(private_key: int, message: int) -> None:
    r, s = stark.sign(private_key, message)
    assert stark.verify(stark.public_key(private_key), message, r, s)
    assert stark.sign(private_key, message) == (r, s)


@pytest.mark.parametrize(("private_key", "message"), [(0, 1), (ORDER, 1), (1, 0), (1, BOUND), (1, -1)])
def test_what_cannot_be_signed_is_refused(private_key: int, message: int) -> None:
    with pytest.raises(ValueError, match=r"from 1|more than 0"):
        stark.sign(private_key, message)
