"""The methods of a node, over the embedded chain. Each is named on the wire as here, but in camel case.

Everything that landed is finalized, so the three commitments mean the same; `minContextSlot` is honoured.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final

import base58
import msgspec
from solders.message import MessageV0

from countermand.solana.clockwork import SLOTS_PER_EPOCH
from countermand.solana.embedded import EmbeddedChain
from countermand.solana.errors import SIGNATURE_FAILURE
from countermand.solana.facade import params
from countermand.solana.facade.dispatch import ANSWER_BYTES_MAX, encode
from countermand.solana.facade.encode import (
    TOKEN_PROGRAMS,
    account_json,
    decimals_of,
    mint_of,
    token_account_of,
    token_amount,
)
from countermand.solana.facade.errors import (
    answer_too_large,
    invalid_params,
    no_faucet,
    preflight_failure,
    shown,
    signature_failure,
    slot_not_reached,
)
from countermand.solana.facade.filters import account_filters
from countermand.solana.facade.params import AccountEncoding, TransactionEncoding, Unsigned, WireEncoding, address
from countermand.solana.facade.transactions import (
    inner_instructions_json,
    return_data_json,
    status_json,
    transaction_json,
    wire_transaction,
)
from countermand.solana.fees import fee_of, message_of
from countermand.solana.ledger import DetailedSimulation
from countermand.solana.port import FEE_ADDRESSES_MAX, AccountInfo, Address, JsonError
from countermand.solana.wire import WireTransaction

API_VERSION: Final = "4.1.2"
"""The version of Agave whose runtime the virtual machine contains."""

ACCOUNTS_MAX: Final = 100
STATUSES_MAX: Final = 256
_ACCOUNT_BYTES_MAX: Final = 10 * 1024 * 1024
_FILTERED_PER_TURN: Final = 1_000
_SCANS_MAX: Final = 4
"""How many lists of accounts are written at a time; others wait for their turn."""

_ACCOUNTS_PER_TURN: Final = 200
"""How many accounts are written before other work gets its turn; about a millisecond."""

Json = dict[str, Any]
Addresses = Annotated[list[str], msgspec.Meta(max_length=ACCOUNTS_MAX)]
FeeAddresses = Annotated[list[str], msgspec.Meta(max_length=FEE_ADDRESSES_MAX)]
Signatures = Annotated[list[str], msgspec.Meta(max_length=STATUSES_MAX)]
Lamports = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


Airdrop = Callable[[Address, int], Awaitable[str]]


class RpcMethods:
    """`send` takes signed transactions; the chain's own, or one that loses and delays them.

    `airdrop` gives lamports to an address, and raises `ValueError` if it will not. None: a node without a faucet.
    """

    def __init__(
        self,
        chain: EmbeddedChain,
        send: Callable[[bytes], Awaitable[None]],
        airdrop: Airdrop | None = None,
        *,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
    ) -> None:
        self._chain = chain
        self._send = send
        self._airdrop = airdrop
        self._answer_bytes_max = answer_bytes_max
        self._scans = asyncio.Semaphore(_SCANS_MAX)

    def by_name(self) -> dict[str, Callable[..., Awaitable[object]]]:
        names = (
            name for name in vars(type(self)) if name.split("_")[0] in ("get", "is", "request", "send", "simulate")
        )
        return {_camel_case(name): getattr(self, name) for name in names}

    # The node and its time.

    async def get_health(self) -> str:
        await self._slot(None)
        return "ok"

    async def get_version(self) -> Json:
        return {"solana-core": API_VERSION, "feature-set": 0}

    async def get_identity(self) -> Json:
        return {"identity": self._chain.genesis_hash}

    async def get_genesis_hash(self) -> str:
        return self._chain.genesis_hash

    async def get_slot(self, config: params.Read | None = None) -> int:
        return await self._slot(config)

    async def get_block_height(self, config: params.Read | None = None) -> int:
        return await self._slot(config)

    async def get_epoch_info(self, config: params.Read | None = None) -> Json:
        """Without `transactionCount`, which is not counted here: to all clients it is optional."""
        slot = await self._slot(config)
        return {
            "absoluteSlot": slot,
            "blockHeight": slot,
            "epoch": slot // SLOTS_PER_EPOCH,
            "slotIndex": slot % SLOTS_PER_EPOCH,
            "slotsInEpoch": SLOTS_PER_EPOCH,
        }

    async def get_epoch_schedule(self) -> Json:
        schedule = {"slotsPerEpoch": SLOTS_PER_EPOCH, "leaderScheduleSlotOffset": SLOTS_PER_EPOCH}
        return {**schedule, "warmup": False, "firstNormalEpoch": 0, "firstNormalSlot": 0}

    async def get_block_time(self, slot: Unsigned) -> int:
        if slot > await self._slot(None):
            raise invalid_params(f"Block not available for slot {slot}")
        return self._chain.block_time(slot)

    async def get_first_available_block(self) -> int:
        return 0

    # Blockhashes, fees and rent.

    async def get_latest_blockhash(self, config: params.Read | None = None) -> Json:
        slot = await self._slot(config)
        latest = await self._chain.latest_blockhash()
        value = {"blockhash": latest.blockhash, "lastValidBlockHeight": latest.last_valid_block_height}
        return _at(slot, value)

    async def is_blockhash_valid(self, blockhash: str, config: params.Read | None = None) -> Json:
        return _at(await self._slot(config), self._chain.is_blockhash_valid(address(blockhash)))

    async def get_fee_for_message(self, message: str, config: params.Read | None = None) -> Json:
        """Null when the message's blockhash is not valid any more, and no nonce account holds it."""
        slot, decoded = await self._slot(config), message_of(message)
        return _at(slot, fee_of(decoded) if await self._chain.is_in_time(decoded) else None)

    async def get_recent_prioritization_fees(self, addresses: FeeAddresses | None = None) -> list[Json]:
        slot = await self._slot(None)
        fees = await self._chain.recent_prioritization_fees([address(text) for text in addresses or []])
        first = slot - len(fees) + 1
        return [{"slot": first + i, "prioritizationFee": fee} for i, fee in enumerate(fees)]

    async def get_minimum_balance_for_rent_exemption(self, size: Unsigned, config: params.Read | None = None) -> int:
        await self._slot(config)
        if size > _ACCOUNT_BYTES_MAX:
            raise invalid_params(f"Invalid params: an account has at most {_ACCOUNT_BYTES_MAX} bytes, got {size}")
        return self._chain.rent_lamports(size)

    # Accounts.

    async def get_balance(self, account: str, config: params.Read | None = None) -> Json:
        slot = await self._slot(config)
        (info,) = await self._chain.accounts([address(account)])
        return _at(slot, info.lamports if info else 0)

    async def get_account_info(self, account: str, config: params.ReadAccount | None = None) -> Json:
        slot, config = await self._slot(config), config or params.ReadAccount()
        (info,) = await self._chain.accounts([address(account)])
        (shown_account,) = await self.shown([info], config, AccountEncoding.BINARY)
        return _at(slot, shown_account)

    async def get_multiple_accounts(self, accounts: Addresses, config: params.ReadAccount | None = None) -> Json:
        slot, config = await self._slot(config), config or params.ReadAccount()
        infos = await self._chain.accounts([address(account) for account in accounts])
        return _at(slot, await self.shown(infos, config, AccountEncoding.BASE64))

    async def get_program_accounts(self, program: str, config: params.ReadProgram | None = None) -> object:
        slot, config = await self._slot(config), config or params.ReadProgram()
        keeps = account_filters(config.filters or [])
        size = keeps.data_sizes[0] if keeps.data_sizes else None
        candidates = await self._chain.program_accounts(address(program), data_size=size, memcmp=keeps.memcmp)
        kept = await _in_shares(candidates, lambda entry: keeps(entry[1]))
        found = await self.keyed(kept, config)
        return _at(slot, found) if config.with_context else found

    # Tokens.

    async def get_token_account_balance(self, account: str, config: params.Read | None = None) -> Json:
        slot = await self._slot(config)
        (info,) = await self._chain.accounts([address(account)])
        if info is None:
            raise invalid_params("Invalid param: could not find account")
        token_account = token_account_of(info)
        decimals = await decimals_of(self._chain, [info])
        if token_account is None or str(token_account.mint) not in decimals:
            raise invalid_params("Invalid param: not a Token account")
        return _at(slot, token_amount(token_account.amount, decimals[str(token_account.mint)]))

    async def get_token_supply(self, mint: str, config: params.Read | None = None) -> Json:
        slot = await self._slot(config)
        (info,) = await self._chain.accounts([address(mint)])
        if info is None:
            raise invalid_params("Invalid param: could not find account")
        found = mint_of(info)
        if found is None:
            raise invalid_params("Invalid param: not a Token mint")
        return _at(slot, token_amount(found.supply, found.decimals))

    async def get_token_accounts_by_owner(
        self, owner: str, among: params.TokenAccountsFilter, config: params.ReadAccount | None = None
    ) -> Json:
        slot, config = await self._slot(config), config or params.ReadAccount()
        mint, program = await self._token_filter(among)
        found = await self._chain.token_accounts_by_owner(address(owner), mint=mint, program=program)
        return _at(slot, await self.keyed(found, config))

    async def _token_filter(self, among: params.TokenAccountsFilter) -> tuple[Address | None, Address | None]:
        if (among.mint is None) == (among.program_id is None):
            raise invalid_params("Invalid params: exactly one of mint and programId is expected")
        if among.program_id is not None:
            if (program := address(among.program_id)) not in TOKEN_PROGRAMS:
                raise invalid_params(f"Invalid param: unrecognized Token program id: {shown(program)}")
            return None, program
        assert among.mint is not None
        mint = address(among.mint)
        (info,) = await self._chain.accounts([mint])
        if info is None or mint_of(info) is None:
            raise invalid_params(f"Invalid param: could not find mint: {shown(mint)}")
        return mint, None

    # Transactions.

    async def request_airdrop(self, account: str, lamports: Lamports, config: params.Read | None = None) -> str:
        await self._slot(config)
        to = address(account)
        if self._airdrop is None:
            raise no_faucet()
        try:
            return await self._airdrop(to, lamports)
        except ValueError as problem:
            raise invalid_params(f"Invalid params: {problem}") from None

    async def send_transaction(self, transaction: str, config: params.SendTransaction | None = None) -> str:
        """With `skipPreflight` the signature comes back even if the transaction never lands, as from a node."""
        config = config or params.SendTransaction()
        wire = wire_transaction(transaction, config.encoding or WireEncoding.BASE58)
        await self._reached(config.min_context_slot)
        if not config.skip_preflight:
            preflight = await self._chain.preflight(wire.raw)
            if preflight.error == SIGNATURE_FAILURE:
                raise signature_failure()
            if preflight.error is not None:
                raise preflight_failure(preflight.error, preflight.logs, _outcome(preflight))
        await self._send(wire.raw)
        return base58.b58encode(wire.signature).decode()

    async def simulate_transaction(self, transaction: str, config: params.SimulateTransaction | None = None) -> Json:
        slot, config = await self._slot(config), config or params.SimulateTransaction()
        verify, replace = bool(config.sig_verify), bool(config.replace_recent_blockhash)
        if verify and replace:
            raise invalid_params("sigVerify may not be used with replaceRecentBlockhash")
        wire = wire_transaction(transaction, config.encoding or WireEncoding.BASE58)
        outcome = await self._chain.simulate_transaction(wire.raw, verify_signatures=verify, replace_blockhash=replace)
        if outcome.error == SIGNATURE_FAILURE:
            raise signature_failure()
        value = {
            "err": outcome.error,
            "logs": list(outcome.logs),
            "accounts": await self._simulated_accounts(outcome, config.accounts),
            **_outcome(outcome),
            "innerInstructions": _inner(wire, outcome) if config.inner_instructions else None,
        }
        return _at(slot, value)

    async def get_signature_statuses(self, signatures: Signatures, config: params.ReadStatuses | None = None) -> Json:
        del config  # The whole history is searched in any case.
        slot = await self._slot(None)
        found = [await self._chain.signature_status(params.signature(text)) for text in signatures]
        return _at(slot, [None if status is None else _status(status.slot, status.error) for status in found])

    async def get_signatures_for_address(self, account: str, config: params.ReadSignatures | None = None) -> list[Json]:
        await self._slot(config)
        config = config or params.ReadSignatures()
        found = await self._chain.signatures_for_address(
            address(account),
            limit=config.limit or 1000,
            before=None if config.before is None else params.signature(config.before),
            until=None if config.until is None else params.signature(config.until),
        )
        return [
            {
                "signature": entry.signature,
                "slot": entry.slot,
                "err": entry.error,
                "memo": None,
                "blockTime": entry.block_time,
                "confirmationStatus": "finalized",
            }
            for entry in found
        ]

    async def get_transaction(
        self, signature: str, config: TransactionEncoding | params.ReadTransaction | None = None
    ) -> Json | None:
        if not isinstance(config, params.ReadTransaction):
            config = params.ReadTransaction(encoding=config)
        await self._slot(config)
        (landed,) = await self._chain.transactions([params.signature(signature)])
        if landed is None:
            return None
        return transaction_json(
            landed, config.encoding or TransactionEncoding.JSON, config.max_supported_transaction_version
        )

    # What they share.

    async def shown(
        self, infos: Sequence[AccountInfo | None], config: params.ReadAccount, default: AccountEncoding
    ) -> list[Json | None]:
        """Accounts as asked for; `default` is the method's own encoding."""
        encoding = config.encoding or default
        if sum(_bytes_shown(info, config.data_slice) for info in infos if info is not None) > self._answer_bytes_max:
            raise answer_too_large(self._answer_bytes_max)
        decimals = await decimals_of(self._chain, infos) if encoding is AccountEncoding.JSON_PARSED else {}
        return [None if info is None else account_json(info, encoding, config.data_slice, decimals) for info in infos]

    async def keyed(self, found: Sequence[tuple[Address, AccountInfo]], config: params.ReadAccount) -> msgspec.Raw:
        """Written piece by piece, so that many neither hold the loop nor lie in memory as objects."""
        pieces: list[bytes] = []
        size = 0
        async with self._scans:
            for start in range(0, len(found), _ACCOUNTS_PER_TURN):
                turn = found[start : start + _ACCOUNTS_PER_TURN]
                written = await self.shown([info for _, info in turn], config, AccountEncoding.BINARY)
                keyed = [{"pubkey": key, "account": account} for (key, _), account in zip(turn, written, strict=True)]
                pieces.append(encode(keyed)[1:-1])
                size += len(pieces[-1])
                if size > self._answer_bytes_max:
                    raise answer_too_large(self._answer_bytes_max)
                await asyncio.sleep(0)
        return msgspec.Raw(b"[%b]" % b",".join(pieces))

    async def _simulated_accounts(
        self, outcome: DetailedSimulation, asked: params.SimulatedAccounts | None
    ) -> list[Json | None] | None:
        if asked is None:
            return None
        encoding = asked.encoding or AccountEncoding.BASE64
        if encoding in (AccountEncoding.BINARY, AccountEncoding.BASE58):
            raise invalid_params("base58 encoding not supported")
        if len(asked.addresses) > ACCOUNTS_MAX:
            raise invalid_params(f"Too many accounts provided; max {ACCOUNTS_MAX}")
        addresses = [address(text) for text in asked.addresses]
        if outcome.error is not None:
            return [None] * len(addresses)
        before = await self._chain.accounts(addresses)
        after = [outcome.accounts.get(key, info) for key, info in zip(addresses, before, strict=True)]
        return await self.shown(after, params.ReadAccount(encoding=encoding), encoding)

    async def _slot(self, config: params.Read | None) -> int:
        """The slot that an answer is about: read before the state, so the state is never older than it says."""
        return await self._reached(None if config is None else config.min_context_slot)

    async def _reached(self, wanted: int | None) -> int:
        slot = await self._chain.finalized_block_height()
        if wanted is not None and slot < wanted:
            raise slot_not_reached(slot)
        return slot


