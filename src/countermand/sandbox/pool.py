"""The sandbox's pool: it swaps at the venue's prices, less a fee; a test can bound it, or have it move the price."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct
from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams
from solders.system_program import transfer as transfer_lamports

from countermand.services.custody.accounts import OrderAccounts
from countermand.services.custody.instructions import amount_of, is_same, key, transfer
from countermand.services.custody.vaults import VaultKeys
from countermand.services.liquidity.routing import Quote, RoutedSwap, needed_for, worth_in
from countermand.solana.port import AccountInfo
from countermand.solana.programs import dca, limit_order
from countermand.solana.programs.keepers import keepers_accounts
from countermand.solana.tokens import (
    SOL_MINT,
    SYSTEM_PROGRAM,
    TOKEN_ACCOUNT_RENT_LAMPORTS,
    associated_token_address,
    token_account_bytes,
)
from countermand.values.identity import Address, Mint
from countermand.values.quantities import BPS_ONE, U64_MAX, BaseUnits, Bps, UsdPrice
from countermand.values.tokens import Token
from countermand.values.transactions import SwapRefused

FEE_BETWEEN_STABLES: Final = Bps(3)
FEE: Final = Bps(10)

POOL_UNITS: Final = 10**18
"""What the pool has of each token at the beginning."""
LIQUIDITY_USD: Final = 1_000_000_000
"""What the pool says of its depth: it has no bottom."""
GAS_LAMPORTS: Final = 10**15
KEEPER_LAMPORTS: Final = 2 * 10**15
_NATIVE_AT: Final = 109
"""Where a token account says that it wraps SOL (4 bytes), and then how many of its lamports are rent (8)."""


class Liquidity(Struct, frozen=True):
    """Of an input token: how much less than the market a swap gives, and how much it takes at most. None: anything."""

    impact: Bps
    max_input: BaseUnits | None


_DEEP: Final = Liquidity(Bps(0), None)


class SandboxPool:
    """Implements `services.liquidity.routing.Router`."""

    def __init__(self, authority: Address, price_of: Callable[[Mint], UsdPrice | None]) -> None:
        self.authority: Final = authority
        self.price_of: Final = price_of
        self.liquidity: dict[Mint, Liquidity] = {}
        """By input mint, where it was set."""
        self.failures_due = 0
        """So many of the next swaps will fail on chain."""

    def depth_of(self, mint: Mint) -> Liquidity:
        return self.liquidity.get(mint, _DEEP)

    async def quote(self, swap: RoutedSwap) -> Quote | SwapRefused:
        return self.offer(swap.amount, swap.input.token, swap.output.token)

    def offer(self, amount: BaseUnits, input_token: Token, output_token: Token) -> Quote | SwapRefused:
        """What it takes of an amount, and gives for that."""
        price, output_price = self.price_of(input_token.mint), self.price_of(output_token.mint)
        if price is None or output_price is None:
            return SwapRefused(f"no price for {output_token.mint if price else input_token.mint}")
        liquidity = self.depth_of(input_token.mint)
        takes = amount if liquidity.max_input is None else min(amount, liquidity.max_input)
        if not takes:
            return SwapRefused(f"the pool takes no {input_token.symbol} now")
        before_fee = worth_in(takes, input_token, price, output_token, output_price, liquidity.impact)
        receives = before_fee - _fee(before_fee, input_token, output_token)
        if receives <= 0:
            return SwapRefused(f"the swap would give nothing for {takes.units} of {input_token.mint}")
        if receives > POOL_UNITS:
            return SwapRefused(f"the pool has not enough of {output_token.mint}")
        return Quote(takes, before_fee, BaseUnits(receives))

    def rate(self, input_token: Token, output_token: Token) -> tuple[int, int] | None:
        """So many units of the output for so many of the input: no offer gives more. None: it offers nothing now."""
        price, output_price = self.price_of(input_token.mint), self.price_of(output_token.mint)
        liquidity = self.depth_of(input_token.mint)
        if price is None or output_price is None or liquidity.max_input == BaseUnits(0):
            return None
        left = (BPS_ONE - liquidity.impact.bps) * (BPS_ONE - _fee_bps(input_token, output_token).bps)
        given = price.picodollars * 10**output_token.decimals * left
        return given, output_price.picodollars * 10**input_token.decimals * BPS_ONE**2

    def offer_for(self, output: BaseUnits, input_token: Token, output_token: Token) -> Quote | SwapRefused:
        """The least of the input for which it gives so much, as the swap program counts it."""
        price, output_price = self.price_of(input_token.mint), self.price_of(output_token.mint)
        if price is None or output_price is None:
            return SwapRefused(f"no price for {output_token.mint if price else input_token.mint}")
        liquidity = self.depth_of(input_token.mint)
        before_fee = -(-output.units * BPS_ONE // (BPS_ONE - _fee_bps(input_token, output_token).bps))
        takes = needed_for(before_fee, input_token, price, output_token, output_price, liquidity.impact)
        if takes is None or takes > U64_MAX:
            return SwapRefused(f"the pool gives no {output.units} of {output_token.mint} for any {input_token.symbol}")
        if liquidity.max_input is not None and takes > liquidity.max_input.units:
            return SwapRefused(f"the pool takes no more than {liquidity.max_input.units} of {input_token.mint} at once")
        if output.units > POOL_UNITS:
            return SwapRefused(f"the pool has not enough of {output_token.mint}")
        return Quote(BaseUnits(takes), before_fee, output)

    def settlement(self, swap: RoutedSwap, quote: Quote, minimum: BaseUnits) -> tuple[Instruction, ...]:  # noqa: ARG002
        """The pool gives what it quoted."""
        return self._takes(swap), self._pays(swap, quote.receives)

    def settled_by(self, found: Sequence[Instruction], swap: RoutedSwap, minimum: BaseUnits) -> int:
        if len(found) < 2 or not is_same(found[0], self._takes(swap)):
            return 0
        paid = amount_of(found[1])
        pays = self._pays(swap, BaseUnits(paid)) if minimum.units <= paid <= U64_MAX else None
        return 2 if pays is not None and is_same(found[1], pays) else 0

    def _takes(self, swap: RoutedSwap) -> Instruction:
        given = swap.input
        return transfer(swap.source, self._account(given), given.vault, swap.amount.units, given.program)

    def _pays(self, swap: RoutedSwap, units: BaseUnits) -> Instruction:
        paid, authority = swap.output, key(self.authority)
        if swap.to is not None:
            return transfer(self._account(paid), swap.to, authority, units.units, paid.program)
        if paid.native:
            return transfer_lamports(TransferParams(from_pubkey=authority, to_pubkey=paid.user, lamports=units.units))
        return transfer(self._account(paid), paid.own, authority, units.units, paid.program)

    def takes_failure(self) -> bool:
        if self.failures_due <= 0:
            return False
        self.failures_due -= 1
        return True

    def pool_account_of(self, token: Token) -> Address:
        return pool_account_of(self.authority, token)

    def _account(self, accounts: OrderAccounts) -> Pubkey:
        return key(pool_account_of(self.authority, accounts.token))


def pool_account_of(authority: Address, token: Token) -> Address:
    """Where the pool keeps a token. It pays SOL in lamports, and takes it wrapped."""
    return Address(associated_token_address(authority, token.mint, token.program))


def sandbox_accounts(keys: VaultKeys, tokens: Iterable[Token]) -> dict[str, AccountInfo]:
    """What a sandbox's chain begins with beside its mints: lamports to pay with, the pool's funds, and the keeper."""
    accounts: dict[str, AccountInfo] = {
        keys.gas.address: _lamports(GAS_LAMPORTS),
        keys.pool.address: _lamports(POOL_UNITS),
        **keeper_accounts(keys),
    }
    for token in tokens:
        accounts[pool_account_of(keys.pool.address, token)] = pool_account(keys.pool.address, token)
    return accounts


def keeper_accounts(keys: VaultKeys) -> dict[str, AccountInfo]:
    """What the keeper needs: lamports to pay with, and its name in the list of each order program."""
    keeper = keys.keeper.address
    lists = keepers_accounts((limit_order.PROGRAM, dca.PROGRAM), (keeper,))
    return {keeper: _lamports(KEEPER_LAMPORTS), **lists}


def pool_account(authority: Address, token: Token, units: int = POOL_UNITS) -> AccountInfo:
    data = token_account_bytes(mint=token.mint, owner=authority, amount=units)
    lamports = TOKEN_ACCOUNT_RENT_LAMPORTS
    if token.mint == SOL_MINT:
        native = (1).to_bytes(4, "little") + TOKEN_ACCOUNT_RENT_LAMPORTS.to_bytes(8, "little")
        data = data[:_NATIVE_AT] + native + data[_NATIVE_AT + len(native) :]
        lamports += units
    return AccountInfo(lamports, token.program, data, executable=False)


def _fee(before_fee: int, input_token: Token, output_token: Token) -> int:
    """Rounded up."""
    return -(-before_fee * _fee_bps(input_token, output_token).bps // BPS_ONE)


def _fee_bps(input_token: Token, output_token: Token) -> Bps:
    return FEE_BETWEEN_STABLES if input_token.stable and output_token.stable else FEE


def _lamports(lamports: int) -> AccountInfo:
    return AccountInfo(lamports, SYSTEM_PROGRAM, b"", executable=False)
