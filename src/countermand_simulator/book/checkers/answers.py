"""What was answered, judged by what is committed: not too early, not stale, and the same if it is asked again."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from countermand_simulator.book.checkers.claim import Claim
from countermand_simulator.book.checkers.floor import Floor
from countermand_simulator.book.checkers.fold import LIVE, Json
from countermand_simulator.book.checkers.refusals import is_right
from countermand_simulator.violation import broken, must

_DAY_S: Final = 24 * 3_600
_COMMANDS: Final = {"cancel": "cancel_order", "operator": "cancel_by_operator"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, when it came."""

    kind: str
    who: str
    what: Any
    seq: int
    """What was committed then: all that was acknowledged before is in it."""
    known: bool
    """The draft that it names had been given out."""


@dataclass(slots=True)
class _Done:
    """A journal entry that one answer may tell of."""

    seq: int
    command: Json
    outcome: Any
    told: bool = False


class Answers:
    def __init__(self, floor: Floor, has_draft: Callable[[int], bool], saw: Callable[[str], None]) -> None:
        self._floor = floor
        self._saw = saw
        self._has_draft = has_draft
        self._drafts: dict[int, Json] = {}
        self._orders: dict[tuple[str, int], int] = {}
        self._cancelled: dict[int, None] = {}
        self._credits: list[_Done] = []
        self._bulks: list[_Done] = []
        self._judges: Mapping[str, Callable[[Asked, Json], None]] = {
            "drafted": self._drafted,
            "draft": self._draft,
            "placed": self._placed,
            "became": self._became,
            "cancelled": self._was_cancelled,
            "cancelled many": self._were_cancelled,
            "credited": self._credited,
            "refused": self._refused,
            "view": self._view,
            "orders": self._list,
            "trades": self._trades,
            "balances": self._balances,
            "resting": self._resting,
            "tickers": self._tickers,
            "periods": self._periods,
            "forgotten": lambda _asked, _answer: None,
        }

    def entry(self, seq: int, kind: str, command: Json, events: Sequence[tuple[str, Json]]) -> None:
        """A journal entry that answers may tell of."""
        if kind == "credit":
            after = self._floor.balance(command["account"], command["currency"])
            self._credits.append(_Done(seq, command, after))
        elif kind == "cancel_orders":
            self._bulks.append(_Done(seq, command, len(events)))

    def asked(self, kind: str, who: str, what: Any) -> Asked:
        nonce = what["nonce"] if kind == "create" else what if kind == "recall" else 0
        known = self._drafts.get(nonce)
        return Asked(kind, who, what, self._floor.seq, known is not None and known["account"] == who)

    def answered(self, asked: Asked, answer: Json) -> None:
        self._judges[answer["kind"]](asked, answer)

    # --- changes

    def _drafted(self, asked: Asked, answer: Json) -> None:
        nonce = answer["nonce"]
        must(nonce not in self._drafts, Claim.NONCE_IS_ONE_ORDER, f"nonce {nonce} is given out again, to {asked.who}")
        is_there = self._has_draft(nonce) or answer["expires_at"] <= answer["now"]
        must(is_there, Claim.ANSWER_IS_COMMITTED, f"draft {nonce} is not stored")
        self._drafts[nonce] = {"account": asked.who, "terms": answer["terms"], "expires_at": answer["expires_at"]}

    def _draft(self, asked: Asked, answer: Json) -> None:
        """What a nonce was given out for."""
        given = self._drafts.get(asked.what)
        terms = answer["terms"]
        if terms is not None:
            mine = given is None or (given["account"], given["terms"]) == (asked.who, terms)
            must(mine, Claim.READS_ARE_CURRENT, f"draft {asked.what} is {terms}, and was {given}")
        else:
            self._may_be_gone(asked, asked.what, answer)

    def _may_be_gone(self, asked: Asked, nonce: int, answer: Json) -> None:
        """Only time makes a draft go, or that it became an order."""
        if asked.known:
            over = self._drafts[nonce]["expires_at"] <= answer["now"] or (asked.who, nonce) in self._floor.of_nonce
            must(over, Claim.READS_ARE_CURRENT, f"draft {nonce} is gone")

    def _placed(self, asked: Asked, answer: Json) -> None:
        body, nonce = answer["body"], asked.what["nonce"]
        self._must_be_committed(body, asked)
        mine = (body["terms"]["account"], body["nonce"], body["placement"])
        if mine != (asked.who, nonce, asked.what["placement"]):
            broken(Claim.ANSWERS_ARE_EQUAL, f"{asked}: {body}")
        before = self._orders.setdefault((asked.who, nonce), body["id"])
        must(before == body["id"], Claim.ANSWERS_ARE_EQUAL, f"nonce {nonce} was order {before}, now {body['id']}")

    def _must_be_committed(self, body: Json, asked: Asked) -> None:
        line = self._floor.orders.get(body["id"])
        known = line is not None and body in line.since(asked.seq)
        now = None if line is None else line.now
        if not known:
            broken(Claim.ANSWER_IS_COMMITTED, f"{asked.kind} was told {body}, and committed is {now}")

    def _was_cancelled(self, asked: Asked, answer: Json) -> None:
        body = answer["body"]
        order_id = body["id"]
        line = self._floor.orders.get(order_id)
        if line is None or line.now is None or line.now["state"] != "cancel":
            now = None if line is None else line.now
            broken(Claim.ANSWER_IS_COMMITTED, f"the cancel of order {order_id} was acknowledged, and it is {now}")
        seq, command = self._floor.ended_by[order_id]
        by_it = command == _COMMANDS[asked.kind] and seq > asked.seq and order_id not in self._cancelled
        must(
            by_it, Claim.CANCEL_IS_MEANT, f"order {order_id} ended by {command} (entry {seq}), and {asked} says it did"
        )
        stood = line.at(seq - 1)
        must(body == stood, Claim.CANCEL_IS_MEANT, f"order {order_id} stood as {stood}, and {body} was told")
        self._cancelled[order_id] = None
        first = line.at(asked.seq)
        if first is None:
            self._saw("a cancel overtakes the answer to its order")
        elif stood is not None and first["trades"] < stood["trades"]:
            self._saw("a cancel finds that its order traded meanwhile")

    def _were_cancelled(self, asked: Asked, answer: Json) -> None:
        count, wanted = answer["count"], asked.what
        if count:
            self._tells_of(self._bulks, wanted, count, asked)
            return
        for line in self._floor.orders.values():
            order = line.now
            if order is None or order["state"] not in LIVE or line.at(asked.seq) is None or not wanted["limit"]:
                continue
            terms = order["terms"]
            here = (terms["account"], terms["market"]) == (wanted["account"], wanted["market"])
            spared = here and wanted["side"] in (None, terms["side"])
            must(not spared, Claim.CANCEL_IS_MEANT, f"{wanted} found nothing, and spared {order}")

    def _credited(self, asked: Asked, answer: Json) -> None:
        self._tells_of(self._credits, asked.what, (answer["available"], answer["locked"]), asked)

    def _tells_of(self, entries: Sequence[_Done], command: Json, outcome: Any, asked: Asked) -> None:
        """The answer is about an entry of its own."""
        for done in entries:
            if done.seq > asked.seq and not done.told and done.command == command and done.outcome == outcome:
                done.told = True
                return
        broken(Claim.ANSWER_IS_COMMITTED, f"{asked} was told {outcome}, and nothing committed says so")

    def _refused(self, asked: Asked, answer: Json) -> None:
        if answer["refusal"] == "NONCE_UNKNOWN":
            self._may_be_gone(asked, asked.what["nonce"], answer)
            return
        must(is_right(self._floor, asked, answer), Claim.REFUSALS_ARE_TRUE, f"{asked} was refused: {answer}")
        if answer["refusal"] in ("ORDER_DONE", "ORDER_CANCELLED"):
            first = self._floor.orders[asked.what].at(asked.seq)
            if first is None or first["state"] in LIVE:
                self._saw(f"a cancel loses a race: {answer['refusal']}")

    # --- reads

    def _became(self, asked: Asked, answer: Json) -> None:
        """What a nonce became."""
        self._one_order(asked, self._floor.of_nonce.get((asked.who, asked.what)), answer["body"])

    def _view(self, asked: Asked, answer: Json) -> None:
        body, name = answer["body"], asked.what
        order_id = name if isinstance(name, int) else self._id_of(name)
        line = self._floor.orders.get(order_id) if order_id is not None else None
        if line is not None and line.now is not None and line.now["terms"]["account"] != asked.who:
            must(body is None, Claim.READS_ARE_CURRENT, f"{asked.who} is shown another's order {order_id}")
            return
        self._one_order(asked, order_id, body)
        if body is not None:
            due = self._floor.trades_of.get(body["id"], [])[: body["trades"]]
            must(answer["trades"] == due, Claim.READS_ARE_CURRENT, f"order {order_id} is shown with {answer['trades']}")
            sums = sum(each["lots"]["lots"] for each in due), len(due)
            must(
                sums == (body["executed"]["lots"], body["trades"]),
                Claim.READS_ARE_CURRENT,
                f"{body} is shown with trades of {sums[0]} lots",
            )

    def _id_of(self, uuid: str) -> int | None:
        found = (order_id for order_id, line in self._floor.orders.items() if line.now and line.now["uuid"] == uuid)
        return next(found, None)

    def _one_order(self, asked: Asked, order_id: int | None, body: Json | None) -> None:
        line = None if order_id is None else self._floor.orders.get(order_id)
        seen: Sequence[Json | None] = (None,) if line is None else line.since(asked.seq)
        if body not in seen:
            broken(Claim.READS_ARE_CURRENT, f"{asked} shows {body}, and since then it was {seen}")

    def _list(self, asked: Asked, answer: Json) -> None:
        wanted, shown = asked.what, answer["orders"]
        ids = [body["id"] for body in shown]
        in_order = sorted(ids, reverse=not wanted["ascending"])
        must(ids == in_order and len(ids) == len(dict.fromkeys(ids)), Claim.READS_ARE_CURRENT, f"{asked}: {ids}")
        for body in shown:
            self._one_order(asked, body["id"], body)
            if not _is_wanted(self._floor, body, asked):
                broken(Claim.READS_ARE_CURRENT, f"{asked} shows {body}")
        if len(ids) == wanted["limit"]:
            return
        for order_id, line in self._floor.orders.items():
            always = all(order is not None and _is_wanted(self._floor, order, asked) for order in line.since(asked.seq))
            if always and order_id not in ids:
                broken(Claim.READS_ARE_CURRENT, f"{asked} does not show order {order_id}")

    def _trades(self, asked: Asked, answer: Json) -> None:
        """The oldest ones first, without a limit."""
        account, market = asked.what["account"], asked.what["market"]
        all_of_them = [
            (seq, event)
            for seq, _, event in self._floor.trades
            if market in (None, event["market"])
            and account in (None, event["buy"]["account"], event["sell"]["account"])
        ]
        due = [event for _, event in all_of_them]
        least = sum(seq <= asked.seq for seq, _ in all_of_them)
        shown = answer["trades"]
        right = shown == due[: len(shown)] and len(shown) >= least
        must(right, Claim.READS_ARE_CURRENT, f"{asked} shows {len(shown)} trades of {least} to {len(due)}")

    def _balances(self, asked: Asked, answer: Json) -> None:
        shown = {currency: has for currency, has in answer["of"].items() if has != (0, 0)}
        seen = [
            {currency: has for currency, has in purse.items() if has != (0, 0)}
            for purse in self._floor.purse(asked.who).since(asked.seq)
        ]
        if shown not in seen:
            broken(Claim.READS_ARE_CURRENT, f"{asked.who} is shown {shown}, and since then it was {seen}")

    def _resting(self, asked: Asked, answer: Json) -> None:
        market, depth = asked.what["market"], asked.what["depth"]
        for side in ("sell", "buy"):
            seen = [queue[:depth] for queue in self._floor.books[market, side].since(asked.seq)]
            shown = tuple(answer[side])
            if shown not in seen:
                broken(Claim.READS_ARE_CURRENT, f"{market} {side} is shown as {shown}, and was {seen}")

    def _tickers(self, asked: Asked, answer: Json) -> None:
        for symbol, (last, day) in answer["of"].items():
            seen = self._floor.last[symbol].since(asked.seq)
            if last not in seen:
                broken(Claim.READS_ARE_CURRENT, f"{symbol} last traded at {last}, and since then it was {seen}")
            recent = [each for each in self._floor.trades if each[2]["market"] == symbol]
            recent = [each for each in recent if each[1] // 1000 >= answer["at"] // 1000 - _DAY_S]
            least = sum(seq <= asked.seq for seq, _, _ in recent)
            sums = [_turnover(event for _, _, event in recent[:n]) for n in range(least, len(recent) + 1)]
            must(day in sums, Claim.READS_ARE_CURRENT, f"{symbol}: the day is shown as {day}, and is {sums[-1]}")

    def _periods(self, asked: Asked, answer: Json) -> None:
        wanted, shown = asked.what, answer["periods"]
        traded = [
            (seq, (at - wanted["since"]) // wanted["length"] * wanted["length"] + wanted["since"], event)
            for seq, at, event in self._floor.trades
            if event["market"] == wanted["market"] and wanted["since"] <= at < wanted["until"]
        ]
        least = sum(seq <= asked.seq for seq, _, _ in traded)
        seen = [_candles([(at, event) for _, at, event in traded[:n]]) for n in range(least, len(traded) + 1)]
        if shown not in seen:
            broken(Claim.READS_ARE_CURRENT, f"{asked} shows {shown}, and since then it was {seen}")


def _turnover(trades: Iterable[Json]) -> tuple[int, ...] | None:
    """First, last, high, low, volume, turnover."""
    pairs = [(each["price"]["ticks"], each["lots"]["lots"]) for each in trades]
    if not pairs:
        return None
    prices = [price for price, _ in pairs]
    volume, turnover = sum(lots for _, lots in pairs), sum(price * lots for price, lots in pairs)
    return prices[0], prices[-1], max(prices), min(prices), volume, turnover


def _candles(traded: Sequence[tuple[int, Json]]) -> list[Any]:
    """The sums of each period, by when it began."""
    began = dict.fromkeys(at for at, _ in traded)
    return [[each, _turnover(event for at, event in traded if at == each)] for each in began]


def _is_wanted(floor: Floor, order: Json, asked: Asked) -> bool:
    terms, market, wanted = order["terms"], floor.market_of(order), asked.what
    pairs = (
        ("market", terms["market"]),
        ("side", terms["side"]),
        ("kind", terms["kind"]),
        ("state", order["state"]),
        ("base", market.base),
        ("quote", market.quote),
    )
    return terms["account"] == asked.who and all(wanted[name] in (None, there) for name, there in pairs)
