"""Claims about the orders that live on the chain: each landing is replayed, each answer compared with what landed."""

import base64
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from hashlib import sha256
from typing import Any, Final, Protocol

from countermand_simulator.checkers import messages
from countermand_simulator.checkers.claim import Claim
from countermand_simulator.checkers.histories import Histories
from countermand_simulator.checkers.keeper_replay import KeeperReplay, standing, standing_in
from countermand_simulator.checkers.replay import (
    DCA,
    LIMIT,
    SOL,
    DcaSeen,
    LimitSeen,
    Seen,
    Surprise,
    dca_in,
    limit_in,
    tag,
)
from countermand_simulator.landings import Balance, Landing
from countermand_simulator.violation import broken

Json = dict[str, Any]

LANDED: Final = "a transaction of an on-chain order lands"
REJECTED: Final = "a transaction of an on-chain order is rejected"
LANDINGS: Final = (LANDED, REJECTED)
_CANCEL: Final = sha256(b"global:cancel_order").digest()[:8]
_CLOSE: Final = sha256(b"global:close_dca").digest()[:8]
_KEEPERS_DEEDS: Final = {
    tag(name): what
    for name, what in (
        ("fill_order", "fills a limit order"),
        ("flash_fill_order", "fills a limit order by a flash"),
        ("cancel_order", "returns an expired order"),
        ("cancel_dust_order", "returns dust"),
        ("fulfill_flash_fill", "makes a cycle"),
        ("transfer", "pays out"),
        ("end_and_close", "ends a recurring order"),
    )
}
_NOTHING: Final[Balance] = (0, "", 0)
_READ: Final[Mapping[str, Callable[[bytes], tuple[object, ...]]]] = {LIMIT: limit_in, DCA: dca_in}


class ChainSeen(Protocol):
    """The chain as any client can see it: what is committed. Messages are base64."""

    def begun_with(self) -> Mapping[str, Balance]: ...

    def balances(self) -> Mapping[str, Balance]: ...

    def owned_by(self, program: str) -> Mapping[str, tuple[int, bytes]]: ...

    @property
    def keepers(self) -> Sequence[str]: ...


class Landings(Protocol):
    def landings_since(self, number: int) -> Sequence[Landing]: ...

    def height(self) -> int: ...


class Builds(Protocol):
    def has_build(self, digest: bytes) -> bool: ...


@dataclass(frozen=True, slots=True)
class Moment:
    """When a request came: so many transactions had landed."""

    landed: int


