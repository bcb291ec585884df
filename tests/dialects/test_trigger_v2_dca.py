"""Recurring orders on the wire, by rows that are published, and by what clients send."""

import json
from datetime import datetime
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from countermand.answering import encode
from countermand.dialects.trigger_v2.dca_refusals import DEPOSIT, WORDS, refused
from countermand.dialects.trigger_v2.dca_translate import from_view, instant_of, into_request
from countermand.dialects.trigger_v2.dca_wire import CreateDcaRequest
from countermand.dialects.trigger_v2.openapi import openapi
from countermand.dialects.trigger_v2.states import DCA, DCA_DISPLAY, DcaDisplayState, DcaRawState
from countermand.iso_time import iso
from countermand.orders.dca.model.order import DcaOrder, DcaPlan, DcaTerms, PriceBand, Progress, State
from countermand.orders.dca.model.refusals import DcaRefusal, DcaRefused
from countermand.orders.dca.records import HistoryEntry
from countermand.orders.dca.service import DcaView
from countermand.orders.vaults.service import OrderView
from countermand.values.identity import Address, Mint, OrderId, RequestId, Signature, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import BaseUnits, TotalUnits, UsdPrice
from countermand.values.structs import replace
from tests.dialects.fakes import SOL, USDC

DOCUMENT = openapi()
WALLET, VAULT = Wallet("8gs8ALiceyDVfcAhGRkbVhxjrSmRbxdd4uCrKwRSMYC"), Address("66xKvault")
PUBLISHED: dict[str, Any] = json.loads(
    """{"id":"019f053d-3f0c-70ad-bb5e-76d633291f80","requestId":"1cc1ad82-0000-4000-8000-000000000000",
"userPubkey":"8gs8ALiceyDVfcAhGRkbVhxjrSmRbxdd4uCrKwRSMYC","vaultPubkey":"66xKvault",
"inputMint":"EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v","outputMint":"So11111111111111111111111111111111111111112",
"inputAmountInitial":"20000000","inputAmountRemaining":"10000000","amountPerRound":"10000000",
"outputAmountTotal":"137589159","inputAmountUsed":"10000000","orderType":"time_based","minPriceUsd":null,
"maxPriceUsd":null,"triggerMint":null,"retryWindowSeconds":1800,"jlEnabled":false,"jlYieldUsd":null,
"numberOfRounds":2,"intervalSeconds":3600,"beginFillAt":"2026-06-26T18:42:07.750Z",
"nextFillAt":"2026-06-26T19:44:57.469Z","lastFillAt":"2026-06-26T18:42:11.469Z","roundsFilled":1,"fillPercent":0.5,
"state":"active","displayState":"active","createdAt":"2026-06-26T18:42:07.782Z",
"updatedAt":"2026-06-26T18:42:11.469Z","events":[{"type":"fill","timestamp":"2026-06-26T18:42:11.469Z",
"txSignature":"HuNM","roundNumber":1,"inputAmount":"10000000","outputAmount":"137589159","state":"success"},
{"type":"deposit","timestamp":"2026-06-26T18:42:08.880Z","txSignature":"32hA","inputAmount":"20000000",
"state":"success"}]}"""
)


def at(text: str) -> Instant:
    return Instant(round(datetime.fromisoformat(text).timestamp() * 1000))


def view(state: State = State.ACTIVE, band: PriceBand | None = None, **progress: Any) -> DcaView:
    """The order of the published row."""
    filled_at = at("2026-06-26T18:42:11.469Z")
    made = Progress(
        next_fill_at=at("2026-06-26T19:44:57.469Z"),
        posted=BaseUnits(10_000_000),
        rounds_filled=1,
        received=TotalUnits(137_589_159),
        last_fill_at=filled_at,
    )
    order = DcaOrder(
        id=OrderId("019f053d-3f0c-70ad-bb5e-76d633291f80"),
        terms=DcaTerms(
            wallet=WALLET,
            deposit_request_id=RequestId("1cc1ad82-0000-4000-8000-000000000000"),
            input_mint=Mint(USDC),
            output_mint=Mint(SOL),
            input_account=Address("account"),
            deposited=BaseUnits(20_000_000),
            plan=DcaPlan(2, 3_600, at("2026-06-26T18:42:07.750Z"), band),
        ),
        state=state,
        version=5,
        created_at=at("2026-06-26T18:42:07.782Z"),
        updated_at=filled_at,
        progress=replace(made, **progress),
    )
    amounts = BaseUnits(10_000_000), BaseUnits(137_589_159)
    fill = HistoryEntry("fill", filled_at, True, False, Signature("HuNM"), 1, *amounts, tries=1)
    landed = at("2026-06-26T18:42:08.880Z")
    deposit = HistoryEntry("deposit", landed, signature=Signature("32hA"), amount=BaseUnits(20_000_000))
    return OrderView(order, (fill, deposit))


def shown(seen: DcaView) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(encode(from_view(seen, VAULT)))
    return row


def test_a_row_is_as_it_is_published_field_by_field_in_that_order() -> None:
    row = shown(view())
    assert row == PUBLISHED
    assert list(row) == list(PUBLISHED)
    assert [list(event) for event in row["events"]] == [list(event) for event in PUBLISHED["events"]]


