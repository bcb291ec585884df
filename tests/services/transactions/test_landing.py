"""How signed transactions are read, and what is known of their fate."""

import base64
from collections.abc import Sequence
from typing import Any

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature as ChainSignature
from solders.transaction import VersionedTransaction

from countermand.kernel.ports import Unavailable
from countermand.services.transactions.client_transactions import Build
from countermand.services.transactions.landing import ChainLanding, error_words
from countermand.solana.port import AccountInfo, AddressSignature, LedgerTransaction, SignatureStatus
from countermand.solana.programs import dca, limit_order
from countermand.values.identity import Address, RequestId, Signature, Wallet
from countermand.values.structs import replace
from countermand.values.transactions import ObservedOutcome, TransactionOutcome
from tests.dialects.limit_venue import StubChain

ALICE, BOB = Keypair.from_seed(b"a" * 32), Keypair.from_seed(b"b" * 32)
MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
SIGNATURE = Signature("x")


UNSIGNED = ChainSignature.default()


def wire(*signers: Keypair, text: bytes = b"hello") -> bytes:
    """Both must sign it; the slots of those who do not are empty."""
    accounts = [AccountMeta(each.pubkey(), is_signer=True, is_writable=True) for each in (ALICE, BOB)]
    message = Message.new_with_blockhash([Instruction(MEMO, text, accounts)], ALICE.pubkey(), Hash.default())
    signable = to_bytes_versioned(message)
    signatures = [each.sign_message(signable) if each in signers else UNSIGNED for each in (ALICE, BOB)]
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
    "unsigned": encoded(wire()),
    "one signed": encoded(wire(ALICE)),
    "the other signed": encoded(wire(BOB)),
    "altered": encoded(FLIPPED),
    "bytes follow": encoded(FULL + b"\0"),
    "cut": encoded(FULL[:-1]),
    "empty": "",
    "no base64": "%" * 8,
    "twice": encoded(PADDED) * 2,
    "not ASCII": "\u00e9" * 8,
    "a lone surrogate": "\ud800" * 4,
    "larger than a packet": encoded(wire(ALICE, BOB, text=b"x" * 1_100)),
    "huge": "A" * 1_000_000,
}


@pytest.mark.parametrize(
    "given",
    [
        encoded(PADDED) + "\n",
        encoded(PADDED)[:76] + "\r\n" + encoded(PADDED)[76:],
        encoded(PADDED).rstrip("="),
        encoded(PADDED).replace("+", "-").replace("/", "_"),
        encoded(PADDED)[:-3] + chr(ord(encoded(PADDED)[-3]) + 1) + "==",
    ],
    ids=["a newline", "wrapped", "no padding", "URL-safe", "another last digit"],
)
def test_base64_is_read_in_every_spelling_that_javascript_takes(given: str) -> None:
    """D5."""
    read = ChainLanding(StubChain()).read(given)
    assert read is not None
    assert read.wire == PADDED


@pytest.mark.parametrize("given", WRONG.values(), ids=WRONG)
def test_all_else_is_not(given: str) -> None:
    assert ChainLanding(StubChain()).read(given) is None


@pytest.mark.parametrize(
    ("status", "height", "seen"),
    [
        (None, 100, None),
        (None, 101, ObservedOutcome(TransactionOutcome.DEAD, SIGNATURE)),
        (SignatureStatus(1, finalized=False, error=None), 101, None),
        (SignatureStatus(1, finalized=False, error="x"), 101, None),
        (SignatureStatus(1, finalized=True, error=None), 101, ObservedOutcome(TransactionOutcome.LANDED, SIGNATURE)),
        (
            SignatureStatus(1, finalized=True, error={"InstructionError": [0, {"Custom": 7}]}),
            50,
            ObservedOutcome(TransactionOutcome.REJECTED, SIGNATURE, "custom program error code: 7"),
        ),
    ],
)
async def test_a_fate_is_told_when_it_is_final(
    status: SignatureStatus | None, height: int, seen: ObservedOutcome | None
) -> None:
    chain = StubChain(height=height)
    if status is not None:
        chain.landed[SIGNATURE] = status
    assert await ChainLanding(chain).outcome(SIGNATURE, 100) == seen


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

    await ChainLanding(Slow()).outcome(SIGNATURE, 100)
    assert asked == ["height", "status"]


