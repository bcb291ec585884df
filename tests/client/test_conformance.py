"""`countermand conformance` against a venue of ours, and against servers that are otherwise."""

import json
import re
import subprocess
from typing import Any

import pytest

from countermand.client.conformance import APIS, probes, unlike
from tests import forked
from tests.end_to_end.venue import Venue


def run(*options: str) -> "subprocess.CompletedProcess[str]":
    return forked.run(forked.COUNTERMAND, "conformance", *options, seconds=120)


def test_a_venue_of_ours_conforms(venue: Venue) -> None:
    done = run("--base-url", venue.url)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert re.fullmatch(r"\d+ requests, 0 answered otherwise\n", done.stdout)


def test_all_that_was_asked_as_json(venue: Venue) -> None:
    done = run("--base-url", venue.url + "/", "--json", "--api", "tanx", "--api", "price-v3")
    assert done.returncode == 0, done.stdout
    asked = json.loads(done.stdout)
    assert {each["api"] for each in asked} == {"tanx", "price-v3"}
    assert all(each["status"] and each["differences"] == [] for each in asked)


def test_a_server_without_an_api_differs(venue: Venue) -> None:
    done = run("--base-url", f"{venue.url}/elsewhere", "--api", "trigger-v1")
    assert done.returncode == 1
    assert "an order is built" in done.stdout
    assert "status 404, expected 200" in done.stdout


def test_a_server_that_is_not_there_is_told_of_at_once() -> None:
    """Each of 48 requests was tried three times."""
    done = run("--base-url", "http://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--base-url: http://127.0.0.1:1 does not answer: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_weak_sandbox_conforms_too(venue: Venue) -> None:
    """What `strict` answers is published as well. The limits would only make it slow."""
    names = ["forgottenCrafts", "laggingHistory", "busyCancel", "duplicateDeposit", "textAmounts"]
    venue.faults(strict=names)
    done = run("--base-url", venue.url)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--base-url", "127.0.0.1:8080"), "--base-url: '127.0.0.1:8080' is no address that begins with http"),
        (("--base-url", "http://[::1"), "--base-url: 'http://[::1' cannot be read"),
        (("--base-url", "http://x/?a=b"), "--base-url: 'http://x/?a=b' ends in a query"),
        (("--base-url", "http://x", "--api-key", "ü"), "--api-key: the API key is none"),
        (("--base-url", "http://x", "--api-key", "a\nb"), "--api-key: the API key is none"),
        (("--base-url", "http://x", "--api", "trigger"), "there is no such API"),
        ((), "base-url"),
    ],
)
def test_options_that_make_no_sense(options: tuple[str, ...], words: str) -> None:
    done = run(*options)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_each_api_is_probed_and_no_probe_signs_or_spends() -> None:
    asked = probes("11111111111111111111111111111112")
    assert {probe.api for probe in asked} == set(APIS)
    acting = [
        probe for probe in asked if probe.path.endswith(("/execute", "/register", "/orders/price", "/orders/dca"))
    ]
    assert [probe.name for probe in acting] == ["no transaction"]


@pytest.mark.parametrize(
    ("value", "pattern"),
    [
        ({"a": 1, "b": "x"}, {"a": int}),
        ("abc", re.compile("a.c")),
        ([{"a": 1}, {"a": 2}], [{"a": int}]),
        (None, (int, type(None))),
        (400, 400),
    ],
)
def test_what_is_alike(value: Any, pattern: Any) -> None:
    assert list(unlike(value, pattern, "")) == []


@pytest.mark.parametrize(
    ("value", "pattern", "told"),
    [
        ({"a": "1"}, {"a": int}, "a is '1', expected int"),
        ({"a": True}, {"a": int}, "a is True, expected int"),
        ({}, {"a": {"b": str}}, "a is missing"),
        ({"a": {}}, {"a": {"b": str}}, "a.b is missing"),
        ([{"a": 1}, {}], [{"a": int}], "[1].a is missing"),
        ("x", {"a": int}, "the answer is 'x', expected an object"),
        ("x", (int, type(None)), "the answer is 'x', expected int"),
        ("abd", re.compile("a.c"), "the answer is 'abd', expected a.c"),
        (True, 1, "the answer is True, expected 1"),
    ],
)
def test_what_is_not_alike(value: Any, pattern: Any, told: str) -> None:
    assert list(unlike(value, pattern, "")) == [told]
