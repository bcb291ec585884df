"""Methods about accounts, tokens among them: one, many, all of a program, the largest."""

import asyncio
from collections.abc import Callable, Sequence
from heapq import nlargest
from typing import Annotated, Final

import msgspec
from solders.pubkey import Pubkey

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.facade import params
from countermand.solana.facade.dispatch import encode
from countermand.solana.facade.encode import (
    TOKEN_PROGRAM_NAMES,
    account_json,
    mint_of,
    token_account_of,
    unit_of,
    units_of,
)
from countermand.solana.facade.errors import answer_too_large, invalid_params, shown
from countermand.solana.facade.filters import account_filters
from countermand.solana.facade.group import Json, MethodGroup, at
from countermand.solana.facade.params import AccountEncoding, LargestFilter, address
from countermand.solana.port import AccountInfo, Address, Memcmp
from countermand.solana.tokens import Mint

ACCOUNTS_MAX: Final = 100
LARGEST_MAX: Final = 20
_FILTERED_PER_TURN: Final = 1_000
_ACCOUNTS_PER_TURN: Final = 200
"""How many accounts are written before other work gets its turn; about a millisecond."""

_BYTES_PER_TURN: Final = 1 << 20
_HAS_DELEGATE: Final = (72, b"\1\0\0\0")
_DELEGATE_AT: Final = 76
_MINT_AT: Final = 0

Addresses = Annotated[list[str], msgspec.Meta(max_length=ACCOUNTS_MAX)]
Keyed = Sequence[tuple[Address, AccountInfo]]


class AccountWriter:
    """Writes accounts one by one, so that many neither hold the loop nor lie in memory as objects."""

    def __init__(self, chain: EmbeddedChain, bytes_max: int, scans: asyncio.Semaphore) -> None:
        self._chain = chain
        self._bytes_max = bytes_max
        self._scans = scans

    async def shown(
        self,
        accounts: Sequence[tuple[Address, AccountInfo | None]],
        config: params.ReadAccount,
        default: AccountEncoding,
    ) -> list[msgspec.Raw | None]:
        """Accounts as asked for; `default` is the method's own encoding."""
        encoding, window = config.encoding or default, config.data_slice
        if sum(_bytes_shown(info, window) for _, info in accounts if info is not None) > self._bytes_max:
            raise answer_too_large(self._bytes_max)
        parses = encoding is AccountEncoding.JSON_PARSED
        units = await units_of(self._chain, [info for _, info in accounts]) if parses else {}
        written: list[msgspec.Raw | None] = []
        size = turn = 0
        for key, info in accounts:
            piece = b"" if info is None else encode(account_json(key, info, encoding, window, units))
            written.append(msgspec.Raw(piece) if piece else None)
            size += len(piece)
            if size > self._bytes_max:
                raise answer_too_large(self._bytes_max)
            if size - turn > _BYTES_PER_TURN:
                turn = size
                await asyncio.sleep(0)
        return written

    async def keyed(self, found: Keyed, config: params.ReadAccount) -> msgspec.Raw:
        pieces: list[bytes] = []
        size = 0
        async with self._scans:
            for start in range(0, len(found), _ACCOUNTS_PER_TURN):
                turn = found[start : start + _ACCOUNTS_PER_TURN]
                written = await self.shown(turn, config, AccountEncoding.BINARY)
                keyed = [{"pubkey": key, "account": account} for (key, _), account in zip(turn, written, strict=True)]
                pieces.append(encode(keyed)[1:-1])
                size += len(pieces[-1])
                if size > self._bytes_max:
                    raise answer_too_large(self._bytes_max)
                await asyncio.sleep(0)
        return msgspec.Raw(b"[%b]" % b",".join(pieces))


