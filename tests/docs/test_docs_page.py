"""Every command of `/docs/curl` runs as it is pasted: case A6.

Only the variables that the page names are set, in the shell. Each command must be answered with the status that the
page says.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from solders.keypair import Keypair

from countermand.curves.stark import public_key
from tests.dialects.tanx.keys import address_of, sign_message, sign_text
from tests.docs.blocks import ROOT
from tests.end_to_end.trader import signed
from tests.end_to_end.venue import JUP, SOL, USDC, Venue, running_venue

OPERATIONS = ROOT / "docs" / "reference" / "operations.md"
V2, TANX = "/trigger/v2", "/sapi/v1"
ROOTS = ("/trigger/v1", "/limit/v2")
RECURRING = "/recurring/v1"
Name = tuple[str, str]


class Page(HTMLParser):
    """The commands by method and path, the second of one with a `'`; the statuses that each names; all variables."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.commands: dict[Name, str] = {}
        self.statuses: dict[Name, list[int]] = {}
        self.variables: set[str] = set()
        self._tags: list[str] = []
        self._method = self._path = ""
        self._shown = 0
        self.feed(html)

    @property
    def _name(self) -> Name:
        return self._method, self._path

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tags.append(tag)
        if ("class", "method") in attrs:
            self._method = self._path = ""
            self._shown = 0

    def handle_endtag(self, tag: str) -> None:
        while self._tags and self._tags.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        tag = self._tags[-1] if self._tags else ""
        if "summary" in self._tags:
            if tag == "span" and not self._method:
                self._method = data
            elif tag == "code" and not self._path:
                self._path = data
        elif tag == "pre":
            self.commands[self._method, self._path + "'" * self._shown] = data
            self._shown += 1
        elif tag == "code" and data.startswith("$"):
            self.variables.add(data[1:])
        elif tag == "code" and re.fullmatch(r"\d{3}", data):
            self.statuses.setdefault(self._name, []).append(int(data))


PLAYBACK, MAKER = "/sandbox/playback", "/sandbox/tanx/market-maker"


