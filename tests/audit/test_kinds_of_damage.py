"""Damage that only one who knows the tables can do: to each kind of account, to each field of a body, to many rows."""

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import chain, zip_longest
from typing import Any

import pytest
from solders.pubkey import Pubkey

from countermand.audit.fence import check_shards
from countermand.audit.findings import NAMED_MAX, Audit
from countermand.audit.reading import shown
from countermand.audit.run import examine
from countermand.kernel.journal import GENESIS, encode, entry_hash
from countermand.orders.shards import TRIGGER_SHARD, BucketOwners
from countermand.services.custody.vaults import VaultKeys
from countermand.solana.programs import dca, limit_order, swap
from countermand.solana.tokens import TOKEN_PROGRAM
from countermand.store.snapshot import Snapshot
from countermand.values.bucket import Bucket, BucketRange
from tests.audit.damage import damaged, told, untold

BODIES = {
    "crafts": "request_id::text",
    "dca_crafts": "request_id::text",
    "builds": "encode(digest, 'hex')",
    "book_drafts": "nonce::text",
}
"""Tables, and by what an audit names their rows."""


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("clock", "null"),
        ("clock", '{"offset_ms":-99999999999999999,"frozen_at":null}'),
        ("clock", '{"offset_ms":9000000000000000000,"frozen_at":null}'),
        ("seed", "-1"),
        ("seed", "18446744073709551616"),
        ("resetting", "-1"),
    ],
)
async def test_a_setting_that_no_start_takes(connection: Any, keys: VaultKeys, name: str, body: str) -> None:
    """What the audit calls good must start."""
    anyhow = "ON CONFLICT (name) DO UPDATE SET body = excluded.body"
    setting = f"INSERT INTO sandbox_settings VALUES ('{name}', '{body}') {anyhow}"
    assert await _named(connection, keys, setting, "sandbox_settings", name)


# --- the chain


async def test_a_lamport_more_is_found_at_whatever_account_it_is(connection: Any, keys: VaultKeys) -> None:
    """Every second account has one, and then each of the others: they are named, and no other is."""
    accounts = await _addresses(connection, "true")
    for first in (0, 1):
        more = [f"UPDATE chain_accounts SET lamports = lamports + 1 WHERE {_is(each)}" for each in accounts[first::2]]
        async with damaged(connection, *more):
            sentences = await told(connection, keys, thorough=False)
        named = {each.split(":")[0].split()[1] for each in sentences if each.startswith("chain_accounts ")}
        assert named == {shown(each) for each in accounts[first::2]}


async def test_an_account_that_is_gone_is_found_whichever_it_was(connection: Any, keys: VaultKeys) -> None:
    accounts = await _addresses(connection, "true")
    gone = {f"chain_accounts {shown(each)}": f"DELETE FROM chain_accounts WHERE {_is(each)}" for each in accounts}
    assert await untold(connection, keys, gone) == []


async def test_a_byte_of_an_order_on_the_chain_or_of_a_token_account(connection: Any, keys: VaultKeys) -> None:
    """Of each kind a byte in each account, and of all kinds at once."""
    kinds = []
    for program, size, step in ((limit_order.PROGRAM, 372, 7), (dca.PROGRAM, 289, 5), (TOKEN_PROGRAM, 165, 3)):
        accounts = await _addresses(connection, "owner = $1 AND length(data) = $2", _bytes(program), size)
        kinds.append(_flips(accounts, range(0, size, step)))
    for flips in zip_longest(*kinds, fillvalue=dict[str, str]()):
        assert await untold(connection, keys, dict(chain.from_iterable(each.items() for each in flips))) == []


async def test_a_market_that_is_none_of_ours(connection: Any, keys: VaultKeys) -> None:
    """But for its price and depth, which the sandbox may change at any time, each byte of it is known."""
    markets = await _addresses(connection, "owner = $1", _bytes(swap.PROGRAM))
    assert len(markets) == 3
    for flips in _flips(markets, (*range(0, 40, 3), swap.STABLE_AT)):
        async with damaged(connection, *flips.values()):
            sentences = await told(connection, keys, thorough=False)
        assert all(any(each.startswith(f"{market}: ") for each in sentences) for market in flips)


