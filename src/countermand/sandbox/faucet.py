"""Money from nothing, on the embedded chain of a sandbox: lamports from the faucet's account, tokens of its mints."""

import hashlib
import json
from collections.abc import Iterator
from itertools import count
from typing import Final

from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.funds import WALLET_RENT_LAMPORTS
from countermand.solana.genesis import FAUCET_LAMPORTS, mint_account
from countermand.solana.ledger_store import LedgerSecrets
from countermand.solana.port import AccountInfo, Address, Signature
from countermand.solana.tokens import (
    ASSOCIATED_TOKEN_PROGRAM,
    SOL_MINT,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    associated_token_address,
    read_mint,
)
from countermand.values.quantities import U64_MAX

GIFT_LAMPORTS_MAX: Final = 10**18
_UNITS = 200_000
_UNITS_SPREAD = 1_000_000
_CREATE_IDEMPOTENT, _MINT_TO, _SYNC_NATIVE = 1, 7, 17


class FaucetRefused(ValueError):
    """The gift cannot be made, and why."""


class Faucet:
    """Gives what is asked for. The keys that sign are those that the chain's ledger was founded with."""

    def __init__(self, chain: EmbeddedChain) -> None:
        self._chain = chain
        self._numbers = count()

    async def airdrop(self, wallet: Address, lamports: int) -> Signature:
        _check_gift(lamports, GIFT_LAMPORTS_MAX)
        if lamports < WALLET_RENT_LAMPORTS and not await self._is_taken(wallet):
            raise FaucetRefused(
                f"amount: {lamports} lamports are too few for {wallet}, which holds none: "
                f"an account holds at least {WALLET_RENT_LAMPORTS}"
            )
        gifts = await self._filled()
        return await self._give(gifts.lamports(wallet, lamports, await self._blockhash()))

    async def mint_to(self, wallet: Address, mint: Address, amount: int) -> Signature:
        """Gives tokens of a mint that is ours to the wallet's associated account. SOL is wrapped."""
        _check_gift(amount, GIFT_LAMPORTS_MAX if mint == SOL_MINT else U64_MAX)
        (account,) = await self._chain.accounts([mint])
        if account is None or read_mint(account.data) is None:
            raise FaucetRefused(f"{mint} is no mint on this chain")
        gifts = await self._filled()
        return await self._give(gifts.tokens(wallet, mint, amount, await self._blockhash(), account.owner))

    async def create_mint(self, address: Address | None, decimals: int, program: Address = TOKEN_PROGRAM) -> Address:
        """A mint of ours, at an address of its own if none is given; of either token program, without extensions."""
        if not 0 <= decimals <= 255:
            raise FaucetRefused(f"decimals must be between 0 and 255, not {decimals}")
        authority = self._gifts().authority
        key = await self._free_mint_address(authority) if address is None else str(Pubkey.from_string(address))
        mint = mint_account(str(authority), decimals, program)
        (there,) = await self._chain.accounts([key])
        if there == mint:  # Left from a request that failed half way, and is repeated.
            return key
        if there is not None:
            raise FaucetRefused(f"{key} is already in use")
        await self._chain.put_accounts({key: mint})
        return key

    def _gifts(self) -> "_Gifts":
        return _Gifts(self._chain.secrets, self._numbers)

    async def _filled(self) -> "_Gifts":
        """The faucet never runs dry."""
        gifts = self._gifts()
        at = str(gifts.address)
        (account,) = await self._chain.accounts([at])
        if account is None or account.lamports <= FAUCET_LAMPORTS // 2 + GIFT_LAMPORTS_MAX // 10:
            full = AccountInfo(FAUCET_LAMPORTS, SYSTEM_PROGRAM, b"", executable=False)
            await self._chain.put_accounts({at: full})
        return gifts

    async def _blockhash(self) -> bytes:
        return bytes(Hash.from_string((await self._chain.latest_blockhash()).blockhash))

    async def _give(self, raw: bytes) -> Signature:
        gift = await self._chain.submit(raw)
        if gift.dropped is not None or gift.error is not None:
            raise FaucetRefused(f"the chain refused the gift: {json.dumps(gift.dropped or gift.error)}")
        return gift.signature

    async def _is_taken(self, address: Address) -> bool:
        return (await self._chain.accounts([address]))[0] is not None

    async def _free_mint_address(self, authority: Pubkey) -> Address:
        for number in count():
            seed = b"countermand mint" + bytes(authority) + number.to_bytes(8, "little")
            key = str(Pubkey(hashlib.sha256(seed).digest()))
            if not await self._is_taken(key):
                return key
        raise AssertionError


def _check_gift(amount: int, most: int) -> None:
    if not 0 < amount <= most:
        raise FaucetRefused(f"amount: {amount} is not between 1 and {most}")


class _Gifts:
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
