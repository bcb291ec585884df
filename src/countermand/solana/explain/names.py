"""What a transaction says about its accounts: their owners, their tokens, and how amounts read."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from types import MappingProxyType
from typing import Final, TypeVar

from countermand.solana.explain.calls import Call
from countermand.solana.port import Address
from countermand.solana.programs import dca, dca_cycles, limit_order, limit_order_fills, swap
from countermand.solana.tokens import (
    ASSOCIATED_TOKEN_PROGRAM,
    KNOWN_DECIMALS,
    KNOWN_SYMBOLS,
    SOL_MINT,
    TOKEN_PROGRAMS,
    associated_token_address,
)

_SOL_DECIMALS: Final = 9
_MINT_TO, _SYNC_NATIVE = 7, 17
_CHECKED: Final[Mapping[int, tuple[int, int, tuple[int, ...]]]] = MappingProxyType(
    {12: (1, 9, (0, 2)), 13: (1, 9, (0,)), 14: (0, 9, (1,)), 15: (1, 9, (0,))}
)
"""Of the token instructions that repeat the decimals: where the mint, the decimals and the mint's accounts stand."""
_MINT_AT_1: Final = (1, 8, 10, 11, 16, 18)
"""The token instructions whose first account is one of the mint that is their second."""

_PAIRS: Final = (
    (dca.PROGRAM, dca.CLOSE_DCA, ((4, 2), (5, 3), (6, 2), (7, 3))),
    (dca.PROGRAM, dca_cycles.INITIATE_FLASH_FILL, ((3, 2), (4, 2))),
    (dca.PROGRAM, dca_cycles.FULFILL_FLASH_FILL, ((4, 2), (5, 2), (6, 3), (8, 3))),
    (dca.PROGRAM, dca_cycles.TRANSFER, ((4, 3),)),
    (dca.PROGRAM, dca_cycles.END_AND_CLOSE, ((4, 2), (5, 3))),
    (limit_order.PROGRAM, limit_order_fills.FILL_ORDER, ((3, 8), (4, 10), (6, 10), (7, 8))),
    (limit_order.PROGRAM, limit_order_fills.PRE_FLASH_FILL_ORDER, ((2, 4), (3, 4))),
    (limit_order.PROGRAM, limit_order_fills.FLASH_FILL_ORDER, ((6, 8),)),
    (limit_order.PROGRAM, limit_order_fills.CANCEL_DUST_ORDER, ((3, 5), (4, 5))),
    (swap.PROGRAM, swap.SHARED_ACCOUNTS_ROUTE, ((3, 7), (4, 7), (5, 8), (6, 8))),
    (swap.PROGRAM, swap.SHARED_ACCOUNTS_EXACT_OUT_ROUTE, ((3, 7), (4, 7), (5, 8), (6, 8))),
)
"""Of the instructions of our programs: token accounts that are never left out, and where their mints stand."""

_Claimed = TypeVar("_Claimed")


