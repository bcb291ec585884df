"""Health, metrics, documents and pages."""

import gzip
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter

from countermand.docs.files import viewer_files
from countermand.gateway import operations
from countermand.gateway.asgi import App
from countermand.gateway.falcon_app import new_app
from countermand.gateway.http_gateway import HttpGateway
from countermand.settings import Settings
from tests.gateway.asking import ask

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Trigger <v2>", "version": "1", "description": "Orders & vaults"},
    "paths": {
        "/trigger/v2/orders/price/{orderId}": {
            "parameters": [{"$ref": "#/components/parameters/OrderId"}],
            "patch": {
                "summary": "Update an order",
                "description": "Any field of <its> type.",
                "security": [{"jwt": []}],
                "parameters": [{"name": "x-api-key", "in": "header", "required": False}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Update"}}}},
            },
        },
        "/price/v3": {
            "get": {
                "summary": "Prices",
                "parameters": [
                    {"name": "ids", "in": "query", "required": True, "example": "a,b"},
                    {"name": "later", "in": "query"},
                ],
            }
        },
    },
    "components": {
        "parameters": {"OrderId": {"name": "orderId", "in": "path", "required": True, "schema": {"type": "string"}}},
        "schemas": {
            "Update": {
                "type": "object",
                "required": ["orderType", "legs", "next", "it's"],
                "properties": {
                    "orderType": {"enum": ["single"]},
                    "slippageBps": {"type": "integer"},
                    "legs": {"type": "array", "items": {"type": "integer"}},
                    "next": {"anyOf": [{"$ref": "#/components/schemas/Update"}, {"type": "null"}]},
                    "it's": {"type": "string", "example": "a'b"},
                },
            }
        },
    },
}


class State:
    reason: str | None = "the shard is loading"


def an_app(state: State | None = None) -> App:
    app = new_app()
    registry = CollectorRegistry()
    Counter("countermand_things", "Things", registry=registry).inc()
    operations.mount(
        app,
        not_ready_because=lambda: (state or State()).reason,
        documents={"trigger-v2": lambda: DOCUMENT},
        sandbox=True,
        registry=registry,
    )
    return HttpGateway(app, Settings())


async def test_live_is_live() -> None:
    reply = await ask(an_app(), "GET", "/health/live")
    assert (reply.status, reply.json) == (200, {"status": "live"})


async def test_ready_only_when_orders_would_be_served() -> None:
    state = State()
    app = an_app(state)
    reply = await ask(app, "GET", "/health/ready")
    assert (reply.status, reply.json) == (503, {"status": "not ready", "reason": "the shard is loading"})
    state.reason = None
    reply = await ask(app, "GET", "/health/ready")
    assert (reply.status, reply.json) == (200, {"status": "ready"})


async def test_metrics() -> None:
    reply = await ask(an_app(), "GET", "/metrics")
    assert reply.headers["content-type"].startswith("text/plain")
    assert b"countermand_things_total 1.0" in reply.body


async def test_answers_are_counted() -> None:
    app = new_app()
    operations.mount(app, not_ready_because=lambda: None, documents={}, sandbox=False)
    await ask(HttpGateway(app, Settings()), "GET", "/trigger/v2/nowhere")
    metrics = await ask(app, "GET", "/metrics")
    assert b'countermand_http_answers_total{area="trigger",status="404"}' in metrics.body


async def test_documents_are_served_by_name() -> None:
    reply = await ask(an_app(), "GET", "/openapi/trigger-v2.json")
    assert reply.headers["content-type"] == "application/json"
    assert reply.json == DOCUMENT


@pytest.mark.parametrize("path", ["/openapi/trigger-v9.json", "/openapi/trigger-v2", "/openapi/trigger-v2.json/"])
async def test_other_documents_do_not_exist(path: str) -> None:
    assert (await ask(an_app(), "GET", path)).body == b'{"code":404,"message":"Not found"}'


