"""The methods of a node, over the embedded chain. Each is named on the wire as here, but in camel case."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Final

import base58
import msgspec
from solders.message import MessageV0

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.errors import LOOKUP_FAILURES, SIGNATURE_FAILURE
from countermand.solana.facade import params
from countermand.solana.facade.accounts import AccountMethods, AccountWriter
from countermand.solana.facade.blocks import BlockMethods
from countermand.solana.facade.cluster import ClusterMethods
from countermand.solana.facade.dispatch import ANSWER_BYTES_MAX
from countermand.solana.facade.errors import (
    bound_not_found,
    invalid_params,
    invalid_transaction,
    no_faucet,
    preflight_failure,
    signature_failure,
)
from countermand.solana.facade.group import Json, MethodGroup, at
from countermand.solana.facade.params import (
    AccountEncoding,
    TransactionEncoding,
    Unsigned,
    WireEncoding,
    address,
    message_of,
)
from countermand.solana.facade.transactions import (
    inner_instructions_json,
    loaded_addresses_json,
    return_data_json,
    status_json,
    token_balance_json,
    transaction_json,
    wire_transaction,
)
from countermand.solana.fees import fee_of
from countermand.solana.ledger import DetailedSimulation, TokenBalance
from countermand.solana.port import FEE_ADDRESSES_MAX, Address, JsonError
from countermand.solana.wire import WireTransaction

STATUSES_MAX: Final = 256
_ACCOUNT_BYTES_MAX: Final = 10 * 1024 * 1024
_SCANS_MAX: Final = 4
"""How many lists of accounts, blocks and counts are under way at a time; others wait for their turn."""

FeeAddresses = Annotated[list[str], msgspec.Meta(max_length=FEE_ADDRESSES_MAX)]
Signatures = Annotated[list[str], msgspec.Meta(max_length=STATUSES_MAX)]
Lamports = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]

Airdrop = Callable[[Address, int], Awaitable[str]]


class RpcMethods(MethodGroup):
    """All of them; here are those about blockhashes, fees and transactions.

    `send` takes signed transactions; the chain's own, or one that loses and delays them. `airdrop` gives lamports to an
    address, and raises `ValueError` if it will not. None: a node without a faucet.
    """

    def __init__(
        self,
        chain: EmbeddedChain,
        send: Callable[[bytes], Awaitable[None]],
        airdrop: Airdrop | None = None,
        *,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
    ) -> None:
        super().__init__(chain)
        self._send = send
        self._airdrop = airdrop
        scans = asyncio.Semaphore(_SCANS_MAX)
        self._accounts = AccountWriter(chain, answer_bytes_max, scans)
        self._others: tuple[MethodGroup, ...] = (
            ClusterMethods(chain),
            BlockMethods(chain, answer_bytes_max, scans),
            AccountMethods(chain, self._accounts, scans),
        )

    def by_name(self) -> dict[str, Callable[..., Awaitable[object]]]:
        named = super().by_name()
        for group in self._others:
            named |= group.by_name()
        return named

    # Blockhashes, fees and rent.

    async def get_latest_blockhash(self, config: params.Read | None = None) -> Json:
        slot = await self._slot(config)
        latest = await self._chain.latest_blockhash()
        value = {"blockhash": latest.blockhash, "lastValidBlockHeight": latest.last_valid_block_height}
        return at(slot, value)

    async def is_blockhash_valid(self, blockhash: str, config: params.Read | None = None) -> Json:
        return at(await self._slot(config), self._chain.is_blockhash_valid(address(blockhash)))

    async def get_fee_for_message(self, message: str, config: params.Read | None = None) -> Json:
        """Null when the message's blockhash is not valid any more, and no nonce account holds it."""
        slot, decoded = await self._slot(config), message_of(message)
        return at(slot, fee_of(decoded) if await self._chain.is_in_time(decoded) else None)

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
            preflight = _sound(await self._chain.preflight(wire.raw))
            if preflight.error is not None:
                raise preflight_failure(preflight.error, preflight.logs, _outcome(preflight))
        elif isinstance(wire.message, MessageV0) and wire.message.address_table_lookups:
            # What its tables add is looked up in any case.
            _sound(await self._chain.simulate_transaction(wire.raw, verify_signatures=False, replace_blockhash=True))
        await self._send(wire.raw)
        return base58.b58encode(wire.signature).decode()

    async def simulate_transaction(self, transaction: str, config: params.SimulateTransaction | None = None) -> Json:
        slot, config = await self._slot(config), config or params.SimulateTransaction()
        verify, replace = bool(config.sig_verify), bool(config.replace_recent_blockhash)
        if verify and replace:
            raise invalid_params("sigVerify may not be used with replaceRecentBlockhash")
        wire = wire_transaction(transaction, config.encoding or WireEncoding.BASE58)
        outcome = _sound(
            await self._chain.simulate_transaction(wire.raw, verify_signatures=verify, replace_blockhash=replace)
        )
        value = {
            "err": outcome.error,
            "logs": list(outcome.logs),
            "accounts": await self._simulated_accounts(wire, outcome, config.accounts),
            **_outcome(outcome),
            "innerInstructions": _inner(wire, outcome) if config.inner_instructions else None,
        }
        return at(slot, value)

    async def get_signature_statuses(self, signatures: Signatures, config: params.ReadStatuses | None = None) -> Json:
        del config  # The whole history is searched in any case.
        slot = await self._slot(None)
        found = [await self._chain.signature_status(params.signature(text)) for text in signatures]
        return at(slot, [None if status is None else _status(status.slot, status.error) for status in found])

    async def get_signatures_for_address(self, account: str, config: params.ReadSignatures | None = None) -> list[Json]:
        await self._confirmed_slot(config)
        config = config or params.ReadSignatures()
        before, until = [None if text is None else params.signature(text) for text in (config.before, config.until)]
        found = await self._chain.signatures_for_address(
            address(account), limit=config.limit or 1000, before=before, until=until
        )
        for bound in (before, until):
            if bound is not None and await self._chain.signature_status(bound) is None:
                raise bound_not_found(bound)
        return [
            {
                "signature": entry.signature,
                "slot": entry.slot,
                "err": entry.error,
                "memo": entry.memo,
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
        await self._confirmed_slot(config)
        (landed,) = await self._chain.transactions([params.signature(signature)])
        if landed is None:
            return None
        return transaction_json(
            landed, config.encoding or TransactionEncoding.JSON, config.max_supported_transaction_version
        )

    async def _simulated_accounts(
        self, wire: WireTransaction, outcome: DetailedSimulation, asked: params.SimulatedAccounts | None
    ) -> Sequence[object] | None:
        if asked is None:
            return None
        encoding = asked.encoding or AccountEncoding.BASE64
        if encoding in (AccountEncoding.BINARY, AccountEncoding.BASE58):
            raise invalid_params("base58 encoding not supported")
        if len(asked.addresses) > (accounts_max := _accounts_of(wire)):
            raise invalid_params(f"Too many accounts provided; max {accounts_max}")
        addresses = [address(text) for text in asked.addresses]
        if outcome.error is not None:
            return [None] * len(addresses)
        before = await self._chain.accounts(addresses)
        after = [outcome.accounts.get(key, info) for key, info in zip(addresses, before, strict=True)]
        config = params.ReadAccount(encoding=encoding)
        return await self._accounts.shown(list(zip(addresses, after, strict=True)), config, encoding)


def _status(slot: int, error: JsonError | None) -> Json:
    shown_status = {"slot": slot, "confirmations": None, "err": error, "status": status_json(error)}
    return {**shown_status, "confirmationStatus": "finalized"}


def _sound(simulation: DetailedSimulation) -> DetailedSimulation:
    """Raises what a node says before it simulates."""
    if simulation.error == SIGNATURE_FAILURE:
        raise signature_failure()
    if simulation.error in LOOKUP_FAILURES:
        raise invalid_transaction(simulation.error)
    return simulation


def _outcome(simulation: DetailedSimulation) -> Json:
    returned, replacement = simulation.return_data, simulation.replacement_blockhash
    return {
        "unitsConsumed": simulation.units_consumed,
        "loadedAccountsDataSize": simulation.loaded_bytes,
        "returnData": None if returned is None else return_data_json(returned),
        "loadedAddresses": loaded_addresses_json(simulation),
        "fee": simulation.fee,
        "preBalances": simulation.pre_balances,
        "postBalances": simulation.post_balances,
        "preTokenBalances": _tokens(simulation.pre_token_balances),
        "postTokenBalances": _tokens(simulation.post_token_balances),
        "replacementBlockhash": None
        if replacement is None
        else {"blockhash": replacement.blockhash, "lastValidBlockHeight": replacement.last_valid_block_height},
    }


def _tokens(balances: Sequence[TokenBalance] | None) -> list[Json] | None:
    return None if balances is None else [token_balance_json(balance) for balance in balances]


def _accounts_of(wire: WireTransaction) -> int:
    """How many it has, with those that lookup tables add."""
    lookups = wire.message.address_table_lookups if isinstance(wire.message, MessageV0) else []
    added = [len(bytes(each.writable_indexes)) + len(bytes(each.readonly_indexes)) for each in lookups]
    return len(wire.static_keys) + sum(added)


def _inner(wire: WireTransaction, simulation: DetailedSimulation) -> list[Json]:
    keys = [*map(str, wire.static_keys), *simulation.loaded_writable, *simulation.loaded_readonly]
    return inner_instructions_json(simulation.inner_instructions, keys)
