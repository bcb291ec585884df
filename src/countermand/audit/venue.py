"""The stored settings of a venue: its master seed's fingerprint, its settings, its tokens, the keys of programs."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import asyncpg
import msgspec

from countermand.audit.findings import Audit
from countermand.audit.members import ACCOUNT
from countermand.audit.reading import canonical, is_instant, is_key
from countermand.kernel.clock import ClockSetting, VenueClock
from countermand.sandbox.sandbox import BEGINNING, CLOCK, LATEST, RESETTING
from countermand.services.custody.vaults import VaultKeys
from countermand.services.tokens import KNOWN, Token
from countermand.settings import SEED_MAX
from countermand.solana.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM
from countermand.store.snapshot import Snapshot
from countermand.store.venue_postgres import EMBEDDED
from countermand.values.identity import Address, Mint

_VENUE: Final = "SELECT seed_fingerprint, token_incarnation, founded_as, served_as, chain FROM venue"
_SERVED: Final = "SELECT EXISTS (SELECT FROM shards) OR EXISTS (SELECT FROM chain_ledger WHERE entropy IS NOT NULL)"
_SETTINGS: Final = "SELECT name, body FROM sandbox_settings ORDER BY name"
_TOKENS: Final = "SELECT mint, symbol, decimals, program FROM sandbox_tokens ORDER BY position"
_BEGINNING: Final = "SELECT EXISTS (SELECT FROM sandbox_settings WHERE name = $1)"
_API_KEYS: Final = "SELECT digest, scopes, tier, owner, created_at FROM api_keys ORDER BY digest"
_FINGERPRINT_DIGITS: Final = 32

_DECODERS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        CLOCK: msgspec.json.Decoder(ClockSetting).decode,
        "seed": msgspec.json.Decoder(int | None).decode,
        RESETTING: msgspec.json.Decoder(int | None).decode,
        BEGINNING: msgspec.json.Decoder(None).decode,
    }
)
"""By the names of the settings."""


class VenueIdentity(msgspec.Struct, frozen=True):
    """`served`: a venue has begun to work on this database, `sandbox`: as a sandbox. `embedded`: its chain is here.

    `priced`: it is a sandbox whose first tokens have prices.
    """

    served: bool
    embedded: bool
    priced: bool
    began_as_sandbox: bool


async def check_venue(snapshot: Snapshot, keys: VaultKeys | None, found: Audit) -> VenueIdentity:
    rows = await snapshot.fetch(_VENUE)
    if not rows:
        served = await _is_served(snapshot)
        if served:
            found.differs("venue", None, "the row is missing: nothing says which master seed the vaults belong to")
        return VenueIdentity(served=served, embedded=True, priced=False, began_as_sandbox=False)
    (row,) = rows
    fingerprint = row["seed_fingerprint"]
    if len(fingerprint) != _FINGERPRINT_DIGITS or not _is_hex(fingerprint):
        found.differs("venue", None, f"{fingerprint!r} is no fingerprint of a master seed")
    elif keys is None:
        found.not_checked.append("venue.seed_fingerprint: the master seed is not at hand; only the form is checked")
    elif keys.fingerprint() != fingerprint:
        found.differs("venue", None, f"its vaults belong to the master seed {fingerprint}, not to the one at hand")
    if row["token_incarnation"] < 1:
        found.differs("venue", None, f"token_incarnation is {row['token_incarnation']}")
    if None in (row["founded_as"], row["served_as"], row["chain"]) and await _is_served(snapshot):
        found.differs("venue", None, "it does not say how the database is served, and on which chain")
    elif row["chain"] not in (EMBEDDED, None) and not is_key(row["chain"]):
        found.differs("venue", None, f"{row['chain']!r} is neither the embedded chain nor a genesis hash")
    if (row["founded_as"], row["served_as"]) == ("venue", "sandbox"):
        found.differs("venue", None, "it began as a venue and is served as a sandbox, which is never done")
    ((is_beginning,),) = await snapshot.fetch(_BEGINNING, BEGINNING)
    if is_beginning:
        found.not_checked.append("prices: those of the first tokens, which a start or a reset ended before it set")
    return VenueIdentity(
        served=True,
        embedded=row["chain"] in (EMBEDDED, None),
        priced=row["served_as"] == "sandbox" and not is_beginning,
        began_as_sandbox=row["founded_as"] == "sandbox",
    )


async def _is_served(snapshot: Snapshot) -> bool:
    ((served,),) = await snapshot.fetch(_SERVED)
    return bool(served)


def _is_hex(text: str) -> bool:
    return all(digit in "0123456789abcdef" for digit in text)


async def check_sandbox(snapshot: Snapshot, found: Audit) -> Mapping[str, Token]:
    """The tokens of the venue, by mint."""
    for name, body in await snapshot.fetch(_SETTINGS):
        if name not in _DECODERS:
            found.differs("sandbox_settings", name, "this version knows no such setting")
        elif not _is_setting(name, canonical(_DECODERS[name], body), body):
            found.differs("sandbox_settings", name, "its body cannot be read")
        elif name == RESETTING:
            found.is_cut_short = True
    tokens = {str(token.mint): token for token in KNOWN}
    for row in await snapshot.fetch(_TOKENS):
        if (flaw := _flaw_of_token(row, tokens)) is not None:
            found.differs("sandbox_tokens", row["mint"], flaw)
            continue
        tokens[row["mint"]] = Token(Mint(row["mint"]), row["symbol"], row["decimals"], Address(row["program"]))
    return tokens


def _is_setting(name: str, value: object, body: bytes) -> bool:
    if isinstance(value, ClockSetting):
        clock = VenueClock(value)
        possible = clock.now() <= LATEST and not clock.behind_ms()
        return possible and (value.frozen_at is None or (value.offset_ms == 0 and value.frozen_at > 0))
    if value is None:
        return name != CLOCK and body == b"null"
    return isinstance(value, int) and 0 <= value <= SEED_MAX


def _flaw_of_token(row: asyncpg.Record, known: Mapping[str, Token]) -> str | None:
    if not is_key(row["mint"]) or row["mint"] in known:
        return "it is no address of another token"
    if not row["symbol"] or not row["symbol"].isprintable():
        return f"{row['symbol']!r} is no symbol"
    if row["program"] not in (TOKEN_PROGRAM, TOKEN_2022_PROGRAM):
        return f"{row['program']} is no token program"
    return None if 0 <= row["decimals"] <= 255 else f"{row['decimals']} is no number of decimals"


async def check_api_keys(snapshot: Snapshot, found: Audit) -> None:
    async for row in snapshot.rows(_API_KEYS):
        name = row["digest"].hex()
        if not (row["owner"] == "*" or is_key(row["owner"]) or ACCOUNT.fullmatch(row["owner"])):
            found.differs("api_keys", name, f"its owner {row['owner']!r} is neither a wallet, an account nor *")
        if not row["tier"] or len(dict.fromkeys(row["scopes"])) != len(row["scopes"]):
            found.differs("api_keys", name, f"its tier {row['tier']!r} with scopes {row['scopes']} makes no sense")
        if not is_instant(row["created_at"]):
            found.differs("api_keys", name, f"{row['created_at']} is no instant")
