"""The embedded chain's ledger: its row, and its transactions one after the other, each with what it left behind."""

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import asyncpg
from msgspec import Struct
from solders.pubkey import Pubkey
from solders.signature import Signature

from countermand.audit.balances import ChainBalances
from countermand.audit.chain_index import ChainIndexReplay
from countermand.audit.findings import Audit
from countermand.audit.onchain import OnChain
from countermand.audit.reading import SENSELESS, shown
from countermand.solana.clockwork import BLOCKHASH_SLOTS, CEILING_AHEAD_SLOTS, Blockhashes
from countermand.solana.durable_nonce import ADVANCE_NONCE
from countermand.solana.ledger import Meta, decode_meta, encode_meta
from countermand.solana.ledger_store import LedgerSecrets
from countermand.solana.tokens import SYSTEM_PROGRAM
from countermand.solana.wire import SIGNATURE_BYTES, MalformedTransaction, WireTransaction, read_transaction
from countermand.store.snapshot import Snapshot

_AT_A_TIME: Final = 200
_AT_ONCE: Final = 10
"""So many are looked at before others have their turn."""
_SECRET_BYTES: Final = 32
_FAILED: Final = re.compile(r"Program \w+ failed: ")
_SYSTEM: Final = Pubkey.from_string(SYSTEM_PROGRAM)

_LEDGER: Final = """
SELECT epoch, opened, seq, entropy, faucet_seed, mint_authority_seed, slot, wall_ms, ceiling, block_time,
    former_entropies
FROM chain_ledger
"""
_TRANSACTIONS: Final = """
SELECT signature, message_hash, position, slot, block_time, raw, error, meta, mentions.addresses
FROM chain_transactions LEFT JOIN (
    SELECT position, array_agg(address ORDER BY address) AS addresses FROM chain_mentions GROUP BY position
) AS mentions USING (position)
ORDER BY position
"""
_ORPHANS: Final = """
SELECT position, array_agg(address ORDER BY address) AS addresses FROM chain_mentions
WHERE position NOT IN (SELECT position FROM chain_transactions) GROUP BY position ORDER BY position LIMIT 100
"""


class FoundedLedger(Struct, frozen=True):
    """A ledger that was founded. `former`: the entropies that it had before it was restored."""

    secrets: LedgerSecrets
    seq: int
    slot: int
    ceiling: int
    block_time: int
    former: Sequence[bytes]


async def read_ledger(snapshot: Snapshot, found: Audit) -> FoundedLedger | None:
    """None: it was never founded, or nothing can be told of it."""
    rows = await snapshot.fetch(_LEDGER)
    if not rows:
        found.differs("chain_ledger", None, "the row is missing")
        return None
    (row,) = rows
    if not 0 <= row["opened"] <= row["epoch"] or row["seq"] < 0:
        found.differs("chain_ledger", None, f"epoch {row['epoch']}, opened in {row['opened']}, makes no sense")
    founded = [row[name] for name in ("entropy", "faucet_seed", "mint_authority_seed", "slot", "wall_ms", "ceiling")]
    if all(value is None for value in (*founded, row["block_time"])):
        return None
    if any(value is None for value in (*founded, row["block_time"])):
        found.differs("chain_ledger", None, "it was founded, but not all of that is there")
        return None
    secrets = row["entropy"], row["faucet_seed"], row["mint_authority_seed"]
    if any(len(secret) != _SECRET_BYTES for secret in secrets):
        found.differs("chain_ledger", None, f"a secret has not {_SECRET_BYTES} bytes")
        return None
    if not CEILING_AHEAD_SLOTS <= row["ceiling"] - row["slot"] <= CEILING_AHEAD_SLOTS + 1 or row["wall_ms"] <= 0:
        found.differs("chain_ledger", None, f"the ceiling {row['ceiling']} of slot {row['slot']} makes no sense")
    former = row["former_entropies"]
    if len(former) % _SECRET_BYTES:
        found.differs("chain_ledger", None, f"its former entropies have {len(former)} bytes")
        return None
    return FoundedLedger(
        LedgerSecrets(*secrets),
        row["seq"],
        row["slot"],
        row["ceiling"],
        row["block_time"],
        [former[at : at + _SECRET_BYTES] for at in range(0, len(former), _SECRET_BYTES)],
    )


