"""An order meets the book, by price and time: which orders it must trade with, at what price, and what must stop it."""

from typing import Final

from countermand_simulator.book.checkers.claim import Claim
from countermand_simulator.book.checkers.floor import OTHER, Floor, Reached
from countermand_simulator.book.checkers.fold import LIVE, Json, left_of, ticks
from countermand_simulator.book.checkers.rules import MILLIONTHS, MarketRules
from countermand_simulator.book.checkers.script import Script
from countermand_simulator.violation import must

_SYSTEM: Final = "system"


class Entering:
    def __init__(self, floor: Floor, order_id: int, script: Script, orders_per_turn: int, *, fails: bool) -> None:
        self._floor = floor
        self._orders_per_turn = self._makers_left = orders_per_turn
        self._id = order_id
        self._script = script
        self._fails = fails
        self._terms: Json = floor.order(order_id)["terms"]
        self._side: str = self._terms["side"]
        self._market: MarketRules = floor.markets[self._terms["market"]]
        self._prices: list[int] = []

    @property
    def _order(self) -> Json:
        return self._floor.order(self._id)

    @property
    def _is_live(self) -> bool:
        return self._order["state"] in LIVE

    def opens(self) -> None:
        opened = self._script.take("order_opened", Claim.STOPS_TRIGGER_ONCE)
        must(opened["order_id"] == self._id, Claim.STOPS_TRIGGER_ONCE, f"{opened}, not {self._id}")
        self.goes_on()

    def goes_on(self) -> None:
        self._floor.entering = None
        while self._is_live and left_of(self._order):
            met = self._meets()
            if met is None:
                self._goes_no_further()
                break
            if not self._makers_left:
                self._floor.entering = self._id
                break
            self._makers_left -= 1
            self._encounters(*met)
        self._triggers()

    def _meets(self) -> tuple[int, int, int] | None:
        """Who comes first on the other side, if the limit reaches that far."""
        front = self._floor.front(self._market.symbol, OTHER[self._side])
        limit = ticks(self._terms["price"])
        if front is None or limit is None:
            return front
        return front if (front[1] <= limit if self._side == "buy" else front[1] >= limit) else None

    def _goes_no_further(self) -> None:
        self._no_ended_order_trades()
        must(
            self._script.next_kind() != "traded",
            Claim.TRADES_ARE_FAIR,
            f"order {self._id} ({self._terms}) trades with an order that it does not meet",
        )
        if self._terms["kind"] == "market":
            self._must_end(_SYSTEM)
            return
        rested = self._script.take("order_rested", Claim.REASON_IS_TRUE)
        must(rested["order_id"] == self._id, Claim.BOOK_IS_NOT_CROSSED, f"{rested}, not {self._id}")

    def _encounters(self, maker_id: int, price: int, there: int) -> None:
        reason = self._obstacle(price)
        is_mine = self._floor.order(maker_id)["terms"]["account"] == self._terms["account"]
        if reason is None and is_mine:
            self._is_prevented(maker_id, there)
            return
        lots = min(left_of(self._order), there)
        if reason is None and self._fails:
            reason = "failed"
        if reason is None and not self._can_pay(price, lots):
            reason = _SYSTEM
        if reason is not None:
            self._must_end(reason)
        else:
            self._must_trade(maker_id, price, lots)

    def _obstacle(self, price: int) -> str | None:
        kind, reference = self._terms["kind"], ticks(self._order["reference"])
        if kind == "limit_maker":
            return _SYSTEM
        if kind == "limit" or reference is None:
            return None
        return "slippage" if self._market.slips(self._side, price, reference) else None

    def _can_pay(self, price: int, lots: int) -> bool:
        return self._side == "sell" or self._market.cost(price, lots) <= self._floor.holds[self._id]

    def _must_end(self, reason: str) -> None:
        self._no_ended_order_trades()
        event = self._script.take("order_cancelled", Claim.REASON_IS_TRUE)
        told = event["order_id"], event["reason"]
        must(told == (self._id, reason), Claim.REASON_IS_TRUE, f"{told} ended, and not {(self._id, reason)}")

    # --- instead of a trade with oneself

    def _is_prevented(self, maker_id: int, there: int) -> None:
        policy, left = self._market.self_trade, left_of(self._order)
        if policy == "cancel_newest":
            self._ends_for_itself(self._id)
        elif policy == "cancel_oldest":
            self._ends_for_itself(maker_id)
        elif policy == "cancel_both" or left == there:
            self._ends_for_itself(maker_id)
            self._ends_for_itself(self._id)
        elif left > there:
            self._ends_for_itself(maker_id)
            self._is_reduced(self._id, there)
        else:
            self._is_reduced(maker_id, left)
            self._ends_for_itself(self._id)

    def _ends_for_itself(self, order_id: int) -> None:
        event = self._script.take("order_cancelled", Claim.SELF_TRADE_IS_PREVENTED)
        must(event["order_id"] == order_id, Claim.SELF_TRADE_IS_PREVENTED, f"{event}, and {order_id} has to end")
        must(event["reason"] == _SYSTEM, Claim.REASON_IS_TRUE, f"{event}, to prevent a trade with oneself")

    def _is_reduced(self, order_id: int, lots: int) -> None:
        event = self._script.take("order_reduced", Claim.SELF_TRADE_IS_PREVENTED)
        told = event["order_id"], event["lots"]["lots"]
        must(told == (order_id, lots), Claim.SELF_TRADE_IS_PREVENTED, f"{told} lost volume, and not {(order_id, lots)}")
        terms, price = self._floor.order(order_id)["terms"], ticks(self._floor.order(order_id)["terms"]["price"])
        if terms["kind"] == "market" and terms["side"] == "buy":
            due = 0
        else:
            due = self._market.volume(lots) if price is None else self._market.needed(terms["side"], price, lots)
        unlocked = event["unlocked"]["quanta"]
        must(unlocked == due, Claim.AMOUNTS_ARE_EXACT, f"{event} unlocks {unlocked}, and not {due}")

    # --- a trade

    def _must_trade(self, maker_id: int, price: int, lots: int) -> None:
        self._no_ended_order_trades()
        rests = self._script.next_kind() == "order_rested"
        claim = Claim.BOOK_IS_NOT_CROSSED if rests else Claim.REASON_IS_TRUE
        trade = self._script.see("traded", claim)
        what = f"trade {trade['trade_id']} of order {self._id}"
        mine, theirs = trade[self._side], trade[OTHER[self._side]]
        must(theirs["order_id"] == maker_id, Claim.PRICE_TIME_PRIORITY, f"{what}: {theirs}, and {maker_id} is first")
        must((trade["taker"], mine["order_id"]) == (self._side, self._id), Claim.TRADES_ARE_FAIR, f"{what}: {trade}")
        must(trade["market"] == self._market.symbol, Claim.TRADES_ARE_FAIR, f"{what}: {trade}")
        must(trade["price"]["ticks"] == price, Claim.TRADES_ARE_FAIR, f"{what}: the maker's price is {price}")
        must(trade["lots"]["lots"] == lots, Claim.TRADES_ARE_FAIR, f"{what}: {trade['lots']}, and not {lots}")
        maker = self._floor.order(maker_id)
        self._leg(theirs, maker, price, lots, self._market.maker_fee, 0)
        self._leg(mine, self._order, price, lots, self._market.taker_fee, self._improvement(price, lots))
        self._script.take("traded", claim)
        self._prices.append(price)

    def _leg(self, leg: Json, order: Json, price: int, lots: int, rate: int, unlocked: int) -> None:
        volume, total = self._market.volume(lots), self._market.cost(price, lots)
        side = order["terms"]["side"]
        paid, received = (volume, total) if side == "sell" else (total, volume)
        due = {
            "order_id": order["id"],
            "account": order["terms"]["account"],
            "paid": {"quanta": paid},
            "received": {"quanta": received},
            "rate": {"millionths": rate},
            "fee": {"quanta": received * rate // MILLIONTHS},
            "unlocked": {"quanta": unlocked},
        }
        must(received * rate % MILLIONTHS == 0, Claim.AMOUNTS_ARE_EXACT, f"{leg}: the fee had to be rounded")
        must(leg == due, Claim.AMOUNTS_ARE_EXACT, f"{leg}, and not {due}")

    def _improvement(self, price: int, lots: int) -> int:
        """What the taker does not need any more: the price was better, or its last lot is bought."""
        if self._side == "sell":
            return 0
        if self._terms["kind"] == "market":
            rest = self._floor.holds[self._id] - self._market.cost(price, lots)
            return rest if lots == left_of(self._order) else 0
        return self._market.cost(self._terms["price"]["ticks"] - price, lots)

    def _no_ended_order_trades(self) -> None:
        if self._script.next_kind() != "traded":
            return
        trade = self._script.see("traded", Claim.TRADES_ARE_FAIR)
        for side in ("buy", "sell"):
            order = self._floor.order(trade[side]["order_id"])
            what = f"trade {trade['trade_id']} with order {order['id']}, which is {order['state']}"
            must(order["state"] in LIVE, Claim.NOTHING_AFTER_THE_END, what)

    def _triggers(self) -> None:
        if self._prices:
            reached = self._market.symbol, self._script.at, min(self._prices), max(self._prices)
            trigger(self._floor, self._script, reached, self._orders_per_turn)


def trigger(floor: Floor, script: Script, reached: Reached, most: int) -> None:
    """Stop orders that trades reached, as many as one turn triggers, the oldest first. Others are left to the next."""
    due = floor.reached_stops(reached)
    for order_id in sorted(due[:most]):
        event = script.take("stop_triggered", Claim.STOPS_TRIGGER_ONCE)
        must(event["order_id"] == order_id, Claim.STOPS_TRIGGER_ONCE, f"{event}, not {order_id}")
    floor.reached = reached if len(due) > most else None
