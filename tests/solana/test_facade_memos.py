"""E4: the memo that stands beside a signature. The format is that of a node: `[bytes] text`, several joined by `; `."""

from collections.abc import AsyncIterator

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.memos import memo_of
from countermand.solana.tokens import MEMO_PROGRAM, MEMO_PROGRAMS
from tests.solana.facade_venue import Facade, base64_of, funded, opened_chain, signed, transfer_of

BASE64 = {"encoding": "base64", "skipPreflight": True}


@pytest.fixture
async def chain() -> AsyncIterator[EmbeddedChain]:
    async with opened_chain() as opened:
        yield opened


@pytest.fixture
def rpc(chain: EmbeddedChain) -> Facade:
    return Facade(chain)


def memo(data: bytes, program: str = MEMO_PROGRAM, *mentioned: Pubkey) -> Instruction:
    metas = [AccountMeta(key, is_signer=False, is_writable=False) for key in mentioned]
    return Instruction(Pubkey.from_string(program), data, metas)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    ("memos", "told"),
    [
        ([], None),
        ([(b"hello world", MEMO_PROGRAM)], "[11] hello world"),
        ([(b"first version", MEMO_PROGRAMS[1])], "[13] first version"),
        ([(b"one", MEMO_PROGRAM), ("zwei ö".encode(), MEMO_PROGRAM)], "[3] one; [7] zwei ö"),
        ([(b"new", MEMO_PROGRAM), (b"old", MEMO_PROGRAMS[1])], "[3] new; [3] old"),
        ([(b"", MEMO_PROGRAM)], "[0] "),
    ],
)
async def test_a_memo_stands_beside_the_signature(
    rpc: Facade, chain: EmbeddedChain, memos: list[tuple[bytes, str]], told: str | None, legacy: bool
) -> None:
    wallet = await funded(chain)
    raw = await signed(chain, wallet, transfer_of(wallet, 10**6), *(memo(*each) for each in memos), legacy=legacy)
    signature = await rpc.call("sendTransaction", base64_of(raw), BASE64)
    newest, funding = await rpc.call("getSignaturesForAddress", str(wallet.pubkey()))
    assert (newest["signature"], newest["err"], newest["memo"]) == (signature, None, told)
    assert funding["memo"] is None


async def test_a_memo_that_is_no_text(rpc: Facade, chain: EmbeddedChain) -> None:
    """The program refuses it, and the transaction lands with an error."""
    wallet = await funded(chain)
    raw = await signed(chain, wallet, memo(b"good"), memo(b"\xff\xfe"))
    await rpc.call("sendTransaction", base64_of(raw), BASE64)
    (newest, _) = await rpc.call("getSignaturesForAddress", str(wallet.pubkey()))
    assert newest["err"]["InstructionError"][0] == 1
    assert newest["memo"] == "[4] good; [2] (unparsable)"


async def test_a_memo_shows_at_every_address_and_between_bounds(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet, mentioned = await funded(chain), Pubkey.new_unique()
    sent = []
    for number in range(3):
        raw = await signed(chain, wallet, transfer_of(wallet, 10**6, mentioned), memo(b"no. %d" % number))
        sent.append(await rpc.call("sendTransaction", base64_of(raw), BASE64))
    config = {"before": sent[2], "limit": 1}
    for key in (str(wallet.pubkey()), str(mentioned), MEMO_PROGRAM):
        (entry,) = await rpc.call("getSignaturesForAddress", key, config)
        assert (entry["signature"], entry["memo"]) == (sent[1], "[5] no. 1")


async def test_a_transaction_shows_its_memo_parsed(rpc: Facade, chain: EmbeddedChain) -> None:
    """A node has no other place for it there."""
    wallet = await funded(chain)
    raw = await signed(chain, wallet, memo(b"hello world"))
    signature = await rpc.call("sendTransaction", base64_of(raw), BASE64)
    config = {"encoding": "jsonParsed", "maxSupportedTransactionVersion": 0}
    shown = await rpc.call("getTransaction", signature, config)
    (told,) = shown["transaction"]["message"]["instructions"]
    assert told == {"parsed": "hello world", "program": "spl-memo", "programId": MEMO_PROGRAM, "stackHeight": 1}


async def test_the_key_of_the_program_alone_is_no_memo(rpc: Facade, chain: EmbeddedChain) -> None:
    wallet = await funded(chain)
    raw = await signed(chain, wallet, transfer_of(wallet, 10**6, Pubkey.from_string(MEMO_PROGRAM)))
    assert memo_of(raw) is None


def test_what_a_program_calls_is_no_memo() -> None:
    """As on a node: an instruction of another program, whatever its data, says nothing."""
    wallet, router = Keypair(), Pubkey.new_unique()
    calls = Instruction(router, b"hello", [AccountMeta(Pubkey.from_string(MEMO_PROGRAM), False, False)])
    message = MessageV0.try_compile(wallet.pubkey(), [calls], [], Hash.default())
    assert memo_of(bytes(VersionedTransaction(message, [wallet]))) is None
