"""Token accounts and mints, read from bytes; amounts as text."""

import pytest
from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address
from solders.token.state import Mint as SoldersMint
from solders.token.state import TokenAccount as SoldersTokenAccount
from solders.token.state import TokenAccountState

from countermand.solana.tokens import (
    TOKEN_2022_PROGRAM,
    TOKEN_PROGRAM,
    USDC_MINT,
    Mint,
    TokenAccount,
    associated_token_address,
    decimals_of_mint,
    is_token_account,
    mint_bytes,
    read_mint,
    read_token_account,
    token_account_bytes,
    ui_amount,
)

A, B, C, D = (Pubkey(bytes([n] * 32)) for n in range(1, 5))
CLASSIC, NEW = Pubkey.from_string(TOKEN_PROGRAM), Pubkey.from_string(TOKEN_2022_PROGRAM)


def test_a_token_account_with_everything() -> None:
    data = bytes(SoldersTokenAccount(A, B, 2**64 - 1, C, TokenAccountState.Frozen, 2_039_280, 77, D))
    expected = TokenAccount(str(A), str(B), 2**64 - 1, "frozen", str(C), 77, 2_039_280, str(D), b"")
    assert read_token_account(data) == expected
    assert read_token_account(data + b"\x02extension") == TokenAccount(
        str(A), str(B), 2**64 - 1, "frozen", str(C), 77, 2_039_280, str(D), b"extension"
    )


def test_a_token_account_with_nothing() -> None:
    data = bytes(SoldersTokenAccount(A, B, 0, None, TokenAccountState.Initialized, None, 0, None))
    assert read_token_account(data) == TokenAccount(str(A), str(B), 0, "initialized", None, 0, None, None, b"")
    assert data == token_account_bytes(mint=str(A), owner=str(B))


def test_a_mint_with_and_without_authorities() -> None:
    assert read_mint(bytes(SoldersMint(A, 5, 9, True, B))) == Mint(5, 9, str(A), str(B), b"")
    data = bytes(SoldersMint(None, 0, 6, True, None))
    assert read_mint(data) == Mint(0, 6, None, None, b"")
    assert data == mint_bytes(authority=None, decimals=6)
    assert read_mint(data + bytes(83) + b"\x01ext") == Mint(0, 6, None, None, b"ext")


@pytest.mark.parametrize(
    ("owner", "data", "answer"),
    [
        (CLASSIC, token_account_bytes(mint=str(A), owner=str(B)), True),
        (NEW, token_account_bytes(mint=str(A), owner=str(B)), True),
        (NEW, token_account_bytes(mint=str(A), owner=str(B)) + b"\x02\x07\x00\x00\x00", True),
        (CLASSIC, token_account_bytes(mint=str(A), owner=str(B)) + b"\x02\x07\x00\x00\x00", False),
        (NEW, mint_bytes(authority=None, decimals=6) + bytes(83) + b"\x01", False),
        (NEW, token_account_bytes(mint=str(A), owner=str(B)) + b"\x02" * 190, False),
        (CLASSIC, bytes(165), False),
        (CLASSIC, mint_bytes(authority=None, decimals=6), False),
        (A, token_account_bytes(mint=str(A), owner=str(B)), False),
    ],
)
def test_what_is_a_token_account(owner: Pubkey, data: bytes, answer: bool) -> None:
    assert is_token_account(owner, data) is answer


@pytest.mark.parametrize(
    ("owner", "data", "decimals"),
    [
        (CLASSIC, mint_bytes(authority=None, decimals=6), 6),
        (NEW, mint_bytes(authority=None, decimals=6), 6),
        (NEW, mint_bytes(authority=None, decimals=6) + bytes(83) + b"\x01", 6),
        (CLASSIC, mint_bytes(authority=None, decimals=6) + bytes(83) + b"\x01", 0),
        (NEW, token_account_bytes(mint=str(A), owner=str(B)) + b"\x02", 0),
        (A, mint_bytes(authority=None, decimals=6), 0),
        (NEW, bytes(82), 0),
        (NEW, b"", 0),
        (A, b"\xff" * 44, 0),
        (A, b"\xff" * 500, 0),
    ],
)
def test_what_was_a_mint_has_no_decimals(owner: Pubkey, data: bytes, decimals: int) -> None:
    assert decimals_of_mint(owner, data) == decimals


def test_other_bytes_are_neither() -> None:
    for data in (b"", bytes(82), bytes(165), bytes(355), b"\x01" * 355, bytes(165) + b"\x02"):
        assert read_token_account(data) is None
        assert read_mint(data) is None


@pytest.mark.parametrize(
    ("amount", "decimals", "text"),
    [
        (0, 0, "0"), (10, 0, "10"), (0, 6, "0"), (1, 9, "0.000000001"), (1_500, 3, "1.5"), (100, 2, "1"),
        (2**64 - 1, 9, "18446744073.709551615"), (10**19, 9, "10000000000"), (7, 255, "0." + "0" * 254 + "7"),
    ],
)  # fmt: skip
def test_amounts_are_exact_text(amount: int, decimals: int, text: str) -> None:
    assert ui_amount(amount, decimals) == text


def test_associated_accounts_are_those_of_the_wallets() -> None:
    usdc = Pubkey.from_string(USDC_MINT)
    assert associated_token_address(str(A), USDC_MINT) == str(get_associated_token_address(A, usdc))
    assert associated_token_address(str(A), USDC_MINT, TOKEN_2022_PROGRAM) == str(
        get_associated_token_address(A, usdc, NEW)
    )
