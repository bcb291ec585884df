"""Snapshots of the whole sandbox."""

from types import MappingProxyType

from falcon.asgi import Request, Response

from countermand.sandbox import wire
from countermand.sandbox.endpoints.asking import Endpoints, body_of, encode, nothing
from countermand.sandbox.sandbox import Sandbox
from countermand.sandbox.snapshots import Snapshots


class SnapshotsResource(Endpoints):
    PATHS = MappingProxyType(
        {
            "/sandbox/snapshots": "snapshots",
            "/sandbox/snapshots/{name}": "snapshot",
            "/sandbox/snapshots/{name}/restore": "restore",
        }
    )

    def __init__(self, sandbox: Sandbox, snapshots: Snapshots) -> None:
        super().__init__(sandbox)
        self._snapshots = snapshots

    async def on_get_snapshots(self, req: Request, resp: Response) -> None:
        await nothing(req)
        taken = [wire.SnapshotWire(row.name, row.seq, row.taken_at) for row in await self._snapshots.all()]
        resp.data = encode(wire.SnapshotsWire(taken))

    async def on_post_snapshots(self, req: Request, resp: Response) -> None:
        taken = await self._snapshots.take((await body_of(req)).into(wire.SnapshotRequest).name)
        resp.data = encode(wire.SnapshotAnswer(taken.name, taken.seq))

    async def on_delete_snapshot(self, req: Request, resp: Response, name: str) -> None:
        await nothing(req)
        await self._snapshots.delete(name)
        self._show(resp)

    async def on_post_restore(self, req: Request, resp: Response, name: str) -> None:
        await nothing(req)
        await self._snapshots.restore(name)
        self._show(resp)
