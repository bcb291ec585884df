"""`countermand keys`: the API keys of a venue."""

import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec
import uvloop
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from countermand.addresses import is_address
from countermand.api_keys import ApiKey, Scope, digest_of, new_key
from countermand.cli.options import File
from countermand.cli.reasons import examined
from countermand.cli.streams import require_output
from countermand.settings import ENV_PREFIX, Settings, StartRefused
from countermand.store.beside import database_beside
from countermand.store.connections import open_pool
from countermand.store.keys_postgres import PostgresKeys
from countermand.store.migrations import migrate

T = TypeVar("T")

ANY_OWNER: Final = "*"
_WIDTH_MIN: Final = 200
"""No owner is cut, however narrow the terminal is, and where there is none."""
_TIER: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_ETHEREUM: Final = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_ID: Final = re.compile(r"[0-9a-f]{8,64}", re.ASCII)

Data = Annotated[File, Parameter(help="the venue's data directory", env_var=f"{ENV_PREFIX}DATA")]
DatabaseUrl = Annotated[str | None, Parameter(help="the venue's PostgreSQL", env_var=f"{ENV_PREFIX}DATABASE_URL")]
AsJson = Annotated[bool, Parameter(name="--json", help="print JSON", negative="")]
DATA: Final = Path("./.countermand")

keys: Final = App(name="keys", help="Make, list and revoke the API keys of a venue.")


class ShownKey(msgspec.Struct, rename="camel", omit_defaults=True):
    """A key as it is printed. `key` is there once, when it is made."""

    id: str
    scopes: list[str]
    tier: str
    owner: str
    created_at: int
    key: str | None = None


@keys.command
def add(
    *,
    scopes: Annotated[str, Parameter(help="what it may do, a comma list of read, trade, cancel and admin")],
    owner: Annotated[str, Parameter(help="a wallet or an account whose orders it reaches, or * for all")] = ANY_OWNER,
    tier: Annotated[str, Parameter(help="a name for its limits")] = "default",
    data: Data = DATA,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> int:
    """Make a key and print it: this once, since only its digest is stored."""
    key = new_key()
    made = ApiKey(digest_of(key), _scopes(scopes), _tier(tier), _owner(owner), time.time_ns() // 1_000_000)
    if Scope.ADMIN in made.scopes and made.owner != ANY_OWNER:
        raise StartRefused("the scope admin is for the whole venue; leave --owner out, or admin")

    async def work() -> None:
        async with _keys_of(data, database_url) as stored:
            await stored.add(made)

    async def unmake() -> None:
        async with _keys_of(data, database_url) as stored:
            await stored.revoke(made.digest)

    require_output("the key")
    _run(work)
    try:
        print(_json(_shown(made, key)) if as_json else key)
    except (StartRefused, SystemExit) as unread:
        _run(unmake)
        if isinstance(unread, StartRefused):
            raise StartRefused(f"{unread}, so the key is revoked") from unread
        raise
    if not as_json:
        scopes = ", ".join(scope.value for scope in made.scopes)
        _say(f"Key {made.id}, for {scopes}. It is not shown again.")
    return 0


@keys.command(name="list")
def list_(*, data: Data = DATA, database_url: DatabaseUrl = None, as_json: AsJson = False) -> int:
    """Show all keys by their ids, the oldest first. No key itself is shown: none is stored."""

    async def work() -> Sequence[ApiKey]:
        async with _keys_of(data, database_url) as stored:
            return await stored.all()

    found = _run(work)
    if as_json:
        print(_json([_shown(key) for key in found]))
    elif found:
        console = Console()
        console.width = max(console.width, _WIDTH_MIN)
        console.print(_table(found))
    else:
        _say("There are no keys. Make one with: countermand keys add --scopes admin")
    return 0


@keys.command
def revoke(
    key: Annotated[str, Parameter(help="the key's id, as keys list shows it, or the key itself")],
    /,
    *,
    data: Data = DATA,
    database_url: DatabaseUrl = None,
) -> int:
    """End a key. A venue that runs refuses it at once; where dialects ask for a key, within a second."""

    async def work() -> ApiKey:
        async with _keys_of(data, database_url) as stored:
            found = _named(key, await stored.all())
            await stored.revoke(found.digest)
            return found

    _say(f"Key {_run(work).id} is revoked.")
    return 0


@asynccontextmanager
async def _keys_of(data: Path, database_url: str | None) -> AsyncIterator[PostgresKeys]:
    settings = Settings(data=data, database_url=database_url)  # Checks the address.
    async with database_beside(None if database_url else settings.data, settings.database_url) as dsn:
        await migrate(dsn)
        pool = await open_pool(dsn, "keys")
        try:
            yield PostgresKeys(pool)
        finally:
            pool.terminate()


def _named(key: str, among: Sequence[ApiKey]) -> ApiKey:
    """By its id, the beginning of one, or itself."""
    digest = digest_of(key)
    found = [
        each for each in among if each.digest == digest or (_ID.fullmatch(key) and each.digest.hex().startswith(key))
    ]
    if not found:
        # What was given may be a key: it is not repeated.
        raise StartRefused("there is no such key; `countermand keys list` shows the ids of all")
    if len(found) > 1:
        raise StartRefused(f"{key!r} begins the ids of {len(found)} keys; give more of it")
    return found[0]


def _scopes(text: str) -> tuple[Scope, ...]:
    known = [scope.value for scope in Scope]
    given = dict.fromkeys(part.strip() for part in text.split(","))
    for name in given:
        if name not in known:
            raise StartRefused(f"--scopes {name!r} is none of {', '.join(known)}")
    return tuple(scope for scope in Scope if scope.value in given)


def _tier(text: str) -> str:
    if _TIER.fullmatch(text) is None:
        raise StartRefused(f"--tier {text!r} is no name; give up to 32 of a-z, 0-9, _ and -")
    return text


def _owner(text: str) -> str:
    """Accounts of tanX are Ethereum addresses in lower case."""
    if text == ANY_OWNER:
        return text
    if _ETHEREUM.fullmatch(text) is not None:
        return text.lower()
    if is_address(text):
        return text
    raise StartRefused(f"--owner {text[:60]!r} is no wallet (base58), no account (0x and 40 digits) and not *")


def _shown(key: ApiKey, itself: str | None = None) -> ShownKey:
    return ShownKey(key.id, [scope.value for scope in key.scopes], key.tier, key.owner, key.created_at, itself)


def _table(found: Sequence[ApiKey]) -> Table:
    table = Table(box=None)
    for heading in ("id", "scopes", "tier", "owner", "created"):
        table.add_column(heading, no_wrap=True)
    for key in found:
        scopes = ",".join(scope.value for scope in key.scopes)
        table.add_row(key.id, scopes, key.tier, key.owner, _created(key.created_at))
    return table


def _created(at: int) -> str:
    try:
        return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{at} ms, which is no time"  # The row is damaged; the audit names it. The key can be revoked.


def _run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return examined(lambda: uvloop.run(work()))


def _json(value: ShownKey | list[ShownKey]) -> str:
    return msgspec.json.encode(value).decode()


def _say(sentence: str) -> None:
    """For people: on standard error, so that what is printed stays only what was asked for."""
    print(sentence, file=sys.stderr)
