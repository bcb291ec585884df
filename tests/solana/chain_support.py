"""What the tests of the chain share: a clock that they move, a store that can fail, and transactions."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from countermand.solana.embedded import EmbeddedChain, Genesis
from countermand.solana.ledger_store import LedgerBatch, LedgerStore, LedgerUnavailable
from countermand.solana.port import Chain, ChainRecords, LedgerTransaction
from countermand.solana.tokens import TOKEN_PROGRAM
from countermand_simulator.memory_ledger import MemoryLedgerStore

GENESIS = Genesis(entropy=b"e" * 32, faucet_seed=b"f" * 32, mint_authority_seed=b"m" * 32)
SOL = 10**9


@dataclass
class ManualClock:
    """Both clocks stand still until a test moves one."""

    now: int = 1_700_000_000_000
    wall: int = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.now

    def wall_ms(self) -> int:
        return self.wall


class FaultyStore(MemoryLedgerStore):
    """Commits wait while `gate` is closed, fail as `failing` says, and are counted."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.failing: list[str] = []
        self.waiting = asyncio.Event()
        self.batches: list[LedgerBatch] = []

    async def commit(self, batch: LedgerBatch) -> None:
        self.waiting.set()
        await self.gate.wait()
        failure = self.failing.pop(0) if self.failing else ""
        if failure == "before":
            raise LedgerUnavailable("the connection broke before the commit")
        await super().commit(batch)
        self.batches.append(batch)
        if failure == "after":
            raise LedgerUnavailable("the answer to the commit was lost")


async def open_chain(
    store: LedgerStore | None = None, clock: ManualClock | None = None, genesis: Genesis = GENESIS
) -> EmbeddedChain:
    return await EmbeddedChain.open(
        store or MemoryLedgerStore(), clock or ManualClock(), genesis=genesis, stopwatch=lambda: 0
    )


def wallet(number: int) -> Keypair:
    return Keypair.from_seed(number.to_bytes(32, "big"))


def address(key: Keypair) -> str:
    return str(key.pubkey())


def signed(instructions: Sequence[Instruction], signers: Sequence[Keypair], blockhash: str) -> bytes:
    """The first signer pays."""
    message = MessageV0.try_compile(signers[0].pubkey(), instructions, [], Hash.from_string(blockhash))
    return sign(message, signers)


def sign(message: MessageV0, signers: Sequence[Keypair]) -> bytes:
    data = to_bytes_versioned(message)
    keys = {key.pubkey(): key for key in signers}
    required = message.account_keys[: message.header.num_required_signatures]
    return bytes(VersionedTransaction.populate(message, [keys[key].sign_message(data) for key in required]))


def signature_of(raw: bytes) -> str:
    return str(Signature.from_bytes(raw[1:65]))


def payment(sender: Keypair, to: str, lamports: int, blockhash: str) -> bytes:
    move = transfer(TransferParams(from_pubkey=sender.pubkey(), to_pubkey=Pubkey.from_string(to), lamports=lamports))
    return signed([move], [sender], blockhash)


async def pays(chain: Chain, sender: Keypair, to: str, lamports: int) -> bytes:
    """A payment with the latest blockhash, not sent yet."""
    return payment(sender, to, lamports, (await chain.latest_blockhash()).blockhash)


def token_transfer(source: str, to: str, owner: str, amount: int) -> Instruction:
    metas = [
        AccountMeta(Pubkey.from_string(source), is_signer=False, is_writable=True),
        AccountMeta(Pubkey.from_string(to), is_signer=False, is_writable=True),
        AccountMeta(Pubkey.from_string(owner), is_signer=True, is_writable=False),
    ]
    return Instruction(Pubkey.from_string(TOKEN_PROGRAM), b"\x03" + amount.to_bytes(8, "little"), metas)


def mint_to(account: str, mint: str, authority: str, amount: int) -> Instruction:
    metas = [
        AccountMeta(Pubkey.from_string(mint), is_signer=False, is_writable=True),
        AccountMeta(Pubkey.from_string(account), is_signer=False, is_writable=True),
        AccountMeta(Pubkey.from_string(authority), is_signer=True, is_writable=False),
    ]
    return Instruction(Pubkey.from_string(TOKEN_PROGRAM), b"\x07" + amount.to_bytes(8, "little"), metas)


async def transaction_of(records: ChainRecords, signature: str) -> LedgerTransaction | None:
    (found,) = await records.transactions([signature])
    return found


async def lamports_of(chain: Chain, wallet_address: str) -> int:
    (info,) = await chain.accounts([wallet_address])
    return 0 if info is None else info.lamports


# A second valid signature: ed25519 by the book (RFC 8032), but with a nonce of our choice.

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_Point = tuple[int, int]
_BASE: _Point = (
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    46316835694926478169428394003475163141307993866256225615783033603165251855960,
)


def another_signature(raw: bytes, key: Keypair, nonce: int = 123456789) -> bytes:
    """The same message, validly signed by its only signer, with another signature."""
    message, secret = raw[65:], hashlib.sha512(bytes(key)[:32]).digest()
    scalar = int.from_bytes(secret[:32], "little") & ~7 & (2**255 - 1) & ~(1 << 255) | 1 << 254
    commitment = _encoded(_times(nonce, _BASE))
    challenge = int.from_bytes(hashlib.sha512(commitment + bytes(key.pubkey()) + message).digest(), "little")
    return b"\x01" + commitment + ((nonce + challenge * scalar) % _L).to_bytes(32, "little") + message


def _times(factor: int, point: _Point) -> _Point:
    result = (0, 1)
    while factor:
        if factor & 1:
            result = _sum(result, point)
        point, factor = _sum(point, point), factor >> 1
    return result


def _sum(one: _Point, two: _Point) -> _Point:
    (x1, y1), (x2, y2) = one, two
    both = _D * x1 * x2 * y1 * y2 % _P
    x = (x1 * y2 + x2 * y1) * pow(1 + both, -1, _P) % _P
    return x, (y1 * y2 + x1 * x2) * pow(1 - both, -1, _P) % _P


def _encoded(point: _Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")
