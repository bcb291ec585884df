"""What an operator can choose, checked before anything starts."""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from msgspec import Struct

Chain = Literal["embedded", "rpc"]
LogFormat = Literal["console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

ENV_PREFIX: Final = "COUNTERMAND_"
API_KEYS_VARIABLE: Final = "COUNTERMAND_API_KEYS"
"""A comma list; for those who cannot mount a file."""
RPC_URL_VARIABLE: Final = "COUNTERMAND_RPC_URL"
"""`exec` sets it for its command, and a shell may have it for `rescue`: only the option says that a node is meant."""

CONFIRM_TIMEOUT_MS: Final[Mapping[Chain, int]] = {"embedded": 5_000, "rpc": 45_000}

_PORT_MAX: Final = 65_535
SEED_MAX: Final = (1 << 64) - 1
_CONFIRM_TIMEOUT_MS_MAX: Final = 600_000
_API_KEY_LENGTH_MAX: Final = 512
_OFFSET: Final = re.compile("(?P<sign>[+-])(?P<hours>[01][0-9]|2[0-3]):(?P<minutes>[0-5][0-9])", re.ASCII)
_DATABASE_SCHEMES: Final = ("postgres", "postgresql")


class StartRefused(Exception):
    """The venue cannot start as asked. Its text, one line, names what is wrong and the remedy; exit status 2."""


class Settings(Struct, frozen=True, kw_only=True):
    """The defaults are those of `countermand serve`: a sandbox for this machine. `settle` makes one from options.

    `data`: the data directory; with `database_url` it only holds the master seed, unless that is given too.
    `rpc_ws_url`: where the node pushes; None means where clients look for it.
    `seed`: of ids and nonces, only in a sandbox. `keeper`: it fills the orders that live on the sandbox's chain, and
    returns expired ones after `keeper_refund_delay` seconds; a venue without a sandbox has none.
    `tanx_utc_offset`: how far the times that tanX shows are ahead of UTC.
    `trust_proxy`: the clients of a proxy are let into the sandbox.
    `announce`: the file that says where the venue is, once it is ready.
    `end_with_stdin`: the end of standard input stops it. `throwaway`: its data need not outlive a power cut.
    `demo`: the sandbox has orders, and a moving price.
    `cors_origins`: `*` or origins. `master_seed`: the file of the vaults' secret; None means one in the data directory.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    data: Path = Path(".countermand")
    database_url: str | None = None
    chain: Chain = "embedded"
    rpc_url: str | None = None
    rpc_ws_url: str | None = None
    sandbox: bool = True
    seed: int | None = None
    keeper: bool = True
    keeper_refund_delay: int = 0
    api_keys: frozenset[str] = frozenset()
    confirm_timeout_ms: int = CONFIRM_TIMEOUT_MS["embedded"]
    cors_origins: tuple[str, ...] = ("*",)
    master_seed: Path | None = None
    tanx_utc_offset: timedelta = timedelta()
    trust_proxy: bool = False
    i_know_what_i_do: bool = False
    log: LogFormat = "console"
    log_level: LogLevel = "info"
    announce: Path | None = None
    end_with_stdin: bool = False
    throwaway: bool = False
    demo: bool = False

    def __post_init__(self) -> None:
        _check_network(self)
        _check_database(self.database_url)
        _check_numbers(self)
        _check_sandbox(self)
        _check_chain(self)


def settle(
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    data: Path = Path(".countermand"),
    database_url: str | None = None,
    chain: Chain = "embedded",
    rpc_url: str | None = None,
    rpc_ws_url: str | None = None,
    sandbox: bool | None = None,
    seed: int | None = None,
    keeper: bool | None = None,
    keeper_refund_delay: int = 0,
    api_keys: Path | None = None,
    confirm_timeout_ms: int | None = None,
    cors_origins: Iterable[str] | None = None,
    master_seed: Path | None = None,
    tanx_utc_offset: str = "+00:00",
    trust_proxy: bool = False,
    i_know_what_i_do: bool = False,
    log: LogFormat = "console",
    log_level: LogLevel | None = None,
    announce: Path | None = None,
    end_with_stdin: bool = False,
    throwaway: bool = False,
    demo: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Fills in what depends on other choices, and reads the API keys. Raises `StartRefused`."""
    is_sandbox = chain == "embedded" if sandbox is None else sandbox
    if keeper and not is_sandbox:
        raise StartRefused("--keeper fills orders on a sandbox's chain, and there is none; leave it out")
    origins = (("*",) if is_sandbox else ()) if cors_origins is None else tuple(_listed(cors_origins))
    return Settings(
        host=host,
        port=port,
        data=data,
        database_url=database_url,
        chain=chain,
        rpc_url=None if chain == "embedded" and rpc_url == (environ or {}).get(RPC_URL_VARIABLE) else rpc_url,
        rpc_ws_url=rpc_ws_url,
        sandbox=is_sandbox,
        seed=seed,
        keeper=is_sandbox if keeper is None else keeper,
        keeper_refund_delay=keeper_refund_delay,
        api_keys=_api_keys(api_keys, (environ or {}).get(API_KEYS_VARIABLE)),
        confirm_timeout_ms=CONFIRM_TIMEOUT_MS[chain] if confirm_timeout_ms is None else confirm_timeout_ms,
        cors_origins=origins,
        master_seed=master_seed,
        tanx_utc_offset=_utc_offset(tanx_utc_offset),
        trust_proxy=trust_proxy,
        i_know_what_i_do=i_know_what_i_do,
        log=log,
        log_level=log_level or ("warning" if demo else "info"),
        announce=announce,
        end_with_stdin=end_with_stdin,
        throwaway=throwaway,
        demo=demo,
    )


def _utc_offset(text: str) -> timedelta:
    """`+02:00`, less than a day in either direction."""
    found = _OFFSET.fullmatch(text)
    if found is None:
        raise StartRefused(f"--tanx-utc-offset {text!r} is no offset; give one such as +02:00 or -05:30")
    ahead = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"]))
    return -ahead if found["sign"] == "-" else ahead


def _listed(values: Iterable[str]) -> list[str]:
    """Each value may be a comma list itself."""
    return [part for value in values for raw in value.split(",") if (part := raw.strip())]


def _api_keys(file: Path | None, variable: str | None) -> frozenset[str]:
    if file is None:
        keys = _listed([variable or ""])
        if not keys and variable and variable.strip():
            raise StartRefused(f"{API_KEYS_VARIABLE} holds no key; give a comma list, or leave it out to accept any")
    else:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise StartRefused(
                f"--api-keys {file} cannot be read ({error}); give a text file, one key a line"
            ) from None
        keys = [line for raw in lines if (line := raw.strip()) and not line.startswith("#")]
        if not keys:
            raise StartRefused(
                f"--api-keys {file} holds no key; write one a line, or leave the option out to accept any"
            )
    for key in keys:
        if len(key) > _API_KEY_LENGTH_MAX or not key.isascii() or not key.isprintable() or " " in key:
            raise StartRefused(
                f"an API key of {len(key)} characters is not usable; "
                f"use up to {_API_KEY_LENGTH_MAX} printable ASCII characters without spaces"
            )
    return frozenset(keys)


def _check_network(settings: Settings) -> None:
    if not 0 <= settings.port <= _PORT_MAX:
        raise StartRefused(f"--port {settings.port} is no port; give 1 to {_PORT_MAX}, or 0 for any free pair")
    if not _may_be_host(settings.host):
        raise StartRefused(f"--host {settings.host!r} is no address; give one like 127.0.0.1 or ::1, without a port")
    for origin in settings.cors_origins:
        if origin != "*" and not _is_origin(origin):
            raise StartRefused(
                f"--cors-origins {origin!r} is no origin; "
                "give `*`, or origins like https://app.example.org, without a path"
            )


def _may_be_host(text: str) -> bool:
    if not text or any(character.isspace() or character in "/[]" for character in text):
        return False
    return ":" not in text or _is_address(text)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return text == f"{parts.scheme}://{parts.netloc}" and bool(parts.scheme and parts.hostname) and text.isascii()
    except ValueError:
        return False


def _check_database(url: str | None) -> None:
    if url is None:
        return
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        scheme = ""
    if scheme not in _DATABASE_SCHEMES:
        # The address itself may hold a password.
        raise StartRefused(
            "--database-url is no PostgreSQL address; give one like postgresql://user@host:5432/database, "
            "with %40 for @ and the like in the password"
        ) from None


def _check_sandbox(settings: Settings) -> None:
    if not settings.sandbox:
        _check_without_sandbox(settings)
        return
    if settings.throwaway and settings.database_url is not None:
        raise StartRefused("--throwaway is for the embedded PostgreSQL; leave it out, or --database-url")
    if settings.keeper_refund_delay and not settings.keeper:
        raise StartRefused("--keeper-refund-delay has no use with --no-keeper; leave one of them out")
    if not settings.i_know_what_i_do and not _is_loopback(settings.host):
        raise StartRefused(
            f"--sandbox with --host {settings.host} would show a sandbox to other machines; "
            "use --host 127.0.0.1, or --no-sandbox, or add --i-know-what-i-do"
        )


def _check_without_sandbox(settings: Settings) -> None:
    if settings.throwaway:
        raise StartRefused(
            "--throwaway could lose what a venue promised, and `exec` and the fixture of pytest always set it; "
            "leave it out, or serve a sandbox"
        )
    if settings.demo:
        raise StartRefused("--demo invents money and orders, which takes a sandbox; leave it out")
    if settings.seed is not None:
        raise StartRefused(f"--seed {settings.seed} makes ids foreseeable, so it is for a sandbox only; leave it out")
    if settings.keeper_refund_delay:
        raise StartRefused("--keeper-refund-delay is for the keeper of a sandbox, and there is none; leave it out")
    if settings.trust_proxy:
        raise StartRefused("--trust-proxy lets a proxy reach a sandbox, and there is none; leave it out")
    if settings.i_know_what_i_do:
        raise StartRefused("--i-know-what-i-do opens a sandbox to other machines, and there is none; leave it out")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _check_numbers(settings: Settings) -> None:
    if not 1 <= settings.confirm_timeout_ms <= _CONFIRM_TIMEOUT_MS_MAX:
        raise StartRefused(
            f"--confirm-timeout-ms {settings.confirm_timeout_ms} is out of range; give 1 to {_CONFIRM_TIMEOUT_MS_MAX}"
        )
    if settings.keeper_refund_delay < 0:
        raise StartRefused(f"--keeper-refund-delay {settings.keeper_refund_delay} is negative; give 0 or more seconds")
    if settings.seed is not None and not 0 <= settings.seed <= SEED_MAX:
        raise StartRefused(f"--seed {settings.seed} is out of range; give 0 to {SEED_MAX}")


def _check_chain(settings: Settings) -> None:
    # The address itself may hold a provider's key.
    if settings.chain == "embedded":
        if settings.rpc_url is not None:
            raise StartRefused("--rpc-url has no use with --chain embedded; leave it out, or add --chain rpc")
        if settings.rpc_ws_url is not None:
            raise StartRefused("--rpc-ws-url has no use with --chain embedded; leave it out, or add --chain rpc")
        return
    if settings.rpc_url is None:
        raise StartRefused("--chain rpc needs a node; give --rpc-url, such as https://api.mainnet-beta.solana.com")
    if not _has_scheme(settings.rpc_url, "http", "https"):
        raise StartRefused("--rpc-url is no address of a node; give one like https://rpc.example.org")
    if settings.rpc_ws_url is not None and not _has_scheme(settings.rpc_ws_url, "ws", "wss"):
        raise StartRefused("--rpc-ws-url is no address of a WebSocket; give one like wss://rpc.example.org")
    if settings.sandbox:
        raise StartRefused(
            "--sandbox with --chain rpc is not possible: a sandbox moves money and time, which takes a chain of "
            "its own; leave --sandbox out, or use --chain embedded"
        )


def _has_scheme(url: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
