"""The requests and answers of the sandbox.

Amounts are decimal strings of base units, prices decimal strings of US dollars, times Unix milliseconds.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from countermand.audit.wire import ColumnWire, CurrencyWire
from countermand.inspection.wire import TokenWire

Number: TypeAlias = Annotated[Raw, Meta(extra_json_schema={"anyOf": [{"type": "string"}, {"type": "number"}]})]
"""A decimal number, as text or as a JSON number; it is read exactly."""


class SandboxRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Refuses unknown fields; `sandbox.reading` says so in words."""


WeaknessName: TypeAlias = Literal[
    "forgottenCrafts",
    "laggingHistory",
    "busyCancel",
    "duplicateDeposit",
    "textAmounts",
    "noRefunds",
    "rateLimits",
    "slowLanding",
]


class FaultsWire(SandboxRequest, rename="camel", kw_only=True):
    """All faults, off. A counter counts down. What expires something acts once; the others stay until replaced."""

    drop_transactions: int = 0
    fail_swaps: int = 0
    land_delay_ms: int = 0
    lose_answers: int = 0
    rpc_down: bool = False
    expire_blockhashes: bool = False
    crash: Literal["before-commit", "after-commit", "before-send", "after-send"] | None = None
    rate_limit: int = 0
    expire_tokens: bool = False
    fail_matches: int = 0
    strict: bool | list[WeaknessName] = False
    """`true`: all of them. Shown as the list of those that are on, or false."""


class ClockWire(msgspec.Struct):
    mode: Literal["frozen", "running"]


class ChainWire(msgspec.Struct, rename="camel"):
    slot: int
    block_height: int


class SandboxWire(msgspec.Struct):
    now: int
    clock: ClockWire
    seed: int | None
    tokens: list[TokenWire]
    chain: ChainWire
    faults: FaultsWire


class AirdropRequest(SandboxRequest):
    wallet: str
    mint: str
    amount: Number


class AirdropAnswer(msgspec.Struct):
    signature: str


class LiquidityRequest(SandboxRequest, rename="camel"):
    """At least one of them; the other is as it was at the start. `max_input` null: a fill takes any amount."""

    max_input: str | int | UnsetType | None = UNSET
    impact_bps: int | UnsetType = UNSET


class LiquidityWire(msgspec.Struct, rename="camel"):
    max_input: str | None
    impact_bps: int


class TokenRequest(SandboxRequest):
    """`program`: the token program that owns the mint."""

    symbol: str
    decimals: int
    price: Number
    mint: str | None = None
    program: Literal["spl-token", "spl-token-2022"] = "spl-token"


class SettleRequest(SandboxRequest, rename="camel"):
    timeout_ms: int = 5_000


class SettleAnswer(msgspec.Struct, rename="camel", omit_defaults=True):
    settled: bool
    waiting_for: list[str] | UnsetType = UNSET


class ClockRequest(SandboxRequest):
    mode: Literal["frozen", "running"]
    now: int | None = None


class AdvanceRequest(SandboxRequest):
    seconds: Number


class ResetRequest(SandboxRequest):
    seed: int | None = None


class WalkWire(SandboxRequest, rename="camel"):
    """Each `every_ms` up or down by at most `bps`."""

    seed: int
    bps: int
    every_ms: int


class PlaybackRequest(SandboxRequest):
    """`csv`: lines of milliseconds and dollars. It, or `walk`. `speed`: 1 if it is not given."""

    mint: str
    csv: str | None = None
    walk: WalkWire | None = None
    speed: Number | UnsetType = UNSET


class PlaybackWire(msgspec.Struct, rename="camel", omit_defaults=True):
    """`moves`: how many prices were set, of so many `rows`, or of a `walk` without an end."""

    mint: str
    symbol: str
    speed: str
    moves: int
    rows: int | UnsetType = UNSET
    walk: WalkWire | UnsetType = UNSET


class PlaybacksWire(msgspec.Struct):
    playbacks: list[PlaybackWire]


