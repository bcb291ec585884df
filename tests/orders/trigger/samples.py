"""Orders for the tests of the domain, in any state."""

from typing import Any, Final

from countermand.orders.trigger.model.commands import PlaceOrder, UnsignedDeposit
from countermand.orders.trigger.model.condition import Condition, Direction
from countermand.orders.trigger.model.order import Family, Leg, OrderGroup, Progress, Role, State, TriggerTerms
from countermand.values.identity import Address, Mint, OrderId, RequestId, Signature, Wallet
from countermand.values.instant import Instant
from countermand.values.quantities import USD_SCALE, BaseUnits, Bps, UsdPrice
from countermand.values.structs import replace
from countermand.values.transactions import Attempt, AttemptKind, Submission, UnsignedTransaction
from countermand.values.withdrawal import Withdrawal

ID = OrderId("order")
ALICE = Wallet("ALiceyDVfcAhGRkbVhxjrSmRbxdd4uCrKwRSMYCGRVEb")
MALLORY = Wallet("BobHYtvZd1DYUwqgMUcPTwrQZBcRu4Bd5m9zQ5kC9Wtv")
SOL, USDC = Mint("SOL"), Mint("USDC")
REQUEST = RequestId("cancellation")
PLACED_AT, EXPIRES_AT = Instant(1_000_000), Instant(2_000_000)
DEPOSITED = BaseUnits(1_000)
TXID = Signature("txid")


def usd(dollars: int) -> UsdPrice:
    return UsdPrice(dollars * 10**USD_SCALE)


def leg(direction: Direction = Direction.ABOVE, dollars: int = 200) -> Leg:
    return Leg(Role.TRIGGER, Condition(direction, usd(dollars)), Bps(100))


def craft(message: bytes = b"craft", last_valid_height: int = 150, **more: Any) -> UnsignedTransaction:
    return UnsignedTransaction(message, last_valid_height, **{"moves": DEPOSITED, "closes": True, **more})


def attempt(kind: AttemptKind, number: int = 2, made: UnsignedTransaction | None = None) -> Attempt:
    return Attempt(number, kind, made or craft(), TXID)


def order(state: State = State.OPEN, **more: Any) -> OrderGroup:
    terms = TriggerTerms(ALICE, Family.SINGLE, SOL, USDC, SOL, Address("account"), DEPOSITED)
    group = OrderGroup(
        id=ID,
        terms=terms,
        legs=(leg(),),
        expires_at=EXPIRES_AT,
        state=state,
        version=7,
        created_at=PLACED_AT,
        updated_at=PLACED_AT,
        progress=Progress(),
    )
    changes = {**_typical(state), **more}
    own = {name: changes[name] for name in changes if name not in _OF_PROGRESS}
    return replace(progressed(group, **{name: changes[name] for name in changes if name in _OF_PROGRESS}), **own)


_OF_PROGRESS: Final = Progress.__struct_fields__


def progressed(group: OrderGroup, **changes: Any) -> OrderGroup:
    return replace(group, progress=replace(group.progress, **changes))


def _typical(state: State) -> dict[str, Any]:
    """What an order in that state has."""
    match state:
        case State.DEPOSITING:
            return {"attempt": attempt(AttemptKind.DEPOSIT, 1)}
        case State.TRIGGERED:
            return {"triggered_leg": 0, "triggered_at": PLACED_AT}
        case State.EXECUTING:
            return {"triggered_leg": 0, "attempts": 2, "attempt": attempt(AttemptKind.FILL)}
        case State.PARTLY_FILLED:
            return {"triggered_leg": 0, "attempts": 2, "posted": BaseUnits(DEPOSITED.units // 4)}
        case State.WITHDRAWING:
            return {"withdrawal": Withdrawal(REQUEST, craft())}
        case State.FILLED:
            return {"triggered_leg": 0, "posted": DEPOSITED}
        case State.CANCELLED:
            return {"voided": DEPOSITED, "withdrawal": Withdrawal(REQUEST, None, signature=TXID)}
        case _:
            return {}


def withdrawing(**more: Any) -> OrderGroup:
    """Mid-cancel, with a co-signed withdrawal of unknown fate."""
    return order(State.WITHDRAWING, attempts=2, attempt=attempt(AttemptKind.WITHDRAWAL), **more)


def deposit(**more: Any) -> UnsignedDeposit:
    made = UnsignedDeposit(
        RequestId("deposit"), ID, ALICE, Family.SINGLE, SOL, USDC, Address("account"), craft(b"deposit")
    )
    return replace(made, **more)


def submission(message: bytes = b"craft", **more: Any) -> Submission:
    return Submission(message, **{"user_signature": TXID, "fault": None, **more})


def place(**more: Any) -> PlaceOrder:
    asked = PlaceOrder(
        order_id=ID,
        wallet=ALICE,
        deposit=deposit(),
        family=Family.SINGLE,
        input_mint=SOL,
        output_mint=USDC,
        trigger_mint=SOL,
        amount=DEPOSITED,
        legs=(leg(),),
        expires_at=EXPIRES_AT,
        submission=submission(b"deposit"),
        flaw=None,
    )
    return replace(asked, **more)
