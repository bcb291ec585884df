"""`/sandbox`: the endpoints of the sandbox."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import base58
import falcon
import msgspec
from falcon.asgi import Request, Response

from countermand.dialects.tanx.auth import read_stark_key
from countermand.dialects.tanx.ethereum import account_of
from countermand.dialects.tanx.translate import ID_MAX
from countermand.domain.book.order import OrderId
from countermand.domain.identity import Address, Mint
from countermand.domain.instant import Instant
from countermand.domain.ledger.amount import AMOUNT_MAX, AMOUNT_SCALE, Account, Amount
from countermand.domain.quantities import U64_MAX, USD_PRICE_MAX, USD_SCALE, Inexact, UsdPrice, decimal_text, exact
from countermand.engine.ports import CommitUnknown, Unavailable
from countermand.sandbox import wire
from countermand.sandbox.faucet import FaucetRefused
from countermand.sandbox.sandbox import Sandbox, SandboxRefused
from countermand.sandbox.tanx import TanxSandbox
from countermand.solana.port import ChainUnavailable
from countermand.solana.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM
from countermand.strict_json import duplicate_key

_encode: Final = msgspec.json.Encoder().encode
_T = TypeVar("_T")
_YEAR_MS: Final = 366 * 24 * 3600 * 1000
_COUNT_MAX: Final = 1_000_000
_TIMEOUT_MS_MAX: Final = 60_000
_NATIVE: Final = "SOL"
_TOKEN_PROGRAMS: Final = {"spl-token": Address(TOKEN_PROGRAM), "spl-token-2022": Address(TOKEN_2022_PROGRAM)}
"""By the names that nodes give them."""


class SandboxResource:
    """One resource for all of `/sandbox/…`: each responder takes its request and answers the sandbox as it then is."""

    def __init__(self, sandbox: Sandbox, tanx: TanxSandbox, audit: Callable[[], Awaitable[wire.AuditWire]]) -> None:
        self._sandbox = sandbox
        self._tanx = tanx
        self._audit = audit

    async def on_get(self, _req: Request, resp: Response) -> None:
        self._show(resp)

    async def on_post_airdrop(self, req: Request, resp: Response) -> None:
        body = await _decoded(req, wire.AirdropRequest)
        mint = None if body.mint == _NATIVE else Mint(_address("mint", body.mint))
        signature = await self._sandbox.airdrop(_address("wallet", body.wallet), mint, _units("amount", body.amount))
        resp.data = _encode(wire.AirdropAnswer(signature))

    async def on_put_prices(self, req: Request, resp: Response) -> None:
        body = await _decoded(req, dict[str, msgspec.Raw])
        prices = {Mint(_address("mint", mint)): _price(mint, price) for mint, price in body.items()}
        await self._sandbox.set_prices(prices)
        self._show(resp)

    async def on_put_liquidity(self, req: Request, resp: Response) -> None:
        body = await _decoded(req, dict[str, wire.LiquidityRequest])
        for mint, liquidity in body.items():
            if liquidity.max_input is not msgspec.UNSET:
                raise SandboxRefused(f"{mint}.maxInput: fills take a whole order; partial fills are not supported yet")
        impacts = {
            Mint(_address("mint", mint)): _within(f"{mint}.impactBps", liquidity.impact_bps, 0, 10_000)
            for mint, liquidity in body.items()
        }
        self._sandbox.set_liquidity(impacts)
        self._show(resp)

    async def on_post_tokens(self, req: Request, resp: Response) -> None:
        body = await _decoded(req, wire.TokenRequest)
        if not 1 <= len(body.symbol) <= 32:
            raise SandboxRefused("symbol: must have 1 to 32 characters")
        decimals = _within("decimals", body.decimals, 0, 18)
        mint = None if body.mint is None else _address("mint", body.mint)
        program = _TOKEN_PROGRAMS[body.program]
        await self._sandbox.add_token(body.symbol, decimals, _price("price", body.price), mint, program)
        self._show(resp)

    async def on_post_settle(self, req: Request, resp: Response) -> None:
        body = await _decoded(req, wire.SettleRequest)
        waiting_for = await self._sandbox.settle(_within("timeoutMs", body.timeout_ms, 0, _TIMEOUT_MS_MAX))
        resp.data = _encode(wire.SettleAnswer(not waiting_for, list(waiting_for)))

    async def on_post_clock(self, req: Request, resp: Response) -> None:
        body = await _decoded(req, wire.ClockRequest)
        now = None if body.now is None else Instant(_within("now", body.now, 0, self._sandbox.now() + 100 * _YEAR_MS))
        await self._sandbox.set_clock(frozen=body.mode == "frozen", now=now)
        self._show(resp)

    async def on_post_advance(self, req: Request, resp: Response) -> None:
        body = await _decoded(req, wire.AdvanceRequest)
        await self._sandbox.advance(_number("seconds", body.seconds, scale=3, bound=100 * _YEAR_MS))
        self._show(resp)

    async def on_put_faults(self, req: Request, resp: Response) -> None:
        body = await _decoded(req, wire.FaultsWire)
        for field in msgspec.structs.fields(body):
            if field.type is int:
                _within(field.encode_name, getattr(body, field.name), 0, _COUNT_MAX)
        await self._sandbox.set_faults(body)
        self._show(resp)

    async def on_post_reset(self, req: Request, resp: Response) -> None:
        body = await _decoded(req, wire.ResetRequest)
        await self._sandbox.reset(body.seed)
        self._show(resp)

    async def on_post_tanx_credit(self, req: Request, resp: Response) -> None:
        body = await _decoded(req, wire.TanxCreditRequest)
        amount = Amount(_number("amount", body.amount, scale=AMOUNT_SCALE, bound=AMOUNT_MAX))
        await self._tanx.credit(_account(body.eth_address), body.currency, amount)
        self._show(resp)

    async def on_post_tanx_stark_key(self, req: Request, resp: Response) -> None:
        body = await _decoded(req, wire.TanxStarkKeyRequest)
        key = read_stark_key(body.stark_key)
        if key is None:
            raise SandboxRefused("stark_key: send 0x and the x of a point on the Stark curve in hexadecimal")
        await self._tanx.register_key(_account(body.eth_address), key)
        self._show(resp)

    async def on_post_tanx_cancel(self, req: Request, resp: Response) -> None:
        body = await _decoded(req, wire.TanxCancelRequest)
        await self._tanx.cancel(OrderId(_within("order_id", body.order_id, 1, ID_MAX)))
        self._show(resp)

    async def on_get_audit(self, _req: Request, resp: Response) -> None:
        resp.data = _encode(await self._audit())

    def _show(self, resp: Response) -> None:
        sandbox = self._sandbox
        slot, block_height = sandbox.chain_height()
        tokens = [
            wire.TokenWire(token.symbol, token.mint, token.decimals, None if price is None else _dollars(price))
            for token, price in sandbox.tokens()
        ]
        clock = wire.ClockWire("frozen" if sandbox.is_frozen() else "running")
        chain = wire.ChainWire(slot, block_height)
        resp.data = _encode(wire.SandboxWire(sandbox.now(), clock, sandbox.seed, tokens, chain, sandbox.faults()))


SUFFIXES: Final = (
    ("/sandbox", None),
    ("/sandbox/airdrop", "airdrop"),
    ("/sandbox/prices", "prices"),
    ("/sandbox/liquidity", "liquidity"),
    ("/sandbox/tokens", "tokens"),
    ("/sandbox/settle", "settle"),
    ("/sandbox/clock", "clock"),
    ("/sandbox/clock/advance", "advance"),
    ("/sandbox/faults", "faults"),
    ("/sandbox/reset", "reset"),
    ("/sandbox/tanx/credit", "tanx_credit"),
    ("/sandbox/tanx/stark-key", "tanx_stark_key"),
    ("/sandbox/tanx/cancel", "tanx_cancel"),
    ("/sandbox/audit", "audit"),
)


def mount(app: "falcon.asgi.App[Request, Response]", resource: SandboxResource) -> None:
    for path, suffix in SUFFIXES:
        app.add_route(path, resource, suffix=suffix)
    for refused in (SandboxRefused, FaucetRefused):
        app.add_error_handler(refused, _bad_request)
    for unavailable in (ChainUnavailable, Unavailable, CommitUnknown):
        app.add_error_handler(unavailable, _unavailable)


async def _bad_request(_req: Request, resp: Response, error: Exception, _params: dict[str, Any]) -> None:
    resp.status = falcon.HTTP_400
    resp.data = _encode({"error": str(error)})


async def _unavailable(_req: Request, resp: Response, error: Exception, _params: dict[str, Any]) -> None:
    resp.status = falcon.HTTP_503
    resp.data = _encode({"error": str(error)})


async def _decoded(req: Request, kind: type[_T]) -> _T:
    body = await req.stream.read()
    try:
        decoded = msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SandboxRefused(f"body: {error}") from None
    twice = duplicate_key(body)
    if twice is not None:
        raise SandboxRefused(f"{twice}: stands twice in the body")
    return decoded


def _address(field: str, text: str) -> Address:
    try:
        if len(text) <= 44 and len(base58.b58decode(text)) == 32:
            return Address(text)
    except ValueError:
        pass
    raise SandboxRefused(f"{field}: {text[:60]!r} is no base58 address of 32 bytes")


def _account(eth_address: str) -> Account:
    account = account_of(eth_address)
    if account is None:
        raise SandboxRefused(f"eth_address: {eth_address[:60]!r} is no Ethereum address: 0x and 40 hexadecimal digits")
    return account


def _number(field: str, raw: msgspec.Raw, *, scale: int, bound: int) -> int:
    text = bytes(raw).decode().strip()
    if text[:1] == '"':
        text = msgspec.json.decode(raw, type=str)
    number = exact(text, scale=scale, bound=bound)
    if isinstance(number, Inexact):
        raise SandboxRefused(f"{field}: {text[:60]!r} {number.value}")
    return number


def _units(field: str, raw: msgspec.Raw) -> int:
    return _number(field, raw, scale=0, bound=U64_MAX)


def _price(field: str, raw: msgspec.Raw) -> UsdPrice:
    number = _number(field, raw, scale=USD_SCALE, bound=USD_PRICE_MAX)
    if not number:
        raise SandboxRefused(f"{field}: a price must be more than nothing")
    return UsdPrice(number)


def _dollars(price: UsdPrice) -> str:
    return decimal_text(price.picodollars, USD_SCALE)


def _within(field: str, number: int, least: int, most: int) -> int:
    if not least <= number <= most:
        raise SandboxRefused(f"{field}: {number} is not between {least} and {most}")
    return number