async def test_the_docs_list_every_operation_with_a_command() -> None:
    reply = await ask(an_app(), "GET", "/docs")
    assert reply.headers["content-type"].startswith("text/html")
    page = Page(reply.body.decode())
    patch = (
        "curl -X PATCH http://127.0.0.1:8080/trigger/v2/orders/price/ORDER_ID \\\n"
        '  -H "authorization: Bearer $TOKEN" \\\n'
        '  -H "content-type: application/json" \\\n'
        """  -d '{"orderType": "single", "legs": [1], "next": """
        """{"orderType": "single", "legs": [1], "next": {"orderType": "single", "legs": [1], "next": {}, """
        """"it'"'"'s": "a'"'"'b"}, "it'"'"'s": "a'"'"'b"}, "it'"'"'s": "a'"'"'b"}'"""
    )
    assert page.commands == [patch, "curl 'http://127.0.0.1:8080/price/v3?ids=a,b'"]
    assert "Trigger <v2>" in page.text
    assert "Any field of <its> type." in page.text


@pytest.mark.parametrize("path", ["/docs", "/"])
async def test_the_pages_load_nothing_from_elsewhere(path: str) -> None:
    reply = await ask(an_app(), "GET", path)
    page = Page(reply.body.decode())
    assert not {"script", "img", "link", "iframe"} & page.tags
    assert all(target.startswith(("/", "#")) for target in page.links)
    assert "url(" not in page.html
    assert "@import" not in page.html
    assert "default-src 'none'" in reply.headers["content-security-policy"]


async def test_the_viewer_is_served_from_this_package_alone() -> None:
    app = new_app()
    operations.mount(app, not_ready_because=lambda: None, documents={"a": dict}, sandbox=False, viewer=viewer_files())
    page = await ask(app, "GET", "/docs")
    assert re.findall(r"default-src 'none'|unsafe", page.headers["content-security-policy"]) == ["default-src 'none'"]
    loaded = re.findall(rb'(?:src|href)="(/docs/[^"]+)"', page.body)
    assert len(set(loaded)) == 6
    for path in loaded:
        assert (await ask(app, "GET", path.decode())).status == 200, path
    assert (await ask(app, "GET", "/docs/apis.json")).json == {"apis": ["a"], "sandbox": False}
    assert (await ask(app, "GET", "/docs/nothing.js")).status == 404


async def test_a_large_file_is_sent_as_it_is_kept_to_those_who_take_it() -> None:
    app = new_app()
    operations.mount(app, not_ready_because=lambda: None, documents={}, sandbox=False, viewer=viewer_files())
    path = "/docs/swagger-ui.css"
    plain, small = await ask(app, "GET", path), await ask(app, "GET", path, {"accept-encoding": "br, gzip"})
    assert (plain.headers.get("content-encoding"), small.headers["content-encoding"]) == (None, "gzip")
    assert plain.body == gzip.decompress(small.body)
    assert plain.headers["vary"] == small.headers["vary"] == "accept-encoding"
    tag = small.headers["etag"].removeprefix("W/")
    for known in (small.headers["etag"], tag, f"W/{tag}", f'"another", {tag}'):
        assert (await ask(app, "GET", path, {"if-none-match": known})).status == 304, known
    assert (await ask(app, "GET", path, {"if-none-match": '"another"'})).status == 200
    for refused in ("gzip;q=0", "identity, gzip; q=0.0"):
        assert (await ask(app, "GET", path, {"accept-encoding": refused})).body == plain.body
    assert (await ask(app, "GET", path, {"accept-encoding": "gzip;q=0.5"})).body == small.body


async def test_the_front_page_leads_to_what_there_is() -> None:
    page = Page((await ask(an_app(), "GET", "/")).body.decode())
    assert page.links == [
        "/docs",
        "/sandbox",
        "/docs/curl",
        "/openapi/trigger-v2.json",
        "/health/live",
        "/health/ready",
        "/metrics",
    ]


async def test_a_host_header_cannot_write_into_a_page() -> None:
    for path in ("/", "/docs"):
        reply = await ask(an_app(), "GET", path, {"host": '"><script>alert(1)</script>'})
        assert b"<script>" not in reply.body


class Page(HTMLParser):
    """The tags, links, texts and commands of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html, self.text = html, ""
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.commands: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._inside = tag
        self.links += [value for name, value in attrs if name in {"href", "src"} and value]

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._inside == "pre":
            self.commands.append(data)

    def handle_endtag(self, _tag: str) -> None:
        self._inside = ""