@dataclass
class Shell:
    """Into which commands are pasted. Its variables are what the answers before them gave."""

    venue: Venue
    page: Page
    directory: Path
    variables: dict[str, str] = field(default_factory=dict)
    run: list[Name] = field(default_factory=list)

    def pastes(self, method: str, path: str) -> Any:
        """The command is not touched: `curl` is told from outside to say its status. Returns the body of the answer."""
        return json.loads(self.reads(method, path))

    def reads(self, method: str, path: str) -> bytes:
        """The same of an answer that is no JSON."""
        name = method, path
        used = set(re.findall(r"\$(\w+)", self.page.commands[name]))
        assert used <= self.page.variables, "the page names every variable"
        said = self.directory / "said"
        pasted = f'curl() {{ command curl -sS -o {said} -w "%{{http_code}}" "$@"; }}\n{self.page.commands[name]}\n'
        done = subprocess.run(
            ["bash", "-eu", "-c", pasted], env=self.variables, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, (pasted, done.stderr)
        first = self.page.statuses[method, path.rstrip("'")][0]
        assert int(done.stdout) == first, (pasted, done.stdout, said.read_text())
        self.run.append(name)
        return said.read_bytes()

    def sets(self, **variables: object) -> None:
        self.variables |= {name: str(value) for name, value in variables.items()}


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    directory = tmp_path_factory.mktemp("docs")
    with running_venue(directory) as venue:
        page = Page(venue.ask("GET", "/docs/curl").raw.decode())
        yield Shell(venue, page, directory, {"PATH": "/usr/bin:/bin"})


def test_every_command_of_the_page_runs_as_it_is_pasted(shell: Shell) -> None:
    """A6."""
    wallet = Keypair()
    shell.sets(WALLET=wallet.pubkey())
    shell.pastes("POST", "/sandbox/airdrop")
    for funds in (20 * SOL, 1_000 * USDC, 1_000 * JUP):
        shell.venue.gives(str(wallet.pubkey()), funds)
    asks_and_swaps(shell)
    trades_by_trigger_v2(shell, wallet)
    for root in ROOTS:
        trades_on_the_chain(shell, wallet, root)
    saves(shell, wallet)
    trades_at_tanx(shell, 0xD0C5)
    looks_at_the_sandbox(shell)
    assert sorted(set(shell.run)) == sorted(shell.page.commands), "no command was left out"


def asks_and_swaps(shell: Shell) -> None:
    for path in ("/price/v3", "/price/v2", "/tokens/v2/search", "/tokens/v2/tag", "/swap/v1/program-id-to-label"):
        assert shell.pastes("GET", path)
    quoted = shell.pastes("GET", "/swap/v1/quote")
    assert (quoted["outAmount"], quoted["otherAmountThreshold"]) == ("14985000", "14910075"), "as the examples say"
    assert shell.pastes("POST", "/swap/v1/swap")["simulationError"] is None
    assert shell.pastes("POST", "/swap/v1/swap-instructions")["simulationError"] is None


def trades_by_trigger_v2(shell: Shell, wallet: Keypair) -> None:
    challenge = shell.pastes("POST", f"{V2}/auth/challenge")["challenge"]
    shell.sets(SIGNATURE=wallet.sign_message(challenge.encode()))
    shell.sets(TOKEN=shell.pastes("POST", f"{V2}/auth/verify")["token"])
    shell.pastes("GET", f"{V2}/vault/register")
    shell.pastes("GET", f"{V2}/vault")
    deposit = shell.pastes("POST", f"{V2}/deposit/craft")
    shell.sets(DEPOSIT_REQUEST_ID=deposit["requestId"], SIGNED_DEPOSIT=signed(deposit["transaction"], wallet))
    shell.sets(ORDER_ID=shell.pastes("POST", f"{V2}/orders/price")["id"])
    shell.pastes("PATCH", f"{V2}/orders/price/{{order_id}}")
    assert shell.pastes("GET", f"{V2}/orders/history/{{order_id}}")["triggerPriceUsd"] == 1100
    assert shell.pastes("GET", f"{V2}/orders/history")["orders"]
    shell.sets(ORDER=shell.variables["ORDER_ID"], OPEN_ORDER=shell.variables["ORDER_ID"])
    assert "timeline" in shell.pastes("GET", "/sandbox/orders/{order_id}")
    shell.pastes("PATCH", "/sandbox/orders/{order_id}")
    shell.pastes("DELETE", "/sandbox/orders/{order_id}")
    cancelling = shell.pastes("POST", f"{V2}/orders/price/cancel/{{order_id}}")
    shell.sets(CANCEL_REQUEST_ID=cancelling["requestId"], SIGNED_WITHDRAWAL=signed(cancelling["transaction"], wallet))
    shell.pastes("POST", f"{V2}/orders/price/confirm-cancel/{{order_id}}")
    trades_in_rounds(shell, wallet)


def trades_in_rounds(shell: Shell, wallet: Keypair) -> None:
    deposit = shell.pastes("POST", f"{V2}/deposit/craft'")
    shell.sets(DCA_DEPOSIT_REQUEST_ID=deposit["requestId"], SIGNED_DCA_DEPOSIT=signed(deposit["transaction"], wallet))
    shell.sets(DCA_ORDER_ID=shell.pastes("POST", f"{V2}/orders/dca")["id"])
    shell.venue.settles()
    assert shell.pastes("GET", f"{V2}/orders/history/dca/{{order_id}}")["roundsFilled"] == 1
    assert shell.pastes("GET", f"{V2}/orders/history/dca")["orders"]
    cancelling = shell.pastes("POST", f"{V2}/orders/dca/cancel/{{order_id}}")
    shell.sets(CANCEL_REQUEST_ID=cancelling["requestId"], SIGNED_WITHDRAWAL=signed(cancelling["transaction"], wallet))
    shell.pastes("POST", f"{V2}/orders/dca/confirm-cancel/{{order_id}}")


def trades_on_the_chain(shell: Shell, wallet: Keypair, root: str) -> None:
    def signs(answer: Any) -> None:
        (transaction,) = [answer[name] for name in ("transaction", "tx") if name in answer] or answer["txs"]
        shell.sets(SIGNED_TRANSACTION=signed(transaction, wallet))

    for execute, cancel in (("execute", "cancelOrder"), ("executeOrder", "cancelOrders")):
        created = shell.pastes("POST", f"{root}/createOrder")
        signs(created)
        shell.sets(ORDER=created["order"])
        shell.pastes("POST", f"{root}/{execute}")
        assert shell.pastes("GET", f"{root}/openOrders")
        assert shell.pastes("GET", f"{root}/getTriggerOrders")["orders"]
        signs(shell.pastes("POST", f"{root}/{cancel}"))
        shell.pastes("POST", f"{root}/{execute}")
    shell.pastes("GET", f"{root}/orderHistory")


def saves(shell: Shell, wallet: Keypair) -> None:
    for command in ("createOrder", "cancelOrder"):
        built = shell.pastes("POST", f"{RECURRING}/{command}")
        shell.sets(REQUEST_ID=built["requestId"], SIGNED_TRANSACTION=signed(built["transaction"], wallet))
        order = shell.pastes("POST", f"{RECURRING}/execute")["order"]
        listed = shell.pastes("GET", f"{RECURRING}/getRecurringOrders")["time"]
        assert len(listed) == (command == "createOrder")
        shell.sets(ORDER=order or "")
    shell.pastes("POST", f"{RECURRING}/priceDeposit")
    shell.pastes("POST", f"{RECURRING}/priceWithdraw")


def trades_at_tanx(shell: Shell, key: int) -> None:
    shell.sets(ETH_ADDRESS=address_of(key), STARK_KEY=hex(public_key(key)))
    nonces = [path for _, path in shell.page.commands if path.endswith("/auth/nonce/") or "/v2/nonce/" in path]
    logins = [path for _, path in shell.page.commands if path.endswith("/login/")]
    refreshes = [path for _, path in shell.page.commands if path.endswith("/token/refresh/")]
    for nonce, login in zip(nonces, logins, strict=True):
        shell.sets(LOGIN_SIGNATURE=sign_text(key, shell.pastes("POST", nonce)["payload"]))
        token = shell.pastes("POST", login)["token"]
        shell.sets(ACCESS=token["access"], REFRESH=token["refresh"])
    for refresh in refreshes:
        token = shell.pastes("POST", refresh)["payload"]
        shell.sets(ACCESS=token["access"], REFRESH=token["refresh"])
    shell.pastes("GET", f"{TANX}/user/profile/")
    shell.pastes("POST", f"{TANX}/user/stark_key/")
    shell.pastes("POST", "/sandbox/tanx/stark-key")
    shell.pastes("POST", "/sandbox/tanx/credit")
    shell.pastes("GET", f"{TANX}/user/balance/")
    for cancels in (("POST", f"{TANX}/orders/cancel/"), ("POST", "/sandbox/tanx/cancel")):
        draft = shell.pastes("POST", f"{TANX}/orders/nonce/")["payload"]
        r, s = sign_message(key, int(draft["msg_hash"], 16))
        shell.sets(NONCE=draft["nonce"], MSG_HASH=draft["msg_hash"], R=hex(r), S=hex(s))
        shell.sets(BOOK_ORDER=shell.pastes("POST", f"{TANX}/orders/create/")["payload"]["id"])
        shell.pastes("GET", f"{TANX}/orders/{{order}}/")
        shell.pastes(*cancels)
    shell.pastes("POST", f"{TANX}/user/bulkcancel/")
    for path in ("orders", "trades", "health", "market/tickers", "market/orderbook", "market/trades", "market/kline"):
        shell.pastes("GET", f"{TANX}/{path}/")
    for path in ("coins", "app-and-markets"):
        shell.pastes("POST", f"/main/stat/v2/{path}/")


def looks_at_the_sandbox(shell: Shell) -> None:
    shell.sets(REQUEST=shell.pastes("GET", "/sandbox/requests")["requests"][0]["number"])
    shell.pastes("GET", "/sandbox/requests/{number}")
    shell.reads("GET", "/sandbox/events")
    for path in ("/sandbox/prices", "/sandbox/books", "/sandbox/wallets"):
        shell.pastes("GET", path)
    for method, path in (
        *[("GET", "/sandbox"), ("GET", "/sandbox/audit"), ("GET", "/sandbox/orders"), ("GET", "/sandbox/liquidity")],
        *[("PUT", "/sandbox/prices"), ("PUT", "/sandbox/liquidity"), ("PUT", "/sandbox/faults")],
        *[("POST", "/sandbox/tokens"), ("POST", "/sandbox/settle"), ("POST", "/sandbox/clock")],
        *[("GET", PLAYBACK), ("POST", PLAYBACK), ("DELETE", PLAYBACK)],
        *[("GET", MAKER), ("POST", MAKER), ("DELETE", MAKER)],
        *[("GET", "/sandbox/snapshots"), ("POST", "/sandbox/clock/advance")],
    ):
        shell.pastes(method, path)
    shell.sets(SNAPSHOT=shell.pastes("POST", "/sandbox/snapshots")["name"])
    shell.pastes("POST", "/sandbox/reset")
    shell.pastes("POST", "/sandbox/snapshots/{name}/restore")
    shell.pastes("DELETE", "/sandbox/snapshots/{name}")


def test_every_command_names_its_errors_too(shell: Shell) -> None:
    """A6. But for what cannot be asked wrongly."""
    assert set(shell.page.statuses) == {(method, path.rstrip("'")) for method, path in shell.page.commands}
    for name, statuses in shell.page.statuses.items():
        assert any(status >= 400 for status in statuses) or name[1].startswith("/main/stat/"), name


def test_every_example_is_what_its_schema_says(shell: Shell) -> None:
    """A6."""
    for name in apis(shell.venue):
        document = shell.venue.ask("GET", f"/openapi/{name}.json").ok()
        for path, method, operation in operations(document):
            if "requestBody" in operation:
                content = operation["requestBody"]["content"]["application/json"]
                named = [each["value"] for each in content.get("examples", {}).values()]
                for example in named or [content["example"]]:
                    assert fits(example, content["schema"], document), (path, method)
            for parameter in operation.get("parameters", ()):
                assert "example" in parameter or not parameter.get("required"), (path, parameter["name"])
                if "example" in parameter:
                    assert fits(parameter["example"], parameter["schema"], document), (path, parameter["name"])


def test_what_the_sandbox_needs_and_answers_is_described(shell: Shell) -> None:
    document = shell.venue.ask("GET", "/openapi/sandbox.json").ok()
    for path, method, operation in operations(document):
        if method == "get" and "{" not in path and path != "/sandbox/events":
            needs = any(parameter["required"] for parameter in operation.get("parameters", ()))
            assert shell.venue.ask("GET", path).status == (400 if needs else 200), path
    unknown = shell.venue.ask("POST", "/sandbox/tanx/cancel", {"order_id": 2**60}).status
    assert str(unknown) in document["paths"]["/sandbox/tanx/cancel"]["post"]["responses"]


def test_the_reference_names_every_document(shell: Shell) -> None:
    page = OPERATIONS.read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| `GET /openapi/\{name\}.json` \|(.*)$", page, re.MULTILINE)
    assert sorted(re.findall(r"`([\w-]+)`", row)) == sorted(apis(shell.venue))


def apis(venue: Venue) -> list[str]:
    found: list[str] = venue.ask("GET", "/docs/apis.json").ok()["apis"]
    return found


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def fits(example: object, schema: Any, document: Any) -> bool:
    return jsonschema_rs.is_valid({**schema, "components": document["components"]}, example)
