"""Recurring orders for the tests of the domain, in any state."""

from typing import Any

from countermand.orders.dca.model.commands import PlaceOrder, UnsignedDeposit
from countermand.orders.dca.model.order import DcaOrder, DcaPlan, DcaTerms, PriceBand, Progress, State
from countermand.values.identity import Address, Mint, OrderId, RequestId, Signature, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import USD_SCALE, BaseUnits, UsdPrice
from countermand.values.structs import replace
from countermand.values.transactions import Attempt, AttemptKind, Submission, UnsignedTransaction
from countermand.values.withdrawal import Withdrawal

ID = OrderId("order")
ALICE = Wallet("ALiceyDVfcAhGRkbVhxjrSmRbxdd4uCrKwRSMYCGRVEb")
MALLORY = Wallet("BobHYtvZd1DYUwqgMUcPTwrQZBcRu4Bd5m9zQ5kC9Wtv")
SOL, USDC = Mint("SOL"), Mint("USDC")
REQUEST = RequestId("cancellation")
PLACED_AT = Instant(1_000_000)
DEPOSITED = BaseUnits(1_000)
TXID = Signature("txid")
HOUR_S = 3_600
HOUR_MS = 3_600_000
WINDOW_MS = HOUR_MS // 2


def usd(dollars: int) -> UsdPrice:
    return UsdPrice(dollars * 10**USD_SCALE)


def plan(
    rounds: int = 3, interval_s: int = HOUR_S, begin_at: int | None = None, band: PriceBand | None = None
) -> DcaPlan:
    return DcaPlan(rounds, interval_s, None if begin_at is None else Instant(begin_at), band)


def band(least: int | None = 100, most: int | None = 200) -> PriceBand:
    return PriceBand(SOL, None if least is None else usd(least), None if most is None else usd(most))


def terms(of: DcaPlan | None = None) -> DcaTerms:
    return DcaTerms(ALICE, RequestId("deposit"), USDC, SOL, Address("account"), DEPOSITED, of or plan())


def craft(message: bytes = b"craft", last_valid_height: int = 150, **more: Any) -> UnsignedTransaction:
    return UnsignedTransaction(message, last_valid_height, **{"moves": DEPOSITED, **more})


def attempt(kind: AttemptKind, number: int = 2, made: UnsignedTransaction | None = None) -> Attempt:
    return Attempt(number, kind, made or craft(), TXID)


def order(state: State = State.ACTIVE, of: DcaPlan | None = None, **progress: Any) -> DcaOrder:
    made = DcaOrder(
        id=ID,
        terms=terms(of),
        state=state,
        version=7,
        created_at=PLACED_AT,
        updated_at=PLACED_AT,
        progress=Progress(next_fill_at=PLACED_AT),
    )
    return replace(made, progress=replace(made.progress, **{**_typical(state), **progress}))


def _typical(state: State) -> dict[str, Any]:
    """What an order in that state has."""
    match state:
        case State.DEPOSITING:
            return {"attempt": attempt(AttemptKind.DEPOSIT, 1)}
        case State.ROUND_DUE:
            return {"began_at": PLACED_AT}
        case State.EXECUTING:
            return {"began_at": PLACED_AT, "attempts": 2, "attempt": attempt(AttemptKind.FILL)}
        case State.WITHDRAWING:
            return {"withdrawal": Withdrawal(REQUEST, craft())}
        case State.COMPLETED:
            return {"posted": DEPOSITED, "rounds_filled": 3}
        case State.CANCELLED:
            return {"voided": DEPOSITED, "withdrawal": Withdrawal(REQUEST, None, signature=TXID)}
        case _:
            return {}


def deposit(**more: Any) -> UnsignedDeposit:
    made = UnsignedDeposit(RequestId("deposit"), ID, ALICE, USDC, SOL, Address("account"), craft(b"deposit"))
    return replace(made, **more)


def submission(message: bytes = b"craft", **more: Any) -> Submission:
    return Submission(message, **{"user_signature": TXID, "fault": None, **more})


def place(**more: Any) -> PlaceOrder:
    asked = PlaceOrder(
        order_id=ID,
        wallet=ALICE,
        deposit=deposit(),
        input_mint=USDC,
        output_mint=SOL,
        amount=DEPOSITED,
        plan=plan(),
        round_cents=1_000,
        submission=submission(b"deposit"),
        flaw=None,
    )
    return replace(asked, **more)
