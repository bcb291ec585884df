"""A chain in plain dictionaries, exact in what the engine relies on and in nothing else.

It has accounts with lamports, token accounts, atomic transactions, a window of blockhashes, signatures as ids, replay
protection, fees and rent. It has no programs: a message says in JSON what it does. It implements `solana.port.Chain`.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from countermand.solana.port import (
    AccountInfo,
    JsonError,
    LatestBlockhash,
    LedgerTransaction,
    SignatureStatus,
    Simulation,
    TokenBalance,
)
from countermand_simulator.landings import Balance, Landing

SLOT_MS: Final = 400
FEE_LAMPORTS: Final = 5_000
RENT_LAMPORTS: Final = 2_039_280
SOL: Final = "SOL"
NOT_EMPTY: Final = "the account is not empty"
INSTRUCTION: Final = "instruction "
"""An error begins with it, and with the number of the instruction that failed."""


class Rejected(Exception):
    """A transaction that lands with an error: it pays its fee and does nothing else."""


@dataclass(frozen=True, slots=True)
class Account:
    """`mint` empty: a wallet, with nothing but lamports. The amount of a SOL account is a part of its lamports."""

    lamports: int
    mint: str = ""
    owner: str = ""
    amount: int = 0


def canonical(thing: Any) -> str:
    return json.dumps(thing, sort_keys=True, separators=(",", ":"))


def sign(key: str, message: str) -> str:
    """What only the owner of the key can make. No client in this world guesses it."""
    return hashlib.sha256(f"the secret of {key}, {message}".encode()).hexdigest()[:32]


@dataclass(slots=True)
class ModelChain:
    wall_ms: Callable[[], int]
    window: int
    accounts_now: dict[str, Account] = field(default_factory=dict)
    landings: list[Landing] = field(default_factory=list)
    skipped: int = 0
    _signatures: dict[str, SignatureStatus] = field(default_factory=dict)
    _messages: dict[str, None] = field(default_factory=dict)
    _landed: dict[str, Landing] = field(default_factory=dict)
    """By signature."""

    # --- the port

    async def latest_blockhash(self) -> LatestBlockhash:
        slot = self.slot()
        return LatestBlockhash(f"blockhash {slot}", slot + self.window)

    async def finalized_block_height(self) -> int:
        return self.slot()

    async def signature_status(self, signature: str) -> SignatureStatus | None:
        return self._signatures.get(signature)

    async def transactions(self, signatures: Sequence[str]) -> Sequence[LedgerTransaction | None]:
        """The keys of each are those whose accounts it changed."""
        landed = [self._landed.get(each) for each in signatures]
        return [None if each is None else _ledger_transaction(each) for each in landed]

    async def accounts(self, addresses: list[str]) -> list[AccountInfo | None]:
        return [self._info(address) for address in addresses]

    async def simulate(self, transaction: bytes) -> Simulation:
        error: JsonError | None = None
        message = json.loads(json.loads(transaction)["message"])
        try:
            if not self._is_alive(message["blockhash"]):
                raise Rejected("BlockhashNotFound")
            self._executed(message)
        except Rejected as rejected:
            error = str(rejected)
        return Simulation(error, (), 0)

    async def send(self, transaction: bytes) -> None:
        self.land(transaction)

    # --- what happens on it

    def slot(self) -> int:
        return self.wall_ms() // SLOT_MS + self.skipped

    def skip(self, slots: int) -> None:
        self.skipped += slots

    def land(self, transaction: bytes) -> Landing | None:
        """Executes a signed transaction, unless it is known, too old, or not properly signed."""
        signed = json.loads(transaction)
        text, signatures = signed["message"], signed["signatures"]
        message = json.loads(text)
        id_ = signatures.get(message["payer"])
        proper = all(signatures.get(key) == sign(key, text) for key in message["signers"])
        if not proper or text in self._messages or not self._is_alive(message["blockhash"]):
            return None
        before = self.accounts_now
        error: str | None = None
        try:
            after = self._executed(message)
        except Rejected as rejected:
            after, error = self._with_fee(message["payer"]), str(rejected)
        return self._commit(id_, text, before, after, error, message["payer"])

    def give(self, address: str, mint: str, amount: int) -> None:
        """New tokens or lamports out of nothing, with an account to hold them."""
        if mint == SOL:
            at = self.accounts_now.get(address, Account(0))
            self.accounts_now[address] = replace(at, lamports=at.lamports + amount)
        else:
            at = self.accounts_now.get(own_account(address, mint), Account(RENT_LAMPORTS, mint, address))
            self.accounts_now[own_account(address, mint)] = replace(at, amount=at.amount + amount)

    def found_account(self, address: str, mint: str, owner: str) -> None:
        self.accounts_now[address] = Account(RENT_LAMPORTS, mint, owner)

    def dust(self, address: str, amount: int) -> bool:
        """A stranger sends something to a token account. False: there is none."""
        at = self.accounts_now.get(address)
        if at is None or not at.mint:
            return False
        lamports = amount if at.mint == SOL else 0
        after = dict(self.accounts_now)
        after[address] = replace(at, amount=at.amount + amount, lamports=at.lamports + lamports)
        self._commit(f"dust {len(self.landings)}", f"dust {len(self.landings)}", self.accounts_now, after, None, "")
        return True

    def prefund(self, address: str) -> None:
        """A stranger sends a lamport to an address, if nothing is there yet."""
        if address in self.accounts_now:
            return
        after = {**self.accounts_now, address: Account(1)}
        self._commit(f"gift {len(self.landings)}", f"gift {len(self.landings)}", self.accounts_now, after, None, "")

    # --- inside

    def _is_alive(self, blockhash: str) -> bool:
        slot = self.slot()
        return slot - self.window <= int(blockhash.removeprefix("blockhash ")) <= slot

    def _commit(
        self,
        id_: str,
        text: str,
        before: dict[str, Account],
        after: dict[str, Account],
        error: str | None,
        payer: str,
    ) -> Landing:
        changes = tuple(
            (address, _shown(before.get(address)), _shown(after.get(address)))
            for address in dict.fromkeys((*before, *after))
            if before.get(address) != after.get(address)
        )
        message = base64.b64encode(text.encode()).decode()
        landing = Landing(id_, message, self.wall_ms(), error, payer, changes)
        self.accounts_now = after
        self._signatures[id_] = SignatureStatus(self.slot(), finalized=True, error=error)
        self._messages[text] = None
        self.landings.append(landing)
        self._landed[id_] = landing
        return landing

    def _with_fee(self, payer: str) -> dict[str, Account]:
        after = dict(self.accounts_now)
        at = after.get(payer, Account(0))
        after[payer] = replace(at, lamports=max(0, at.lamports - FEE_LAMPORTS))
        return after

    def _executed(self, message: dict[str, Any]) -> dict[str, Account]:
        """The accounts after the transaction. Raises `Rejected`."""
        after = self._with_fee(message["payer"])
        steps = _Steps(after, message["payer"], message["signers"])
        for number, (verb, *args) in enumerate(message["does"]):
            try:
                getattr(steps, verb)(*args)
            except Rejected as rejected:
                raise Rejected(f"{INSTRUCTION}{number}: {rejected}") from rejected
        return after

    def _info(self, address: str) -> AccountInfo | None:
        at = self.accounts_now.get(address)
        if at is None:
            return None
        data = canonical([at.mint, at.owner, at.amount]).encode() if at.mint else b""
        return AccountInfo(at.lamports, "token" if at.mint else "system", data, executable=False)


def _ledger_transaction(landing: Landing) -> LedgerTransaction:
    befores = [before or (0, "", 0) for _, before, _ in landing.changes]
    afters = [after or (0, "", 0) for _, _, after in landing.changes]
    return LedgerTransaction(
        signature=landing.signature,
        slot=0,
        block_time=0,
        raw=b"",
        error=landing.error,
        fee=FEE_LAMPORTS,
        units_consumed=0,
        logs=(),
        pre_balances=tuple(lamports for lamports, _, _ in befores),
        post_balances=tuple(lamports for lamports, _, _ in afters),
        pre_token_balances=_token_balances(befores),
        post_token_balances=_token_balances(afters),
        inner_instructions=(),
        return_data=None,
        loaded_writable=tuple(address for address, _, _ in landing.changes),
        loaded_readonly=(),
    )


def _token_balances(balances: Sequence[Balance]) -> tuple[TokenBalance, ...]:
    return tuple(
        TokenBalance(index, mint, "", "token", amount, 0) for index, (_, mint, amount) in enumerate(balances) if mint
    )


def own_account(wallet: str, mint: str) -> str:
    """Where a wallet has its tokens of a mint."""
    return f"{wallet}/{mint}"


def _shown(account: Account | None) -> tuple[int, str, int] | None:
    return None if account is None else (account.lamports, account.mint, account.amount)


@dataclass(slots=True)
class _Steps:
    """What a message can do, as its methods."""

    accounts: dict[str, Account]
    payer: str
    signers: Sequence[str]

    def create(self, address: str, mint: str, owner: str) -> None:
        if address in self.accounts:
            raise Rejected("the account is in use already")
        if owner not in self.signers:
            raise Rejected("the base did not sign")
        self._pay(self.payer, RENT_LAMPORTS)
        self.accounts[address] = Account(RENT_LAMPORTS, mint, owner)

    def ensure(self, wallet: str, mint: str) -> None:
        """Creates a wallet's own account if it is missing."""
        address = own_account(wallet, mint)
        if address not in self.accounts:
            self._pay(self.payer, RENT_LAMPORTS)
            self.accounts[address] = Account(RENT_LAMPORTS, mint, wallet)

    def wrap(self, payer: str, address: str, amount: int) -> None:
        self._pay(payer, amount)
        at = self._token(address)
        self.accounts[address] = replace(at, lamports=at.lamports + amount, amount=at.amount + amount)

    def pay(self, payer: str, wallet: str, amount: int) -> None:
        self._pay(payer, amount)
        at = self.accounts.get(wallet, Account(0))
        self.accounts[wallet] = replace(at, lamports=at.lamports + amount)

    def move(self, source: str, destination: str, amount: int) -> None:
        taken, given = self._token(source), self._token(destination)
        if taken.owner not in self.signers:
            raise Rejected("the owner did not sign")
        if taken.amount < amount or taken.mint != given.mint:
            raise Rejected("insufficient funds")
        lamports = amount if taken.mint == SOL else 0
        self.accounts[source] = replace(taken, amount=taken.amount - amount, lamports=taken.lamports - lamports)
        given = self._token(destination)
        self.accounts[destination] = replace(given, amount=given.amount + amount, lamports=given.lamports + lamports)

    def close(self, address: str, beneficiary: str) -> None:
        at = self._token(address)
        if at.owner not in self.signers:
            raise Rejected("the owner did not sign")
        if at.amount and at.mint != SOL:
            raise Rejected(NOT_EMPTY)
        del self.accounts[address]
        to = self.accounts.get(beneficiary, Account(0))
        self.accounts[beneficiary] = replace(to, lamports=to.lamports + at.lamports)

    def fail(self) -> None:
        raise Rejected("it was meant to fail")

    def _token(self, address: str) -> Account:
        at = self.accounts.get(address)
        if at is None or not at.mint:
            raise Rejected("there is no such token account")
        return at

    def _pay(self, payer: str, lamports: int) -> None:
        at = self.accounts.get(payer, Account(0))
        if payer not in self.signers or at.lamports < lamports:
            raise Rejected("insufficient lamports")
        self.accounts[payer] = replace(at, lamports=at.lamports - lamports)