class SnapshotRequest(SandboxRequest):
    name: str


class SnapshotAnswer(msgspec.Struct):
    """`seq`: the last sequence number of the trigger shard that is in it."""

    name: str
    seq: int


class SnapshotWire(SnapshotAnswer, rename="camel"):
    """`taken_at`: by the clock of the venue."""

    taken_at: int


class SnapshotsWire(msgspec.Struct):
    """The oldest first."""

    snapshots: list[SnapshotWire]


class TanxCreditRequest(SandboxRequest):
    """`amount`: in units."""

    eth_address: str
    currency: str
    amount: Number


class TanxStarkKeyRequest(SandboxRequest):
    """`stark_key`: the public key, `0x` and hexadecimal digits."""

    eth_address: str
    stark_key: str


class TanxCancelRequest(SandboxRequest):
    order_id: int


class MarketMakerRequest(SandboxRequest, rename="camel", kw_only=True):
    """`volume`: in units of the base currency, of each of so many `levels` of quotes on both sides; 1 if not given."""

    market: str
    price: Number
    volume: Number | UnsetType = UNSET
    seed: int = 0
    spread_bps: int = 20
    levels: int = 5
    move_bps: int = 10
    every_ms: int = 1_000


class MarketMakerWire(msgspec.Struct, rename="camel"):
    """`price`: around which it quotes now. `rounds`: how often it has. `accounts`: of the maker, and of the taker."""

    market: str
    price: str
    volume: str
    seed: int
    spread_bps: int
    levels: int
    move_bps: int
    every_ms: int
    rounds: int
    accounts: list[str]


class MarketMakersWire(msgspec.Struct, rename="camel"):
    market_makers: list[MarketMakerWire]


class AuditWire(msgspec.Struct, omit_defaults=True):
    """`differences`: only if not `ok`."""

    ok: bool
    mints: dict[str, ColumnWire]
    currencies: dict[str, CurrencyWire]
    differences: list[str] = []


class AmendRequest(SandboxRequest, rename="camel"):
    """Of a trigger order, at least one: what is left out stays. Prices are in US dollars."""

    trigger_price_usd: Number | UnsetType = UNSET
    tp_price_usd: Number | UnsetType = UNSET
    sl_price_usd: Number | UnsetType = UNSET
    trailing_bps: int | UnsetType = UNSET
    slippage_bps: int | UnsetType = UNSET
    tp_slippage_bps: int | UnsetType = UNSET
    sl_slippage_bps: int | UnsetType = UNSET
    expires_at: int | UnsetType = UNSET


class RequestSummaryWire(msgspec.Struct, rename="camel"):
    """`status` null: nothing was answered. `cut`: the connection ended before the answer did."""

    number: int
    at: int
    method: str
    path: str
    status: int | None
    microseconds: int
    order_id: str | None
    cut: bool


class RequestWire(msgspec.Struct, rename="camel", kw_only=True):
    """`body` and `answer`: JSON, or text, or null for none.

    `altered`: how the transaction that was signed differs from the one that was built; null: not at all.
    """

    number: int
    at: int
    method: str
    path: str
    query: str
    status: int | None
    microseconds: int
    order_id: str | None
    cut: bool
    headers: dict[str, str]
    body: Any
    body_bytes: int
    answer: Any
    answer_bytes: int
    curl: str
    altered: Mapping[str, Any] | None


class RequestsWire(msgspec.Struct):
    requests: list[RequestWire]


class HoldingWire(msgspec.Struct):
    mint: str
    amount: str


class WalletWire(msgspec.Struct, rename="camel"):
    """A wallet with a vault. `holds`: what is in its own accounts, `in_vault` what its orders hold."""

    wallet: str
    vault: str
    registered_at: int
    lamports: str
    holds: list[HoldingWire]
    in_vault: list[HoldingWire]


class WalletsWire(msgspec.Struct):
    wallets: list[WalletWire]


class ErrorWire(msgspec.Struct):
    error: str
