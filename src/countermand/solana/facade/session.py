"""One WebSocket: its requests, its subscriptions, and an end to it when it does not read what it asked for."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

from falcon import PayloadTypeError, WebSocketDisconnected
from falcon.asgi import WebSocket
from msgspec import Struct

from countermand.solana.facade import params
from countermand.solana.facade.blocks import BlockShape
from countermand.solana.facade.dispatch import Dispatcher
from countermand.solana.facade.errors import Code, RpcError, below_confirmed, invalid_params, shown
from countermand.solana.facade.filters import account_filters
from countermand.solana.facade.params import Commitment, TransactionDetails, TransactionEncoding, Unsigned, address
from countermand.solana.facade.subscriptions import EVERYTHING, Subscription, Subscriptions, Topic

GOING_AWAY: Final = 1001
UNSUPPORTED_DATA: Final = 1003
MESSAGE_TOO_BIG: Final = 1009
TRY_AGAIN_LATER: Final = 1013
_CLOSE_SECONDS: Final = 1


class SocketLimits(Struct, frozen=True):
    """Of one socket: subscriptions, messages and bytes that wait to be read, characters of a request."""

    subscriptions_max: int = 1_000
    queued_messages_max: int = 2_048
    queued_bytes_max: int = 4 * 1024 * 1024
    request_characters_max: int = 256 * 1024


class Backlog(Struct):
    """What waits to be read, of all sockets together."""

    bytes_max: int = 64 * 1024 * 1024
    bytes: int = 0


class Session:
    """Serves one socket in the task that calls `run`. A second task writes, while there is something to write."""

    def __init__(
        self,
        socket: WebSocket,
        subscriptions: Subscriptions,
        limits: SocketLimits,
        is_up: Callable[[], bool],
        backlog: Backlog | None = None,
    ) -> None:
        self._socket = socket
        self._limits = limits
        self._methods = SocketMethods(subscriptions, self, limits.subscriptions_max)
        self._dispatcher = Dispatcher(self._methods.by_name(), is_up)
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._backlog = backlog or Backlog()
        self._held: list[bytes] | None = None
        """Notifications of a request that is under way: its answer goes first."""
        self._room = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._close_code: int | None = None
        self.ended = asyncio.Event()

    async def run(self) -> None:
        self._reader = asyncio.current_task()
        try:
            await self._socket.accept()
            await self._read()
        except WebSocketDisconnected:
            pass
        except asyncio.CancelledError:
            if self._close_code is None or self._reader is None or self._reader.uncancel():
                raise
        finally:
            self._reader = None
            self._methods.unsubscribe_all()
            await self._stop_writing()
            self._count(-self._queued_bytes)
            try:
                await self._hang_up()
            finally:
                self.ended.set()

    def notify(self, message: bytes) -> None:
        if self._held is None:
            self._push(message)
        elif len(self._held) < self._limits.queued_messages_max:
            self._held.append(message)
        else:
            self.end(TRY_AGAIN_LATER)

    def end(self, code: int) -> None:
        """Closes the socket with this code, soon, whatever it is doing. The first call decides."""
        if self._close_code is None:
            self._close_code = code
            if self._reader is not None:
                self._reader.cancel()

    async def _read(self) -> None:
        while True:
            try:
                text = await self._socket.receive_text()
            except PayloadTypeError:
                self._close_code = UNSUPPORTED_DATA
                return
            if len(text) > self._limits.request_characters_max:
                self._close_code = MESSAGE_TOO_BIG
                return
            await self._handle(text)

    async def _handle(self, text: str) -> None:
        self._held = []
        try:
            answer = await self._dispatcher.answer(text.encode())
        finally:
            held, self._held = self._held, None
        for message in (answer.body, *held):
            if message:
                self._push(message)
        while self._is_half_full():
            self._room.clear()
            await self._room.wait()

    def _is_half_full(self) -> bool:
        """Then no more requests are read: their answers could not be."""
        limits = self._limits
        return len(self._queue) > limits.queued_messages_max // 2 or self._queued_bytes > limits.queued_bytes_max // 2

    def _push(self, message: bytes) -> None:
        if self._close_code is not None:
            return
        limits = self._limits
        bytes_over = (
            self._queued_bytes + len(message) > limits.queued_bytes_max
            or self._backlog.bytes + len(message) > self._backlog.bytes_max
        )
        if len(self._queue) >= limits.queued_messages_max or (self._queue and bytes_over):
            self.end(TRY_AGAIN_LATER)
            return
        self._queue.append(message)
        self._count(len(message))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self._queue:
            message = self._queue.popleft()
            self._count(-len(message))
            try:
                await self._socket.send_text(message.decode())
            except (WebSocketDisconnected, OSError):
                self.end(GOING_AWAY)
                return
            self._room.set()

    def _count(self, more: int) -> None:
        self._queued_bytes += more
        self._backlog.bytes += more

    async def _stop_writing(self) -> None:
        if self._writer is not None:
            self._writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writer

    async def _hang_up(self) -> None:
        """Sends the close frame. A peer that reads nothing is cut off: the server closes the socket."""
        if self._socket.closed or self._close_code is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._socket.close(self._close_code)
        except TimeoutError:
            raise WebSocketDisconnected(self._close_code) from None


class SocketMethods:
    """The methods of a node's WebSocket, named on the wire as here, but in camel case."""

    def __init__(self, subscriptions: Subscriptions, session: Session, subscriptions_max: int) -> None:
        self._subscriptions = subscriptions
        self._session = session
        self._max = subscriptions_max
        self._mine: dict[int, Subscription] = {}

    def by_name(self) -> dict[str, Callable[..., Awaitable[object]]]:
        return {
            "ping": self.ping,
            "signatureSubscribe": self.signature_subscribe,
            "accountSubscribe": self.account_subscribe,
            "programSubscribe": self.program_subscribe,
            "logsSubscribe": self.logs_subscribe,
            "blockSubscribe": self.block_subscribe,
            "slotSubscribe": self.slot_subscribe,
            "rootSubscribe": self.root_subscribe,
            "slotsUpdatesSubscribe": self.slots_updates_subscribe,
            **{f"{topic}Unsubscribe": self.unsubscribe for topic in Topic},
        }

    def unsubscribe_all(self) -> None:
        for subscription in list(self._mine.values()):
            self._subscriptions.remove(subscription)
        self._mine.clear()

    async def ping(self) -> None:
        """Answered with null."""

    async def signature_subscribe(self, signature: str, config: params.SubscribeSignature | None = None) -> int:
        wanted = params.signature(signature)
        self._make_room()
        receipt = config is not None and bool(config.enable_received_notification)
        subscription = await self._subscriptions.add_signature(wanted, self._session, receipt=receipt)
        self._mine[subscription.id] = subscription
        return subscription.id

    async def account_subscribe(self, account: str, config: params.ReadAccount | None = None) -> int:
        return self._add(Topic.ACCOUNT, address(account), config=config or params.ReadAccount())

    async def program_subscribe(self, program: str, config: params.ReadProgram | None = None) -> int:
        config = config or params.ReadProgram()
        keeps = account_filters(config.filters or [])
        return self._add(Topic.PROGRAM, address(program), config=config, keeps=keeps)

    async def logs_subscribe(self, among: str | params.Mentions, config: params.Read | None = None) -> int:
        del config  # What lands is finalized: no commitment differs.
        if isinstance(among, str):
            if among not in ("all", "allWithVotes"):
                raise invalid_params(f"Invalid params: all, allWithVotes or mentions is expected, got {shown(among)}")
            return self._add(Topic.LOGS, EVERYTHING)
        if len(among.mentions) != 1:
            raise invalid_params("Invalid Request: Only 1 address supported")
        return self._add(Topic.LOGS, address(among.mentions[0]))

    async def block_subscribe(
        self, among: str | params.MentionsAccountOrProgram, config: params.SubscribeBlocks | None = None
    ) -> int:
        config = config or params.SubscribeBlocks()
        if config.commitment is Commitment.PROCESSED:
            raise below_confirmed()
        if isinstance(among, str) and among != "all":
            raise invalid_params(f"Invalid params: all or mentionsAccountOrProgram is expected, got {shown(among)}")
        subject = EVERYTHING if isinstance(among, str) else address(among.mentions_account_or_program)
        shape = BlockShape(
            encoding=config.encoding or TransactionEncoding.BASE64,
            details=config.transaction_details or TransactionDetails.FULL,
            rewards=bool(config.show_rewards),
            version_max=None if config.max_supported_transaction_version is None else 0,  # No other is known.
        )
        return self._add(Topic.BLOCK, subject, shape=shape)

    async def slot_subscribe(self) -> int:
        return self._add(Topic.SLOT, EVERYTHING)

    async def slots_updates_subscribe(self) -> int:
        return self._add(Topic.SLOTS_UPDATES, EVERYTHING)

    async def root_subscribe(self) -> int:
        return self._add(Topic.ROOT, EVERYTHING)

    async def unsubscribe(self, subscription: Unsigned) -> bool:
        """For every topic alike, as a node does it."""
        found = self._mine.pop(subscription, None)
        if found is None or not self._subscriptions.holds(found):
            raise invalid_params("Invalid subscription id.")
        self._subscriptions.remove(found)
        return True

    def _add(self, topic: Topic, subject: str, **details: Any) -> int:
        self._make_room()
        subscription = self._subscriptions.add(topic, subject, self._session, **details)
        self._mine[subscription.id] = subscription
        return subscription.id

    def _make_room(self) -> None:
        """Forgets subscriptions that ended by themselves, and refuses when the rest are too many."""
        if len(self._mine) >= self._max:
            self._mine = {key: found for key, found in self._mine.items() if self._subscriptions.holds(found)}
        if len(self._mine) >= self._max:
            message = f"Subscription refused. The limit of a connection is reached ({self._max})"
            raise RpcError(Code.INTERNAL_ERROR, message)