async def test_the_account_of_an_order_that_no_order_claims(connection: Any) -> None:
    """All that the venue knows of its orders is gone, and the chain still has their funds. The seed is not at hand."""
    state = "convert_from(body, 'utf8')::json ->> 'state'"
    orders = await connection.fetchval(f"SELECT count(*) FROM orders WHERE {state} NOT IN ('filled', 'cancelled')")
    async with damaged(connection, "UPDATE shards SET seq = 0, head = '', last_at = 0 WHERE shard = 0"):
        for table in ("orders", "events", "crafts", "vaults"):
            await connection.execute(f"DELETE FROM {table}")
        await connection.execute("DELETE FROM journal WHERE shard = 0")
        sentences = await told(connection, None)
    claimed_by_none = [each for each in sentences if "no order claims it" in each]
    assert len(claimed_by_none) == orders + 1 > 2, "one OTOCO still has both its accounts"


async def test_the_funds_of_an_order_on_the_chain(connection: Any, keys: VaultKeys) -> None:
    """The escrow's own transactions are gone with it: what remains is that the order has more left than there is."""
    orders = await _addresses(connection, "owner = $1 AND length(data) = 372", _bytes(limit_order.PROGRAM))
    funds = [f"substr(data, 33, 32) = {_literal(order)} AND length(data) = 165" for order in orders]
    async with damaged(connection, *(f"DELETE FROM chain_accounts WHERE {each}" for each in funds)):
        sentences = await told(connection, keys)
    for order in orders:
        assert any(f"the funds of order {shown(order)}" in each for each in sentences)


async def test_a_row_of_before_there_was_a_place_in_a_slot(connection: Any, keys: VaultKeys) -> None:
    assert await connection.execute("UPDATE onchain_orders SET ended_nth = -1") != "UPDATE 0"
    assert await told(connection, keys) == []


async def test_another_signature_in_a_transaction(connection: Any, keys: VaultKeys) -> None:
    """Not the first, which names it: only who verifies all of them can tell."""
    other = "set_byte(raw, 70, get_byte(raw, 70) # 1)"
    second = "(SELECT signature FROM chain_transactions WHERE get_byte(raw, 0) > 1 LIMIT 1)"
    async with damaged(connection, f"UPDATE chain_transactions SET raw = {other} WHERE signature = {second}"):
        assert any("a signature in it is not valid" in each for each in await told(connection, keys))
        found = await examine(Snapshot(connection), keys=keys, thorough=False)
    assert any("raw" in each for each in found.not_checked)


async def test_a_transaction_that_is_gone_with_all_that_mentions_it(connection: Any, keys: VaultKeys) -> None:
    """Whatever it moved, the next one of the same accounts found there."""
    gone = "(SELECT min(position) FROM chain_transactions)"
    async with damaged(connection, f"DELETE FROM chain_mentions WHERE position = {gone}"):
        await connection.execute(f"DELETE FROM chain_transactions WHERE position = {gone}")
        assert await told(connection, keys)


# --- bodies


@pytest.mark.parametrize(("table", "key"), BODIES.items())
async def test_each_field_of_a_body(connection: Any, keys: VaultKeys, table: str, key: str) -> None:
    """Written as the engine would write it: a field of each row at once, until the row with the most had all."""
    rows = await connection.fetch(f"SELECT {key} AS name, ctid::text, body FROM {table} WHERE body <> '' ORDER BY 1")
    damages = [
        [
            (f"{table} {row['name']}", _becomes(table, row["ctid"], altered))
            for altered in _altered(json.loads(row["body"]))
        ]
        for row in rows
    ]
    for some in zip_longest(*damages):
        assert await untold(connection, keys, dict(each for each in some if each is not None)) == []


