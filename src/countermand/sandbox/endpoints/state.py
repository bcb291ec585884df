"""The sandbox as a whole: its faucet, its clock, its faults, its reset."""

from collections.abc import Awaitable, Callable
from types import MappingProxyType
from typing import Final

import msgspec
from falcon.asgi import Request, Response

from countermand.sandbox import wire
from countermand.sandbox.endpoints.asking import YEAR_MS, Endpoints, address, body_of, changes, encode, nothing, units
from countermand.sandbox.numbers import number_in, within
from countermand.sandbox.reading import SandboxRefused
from countermand.sandbox.sandbox import Sandbox
from countermand.settings import SEED_MAX
from countermand.values.instant import Instant

_COUNT_MAX: Final = 1_000_000
_TIMEOUT_MS_MAX: Final = 60_000
_NATIVE: Final = "SOL"


class StateResource(Endpoints):
    PATHS = MappingProxyType(
        {
            "/sandbox": None,
            "/sandbox/airdrop": "airdrop",
            "/sandbox/settle": "settle",
            "/sandbox/clock": "clock",
            "/sandbox/clock/advance": "advance",
            "/sandbox/faults": "faults",
            "/sandbox/reset": "reset",
            "/sandbox/audit": "audit",
        }
    )

    def __init__(self, sandbox: Sandbox, audit: Callable[[], Awaitable[wire.AuditWire]]) -> None:
        super().__init__(sandbox)
        self._audit = audit

    async def on_get(self, req: Request, resp: Response) -> None:
        await nothing(req)
        self._show(resp)

    @changes
    async def on_post_airdrop(self, req: Request, resp: Response) -> None:
        body = (await body_of(req)).into(wire.AirdropRequest)
        mint = None if body.mint == _NATIVE else self.sandbox.names.token(body.mint, "mint").mint
        signature = await self.sandbox.airdrop(address("wallet", body.wallet), mint, units("amount", body.amount))
        resp.data = encode(wire.AirdropAnswer(signature))

    async def on_post_settle(self, req: Request, resp: Response) -> None:
        body = (await body_of(req)).into(wire.SettleRequest)
        waiting_for = await self.sandbox.settle(within("timeoutMs", body.timeout_ms, 0, _TIMEOUT_MS_MAX))
        resp.data = encode(
            wire.SettleAnswer(waiting_for is None, msgspec.UNSET if waiting_for is None else list(waiting_for))
        )

    @changes
    async def on_post_clock(self, req: Request, resp: Response) -> None:
        body = (await body_of(req)).into(wire.ClockRequest)
        now = None if body.now is None else Instant(within("now", body.now, 0, self.sandbox.now() + 100 * YEAR_MS))
        await self.sandbox.set_clock(frozen=body.mode == "frozen", now=now)
        self._show(resp)

    @changes
    async def on_post_advance(self, req: Request, resp: Response) -> None:
        body = (await body_of(req)).into(wire.AdvanceRequest)
        await self.sandbox.advance(number_in("seconds", body.seconds, scale=3, bound=100 * YEAR_MS))
        self._show(resp)

    @changes
    async def on_put_faults(self, req: Request, resp: Response) -> None:
        given = await body_of(req)
        if given.is_empty():
            raise SandboxRefused("body: empty; send the faults that are to be on, or {} to clear them all")
        body = given.into(wire.FaultsWire)
        for field in msgspec.structs.fields(body):
            if field.type is int:
                within(field.encode_name, getattr(body, field.name), 0, _COUNT_MAX)
        await self.sandbox.set_faults(body)
        self._show(resp)

    async def on_post_reset(self, req: Request, resp: Response) -> None:
        body = (await body_of(req)).into(wire.ResetRequest)
        seed = None if body.seed is None else within("seed", body.seed, 0, SEED_MAX)
        await self.sandbox.reset(seed)
        self._show(resp)

    async def on_get_audit(self, req: Request, resp: Response) -> None:
        await nothing(req)
        resp.data = encode(await self._audit())