class LedgerTransactions:
    """Follows them in the order of their positions. `thorough`: every signature is verified."""

    def __init__(
        self,
        ledger: FoundedLedger,
        balances: ChainBalances,
        orders: OnChain,
        index: ChainIndexReplay | None,
        *,
        thorough: bool,
        found: Audit,
    ) -> None:
        self._ledger = ledger
        self._balances = balances
        self._orders = orders
        self._index = index
        self._thorough = thorough
        self._found = found
        self._hashes = [Blockhashes(entropy) for entropy in (ledger.secrets.entropy, *reversed(ledger.former))]
        """Those of the present first."""
        self._last = 0
        """Whose the blockhash before was: most follow from the same entropy, so it is tried first."""
        self._slot = self._block_time = 0
        self._count = self._strange = 0
        self._follow = [0] * len(self._hashes)
        """How many transactions have a blockhash that follows from each entropy."""

    async def follow(self, snapshot: Snapshot) -> None:
        async for row in snapshot.rows(_TRANSACTIONS, at_a_time=_AT_A_TIME):
            self._count += 1
            self._check(row)
            if self._count % _AT_ONCE == 0:
                await asyncio.sleep(0)
        for position, addresses in await snapshot.fetch(_ORPHANS):
            what = f"it is missing, but {len(addresses)} accounts are mentioned by it"
            self._found.differs("chain_transactions", f"at position {position}", what)
            for address in addresses:
                self._found.differs("chain_mentions", f"{shown(address)}@{position}", "there is no such transaction")
        self._compare_end()

    def _compare_end(self) -> None:
        ledger = self._ledger
        if self._slot > ledger.slot:
            self._found.differs("chain_ledger", None, f"its slot {ledger.slot} is before a transaction's")
        if self._block_time > ledger.block_time:
            self._found.differs("chain_ledger", None, f"its time {ledger.block_time} is before a transaction's")
        # A restored chain may have an entropy from which nothing follows yet.
        if self._strange and not all(self._follow):
            what = f"nothing follows from an entropy of its, and {self._strange} blockhashes of transactions from none"
            self._found.differs("chain_ledger", None, what)
        if not self._strange and not self._follow[0]:
            self._found.not_checked.append("chain_ledger.entropy: no transaction has a blockhash that follows from it")
        # Each commit sets it anew, one slot further ahead than the founding does.
        if self._count and ledger.ceiling - ledger.slot != CEILING_AHEAD_SLOTS + 1:
            self._found.differs("chain_ledger", None, f"the ceiling {ledger.ceiling} is not of slot {ledger.slot}")

    def _check(self, row: asyncpg.Record) -> None:
        name = _name_of(row["signature"])
        try:
            transaction = read_transaction(row["raw"])
        except MalformedTransaction as problem:
            self._found.differs("chain_transactions", name, f"its bytes cannot be read: {problem}")
            return
        for what in self._flaws(row, transaction):
            self._found.differs("chain_transactions", name, what)
        self._slot, self._block_time = max(self._slot, row["slot"]), max(self._block_time, row["block_time"])
        meta = _meta_of(row["meta"])
        if meta is None:
            self._found.differs("chain_transactions", name, "what is stored of its effects cannot be read")
            return
        keys = [*map(bytes, transaction.static_keys), *meta.loaded_writable, *meta.loaded_readonly]
        self._compare_mentions(row, keys)
        flaw = _flaw_of_effects(row["error"], meta, keys, transaction)
        if flaw is not None:
            self._found.differs("chain_transactions", name, flaw)
            return
        try:
            if row["error"] is None:
                self._balances.note_remade_mints(transaction, keys, meta)
            self._balances.follow(name, row["position"], keys, meta)
            if row["error"] is None:
                self._balances.note_order_accounts(transaction, keys)
                self._orders.follow(row, keys)
            if self._index is not None:
                self._index.follow(row, keys)
        except SENSELESS as problem:
            self._found.differs("chain_transactions", name, f"its effects make no sense: {problem!r}")

    def _flaws(self, row: asyncpg.Record, transaction: WireTransaction) -> Iterator[str]:
        if transaction.signature != row["signature"]:
            yield "its bytes have another signature"
        if transaction.message_hash != row["message_hash"]:
            yield "its message has another hash"
        if self._thorough and not transaction.signatures_are_valid():
            yield "a signature in it is not valid"
        if row["position"] > self._ledger.seq:
            yield f"its position {row['position']} is beyond the ledger's, {self._ledger.seq}"
        if row["slot"] < self._slot or row["block_time"] < self._block_time:
            yield f"slot {row['slot']} at {row['block_time']} is before that of the transaction before it"
        if not self._is_recent(row["slot"], transaction):
            self._strange += 1
            yield f"its blockhash was none of the last {BLOCKHASH_SLOTS} before slot {row['slot']}"

    def _is_recent(self, slot: int, transaction: WireTransaction) -> bool:
        """The newest are tried first: hardly any is older than some seconds."""
        if _has_a_nonce(transaction):
            return True
        oldest = max(0, slot - BLOCKHASH_SLOTS)
        for n in sorted(range(len(self._hashes)), key=lambda n: n != self._last):
            hashes = self._hashes[n]
            if any(hashes.at(each) == transaction.blockhash for each in range(slot, oldest - 1, -1)):
                self._follow[n] += 1
                self._last = n
                return True
        return False

    def _compare_mentions(self, row: asyncpg.Record, keys: Sequence[bytes]) -> None:
        expected, there = dict.fromkeys(keys), dict.fromkeys(row["addresses"] or ())
        for address in expected:
            if address not in there:
                name = f"{shown(address)}@{row['position']}"
                self._found.differs("chain_mentions", name, "the transaction mentions it, but this is not stored")
        for address in there:
            if address not in expected:
                name = f"{shown(address)}@{row['position']}"
                self._found.differs("chain_mentions", name, "the transaction does not mention it")