async def test_a_body_in_another_order_of_its_fields(connection: Any, keys: VaultKeys) -> None:
    """In each table at once: they are named, and no other is."""
    changed = {}
    for table in (*BODIES, "sandbox_settings", "book_counters", "orders", "book_orders"):
        ctid, body = await connection.fetchrow(f"SELECT ctid::text, body FROM {table} WHERE body <> '' LIMIT 1")
        reversed_body = dict(reversed(json.loads(body).items()))
        assert encode(reversed_body) != body
        changed[table] = _becomes(table, ctid, reversed_body)
    async with damaged(connection, *changed.values()):
        sentences = await told(connection, keys, thorough=False)
    assert sorted(each.split()[0] for each in sentences) == sorted(changed)


# --- what is no number


@pytest.mark.parametrize(
    ("table", "column", "key"),
    [
        ("prices", "picodollars", "mint"),
        ("book_balances", "available", "account"),
        ("book_balances", "locked", "account"),
    ],
)
async def test_what_is_no_number_is_a_difference_and_no_bug(
    connection: Any, keys: VaultKeys, table: str, column: str, key: str
) -> None:
    """Audits ended with status 2, as by a bug of ours, and named no row."""
    ctid, name = await connection.fetchrow(f"SELECT ctid::text, {key} FROM {table} LIMIT 1")
    assert await _named(connection, keys, f"UPDATE {table} SET {column} = 'NaN' WHERE ctid = '{ctid}'", table, name)


# --- the journal


async def test_an_entry_that_was_changed_with_all_hashes_after_it(connection: Any, keys: VaultKeys) -> None:
    """Hashes that were computed anew have to agree with the rows, too: here all happened a millisecond later."""
    head = GENESIS
    async with damaged(connection, "UPDATE shards SET last_at = last_at + 1 WHERE shard = 0"):
        for row in await connection.fetch("SELECT * FROM journal WHERE shard = 0 ORDER BY seq"):
            seq, at = row["seq"], row["at"] + 1
            head = entry_hash(head, seq, at, row["kind"], row["body"])
            await connection.execute(
                "UPDATE journal SET at = $2, hash = $3 WHERE shard = 0 AND seq = $1", seq, at, head
            )
        await connection.execute("UPDATE shards SET head = $1 WHERE shard = 0", head)
        sentences = await told(connection, keys)
    assert any(each.startswith("orders ") for each in sentences)
    assert not any("hash" in each for each in sentences)


# --- buckets


@pytest.mark.parametrize("table", ["orders", "crafts", "dca_orders", "dca_crafts", "vaults"])
async def test_a_row_in_a_bucket_that_is_not_its_wallets(connection: Any, keys: VaultKeys, table: str) -> None:
    """All rows at once, of which each is named."""
    rows = await connection.fetchval(f"SELECT count(*) FROM {table}")
    async with damaged(connection, f"UPDATE {table} SET bucket = (bucket + 128) % 256"):
        sentences = await told(connection, keys, thorough=False)
    found = [each for each in sentences if each.startswith(f"{table} ") and "is not that of its wallet" in each]
    assert len(found) == len(set(found)) == rows > 0


@pytest.mark.parametrize("table", ["orders", "crafts"])
async def test_a_row_in_a_bucket_that_its_shard_does_not_own(connection: Any, table: str) -> None:
    rows = await connection.fetch(f"SELECT DISTINCT bucket FROM {table} ORDER BY bucket")
    first = max(1, rows[-1]["bucket"])
    owned = {TRIGGER_SHARD: BucketRange(Bucket(0), Bucket(first - 1)), 2: BucketRange(Bucket(first), Bucket(255))}
    found = Audit()
    await check_shards(Snapshot(connection), served=True, found=found, owners=BucketOwners(owned))
    unowned = f"it is in bucket {rows[-1]['bucket']}, which shard {TRIGGER_SHARD} does not own"
    assert [each for each in found.differences if each.startswith(table) and each.endswith(unowned)]
    found = Audit()
    await check_shards(Snapshot(connection), served=True, found=found)
    assert found.differences == []


