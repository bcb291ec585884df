"""Transactions that give: lamports from the faucet's key, tokens from the mint authority's."""

from collections.abc import Iterator

from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from countermand.solana.ledger_store import LedgerSecrets
from countermand.solana.port import Address
from countermand.solana.tokens import (
    ASSOCIATED_TOKEN_PROGRAM,
    SOL_MINT,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    associated_token_address,
)

_UNITS = 200_000
_UNITS_SPREAD = 1_000_000
_CREATE_IDEMPOTENT, _MINT_TO, _SYNC_NATIVE = 1, 7, 17


class FaucetRefused(ValueError):
    """The gift cannot be made, and why."""


class Faucet:
    """Makes signed transactions from a blockhash. No two are alike: each number asks for another compute limit."""

    def __init__(self, secrets: LedgerSecrets, numbers: Iterator[int]) -> None:
        self._payer = Keypair.from_seed(secrets.faucet_seed)
        self._authority = Keypair.from_seed(secrets.mint_authority_seed)
        self.address = self._payer.pubkey()
        self.authority = self._authority.pubkey()
        self._numbers = numbers

    def lamports(self, to: Address, lamports: int, blockhash: bytes) -> bytes:
        return self._signed([self._transfer(Pubkey.from_string(to), lamports)], [self._payer], blockhash)

    def tokens(
        self, wallet: Address, mint: Address, amount: int, blockhash: bytes, program: Address = TOKEN_PROGRAM
    ) -> bytes:
        """Creates the wallet's associated token account where it is missing. SOL is wrapped, not minted."""
        to = Pubkey.from_string(associated_token_address(wallet, mint, program))
        mint_key, program_key = Pubkey.from_string(mint), Pubkey.from_string(program)
        create = self._create_account(to, Pubkey.from_string(wallet), mint_key, program_key)
        if mint == SOL_MINT:
            sync = Instruction(program_key, bytes([_SYNC_NATIVE]), [AccountMeta(to, is_signer=False, is_writable=True)])
            return self._signed([create, self._transfer(to, amount), sync], [self._payer], blockhash)
        issue = Instruction(
            program_key,
            bytes([_MINT_TO]) + amount.to_bytes(8, "little"),
            [
                AccountMeta(mint_key, is_signer=False, is_writable=True),
                AccountMeta(to, is_signer=False, is_writable=True),
                AccountMeta(self.authority, is_signer=True, is_writable=False),
            ],
        )
        return self._signed([create, issue], [self._payer, self._authority], blockhash)

    def _transfer(self, to: Pubkey, lamports: int) -> Instruction:
        return transfer(TransferParams(from_pubkey=self.address, to_pubkey=to, lamports=lamports))

    def _create_account(self, account: Pubkey, wallet: Pubkey, mint: Pubkey, program: Pubkey) -> Instruction:
        readonly = [wallet, mint, Pubkey.from_string(SYSTEM_PROGRAM), program]
        metas = [
            AccountMeta(self.address, is_signer=True, is_writable=True),
            AccountMeta(account, is_signer=False, is_writable=True),
            *(AccountMeta(key, is_signer=False, is_writable=False) for key in readonly),
        ]
        return Instruction(Pubkey.from_string(ASSOCIATED_TOKEN_PROGRAM), bytes([_CREATE_IDEMPOTENT]), metas)

    def _signed(self, instructions: list[Instruction], signers: list[Keypair], blockhash: bytes) -> bytes:
        limit = set_compute_unit_limit(_UNITS + next(self._numbers) % _UNITS_SPREAD)
        message = MessageV0.try_compile(self.address, [limit, *instructions], [], Hash(blockhash))
        # The payer comes first among the keys, and the mint authority is the only other signer.
        signed = to_bytes_versioned(message)
        return bytes(VersionedTransaction.populate(message, [key.sign_message(signed) for key in signers]))