def test_a_price_conditional_row_names_its_mint_and_its_limits() -> None:
    row = shown(view(band=PriceBand(Mint(SOL), UsdPrice(100 * 10**12), UsdPrice(2_005 * 10**11))))
    limits = [row[name] for name in ("orderType", "triggerMint", "minPriceUsd", "maxPriceUsd")]
    assert limits == ["price_conditional", SOL, 100, 200.5]


@pytest.mark.parametrize("state", State)
def test_every_state_is_shown_as_described(state: State) -> None:
    row = shown(view(state))
    jsonschema_rs.validate({"$ref": "#/components/schemas/DcaItem", "components": DOCUMENT["components"]}, row)
    has_rounds = state in (State.DEPOSITING, State.ACTIVE, State.ROUND_DUE, State.EXECUTING)
    assert (row["nextFillAt"] is not None) is has_rounds


def test_every_state_has_its_names() -> None:
    assert set(DCA) == set(State)
    assert set(DCA.values()) == set(DcaRawState) == set(DCA_DISPLAY)
    assert set(DCA_DISPLAY.values()) == set(DcaDisplayState)


@pytest.mark.parametrize(
    ("entry", "event"),
    [
        (
            HistoryEntry("fill", Instant(5), False, False, None, 2, BaseUnits(7), None, 1),
            {"roundNumber": 2, "inputAmount": "7", "state": "failed", "attemptCount": 1},
        ),
        (
            HistoryEntry("fill", Instant(5), False, True, Signature("x"), 2, BaseUnits(7), None, 0),
            {"txSignature": "x", "roundNumber": 2, "inputAmount": "7", "state": "rescheduled", "attemptCount": 0},
        ),
        (
            HistoryEntry("fill", Instant(5), True, False, Signature("x"), 2, BaseUnits(7), BaseUnits(8), 3),
            {
                "txSignature": "x",
                "roundNumber": 2,
                "inputAmount": "7",
                "outputAmount": "8",
                "state": "success",
                "attemptCount": 3,
            },
        ),
        (HistoryEntry("cancelled", Instant(5)), {"state": "success"}),
    ],
)
def test_every_event_is_shown(entry: HistoryEntry, event: dict[str, Any]) -> None:
    row = shown(replace(view(), history=(entry,)))
    assert row["events"] == [{"type": entry.kind, "timestamp": "1970-01-01T00:00:00.005Z"} | event]


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00Z", 0),
        ("1970-01-01T00:00:00.1Z", 100),
        ("1970-01-01T00:00:00.0019Z", 1),
        ("1970-01-01T02:00:00.123456789+02:00", 123),
        ("2026-06-26T18:42:07.750Z", 1_782_499_327_750),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ],
)
def test_times_are_read_exactly(text: str, ms: int) -> None:
    assert instant_of(text) == ms
    assert instant_of(iso(Instant(ms))) == ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2026-06-26",
        "2026-06-26T18:42:07",
        "2026-06-26 18:42:07Z",
        "2026-13-26T18:42:07Z",
        "2026-06-26T24:42:07Z",
        "2026-06-26T18:42:07.Z",
        "2026-06-26T18:42:07.0000000000Z",
        "2026-W26-5T18:42:07Z",
        "２026-06-26T18:42:07Z",
        "2026-06-26T18:42:07+99:00",
        "1782499327750",
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert instant_of(text) is None


def body(**more: object) -> CreateDcaRequest:
    asked = {
        "depositRequestId": "1cc1ad82-0000-4000-8000-000000000000",
        "depositSignedTx": "AQAB",
        "userPubkey": USDC,
        "inputMint": USDC,
        "outputMint": SOL,
        "inputAmount": "20000000",
        "orderCount": 2,
        "intervalSeconds": 3_600,
    }
    return msgspec.json.decode(json.dumps(asked | more), type=CreateDcaRequest)


def test_what_is_null_is_not_given() -> None:
    null = {"minPriceUsd": None, "maxPriceUsd": None, "triggerMint": None, "beginFillAt": None, "jlMint": None}
    assert into_request(body(**null, jlEnabled=None)) == into_request(body()) == into_request(body(jlEnabled=False))


def test_a_time_based_order_watches_nothing() -> None:
    assert into_request(body(triggerMint=SOL, orderType="time_based")).plan == DcaPlan(2, 3_600, None, None)


def test_a_price_conditional_order_has_a_band() -> None:
    asked = into_request(body(triggerMint=SOL, orderType="price_conditional", minPriceUsd="99.5"))
    assert asked.plan.band == PriceBand(Mint(SOL), UsdPrice(995 * 10**11), None)


@pytest.mark.parametrize("refusal", DcaRefusal)
def test_every_refusal_can_be_said(refusal: DcaRefusal) -> None:
    answer = refused(DcaRefused(refusal, State.ROUND_DUE, "some {detail}"), DEPOSIT)
    assert answer.status == (WORDS[refusal].status if not WORDS[refusal].field else 400)
    assert "{state}" not in answer.body.decode()
