"""What the reference of tanX shows of its Python client, run with that client."""

import re
from pathlib import Path

from tests.clients.tanx import run_client
from tests.docs.blocks import DEFAULT_URL, ROOT
from tests.end_to_end.venue import Venue


def test_the_page_s_example_prints_what_the_page_says(venue: Venue, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "reference" / "tanx.md").read_text(encoding="utf-8")
    blocks = re.search(r"^```python\n(.*?)^```\s*^```text\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert blocks is not None
    script = tmp_path / "page.py"
    script.write_text(blocks[1].replace(DEFAULT_URL, venue.url), encoding="utf-8")
    done = run_client(script)
    assert done.returncode == 0, done.stderr[-4_000:]
    assert done.stdout == blocks[2]
