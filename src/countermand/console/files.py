"""Serves what is built: the page at `/`, the rest at `/console/…`. Nothing is read after the start."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import falcon
from falcon.asgi import Request, Response

BUILT: Final = Path(__file__).parent / "built"
PAGE: Final = "index.html"
VENUE_PAGE: Final = "venue.html"
"""The same for a venue, which asks for an operator's key first."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing is inline, and nothing comes from elsewhere or goes there."""
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    etag: str

    def answer(self, req: Request, resp: Response) -> None:
        """A browser asks each time whether its copy is that of this version."""
        resp.set_header("content-security-policy", POLICY)
        resp.set_header("x-content-type-options", "nosniff")
        resp.set_header("referrer-policy", "no-referrer")
        resp.set_header("cache-control", "no-cache")
        resp.set_header("etag", self.etag)
        resp.content_type = self.media_type
        if req.get_header("if-none-match") == self.etag:
            resp.status = falcon.HTTP_304
        else:
            resp.data = self.content


class ConsoleFiles:
    """`GET /console/{file}`, and with `page` or `venue_page` the resource of `/`."""

    def __init__(self, files: Mapping[str, _File]) -> None:
        self._files = files

    @property
    def page(self) -> "ConsolePage":
        return ConsolePage(self._files[PAGE])

    @property
    def venue_page(self) -> "ConsolePage":
        return ConsolePage(self._files[VENUE_PAGE])

    async def on_get(self, req: Request, resp: Response, file: str) -> None:
        found = self._files.get(file)
        if found is None:
            raise falcon.HTTPNotFound
        found.answer(req, resp)


class ConsolePage:
    def __init__(self, page: _File) -> None:
        self._page = page

    async def on_get(self, req: Request, resp: Response) -> None:
        self._page.answer(req, resp)


def console_files() -> ConsoleFiles | None:
    """None: it was not built. The repository and the wheel have it."""
    if not (BUILT / PAGE).is_file():
        return None
    return ConsoleFiles({path.name: _file(path) for path in sorted(BUILT.iterdir()) if path.is_file()})


def _file(path: Path) -> _File:
    content = path.read_bytes()
    return _File(content, _TYPES[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:32]}"')
