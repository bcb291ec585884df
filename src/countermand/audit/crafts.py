"""Deposits and other transactions that were built for users to sign."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final, TypeAlias

import asyncpg
import msgspec
from solders.message import Message, MessageV0, from_bytes_versioned
from solders.pubkey import Pubkey

from countermand.audit.dca import DcaReplay
from countermand.audit.findings import Audit
from countermand.audit.reading import SENSELESS, canonical, is_bucket_of
from countermand.audit.trigger import TriggerReplay
from countermand.dialects.trigger_v1.routes import CANCELS, CREATES
from countermand.orders.dca.model.commands import UnsignedDeposit as UnsignedDcaDeposit
from countermand.orders.recurring.model.order import CLOSES, OPENS
from countermand.orders.trigger.model.commands import UnsignedDeposit
from countermand.orders.trigger.model.order import Family
from countermand.services.custody.accounts import OrderAccounts
from countermand.services.custody.deposits import account_seed, deposit_message, output_seed
from countermand.services.custody.instructions import key, order_account
from countermand.services.custody.vaults import VaultKeys
from countermand.services.tokens import Token
from countermand.services.transactions.client_transactions import Build
from countermand.solana.tokens import SOL_MINT, associated_token_address
from countermand.store.snapshot import Snapshot
from countermand.values.transactions import UnsignedTransaction

_CRAFTS: Final = "SELECT request_id, bucket, order_id, last_valid_height, body FROM {table} ORDER BY request_id"
_BUILDS: Final = """
SELECT digest, request_id, last_valid_height, body FROM builds ORDER BY last_valid_height, digest
"""
_OPENING: Final = (CREATES, OPENS)
_PURPOSES: Final = (*_OPENING, CANCELS, CLOSES)

AnyDeposit: TypeAlias = UnsignedDeposit | UnsignedDcaDeposit

_BUILD: Final = msgspec.json.Decoder(Build).decode


class Crafts:
    """Compares the crafts with the orders that they became, and the others with what custody would have built."""

    def __init__(
        self, found: Audit, replay: TriggerReplay | DcaReplay, tokens: Mapping[str, Token], keys: VaultKeys | None
    ) -> None:
        self._found = found
        self._used = replay.crafts
        self._tokens = tokens
        self._keys = keys
        self._orders = {account.order_id: None for account in replay.held()}
        trigger = isinstance(replay, TriggerReplay)
        self._table = "crafts" if trigger else "dca_crafts"
        kind: type[AnyDeposit] = UnsignedDeposit if trigger else UnsignedDcaDeposit
        self._decode: Callable[[bytes], AnyDeposit] = msgspec.json.Decoder(kind).decode

    async def check(self, snapshot: Snapshot) -> None:
        missing = dict(self._used)
        async for row in snapshot.rows(_CRAFTS.format(table=self._table)):
            flaw = self._flaw(row, missing.pop(str(row["request_id"]), None))  # type: ignore[call-overload]
            if flaw is not None:
                self._found.differs(self._table, row["request_id"], flaw)
        for request_id in missing:
            self._found.differs(self._table, request_id, "it became an order, but is not stored")

    def _flaw(self, row: asyncpg.Record, digest: bytes | None) -> str | None:
        craft = canonical(self._decode, row["body"])
        if craft is None:
            return "its body cannot be read"
        if (craft.request_id, craft.order_id) != (str(row["request_id"]), str(row["order_id"])):
            return "its body names another request or order than the row"
        if not is_bucket_of(row["bucket"], craft.wallet):
            return f"bucket {row['bucket']} is not that of its wallet"
        if row["last_valid_height"] not in (craft.craft.last_valid_height, None):
            return "its body names another height than the row"
        if digest is not None:
            return None if sha256(row["body"]).digest() == digest else "its order was placed with another deposit"
        if row["last_valid_height"] is None or craft.order_id in self._orders:
            return "no order was placed with it, though the row says so"
        return None if self._is_ours(craft) else "its message is not the deposit that its fields describe"

    def _is_ours(self, craft: AnyDeposit) -> bool:
        token, bare = self._tokens.get(craft.input_mint), craft.craft
        if token is None or craft.output_mint not in self._tokens:
            return False
        try:
            message = Message.from_bytes(bare.message)
            vault = message.account_keys[1]
            output = self._tokens[craft.output_mint] if _keeps_its_output(craft) else None
            is_built = _is_built(craft, vault, token, output, message)
        except SENSELESS:
            return False
        is_bare = bare == UnsignedTransaction(bare.message, bare.last_valid_height, bare.moves)
        return is_built and is_bare and (self._keys is None or self._keys.vault_of(craft.wallet).public == vault)


def _keeps_its_output(craft: AnyDeposit) -> bool:
    return isinstance(craft, UnsignedDeposit) and craft.family is Family.OTOCO


def _is_built(craft: AnyDeposit, vault: Pubkey, token: Token, output: Token | None, message: Message) -> bool:
    """Whether the message is built anew from the fields, byte for byte."""
    accounts, seed = _accounts(craft, vault, token), account_seed(craft.request_id)
    second = None if output is None else _accounts(craft, vault, output)
    kept = None if second is None else str(order_account(vault, output_seed(seed), second.program))
    built = deposit_message(accounts, seed, craft.craft.moves.units, bytes(message.recent_blockhash), second)
    account = str(order_account(vault, seed, accounts.program))
    named = craft.output_account if isinstance(craft, UnsignedDeposit) else None
    return built == craft.craft.message and (craft.input_account, named) == (account, kept)


def _accounts(craft: AnyDeposit, vault: Pubkey, token: Token) -> OrderAccounts:
    own = associated_token_address(craft.wallet, token.mint, token.program)
    program, native = key(token.program), token.mint == SOL_MINT
    return OrderAccounts(key(craft.wallet), vault, key(own), key(token.mint), program, token, native)


async def check_builds(snapshot: Snapshot, found: Audit) -> None:
    """Beside the row with its body, a build may have others without one, for the ids under which it was built again."""
    height: int | None = None
    bodies: list[bytes] = []
    names: list[tuple[bytes, str]] = []
    async for row in snapshot.rows(_BUILDS):
        if row["last_valid_height"] != height:
            _check_names(bodies, names, found)
            height, bodies, names = row["last_valid_height"], [], []
        if not row["body"]:
            names.append((row["digest"], str(row["request_id"])))
            continue
        bodies.append(row["digest"])
        flaw = _flaw_of(row)
        if flaw is not None:
            found.differs("builds", row["digest"].hex(), flaw)
    _check_names(bodies, names, found)


def _check_names(bodies: list[bytes], names: list[tuple[bytes, str]], found: Audit) -> None:
    """Those of one height."""
    expected = {
        request_id: {sha256(request_id.encode() + digest).digest() for digest in bodies}
        for request_id in dict.fromkeys(request_id for _, request_id in names)
    }
    for digest, request_id in names:
        if digest not in expected[request_id]:
            found.differs("builds", digest.hex(), f"it names no transaction that was built for {request_id}")


def _flaw_of(row: asyncpg.Record) -> str | None:
    build = canonical(_BUILD, row["body"])
    if build is None:
        return "its body cannot be read"
    if sha256(build.message).digest() != row["digest"]:
        return "its message has another hash"
    if (build.request_id, build.last_valid_height) != (str(row["request_id"]), row["last_valid_height"]):
        return "its body names another request or height than the row"
    if build.purpose not in _PURPOSES or build.opens != (build.purpose in _OPENING):
        return f"its purpose {build.purpose!r} makes no sense"
    return None if _is_signed_by(build) else "its message is not for its wallet and its order"


def _is_signed_by(build: Build) -> bool:
    try:
        message: Any = from_bytes_versioned(build.message)
        assert isinstance(message, Message | MessageV0)
    except SENSELESS:
        return False
    keys = [str(each) for each in message.account_keys]
    return build.wallet in keys[: message.header.num_required_signatures] and build.order in keys