class Names:
    """Reads the calls of one transaction first. Nothing here asks a chain: what it cannot say it leaves out."""

    def __init__(self, keys: Sequence[Address], calls: Sequence[Call]) -> None:
        self._mints: dict[Address, Address | None] = {}
        self._decimals: dict[Address, int | None] = {}
        self._labels: dict[Address, str] = {}
        self._payers: dict[Address, None] = {}
        for call in calls:
            self._learn(call)
        self._decimals |= KNOWN_DECIMALS
        self._label_associated(keys)

    def is_associated(self, account: Address) -> bool:
        return account in self._labels

    def is_payers(self, account: Address) -> bool:
        """An associated account of the payer, as far as it is known."""
        return account in self._payers

    def account(self, address: Address) -> str:
        """The address, and whose token account it is where that follows from the transaction."""
        label = self._labels.get(address)
        return address if label is None else f"{address} ({label})"

    def accounts(self, addresses: Iterable[Address]) -> str:
        return listed([self.account(each) for each in addresses])

    def mint_of(self, *accounts: Address) -> Address | None:
        """The token of the first of these accounts whose token is known."""
        return next((mint for each in accounts if (mint := self._mints.get(each))), None)

    def amount(self, units: int, mint: Address | None, decimals: int | None = None) -> str:
        if mint is None:
            return f"{units:,} base units of a token that the transaction does not name"
        if decimals is None or mint in KNOWN_DECIMALS:
            decimals = self._decimals.get(mint)
        if decimals is None:
            return f"{units:,} base units of the token {mint}"
        symbol = KNOWN_SYMBOLS.get(mint)
        amount = token_units(units, decimals)
        return f"{amount} of the token {mint}" if symbol is None else f"{amount} {symbol}"

    def _learn(self, call: Call) -> None:
        accounts = call.accounts
        if call.program in TOKEN_PROGRAMS and call.data:
            self._learn_token(call.data[0], call)
        elif call.program == ASSOCIATED_TOKEN_PROGRAM and len(accounts) > 3:
            self._is_of(accounts[1], accounts[3])
        elif call.begins(limit_order.PROGRAM, limit_order.INITIALIZE_ORDER) and len(accounts) > 8:
            self._is_of(accounts[3], accounts[7])
            self._is_of(accounts[4], accounts[7])
        elif call.begins(limit_order.PROGRAM, limit_order.CANCEL_ORDER) and len(accounts) > 5:
            self._is_of(accounts[3], accounts[5])
        else:
            for program, begin, places in _PAIRS:
                if call.begins(program, begin) and len(accounts) > max(map(max, places)):
                    for at, mint in places:
                        self._is_of(accounts[at], accounts[mint])

    def _learn_token(self, number: int, call: Call) -> None:
        accounts = call.accounts
        if number in _CHECKED:
            mint_at, decimals_at, ends = _CHECKED[number]
            if len(accounts) > 2 and len(call.data) > decimals_at:
                _claim(self._decimals, accounts[mint_at], call.data[decimals_at])
                for at in ends:
                    self._is_of(accounts[at], accounts[mint_at])
        elif number in _MINT_AT_1 and len(accounts) > 1:
            self._is_of(accounts[0], accounts[1])
        elif number == _MINT_TO and len(accounts) > 1:
            self._is_of(accounts[1], accounts[0])
        elif number == _SYNC_NATIVE and accounts:
            self._is_of(accounts[0], SOL_MINT)

    def _is_of(self, account: Address, mint: Address) -> None:
        _claim(self._mints, account, mint)

    def _label_associated(self, keys: Sequence[Address]) -> None:
        """The owner whose associated account a key is, if owner and token are in the transaction or known."""
        named = dict.fromkeys(mint for mint in self._mints.values() if mint is not None and mint in keys)
        for owner, mint, program in product(keys, dict.fromkeys((*KNOWN_SYMBOLS, *named)), TOKEN_PROGRAMS):
            account = associated_token_address(owner, mint, program)
            if account in keys:
                whose = "the payer's" if owner == keys[0] else "the"
                of = "" if owner == keys[0] else f" of {owner}"
                self._labels[account] = f"{whose} {token_account(mint)}{of}"
                if owner == keys[0]:
                    self._payers[account] = None
                self._mints[account] = mint


def _claim(known: dict[Address, _Claimed | None], address: Address, value: _Claimed) -> None:
    """None for what a transaction says in two ways: an account may be closed and made anew in one."""
    known[address] = value if known.get(address, value) == value else None


def token_account(mint: Address) -> str:
    return "wrapped SOL account" if mint == SOL_MINT else f"{token(mint)} account"


def token(mint: Address) -> str:
    return KNOWN_SYMBOLS.get(mint) or f"token {mint}"


def token_units(units: int, decimals: int) -> str:
    """Exact, with thousands set apart: `1,500.25`. The decimals are a claim of the transaction, at most 255."""
    digits = str(units).rjust(decimals + 1, "0")
    whole, rest = digits[: len(digits) - decimals], digits[len(digits) - decimals :].rstrip("0")
    return f"{int(whole):,}.{rest}" if rest else f"{int(whole):,}"


def sol(lamports: int) -> str:
    return f"{token_units(lamports, _SOL_DECIMALS)} SOL"


def quoted(raw: bytes) -> str:
    """Text from outside, without anything that a terminal would obey."""
    try:
        return json.dumps(raw.decode())
    except UnicodeDecodeError:
        return f"{len(raw)} bytes that are no text"


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def counted(number: int, one: str, many: str | None = None) -> str:
    return f"1 {one}" if number == 1 else f"{number:,} {many or one + 's'}"
