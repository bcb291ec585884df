"""The chain behind a node's JSON-RPC, for any node of any provider."""

import asyncio
import base64
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from functools import partial
from itertools import pairwise
from typing import Any, Final, Generic, TypeVar

import base58
from solders.pubkey import Pubkey
from solders.signature import Signature as SignatureKey

from countermand.solana.clockwork import SLOT_MS
from countermand.solana.port import (
    FEE_ADDRESSES_MAX,
    HISTORY_PAGE_MAX,
    LANDED_WAITING_MAX,
    AccountInfo,
    Address,
    AddressSignature,
    Blockhash,
    ChainUnavailable,
    LandedSignature,
    LatestBlockhash,
    LedgerTransaction,
    Memcmp,
    QuestionRefused,
    Signature,
    SignatureStatus,
    Simulation,
    check_filters,
    check_signatures,
    check_touching,
)
from countermand.solana.rpc import shapes
from countermand.solana.rpc.histories import in_order
from countermand.solana.rpc.history import known_address, landed_transaction
from countermand.solana.rpc.node import (
    TIMEOUT_MS,
    BatchRefused,
    NodeBehind,
    NodeBusy,
    NodeClient,
    NodeRefused,
    caught_up,
    stays,
)
from countermand.solana.rpc.push import LandingBell, bell, websocket_url
from countermand.solana.wire import read_transaction

