"""A sandbox as a test sees it: money, prices, a clock, faults, and whether the promise held."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from solders.keypair import Keypair

from countermand.testkit.amounts import Number, base_units, text, whole_tokens
from countermand.testkit.fields import camel
from countermand.testkit.guards import GUARDS, Guard
from countermand.testkit.http import Answer, Connection, RequestRefused
from countermand.testkit.process import Announced, SandboxProcess
from countermand.testkit.wallet import Wallet

_SETTLE_MS: Final = 10_000
_LAMPORTS: Final = "SOL"


class PromiseBroken(AssertionError):
    """What is filled, withdrawn and remaining is not what was deposited, or what is stored does not agree."""


class NotSettled(AssertionError):
    """Something is still under way; the message names the orders."""


@dataclass(frozen=True, slots=True)
class Token:
    symbol: str
    mint: str
    decimals: int


class Venue:
    """A sandbox that runs somewhere.

    Tokens are named by symbol or mint; numbers are int, str or Decimal. Every method waits for its answer, on a
    connection of its own: no event loop is touched. What the sandbox refuses raises `RequestRefused`.
    """

    def __init__(self, announced: Announced) -> None:
        self._adopt(announced)

    def _adopt(self, announced: Announced) -> None:
        self.url, self.rpc_url, self.ws_url = announced.url, announced.rpc_url, announced.ws_url
        """The order APIs and `/sandbox`; the Solana JSON-RPC; its WebSocket."""
        self.environment = announced.environment()
        """For a program that a test starts: `COUNTERMAND_URL` and the others."""
        self._connection = Connection(self.url)
        self._rpc_ids = 0
        self.tokens: dict[str, str] = {}
        """Of Trigger v2, by wallet."""
        self._tokens: Mapping[str, Token] = {}

    # --- wallets and money

    def wallet(self, *, guard: Guard | None = None, keypair: Keypair | None = None, **holdings: Number) -> Wallet:
        """A wallet with so many whole tokens of each symbol: `wallet(sol=10, usdc="1000.50")`.

        `guard`: it alters transactions before it signs, as real wallets do: "lighthouse" or "compute-budget".
        """
        if guard not in (None, *GUARDS):
            raise ValueError(f"guard={guard!r} is none; give {' or '.join(map(repr, GUARDS))}")
        wallet = Wallet(self, Keypair() if keypair is None else keypair, guard)
        for symbol, amount in holdings.items():
            self.airdrop(wallet.address, self._by_symbol(symbol).symbol, amount)
        return wallet

    def airdrop(self, wallet: str, token: str, amount: Number) -> str:
        """Whole tokens; of `SOL` lamports. The signature of the transaction, which has landed."""
        units = self.base_units(token, amount)
        named = _LAMPORTS if token == _LAMPORTS else self.token(token).mint
        body = {"wallet": wallet, "mint": named, "amount": str(units)}
        signature: str = self.sandbox("POST", "/airdrop", body)["signature"]
        return signature

    def balance(self, wallet: str, token: str) -> Decimal:
        """In whole tokens; of `SOL` what is there in lamports."""
        if token == _LAMPORTS:
            return whole_tokens(self.rpc("getBalance", wallet)["value"], 9)
        there = self.token(token)
        accounts = self.rpc("getTokenAccountsByOwner", wallet, {"mint": there.mint}, {"encoding": "jsonParsed"})
        amounts = [each["account"]["data"]["parsed"]["info"]["tokenAmount"]["amount"] for each in accounts["value"]]
        return whole_tokens(sum(map(int, amounts)), there.decimals)

    def token(self, name: str) -> Token:
        """By its mint, or its symbol. Raises `LookupError`."""
        if name not in self._tokens:
            self._learn_tokens()
        if name not in self._tokens:
            raise LookupError(
                f"{name!r} is neither the mint nor the symbol of a token of this sandbox; it has {self._symbols()}"
            )
        return self._tokens[name]

    def base_units(self, token: str, amount: Number) -> int:
        """Of so many whole tokens."""
        return base_units(token, amount, self.token(token).decimals)

    # --- the world

    def price(self, token: str, dollars: Number) -> None:
        """Every order that it crosses has left `open` when this returns."""
        self.prices({token: dollars})

    def prices(self, dollars: Mapping[str, Number]) -> None:
        """All of them in one commit."""
        self.sandbox("PUT", "/prices", {token: text(token, price) for token, price in dollars.items()})

    def liquidity(self, token: str, *, max_input: Number | None = None, impact_bps: int = 0) -> None:
        """How much of a token, in whole ones, one fill takes at most, and how far it moves the price."""
        most = None if max_input is None else str(self.base_units(token, max_input))
        self.sandbox("PUT", "/liquidity", {token: {"maxInput": most, "impactBps": impact_bps}})

    def faults(self, **faults: object) -> None:
        """Exactly these, and no others: `faults(lose_answers=1)`; without any, all are off.

        An unknown one is refused, with the nearest that there is. After `crash`, call `restart`.
        """
        self.sandbox("PUT", "/faults", {camel(name): value for name, value in faults.items()})

    def advance(self, *, seconds: Number) -> None:
        """What becomes due has happened when it returns."""
        self.sandbox("POST", "/clock/advance", {"seconds": text("seconds", seconds)})

    def freeze(self, at: int | None = None) -> None:
        """The clock stands still, `at` milliseconds since the epoch if that is given."""
        self.sandbox("POST", "/clock", {"mode": "frozen"} | ({} if at is None else {"now": at}))

    def run(self) -> None:
        """The clock runs again."""
        self.sandbox("POST", "/clock", {"mode": "running"})

    def now(self) -> int:
        """The venue's clock, in milliseconds since the epoch."""
        now: int = self.state()["now"]
        return now

    def settle(self, *, timeout_ms: int = _SETTLE_MS) -> None:
        """Waits until nothing is under way. Raises `NotSettled`, which says what each order waits for."""
        answer = self.sandbox("POST", "/settle", {"timeoutMs": timeout_ms})
        if not answer["settled"]:
            waiting = "\n".join(f"  {each}: {self._waits_for(each)}" for each in answer["waitingFor"])
            raise NotSettled(
                f"after {timeout_ms} ms there is still something under way:\n{waiting or '  a transaction'}"
            )

    def reset(self, *, seed: int | None = None) -> None:
        """An empty venue again."""
        self.sandbox("POST", "/reset", {} if seed is None else {"seed": seed})
        self.tokens.clear()
        self._tokens = {}

    def snapshot(self, name: str) -> None:
        """Keeps all of the sandbox as it is now. It outlasts a reset, so also this test."""
        self.sandbox("POST", "/snapshots", {"name": name})

    def restore(self, name: str) -> None:
        """All of it as it was, but for tokens, which have ended, and blockhashes, which are new."""
        self.sandbox("POST", f"/snapshots/{name}/restore")
        self.tokens.clear()
        self._tokens = {}

    # --- the promise

    def audit(self) -> dict[str, Any]:
        found: dict[str, Any] = self.sandbox("GET", "/audit")
        return found

    def assert_promise(self) -> None:
        """For each mint: deposited = filled + withdrawn + remaining, and all that is stored agrees with the chain.

        Raises `PromiseBroken`, which names what differs.
        """
        found = self.audit()
        broken = list(found.get("differences", ()))
        for mint, column in found["mints"].items():
            deposited, *parts = (int(column[name]) for name in ("deposited", "filled", "withdrawn", "remaining"))
            if deposited != sum(parts) or min(parts) < 0:
                filled, withdrawn, remaining = parts
                broken.append(
                    f"{self._symbol(mint)}: {deposited} deposited, and {filled} filled + {withdrawn} withdrawn + "
                    f"{remaining} remaining are {sum(parts)}"
                )
        if broken or not found["ok"]:
            listed = "\n".join(f"  - {each}" for each in broken) or "  (the audit does not say what)"
            raise PromiseBroken(f"the promise is broken:\n{listed}")

    # --- looking

    def state(self) -> dict[str, Any]:
        """`GET /sandbox`."""
        shown: dict[str, Any] = self.sandbox("GET", "")
        return shown

    def orders(self, **filters: str | int) -> list[dict[str, Any]]:
        """The newest orders of any family, each with what it waits for: `family`, `wallet`, `state`, `limit`."""
        found: list[dict[str, Any]] = self.sandbox("GET", f"/orders?{urlencode(filters)}")["orders"]
        return found

    def order(self, order: str | int) -> dict[str, Any]:
        """An order of any family, with its timeline."""
        found: dict[str, Any] = self.sandbox("GET", f"/orders/{order}")
        return found

    # --- asking

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Any request, with its answer as it is. `token`: a bearer's. Raises `LostAnswer`."""
        sent = dict(headers or {})
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        return self._connection.ask(method, path, body, sent)

    def sandbox(self, method: str, path: str, body: object = None) -> Any:
        """A request to `/sandbox`, and the body of its answer. Raises `RequestRefused`."""
        return self.ask(method, f"/sandbox{path}", body).ok()

    def rpc(self, method: str, *parameters: object) -> Any:
        """The result of a request to the Solana JSON-RPC. Raises `RequestRefused`."""
        self._rpc_ids += 1
        asked = {"jsonrpc": "2.0", "id": self._rpc_ids, "method": method, "params": parameters}
        answer = self.ask("POST", "/rpc", asked)
        body = answer.ok()
        if "result" not in body:
            raise RequestRefused(f"{method} by /rpc", answer.status, body)
        return body["result"]

    def close(self) -> None:
        """Hangs up. The next request connects anew."""
        self._connection.close()

    # --- private

    def _by_symbol(self, name: str) -> Token:
        """As a keyword names it: case does not count."""
        found = self._with_symbol(name)
        if not found:
            self._learn_tokens()
            found = self._with_symbol(name)
        if not found:
            raise LookupError(f"no token of this sandbox has the symbol {name!r}; it has {self._symbols()}")
        if len(found) > 1:
            raise LookupError(f"{len(found)} tokens of this sandbox have the symbol {name!r}; use airdrop with a mint")
        return next(iter(found.values()))

    def _with_symbol(self, name: str) -> dict[str, Token]:
        return {token.mint: token for token in self._tokens.values() if token.symbol.lower() == name.lower()}

    def _symbols(self) -> str:
        return ", ".join(dict.fromkeys(token.symbol for token in self._tokens.values()))

    def _learn_tokens(self) -> None:
        known = [Token(each["symbol"], each["mint"], each["decimals"]) for each in self.state()["tokens"]]
        symbols = [token.symbol for token in known]
        self._tokens = {token.mint: token for token in known} | {
            token.symbol: token for token in known if symbols.count(token.symbol) == 1
        }

    def _symbol(self, mint: str) -> str:
        try:
            return self.token(mint).symbol
        except LookupError:
            return mint

    def _waits_for(self, order: str) -> str:
        answer = self.ask("GET", f"/sandbox/orders/{order}")
        return str(answer.body.get("waitsFor") or answer.body.get("state")) if answer.status == 200 else "unknown"


class Countermand(Venue):
    """The fixture `countermand`: a sandbox in a process of its own, empty at the beginning of each test."""

    def __init__(self, process: SandboxProcess) -> None:
        self._process = process
        super().__init__(process.start())

    def log(self) -> str:
        """The last lines of the sandbox's log."""
        return self._process.last_lines()

    def kill(self) -> None:
        """Ends it at once, as `kill -9` does. `restart` starts it again."""
        self._process.kill()

    def restart(self) -> None:
        """Starts it again, on the same ports and with the same data, after it was stopped or has crashed."""
        self._process.stop()
        self._connection.close()
        self._adopt(self._process.start())
