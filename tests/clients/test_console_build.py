"""The console and the page at `/docs` that are served are those that the sources make."""

import gzip
import json
import re
from pathlib import Path

import pytest

from console import build

needs_node = pytest.mark.skipif(not build.can_build(), reason="needs Node and the console's packages: `make test`")


def contents(directory: Path) -> dict[str, bytes]:
    """What is compressed as it was before: another version of gzip may make other bytes of it."""
    return {path.name: opened(path) for path in directory.iterdir()}


def opened(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


@needs_node
@pytest.mark.parametrize("sources", build.PAGES, ids=lambda sources: sources.name)
def test_the_sources_make_the_committed_bytes(sources: Path, tmp_path: Path) -> None:
    made = tmp_path / "built"
    build.build(sources, made)
    committed = contents(build.PAGES[sources])
    assert contents(made).keys() == committed.keys()
    wrong = [name for name, content in contents(made).items() if content != committed[name]]
    assert not wrong, "run `make console`"


@needs_node
def test_the_sources_have_the_types_that_they_say() -> None:
    build.check_types()


def test_every_package_has_one_version_and_no_address() -> None:
    described = json.loads((build.HERE / "package.json").read_text())
    for versions in (described["dependencies"], described["devDependencies"]):
        assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions.values())
    assert '"resolved"' not in (build.HERE / "package-lock.json").read_text()


def test_what_is_served_comes_from_nowhere_else() -> None:
    """The one link that leads outside is the chart library's, which asks for it."""
    built = build.PAGES[build.HERE]
    page, script, style = ((built / name).read_text() for name in ("index.html", "console.js", "console.css"))
    own = {"https://www.tradingview.com/", "http://www.w3.org/"}
    outside = {url for url in re.findall(r"https?://[\w.-]+\.[a-z]{2,}/", page + script + style) if url not in own}
    assert outside <= {"https://www.apache.org/", "https://github.com/"}
    assert "<script>" not in page
    assert "<style" not in page


def test_a_venue_has_the_same_page_with_another_root() -> None:
    built = build.PAGES[build.HERE]
    page, venue = ((built / name).read_text() for name in ("index.html", "venue.html"))
    asked = r'(?:src|href)="(/console/[^"]+)"'
    assert set(re.findall(asked, venue)) == set(re.findall(asked, page))
    assert '<html lang="en" data-root="venue">' in venue
    assert '<div id="console"></div>' in venue
