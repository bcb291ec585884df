"""The chain behind a node's JSON-RPC, for any node of any provider."""

import asyncio
import base64
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, Generic, TypeVar

import base58
from solders.pubkey import Pubkey
from solders.signature import Signature as SignatureKey

from countermand.solana.port import (
    FEE_ADDRESSES_MAX,
    HISTORY_PAGE_MAX,
    AccountInfo,
    Address,
    AddressSignature,
    Blockhash,
    ChainUnavailable,
    LatestBlockhash,
    LedgerTransaction,
    Memcmp,
    Signature,
    SignatureStatus,
    Simulation,
    check_filters,
)
from countermand.solana.rpc import shapes
from countermand.solana.rpc.history import known_address, landed_transaction
from countermand.solana.rpc.node import TIMEOUT_MS, NodeBehind, NodeClient, NodeRefused, caught_up
from countermand.solana.wire import read_transaction

ACCOUNTS_MAX: Final = 100
STATUSES_MAX: Final = 256
_SMALL: Final = 64 * 1024
_MEDIUM: Final = 4 * 1024 * 1024
_ACCOUNTS: Final = 16 * 1024 * 1024
_PROGRAM_ACCOUNTS: Final = 64 * 1024 * 1024
_CONFIRMED: Final = {"commitment": "confirmed"}
_PREFLIGHT_FAILURE, _SIGNATURE_FAILURE = -32002, -32003

T = TypeVar("T")


