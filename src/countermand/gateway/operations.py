"""The endpoints of operation: health, metrics, the OpenAPI documents, and the pages that show them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import falcon
import msgspec
from falcon.asgi import Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from countermand.gateway import pages
from countermand.gateway.falcon_app import FalconApp
from countermand.gateway.files import BuiltFiles

Document = Mapping[str, Any]
Documents = Mapping[str, Callable[[], Document]]

# The pages need nothing from elsewhere, and must not be made to.
_PAGE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def mount(
    app: FalconApp,
    *,
    not_ready_because: Callable[[], str | None],
    missing: Callable[[], Sequence[str]] = lambda: (),
    documents: Documents,
    sandbox: bool,
    rpc: bool = True,
    registry: CollectorRegistry = REGISTRY,
    front: object | None = None,
    viewer: BuiltFiles | None = None,
) -> None:
    """Adds the operations to an app. `not_ready_because` is None when the venue would serve orders.

    `missing` names what it serves them without. `front`: the resource at `/`; None: a small page with the URLs.
    `viewer`: what is at `/docs`; None: the same page of commands as at `/docs/curl`.
    """
    app.add_route("/health/live", LiveResource())
    app.add_route("/health/ready", ReadyResource(not_ready_because, missing))
    app.add_route("/metrics", MetricsResource(registry))
    app.add_route("/openapi/{file}", OpenApiResource(documents))
    commands = CommandsResource(documents)
    app.add_route("/docs/curl", commands)
    app.add_route("/docs", commands if viewer is None else viewer.page)
    if viewer is not None:
        app.add_route("/docs/apis.json", ApisResource(tuple(documents), sandbox=sandbox))
        app.add_route("/docs/{file}", viewer)
    app.add_route("/", FrontResource(documents, sandbox=sandbox, rpc=rpc) if front is None else front)


class LiveResource:
    """The process answers."""

    async def on_get(self, _req: Request, resp: Response) -> None:
        resp.media = {"status": "live"}


class ReadyResource:
    """200 only when the venue would serve orders; otherwise 503 with the reason."""

    def __init__(self, not_ready_because: Callable[[], str | None], missing: Callable[[], Sequence[str]]) -> None:
        self._not_ready_because = not_ready_because
        self._missing = missing

    async def on_get(self, _req: Request, resp: Response) -> None:
        reason, missing = self._not_ready_because(), list(self._missing())
        status = {"status": "ready"} if reason is None else {"status": "not ready", "reason": reason}
        resp.media = {**status, "missing": missing} if missing else status
        if reason is not None:
            resp.status = falcon.HTTP_503


class MetricsResource:
    """In the text format of Prometheus."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    async def on_get(self, _req: Request, resp: Response) -> None:
        resp.content_type = CONTENT_TYPE_LATEST
        resp.data = generate_latest(self._registry)


class OpenApiResource:
    """`/openapi/{name}.json`. A document is made when it is first asked for."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._made: dict[str, bytes] = {}

    async def on_get(self, _req: Request, resp: Response, file: str) -> None:
        name = file.removesuffix(".json")
        if name == file or name not in self._documents:
            raise falcon.HTTPNotFound
        if name not in self._made:
            self._made[name] = msgspec.json.encode(self._documents[name]())
        resp.content_type = falcon.MEDIA_JSON
        resp.data = self._made[name]


class ApisResource:
    """What the viewer can show, and whether it may ask a sandbox for a wallet with funds."""

    def __init__(self, apis: Sequence[str], *, sandbox: bool) -> None:
        self._answer = {"apis": list(apis), "sandbox": sandbox}

    async def on_get(self, _req: Request, resp: Response) -> None:
        resp.media = self._answer


class CommandsResource:
    """All operations on one page, each with a curl command."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._made: dict[str, Document] = {}
        self._shown: tuple[str, str] | None = None
        """The last page, and for which address: to make one holds the loop for as long as twenty other requests."""

    async def on_get(self, req: Request, resp: Response) -> None:
        if not self._made:  # To make them all holds the loop for a while: once.
            self._made = {name: make() for name, make in self._documents.items()}
        if self._shown is None or self._shown[0] != req.prefix:
            self._shown = req.prefix, pages.commands(self._made, req.prefix)
        _show(resp, self._shown[1])


class FrontResource:
    """The URLs of the venue."""

    def __init__(self, documents: Documents, *, sandbox: bool, rpc: bool) -> None:
        self._names = tuple(documents)
        self._sandbox = sandbox
        self._rpc = rpc

    async def on_get(self, req: Request, resp: Response) -> None:
        _show(resp, pages.front(self._names, req.prefix, sandbox=self._sandbox, rpc=self._rpc))


def _show(resp: Response, page: str) -> None:
    resp.content_type = falcon.MEDIA_HTML
    resp.set_header("content-security-policy", _PAGE_POLICY)
    resp.set_header("x-content-type-options", "nosniff")
    resp.text = page
