"""How an event of the log that holds several lines is written: case A4."""

import json
from typing import Any

import structlog

from countermand.cli.lines import as_json, as_text, line_by_line
from countermand.kernel.telemetry import LINES

SHARED = {"level": "info", "timestamp": "2026-11-28T21:15:29.574507Z"}
FAILED = {"event": "fill_failed", "order": "0199", "reason": "0.3 % less than its minimum", "seq": 7}
TRADED = {"event": "traded", "order": 5, "seq": 8}


def written(form: str, **event: Any) -> list[str]:
    plain = structlog.dev.ConsoleRenderer(colors=False)
    as_json_lines = line_by_line(structlog.processors.JSONRenderer(), as_json)
    render = as_json_lines if form == "json" else line_by_line(plain, as_text)
    return str(render(None, "info", SHARED | event)).splitlines()


def test_each_is_a_line_of_its_own_for_machines() -> None:
    lines = [json.loads(line) for line in written("json", event="orders changed", **{LINES: [FAILED, TRADED]})]
    assert lines == [SHARED | FAILED, SHARED | TRADED]


def test_each_is_a_line_of_its_own_for_people_as_any_other_event() -> None:
    lines = written("console", event="orders changed", **{LINES: [FAILED, TRADED]})
    assert lines == [line for each in (FAILED, TRADED) for line in written("console", **each)]


def test_a_value_cannot_end_its_line() -> None:
    tricky = TRADED | {"reason": "a\nb=c"}
    for form in ("json", "console"):
        assert len(written(form, event="orders changed", **{LINES: [tricky]})) == 1


def test_an_event_of_one_line_is_written_as_before() -> None:
    assert json.loads(written("json", event="listening", port=1)[0]) == SHARED | {"event": "listening", "port": 1}
