"""How signed transactions are read, and what is known of their fate."""

import base64
from typing import Any

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature as ChainSignature
from solders.transaction import VersionedTransaction

from countermand.domain.identity import Signature
from countermand.domain.trigger.commands import Fate
from countermand.engine.ports import FateSeen, Unavailable
from countermand.onchain.landing import ChainLanding, error_words
from countermand.solana.port import SignatureStatus
from tests.dialects.limit_venue import StubChain

ALICE, BOB = Keypair.from_seed(b"a" * 32), Keypair.from_seed(b"b" * 32)
MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
SIGNATURE = Signature("x")


NOBODY_S = ChainSignature.default()


def wire(*signers: Keypair, text: bytes = b"hello") -> bytes:
    """Both must sign it; the slots of those who do not are empty."""
    accounts = [AccountMeta(each.pubkey(), is_signer=True, is_writable=True) for each in (ALICE, BOB)]
    message = Message.new_with_blockhash([Instruction(MEMO, text, accounts)], ALICE.pubkey(), Hash.default())
    signable = to_bytes_versioned(message)
    signatures = [each.sign_message(signable) if each in signers else NOBODY_S for each in (ALICE, BOB)]
    return bytes(VersionedTransaction.populate(message, signatures))


def encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def test_what_is_signed_by_all_is_read() -> None:
    raw = wire(ALICE, BOB)
    read = ChainLanding(StubChain()).read(encoded(raw))
    assert read is not None
    assert (read.wire, read.message) == (raw, raw[1 + 2 * 64 :])
    assert read.signature == str(ChainSignature.from_bytes(raw[1:65]))


FULL = wire(ALICE, BOB)
PADDED = next(raw for size in (1, 2, 3) if len(raw := wire(ALICE, BOB, text=b"x" * size)) % 3 == 1)
FLIPPED = FULL[:-1] + bytes([FULL[-1] ^ 1])
WRONG: dict[str, str] = {
    "nobody signed": encoded(wire()),
    "one signed": encoded(wire(ALICE)),
    "the other signed": encoded(wire(BOB)),
    "altered": encoded(FLIPPED),
    "bytes follow": encoded(FULL + b"\0"),
    "cut": encoded(FULL[:-1]),
    "empty": "",
    "no base64": "%" * 8,
    "a line break": encoded(FULL)[:8] + "\n" + encoded(FULL)[8:],
    "no padding": encoded(FULL).rstrip("=") if encoded(FULL).endswith("=") else encoded(FULL) + "=",
    "another spelling": encoded(PADDED)[:-3] + chr(ord(encoded(PADDED)[-3]) + 1) + "==",
    "not ASCII": "\u00e9" * 8,
    "a lone surrogate": "\ud800" * 4,
    "larger than a packet": encoded(wire(ALICE, BOB, text=b"x" * 1_100)),
    "huge": "A" * 1_000_000,
}


@pytest.mark.parametrize("given", WRONG.values(), ids=WRONG)
def test_all_else_is_not(given: str) -> None:
    assert ChainLanding(StubChain()).read(given) is None


@pytest.mark.parametrize(
    ("status", "height", "seen"),
    [
        (None, 100, None),
        (None, 101, FateSeen(Fate.DEAD, SIGNATURE)),
        (SignatureStatus(1, finalized=False, error=None), 101, None),
        (SignatureStatus(1, finalized=False, error="x"), 101, None),
        (SignatureStatus(1, finalized=True, error=None), 101, FateSeen(Fate.LANDED, SIGNATURE)),
        (
            SignatureStatus(1, finalized=True, error={"InstructionError": [0, {"Custom": 7}]}),
            50,
            FateSeen(Fate.REJECTED, SIGNATURE, "custom program error code: 7"),
        ),
    ],
)
async def test_a_fate_is_told_when_it_is_final(
    status: SignatureStatus | None, height: int, seen: FateSeen | None
) -> None:
    chain = StubChain(height=height)
    if status is not None:
        chain.landed[SIGNATURE] = status
    assert await ChainLanding(chain).fate(SIGNATURE, 100) == seen


async def test_the_height_is_asked_before_the_status() -> None:
    """Else what lands between the two questions would be called dead."""
    asked: list[str] = []

    class Slow(StubChain):
        async def finalized_block_height(self) -> int:
            asked.append("height")
            return 101

        async def signature_status(self, signature: str) -> SignatureStatus | None:
            asked.append("status")
            return None

    await ChainLanding(Slow()).fate(SIGNATURE, 100)
    assert asked == ["height", "status"]


async def test_a_chain_that_is_away() -> None:
    landing = ChainLanding(StubChain(down=True))
    with pytest.raises(Unavailable):
        await landing.fate(SIGNATURE, 100)
    read = landing.read(encoded(FULL))
    assert read is not None
    with pytest.raises(Unavailable):
        await landing.send(read)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"InstructionError": [3, {"Custom": 3012}]}, "custom program error code: 3012"),
        ({"InstructionError": [3, "InvalidAccountData"]}, None),
        ("BlockhashNotFound", "Blockhash not found"),
        ({"InsufficientFundsForRent": {"account_index": 1}}, None),
    ],
)
def test_the_words_for_an_error(error: Any, words: str | None) -> None:
    said = error_words(error)
    assert said == words if words else said
