"""The reference names everything that there is, with its default and its words, and nothing else."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from types import ModuleType, SimpleNamespace
from typing import Any, get_type_hints

import pytest
from cyclopts import App, Parameter
from prometheus_client.metrics import MetricWrapperBase

from countermand import cli
from countermand.audit.not_checked import NOT_CHECKED, TABLES
from countermand.cli.audit import audit
from countermand.cli.completion import completion
from countermand.cli.conformance import conformance
from countermand.cli.doctor import doctor
from countermand.cli.exec import exec_
from countermand.cli.explain import explain
from countermand.cli.keys import add, list_, revoke
from countermand.cli.rescue import rescue
from countermand.cli.serve import serve
from countermand.cli.solders import solders
from countermand.dialects.trigger_v2 import dca_routes, routes, vault_routes
from countermand.dialects.trigger_v2.dca_refusals import WORDS as DCA_WORDS
from countermand.dialects.trigger_v2.refusals import WORDS
from countermand.dialects.trigger_v2.words import Words
from countermand.gateway import telemetry as gateway_telemetry
from countermand.kernel import telemetry as kernel_telemetry
from countermand.orders.dca.model.refusals import DcaRefusal
from countermand.orders.trigger.model.refusals import TriggerRefusal
from countermand.sandbox import keeper_telemetry
from countermand.sandbox.endpoints.routes import PATHS
from countermand.sandbox.faults import CrashPoint
from countermand.sandbox.wire import FaultsWire
from countermand.services.transactions import telemetry as transactions_telemetry
from countermand.settings import API_KEYS_VARIABLE, ENV_PREFIX, Settings
from countermand.solana.facade.methods import RpcMethods
from countermand.solana.facade.session import SocketMethods
from countermand.solana.facade.subscriptions import Topic
from countermand_simulator.command import simulate
from tests.docs.blocks import ROOT

COMMANDS: Mapping[str, Callable[..., Any]] = {
    "serve": serve,
    "audit": audit,
    "simulate": simulate,
    "explain": explain,
    "exec": exec_,
    "conformance": conformance,
    "doctor": doctor,
    "solders": solders,
    "rescue": rescue,
    "completion": completion,
    "keys add": add,
    "keys list": list_,
    "keys revoke": revoke,
}
ARGUMENTS = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)
MEASURED = (gateway_telemetry, kernel_telemetry, transactions_telemetry, keeper_telemetry)


def page(name: str) -> str:
    return (ROOT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8")


def rows(text: str, cells: int) -> list[list[str]]:
    """The rows of all tables with so many cells, without their heads; code without its marks."""
    found = []
    for line in text.splitlines():
        row = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if line.startswith("|") and len(row) == cells and row[0].startswith("`"):
            found.append(row)
    return found


def bare(cell: str) -> str:
    return cell.strip("`")


def options(command: Callable[..., Any]) -> Iterator[tuple[str, str | None, object]]:
    """An option's name, its variable if it has one, and its default."""
    hints = get_type_hints(command, include_extras=True)
    for name, parameter in inspect.signature(command).parameters.items():
        *_, given = [meta for meta in hints[name].__metadata__ if isinstance(meta, Parameter)]
        variables = (given.env_var,) if isinstance(given.env_var, str) else tuple(given.env_var or ())
        if inspect.signature(command).parameters[name].kind in ARGUMENTS:
            continue
        shown = next(iter(given.name or ()), f"--{name.replace('_', '-')}")
        yield shown, variables[0] if variables else None, parameter.default


def test_every_setting_is_there_with_its_variable_and_its_default() -> None:
    documented = {bare(row[0].split(",")[0]): row for row in rows(page("settings"), 4)}
    assert list(documented) == [name for name, _, _ in options(serve)]
    for name, variable, default in options(serve):
        _, shown_variable, shown_default, meaning = documented[name]
        assert bare(shown_variable) == variable
        if default is False:
            assert shown_default == "off"
        elif default is not None:
            assert shown_default == f"`{default}`"
        assert meaning
    assert API_KEYS_VARIABLE in page("settings")


def test_the_settings_are_the_options() -> None:
    named = {f"--{field.replace('_', '-')}" for field in Settings.__struct_fields__}
    assert named == {name for name, _, _ in options(serve)}
    assert ENV_PREFIX == "COUNTERMAND_"


def commands_of(app: App, above: str = "") -> Iterator[str]:
    for name in (name for name in app if not name.startswith("-")):
        below = list(commands_of(app[name], f"{above}{name} "))
        yield from below or [above + name]