class AccountMethods(MethodGroup):
    def __init__(self, chain: EmbeddedChain, writer: AccountWriter, scans: asyncio.Semaphore) -> None:
        super().__init__(chain)
        self._writer = writer
        self._scans = scans

    async def get_balance(self, account: str, config: params.Read | None = None) -> Json:
        slot = await self._slot(config)
        (info,) = await self._chain.accounts([address(account)])
        return at(slot, info.lamports if info else 0)

    async def get_account_info(self, account: str, config: params.ReadAccount | None = None) -> Json:
        slot, config, key = await self._slot(config), config or params.ReadAccount(), address(account)
        (info,) = await self._chain.accounts([key])
        (shown_account,) = await self._writer.shown([(key, info)], config, AccountEncoding.BINARY)
        return at(slot, shown_account)

    async def get_multiple_accounts(self, accounts: Addresses, config: params.ReadAccount | None = None) -> Json:
        slot, config = await self._slot(config), config or params.ReadAccount()
        keys = [address(account) for account in accounts]
        found = zip(keys, await self._chain.accounts(keys), strict=True)
        return at(slot, await self._writer.shown(list(found), config, AccountEncoding.BASE64))

    async def get_program_accounts(self, program: str, config: params.ReadProgram | None = None) -> object:
        slot, config = await self._slot(config), config or params.ReadProgram()
        keeps = account_filters(config.filters or [])
        size = keeps.data_sizes[0] if keeps.data_sizes else None
        candidates = await self._chain.program_accounts(address(program), data_size=size, memcmp=keeps.memcmp)
        found = await self._writer.keyed(await _in_shares(candidates, keeps), config)
        return at(slot, found) if config.with_context else found

    async def get_supply(self, config: params.ReadSupply | None = None) -> Json:
        """What the faucet holds is not in circulation."""
        slot, config = await self._slot(config), config or params.ReadSupply()
        async with self._scans:
            total = await self._chain.blocks.total_lamports()
        faucet = self._chain.faucet
        (info,) = [None] if faucet is None else await self._chain.accounts([faucet])
        held = 0 if info is None else info.lamports
        lists = faucet is not None and not config.exclude_non_circulating_accounts_list
        supply = {"total": total, "circulating": total - held, "nonCirculating": held}
        return at(slot, {**supply, "nonCirculatingAccounts": [faucet] if lists else []})

    async def get_largest_accounts(self, config: params.ReadLargest | None = None) -> Json:
        slot, config = await self._slot(config), config or params.ReadLargest()
        async with self._scans:
            found = await self._chain.blocks.richest(LARGEST_MAX + 1)
        if config.filter is not None:
            of_faucet = config.filter is LargestFilter.NON_CIRCULATING
            found = [entry for entry in found if (entry[0] == self._chain.faucet) == of_faucet]
        return at(slot, [{"address": key, "lamports": held} for key, held in found[:LARGEST_MAX]])

    # Tokens.

    async def get_token_account_balance(self, account: str, config: params.Read | None = None) -> Json:
        slot = await self._slot(config)
        (info,) = await self._chain.accounts([address(account)])
        if info is None:
            raise invalid_params("Invalid param: could not find account")
        token_account = token_account_of(info)
        units = await units_of(self._chain, [info])
        if token_account is None or str(token_account.mint) not in units:
            raise invalid_params("Invalid param: not a Token account")
        return at(slot, units[str(token_account.mint)].amount(token_account.amount))

    async def get_token_supply(self, mint: str, config: params.Read | None = None) -> Json:
        slot = await self._slot(config)
        (info,) = await self._chain.accounts([address(mint)])
        if info is None:
            raise invalid_params("Invalid param: could not find account")
        found = mint_of(info)
        if found is None:
            raise invalid_params("Invalid param: not a Token mint")
        return at(slot, unit_of(self._chain, found).amount(found.supply))

    async def get_token_largest_accounts(self, mint: str, config: params.Read | None = None) -> Json:
        slot, key = await self._slot(config), address(mint)
        program, of_mint = await self._mint(key)
        found = await self._token_accounts(program, [(_MINT_AT, bytes(Pubkey.from_string(key)))])
        balances = [(account.amount, owned) for owned, info in found if (account := token_account_of(info))]
        largest, unit = nlargest(LARGEST_MAX, balances), unit_of(self._chain, of_mint)
        return at(slot, [{"address": owned, **unit.amount(held)} for held, owned in largest])

    async def get_token_accounts_by_owner(
        self, owner: str, among: params.TokenAccountsFilter, config: params.ReadAccount | None = None
    ) -> Json:
        slot, config = await self._slot(config), config or params.ReadAccount()
        program, mint = await self._token_filter(among)
        found = await self._chain.token_accounts_by_owner(address(owner), mint=mint, program=program)
        return at(slot, await self._writer.keyed(found, config))

    async def get_token_accounts_by_delegate(
        self, delegate: str, among: params.TokenAccountsFilter, config: params.ReadAccount | None = None
    ) -> Json:
        slot, config = await self._slot(config), config or params.ReadAccount()
        program, mint = await self._token_filter(among)
        wanted = [_HAS_DELEGATE, (_DELEGATE_AT, bytes(Pubkey.from_string(address(delegate))))]
        if mint is not None:
            wanted.append((_MINT_AT, bytes(Pubkey.from_string(mint))))
        return at(slot, await self._writer.keyed(await self._token_accounts(program, wanted), config))

    async def _token_accounts(self, program: Address, memcmp: Sequence[Memcmp]) -> Keyed:
        async with self._scans:
            found = await self._chain.program_accounts(program, memcmp=memcmp)
            return await _in_shares(found, lambda info: token_account_of(info) is not None)

    async def _token_filter(self, among: params.TokenAccountsFilter) -> tuple[Address, Address | None]:
        """The token program, and the mint if one is asked for."""
        if (among.mint is None) == (among.program_id is None):
            raise invalid_params("Invalid params: exactly one of mint and programId is expected")
        if among.program_id is not None:
            if (program := address(among.program_id)) not in TOKEN_PROGRAM_NAMES:
                raise invalid_params(f"Invalid param: unrecognized Token program id: {shown(program)}")
            return program, None
        assert among.mint is not None
        mint = address(among.mint)
        return (await self._mint(mint))[0], mint

    async def _mint(self, key: Address) -> tuple[Address, Mint]:
        """A mint, and the program that it belongs to."""
        (info,) = await self._chain.accounts([key])
        if info is None or (found := mint_of(info)) is None:
            raise invalid_params(f"Invalid param: could not find mint: {shown(key)}")
        return info.owner, found


def _bytes_shown(info: AccountInfo, window: params.DataSlice | None) -> int:
    """At least; base64 needs four characters for three bytes. What is compressed counts as it was before."""
    size = len(info.data)
    if window is not None:
        size = min(window.length, max(0, size - window.offset))
    return size * 4 // 3


async def _in_shares(entries: Keyed, keeps: Callable[[AccountInfo], bool]) -> Keyed:
    """Those that are kept. Others get their turn in between."""
    kept: list[tuple[Address, AccountInfo]] = []
    for start in range(0, len(entries), _FILTERED_PER_TURN):
        kept += [entry for entry in entries[start : start + _FILTERED_PER_TURN] if keeps(entry[1])]
        await asyncio.sleep(0)
    return kept
