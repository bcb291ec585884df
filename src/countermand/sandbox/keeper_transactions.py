"""What a keeper's transactions do: the instructions of a fill, a refund, a cycle and an end. Pure.

The pool gives the keeper what it pays with, and takes what it got, all in the same transaction.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Final

from msgspec import Struct
from solders.instruction import Instruction
from solders.system_program import TransferParams
from solders.system_program import transfer as transfer_lamports

from countermand.services.custody.instructions import transfer
from countermand.solana.programs import dca_cycles, limit_order, limit_order_fills
from countermand.solana.programs.accounts import create_associated
from countermand.solana.programs.anchor import key
from countermand.solana.programs.dca import DcaBalance, DcaKeys
from countermand.solana.programs.limit_order import Cancellation, LimitOrderAccount
from countermand.solana.programs.limit_order_fills import Taking
from countermand.solana.tokens import SOL_MINT, TOKEN_PROGRAM, associated_token_address
from countermand.values.identity import Address


class Payout(Enum):
    """Where the output of a cycle goes in the same transaction."""

    LAMPORTS = "lamports"
    ACCOUNT = "account"
    STAYS = "stays"
    """In the order's own account, since the user has none for it."""


class KeeperTransactions(Struct, frozen=True):
    """`keeper` signs and pays, `pool` signs where it gives or takes."""

    keeper: Address
    pool: Address

    def fill(self, address: Address, order: LimitOrderAccount, making: int, given: int) -> list[Instruction]:
        """A part of a limit order. Accounts that are missing are made: the maker's, and the program's own for fees."""
        taking = Taking.of(self.keeper, address, order)
        output, program = order.output_mint, order.output_program
        made = [
            create_associated(self.keeper, self.keeper, order.input_mint, order.input_program),
            create_associated(self.keeper, limit_order.FEE_ACCOUNT, output, program),
        ]
        if taking.lamports:
            ends = key(self.pool), key(self.keeper)
            paid = transfer_lamports(TransferParams(from_pubkey=ends[0], to_pubkey=ends[1], lamports=given))
        else:
            made.append(create_associated(self.keeper, self.keeper, output, program))
            made.append(create_associated(self.keeper, order.maker, output, program))
            paid = self._moved(self.pool, self.keeper, output, program, given)
        takes = self._moved(self.keeper, self.pool, order.input_mint, order.input_program, making)
        return [*made, paid, limit_order_fills.fill_order(taking, making, given), takes]

    def refund(self, address: Address, order: LimitOrderAccount) -> list[Instruction]:
        """Of an order that has expired, or that has nothing left."""
        cancel = Cancellation.to_maker(address, order.maker, order.input_mint, order.input_program)
        made = (
            []
            if cancel.returns_to is None
            else [create_associated(self.keeper, order.maker, order.input_mint, order.input_program)]
        )
        return [*made, limit_order.cancel_order(cancel, self.keeper)]

    def dust(self, address: Address, order: LimitOrderAccount, dollar: int) -> list[Instruction]:
        """The return of an order that is worth less than `dollar` units of its input."""
        return [limit_order_fills.cancel_dust_order(self.keeper, address, order, dollar)]

    def cycle(self, keys: DcaKeys, used: int, repaid: int, payout: Payout) -> list[Instruction]:
        mint = keys.output_mint
        pool_account = associated_token_address(self.pool, mint)
        pays = transfer(key(pool_account), key(keys.own(DcaBalance.OUT)), key(self.pool), repaid, key(TOKEN_PROGRAM))
        instructions = [
            create_associated(self.keeper, self.keeper, keys.input_mint),
            dca_cycles.initiate_flash_fill(keys, self.keeper),
            self._moved(self.keeper, self.pool, keys.input_mint, TOKEN_PROGRAM, used),
            pays,
            dca_cycles.fulfill_flash_fill(keys, self.keeper, repaid),
        ]
        if payout is not Payout.STAYS:
            instructions.append(dca_cycles.transfer(keys, self.keeper, lamports=payout is Payout.LAMPORTS))
        return instructions

    def end(self, keys: DcaKeys) -> list[Instruction]:
        return [dca_cycles.end_and_close(keys, self.keeper)]

    @staticmethod
    def _moved(source: Address, target: Address, mint: str, program: str, units: int) -> Instruction:
        ends: Final = [key(associated_token_address(owner, mint, program)) for owner in (source, target)]
        return transfer(ends[0], ends[1], key(source), units, key(program))


def payout_of(keys: DcaKeys, has_account: bool) -> Payout:
    if keys.output_mint == SOL_MINT:
        return Payout.LAMPORTS
    return Payout.ACCOUNT if has_account else Payout.STAYS


def signers_of(instructions: Sequence[Instruction]) -> tuple[str, ...]:
    """Each once."""
    return tuple(dict.fromkeys(str(meta.pubkey) for each in instructions for meta in each.accounts if meta.is_signer))
