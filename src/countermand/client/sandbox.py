"""`/sandbox`: what a venue on one's own machine lets one do. The real APIs have nothing like it."""

from dataclasses import replace
from typing import Any

from countermand.client.effects import Flow
from countermand.client.errors import ClientError
from countermand.client.exchange import exchange, request
from countermand.client.numbers import Number, decimal, units
from countermand.client.operations import Api, R, operation
from countermand.client.session import Session


class Sandbox(Api[R]):
    """`client.sandbox`. Tokens are named by mint or by symbol.

    `airdrop`, `advance` and `credit` are sent once: repeated, they do it again. All others may be repeated.
    """

    @operation
    def state(self) -> Flow[dict[str, Any]]:
        """The clock, the prices, the faults that are on. A read."""
        state: dict[str, Any] = yield from _ask(self._session, "GET", "")
        return state

    @operation
    def airdrop(self, mint: str, amount: int, wallet: str | None = None) -> Flow[str]:
        """Money from nothing, in base units: "SOL" gives lamports. Returns the signature."""
        to = self._session.owner().address if wallet is None else wallet
        asked = {"wallet": to, "mint": mint, "amount": str(units("amount", amount))}
        signature: str = (yield from _ask(self._session, "POST", "/airdrop", asked, once=True))["signature"]
        return signature

    @operation
    def price(self, token: str, dollars: Number) -> Flow[None]:
        """Set a price. When it returns, every order that it crosses has left `open`."""
        yield from _ask(self._session, "PUT", "/prices", {token: f"{decimal('dollars', dollars):f}"})

    @operation
    def faults(self, /, **faults: object) -> Flow[None]:
        """Switch on exactly these faults, by their names on the wire (`loseAnswers=1`); without any, all are off."""
        yield from _ask(self._session, "PUT", "/faults", faults)

    @operation
    def advance(self, seconds: int) -> Flow[None]:
        """Move the venue's clock on. What became due has happened when it returns."""
        yield from _ask(self._session, "POST", "/clock/advance", {"seconds": seconds}, once=True)

    @operation
    def settle(self, timeout_ms: int = 5_000) -> Flow[None]:
        """Wait until nothing is under way. Raises `ClientError` if something still is after that time."""
        settled = yield from _ask(self._session, "POST", "/settle", {"timeoutMs": timeout_ms})
        if not settled["settled"]:
            raise ClientError(f"these are still under way after {timeout_ms} ms: {settled['waitingFor']}")

    @operation
    def reset(self) -> Flow[None]:
        """An empty venue. All tokens end; this client signs in anew by itself."""
        yield from _ask(self._session, "POST", "/reset", {})

    @operation
    def audit(self) -> Flow[dict[str, Any]]:
        """Whether the journal, every table and the chain agree: `ok`, the sums by mint, and `differences`. A read."""
        found: dict[str, Any] = yield from _ask(self._session, "GET", "/audit")
        return found

    @operation
    def credit(self, eth_address: str, currency: str, amount: Number) -> Flow[None]:
        """Credit a balance at tanX, in units of the currency."""
        asked = {"eth_address": eth_address, "currency": currency, "amount": f"{decimal('amount', amount):f}"}
        yield from _ask(self._session, "POST", "/tanx/credit", asked, once=True)


def _ask(session: Session, method: str, path: str, body: object = None, *, once: bool = False) -> Flow[Any]:
    """`once`: what would be done twice is not sent twice."""
    policy = replace(session.policy, attempts=1) if once else session.policy
    answered = yield from exchange(policy, request(method, f"/sandbox{path}", body))
    if not answered.ok:
        raise answered.refusal()
    return answered.body()