def _status(slot: int, error: JsonError | None) -> Json:
    shown_status = {"slot": slot, "confirmations": None, "err": error, "status": status_json(error)}
    return {**shown_status, "confirmationStatus": "finalized"}


def _outcome(simulation: DetailedSimulation) -> Json:
    returned, replacement = simulation.return_data, simulation.replacement_blockhash
    return {
        "unitsConsumed": simulation.units_consumed,
        "returnData": None if returned is None else return_data_json(returned),
        "replacementBlockhash": None
        if replacement is None
        else {"blockhash": replacement.blockhash, "lastValidBlockHeight": replacement.last_valid_block_height},
    }


def _inner(wire: WireTransaction, simulation: DetailedSimulation) -> list[Json]:
    """In words, unless lookup tables add keys: the simulation does not name those."""
    tables = isinstance(wire.message, MessageV0) and wire.message.address_table_lookups
    keys = None if tables else [str(key) for key in wire.static_keys]
    return inner_instructions_json(simulation.inner_instructions, keys)


def _bytes_shown(info: AccountInfo, window: params.DataSlice | None) -> int:
    """At least; base64 needs four characters for three bytes."""
    size = len(info.data)
    if window is not None:
        size = min(window.length, max(0, size - window.offset))
    return size * 4 // 3


async def _in_shares(
    entries: Sequence[tuple[Address, AccountInfo]], keeps: Callable[[tuple[Address, AccountInfo]], bool]
) -> list[tuple[Address, AccountInfo]]:
    """Those that are kept. Others get their turn in between."""
    kept: list[tuple[Address, AccountInfo]] = []
    for start in range(0, len(entries), _FILTERED_PER_TURN):
        kept += filter(keeps, entries[start : start + _FILTERED_PER_TURN])
        await asyncio.sleep(0)
    return kept


def _at(slot: int, value: object) -> Json:
    return {"context": {"apiVersion": API_VERSION, "slot": slot}, "value": value}


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
