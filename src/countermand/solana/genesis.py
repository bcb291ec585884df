"""The beginning of a ledger. All its randomness comes in here."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field
from solders.keypair import Keypair

from countermand.solana.clockwork import FIRST_SLOT
from countermand.solana.ledger_store import LedgerSecrets
from countermand.solana.port import AccountInfo, Address
from countermand.solana.tokens import (
    KNOWN_DECIMALS,
    SOL_MINT,
    SYSTEM_PROGRAM,
    TOKEN_2022_PROGRAM,
    TOKEN_PROGRAM,
    mint_bytes,
    read_token_account,
)

FAUCET_LAMPORTS = 2 * 10**18
MINT_RENT_LAMPORTS = 1_461_600


class Genesis(Struct, frozen=True):
    """`entropy` and both seeds have 32 random bytes. These and `accounts` count only when a ledger is founded.

    `programs`, ELF files by address, come with the release and are loaded at every start. So does `indexed`: offsets in
    the accounts of a program (8 for a key after a discriminator), by whose 32 bytes they are found without a scan.
    Without `faucet` nothing can be made from nothing: no account gives lamports away, and no mint has an authority.
    """

    entropy: bytes
    faucet_seed: bytes
    mint_authority_seed: bytes
    accounts: Mapping[Address, AccountInfo] = field(default_factory=dict)
    programs: Mapping[Address, bytes] = field(default_factory=dict)
    first_slot: int = FIRST_SLOT
    indexed: Mapping[Address, Sequence[int]] = field(default_factory=dict)
    faucet: bool = True

    def __post_init__(self) -> None:
        for name in ("entropy", "faucet_seed", "mint_authority_seed"):
            if len(getattr(self, name)) != 32:
                raise ValueError(f"{name} must have 32 bytes, not {len(getattr(self, name))}")

    @property
    def secrets(self) -> LedgerSecrets:
        return LedgerSecrets(self.entropy, self.faucet_seed, self.mint_authority_seed)

    def all_accounts(self) -> dict[Address, AccountInfo]:
        """The mints of SOL, USDC, USDT and JUP at their mainnet addresses, the faucet's account, and `accounts`.

        A mint's supply is what the accounts hold of it, but for SOL, which is wrapped.
        """
        held = _held(self.accounts.values())
        accounts: dict[Address, AccountInfo] = {}
        authority = None
        if self.faucet:
            faucet = str(Keypair.from_seed(self.faucet_seed).pubkey())
            accounts[faucet] = AccountInfo(FAUCET_LAMPORTS, SYSTEM_PROGRAM, b"", executable=False)
            authority = str(Keypair.from_seed(self.mint_authority_seed).pubkey())
        for mint, decimals in KNOWN_DECIMALS.items():
            native = mint == SOL_MINT
            supply = 0 if native else held.get(mint, 0)
            accounts[mint] = mint_account(None if native else authority, decimals, supply=supply)
        accounts.update(self.accounts)
        return accounts


def mint_account(
    authority: Address | None, decimals: int, program: Address = TOKEN_PROGRAM, *, supply: int = 0
) -> AccountInfo:
    data = mint_bytes(authority=authority, decimals=decimals, supply=supply)
    return AccountInfo(MINT_RENT_LAMPORTS, program, data, executable=False)


def _held(accounts: Iterable[AccountInfo]) -> Counter[Address]:
    held: Counter[Address] = Counter()
    for info in accounts:
        account = read_token_account(info.data) if info.owner in (TOKEN_PROGRAM, TOKEN_2022_PROGRAM) else None
        if account is not None:
            held[account.mint] += account.amount
    return held
