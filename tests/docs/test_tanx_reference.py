"""The reference of tanX names what there is, in its own words."""

import re
from typing import Any

from countermand.dialects.tanx import auth, public_routes, refusals, routes
from countermand.dialects.tanx.coins import market_list
from countermand.dialects.tanx.names import CANCEL_QUEUED, CANCEL_REASONS
from countermand.orders.book.model.markets import MARKETS
from tests.docs.test_reference import bare, page, rows

TEXT = page("tanx")


def test_every_endpoint_is_there() -> None:
    venue: Any = None
    there = [
        path for path, _ in (*auth.resources(venue), *routes.resources(venue), *public_routes.resources(venue, venue))
    ]
    paths = re.findall(r"/(?:sapi|main)/[\w/{}-]+", "".join(row[0] + row[1] for row in rows(TEXT, 3)))
    assert sorted(path.replace("{id}", "{which}") for path in paths) == sorted(there)


def test_every_refusal_is_there_with_its_words() -> None:
    documented = {bare(row[0]): bare(row[1]) for row in rows(TEXT, 2)}
    expected = {refusal.name: words for refusal, words in refusals.WORDS.items()}
    assert [(name, documented[name]) for name in documented if name in expected] == list(expected.items())


def test_every_reason_is_there() -> None:
    documented = [bare(row[0]) for row in rows(TEXT, 2)]
    assert [words for words in documented if words in CANCEL_REASONS.values()] == list(CANCEL_REASONS.values())
    assert CANCEL_QUEUED in TEXT


def test_every_market_is_there_with_its_bounds() -> None:
    documented = [[bare(cell) for cell in row] for row in rows(TEXT, 6)]
    told = [
        [
            each["symbol"],
            str(each["price_precision"]),
            str(each["amount_precision"]),
            each["min_amount"],
            each["max_amount"].removesuffix(".0"),
            each["maker_fee"],
        ]
        for each in market_list(MARKETS)
    ]
    assert documented == told
    assert {each["max_price"] for each in market_list(MARKETS)} == {"10000000.0"}
    assert "at most 10000000." in TEXT


def test_every_fixed_answer_is_there() -> None:
    answers = [answer for name, answer in vars(routes).items() if re.match(r"_(UNKNOWN|OTHER|NO_STARK|NOT)", name)]
    assert len(answers) == 4
    for answer in answers:
        words = re.search(rb'"message":"(.*?)[",]', answer.body)
        assert words is not None
        assert f"`{words[1].decode()}" in TEXT
