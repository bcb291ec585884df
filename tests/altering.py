"""What wallets and users do to a transaction before they sign it."""

import base64
from collections.abc import Callable, Sequence

from solders.compute_budget import set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

LIGHTHOUSE = Pubkey.from_string("L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95")
MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
SPONSOR = Keypair.from_seed(bytes([77] * 32))

Alter = Callable[[Message], Message | MessageV0]


def instructions_of(message: Message) -> list[Instruction]:
    keys, header = message.account_keys, message.header
    signers = header.num_required_signatures

    def meta(index: int) -> AccountMeta:
        is_signer = index < signers
        last = (
            signers - header.num_readonly_signed_accounts
            if is_signer
            else len(keys) - header.num_readonly_unsigned_accounts
        )
        return AccountMeta(keys[index], is_signer=is_signer, is_writable=index < last)

    return [
        Instruction(keys[each.program_id_index], bytes(each.data), [meta(index) for index in each.accounts])
        for each in message.instructions
    ]


def compiled(
    message: Message, instructions: Sequence[Instruction], payer: Pubkey | None = None, blockhash: Hash | None = None
) -> Message:
    payer, blockhash = payer or message.account_keys[0], blockhash or message.recent_blockhash
    return Message.new_with_blockhash(list(instructions), payer, blockhash)


def budgeted(message: Message) -> Message:
    """Another price before all, as wallets with a fee slider do."""
    return compiled(message, [set_compute_unit_price(7), *instructions_of(message)])


def asserted(message: Message) -> Message:
    """With an assert of Lighthouse at the end, about the payer's account."""
    checked = AccountMeta(message.account_keys[0], is_signer=False, is_writable=False)
    return compiled(message, [*instructions_of(message), Instruction(LIGHTHOUSE, b"\x09\x00\x01", [checked])])


def sponsored(message: Message) -> Message:
    """Another account pays the fee."""
    return compiled(message, instructions_of(message), SPONSOR.pubkey())


def cosigned(message: Message) -> Message:
    """One more signs, and does no more than that."""
    metas = [AccountMeta(SPONSOR.pubkey(), is_signer=True, is_writable=False)]
    return compiled(message, [*instructions_of(message), Instruction(MEMO, b"hello", metas)])


def reordered(message: Message) -> Message:
    first, second, *others = instructions_of(message)
    return compiled(message, [second, first, *others])


def shortened(message: Message) -> Message:
    return compiled(message, instructions_of(message)[1:])


def other_amount(message: Message) -> Message:
    *others, last = instructions_of(message)
    at = next(index for index, each in enumerate(others) if len(bytes(each.data)) >= 9)
    spoilt = bytes(others[at].data)[:1] + b"\x01" + bytes(others[at].data)[2:]
    others[at] = Instruction(others[at].program_id, spoilt, others[at].accounts)
    return compiled(message, [*others, last])


def refreshed(message: Message) -> Message:
    return compiled(message, instructions_of(message), blockhash=Hash(bytes([9] * 32)))


def as_version_0(message: Message) -> MessageV0:
    """The same instructions, for a wallet that knows only one encoding."""
    return MessageV0.try_compile(message.account_keys[0], instructions_of(message), [], message.recent_blockhash)


ALTERED: dict[str, tuple[Alter, str]] = {
    "a compute budget": (budgeted, "accounts"),
    "a Lighthouse assert": (asserted, "accounts"),
    "another payer": (sponsored, "signers"),
    "another signer": (cosigned, "signers"),
    "another order of instructions": (reordered, "accounts"),
    "an instruction less": (shortened, "accounts"),
    "another amount": (other_amount, "accounts"),
    "another blockhash": (refreshed, "accounts"),
    "version 0": (as_version_0, "accounts"),
}
"""By what is altered; and whether those who sign are, as a withdrawal's refusal says it."""


def altered(transaction: str, alter: Alter, *keys: Keypair) -> str:
    """Signed by those of the keys, and of the sponsor, whose signature it wants."""
    read = VersionedTransaction.from_bytes(base64.b64decode(transaction)).message
    assert isinstance(read, Message)
    message = alter(read)
    signers = message.account_keys[: message.header.num_required_signatures]
    known = {key.pubkey(): key for key in (*keys, SPONSOR)}
    signable = to_bytes_versioned(message)
    signatures = [known[each].sign_message(signable) if each in known else Signature.default() for each in signers]
    return base64.b64encode(bytes(VersionedTransaction.populate(message, signatures))).decode()