def test_every_command_is_there_and_every_option_of_it() -> None:
    sections = re.split(r"^## ", page("cli"), flags=re.MULTILINE)[1:]
    documented = {section.split("`")[1].removeprefix("countermand "): section for section in sections}
    assert set(documented) == set(commands_of(cli.app)) == set(COMMANDS)
    for name in (
        "audit",
        "conformance",
        "doctor",
        "exec",
        "explain",
        "rescue",
        "simulate",
        "keys add",
        "keys list",
        "keys revoke",
    ):
        shown = {bare(row[0]): row for row in rows(documented[name], 4) + rows(documented[name], 3)}
        assert set(shown) == {option for option, _, _ in options(COMMANDS[name])}
        for option, variable, _ in options(COMMANDS[name]):
            assert variable is None or bare(shown[option][1]) == variable


def test_all_that_the_audit_does_not_check_is_there_with_its_reason() -> None:
    _, listed = page("audit").split("## What is not checked")
    documented = [tuple(map(bare, row)) for row in rows(listed, 3)]
    assert documented == [
        (table, column.strip("()"), reason)
        for table, columns in NOT_CHECKED.items()
        for column, reason in columns.items()
    ]
    compared = page("audit").partition("## What is not checked")[0]
    assert all(f"`{table}`" in compared for table in TABLES)


@pytest.mark.parametrize(
    ("heading", "refusals", "all_words"),
    [("## Refusals", TriggerRefusal, WORDS), ("### Refusals of recurring orders", DcaRefusal, DCA_WORDS)],
)
def test_every_refusal_is_there_with_its_status_and_its_words(
    heading: str, refusals: type[Enum], all_words: Mapping[Any, Words]
) -> None:
    _, _, section = page("trigger-v2").partition(f"{heading}\n")
    documented = {bare(row[0]): row for row in rows(section.partition("\n## ")[0], 5)}
    assert list(documented) == [refusal.name for refusal in refusals], "in the order of precedence"
    for refusal, words in all_words.items():
        _, status, message, field, endpoints = documented[refusal.name]
        assert (int(status), bare(message)) == (words.status, words.text)
        assert bool(field) == bool(words.field)
        assert endpoints


def test_every_endpoint_is_there() -> None:
    text = page("trigger-v2")
    documented = {bare(row[0]).split(" ")[1].replace("{id}", "{order_id}") for row in rows(text, 3)}
    venue: Any = SimpleNamespace(orders=None, dca=None)
    assert documented == {path.removeprefix(routes.ROOT) for path, _ in routes.resources(venue)}


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (module, name)
        for module in (routes, dca_routes, vault_routes)
        for name in vars(module)
        if re.match(r"_?(NO_|FOREIGN|DEPOSIT_NOT|WITHDRAWAL_NOT|INVALID)", name)
    ],
)
def test_every_fixed_answer_of_an_endpoint_is_there(module: ModuleType, name: str) -> None:
    answer = getattr(module, name)
    words = re.search(rb'"error":"(.*?)"', answer.body)
    assert words is not None
    assert any(f"{answer.status} |" in line and words[1].decode() in line for line in page("trigger-v2").splitlines())


def test_every_request_of_the_sandbox_is_there() -> None:
    documented = {bare(row[0]).split(" ")[1] for row in rows(page("sandbox"), 3) if " /" in row[0]}
    assert documented == set(PATHS)


def test_every_fault_and_every_crash_point_is_there() -> None:
    text = page("sandbox")
    documented = [bare(row[0]) for row in rows(text, 3) if "/" not in row[0]]
    assert sorted(documented) == sorted(FaultsWire.__struct_encode_fields__)
    for point in CrashPoint:
        assert f"`{point.value}`" in text


def test_every_metric_is_there_with_its_labels() -> None:
    documented = {bare(row[0]): row for row in rows(page("operations"), 4)}
    expected = {}
    for measured in [value for module in MEASURED for value in vars(module).values()]:
        if isinstance(measured, MetricWrapperBase):
            suffix = "_total" if measured._type == "counter" else ""
            expected[measured._name + suffix] = (measured._type, list(measured._labelnames))
    assert set(documented) == set(expected)
    for name, (kind, labels) in expected.items():
        assert documented[name][1] == kind
        assert re.findall(r"`(\w+)`", documented[name][2]) == labels


def test_every_method_of_the_chain_is_there() -> None:
    text = page("solana-rpc")
    table = [method for row in text.splitlines() if row.startswith("| ") for method in re.findall(r"`(\w+)`", row)]
    unused: Any = None
    assert sorted(table) == sorted(RpcMethods(unused, unused).by_name())
    subscriptions = set(re.findall(r"`(\w+Subscribe)`", text))
    assert subscriptions == {f"{topic}Subscribe" for topic in Topic}
    assert subscriptions <= set(SocketMethods(unused, unused, 0).by_name())
