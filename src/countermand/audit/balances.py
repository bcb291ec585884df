"""The balances of the accounts of the embedded chain, by its transactions: each begins where the one before it ended.

A transaction is stored with the lamports and tokens of its accounts before and after it. Within one, only the fee is
lost; from one to the next, nothing may change. So the last that mentions an account says what it must hold now, and
what the first one found must have been there from the beginning.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec import Struct, field
from solders.pubkey import Pubkey

from countermand.audit.findings import Audit
from countermand.audit.reading import shown
from countermand.solana.genesis import FAUCET_LAMPORTS
from countermand.solana.ledger import Meta, TokenField
from countermand.solana.tokens import SYSTEM_PROGRAM, TOKEN_2022_PROGRAM, TOKEN_PROGRAM
from countermand.solana.wire import WireTransaction

_SYSVARS: Final = "Sysvar"
_SYSTEM: Final = Pubkey.from_string(SYSTEM_PROGRAM)
_CREATE_WITH_SEED: Final = (3).to_bytes(4, "little")
_TOKEN_PROGRAMS: Final = tuple(bytes(Pubkey.from_string(each)) for each in (TOKEN_PROGRAM, TOKEN_2022_PROGRAM))
_MAKES_MINTS: Final = (b"\0", b"\x14", b"\xff")
"""InitializeMint, InitializeMint2, and a batch, which may hold one of them."""
_SEED_CHARS: Final = 32
_SEEDS: Final = re.compile(rb"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}|o[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{14}")
"""Of an order's two accounts: the id of its deposit's request, a UUID of version 4."""
_SEED_LENGTH: Final = _SEED_CHARS.to_bytes(8, "little")


class AccountHolding(NamedTuple):
    """`head`: mint, owner and amount of a token account, else None."""

    lamports: int
    head: bytes | None
    token_2022: bool


NOTHING: Final = AccountHolding(0, None, token_2022=False)


class Left(NamedTuple):
    """What the last transaction that mentions an account left there. `changed`: one of them changed it."""

    holding: AccountHolding
    position: int
    changed: bool


class OrderAccount(NamedTuple):
    """Made with a base that signs as a vault does, for who pays. Any wallet may have made it with another key of its
    own: whether the base is the payer's vault, the master seed alone says."""

    base: bytes
    payer: bytes


class ChainBalances(Struct):
    """Accounts that are gone are forgotten, so that this is as large as the chain is now."""

    faucet: bytes
    found: Audit
    left: dict[bytes, Left] = field(default_factory=dict)
    first: dict[bytes, AccountHolding] = field(default_factory=dict)
    """What was there before the first transaction that mentions it."""
    decimals: dict[bytes, int] = field(default_factory=dict)
    """Of mints whose tokens were held."""
    remade: dict[bytes, None] = field(default_factory=dict)
    """Of these mints, those that were made again: one that was closed may come back as another, of either program."""
    order_accounts: dict[bytes, OrderAccount] = field(default_factory=dict)

    def follow(self, name: str, position: int, keys: Sequence[bytes], meta: Meta) -> None:
        before, after = self._heads(meta.pre_tokens), self._heads(meta.post_tokens)
        seen: dict[bytes, None] = {}
        for index, key in enumerate(keys):
            lamports = meta.pre_balances[index]
            is_plain = index not in before and index not in after
            if is_plain and lamports == meta.post_balances[index] and self._is_known(key, lamports):
                continue  # Most accounts are programs, and only named.
            if key in seen:
                continue
            seen[key] = None
            had = _holding(lamports, before.get(index))
            has = _holding(meta.post_balances[index], after.get(index))
            self._compare(name, position, key, had)
            self._remember(position, key, had, has)

    def _is_known(self, key: bytes, lamports: int) -> bool:
        left = self.left.get(key)
        return lamports == 0 if left is None else left.holding == (lamports, None, False)

    def _heads(self, tokens: Sequence[TokenField]) -> dict[int, TokenField]:
        for token in tokens:
            self.decimals[token.head[:32]] = token.decimals
        return {token.index: token for token in tokens}

    def _compare(self, name: str, position: int, key: bytes, had: AccountHolding) -> None:
        left = self.left.get(key)
        if left is None:
            if had != NOTHING:
                self.first[key] = had
        elif left.holding != had and not self._is_a_refill(key, position, left, had) and not _is_a_sysvar(key):
            what = f"{shown(key)} held {told(had)} before it, but {told(left.holding)} after the one before"
            self.found.differs("chain_transactions", name, what)

    def _is_a_refill(self, key: bytes, position: int, left: Left, had: AccountHolding) -> bool:
        """The faucet is filled up without a transaction, which takes a position of its own."""
        return key == self.faucet and had.lamports == FAUCET_LAMPORTS and position > left.position + 1

    def _remember(self, position: int, key: bytes, had: AccountHolding, has: AccountHolding) -> None:
        left = self.left.get(key)
        if has == NOTHING:
            self.left.pop(key, None)
            self.order_accounts.pop(key, None)
            return
        changed = had != has or (left is not None and left.changed)
        self.left[key] = Left(has, position, changed)

    def note_remade_mints(self, transaction: WireTransaction, keys: Sequence[bytes], meta: Meta) -> None:
        """Before its own balances are followed, which tell of the mints that it makes. A program may make one, too."""
        known = {index for index, key in enumerate(keys) if key in self.decimals}
        if not known:
            return
        calls = [(each.program_id_index, each.accounts, each.data) for each in transaction.message.instructions]
        calls += [(each.program_index, each.accounts, each.data) for _, inner in meta.inner for each in inner]
        for program, accounts, data in calls:
            if keys[program] in _TOKEN_PROGRAMS and bytes(data[:1]) in _MAKES_MINTS:
                self.remade |= {keys[index]: None for index in bytes(accounts) if index in known}

    def note_order_accounts(self, transaction: WireTransaction, keys: Sequence[bytes]) -> None:
        """`CreateAccountWithSeed` with a base that does not pay, and a seed like an order's."""
        if _SEED_LENGTH not in transaction.raw:
            return
        for call in transaction.message.instructions:
            data, accounts = bytes(call.data), bytes(call.accounts)
            if keys[call.program_id_index] != bytes(_SYSTEM) or not data.startswith(_CREATE_WITH_SEED):
                continue
            base, length, seed = data[4:36], data[36:44], data[44 : 44 + _SEED_CHARS]
            if length != _SEED_LENGTH or _SEEDS.fullmatch(seed) is None or base == keys[0]:
                continue
            if len(accounts) > 1 and keys[accounts[1]] in self.left:
                self.order_accounts[keys[accounts[1]]] = OrderAccount(base, keys[0])


def _holding(lamports: int, token: TokenField | None) -> AccountHolding:
    return (
        AccountHolding(lamports, None, token_2022=False)
        if token is None
        else AccountHolding(lamports, token.head, token.token_2022)
    )


def told(holding: AccountHolding) -> str:
    if holding.head is None:
        return f"{holding.lamports} lamports"
    return f"{int.from_bytes(holding.head[64:72], 'little')} units and {holding.lamports} lamports"


def _is_a_sysvar(key: bytes) -> bool:
    """The machine makes these by itself."""
    return shown(key).startswith(_SYSVARS)