async def test_a_chain_that_is_away() -> None:
    landing = ChainLanding(StubChain(down=True))
    with pytest.raises(Unavailable):
        await landing.outcome(SIGNATURE, 100)
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


ORDER = Address("9vWTg8y4UvrLM49rqvJ2mtmpxicPytNs7FD78352g9Kr")


def build(*, opens: bool = True, message: bytes = FULL[129:]) -> Build:
    return Build(RequestId("r"), Wallet("w"), "a test", ORDER, opens, message, 100)


class Remembering(StubChain):
    """Transactions that named the order, newest first, under made-up signatures."""

    def __init__(self, *raws: bytes) -> None:
        super().__init__(height=101)
        self.history = {f"signature {number}": raw for number, raw in enumerate(raws)}
        self.asked: list[str] = []

    async def signatures_for_address(self, address: str, **_: Any) -> list[AddressSignature]:
        assert address == ORDER
        return [AddressSignature(signature, 1, None, 1) for signature in self.history]

    async def transactions(self, signatures: Sequence[str]) -> Sequence[LedgerTransaction | None]:
        self.asked += signatures
        return [
            replace(LANDED, signature=signature, raw=raw) if (raw := self.history[signature]) else None
            for signature in signatures
        ]


LANDED = LedgerTransaction("", 1, 1, b"", None, 0, 0, (), (), (), (), (), (), None, (), ())


async def test_a_message_is_known_by_its_bytes() -> None:
    chain = Remembering(wire(ALICE, BOB, text=b"another"), b"", FULL, b"")
    chain.landed["signature 2"] = SignatureStatus(1, finalized=True, error=None)
    assert await ChainLanding(chain).outcome_of_message(build()) == ObservedOutcome(
        TransactionOutcome.LANDED, Signature("signature 2")
    )
    assert await ChainLanding(chain).outcome_of_message(build(message=b"unheard of")) is None


@pytest.mark.parametrize("status", [None, SignatureStatus(1, finalized=False, error=None)])
async def test_a_message_that_may_be_forgotten_has_not_landed_yet(status: SignatureStatus | None) -> None:
    chain = Remembering(FULL)
    if status is not None:
        chain.landed["signature 0"] = status
    assert await ChainLanding(chain).outcome_of_message(build()) is None


async def test_a_stranger_who_names_an_order_often_costs_little() -> None:
    others = [wire(ALICE, BOB, text=b"%d" % number) for number in range(500)]
    chain = Remembering(*others, FULL)
    chain.landed["signature 500"] = SignatureStatus(1, finalized=True, error=None)
    assert await ChainLanding(chain).outcome_of_message(build()) is not None
    assert len(chain.asked) == 64


@pytest.mark.parametrize(
    ("opens", "owner", "history", "proves"),
    [
        (True, limit_order.PROGRAM, (), True),
        (True, dca.PROGRAM, (), True),
        (True, "11111111111111111111111111111111", (), False),  # A stranger sent lamports there.
        (True, None, (), False),
        (False, limit_order.PROGRAM, (), False),
        (False, None, (), False),  # Who closed it?
        (True, limit_order.PROGRAM, (b"",), False),  # Another transaction made it.
    ],
)
async def test_what_an_order_s_account_proves(
    opens: bool, owner: str | None, history: tuple[bytes, ...], proves: bool
) -> None:
    chain = Remembering(*history)
    if owner is not None:
        chain.held[ORDER] = AccountInfo(1, owner, b"", executable=False)
    assert await ChainLanding(chain).must_have_landed(build(opens=opens)) is proves
