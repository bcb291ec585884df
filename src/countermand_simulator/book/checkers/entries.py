"""What each command had to bring about, judged by the journal alone."""

from collections.abc import Sequence
from typing import Final

from countermand_simulator.book.checkers.claim import Claim
from countermand_simulator.book.checkers.entering import Entering, trigger
from countermand_simulator.book.checkers.floor import FEES, OTHER, SIDES, Floor
from countermand_simulator.book.checkers.fold import LIVE, Json, ticks
from countermand_simulator.book.checkers.rules import BPS, MarketRules
from countermand_simulator.book.checkers.script import Script
from countermand_simulator.violation import broken, must

USER: Final = "user"
SYSTEM: Final = "system"


class Entries:
    def __init__(self, floor: Floor, orders_per_turn: int) -> None:
        self._floor = floor
        self._orders_per_turn = orders_per_turn

    def judge(self, at: int, kind: str, command: Json, events: Sequence[tuple[str, Json]]) -> None:
        self._spares_the_dead(events)
        self._comes_in_time(at, kind, command)
        script = Script(self._floor, kind, at, events)
        match kind:
            case "credit":
                self._credits(command, script)
            case "place_order":
                self._places(command, script)
            case "trigger_stops":
                self._triggers(command, script)
            case "open_order":
                self._entering(command["order_id"], script, fails=command["match_fails"]).opens()
            case "continue_order":
                self._entering(command["order_id"], script, fails=command["match_fails"]).goes_on()
            case "cancel_order":
                owner = self._floor.order(command["order_id"])["terms"]["account"]
                must(owner == command["account"], Claim.CANCEL_IS_MEANT, f"{command} of {owner}'s order")
                self._cancels([command["order_id"]], USER, script)
            case "cancel_orders":
                self._cancels(self._meant(command), USER, script)
            case "cancel_by_operator" | "expire_order":
                self._cancels([command["order_id"]], SYSTEM, script)
            case _:
                broken(Claim.JOURNAL_INTACT, f"{kind} is no command")
        script.ends()

    def _spares_the_dead(self, events: Sequence[tuple[str, Json]]) -> None:
        """Before anything else, since this is the promise."""
        for trade in (event for kind, event in events if kind == "traded"):
            for side in SIDES:
                known = self._floor.orders.get(trade[side]["order_id"])
                if known is not None and known.now is not None and known.now["state"] not in LIVE:
                    what = f"trade {trade['trade_id']} with order {known.now['id']}, which is {known.now['state']}"
                    broken(Claim.NOTHING_AFTER_THE_END, what)

    def _triggers(self, command: Json, script: Script) -> None:
        reached = self._floor.reached
        if reached is None or reached[0] != command["market"]:
            broken(Claim.STOPS_TRIGGER_ONCE, f"{command}, and trades reached {reached}")
        trigger(self._floor, script, reached, self._orders_per_turn)

    def _entering(self, order_id: int, script: Script, *, fails: bool) -> Entering:
        return Entering(self._floor, order_id, script, self._orders_per_turn, fails=fails)

    # --- time

    def _comes_in_time(self, at: int, kind: str, command: Json) -> None:
        """Stops that were reached trigger before anything else, then who enters goes on; then triggered stops enter,
        then whatever is too old goes.
        """
        floor = self._floor
        what = f"{kind} {command}, and stops are to be triggered: {floor.reached}"
        must((kind == "trigger_stops") == (floor.reached is not None), Claim.ENTERS_UNDISTURBED, what)
        if floor.reached is not None:
            return
        goes_on = command["order_id"] if kind == "continue_order" else None
        what = f"{kind} {command}, and order {floor.entering} is on its way through the book"
        must(goes_on == floor.entering, Claim.ENTERS_UNDISTURBED, what)
        if goes_on is not None:
            return
        opens = command["order_id"] if kind == "open_order" else None
        waits = floor.triggered[0] if floor.triggered else None
        must(opens == waits, Claim.STOPS_TRIGGER_ONCE, f"{kind} {command}, and order {waits} waits to be opened")
        if waits is not None:
            return
        expires = command["order_id"] if kind == "expire_order" else None
        due = floor.first_due()
        too_old = due[1] if due is not None and due[0] <= at else None
        must(expires == too_old, Claim.EXPIRY_IS_PUNCTUAL, f"{kind} at {at}, and {due} is due first")

    # --- money and cancels

    def _credits(self, command: Json, script: Script) -> None:
        event = script.take("credited", Claim.CONSERVED)
        must(event == command, Claim.CONSERVED, f"{command} brought {event}")
        must(event["account"] != FEES, Claim.CONSERVED, "a credit to the fees")

    def _cancels(self, meant: Sequence[int], reason: str, script: Script) -> None:
        for order_id in meant:
            event = script.take("order_cancelled", Claim.CANCEL_IS_MEANT)
            must(event["order_id"] == order_id, Claim.CANCEL_IS_MEANT, f"{event}, and order {order_id} was meant")
            must(event["reason"] == reason, Claim.REASON_IS_TRUE, f"order {order_id} ends by {event['reason']}")

    def _meant(self, command: Json) -> Sequence[int]:
        """The oldest that live."""
        mine = []
        for order_id in self._floor.live:
            terms = self._floor.order(order_id)["terms"]
            here = (terms["account"], terms["market"]) == (command["account"], command["market"])
            if here and command["side"] in (None, terms["side"]):
                mine.append(order_id)
        return mine[: command["limit"]]

    # --- orders

    def _places(self, command: Json, script: Script) -> None:
        floor, terms = self._floor, command["terms"]
        event = script.see("order_placed", Claim.ACCEPTED_IS_SOUND)
        for name in ("uuid", "nonce", "placement", "terms"):
            must(event[name] == command[name], Claim.ACCEPTED_IS_SOUND, f"{name}: {event[name]}, not {command[name]}")
        market = floor.markets.get(terms["market"])
        if market is None:
            broken(Claim.ACCEPTED_IS_SOUND, f"there is no market {terms['market']}")
        self._is_sound(event, market)
        script.take("order_placed", Claim.ACCEPTED_IS_SOUND)
        if terms["kind"] != "stop_limit":
            self._entering(event["order_id"], script, fails=command["match_fails"]).opens()
            return
        last, stop = floor.last[market.symbol].now, terms["stop"]["ticks"]
        if last is not None and (last >= stop if terms["side"] == "buy" else last <= stop):
            script.take("stop_triggered", Claim.STOPS_TRIGGER_ONCE)

    def _is_sound(self, event: Json, market: MarketRules) -> None:
        terms = event["terms"]
        what, last = f"order {event['order_id']}: {terms}", self._floor.last[market.symbol].now
        must(market.volume_min <= terms["lots"]["lots"] <= market.volume_max, Claim.ACCEPTED_IS_SOUND, what)
        price, stop = ticks(terms["price"]), ticks(terms["stop"])
        must(price is not None or terms["kind"] == "market", Claim.ACCEPTED_IS_SOUND, what)
        must(stop is not None or terms["kind"] != "stop_limit", Claim.ACCEPTED_IS_SOUND, what)
        for each in (price, stop) if terms["kind"] != "market" else ():
            if each is not None:
                within = market.price_min <= each <= market.price_max and not market.is_outside_band(each, last)
                must(within, Claim.ACCEPTED_IS_SOUND, what)
        fees = event["maker_fee"]["millionths"], event["taker_fee"]["millionths"]
        must(fees == (market.maker_fee, market.taker_fee), Claim.AMOUNTS_ARE_EXACT, f"{what} at the rates {fees}")
        best = self._floor.front(market.symbol, OTHER[terms["side"]])
        reference = last if best is None else best[1]
        must(ticks(event["reference"]) == reference, Claim.REASON_IS_TRUE, f"{what}: the reference is {reference}")
        self._is_paid(event, market, reference)

    def _is_paid(self, event: Json, market: MarketRules, reference: int | None) -> None:
        terms, locked = event["terms"], event["locked"]["quanta"]
        side, lots, price = terms["side"], terms["lots"]["lots"], ticks(terms["price"])
        available, _ = self._floor.balance(terms["account"], market.spent(side))
        if terms["kind"] == "market" and side == "buy":
            worst = [market.price_max] + ([] if price is None else [price])
            if reference is not None:
                worst.append(reference * (BPS + market.slippage_max) // BPS)
            due = min(available, market.cost(min(worst), lots))
            must(locked > 0, Claim.ACCEPTED_IS_SOUND, f"order {event['order_id']} can pay nothing")
        else:
            due = market.volume(lots) if price is None else market.needed(side, price, lots)
        what = f"order {event['order_id']} locks {locked}, needs {due}, and there are {available}"
        must(locked == due, Claim.AMOUNTS_ARE_EXACT, what)
        must(locked <= available, Claim.ACCEPTED_IS_SOUND, what)
