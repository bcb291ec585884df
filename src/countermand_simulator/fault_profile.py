"""What one run is like: every run draws its own configuration, so that rare mixtures of faults occur too.

A probability of zero matters as much as a high one: some bugs hide behind a fault that always strikes first.
"""

from random import Random
from typing import Any

from msgspec import Struct

from countermand.values.structs import replace


class FaultProfile(Struct, frozen=True):
    """Probabilities are per occasion, times in milliseconds."""

    wallets: int
    pause_ms: int
    """Between two actions of a client, on average."""
    price_pause_ms: int
    price_step_bps: int
    price_jump: float
    expiry_ms: int
    """How long an order lives, at most."""
    confirm_timeout_ms: int
    slot_window: int
    """How many slots a blockhash lives."""
    dormant_kept: int
    chain_inside: bool
    """Each process has the chain in itself, over one ledger; else the chain is a node outside of them."""

    slow: float
    """An answer of the store or the chain takes long."""
    slow_ms: int
    store_down: float
    commit_lost_before: float
    """A commit never arrives, and no error says so."""
    commit_lost_after: float
    commit_held: float
    """A commit is inside the database, its answer is lost, and it comes through later or never."""
    chain_down: float
    send_dropped: float
    send_late: float
    late_ms: int
    send_twice: float
    crash: float
    """At each boundary: around a commit, a send, a landing."""
    crash_early: float
    """The next boundary after an action of a client."""
    replaced: float
    """Per action of the fault driver: the writer freezes, another takes over, the first wakes up."""
    restart_ms: int
    misrouted: float
    """A request goes to any process that is awake, not to the newest."""
    older_ids: float
    """An order gets an id of an older layout, whose last byte says nothing of its bucket."""

    dust: float
    """Per withdrawal or fill that is on its way: a stranger sends something to its account."""
    prefund: float
    swap_fails: float
    swap_parts: float
    """A swap takes only a part of what it could."""
    swap_refused: float
    clock_leaps: float

    answer_lost: float
    repeated: float
    """A request is sent again though it was answered, or at the same time."""
    tampered: float
    foreign: float
    abandoned: float
    """The client hangs up, and the request is cancelled half way."""

    limit_clients: int
    """They and the clients of recurring orders use their programs on the chain."""
    dca_clients: int
    """Of recurring orders."""
    on_chain_pause_ms: int
    self_sent: float
    """An owner sends a transaction by itself."""
    forgotten: float
    """A transaction that was built is never sent."""
    stale: float
    """It is sent so late that its blockhash may be dead."""
    signed_anew: float
    """It is signed with another valid signature, or for another blockhash."""
    sponsored: float
    short_lived: float
    """A limit order expires within seconds."""

    markets: int = 1
    """So many walk at once, and each may set the price of a mint while another one does."""

    planners: int = 0
    """Owners of recurring orders of Trigger v2."""
    plan_pause_ms: int = 400

    keepers: int = 0
    """Who run the orders on the chain. Where there is one, a stranger tries what only a keeper may do."""
    keeper_pause_ms: int = 400


def drawn(random: Random) -> FaultProfile:
    def rarely(most: float, never: float = 0.35) -> float:
        return 0.0 if random.random() < never else random.random() * most

    def often(most: float) -> float:
        return rarely(most, never=0.1)

    return FaultProfile(
        wallets=random.randint(1, 5),
        pause_ms=random.choice((20, 100, 400, 1_000)),
        price_pause_ms=random.choice((50, 200, 1_000)),
        price_step_bps=random.choice((10, 50, 200)),
        price_jump=often(0.2),
        expiry_ms=random.choice((1_500, 8_000, 30_000, 120_000)),
        confirm_timeout_ms=random.choice((100, 300, 1_500)),
        slot_window=random.choice((8, 20, 150)),
        dormant_kept=random.choice((0, 0, 1, 5, 1_000)),
        chain_inside=random.random() < 0.5,
        slow=often(0.2),
        slow_ms=random.choice((20, 200, 1_500)),
        store_down=rarely(0.01),
        commit_lost_before=rarely(0.01),
        commit_lost_after=rarely(0.02),
        commit_held=rarely(0.02),
        chain_down=rarely(0.05),
        send_dropped=rarely(0.5),
        send_late=often(0.5),
        late_ms=random.choice((50, 500, 5_000)),
        send_twice=rarely(0.3),
        crash=rarely(0.006),
        crash_early=rarely(0.01),
        replaced=rarely(0.5),
        misrouted=often(0.4),
        restart_ms=random.choice((50, 500, 3_000)),
        dust=rarely(0.5),
        prefund=rarely(0.1),
        swap_fails=rarely(0.4),
        swap_refused=rarely(0.3),
        clock_leaps=rarely(0.1),
        answer_lost=often(0.2),
        repeated=often(0.4),
        tampered=often(0.3),
        foreign=often(0.1),
        abandoned=rarely(0.05),
        limit_clients=random.choice((0, 1, 1, 2, 3)),
        dca_clients=random.choice((0, 0, 1, 1, 2)),
        on_chain_pause_ms=random.choice((100, 400, 1_000)),
        self_sent=often(0.6),
        forgotten=rarely(0.3),
        stale=rarely(0.2),
        signed_anew=rarely(0.3),
        sponsored=often(0.5),
        short_lived=often(0.8),
        older_ids=often(0.6),
        swap_parts=rarely(0.6),
    )


def with_planners(profile: FaultProfile, random: Random) -> FaultProfile:
    """The same with recurring orders. Their draws are apart, so that the rest of a seed is what it was without them."""
    return replace(
        profile, planners=random.choice((0, 1, 1, 2, 3)), plan_pause_ms=random.choice((100, 100, 400, 1_000))
    )


def with_keepers(profile: FaultProfile, random: Random) -> FaultProfile:
    """The same with keepers, drawn apart too."""
    return replace(profile, keepers=random.choice((0, 0, 1, 1, 2)), keeper_pause_ms=random.choice((200, 400, 1_000)))


def calm(profile: FaultProfile) -> FaultProfile:
    """The same world without faults, in which everything must end."""
    peace: dict[str, Any] = {
        name: 0.0 for name, kind in FaultProfile.__annotations__.items() if kind is float and name != "price_jump"
    }
    return replace(profile, **peace)
