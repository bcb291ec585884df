"""A venue's database with something in every table, copies of it, and a start on each in this process."""

import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from countermand import app
from countermand.app import sandbox as app_of_sandbox
from countermand.app import venue as app_of_venue
from countermand.app.families import Families
from countermand.app.gateway import GatewayExtensions
from countermand.app.infrastructure import Stores, opened_stores
from countermand.cli.endings import Ending, ending_of
from countermand.gateway.asgi import App
from countermand.gateway.falcon_app import new_app
from countermand.gateway.http_gateway import HttpGateway
from countermand.settings import settle
from tests.end_to_end.conftest import with_funds
from tests.end_to_end.dca_trader import DcaTrader, dca
from tests.end_to_end.limit_trader import LimitTrader
from tests.end_to_end.member import Member
from tests.end_to_end.trader import Trader, single, trailing
from tests.end_to_end.venue import JUP, SOL, USDC, running_venue

START_S = 15
_SERVE = sys.modules["countermand.app.serve"]
_ROOTS = (app_of_sandbox, app_of_venue)


def fill(folder: Path, url: str) -> None:
    """Lives of every kind: orders of both families that wait, a trade, a token, a clock, transactions."""
    with running_venue(folder, "--database-url", url) as venue:
        venue.ask("POST", "/sandbox/tokens", {"symbol": "WIF", "decimals": 6, "price": "2"}).ok()
        alice = with_funds(Trader(venue))
        alice.places(single(1 * SOL, above=200))
        alice.places(single(1 * SOL, below=100))
        alice.places(trailing(1 * SOL, bps=9_000))
        DcaTrader(alice).places(dca(100 * USDC))
        LimitTrader(venue, alice).places(10 * USDC, JUP, take=10**12)
        venue.price(SOL, "151")
        buyer, seller = (Member(venue).joins().has(btc="1", usdc="10000") for _ in range(2))
        buyer.places("buy", 0.02, 1000)
        seller.places("sell", 0.005, 990)
        venue.advances(1)
        venue.settles()


@dataclass(frozen=True, slots=True)
class Start:
    """How a start went: `ending` None, it was ready. `lines`: what the log said at its usual level."""

    ending: Ending | None
    lines: Sequence[str]

    @property
    def words(self) -> str:
        return "it started" if self.ending is None else f"{self.ending.status}: {self.ending.line}"


class Connections:
    """The stores of all starts on one database, whose connections outlive each of them."""

    def __init__(self) -> None:
        self._opened = AsyncExitStack()
        self._stores: Stores | None = None

    @asynccontextmanager
    async def stores(self, dsn: str, *types: Any, **more_types: Any) -> AsyncIterator[Stores]:
        if self._stores is None:
            self._stores = await self._opened.enter_async_context(opened_stores(dsn, *types, **more_types))
        try:
            yield self._stores
        finally:
            await self._stores.ledger.close()
            for store in (self._stores.trigger, self._stores.dca, self._stores.book, self._stores.index):
                for writer in store._writers.values():
                    writer._known = (0, 0)  # The next process knows nothing of what was undone.

    async def close(self) -> None:
        self._stores = None
        await self._opened.aclose()


async def start(
    url: str,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    sandbox: bool = True,
    connections: Connections | None = None,
) -> Start:
    """`countermand serve`, which stops as soon as it is ready. Raises `TimeoutError` if it is neither.

    With `connections` it has a port with nothing behind: connections and routes take longer than all that is read.
    """
    if connections is not None:
        for root in _ROOTS:
            monkeypatch.setattr(root, "opened_stores", connections.stores)
            monkeypatch.setattr(root, "build_gateway", _gateway_without_routes)
    monkeypatch.setattr(_SERVE, "announce", lambda *_, **__: signal.raise_signal(signal.SIGTERM))
    monkeypatch.setattr(_SERVE, "begin_collecting", lambda: None)
    settings = settle(port=0, database_url=url, data=data, confirm_timeout_ms=300, sandbox=sandbox)
    ending = None
    with capture_logs() as told:
        try:
            async with asyncio.timeout(START_S):
                await app.serve(settings)
        except TimeoutError:
            raise
        except Exception as problem:  # noqa: BLE001  Whatever ended it, the command would make of it what this does.
            ending = ending_of(problem)
        finally:
            gc.enable()
    return Start(ending, [each["event"] for each in told if each["log_level"] != "debug"])


def _gateway_without_routes(families: Families, _: GatewayExtensions) -> HttpGateway:
    return HttpGateway(cast("App", new_app()), families.infrastructure.settings)


READ_AT_A_START: dict[str, Sequence[str]] = {
    "shards": ("shard", "epoch", "opened", "seq", "head", "last_at"),
    "orders": ("id", "bucket", "live", "body"),
    "watermarks": ("mint", "direction", "body"),
    "dca_orders": ("id", "bucket", "live", "body"),
    "prices": ("mint", "picodollars"),
    "book_counters": ("shard", "body"),
    "book_balances": ("account", "currency", "available", "locked"),
    "book_orders": ("id", "live", "body"),
    "book_trades": ("market", "at", "ticks", "lots"),
    "onchain_orders": ("address", "opened_by", "family", "live", "body"),
    "onchain_cursors": ("program", "body"),
    "chain_ledger": (
        *("seq", "entropy", "faucet_seed", "mint_authority_seed", "slot", "wall_ms", "ceiling", "block_time"),
    ),
    "chain_accounts": ("address", "lamports", "owner", "data", "executable"),
    "chain_transactions": ("signature", "message_hash", "position", "slot", "error"),
    "sandbox_settings": ("name", "body"),
    "sandbox_tokens": ("mint", "symbol", "decimals", "program"),
    "venue": ("seed_fingerprint", "token_incarnation"),
    "migrations": ("number", "name", "checksum"),
}
"""The tables and columns that a start reads."""

READ_WHEN_ASKED: frozenset[str] = frozenset(
    {
        *("journal", "events", "crafts", "dca_crafts", "builds", "vaults", "book_drafts"),
        *("members", "member_sessions", "api_keys", "chain_mentions", "sandbox_snapshots"),
        "onchain_trades",
    }
)
"""The tables of which a start reads no row, or only the newest: requests do, and the audit."""

WRONG: dict[str, Sequence[str]] = {
    "bytea": ("''", "'{{}}'", "substr({0}, 1, length({0}) / 2)", "{0} || 'x'"),
    "text": ("''", "'x'"),
    "bigint": ("-1", "9223372036854775807", "{0} + 1000"),
    "integer": ("-1", "7"),
    "smallint": ("-1", "32767", "({0} + 1) % 256"),
    "numeric": ("-1", "'NaN'"),
    "boolean": ("NOT {0}",),
    "uuid": ("gen_random_uuid()",),
}
"""By the type of a column, what may stand there instead."""
