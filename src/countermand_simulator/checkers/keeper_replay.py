"""What the transactions of keepers must do: fills, borrows, cycles, payouts and ends, written from what they mean."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from countermand_simulator.checkers.claim import Claim
from countermand_simulator.checkers.messages import Call, Message
from countermand_simulator.checkers.replay import (
    CANCELLED,
    COMPLETED,
    DCA,
    LIMIT,
    OWN_FEE_BPS,
    RATES,
    SOL,
    TOKENS,
    DcaSeen,
    LimitSeen,
    Replay,
    Seen,
    Surprise,
    TradeSeen,
    own_fee_account,
    tag,
)

_BPS_ONE: Final = 10_000
_DCA_FEE_BPS: Final = 10


class Unfair(Surprise):
    """A fill that its maker did not agree to."""

    claim = Claim.FILLS_ARE_FAIR


class Untimely(Surprise):
    """A cycle that was not due."""

    claim = Claim.CYCLES_ARE_DUE


@dataclass(slots=True)
class KeeperReplay(Replay):
    """`keepers`: who may do what is left to keepers. `_borrowed`: by order, what was lent and what it had bought."""

    keepers: tuple[str, ...] = ()
    _borrowed: dict[str, tuple[int, int]] = field(default_factory=dict)

    def run(self, message: Message) -> None:
        Replay.run(self, message)
        if self._borrowed:
            raise Surprise(f"{self._borrowed} was borrowed and never paid for")

    def _carried_out(self, call: Call) -> Callable[..., None]:
        theirs = _CALLS.get((call.program, call.data[:8]))
        return theirs or super(KeeperReplay, self)._carried_out(call)

    def _must_be_keeper(self, signer: str) -> None:
        if signer not in self.keepers:
            raise Surprise(f"{signer} is no keeper")

    # --- limit orders

    def _limit_of(self, order: str, reserve: str, maker: str | None = None) -> LimitSeen:
        seen = self.order(order)
        if not isinstance(seen, LimitSeen) or seen.reserve != reserve or maker not in (None, seen.maker):
            raise Surprise(f"order {order} is not open, or not {maker}'s")
        return seen

    def _must_be_fillable(self, order: str, seen: LimitSeen, input_units: int) -> None:
        if seen.expires_at is not None and self.second > seen.expires_at:
            raise Unfair(f"order {order} of {seen} is filled at {self.second}")
        if not 0 < input_units <= seen.making:
            raise Unfair(f"{input_units} of order {order} are filled, of {seen}")

    def fills(self, call: Call) -> None:
        taker, maker, order, own, pays_from, pays_to, fee_to, reserve = call.accounts[:8]
        seen, part = self._limit_of(order, reserve, maker), call.number(8)
        self._must_be_fillable(order, seen, part)
        asked = _asked(seen, part)
        given = call.number(20) if call.number(16, 4) else asked
        least = asked
        if taker in self.keepers:
            least = max(1, -(-asked * (_BPS_ONE - seen.slippage_bps) // _BPS_ONE))
        if given < least:
            raise Unfair(f"{part} of order {order} bring {given}, and should {least}")
        self._move(reserve, own, part)
        own_fee_to = _own_fee_account_in(call.accounts[17:], seen, call.accounts[11])
        fee = self._pays_for(seen, given, (taker, pays_from, pays_to, fee_to), own_fee_to)
        self._filled(seen, TradeSeen(order, taker, part, given, fee))

    def borrows(self, call: Call) -> None:
        _, order, reserve, own = call.accounts[:4]
        seen, part = self._limit_of(order, reserve), call.number(8)
        self._must_be_fillable(order, seen, part)
        if order in self._borrowed:
            raise Surprise(f"order {order} is borrowed from twice")
        self._move(reserve, own, part)
        self._borrowed[order] = part, 0

    def pays_back(self, call: Call) -> None:
        taker, maker, order, reserve, pays_to, pays_from, fee_to = call.accounts[:7]
        seen = self._limit_of(order, reserve, maker)
        part, _ = self._borrowed.pop(order, (0, 0))
        self._must_be_fillable(order, seen, part)
        asked = _asked(seen, part)
        if asked > call.number(8):
            raise Surprise(f"{taker} pays {asked} for order {order}, more than it would")
        own_fee_to = _own_fee_account_in(call.accounts[13:], seen, call.accounts[9])
        fee = self._pays_for(seen, asked, (taker, pays_from, pays_to, fee_to), own_fee_to)
        self._filled(seen, TradeSeen(order, taker, part, asked, fee))

    def _pays_for(self, seen: LimitSeen, given: int, ends: tuple[str, str, str, str], own_fee_to: str | None) -> int:
        """The fee once, the rest to the maker. Without an account of the maker, as lamports of the taker.

        Of the fee, the program's own part where its account is named, and the integrator the rest. Returns the fee.
        """
        taker, pays_from, pays_to, fee_to = ends
        fee = given * seen.fee_bps // _BPS_ONE
        if fee_to != seen.fee_account:
            raise Unfair(f"the fee goes to {fee_to}, not to {seen.fee_account}")
        own = given * OWN_FEE_BPS // _BPS_ONE if own_fee_to else 0
        fees = ((own_fee_to or fee_to, own), (fee_to, fee - own))
        if pays_to != LIMIT:
            self._move(pays_from, pays_to, given - fee)
            for receiver, part in fees:
                self._move(pays_from, receiver, part)
            return fee
        self._pay(taker, given)
        self._get(seen.maker, given - fee)
        for receiver, part in fees:
            lamports, mint, amount = self.at(receiver)
            self.now[receiver] = lamports + part, mint, amount + part
        return fee

    def _filled(self, seen: LimitSeen, trade: TradeSeen) -> None:
        self.trades.append(trade)
        order, left = trade.order, replace(seen, making=seen.making - trade.given)
        self.became[order] = replace(left, taking=_asked(left, left.making))
        if not left.making:
            self.ended[order] = COMPLETED
        if left.making or (seen.input_mint != SOL and self.at(seen.reserve)[2]):
            return
        self._take_all(seen.reserve, seen.maker)
        self._take_all(order, seen.maker)
        self.became[order] = None

    def returns_dust(self, call: Call) -> None:
        keeper, maker, order, reserve, own, mint, program = call.accounts[:7]
        self._must_be_keeper(keeper)
        seen, dollar = self._limit_of(order, reserve, maker), call.number(8)
        if seen.making >= dollar:
            raise Surprise(f"{seen.making} of order {order} are no dust beside {dollar}")
        had = self.at(keeper)[0]
        self._ensure(keeper, own, mint, program)
        lent = had - self.at(keeper)[0]
        self._move(reserve, own, self.at(reserve)[2])
        self._take_all(reserve, maker)
        self._pay(order, lent)
        self._get(keeper, lent)
        self._take_all(order, maker)
        self._ends_as(order, CANCELLED)

    # --- recurring orders

    def _dca_at(self, order: str, escrows: tuple[str, ...]) -> DcaSeen:
        seen = self.order(order)
        if not isinstance(seen, DcaSeen) or seen.escrows != escrows:
            raise Surprise(f"order {order} is not open, or {escrows} are not its accounts")
        return seen

    def lends(self, call: Call) -> None:
        keeper, order, _, own, inner, outer = call.accounts[:6]
        self._must_be_keeper(keeper)
        seen = self._dca_at(order, (inner, outer))
        amount = _cycle_of(seen)
        if self.second < seen.next_at or not amount:
            raise Untimely(f"a cycle of order {order} at {self.second}: {seen}")
        if order in self._borrowed:
            raise Untimely(f"two cycles of order {order} in one transaction")
        self._borrowed[order] = amount, self.at(outer)[2]
        self._move(inner, own, amount)

    def buys(self, call: Call) -> None:
        keeper, order, _, output_mint, _, inner, outer, _, fee_to = call.accounts[:9]
        self._must_be_keeper(keeper)
        seen, repaid = self._dca_at(order, (inner, outer)), call.number(8)
        used, before = self._borrowed.pop(order, (0, 0))
        received = repaid * (_BPS_ONE - _DCA_FEE_BPS) // _BPS_ONE + bool(repaid * _DCA_FEE_BPS % _BPS_ONE)
        if not (used and repaid) or self.at(outer)[2] - before != repaid:
            raise Surprise(f"order {order} lent {used}, got {self.at(outer)[2] - before}, and is told of {repaid}")
        self._must_be_in_bounds(order, seen, used, received)
        self._ensure(keeper, fee_to, output_mint, TOKENS[0])
        self._move(outer, fee_to, repaid - received)
        self.trades.append(TradeSeen(order, keeper, used, received, repaid - received))
        missed = (self.second - seen.next_at) // seen.interval
        self.became[order] = replace(
            seen,
            used=seen.used + used,
            received=seen.received + received,
            next_at=seen.next_at + (missed + 1) * seen.interval,
        )

    def _must_be_in_bounds(self, order: str, seen: DcaSeen, used: int, received: int) -> None:
        least, most = (-(-bound * used // seen.per_round) for bound in (seen.out_min, seen.out_max))
        if received < least or (seen.out_max and received > most):
            raise Unfair(f"a cycle of order {order} brings {received}, not {least} to {most}")

    def pays_out(self, call: Call) -> None:
        keeper, order, user, mint, outer, own = call.accounts[:6]
        self._must_be_keeper(keeper)
        seen = self._dca_of(user, order)
        amount = seen.received - seen.paid_out
        if not amount or outer != seen.escrows[1]:
            raise Surprise(f"order {order} pays {amount} out of {outer}: {seen}")
        if own != DCA:
            self._move(outer, own, amount)
        elif mint != SOL:
            raise Surprise(f"order {order} pays {mint} as lamports")
        else:
            held, _, tokens = self.at(outer)
            self.now[outer] = held - amount, mint, tokens - amount
            self._get(user, amount)
        self.became[order] = replace(seen, paid_out=seen.paid_out + amount)

    def ends(self, call: Call) -> None:
        keeper, order, input_mint, output_mint, inner, outer, user, own_output = call.accounts[:8]
        self._must_be_keeper(keeper)
        seen = self._dca_of(user, order)
        if seen.left or seen.escrows != (inner, outer):
            raise Surprise(f"order {order} ends with {seen.left} unsold, or without its accounts: {seen}")
        had = self.at(keeper)[0]
        for account, own, mint in ((inner, call.accounts[16], input_mint), (outer, own_output, output_mint)):
            amount = self.at(account)[2]
            if amount and mint != SOL:
                self._ensure(keeper, own, mint, TOKENS[0])
                self._move(account, own, amount)
            self._take_all(account, order)
        lent = had - self.at(keeper)[0]
        self._pay(order, lent)
        self._get(keeper, lent)
        self._take_all(order, user)
        self._ends_as(order, COMPLETED)


def _own_fee_account_in(trailing: Sequence[str], seen: LimitSeen, output_program: str) -> str | None:
    """None where a fill ends before it; then the order's account gets the whole fee."""
    if not trailing or trailing[0] != RATES:
        return None
    if trailing[1] != own_fee_account(seen.output_mint, output_program):
        raise Unfair(f"the program's own fee goes to {trailing[1]}")
    return trailing[1]


