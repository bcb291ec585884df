"""The members of the order books, their sessions, and the orders that they were asked to sign."""

import re
from typing import Any, Final

import asyncpg

from countermand.audit.book import BookReplay
from countermand.audit.findings import Audit
from countermand.audit.reading import SENSELESS, canonical, is_instant
from countermand.curves.stark import is_key
from countermand.dialects.tanx.session import REFRESH_S
from countermand.dialects.tanx.signing import msg_hash
from countermand.orders.book.members import SESSIONS_KEPT
from countermand.orders.book.model.order import BookTerms, Nonce
from countermand.orders.book.rows import Draft, decode_draft
from countermand.store.snapshot import Snapshot

ACCOUNT: Final = re.compile(r"0x[0-9a-f]{40}", re.ASCII)

_MEMBERS: Final = "SELECT account, customer_id, logins, stark_key, registered_at FROM members ORDER BY account"
_NUMBERS: Final = "SELECT last_value FROM members_customer_id_seq"
_SESSIONS: Final = """
SELECT customer_id, login, generation, issued_s, expires_s, account, logins
FROM member_sessions LEFT JOIN members USING (customer_id) ORDER BY customer_id, login
"""
_STRANGERS: Final = """
SELECT DISTINCT account FROM {table} WHERE account NOT IN (SELECT account FROM members) ORDER BY account LIMIT 100
"""
_DRAFTS: Final = "SELECT nonce, account, expires_at, body FROM book_drafts ORDER BY nonce"


async def check_members(snapshot: Snapshot, found: Audit) -> None:
    # A sequence is of no instant, but it never goes back.
    ((numbers,),) = await snapshot.fetch(_NUMBERS)
    async for row in snapshot.rows(_MEMBERS):
        if (flaw := _flaw_of_member(row, numbers)) is not None:
            found.differs("members", row["account"], flaw)
    async for row in snapshot.rows(_SESSIONS):
        if row["account"] is None:
            found.differs("members", f"of number {row['customer_id']}", "it has sessions, but is missing")
            found.differs("member_sessions", f"{row['customer_id']}/{row['login']}", "its member is missing")
        elif (flaw := _flaw_of_session(row)) is not None:
            found.differs("member_sessions", f"{row['customer_id']}/{row['login']}", flaw)
    for table in ("book_orders", "book_drafts"):
        for (account,) in await snapshot.fetch(_STRANGERS.format(table=table)):
            found.differs("members", account, f"there are rows of it in {table}, but it is no member")


def _flaw_of_member(row: asyncpg.Record, numbers: int) -> str | None:
    if ACCOUNT.fullmatch(row["account"]) is None:
        return "it is no address in lower case"
    if not 1 <= row["customer_id"] <= numbers:
        return f"its number {row['customer_id']} was never given out"
    if row["logins"] < 0 or not is_instant(row["registered_at"]):
        return f"{row['logins']} logins since {row['registered_at']} make no sense"
    key = row["stark_key"]
    return None if key is None or _is_stark_key(key) else f"its key {key!r} is none of the Stark curve"


def _is_stark_key(text: str) -> bool:
    try:
        number = int(text, 16)
    except ValueError:
        return False
    return hex(number) == text and is_key(number)


def _flaw_of_session(row: asyncpg.Record) -> str | None:
    if not max(0, row["logins"] - SESSIONS_KEPT) < row["login"] <= row["logins"]:
        return f"its member {row['account']} has logged in {row['logins']} times"
    if row["generation"] < 0:
        return f"its generation is {row['generation']}"
    if row["issued_s"] <= 0 or row["expires_s"] - row["issued_s"] != REFRESH_S:
        return f"it lasts from {row['issued_s']} to {row['expires_s']}, which is not {REFRESH_S} s"
    return None


async def check_drafts(snapshot: Snapshot, replay: BookReplay, found: Audit) -> None:
    placed = {order.nonce: order.terms for order in replay.exchange.orders.values()}
    async for row in snapshot.rows(_DRAFTS):
        draft = canonical(decode_draft, row["body"])
        if draft is None:
            found.differs("book_drafts", row["nonce"], "its body cannot be read")
        elif (draft.nonce, draft.terms.account, draft.expires_at) != (row["nonce"], row["account"], row["expires_at"]):
            found.differs("book_drafts", row["nonce"], "its body names another nonce, account or end than the row")
        elif not _is_hashed(draft, replay):
            found.differs("book_drafts", row["nonce"], "its hash is not that of its terms")
        elif not _is_placed_so(draft, placed.get(draft.nonce)):
            found.differs("book_drafts", row["nonce"], "its order was placed with other terms")


def _is_hashed(draft: Draft, replay: BookReplay) -> bool:
    try:
        market: Any = replay.exchange.markets[draft.terms.market].market
        return msg_hash(draft.terms, market, Nonce(draft.nonce)) == draft.msg_hash
    except SENSELESS:
        return False


def _is_placed_so(draft: Draft, terms: BookTerms | None) -> bool:
    return terms in (None, draft.terms)
