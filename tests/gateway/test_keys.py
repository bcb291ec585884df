"""Which keys pass where dialects ask for one, and what is stored of a key."""

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import asyncpg
import pytest

from countermand.api_keys import ApiKey, Scope, digest_of, new_key
from countermand.gateway.falcon_app import new_app
from countermand.gateway.http_gateway import HttpGateway
from countermand.gateway.keys import ApiKeys
from countermand.kernel.ports import Unavailable
from countermand.settings import Settings
from countermand.store.keys_postgres import PostgresKeys
from tests.forked import COUNTERMAND, run
from tests.gateway.asking import ask

KEY = "ck_one"


class Stored:
    """The keys of a database that can be away."""

    def __init__(self, *keys: str) -> None:
        self.keys = {digest_of(key): ApiKey(digest_of(key), (Scope.TRADE,), "default", "*", 0) for key in keys}
        self.asked = 0
        self.away = False

    async def find(self, digest: bytes) -> ApiKey | None:
        self.asked += 1
        if self.away:
            raise Unavailable("away")
        return self.keys.get(digest)


def a_gateway(stored: Stored) -> HttpGateway:
    return HttpGateway(new_app(), Settings(api_keys=frozenset({"listed"})), keys=stored)


@pytest.mark.parametrize(("key", "status"), [("listed", 404), (KEY, 404), ("neither", 401)])
async def test_a_key_of_the_database_passes_where_listed_ones_do(key: str, status: int) -> None:
    assert (await ask(a_gateway(Stored(KEY)), "GET", "/trigger/v2/nowhere", {"x-api-key": key})).status == status


async def test_a_listed_key_costs_no_question() -> None:
    stored = Stored()
    await ask(a_gateway(stored), "GET", "/trigger/v2/nowhere", {"x-api-key": "listed"})
    assert stored.asked == 0


async def test_an_unlisted_key_is_not_called_invalid_while_the_database_is_away() -> None:
    stored = Stored(KEY)
    stored.away = True
    reply = await ask(a_gateway(stored), "GET", "/trigger/v2/nowhere", {"x-api-key": KEY})
    assert (reply.status, reply.json["code"]) == (503, 503)


async def test_what_is_known_of_a_key_is_a_second_old_at_most() -> None:
    now, stored = 100.0, Stored(KEY)
    keys = ApiKeys({"listed"}, stored, lambda: now)
    assert await keys.knows(KEY.encode())
    stored.keys.clear()
    assert await keys.knows(KEY.encode())
    now = 101.0
    assert not await keys.knows(KEY.encode())
    assert stored.asked == 2


async def test_only_the_digest_of_a_key_is_stored(database_url: str) -> None:
    key = new_key()
    pool = await asyncpg.create_pool(database_url, min_size=1, max_size=1)
    try:
        stored = PostgresKeys(pool)
        made = ApiKey(digest_of(key), (Scope.READ, Scope.ADMIN), "gold", "*", 1_800_000_000_000)
        await stored.add(made)
        assert await stored.find(digest_of(key)) == made
        (row,) = await pool.fetch("SELECT api_keys::text AS shown, digest FROM api_keys")
        assert row["digest"] == sha256(key.encode()).digest()
        assert key not in row["shown"]
        await stored.revoke(made.digest)
        assert list(await stored.all()) == []
    finally:
        await pool.close()


def keys(*arguments: str, url: str) -> "subprocess.CompletedProcess[str]":
    return run(COUNTERMAND, "keys", *arguments, "--database-url", url, seconds=60)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add"], "--scopes"),
        (["add", "--scopes", ""], "none of read, trade, cancel, admin"),
        (["add", "--scopes", "read,write"], "'write'"),
        (["add", "--scopes", "read", "--owner", "me"], "--owner 'me'"),
        (["add", "--scopes", "read", "--owner", "1" * 32 + " "], "--owner '"),
        (["add", "--scopes", "admin", "--owner", "0x" + "ab" * 20], "the scope admin"),
        (["add", "--scopes", "read", "--tier", "a b"], "--tier 'a b'"),
        (["revoke", "ffffffffffffffff"], "no such key"),
        (["revoke", ""], "no such key"),
    ],
)
def test_a_bad_choice_is_one_line_and_exit_status_2(arguments: list[str], words: str, database_url: str) -> None:
    done = keys(*arguments, url=database_url)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
    assert words in done.stderr


async def test_a_key_whose_time_is_damaged_is_listed_and_revoked(database_url: str) -> None:
    """B5."""
    owner = "So11111111111111111111111111111111111111112"
    connection = await asyncpg.connect(database_url)
    for digest, at in ((b"a" * 32, 2**63 - 1), (b"b" * 32, -(2**63))):
        await connection.execute(
            "INSERT INTO api_keys VALUES ($1, '{read,trade}', $3, $4, $2)", digest, at, "t" * 32, owner
        )
    await connection.close()
    listed = keys("list", url=database_url)
    assert (listed.returncode, listed.stderr, listed.stdout.count("which is no time")) == (0, "", 2)
    assert listed.stdout.count(owner) == 2, "nothing is cut"
    for name in ("61616161", "62626262"):
        assert keys("revoke", name, url=database_url).returncode == 0


def test_a_key_that_could_not_be_printed_is_revoked(database_url: str) -> None:
    command = [sys.executable, "-c", "from countermand.cli import main; main()", "keys", "add", "--scopes", "read"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*command, "--database-url", database_url], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert (done.returncode, b"No space left on device, so the key is revoked" in done.stderr) == (2, True), done
    listed = keys("list", "--json", url=database_url)
    assert (listed.returncode, listed.stdout) == (0, "[]\n")


def test_a_database_that_is_away_is_one_line_without_its_password(tmp_path: Path) -> None:
    done = keys("list", url="postgresql://me:secret@127.0.0.1:1/none")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "secret" not in done.stderr
    missing = [
        sys.executable,
        "-c",
        "from countermand.cli import main; main()",
        "keys",
        "list",
        "--data",
        str(tmp_path),
    ]
    done = subprocess.run(missing, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "holds no venue" in done.stderr) == (2, True)
