"""Files that are built from sources in this repository, and served from memory: nothing is read after the start."""

import gzip
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import falcon
from falcon.asgi import Request, Response
from msgspec import Struct

_PAGE: Final = "index.html"
_COMPRESSED: Final = ".gz"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


def policy(images: str = "'self'") -> str:
    """The content security policy of a page: nothing is inline, and nothing comes from elsewhere or goes there."""
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


class BuiltFile(Struct, frozen=True):
    """The resource of one file. `compressed`: its content is what gzip made of it."""

    content: bytes
    media_type: str
    policy: str
    compressed: bool
    etag: str

    async def on_get(self, req: Request, resp: Response) -> None:
        """A browser asks each time whether its copy is that of this version."""
        resp.set_header("content-security-policy", self.policy)
        resp.set_header("x-content-type-options", "nosniff")
        resp.set_header("referrer-policy", "no-referrer")
        resp.set_header("cache-control", "no-cache")
        resp.set_header("etag", self.etag)
        resp.content_type = self.media_type
        if self.compressed:
            resp.set_header("vary", "accept-encoding")
        # A proxy that compresses makes a tag weak.
        if falcon.ETag.loads(self.etag) in (req.if_none_match or ()):
            resp.status = falcon.HTTP_304
        elif self.compressed and _takes_gzip(req.get_header("accept-encoding") or ""):
            resp.set_header("content-encoding", "gzip")
            resp.data = self.content
        else:
            resp.data = gzip.decompress(self.content) if self.compressed else self.content


def _takes_gzip(accepted: str) -> bool:
    codings = dict(each.replace(" ", "").lower().partition(";")[::2] for each in accepted.split(","))
    return "gzip" in codings and not re.fullmatch(r"q=0(\.0*)?", codings["gzip"])


class BuiltFiles:
    """The resource of `…/{file}`. `page` is that of the page which they belong to."""

    def __init__(self, files: Mapping[str, BuiltFile]) -> None:
        self._files = files

    @property
    def page(self) -> BuiltFile:
        return self._files[_PAGE]

    def named(self, file: str) -> BuiltFile:
        """Raises `KeyError`."""
        return self._files[file]

    async def on_get(self, req: Request, resp: Response, file: str) -> None:
        found = self._files.get(file)
        if found is None:
            raise falcon.HTTPNotFound
        await found.on_get(req, resp)


def built_files(directory: Path, policy: str) -> BuiltFiles | None:
    """None: they were not built. The repository and the wheel have them. `a.js.gz` is served as `a.js`."""
    if not (directory / _PAGE).is_file():
        return None
    paths = (path for path in sorted(directory.iterdir()) if path.is_file())
    return BuiltFiles({path.name.removesuffix(_COMPRESSED): _file(path, policy) for path in paths})


def _file(path: Path, policy: str) -> BuiltFile:
    content, compressed = path.read_bytes(), path.suffix == _COMPRESSED
    digest = hashlib.sha256(content).hexdigest()[:32]
    media_type = _TYPES[Path(path.name.removesuffix(_COMPRESSED)).suffix]
    # Weak where one file has two forms.
    return BuiltFile(content, media_type, policy, compressed, f'{"W/" if compressed else ""}"{digest}"')
