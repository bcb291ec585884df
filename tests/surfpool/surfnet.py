"""Surfpool: a Solana node of another make, offline and in a process of its own.

`python -m tests.surfpool.surfnet install` installs it from npm; `make test` does. There is a build of it for Linux with
glibc on x86-64; elsewhere nothing is installed, and what needs it is skipped.

Its machine is LiteSVM, as ours is: it is independent for what JSON-RPC says, not for what programs do. Where it does
otherwise than nodes do, and the tests of the port see it, is in `QUIRKS` and `NOT_HEARD`. And two that our adapter
is used to: it takes no batches of JSON-RPC, and the status of what was sent shows a moment later.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import pytest
from solders.keypair import Keypair

from countermand.solana.genesis import MINT_RENT_LAMPORTS
from countermand.solana.programs import dca, limit_order
from countermand.solana.tokens import KNOWN_DECIMALS, SOL_MINT, SYSTEM_PROGRAM, TOKEN_PROGRAM, mint_bytes
from tests.clients.node import install, node_binary
from tests.end_to_end.venue import SOL, Funds, Token, associated

HERE = Path(__file__).parent
PACKAGE = HERE / "node_modules" / "@solana" / "surfpool-linux-x64-gnu"
SLOT_MS = 5
BLOCKHASH_BLOCKS = 152
FINAL_BLOCKS = 33
"""After so many, what was sent is final."""
_ANSWER_S = 30

MINT_AUTHORITY = Keypair.from_seed(bytes(range(32)))

_CONTEXT_FILTERS = "getSignaturesForAddress takes minContextSlot as a filter, and leaves out what landed before"
QUIRKS: Mapping[str, str] = MappingProxyType(
    {
        "test_two_valid_signatures_of_one_message_pay_once": "a second valid signature of the same message lands again",
        "test_what_a_node_drops_is_dropped_without_a_word": "what cannot be paid for gets a status, AccountNotFound",
        "test_what_landed_is_told_with_all_that_happened": "the blockTime of getTransaction is divided by 1,000",
        "test_the_history_of_an_address_is_told_newest_first": _CONTEXT_FILTERS,
        "test_the_memo_of_a_transaction_is_told_in_its_history": _CONTEXT_FILTERS,
    }
)
"""Tests of the chain's contract that fail there, and why."""
NOT_HEARD: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(
        (
            "test_what_lands_is_told_in_order_with_and_without_success",
            "test_only_what_mentions_an_address_is_told_and_once",
            "test_a_reader_that_begins_and_then_lists_has_no_gap",
            "test_what_a_lookup_table_adds_is_mentioned_too",
        ),
        _CONTEXT_FILTERS,
    )
)
"""The same, of tests that would wait in vain for what it leaves out, and are not run."""


@dataclass(frozen=True)
class Surfnet:
    """`url` and `ws_url` are those of its JSON-RPC."""

    url: str
    ws_url: str

    def call(self, method: str, *params: object) -> Any:
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        connection = HTTPConnection(parts.hostname, parts.port, timeout=_ANSWER_S)
        try:
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
            connection.request("POST", "/", body, {"content-type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert "result" in answer, (method, answer)
        result = answer["result"]
        return result["value"] if isinstance(result, dict) and "value" in result else result

    def sets_account(self, address: str, lamports: int, owner: str, data: bytes) -> None:
        told = {"lamports": lamports, "owner": owner, "data": data.hex(), "executable": False}
        self.call("surfnet_setAccount", address, told)

    def height(self) -> int:
        height: int = self.call("getEpochInfo", {"commitment": "finalized"})["blockHeight"]
        return height

    def passes(self, blocks: int) -> None:
        """So many more are final when it returns."""
        until = self.height() + blocks
        while self.height() < until:
            time.sleep(SLOT_MS / 1000)


@contextmanager
def running_surfnet() -> Iterator[Surfnet]:
    """With our two programs, and the mints of SOL, USDC, USDT and JUP. Skips the test where it cannot run."""
    if not PACKAGE.is_dir():
        pytest.skip("Surfpool is not installed: `make test` does, on Linux with glibc on x86-64")
    command: list[str | Path] = [node_binary(), HERE / "serve.cjs", json.dumps(_programs()), str(SLOT_MS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            surfnet = Surfnet(told["rpcUrl"], told["wsUrl"])
            for mint, decimals in KNOWN_DECIMALS.items():
                authority = None if mint == SOL_MINT else str(MINT_AUTHORITY.pubkey())
                data = mint_bytes(authority=authority, decimals=decimals)
                surfnet.sets_account(mint, MINT_RENT_LAMPORTS, TOKEN_PROGRAM, data)
            yield surfnet
        finally:
            process.kill()


@dataclass(frozen=True)
class Ledger:
    """What the helpers of the end-to-end tests ask of a venue, as far as a node alone can answer."""

    surfnet: Surfnet

    @property
    def url(self) -> str:
        return self.surfnet.url

    def rpc(self, method: str, *params: object) -> Any:
        """What is sent has landed when it returns."""
        result = self.surfnet.call(method, *params)
        if method == "sendTransaction":
            while self.surfnet.call("getSignatureStatuses", [result]) == [None]:
                time.sleep(SLOT_MS / 1000)
        return result

    def gives(self, wallet: str, funds: Funds) -> None:
        """Lamports, for SOL; of other tokens, so much is then in the wallet's account."""
        if funds.token == SOL:
            self.surfnet.sets_account(wallet, self.lamports(wallet) + funds.units, SYSTEM_PROGRAM, b"")
        else:
            told = {"amount": funds.units + self.units(wallet, funds.token)}
            self.surfnet.call("surfnet_setTokenAccount", wallet, funds.token.mint, told)

    def lamports(self, address: str) -> int:
        lamports: int = self.rpc("getBalance", address)
        return lamports

    def units(self, wallet: str, token: Token) -> int:
        account = str(associated(wallet, token))
        return int(self.rpc("getTokenAccountBalance", account)["amount"]) if self.exists(account) else 0

    def exists(self, account: str) -> bool:
        return self.rpc("getAccountInfo", account, {"encoding": "base64"}) is not None


def _programs() -> list[dict[str, str]]:
    built = resources.files("countermand.solana.programs").joinpath("built")
    files = {limit_order.PROGRAM: "limit_order.so", dca.PROGRAM: "dca.so"}
    return [{"programId": program, "soPath": str(built.joinpath(name))} for program, name in files.items()]


if __name__ == "__main__":
    assert sys.argv[1:] == ["install"], "usage: python -m tests.surfpool.surfnet install"
    install("tests.surfpool.surfnet", HERE)
