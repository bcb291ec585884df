"""Resources behind an app that is made once for all that have the same routes: to compile a router takes 3 ms."""

from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any

import falcon.asgi
import falcon.testing

Responder = Callable[..., Awaitable[None]]


class Mounted:
    """`make` makes the app."""

    def __init__(self, routes: Sequence[tuple[str, object]], make: Callable[[], Any] = falcon.asgi.App) -> None:
        self._resources = [resource for _, resource in routes]
        self._client, self._places = _mounted(make, tuple((path, type(resource)) for path, resource in routes))

    def ask(self, method: str, path: str, **request: Any) -> falcon.testing.Result:
        for place, resource in zip(self._places, self._resources, strict=True):
            place.resource = resource
        return self._client.simulate_request(method, path, **request)


class _Place:
    """Of the resource that is asked now."""

    resource: object


@cache
def _mounted(
    make: Callable[[], Any], kinds: tuple[tuple[str, type], ...]
) -> tuple[falcon.testing.TestClient, list[_Place]]:
    app, places = make(), []
    for path, kind in kinds:
        responders = {name: _passes_on(name) for name in dir(kind) if name.startswith("on_")}
        places.append(type(kind.__name__, (_Place,), responders)())
        app.add_route(path, places[-1])
    return falcon.testing.TestClient(app), places


def _passes_on(name: str) -> Responder:
    async def responder(place: _Place, req: object, resp: object, **params: object) -> None:
        await getattr(place.resource, name)(req, resp, **params)

    return responder