ACCOUNTS_MAX: Final = 100
STATUSES_MAX: Final = 256
ASKED_AT_ONCE_MAX: Final = 8
"""So many requests of one question are under way where the node takes no batches."""
LOOK_MS: Final = 2_000
UNCALLED_LOOK_MS: Final = 10_000
"""A node does not push every landing, see `rpc/push.py`."""
BUSY_PAUSE_MS_MAX: Final = 30_000
_HISTORY: Final = "getSignaturesForAddress"
_SMALL: Final = 64 * 1024
_MEDIUM: Final = 4 * 1024 * 1024
_BATCH: Final = 32 * 1024 * 1024
_ACCOUNTS: Final = 16 * 1024 * 1024
_PROGRAM_ACCOUNTS: Final = 64 * 1024 * 1024
_CONFIRMED: Final = {"commitment": "confirmed"}
_PREFLIGHT_FAILURE, _SIGNATURE_FAILURE = -32002, -32003
_BOUND_NOT_FOUND: Final = -32020
"""Of nodes from Agave 4.0 on, also for a transaction that they keep no more."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


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
    repeated here. Questions for heights and statuses that are asked in one turn of the loop travel together. Several
    transactions are one batch of JSON-RPC; a node that refuses a batch once is asked one by one from then on, eight at
    a time.
    """

    def __init__(
        self,
        url: str,
        *,
        ws_url: str | None = None,
        timeout_ms: int = TIMEOUT_MS,
        busy_pauses_ms: Sequence[int] = (),
        on_busy: Callable[[NodeBusy], None] = lambda _: None,
        on_unanswered: Callable[[str, ChainUnavailable], None] = lambda *_: None,
    ) -> None:
        """Raises `ValueError` unless `url` is an http or https address. `timeout_ms` is for each request.

        `ws_url` is where the node pushes; None means where clients look for it (`websocket_url`).
        `busy_pauses_ms`: how long to wait, each time, before a node that takes no more requests is asked again. If it
        asks for longer, it gets that, up to `BUSY_PAUSE_MS_MAX`. `on_busy` is told before each of these pauses,
        `on_unanswered` of each method that the node did not answer, or refused, and why.
        """
        self._on_busy = on_busy
        self._on_unanswered = on_unanswered
        self._busy_pauses_ms = busy_pauses_ms
        self._node = NodeClient(url, timeout_ms=timeout_ms)
        self._ws_url = websocket_url(url) if ws_url is None else ws_url
        self.answers = True
        """What the node did with the last question. It may have refused it, or be behind: that is an answer."""
        self._floor = 0
        """The newest slot that was told as final: of a height, or of a status."""
        self._blockhash_slot = 0
        self._takes_batches = True
        self._pushes = True
        self._bells: dict[Address, list[LandingBell]] = {}
        """Of what is followed now."""
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
        try:
            await self.hand_over(transaction)
        except NodeRefused as refused:
            if refused.code not in (_PREFLIGHT_FAILURE, _SIGNATURE_FAILURE):
                raise

    async def hand_over(self, transaction: bytes) -> None:
        """As `send`, but what the node says against the transaction is heard: it raises `NodeRefused`."""
        signature = base58.b58encode(read_transaction(transaction).signature).decode()
        config = {
            "encoding": "base64",
            "skipPreflight": True,
            # Also without preflight: a node that does not know the blockhash there does not repeat the send.
            "preflightCommitment": "confirmed",
            "minContextSlot": self._newest(),
        }
        told = await self._ask(
            "sendTransaction", [base64.b64encode(transaction).decode(), config], shapes.read_signature, _SMALL
        )
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
        try:
            found = await self._ask("getRecentPrioritizationFees", [list(addresses)], shapes.read_fees, _SMALL)
        except ChainUnavailable as problem:
            if stays(problem):
                self.answers = True  # A plan without this one question; a node that refuses all is seen by the next.
                raise QuestionRefused(str(problem)) from problem
            raise
        return [each.prioritization_fee for each in sorted(found, key=lambda each: each.slot)]

    async def transactions(self, signatures: Sequence[Signature]) -> list[LedgerTransaction | None]:
        """`ChainUnavailable` also when the node no longer has, or not yet, all that belongs to one of them."""
        check_signatures(signatures)
        for signature in signatures:
            SignatureKey.from_string(signature)
        config = _CONFIRMED | {"encoding": "base64", "maxSupportedTransactionVersion": 0}
        many = [[signature, config] for signature in signatures]
        found = await self._ask_many("getTransaction", many, shapes.read_transaction, _MEDIUM, _BATCH)
        return [self._landed(signature, each) for signature, each in zip(signatures, found, strict=True)]

    def _landed(self, signature: Signature, found: shapes.Transaction | None) -> LedgerTransaction | None:
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
        try:
            return self._history(await self._ask(_HISTORY, [address, config], shapes.read_history, _MEDIUM))
        except NodeRefused as refused:
            if refused.code != _BOUND_NOT_FOUND or (before, until) == (None, None):
                raise
        return [] if until is None else await self.signatures_for_address(address, limit=limit, before=before)

    async def newest_final(self, address: Address) -> Signature | None:
        """That it landed is a reason for `landings` to look, as a push is: a node does not push every landing."""
        history = (await self._histories({str(Pubkey.from_string(address)): None}, limit=1)).popitem()[1]
        if not history:
            return None
        for heard in self._bells.get(address, ()):
            heard.ring(history[0].slot)
        return history[0].signature

    @asynccontextmanager
    async def landings(self, touching: Sequence[Address]) -> AsyncIterator[AsyncIterator[LandedSignature]]:
        """Histories are what is told, as of finalized slots. They are looked at when the node pushes, or every
        `UNCALLED_LOOK_MS`; where it does not push, every `LOOK_MS`.

        A slot is told when a later one is final: a venue that is the node calls a slot final while more lands in it.
        """
        check_touching(touching)
        addresses = list(dict.fromkeys(str(Pubkey.from_string(address)) for address in touching))
        async with bell(self._node, self._ws_url, addresses, self._does_not_push) as rung:
            self._pushes = rung is not None
            told = await self._final_slot()
            newest = await self._histories(dict.fromkeys(addresses), limit=1)
            # What is final since is still to be told, so it is no end of what is.
            cursors = {
                address: history[0].signature if history and history[0].slot <= told else None
                for address, history in newest.items()
            }
            look_ms = LOOK_MS if rung is None else UNCALLED_LOOK_MS
            with self._rung_for(addresses, rung or LandingBell()) as heard:
                async with aclosing(self._follow(cursors, told, heard, look_ms)) as feed:
                    yield feed

    @contextmanager
    def _rung_for(self, addresses: Sequence[Address], heard: LandingBell) -> Iterator[LandingBell]:
        for address in addresses:
            self._bells.setdefault(address, []).append(heard)
        try:
            yield heard
        finally:
            for address in addresses:
                self._bells[address].remove(heard)

    def _does_not_push(self, reason: str) -> None:
        """Said once: a node that is away is tried again and again."""
        if self._pushes:
            _log.warning("%s does not push what lands, so it is asked: %s", self._node.name, reason)
        self._pushes = False

    async def _follow(
        self, cursors: dict[Address, Signature | None], told: int, heard: LandingBell, look_ms: int
    ) -> AsyncGenerator[LandedSignature, None]:
        """`cursors` are the newest of each address that needs not be told, `told` the slot up to which all was."""
        while True:
            if await heard.rings(told, look_ms):
                await asyncio.sleep(SLOT_MS / 1000)
            final = await self._final_slot()
            if final <= told:
                continue
            histories = await self._landed_between(cursors, told, final)
            cursors |= {address: history[-1].signature for address, history in histories.items() if history}
            told = final
            try:
                landed = in_order(list(histories.values()))
            except ValueError as problem:
                raise self._node.answered(_HISTORY, f"what cannot be: {problem}") from None
            for each in landed:
                yield each

    async def _final_slot(self) -> int:
        """The newest slot in which nothing lands any more. All that is asked now is asked of a node past it."""
        await self.finalized_block_height()
        return self._floor - 1

    async def _landed_between(
        self, cursors: Mapping[Address, Signature | None], after: int, until: int
    ) -> dict[Address, list[AddressSignature]]:
        """All of the slots from `after`, exclusive, to `until`, the oldest first."""
        found: dict[Address, list[AddressSignature]] = {address: [] for address in cursors}
        pages: dict[Address, Signature | None] = dict.fromkeys(cursors)
        for _ in range(LANDED_WAITING_MAX // HISTORY_PAGE_MAX):
            read = await self._histories(pages, cursors)
            pages = {}
            for address, page in read.items():
                found[address] += [entry for entry in page if after < entry.slot <= until]
                if len(page) >= HISTORY_PAGE_MAX and page[-1].slot > after:
                    pages[address] = page[-1].signature
            if sum(map(len, found.values())) > LANDED_WAITING_MAX:
                break
            if not pages:
                return {address: history[::-1] for address, history in found.items()}
        raise ChainUnavailable(f"more than {LANDED_WAITING_MAX} transactions landed since they were last read")

    async def _histories(
        self,
        before: Mapping[Address, Signature | None],
        until: Mapping[Address, Signature | None] | None = None,
        *,
        limit: int = HISTORY_PAGE_MAX,
    ) -> dict[Address, list[AddressSignature]]:
        """A page of what is final for each address."""
        many: list[list[Any]] = []
        for address, newest in before.items():
            config: dict[str, Any] = {"commitment": "finalized", "limit": limit, "minContextSlot": self._floor}
            bounds = {"before": newest, "until": None if until is None else until[address]}
            config |= {name: bound for name, bound in bounds.items() if bound is not None}
            many.append([address, config])
        pages = await self._ask_many(_HISTORY, many, shapes.read_history, _MEDIUM, _BATCH)
        return {address: self._history(page) for address, page in zip(before, pages, strict=True)}

    def _history(self, page: list[shapes.AddressEntry]) -> list[AddressSignature]:
        if any(older.slot > newer.slot for newer, older in pairwise(page)):
            raise self._node.answered(_HISTORY, "a history that is not newest first")
        try:
            return [
                AddressSignature(
                    str(SignatureKey.from_string(each.signature)),
                    each.slot,
                    each.err,
                    each.block_time,
                    memo=each.memo,
                )
                for each in page
            ]
        except ValueError:
            raise self._node.answered(_HISTORY, "what is no signature") from None

    async def _ask_height(self, together: "_Together[int]") -> int:
        if self._height is together:
            self._height = None
        params = [{"commitment": "finalized", "minContextSlot": self._floor}]
        found = await self._ask("getEpochInfo", params, shapes.read_epoch, _SMALL)
        # Before a caller is told: a status that is asked for then must come from a node that is as far.
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

    async def _ask_many(
        self, method: str, many: Sequence[list[Any]], read: shapes.Reader[T], one_bytes_max: int, all_bytes_max: int
    ) -> list[T]:
        if len(many) < 2 or not self._takes_batches:
            return await self._ask_each(method, many, read, one_bytes_max)
        try:
            return await self._heard(
                method, partial(self._node.call_batch, method, many, read, bytes_max=all_bytes_max)
            )
        except BatchRefused as refused:
            found = await self._ask_each(method, many, read, one_bytes_max)
            # It answers, but not to batches.
            _log.warning("one request for each question from now on: %s", refused)
            self._takes_batches = False
            return found

    async def _ask_each(
        self, method: str, many: Sequence[list[Any]], read: shapes.Reader[T], bytes_max: int
    ) -> list[T]:
        found: list[T] = []
        for start in range(0, len(many), ASKED_AT_ONCE_MAX):
            asked = many[start : start + ASKED_AT_ONCE_MAX]
            found += await asyncio.gather(*(self._ask(method, params, read, bytes_max) for params in asked))
        return found

    async def _ask(self, method: str, params: list[Any], read: shapes.Reader[T], bytes_max: int) -> T:
        return await self._heard(method, partial(self._node.call, method, params, read, bytes_max=bytes_max))

    async def _heard(self, method: str, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            answer = await self._answered(ask)
        except ChainUnavailable as problem:
            self.answers = isinstance(problem, NodeRefused | NodeBehind | BatchRefused)
            if not _says_something(problem):
                self._on_unanswered(method, problem)
            raise
        self.answers = True
        return answer

    async def _answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        for pause_ms in self._busy_pauses_ms:
            try:
                return await caught_up(ask)
            except NodeBusy as busy:
                self._on_busy(busy)
                wanted_ms = min(1_000 * (busy.pause_s or 0), BUSY_PAUSE_MS_MAX)
                await asyncio.sleep(max(pause_ms, wanted_ms) / 1000)
        return await caught_up(ask)

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


def _says_something(problem: ChainUnavailable) -> bool:
    """Whether it is about a transaction or about batches, and no question without an answer."""
    codes = (_PREFLIGHT_FAILURE, _SIGNATURE_FAILURE, _BOUND_NOT_FOUND)
    return isinstance(problem, BatchRefused) or (isinstance(problem, NodeRefused) and problem.code in codes)


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