# --- what is not at hand


async def test_the_fingerprint_of_the_seed_without_the_seed(connection: Any) -> None:
    async with damaged(connection, "UPDATE venue SET seed_fingerprint = md5('another')"):
        found = await examine(Snapshot(connection))
        other = await told(connection, VaultKeys(sha256(b"another").digest()))
    assert found.differences == []
    assert any(each.startswith("venue.seed_fingerprint: ") for each in found.not_checked)
    assert any(each.startswith("venue: ") for each in other)


async def test_the_seeds_of_a_chain_without_a_faucet_are_told_as_not_checked(connection: Any, keys: VaultKeys) -> None:
    async with damaged(connection, "UPDATE venue SET founded_as = 'venue', served_as = 'venue'"):
        found = await examine(Snapshot(connection), keys=keys)
    assert any("chain_ledger.faucet_seed" in each for each in found.not_checked)


async def test_tables_in_a_schema_of_the_roles_own(connection: Any, keys: VaultKeys) -> None:
    """It goes before `public`, so a venue serves from there; audits found none."""
    async with damaged(connection, "ALTER SCHEMA public RENAME TO countermand", "SET LOCAL search_path = countermand"):
        assert await told(connection, keys, thorough=False) == []


async def test_a_venue_on_another_chain_is_not_held_against_this_one(connection: Any, keys: VaultKeys) -> None:
    elsewhere = str(Pubkey(sha256(b"a genesis hash").digest()))
    async with damaged(connection, f"UPDATE venue SET chain = '{elsewhere}'"):
        found = await examine(Snapshot(connection), keys=keys)
    assert any("elsewhere" in each for each in found.not_checked)


def test_of_a_table_that_is_lost_only_some_rows_are_named() -> None:
    found = Audit()
    for number in range(NAMED_MAX + 7):
        found.differs("orders", number, "it is gone")
    assert len(found.differences) == NAMED_MAX
    assert (found.count, found.unnamed()) == (NAMED_MAX + 7, {"orders": 7})


# --- helpers


async def _named(connection: Any, keys: VaultKeys, statement: str, table: str, key: str) -> bool:
    async with damaged(connection, statement):
        sentences = await told(connection, keys, thorough=False)
    return any(each.startswith(f"{table} {key}") for each in sentences)


def _altered(body: Any) -> Iterator[Any]:
    """The body with another value in one of its places, for each of them."""
    for path, value in _places(body):
        altered = json.loads(json.dumps(body))
        inner = altered
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = _another(value)
        yield altered


def _becomes(table: str, ctid: str, body: Any) -> str:
    return f"UPDATE {table} SET body = {_literal(encode(body))} WHERE ctid = '{ctid}'"


async def _addresses(connection: Any, condition: str, *parameters: object) -> Sequence[bytes]:
    found = f"SELECT address FROM chain_accounts WHERE {condition} ORDER BY address"
    return [address for (address,) in await connection.fetch(found, *parameters)]


def _flips(accounts: Sequence[bytes], places: Sequence[int]) -> Iterator[dict[str, str]]:
    """The places are dealt out: each time a statement for each account, by its name, that flips a bit of it."""
    for start in range(0, len(places), len(accounts)):
        yield {
            f"chain_accounts {shown(address)}": "UPDATE chain_accounts"
            f" SET data = set_byte(data, {at}, get_byte(data, {at}) # 1) WHERE {_is(address)}"
            for address, at in zip(accounts, places[start:], strict=False)
        }


def _is(address: bytes) -> str:
    return f"address = {_literal(address)}"


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict | list):
        for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(inner, (*path, step))
    else:
        yield path, value


def _another(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return value[:-3] + ("A" if value[-3:-2] != "A" else "B") + value[-2:] if len(value) > 3 else value + "x"
    return 1


def _bytes(program: str) -> bytes:
    return bytes(Pubkey.from_string(program))


def _literal(data: bytes) -> str:
    return f"'\\x{data.hex()}'::bytea"
