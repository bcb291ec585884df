"""The accounts of the embedded chain, each held against what its transactions left there."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import asyncpg
from msgspec import Struct, field
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from countermand.audit.balances import AccountHolding, ChainBalances, Left, told
from countermand.audit.findings import Audit
from countermand.audit.held import HeldAccount
from countermand.audit.onchain import OnChain
from countermand.audit.reading import shown
from countermand.sandbox.pool import GAS_LAMPORTS, KEEPER_LAMPORTS, POOL_UNITS
from countermand.services.custody.vaults import VaultKeys
from countermand.services.tokens import Token
from countermand.solana.genesis import FAUCET_LAMPORTS, MINT_RENT_LAMPORTS
from countermand.solana.programs import dca, limit_order, swap
from countermand.solana.programs.keepers import keepers_accounts, keepers_address, keepers_bytes, read_keepers
from countermand.solana.tokens import (
    KNOWN_DECIMALS,
    SOL_MINT,
    SYSTEM_PROGRAM,
    TOKEN_2022_PROGRAM,
    TOKEN_ACCOUNT_BYTES,
    TOKEN_ACCOUNT_RENT_LAMPORTS,
    TOKEN_PROGRAMS,
    USDC_MINT,
    associated_token_address,
    is_token_account,
    mint_bytes,
    read_mint,
    read_token_account,
    token_account_bytes,
)
from countermand.store.snapshot import Snapshot
from countermand.values.identity import Wallet

_AT_A_TIME: Final = 500
_AT_ONCE: Final = 20
"""So many are looked at before others have their turn."""
_ACCOUNTS: Final = "SELECT address, lamports, owner, data, executable FROM chain_accounts ORDER BY address"
_NAMED_BY: Final = """
SELECT EXISTS (
    SELECT FROM chain_mentions AS mine JOIN chain_transactions USING (position)
    WHERE mine.address = $1 AND (position(($2::bytea) IN raw) > 0 OR position(($2::bytea) IN meta) > 0)
)
"""
_U64: Final = 2**64
_HEAD_BYTES: Final = 72
_NATIVE_AT: Final = 109
_RESERVE_AT: Final = 113
_KEY_BYTES: Final = 32
_PURSES: Final = (GAS_LAMPORTS, POOL_UNITS)
"""What the accounts without tokens hold with which a sandbox's chain begins, beside the faucet's: one of each."""
_OWNED_FOR_EVER: Final = bytes([2, 7, 0, 0, 0])
"""What Token-2022 adds to an associated account: its kind, and one extension without data."""
_LOADERS: Final = (
    "BPFLoader2111111111111111111111111111111111",
    "BPFLoaderUpgradeab1e11111111111111111111111",
    "NativeLoader1111111111111111111111111111111",
)
_ISSUED: Final = tuple(mint for mint in KNOWN_DECIMALS if mint != SOL_MINT)
_ORDER_PROGRAMS: Final = (limit_order.PROGRAM, dca.PROGRAM)


class _Mint(Struct):
    """`held`: the units in all accounts that are stored."""

    held: int = 0
    supply: int | None = None
    decimals: int | None = None
    authority: str | None = None
    freezer: bool = False
    frozen: str | None = None
    """One of its accounts that is frozen."""
    extended: bool = False
    programs: dict[str, None] = field(default_factory=dict)


class Accounts:
    def __init__(
        self,
        balances: ChainBalances,
        orders: OnChain,
        claims: Mapping[str, HeldAccount] | None,
        tokens: Mapping[str, Token],
        authority_seed: bytes,
        keys: VaultKeys | None,
        *,
        sandbox: bool,
        priced: Sequence[str],
        found: Audit,
    ) -> None:
        """`claims`: the orders by their accounts; None if nothing can tell. `priced`: the mints that have a price.

        `sandbox`: the chain began with a faucet and a pool; else nothing can come from nothing.
        """
        self._balances = balances
        self._orders = orders
        self._claims = claims
        self._tokens = tokens
        self._authority = str(Keypair.from_seed(authority_seed).pubkey())
        self._keys = keys
        self._sandbox = sandbox
        self._priced = priced
        self._found = found
        self._mints: dict[str, _Mint] = {}
        self._purses: dict[int, list[str]] = {}
        self._pool: dict[str, tuple[str, str]] = {}
        """By mint: the account with which the pool began, and its owner."""
        self._keepers: dict[str, bytes] = {}
        """By order program: what its list of keepers holds."""
        self._has_faucet = False
        self._count = 0

    async def compare(self, snapshot: Snapshot) -> None:
        missing = dict(self._balances.left)
        async for row in snapshot.rows(_ACCOUNTS, at_a_time=_AT_A_TIME):
            if len(row["address"]) != _KEY_BYTES or len(row["owner"]) != _KEY_BYTES:
                self._differs(row["address"], "an address or an owner has not 32 bytes")
                continue
            missing.pop(row["address"], None)
            await self._compare(snapshot, row)
            self._count += 1
            if self._count % _AT_ONCE == 0:
                await asyncio.sleep(0)
        for address, left in missing.items():
            if left.changed:
                self._differs(address, f"it is not stored, but a transaction left {told(left.holding)} there")
        self._compare_purses()
        self._compare_keepers()
        self._compare_pool()
        self._compare_markets(missing)
        self._compare_mints()
        await self._orders.compare(snapshot)

    async def _compare(self, snapshot: Snapshot, row: asyncpg.Record) -> None:
        address, data, owner = row["address"], row["data"], str(Pubkey(row["owner"]))
        is_token = is_token_account(Pubkey(row["owner"]), data)
        head = data[:_HEAD_BYTES] if is_token else None
        holding = AccountHolding(row["lamports"] % _U64, head, is_token and owner == TOKEN_2022_PROGRAM)
        left = self._balances.left.get(address)
        if left is not None and left.holding != holding:
            what = f"it holds {told(holding)}, but its last transaction left {told(left.holding)} there"
            self._differs(address, what)
        first = holding if left is None else self._balances.first.get(address)
        is_program = (
            row["executable"] and owner in _LOADERS
        )  # the machine begins with it, its row with a transfer to it
        if first is not None and not is_program and not self._was_put(address, first, owner, data):
            self._differs(address, f"it held {told(first)} before any transaction, which nothing explains")
        if row["executable"] and owner not in _LOADERS:
            self._differs(address, "it is executable, but belongs to no loader")
        if is_token:
            await self._compare_token(snapshot, address, owner, holding, data)
        elif owner in TOKEN_PROGRAMS and read_mint(data) is not None:
            self._note_mint(address, owner, data)
        elif owner in _ORDER_PROGRAMS:
            self._orders.note_account(str(Pubkey(address)), owner, data)
        elif owner == swap.PROGRAM and self._sandbox:
            self._compare_market(address, data)
        elif owner != SYSTEM_PROGRAM and not is_program and not await _is_named(snapshot, address, row["owner"]):
            self._differs(address, f"it belongs to {owner}, which no transaction of it names")

    def _was_put(self, address: bytes, first: AccountHolding, owner: str, data: bytes) -> bool:
        """Whether a chain begins with such an account, or gets it when a token is added."""
        if first.head is not None:
            self._pool[str(Pubkey(first.head[:32]))] = str(Pubkey(address)), str(Pubkey(first.head[32:64]))
            units = int.from_bytes(first.head[64:72], "little")
            native = POOL_UNITS if Pubkey(first.head[:32]) == Pubkey.from_string(SOL_MINT) else 0
            return units == POOL_UNITS and first.lamports == TOKEN_ACCOUNT_RENT_LAMPORTS + native
        mint = read_mint(data) if owner in TOKEN_PROGRAMS else None
        if mint is not None:
            is_ours = str(Pubkey(address)) in self._tokens or mint.mint_authority == self._authority
            return first.lamports == MINT_RENT_LAMPORTS and is_ours
        if owner == swap.PROGRAM and self._sandbox:
            return first.lamports == swap.MARKET_LAMPORTS
        if owner in _ORDER_PROGRAMS and str(Pubkey(address)) == keepers_address(owner):
            self._keepers[owner] = data
            (expected,) = keepers_accounts((owner,), read_keepers(data) or ()).values()
            return (first.lamports, data) == (expected.lamports, expected.data)
        if owner != SYSTEM_PROGRAM or data:
            return False
        if address == self._balances.faucet:
            self._has_faucet = True
            return first.lamports == FAUCET_LAMPORTS
        self._purses.setdefault(first.lamports, []).append(str(Pubkey(address)))
        return first.lamports in (*_PURSES, KEEPER_LAMPORTS)

    def _compare_market(self, address: bytes, data: bytes) -> None:
        """The sandbox writes these, one a token. A crash may come between a price and its market, and so may we."""
        if not any(data) and str(Pubkey(address)) not in map(swap.market_address, self._tokens):
            return  # Any wallet may make an empty account, and give it to any program.
        market = swap.read_market(data)
        if market is None or swap.market_bytes(market) != data:
            self._differs(address, "its data is no market")
        elif str(Pubkey(address)) != swap.market_address(market.mint):
            self._differs(address, f"it is not the address of the market of {market.mint}")
        elif (token := self._tokens.get(market.mint)) is None or token.stable != market.stable:
            self._differs(address, f"it is the market of {market.mint}, which is no such token here")

    def _compare_markets(self, missing: Mapping[bytes, Left]) -> None:
        """A swap names the markets of both its tokens, which stay. `missing`: what is not stored, but was named."""
        for mint in self._tokens if self._sandbox else ():
            market = swap.market_address(mint)
            left = missing.get(bytes(Pubkey.from_string(market)))
            if left is not None and not left.changed:
                self._found.differs("chain_accounts", market, f"it is missing: the market of {mint}")

    async def _compare_token(
        self, snapshot: Snapshot, address: bytes, owner: str, holding: AccountHolding, data: bytes
    ) -> None:
        token = read_token_account(data)
        if token is None:
            self._differs(address, "its data is no token account")
            return
        mint = self._mints.setdefault(token.mint, _Mint())
        mint.held += token.amount
        mint.programs[owner] = None
        if token.state == "frozen":
            mint.frozen = str(Pubkey(address))
        native = token.native_reserve is not None
        if native != (token.mint == SOL_MINT):
            self._differs(address, "it wraps SOL and is of another mint, or the reverse")
        elif token.native_reserve is not None and holding.lamports < token.amount + token.native_reserve:
            self._differs(address, f"it counts {token.amount} wrapped lamports, but holds {holding.lamports}")
        vault = self._vault_that_made(address)
        self._compare_claim(address, token.owner, vault)
        for other in () if _is_plain(data, token.native_reserve) else (data[76:108], data[133:165]):
            if any(other) and not await _is_named(snapshot, address, other):
                self._differs(address, f"no transaction made {shown(other)} its delegate or closer")
        if not _is_possible(data):
            self._differs(address, "what is beyond its amount makes no sense")
        if vault is not None and not _is_plain(data, token.native_reserve):
            self._differs(address, "an order's account has a delegate, a closer, or is frozen")

    def _vault_that_made(self, address: bytes) -> str | None:
        """For an order. Without the master seed, whatever looks like a vault counts as one."""
        made = self._balances.order_accounts.get(address)
        if made is None:
            return None
        base = str(Pubkey(made.base))
        if self._keys is not None and self._keys.vault_of(Wallet(str(Pubkey(made.payer)))).address != base:
            return None
        return base

    def _compare_claim(self, address: bytes, owner: str, vault: str | None) -> None:
        name = str(Pubkey(address))
        if vault is not None and vault != owner:
            self._differs(address, f"it was made for the vault {vault}, but belongs to {owner}")
        if self._claims is None:
            return
        account = self._claims.get(name)
        if account is None:
            if vault is not None:
                self._differs(address, f"no order claims it, though it was made for one, by the vault {owner}")
        elif self._keys is not None and self._keys.vault_of(account.wallet).address != owner:
            what = f"order {account.order_id} has its account here, but it belongs to another vault, {owner}"
            self._differs(address, what)

    def _note_mint(self, address: bytes, owner: str, data: bytes) -> None:
        read = read_mint(data)
        assert read is not None
        name = str(Pubkey(address))
        mint = self._mints.setdefault(name, _Mint())
        mint.supply, mint.decimals, mint.authority = read.supply, read.decimals, read.mint_authority
        mint.extended, mint.freezer = bool(read.extensions), read.freeze_authority is not None
        mint.programs[owner] = None
        token = self._tokens.get(name)
        if token is None:
            return
        authority = self._authority if self._sandbox and name != SOL_MINT else None
        supply = 0 if name == SOL_MINT else read.supply
        if data != mint_bytes(authority=authority, decimals=token.decimals, supply=supply):
            self._differs(address, f"it is not the mint of {token.symbol}, of {token.decimals} decimals, that we made")
        if name not in KNOWN_DECIMALS and (token.program, token.decimals) != (owner, read.decimals):
            what = f"its mint on the chain belongs to {owner}, and has {read.decimals} decimals"
            self._found.differs("sandbox_tokens", name, what)
        elif owner != token.program:
            self._differs(address, f"{token.symbol} is a token of {token.program}, but its mint of {owner}")

    def _compare_purses(self) -> None:
        if self._sandbox and not self._has_faucet:
            faucet = shown(self._balances.faucet)
            self._found.differs("chain_ledger", None, f"the account of its faucet, {faucet}, is missing")
        for lamports in _PURSES if self._sandbox else ():
            purses = self._purses.get(lamports, [])
            if len(purses) != 1:
                names = " and ".join(purses) or "none"
                what = f"one account of a sandbox's chain begins with {lamports} lamports, but here {names}"
                self._found.differs("chain_accounts", purses[0] if purses else None, what)

    def _compare_keepers(self) -> None:
        """One account of the keeper, which both lists name; on a chain of before there were keepers, none of them."""
        purses = self._purses.get(KEEPER_LAMPORTS, [])
        if not (purses or self._keepers):
            return
        if len(purses) != 1 or (self._keys is not None and purses[0] != self._keys.keeper.address):
            names = " and ".join(purses) or "none"
            what = f"the keeper of a sandbox's chain begins with {KEEPER_LAMPORTS} lamports, but here {names}"
            self._found.differs("chain_accounts", purses[0] if purses else None, what)
        for program in sorted(_ORDER_PROGRAMS):
            if self._keepers.get(program) != keepers_bytes(purses):
                self._found.differs("chain_accounts", keepers_address(program), "it does not list just the keeper")

    def _compare_pool(self) -> None:
        """The owner of the account of the first token is the pool, and owns all others."""
        _, pool = self._pool.get(USDC_MINT, ("", ""))
        if self._keys is not None:
            pool = self._keys.pool.address
        for mint, (address, owner) in self._pool.items():
            token = self._tokens.get(mint)
            if token is None or owner != pool or address != associated_token_address(pool, mint, token.program):
                what = f"it belonged to {owner} before any transaction, which is not the pool's account of {mint}"
                self._found.differs("chain_accounts", address, what)
        for mint in self._priced if self._sandbox else ():
            if mint in self._tokens and mint not in self._pool:
                self._found.differs("chain_accounts", None, f"the pool's account of {mint} is missing")

    def _compare_mints(self) -> None:
        authorities = dict.fromkeys(self._mints[name].authority for name in _ISSUED if name in self._mints)
        if self._sandbox and authorities and self._authority not in authorities:
            self._found.differs("chain_ledger", None, f"the authority of its mints is not {self._authority}, its own")
        for name, token in self._tokens.items():
            if self._mints.setdefault(name, _Mint()).supply is None:
                what = f"the mint of {token.symbol} is missing on the chain"
                self._found.differs("chain_accounts", name, what)
                if name not in KNOWN_DECIMALS:  # Or its row is one too many.
                    self._found.differs("sandbox_tokens", name, what)
        for name, mint in self._mints.items():
            if mint.supply is None:
                if name not in self._tokens and mint.held:  # Else a mint that could be closed was.
                    self._found.differs("chain_accounts", name, f"{mint.held} units are held of a mint that is missing")
                continue
            # The owner of another mint may have frozen an account, and given up the right to it since.
            if mint.frozen is not None and not mint.freezer and name in self._tokens:
                self._found.differs("chain_accounts", mint.frozen, f"it is frozen, but nothing can freeze {name}")
            self._compare_kind(name, mint)
            self._compare_supply(name, mint)

    def _compare_kind(self, name: str, mint: _Mint) -> None:
        key = bytes(Pubkey.from_string(name))
        if key in self._balances.remade and name not in self._tokens:
            return
        if len(mint.programs) > 1:
            self._found.differs("chain_accounts", name, f"its accounts belong to {' and '.join(mint.programs)}")
        decimals = self._balances.decimals.get(key, mint.decimals)
        if decimals != mint.decimals:
            self._found.differs("chain_accounts", name, f"it had {decimals} decimals, and now {mint.decimals}")

    def _compare_supply(self, name: str, mint: _Mint) -> None:
        """What is held was minted, but for what the pool was given on older chains. SOL is wrapped, not minted."""
        if mint.extended or mint.supply is None or name == SOL_MINT:
            return
        given = mint.held - mint.supply
        ours = mint.authority == self._authority
        if given != 0 and not (ours and given == POOL_UNITS):
            pool = f" and {POOL_UNITS} of the pool" if ours else ""
            what = f"{mint.supply} units were minted, but {mint.held} are held: that is not the same{pool}"
            self._found.differs("chain_accounts", name, what)

    def _differs(self, address: bytes, what: str) -> None:
        self._found.differs("chain_accounts", shown(address), what)


async def _is_named(snapshot: Snapshot, address: bytes, key: bytes) -> bool:
    """Whether a transaction that mentions the account names the key: rarely asked, of accounts of strangers."""
    ((named,),) = await snapshot.fetch(_NAMED_BY, address, key)
    return bool(named)


def _is_plain(data: bytes, reserve: int | None) -> bool:
    """Whether a token account is as it was made, but for its amount."""
    mint, owner = str(Pubkey(data[:32])), str(Pubkey(data[32:64]))
    made = token_account_bytes(mint=mint, owner=owner, amount=int.from_bytes(data[64:72], "little"))
    if reserve is not None:
        native = (1).to_bytes(4, "little") + reserve.to_bytes(8, "little")
        made = made[:_NATIVE_AT] + native + made[_NATIVE_AT + len(native) :]
    return data[:TOKEN_ACCOUNT_BYTES] == made and reserve in (None, TOKEN_ACCOUNT_RENT_LAMPORTS)


def _is_possible(data: bytes) -> bool:
    """Each of the optional fields is there or not. Of a key that was taken away, the token program leaves the bytes."""
    for flag, start, end in ((72, 76, 108), (109, 113, 121), (129, 133, 165)):
        there, has_value = int.from_bytes(data[flag:start], "little"), any(data[start:end])
        # A reserve or a key that is there is not zero.
        if there > 1 or (there and not has_value) or (has_value and not there and start == _RESERVE_AT):
            return False
    reserve = int.from_bytes(data[113:121], "little")
    if len(data) == TOKEN_ACCOUNT_BYTES and reserve not in (0, TOKEN_ACCOUNT_RENT_LAMPORTS):
        return False
    if len(data) == TOKEN_ACCOUNT_BYTES + len(_OWNED_FOR_EVER) and not data.endswith(_OWNED_FOR_EVER):
        return False
    return bool(data[72]) or not any(data[121:129])
