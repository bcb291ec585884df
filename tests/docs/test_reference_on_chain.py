"""The reference of the families that live on the chain names every endpoint, field, refusal and fixed answer."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from countermand.answering import Answer, Responder
from countermand.dialects.recurring_v1 import envelope as recurring_envelope
from countermand.dialects.recurring_v1 import refusals as recurring_refusals
from countermand.dialects.recurring_v1 import routes as recurring_routes
from countermand.dialects.recurring_v1 import translate as recurring_translate
from countermand.dialects.recurring_v1 import wire as recurring_wire
from countermand.dialects.recurring_v1.envelope import RecurringDeclined
from countermand.dialects.trigger_v1 import envelope as trigger_envelope
from countermand.dialects.trigger_v1 import routes as trigger_routes
from countermand.dialects.trigger_v1 import wire as trigger_wire
from countermand.dialects.trigger_v1.refusals import CAUSES
from countermand.dialects.trigger_v1.routes import Root
from countermand.orders.limit.model.refusals import LimitRefusal
from countermand.orders.recurring.model.refusals import RecurringRefusal
from tests.docs.test_reference import bare, page, rows

TRIGGER, RECURRING = "trigger-v1", "recurring-v1"


def section(name: str, heading: str) -> str:
    """Of any level, up to the next heading."""
    _, _, after = page(name).partition(f"# {heading}\n")
    assert after, f"{name} has no section {heading!r}"
    return re.split(r"^#+ ", after, maxsplit=1, flags=re.MULTILINE)[0]


def endpoints(name: str) -> set[str]:
    return {found[1] for row in rows(page(name), 2) if (found := re.fullmatch(r"`(?:GET|POST) /(\w+)`", row[0]))}


def test_every_endpoint_is_there() -> None:
    venue: Any = None
    for root in Root:
        served = [path for path, _ in trigger_routes.resources(venue) if path.startswith(root.value)]
        assert {path.removeprefix(f"{root.value}/") for path in served} == endpoints(TRIGGER)
    recurring = {path.removeprefix(f"{recurring_routes.ROOT}/") for path, _ in recurring_routes.resources(venue)}
    assert recurring == endpoints(RECURRING)


def fields(shape: type[msgspec.Struct], prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Names on the wire, with their path, and whether they must be there. `Params` are what they hold."""
    for field in msgspec.structs.fields(shape):
        inner = [each for each in getattr(field.type, "__args__", (field.type,)) if is_params(each)]
        if inner:
            yield from fields(inner[0], f"{prefix}{field.encode_name}.")
        else:
            yield prefix + field.encode_name, field.required


def is_params(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__name__.endswith("Params")


@pytest.mark.parametrize(
    ("name", "heading", "shape"),
    [
        (TRIGGER, "createOrder", trigger_wire.CreateRequest),
        (TRIGGER, "cancelOrder, cancelOrders", trigger_wire.CancelRequest),
        (TRIGGER, "execute", trigger_wire.ExecuteRequest),
        (TRIGGER, "openOrders, orderHistory", trigger_wire.OpenOrdersParams),
        (TRIGGER, "getTriggerOrders", trigger_wire.TriggerOrdersParams),
        (RECURRING, "createOrder", recurring_wire.CreateRequest),
        (RECURRING, "cancelOrder", recurring_wire.CancelRequest),
        (RECURRING, "execute", recurring_wire.ExecuteRequest),
        (RECURRING, "getRecurringOrders", recurring_wire.OrdersParams),
    ],
)
def test_every_field_of_a_request_is_there(name: str, heading: str, shape: type[msgspec.Struct]) -> None:
    documented = {
        bare(field): needed == "required"
        for names, needed, _ in rows(section(name, heading), 3)
        for field in names.split(", ")
    }
    # Within `time`, which is needed, fields are needed that are not by themselves.
    assert documented == dict(fields(shape))


def test_every_refusal_is_there_with_its_words() -> None:
    causes = {bare(row[0]): bare(row[1]) for row in rows(page(TRIGGER), 2) if row[0].strip("`").isupper()}
    assert list(causes) == [refusal.name for refusal in LimitRefusal], "in the order of precedence"
    assert causes == {refusal.name: words for refusal, words in CAUSES.items()}
    shown = {bare(row[0]): bare(row[1]) for row in rows(page(RECURRING), 3) if row[0].strip("`").isupper()}
    assert list(shown) == [refusal.name for refusal in RecurringRefusal], "in the order of precedence"
    assert shown == {refusal.name: words for refusal, words in recurring_refusals.WORDS.items()}


def fixed(*modules: Any) -> Iterator[tuple[str, int, str]]:
    """The answers that are the same every time: where they are, status and words."""
    for module in modules:
        for name, value in (*vars(module).items(), *getattr(module, "RESPONDERS", {}).items()):
            answers = (
                [value.unavailable, value.outcome_unknown, value.internal] if isinstance(value, Responder) else [value]
            )
            for answer in answers:
                if isinstance(answer, Answer):
                    told = msgspec.json.decode(answer.body)
                    yield str(name), answer.status, told.get("error", told.get("message"))
            if isinstance(value, RecurringDeclined):
                yield name, value.status, value.words


TRIGGER_ANSWERS = list(fixed(trigger_routes, trigger_envelope))
RECURRING_ANSWERS = list(fixed(recurring_routes, recurring_translate, recurring_envelope))


def test_there_are_fixed_answers() -> None:
    assert len(TRIGGER_ANSWERS) >= 7
    assert len(RECURRING_ANSWERS) >= 8


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [(TRIGGER, *answer[1:]) for answer in TRIGGER_ANSWERS] + [(RECURRING, *answer[1:]) for answer in RECURRING_ANSWERS],
)
def test_every_fixed_answer_is_there(name: str, status: int, words: str) -> None:
    assert any(line.startswith(f"| {status} |") and words in line for line in page(name).splitlines())


def test_what_the_answers_hold_is_as_the_page_says() -> None:
    trigger, limit = (
        (trigger_wire.CreatedAnswer, trigger_wire.CancellingAnswer, trigger_wire.CancellingManyAnswer),
        (trigger_wire.LimitCreatedAnswer, trigger_wire.LimitCancellingAnswer, trigger_wire.LimitCancellingManyAnswer),
    )
    shown = [row[1:] for row in rows(page(TRIGGER), 3) if row[1].startswith("`{")]
    for (first, second), *shapes in zip(shown, trigger, limit, strict=False):
        assert [names(first), names(second)] == [list(shape.__struct_encode_fields__) for shape in shapes]
    assert names(shown[3][0]) == list(trigger_wire.ExecutedAnswer.__struct_encode_fields__)
    text = page(RECURRING)
    for shape in (
        recurring_wire.BuiltAnswer,
        recurring_wire.OlderBuiltAnswer,
        recurring_wire.ExecutedAnswer,
        recurring_wire.TimeOrdersAnswer,
    ):
        assert f"`{{{', '.join(shape.__struct_encode_fields__)}}}`" in text


def names(cell: str) -> list[str]:
    return cell.strip("`{}").split(", ")