class RpcChain:
    """Implements `Chain` and `ChainRecords` of the port. Close it when it is done with.

    Blockhashes, accounts and history are asked as of what is confirmed, fates as of what is finalized.

    A provider may answer each question from another of its nodes, and some lag. What is guaranteed all the same, if the
    nodes tell the truth about themselves and none of them follows a fork that the cluster has left:

    * A height comes with its slot, finalized on the node that answered. From then on no status counts unless the node
      that gives it has processed that slot, and no account unless its state there is confirmed. So a caller that asks
      for a height first and then for a status gets what a node "at or past that height" knows: a transaction whose
      blockhash died at that height landed before that slot or never will, and such a node has it among its recent ones.
    * `getSignatureStatuses` knows no `minContextSlot`; the slot of its answer takes its place. All other questions that
      know it are sent with it.
    * "No status" of a transaction whose blockhash died long ago (about 300 slots) is as good as the node's ledger: one
      that was restored from a snapshot has a gap in it, and says nothing of that. Look at the accounts, too.

    A node that is behind is asked again for some 1.5 seconds, a broken connection is opened again once; nothing else is
    repeated here. Questions for heights and statuses that are asked in one turn of the loop travel together.
    """

    def __init__(self, url: str, *, timeout_ms: int = TIMEOUT_MS) -> None:
        """Raises `ValueError` unless `url` is an http or https address. `timeout_ms` is for each request."""
        self._node = NodeClient(url, timeout_ms=timeout_ms)
        self.answers = True
        """What the node did with the last question. It may have refused it, or be behind: that is an answer."""
        self._floor = 0
        """The newest slot that was told as final: of a height, or of a status."""
        self._blockhash_slot = 0
        self._height: _Together[int] | None = None
        self._statuses: _Together[dict[Signature, SignatureStatus | None]] | None = None

    async def close(self) -> None:
        await self._node.close()

    @property
    def newest_slot(self) -> int | None:
        """The newest slot that was told as final; None before the first."""
        return self._floor or None

    async def genesis_hash(self) -> Blockhash:
        """Which cluster this is."""
        return self._address("getGenesisHash", await self._ask("getGenesisHash", [], shapes.read_text, _SMALL))

    async def latest_blockhash(self) -> LatestBlockhash:
        params = [_CONFIRMED | {"minContextSlot": self._floor}]
        found = await self._ask("getLatestBlockhash", params, shapes.read_blockhash, _SMALL)
        # A blockhash has 32 bytes in base58, as an address does.
        blockhash = self._address("getLatestBlockhash", found.value.blockhash)
        self._blockhash_slot = max(self._blockhash_slot, found.context.slot)
        return LatestBlockhash(blockhash, found.value.last_valid_block_height)

    async def finalized_block_height(self) -> int:
        height = self._height
        if height is None:
            height = self._height = _Together(self._ask_height)
        return await height.answer()

    async def signature_status(self, signature: Signature) -> SignatureStatus | None:
        SignatureKey.from_string(signature)
        statuses = self._statuses
        if statuses is None or len(statuses.asked) >= STATUSES_MAX:
            statuses = self._statuses = _Together(self._ask_statuses)
        statuses.asked[signature] = None
        return (await statuses.answer())[signature]

    async def accounts(self, addresses: list[Address]) -> list[AccountInfo | None]:
        for address in addresses:
            Pubkey.from_string(address)
        infos: list[AccountInfo | None] = []
        for start in range(0, len(addresses), ACCOUNTS_MAX):
            asked = addresses[start : start + ACCOUNTS_MAX]
            params = [asked, _CONFIRMED | {"encoding": "base64", "minContextSlot": self._floor}]
            found = await self._ask("getMultipleAccounts", params, shapes.read_accounts, _ACCOUNTS)
            if len(found.value) != len(asked):
                raise self._node.answered("getMultipleAccounts", f"{len(found.value)} of {len(asked)} accounts")
            infos += [None if each is None else self._info("getMultipleAccounts", each) for each in found.value]
        return infos

    async def simulate(self, transaction: bytes) -> Simulation:
        read_transaction(transaction)
        config = _CONFIRMED | {"encoding": "base64", "sigVerify": False, "minContextSlot": self._newest()}
        params = [base64.b64encode(transaction).decode(), config]
        found = (await self._ask("simulateTransaction", params, shapes.read_simulated, _MEDIUM)).value
        return Simulation(found.err, tuple(found.logs or ()), found.units_consumed or 0)

    async def send(self, transaction: bytes) -> None:
        """The node goes on sending it until its blockhash dies. What it says against the transaction is not heard."""
        signature = base58.b58encode(read_transaction(transaction).signature).decode()
        config = {
            "encoding": "base64",
            "skipPreflight": True,
            # Also without preflight: a node that does not know the blockhash there does not repeat the send.
            "preflightCommitment": "confirmed",
            "minContextSlot": self._newest(),
        }
        try:
            told = await self._ask(
                "sendTransaction", [base64.b64encode(transaction).decode(), config], shapes.read_signature, _SMALL
            )
        except NodeRefused as refused:
            if refused.code in (_PREFLIGHT_FAILURE, _SIGNATURE_FAILURE):
                return
            raise
        if told != signature:
            raise self._node.answered("sendTransaction", "another signature")

    async def program_accounts(
        self, program: Address, *, data_size: int | None = None, memcmp: Sequence[Memcmp] = ()
    ) -> list[tuple[Address, AccountInfo]]:
        check_filters(data_size, memcmp)
        Pubkey.from_string(program)
        filters: list[dict[str, Any]] = [] if data_size is None else [{"dataSize": data_size}]
        for offset, wanted in memcmp:
            filters.append({"memcmp": {"offset": offset, "bytes": base58.b58encode(wanted).decode()}})
        config = {"encoding": "base64", "filters": filters, "withContext": True, "minContextSlot": self._floor}
        asked = "getProgramAccounts"
        found = (await self._ask(asked, [program, _CONFIRMED | config], shapes.read_program, _PROGRAM_ACCOUNTS)).value
        infos = [(self._address(asked, each.pubkey), self._info(asked, each.account)) for each in found]
        if any(info.owner != program for _, info in infos):
            raise self._node.answered(asked, "an account of another program")
        return sorted(infos, key=lambda entry: bytes(Pubkey.from_string(entry[0])))

    async def recent_prioritization_fees(self, addresses: Sequence[Address]) -> list[int]:
        if len(addresses) > FEE_ADDRESSES_MAX:
            raise ValueError(f"{len(addresses)} addresses (max: {FEE_ADDRESSES_MAX})")
        for address in addresses:
            Pubkey.from_string(address)
        found = await self._ask("getRecentPrioritizationFees", [list(addresses)], shapes.read_fees, _SMALL)
        return [each.prioritization_fee for each in sorted(found, key=lambda each: each.slot)]

    async def transaction(self, signature: Signature) -> LedgerTransaction | None:
        """`ChainUnavailable` also when the node no longer has, or not yet, all that belongs to it."""
        SignatureKey.from_string(signature)
        config = _CONFIRMED | {"encoding": "base64", "maxSupportedTransactionVersion": 0}
        found = await self._ask("getTransaction", [signature, config], shapes.read_transaction, _MEDIUM)
        if found is None:
            return None
        try:
            return landed_transaction(signature, found)
        except ValueError as problem:
            raise self._node.answered("getTransaction", f"what cannot be: {problem}") from None

    async def signatures_for_address(
        self,
        address: Address,
        *,
        limit: int = HISTORY_PAGE_MAX,
        before: Signature | None = None,
        until: Signature | None = None,
    ) -> list[AddressSignature]:
        Pubkey.from_string(address)
        config: dict[str, Any] = _CONFIRMED | {"limit": limit, "minContextSlot": self._floor}
        for name, bound in (("before", before), ("until", until)):
            if bound is not None:
                SignatureKey.from_string(bound)
                config[name] = bound
        found = await self._ask("getSignaturesForAddress", [address, config], shapes.read_history, _MEDIUM)
        try:
            return [
                AddressSignature(str(SignatureKey.from_string(each.signature)), each.slot, each.err, each.block_time)
                for each in found
            ]
        except ValueError:
            raise self._node.answered("getSignaturesForAddress", "what is no signature") from None

    async def _ask_height(self, together: "_Together[int]") -> int:
        if self._height is together:
            self._height = None
        params = [{"commitment": "finalized", "minContextSlot": self._floor}]
        found = await self._ask("getEpochInfo", params, shapes.read_epoch, _SMALL)
        # Before anybody is told: a status that is asked for then must come from a node that is as far.
        self._floor = max(self._floor, found.absolute_slot)
        return found.block_height

    async def _ask_statuses(
        self, together: "_Together[dict[Signature, SignatureStatus | None]]"
    ) -> dict[Signature, SignatureStatus | None]:
        if self._statuses is together:
            self._statuses = None
        return await caught_up(partial(self._statuses_of, list(together.asked)))

    async def _statuses_of(self, signatures: list[Signature]) -> dict[Signature, SignatureStatus | None]:
        asked, floor = "getSignatureStatuses", self._floor
        params = [signatures, {"searchTransactionHistory": True}]
        found = await self._ask(asked, params, shapes.read_statuses, _MEDIUM)
        if found.context.slot < floor:
            slot = found.context.slot
            raise NodeBehind(str(self._node.answered(asked, f"statuses of slot {slot}, behind {floor}")))
        if len(found.value) != len(signatures):
            raise self._node.answered(asked, f"{len(found.value)} of {len(signatures)} statuses")
        statuses = [None if each is None else _status(each) for each in found.value]
        final = [status.slot for status in statuses if status is not None and status.finalized]
        self._floor = max(self._floor, *final, 0)
        return dict(zip(signatures, statuses, strict=True))

    async def _ask(self, method: str, params: list[Any], read: shapes.Reader[T], bytes_max: int) -> T:
        try:
            answer = await caught_up(partial(self._node.call, method, params, read, bytes_max=bytes_max))
        except ChainUnavailable as problem:
            self.answers = isinstance(problem, NodeRefused | NodeBehind)
            raise
        self.answers = True
        return answer

    def _newest(self) -> int:
        """What a node must have seen to know the blockhashes that we were told."""
        return max(self._floor, self._blockhash_slot)

    def _info(self, method: str, account: shapes.RpcAccount) -> AccountInfo:
        return AccountInfo(account.lamports, self._address(method, account.owner), account.data[0], account.executable)

    def _address(self, method: str, text: str) -> Address:
        try:
            return known_address(text)
        except ValueError:
            raise self._node.answered(method, "what is no key") from None


class _Together(Generic[T]):
    """A question that all who ask it in one turn of the loop share: the task asks in the next one."""

    def __init__(self, ask: "Callable[[_Together[T]], Coroutine[Any, Any, T]]") -> None:
        self.asked: dict[Signature, None] = {}
        self._task = asyncio.create_task(ask(self))

    async def answer(self) -> T:
        """A caller that gives up waiting does not cancel it for the others."""
        return await asyncio.shield(self._task)


def _status(found: shapes.Status) -> SignatureStatus:
    return SignatureStatus(found.slot, found.confirmation_status == "finalized", found.err)
