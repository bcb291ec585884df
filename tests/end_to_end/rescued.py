"""A wallet whose orders lie in the programs, and which has nothing but a node."""

import base64
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from spl.token.constants import TOKEN_PROGRAM_ID

from countermand.cli.rescue import rescue
from countermand.solana.programs import dca, limit_order
from countermand.solana.programs.compile import Budget
from countermand.solana.programs.dca import NewDca
from countermand.solana.programs.limit_order import Cancellation, NewOrder
from countermand.solana.tokens import TOKEN_PROGRAM
from tests.end_to_end.trader import Trader
from tests.end_to_end.venue import SOL, Funds, Token, Venue, associated
from tests.forked import COUNTERMAND, Forked, run

BUDGET = Budget(400_000, 0)
FEE = 5_000


@dataclass(frozen=True)
class Run:
    """What a run printed, as JSON if it did, and its exit status."""

    status: int
    printed: str

    @property
    def report(self) -> Any:
        return json.loads(self.printed)

    @property
    def ends(self) -> list[str]:
        return [each["end"] for each in self.report["ended"]]

    @property
    def verdicts(self) -> list[str]:
        return [each["verdict"] for each in self.report["orders"]]


@dataclass
class Owner:
    """`folder` holds key files and the note of what was sent."""

    venue: Venue
    folder: Path
    captured: pytest.CaptureFixture[str]
    key: Keypair = field(default_factory=Keypair)
    node: str = ""
    _numbers: int = 0

    def __post_init__(self) -> None:
        self.node = self.node or f"{self.venue.url}/rpc"
        self.file = key_file(self.folder / "owner.json", self.key)
        self.note = self.folder / "note.jsonl"
        self.trader = Trader(self.venue, self.key)

    @property
    def wallet(self) -> str:
        return str(self.key.pubkey())

    # --- rescuing

    def runs(self, **options: Any) -> Run:
        """In this process, with JSON unless told otherwise."""
        self.captured.readouterr()
        asked: dict[str, Any] = {"owner": self.wallet, "rpc_url": self.node, "note": self.note, "as_json": True}
        status = rescue(**(asked | options))
        return Run(status, self.captured.readouterr().out)

    def rescues(self, **options: Any) -> Run:
        return self.runs(sign=str(self.file), **options)

    # --- orders

    def sells(
        self,
        sell: Funds,
        buy: Token,
        take: int = 1_000,
        *,
        expired_at: int | None = None,
        program: str = TOKEN_PROGRAM,
    ) -> str:
        """By a limit order. Its address."""
        self._numbers += 1
        new = NewOrder(
            maker=self.wallet,
            payer=self.wallet,
            unique_id=self._numbers,
            input_mint=sell.token.mint,
            output_mint=buy.mint,
            making_amount=sell.units,
            taking_amount=take,
            expired_at=expired_at,
            input_program=program,
        )
        self.lands(lambda blockhash: limit_order.create_message(new, BUDGET, blockhash))
        return new.address

    def saves(self, sell: Funds, buy: Token) -> str:
        """By a DCA. Its address."""
        self._numbers += 1
        new = NewDca(
            user=self.wallet,
            payer=self.wallet,
            input_mint=sell.token.mint,
            output_mint=buy.mint,
            idx=self._numbers,
            in_amount=sell.units,
            in_amount_per_cycle=sell.units // 2,
            cycle_frequency=3_600,
        )
        self.lands(lambda blockhash: dca.open_message(new, BUDGET, blockhash))
        return new.keys.dca

    def has_bought(self, order: str, funds: Funds) -> None:
        """The DCA has so much of its output, as a keeper's cycles leave it there."""
        if funds.token != SOL:
            self.venue.gives(order, funds)
            return
        account = associated(order, SOL)
        move = transfer(TransferParams(from_pubkey=self.key.pubkey(), to_pubkey=account, lamports=funds.units))
        sync = Instruction(TOKEN_PROGRAM_ID, b"\x11", [AccountMeta(account, is_signer=False, is_writable=True)])
        self.trader.sends(move, sync)

    def is_open(self, order: str) -> bool:
        return self.venue.exists(order)

    # --- the chain

    def lands(self, compose: Callable[[str], bytes]) -> None:
        message = Message.from_bytes(compose(self.venue.rpc("getLatestBlockhash")["blockhash"]))
        raw = base64.b64encode(bytes(VersionedTransaction(message, [self.key]))).decode()
        signature = self.venue.rpc("sendTransaction", raw, {"encoding": "base64"})
        (status,) = self.venue.rpc("getSignatureStatuses", [signature])
        assert status["err"] is None

    def spends_all_lamports(self) -> None:
        self.trader.pays(str(Pubkey.new_unique()), Funds(SOL, self.venue.lamports(self.wallet) - FEE))
        assert self.venue.lamports(self.wallet) == 0

    def cancels(self, order: str, token: Token) -> None:
        """As any other client of the program."""
        cancel = Cancellation.to_maker(order, self.wallet, token.mint)
        self.lands(lambda blockhash: limit_order.cancel_message([cancel], BUDGET, blockhash))


def key_file(file: Path, key: Keypair) -> Path:
    file.write_text(json.dumps(list(bytes(key))))
    file.chmod(0o600)
    return file


class Once:
    """Does something before the first request of a method, and no more."""

    def __init__(self, method: str, does: Callable[[], object]) -> None:
        self._method, self._does = method, does

    def __call__(self, method: str, _params: object) -> None:
        if method == self._method and self._does is not None:
            does, self._does = self._does, lambda: None
            does()


def noted_in(note: Path) -> set[str]:
    """The signatures of what was to be sent."""
    return {json.loads(line)["signature"] for line in note.read_text().splitlines() if "signature" in line}


def in_a_process(owner: Owner, *options: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    return run(COUNTERMAND, *_words(owner, *options), seconds=60, environ=_environ(owner), given=given)


def started(owner: Owner) -> Forked:
    with Path(os.devnull).open("w") as nothing:
        words = _words(owner, "--sign", str(owner.file))
        return Forked(COUNTERMAND, *words, stdout=nothing.fileno(), environ=_environ(owner))


def _words(owner: Owner, *options: str) -> list[str]:
    return ["rescue", "--owner", owner.wallet, "--note", str(owner.note), "--json", *options]


def _environ(owner: Owner) -> dict[str, str]:
    return os.environ | {"COUNTERMAND_RPC_URL": owner.node}