def _asked(seen: LimitSeen, part: int) -> int:
    """By the original amounts, rounded up."""
    return -(-seen.taking_at_first * part // seen.making_at_first)


def _cycle_of(seen: DcaSeen) -> int:
    """A last cycle takes what the division left over, less than a unit for each cycle."""
    rest = seen.left - seen.per_round
    if rest <= 0 or rest < min(seen.per_round, seen.deposited // seen.per_round):
        return seen.left
    return seen.per_round


_CALLS: Final[Mapping[tuple[str, bytes], Callable[..., None]]] = {
    (LIMIT, tag("fill_order")): KeeperReplay.fills,
    (LIMIT, tag("pre_flash_fill_order")): KeeperReplay.borrows,
    (LIMIT, tag("flash_fill_order")): KeeperReplay.pays_back,
    (LIMIT, tag("cancel_dust_order")): KeeperReplay.returns_dust,
    (DCA, tag("initiate_flash_fill")): KeeperReplay.lends,
    (DCA, tag("fulfill_flash_fill")): KeeperReplay.buys,
    (DCA, tag("transfer")): KeeperReplay.pays_out,
    (DCA, tag("end_and_close")): KeeperReplay.ends,
}


def standing(seen: Seen) -> tuple[int, ...]:
    """What an account says beside the fields that owners are shown. Nothing is borrowed between transactions."""
    if isinstance(seen, LimitSeen):
        return seen.making_at_first, seen.taking_at_first, 0
    return seen.next_at, seen.paid_out, seen.used, seen.received, 0, 0


def standing_in(program: str, data: bytes) -> tuple[int, ...]:
    """The same as its bytes say it."""
    places = (208, 216, 240) if program == LIMIT else (112, 136, 144, 152, 264, 272)
    return tuple(int.from_bytes(data[place : place + 8], "little") for place in places)