def _name_of(signature: bytes) -> str:
    return str(Signature(signature)) if len(signature) == SIGNATURE_BYTES else signature.hex()


def _meta_of(body: bytes) -> Meta | None:
    try:
        meta = decode_meta(body)
    except ValueError:
        return None
    return meta if encode_meta(meta) == body else None


def _has_a_nonce(transaction: WireTransaction) -> bool:
    """Its blockhash is a durable nonce's, whatever its age."""
    message = transaction.message
    first = message.instructions[0] if message.instructions else None
    if first is None or first.program_id_index >= len(transaction.static_keys):
        return False
    return transaction.static_keys[first.program_id_index] == _SYSTEM and bytes(first.data) == ADVANCE_NONCE


def _flaw_of_effects(text: str | None, meta: Meta, keys: Sequence[bytes], transaction: WireTransaction) -> str | None:
    if not len(meta.pre_balances) == len(meta.post_balances) == len(keys):
        return f"it has {len(keys)} accounts, but the balances of {len(meta.pre_balances)}"
    if any(not 0 <= token.index < len(keys) for token in (*meta.pre_tokens, *meta.post_tokens)):
        return "it has balances of tokens in accounts that it does not mention"
    if sum(meta.pre_balances) - sum(meta.post_balances) != meta.fee:
        return f"lamports came or went with it, beside its fee of {meta.fee}"
    if text is None:
        failed = _failures(meta)
        return f"it succeeded, but its log says: {failed[0]}" if failed else None
    if meta.pre_balances[1:] != meta.post_balances[1:] or _tokens(meta.pre_tokens) != _tokens(meta.post_tokens):
        return "it failed, but what it should have done is done"
    return None if _is_error(text, meta, transaction) else f"its error {text[:100]} makes no sense"


def _failures(meta: Meta) -> list[str]:
    """What the machine itself says in the log; programs and strangers may use the same words."""
    return [line for line in meta.logs if " failed: " in line and _FAILED.match(line)]


def _tokens(tokens: Sequence[Any]) -> list[Any]:
    return sorted(tokens, key=lambda token: token.index)


def _is_error(text: str, meta: Meta, transaction: WireTransaction) -> bool:
    """Whether it is an error as a node writes it, of one of its instructions, and with the number that its log has."""
    try:
        error = json.loads(text)
    except ValueError:
        return False
    if json.dumps(error) != text:
        return False
    match error:
        case {"InstructionError": [int(index), {"Custom": int(code)}]}:
            failed = _failures(meta)
            told = not failed or failed[-1].endswith(f"custom program error: {code:#x}")
            return told and index < len(transaction.message.instructions)
        case {"InstructionError": [int(index), _]}:
            return index < len(transaction.message.instructions)
    return isinstance(error, str | dict) and bool(error)


async def check_unfounded(snapshot: Snapshot, found: Audit) -> None:
    """Of a ledger that was never founded there is nothing at all."""
    for table in ("chain_accounts", "chain_transactions", "chain_mentions"):
        ((count,),) = await snapshot.fetch(f"SELECT count(*) FROM {table}")  # noqa: S608
        if count:
            found.differs(table, None, f"it has {count} rows, but the ledger was never founded")
