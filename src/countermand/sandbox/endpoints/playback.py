"""Prices that follow a table or a walk."""

from types import MappingProxyType
from typing import Final

from falcon.asgi import Request, Response

from countermand.inspection.queries import parameters
from countermand.sandbox import wire
from countermand.sandbox.endpoints.asking import (
    YEAR_MS,
    Endpoints,
    body_of,
    changes,
    encode,
    given_or_one,
    no_body,
    nothing,
)
from countermand.sandbox.naming import TokenNames
from countermand.sandbox.numbers import number_in, within
from countermand.sandbox.playback import SPEED_ONE, Playback, Playbacks, Table, Walk, read_table
from countermand.sandbox.reading import SandboxRefused
from countermand.sandbox.sandbox import Sandbox
from countermand.settings import SEED_MAX
from countermand.values.quantities import BPS_ONE, U64_MAX, Bps, decimal_text

_SPEED_MAX: Final = 1_000


class PlaybackResource(Endpoints):
    PATHS = MappingProxyType(
        {
            "/sandbox/playback": "playback",
        }
    )

    def __init__(self, sandbox: Sandbox, playbacks: Playbacks) -> None:
        super().__init__(sandbox)
        self._names = sandbox.names
        self._playbacks = playbacks

    async def on_get_playback(self, req: Request, resp: Response) -> None:
        await nothing(req)
        self._show_playbacks(resp)

    @changes
    async def on_post_playback(self, req: Request, resp: Response) -> None:
        body = (await body_of(req)).into(wire.PlaybackRequest)
        mint = self._names.token(body.mint, "mint").mint
        speed = number_in("speed", given_or_one(body.speed), scale=3, bound=U64_MAX)
        self._playbacks.start(mint, _source(body), within("speed", speed, 1, _SPEED_MAX * SPEED_ONE, scale=3))
        self._show_playbacks(resp)

    @changes
    async def on_delete_playback(self, req: Request, resp: Response) -> None:
        """Of one token, or of all."""
        asked = parameters(req.query_string, ("mint",))
        await no_body(req)
        self._playbacks.stop([self._names.token(asked["mint"], "mint").mint] if "mint" in asked else None)
        self._show_playbacks(resp)

    def _show_playbacks(self, resp: Response) -> None:
        resp.data = encode(wire.PlaybacksWire([_playback_wire(self._names, each) for each in self._playbacks.all()]))


def _source(body: wire.PlaybackRequest) -> Table | Walk:
    if (body.csv is None) == (body.walk is None):
        raise SandboxRefused("body: send csv or walk, and not both")
    if body.csv is not None:
        return read_table(body.csv)
    assert body.walk is not None
    walk = body.walk
    return Walk(
        within("walk.seed", walk.seed, 0, SEED_MAX),
        Bps(within("walk.bps", walk.bps, 1, BPS_ONE)),
        within("walk.everyMs", walk.every_ms, 1, YEAR_MS),
    )


def _playback_wire(names: TokenNames, playback: Playback) -> wire.PlaybackWire:
    mint, speed = playback.mint, decimal_text(playback.speed, 3)
    shown_so = wire.PlaybackWire(mint, names.token(mint).symbol, speed, playback.moves)
    source = playback.source
    if isinstance(source, Table):
        shown_so.rows = len(source.rows)
    else:
        shown_so.walk = wire.WalkWire(source.seed, source.most.bps, source.every_ms)
    return shown_so