class ChainOrders:
    def __init__(
        self,
        chain: ChainSeen,
        landings: Landings,
        builds: Builds,
        people: Sequence[str],
        histories: Histories,
        saw: Callable[[str], None],
    ) -> None:
        """`people`: those whose transactions are of on-chain orders, and can be replayed."""
        self.histories = histories
        self._chain = chain
        self._landings = landings
        self._builds = builds
        self._people = people
        self._saw = saw
        self._read = 0
        self.balances: dict[str, Balance] = dict(chain.begun_with())
        self._totals = _totals(self.balances)
        self._burnt = 0
        self.orders: dict[str, Seen] = {}
        """Those that are open."""
        self._past: dict[str, tuple[list[int], list[dict[str, Seen]]]] = {}
        """The open orders of each owner after which number of landings."""
        self._held_by: dict[str, str] = {}
        """The order whose escrow an account is."""
        self.landed: dict[str, Landing] = {}
        """By message."""
        self._numbers: dict[str, int] = {}
        """How many had landed with it, by message."""
        self._executed: dict[str, Json] = {}
        """What was answered for good, by message."""
        self._dead: dict[str, None] = {}
        """Messages that were executed when they could not land any more."""
        self._answered: dict[bytes, int] = {}
        """Builds that a client got, with their last valid heights."""

    # --- the chain

    def follow(self) -> None:
        """Judges what has landed since it was asked last, and what is told of it."""
        self._follow_landings()
        self.histories.follow()

    def _follow_landings(self) -> None:
        new = self._landings.landings_since(self._read)
        if not new:
            return
        touched = False
        for landing in new:
            self._read += 1
            if landing.message in self._dead:
                broken(Claim.EXECUTED_IS_TRUE, f"{landing.signature} lands, and was dead when it was executed")
            self.landed[landing.message], self._numbers[landing.message] = landing, self._read
            touched |= self._follow(landing)
        if touched:
            self._compare_accounts()

    def _follow(self, landing: Landing) -> bool:
        changes = {address: (before or _NOTHING, after or _NOTHING) for address, before, after in landing.changes}
        for address, (before, _) in changes.items():
            known = self.balances.get(address, _NOTHING)
            if before != known:
                broken(
                    Claim.NOTHING_IS_LOST, f"{address} held {before} before {landing.signature}, and {known} ever since"
                )
        self._conserves(landing, changes)
        message = messages.read(landing.message)
        touched = False
        if message.payer in self._people:
            self._saw(LANDED if landing.error is None else REJECTED)
        if landing.error is not None:
            self._only_paid(landing, message, changes)
            self.histories.landed(self._read, landing.signature, message, None)
        elif message.payer in self._people:
            touched = self._replay(landing, message, changes)
        else:
            self._left_alone(landing, changes)
        for address, (_, after) in changes.items():
            if after == _NOTHING:
                self.balances.pop(address, None)
            else:
                self.balances[address] = after
        self._burnt += landing.fee
        return touched

    def _conserves(self, landing: Landing, changes: Mapping[str, tuple[Balance, Balance]]) -> None:
        gained = -landing.fee
        tokens: dict[str, int] = {}
        for before, after in changes.values():
            gained += before[0] - after[0]
            for sign, (_, mint, amount) in ((-1, before), (1, after)):
                tokens[mint] = tokens.get(mint, 0) + sign * amount
        gained_tokens = {mint: by for mint, by in tokens.items() if by and mint not in ("", SOL)}
        if gained or gained_tokens:
            broken(Claim.NOTHING_IS_LOST, f"{landing.signature}: {gained} lamports too few, {gained_tokens} too many")

    def _only_paid(
        self, landing: Landing, message: messages.Message, changes: Mapping[str, tuple[Balance, Balance]]
    ) -> None:
        held = self.balances.get(message.payer, _NOTHING)
        due = {message.payer: (held, (held[0] - message.fee, *held[1:]))}
        if dict(changes) != due:
            broken(Claim.MOVES_ARE_MEANT, f"{landing.signature} failed, and changed {changes}, not {due}")

    def _replay(
        self, landing: Landing, message: messages.Message, changes: Mapping[str, tuple[Balance, Balance]]
    ) -> bool:
        replay = KeeperReplay(
            self.balances,
            self.orders,
            landing.signature,
            landing.block_time,
            keepers=tuple(self._chain.keepers),
        )
        try:
            replay.run(message)
        except Surprise as surprise:
            broken(surprise.claim, f"{landing.signature}: {surprise}")
        due = {
            address: (before, after)
            for address, after in replay.now.items()
            if (before := self.balances.get(address, _NOTHING)) != after
        }
        if due != changes:
            unlike = {
                address: (changes.get(address), due.get(address))
                for address in dict.fromkeys((*changes, *due))
                if changes.get(address) != due.get(address)
            }
            broken(Claim.MOVES_ARE_MEANT, f"{landing.signature}: what changed and should have: {unlike}")
        self.histories.landed(self._read, landing.signature, message, replay)
        closed = [self.orders.get(address) for address, seen in replay.became.items() if seen is None]
        if len(closed) > 1:
            self._saw("several orders are closed together")
        if message.payer in self._chain.keepers:
            self._saw_keeper(message, closed)
        elif any(seen is not None and seen.owner not in message.signers for seen in closed):
            self._saw("a stranger closes an expired order")
        for address, seen in replay.became.items():
            self._became(address, seen)
        return bool(replay.became)

    def _saw_keeper(self, message: messages.Message, closed: Sequence[Seen | None]) -> None:
        for what in dict.fromkeys(_KEEPERS_DEEDS.get(call.data[:8], "") for call in message.calls):
            if what:
                self._saw(f"a keeper {what}")
        if closed:
            self._saw("a keeper's transaction closes an order")

    def _became(self, address: str, seen: Seen | None) -> None:
        before = self.orders.pop(address, None)
        either = seen or before
        assert either is not None
        for escrow in either.escrows:
            self._held_by.pop(escrow, None)
        if seen is not None:
            self.orders[address] = seen
            self._held_by.update(dict.fromkeys(seen.escrows, address))
        what = "a limit order" if isinstance(either, LimitSeen) else "a recurring order"
        self._saw(f"{what} {'is closed' if seen is None else 'is opened' if before is None else 'changes'}")
        numbers, states = self._past.setdefault(either.owner, ([-1], [{}]))
        numbers.append(self._read)
        states.append({name: order for name, order in self.orders.items() if order.owner == either.owner})

    def _left_alone(self, landing: Landing, changes: Mapping[str, tuple[Balance, Balance]]) -> None:
        """Others may give to what belongs to an order, and no more."""
        for address, (before, after) in changes.items():
            if address not in self.orders and address not in self._held_by:
                continue
            self._saw("a gift to what belongs to an on-chain order")
            if after[0] < before[0] or after[1] != before[1] or after[2] < before[2]:
                broken(Claim.ORDERS_ARE_ON_CHAIN, f"{landing.signature} took {before}, left {after} of {address}")

    def _compare_accounts(self) -> None:
        for program, kind, fields in ((LIMIT, LimitSeen, 7), (DCA, DcaSeen, 8)):
            there = {address: _READ[program](data) for address, (_, data) in self._chain.owned_by(program).items()}
            due = {address: astuple(seen)[:fields] for address, seen in self.orders.items() if isinstance(seen, kind)}
            if there != due:
                broken(Claim.ORDERS_ARE_ON_CHAIN, f"open is {due}, on the chain is {there}")
            for address, (_, data) in self._chain.owned_by(program).items():
                if (says := standing_in(program, data)) != (stands := standing(self.orders[address])):
                    broken(Claim.ORDERS_ARE_ON_CHAIN, f"{address} stands at {stands}, on the chain at {says}")

    # --- answers

    def asked(self) -> Moment:
        self.follow()
        return Moment(self._read)

    def built(self, answer: Json) -> None:
        """A client got these transactions to sign."""
        for message, height in answer["built"]:
            digest = sha256(message).digest()
            self._answered[digest] = height
            self._must_be_remembered(digest)

    def sent(self, message: bytes) -> None:
        """A process hands a signed transaction to the chain for a client."""
        if not self._builds.has_build(sha256(message).digest()):
            broken(Claim.SENT_IS_COMMITTED, f"{base64.b64encode(message).decode()[-24:]} was never built here")

    def executed(self, moment: Moment, message: bytes, answer: Json, *, sound: bool) -> None:
        """`sound`: it was handed in with this message, signed by all."""
        self.follow()
        text, kind, digest = base64.b64encode(message).decode(), answer["kind"], sha256(message).digest()
        if kind == "not ours":
            if sound and digest in self._answered:
                broken(Claim.BUILDS_ARE_REMEMBERED, f"{text[-24:]} is not known any more")
        elif not (sound and self._builds.has_build(digest)):
            broken(Claim.EXECUTED_IS_TRUE, f"{answer} for what was not built and signed")
        elif kind == "executed":
            self._is_true(text, answer)
        else:
            self._is_unconfirmed(moment, text, digest)

    def _is_true(self, message: str, answer: Json) -> None:
        landing = self.landed.get(message)
        if landing is None or landing.signature != answer["signature"]:
            broken(Claim.EXECUTED_IS_TRUE, f"{answer}, and the chain knows {landing}")
        if (landing.error is None) != (answer["error"] is None):
            broken(Claim.EXECUTED_IS_TRUE, f"{answer}, and the chain says {landing.error}")
        before = self._executed.setdefault(message, answer)
        if before != answer:
            broken(Claim.ANSWERS_ARE_EQUAL, f"executed with {before}, and now with {answer}")

    def _is_unconfirmed(self, moment: Moment, message: str, digest: bytes) -> None:
        """In time, it may mean; but not of what had landed before it was asked for."""
        if self._numbers.get(message, moment.landed + 1) <= moment.landed:
            broken(Claim.EXECUTED_IS_TRUE, f"unconfirmed, and it had landed before: {self.landed[message]}")
        if message not in self.landed and self._landings.height() > self._answered.get(digest, 2**63):
            self._saw("a dead transaction is executed")
            self._dead[message] = None

    def open_orders(self, moment: Moment, owner: str, kind: type[Seen], answer: Json, *, lately: bool) -> None:
        """`lately`: the process that answered had not been replaced. If it had, it may show what was."""
        self.follow()
        shown = answer["orders"]
        for state in self._states(owner, moment if lately else Moment(0)):
            there = {name: seen for name, seen in state.items() if isinstance(seen, kind) and seen.is_shown}
            if shown == {name: _shown(seen, shown.get(name)) for name, seen in there.items()}:
                return
        broken(Claim.READS_ARE_CURRENT, f"{owner} is shown {shown}, and has {self._states(owner, moment)}")

    def opened_by(self, moment: Moment, owner: str, answer: Json) -> None:
        self.follow()
        possible = [state.get(answer["order"]) for state in self._states(owner, moment)]
        if answer["signature"] not in [seen.opened_by if seen and seen.is_shown else None for seen in possible]:
            broken(Claim.READS_ARE_CURRENT, f"{answer} opened one of {possible}")

    def cancels(self, moment: Moment, owner: str, named: Sequence[str] | None, answer: Json, *, lately: bool) -> None:
        """`named` None: all limit orders."""
        self.follow()
        built = [base64.b64encode(message).decode() for message, _ in answer.get("built", ())]
        closes = [order for message in built for order in closed_by(message)]
        for state in self._states(owner, moment if lately else Moment(0)):
            due = [name for name, seen in state.items() if isinstance(seen, LimitSeen) or named is not None]
            due = [name for name in due if named is None or name in named]
            if sorted(closes) == sorted(due):
                return
        broken(Claim.CANCEL_NAMES_ALL, f"{owner} cancels {named}: {closes} of {self._states(owner, moment)}")

    def _states(self, owner: str, moment: Moment) -> list[dict[str, Seen]]:
        """The open orders of the owner at that moment and ever since."""
        numbers, states = self._past.get(owner, ([-1], [{}]))
        return states[max(0, bisect_right(numbers, moment.landed) - 1) :]

    def _must_be_remembered(self, digest: bytes) -> None:
        if not self._builds.has_build(digest):
            broken(Claim.BUILDS_ARE_REMEMBERED, f"the build {digest.hex()[:16]} was answered, and is not committed")

    # --- the end

    def open_of(self, owner: str) -> dict[str, Seen]:
        return self._states(owner, Moment(self._read))[-1]

    def at_rest(self) -> None:
        self.follow()
        if self.orders:
            broken(Claim.EVERYTHING_ENDS, f"open is still {self.orders}")
        self.histories.at_rest()
        self._compare_accounts()
        for digest in self._answered:
            self._must_be_remembered(digest)
        there = {address: held for address, held in self._chain.balances().items() if held != _NOTHING}
        unlike = [address for address in (*there, *self.balances) if there.get(address) != self.balances.get(address)]
        if unlike:
            broken(Claim.NOTHING_IS_LOST, f"{unlike[0]} holds {there.get(unlike[0])}")
        totals = _totals(there)
        totals[""] += self._burnt
        if totals != self._totals:
            broken(Claim.NOTHING_IS_LOST, f"in all there is {totals}, and there was {self._totals}")


def closed_by(message: str) -> list[str]:
    """The orders that a transaction closes, if it lands."""
    closed = []
    for call in messages.read(message).calls:
        if call.program == LIMIT and call.data[:8] == _CANCEL:
            closed.append(call.accounts[2])
        elif call.program == DCA and call.data[:8] == _CLOSE:
            closed.append(call.accounts[1])
    return closed


def _shown(seen: Seen, answer: Json | None) -> Json:
    """As much of it as the answer shows."""
    return {name: getattr(seen, name) for name in answer or ()}


def _totals(balances: Mapping[str, Balance]) -> dict[str, int]:
    """By mint; the lamports under no name, with what wraps them."""
    totals = {"": 0}
    for lamports, mint, amount in balances.values():
        totals[""] += lamports
        if mint not in ("", SOL):
            totals[mint] = totals.get(mint, 0) + amount
    return totals
