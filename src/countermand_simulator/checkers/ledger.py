"""What the chain shows, checked against what the journal says of it: fates, amounts, and who owns what."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from countermand_simulator.checkers.claim import Claim
from countermand_simulator.checkers.fold import Json, is_in_children, kept, left
from countermand_simulator.landings import Balance, Landing
from countermand_simulator.violation import broken

_NOTHING: Final[Balance] = (0, "", 0)
_NO_UNITS: Final[Json] = {"units": 0}
_Changes: TypeAlias = dict[str, tuple[Balance, Balance]]


class ChainSeen(Protocol):
    """The chain as any client can see it. Messages are base64."""

    @property
    def sol(self) -> str:
        """How the native mint is called."""

    def height(self) -> int: ...

    def landings_since(self, number: int) -> Sequence[Landing]: ...

    def token_account(self, wallet: str, mint: str) -> str: ...


class Ledger:
    def __init__(self, chain: ChainSeen) -> None:
        self._chain = chain
        self._read = 0
        self._landed: dict[str, Landing] = {}
        """By signature."""
        self._messages: dict[str, Landing] = {}
        self.amounts: dict[str, int] = {}
        """What each token account holds now."""
        self.gifts: dict[str, int] = {}
        """What strangers sent to it and is not journaled as given on."""
        self._sent: dict[str, dict[str, int]] = {}
        """By order: the messages that were sent, with their last valid heights."""

    def follow(self) -> None:
        new = self._chain.landings_since(self._read)
        for landing in new:
            self._landed[landing.signature] = self._messages[landing.message] = landing
            for address, before, after in landing.changes:
                self._changed(landing, address, before or _NOTHING, after)
        self._read += len(new)

    def _changed(self, landing: Landing, address: str, before: Balance, after: Balance | None) -> None:
        if after is None:
            self.amounts.pop(address, None)
        elif after[1]:
            self.amounts[address] = after[2]
            if not landing.payer:
                self.gifts[address] = self.gifts.get(address, 0) + after[2] - before[2]

    # --- what is sent

    def sent(self, order_id: str, message: str, last_valid_height: int) -> None:
        """Two co-signed messages of one order must never be able to land at the same time."""
        known = self._sent.setdefault(order_id, {})
        if self._can_land(message, last_valid_height):
            for other, height in known.items():
                if other != message and self._can_land(other, height):
                    broken(Claim.ONE_ATTEMPT, f"two co-signed transactions of order {order_id} can land")
        known[message] = last_valid_height

    def _can_land(self, message: str, last_valid_height: int) -> bool:
        return message not in self._messages and self._chain.height() <= last_valid_height

    def has_landed(self, message: str) -> bool:
        landing = self._messages.get(message)
        return landing is not None and landing.error is None

    # --- what the journal says of it

    def judge(self, order: Json, kind: str, event: Json) -> None:
        """`order` is what the event found."""
        if kind in ("deposit_landed", "fill_landed", "withdrawal_landed") or (
            kind == "sweep_done" and event["signature"]
        ):
            landing = self._landing_of(order, kind, event)
            if landing.error is not None:
                broken(Claim.FATE_IS_TRUE, f"order {order['id']}: {kind}, but it was rejected: {landing.error}")
            self._judge_amounts(order, kind, event, _by_account(landing))
        elif kind == "sweep_done":
            if order["terms"]["input_account"] in self.amounts:
                broken(Claim.FATE_IS_TRUE, f"order {order['id']}: the account is not gone")
        elif kind in ("deposit_failed", "fill_failed", "round_postponed", "withdrawal_failed", "sweep_failed"):
            self._judge_failure(order, kind, event)

    def _landing_of(self, order: Json, kind: str, event: Json) -> Landing:
        landing = self._landed.get(event["signature"])
        attempt = order["attempt"]
        if landing is None or attempt is None or landing.message != attempt["craft"]["message"]:
            broken(Claim.FATE_IS_TRUE, f"order {order['id']}: {kind}, but its transaction is not on the chain")
        return landing

    def _judge_failure(self, order: Json, kind: str, event: Json) -> None:
        attempt = order["attempt"]
        if attempt is None:
            return  # A swap that was not worth a transaction.
        craft = attempt["craft"]
        landing = self._messages.get(craft["message"])
        if landing is None and self._chain.height() <= craft["last_valid_height"]:
            broken(Claim.FATE_IS_TRUE, f"order {order['id']}: {kind}, but its transaction can still land")
        if landing is not None and landing.error is None:
            broken(Claim.FATE_IS_TRUE, f"order {order['id']}: {kind}, but its transaction landed")
        rejected = event.get("rejection", event.get("error"))
        if kind in ("withdrawal_failed", "deposit_failed") and (landing is None) != (rejected is None):
            broken(Claim.FATE_IS_TRUE, f"order {order['id']}: {kind} says {rejected}, the chain {landing}")

    def _judge_amounts(self, order: Json, kind: str, event: Json, changes: _Changes) -> None:
        own, output = _accounts(order)
        if kind == "deposit_landed":
            self._must_change(order, changes, own, order["terms"]["deposited"]["units"])
        elif kind == "fill_landed":
            self._judge_fill(order, event, changes, *((output, own) if is_in_children(order) else (own, output)))
        else:
            taken = event.get("withdrawn", _NO_UNITS)["units"]
            self._must_give_back(order, changes, own, taken, event["dust"]["units"])
            if output.address:
                taken = event.get("output_withdrawn", _NO_UNITS)["units"]
                dust = event["output_dust"]["units"]
                self._must_give_back(order, changes, output, taken, dust)

    def _judge_fill(self, order: Json, event: Json, changes: _Changes, sold: "_Account", kept: "_Account") -> None:
        """The parent of an OTOCO keeps what it buys in an account of the order."""
        returned, dust = event["returned"]["units"], event["dust"]["units"]
        back = returned + self._given(sold, dust, closed=event["closed"])
        self._must_change(order, changes, sold, -event["used"]["units"] - back)
        self._must_come_back(order, changes, sold, back)
        due = event["received"]["units"]
        if kept.address and not is_in_children(order):
            self._must_change(order, changes, kept, due)
        else:
            self._must_receive(order, changes, sold, kept.mint, due)

    def _must_give_back(self, order: Json, changes: _Changes, account: "_Account", taken: int, dust: int) -> None:
        if account.address not in changes and not taken:
            return  # It was closed before.
        back = taken + self._given(account, dust, closed=True)  # SOL comes back by its close alone.
        self._must_change(order, changes, account, -back)
        self._must_come_back(order, changes, account, back)

    def _must_receive(self, order: Json, changes: _Changes, sold: "_Account", mint: str, due: int) -> None:
        wallet = order["terms"]["wallet"]
        if mint == self._chain.sol:
            # The rent of the order's account comes back in lamports too.
            received = _lamports(changes, wallet) + _lamports(changes, sold.address)
        else:
            received = _tokens(changes, self._chain.token_account(wallet, mint))
        if received != due:
            broken(Claim.CONSERVED, f"order {order['id']}: the user received {received}, the journal says {due}")

    def _must_come_back(self, order: Json, changes: _Changes, account: "_Account", taken: int) -> None:
        if account.mint != self._chain.sol:
            back = _tokens(changes, self._chain.token_account(order["terms"]["wallet"], account.mint))
            if back != taken:
                broken(Claim.CONSERVED, f"order {order['id']}: {taken} were taken and {back} came back")

    def _given(self, account: "_Account", gift: int, *, closed: bool) -> int:
        """What strangers sent and the transaction gave to the user."""
        held = self.gifts.get(account.address, 0)
        if account.mint == self._chain.sol and closed:
            # A close takes all wrapped SOL along, also what came after the transaction was made.
            gift = max(gift, held)
        self.gifts[account.address] = held - gift
        return gift

    def _must_change(self, order: Json, changes: _Changes, account: "_Account", by: int) -> None:
        changed = _tokens(changes, account.address)
        if changed != by:
            broken(Claim.CONSERVED, f"order {order['id']}: its account changed by {changed}, the journal says {by}")

    # --- who owns what

    def owns(self, order: Json) -> None:
        """An order at rest: its accounts hold what remains of it, and what strangers sent."""
        own, output = _accounts(order)
        self._holds(order, own, left(order))
        if output.address:
            self._holds(order, output, kept(order))

    def _holds(self, order: Json, account: "_Account", due: int) -> None:
        due = 0 if order["state"] == "deposit_failed" else due + self.gifts.get(account.address, 0)
        held = self.amounts.get(account.address, 0)
        if held != due:
            broken(Claim.CONSERVED, f"order {order['id']} ({order['state']}): an account holds {held}, not {due}")


@dataclass(frozen=True, slots=True)
class _Account:
    """A token account of an order. Only an OTOCO has a second one."""

    address: str
    mint: str


def _accounts(order: Json) -> tuple[_Account, _Account]:
    terms = order["terms"]
    return (
        _Account(terms["input_account"], terms["input_mint"]),
        _Account(terms.get("output_account") or "", terms["output_mint"]),
    )


def _by_account(landing: Landing) -> _Changes:
    return {address: (before or _NOTHING, after or _NOTHING) for address, before, after in landing.changes}


def _tokens(changes: _Changes, address: str) -> int:
    before, after = changes.get(address, (_NOTHING, _NOTHING))
    return after[2] - before[2]


def _lamports(changes: _Changes, address: str) -> int:
    before, after = changes.get(address, (_NOTHING, _NOTHING))
    return after[0] - before[0]
