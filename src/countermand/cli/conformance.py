"""`countermand conformance`."""

import sys
from dataclasses import asdict
from typing import Annotated

import msgspec
from cyclopts import Parameter

from countermand.client.conformance import APIS, Compared, compare
from countermand.client.errors import Unavailable
from countermand.client.runners import server_address
from countermand.client.session import Session
from countermand.settings import ENV_PREFIX, StartRefused

DIFFERS = 1


def conformance(
    *,
    base_url: Annotated[str, Parameter(help="the server, as http://127.0.0.1:8080 or https://api.jup.ag")],
    api: Annotated[
        tuple[str, ...], Parameter(help="only this API; may be given more than once", consume_multiple=False)
    ] = (),
    api_key: Annotated[
        str | None, Parameter(help="sent as x-api-key", env_var=f"{ENV_PREFIX}CONFORMANCE_API_KEY")
    ] = None,
    json: Annotated[bool, Parameter(help="print JSON, with all that was asked", negative="")] = False,
) -> int:
    """Ask a server what costs no money, and print where it answers otherwise than the published APIs.

    Exit status 1 if anything differs.
    """
    unknown = [each for each in api if each not in APIS]
    if unknown:
        raise StartRefused(f"--api {unknown[0]}: there is no such API; there are {', '.join(APIS)}")
    try:
        server_address(base_url)
    except ValueError as problem:
        raise StartRefused(f"--base-url: {problem}") from None
    try:
        Session(None, api_key)
    except ValueError as problem:
        raise StartRefused(f"--api-key: {problem}") from None
    asked, differing = [], 0
    try:
        for compared in compare(base_url.rstrip("/"), tuple(api) or APIS, api_key):
            asked.append(compared)
            differing += bool(compared.differences)
            if not json:
                _print_differences(compared)
    except Unavailable as away:
        raise StartRefused(f"--base-url: {base_url} does not answer: {away}") from None
    if json:
        sys.stdout.write(msgspec.json.encode([asdict(each) for each in asked]).decode() + "\n")
    else:
        print(f"{len(asked)} requests, {differing} answered otherwise")
    return DIFFERS if differing else 0


def _print_differences(compared: Compared) -> None:
    for number, difference in enumerate(compared.differences):
        head = f"{compared.api:<13} {compared.name:<34}" if number == 0 else " " * 48
        print(f"{head} {difference}")
