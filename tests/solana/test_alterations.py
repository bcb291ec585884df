"""What is said of a message that differs from the one that was built (D10)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, to_bytes_versioned
from solders.system_program import TransferParams, transfer

from countermand.solana.alterations import alteration_of
from countermand.values.transactions import Alteration
from tests.altering import ALTERED, LIGHTHOUSE, MEMO, SPONSOR, Alter

USER, OTHER = Keypair.from_seed(bytes([7] * 32)).pubkey(), Keypair.from_seed(bytes([8] * 32)).pubkey()
BUILT = Message.new_with_blockhash(
    [
        set_compute_unit_limit(592),
        transfer(TransferParams(from_pubkey=USER, to_pubkey=OTHER, lamports=5)),
        Instruction(MEMO, b"a note", [AccountMeta(USER, is_signer=True, is_writable=False)]),
    ],
    USER,
    Hash(bytes([1] * 32)),
)
BUDGET = "Compute budget: an offer of 7 micro-lamports for each compute unit"
DIFFERENCES: dict[str, dict[str, object]] = {
    "a compute budget": {"instructions_added": [BUDGET]},
    "a Lighthouse assert": {
        "accounts_added": [str(LIGHTHOUSE)],
        "instructions_added": [
            f"The program {LIGHTHOUSE}, which is not known here: 1 account ({USER}) and 3 bytes of data"
        ],
    },
    "another payer": {
        "payer": f"{USER} became {SPONSOR.pubkey()}",
        "signers_added": [str(SPONSOR.pubkey())],
        "accounts_added": [str(SPONSOR.pubkey())],
    },
    "another order of instructions": {"instructions_reordered": True},
    "an instruction less": {
        "accounts_removed": ["ComputeBudget111111111111111111111111111111"],
        "instructions_removed": ["Compute budget: at most 592 compute units"],
    },
    "another blockhash": {"blockhash": f"{Hash(bytes([1] * 32))} became {Hash(bytes([9] * 32))}"},
    "version 0": {"version": "legacy became version 0"},
}


def alteration(alter: Alter) -> Alteration:
    return alteration_of(bytes(BUILT), to_bytes_versioned(alter(BUILT)))


@pytest.mark.parametrize("what", DIFFERENCES)
def test_what_differs_is_named_and_nothing_else(what: str) -> None:
    assert alteration(ALTERED[what][0]).differences == DIFFERENCES[what]


@pytest.mark.parametrize("what", ALTERED)
def test_it_is_told_whether_the_signers_differ(what: str) -> None:
    alter, which = ALTERED[what]
    assert alteration(alter).signers == (which == "signers")


def test_accounts_in_another_order_are_a_difference_too() -> None:
    """A compiler may sort them as it likes, and the message is another one all the same."""
    keys = list(BUILT.account_keys)
    at, other = keys.index(MEMO), len(keys) - 2
    assert at != other
    moved = {at: other, other: at}
    keys[at], keys[other] = keys[other], keys[at]
    instructions = [
        type(each)(
            moved.get(each.program_id_index, each.program_id_index),
            bytes(each.data),
            bytes(moved.get(index, index) for index in each.accounts),
        )
        for each in BUILT.instructions
    ]
    sorted_otherwise = Message.new_with_compiled_instructions(
        BUILT.header.num_required_signatures,
        BUILT.header.num_readonly_signed_accounts,
        BUILT.header.num_readonly_unsigned_accounts,
        keys,
        BUILT.recent_blockhash,
        instructions,
    )
    assert bytes(sorted_otherwise) != bytes(BUILT)
    assert list(alteration_of(bytes(BUILT), bytes(sorted_otherwise)).differences) == ["layout"]


def test_a_long_list_is_cut() -> None:
    def padded(message: Message) -> Message:
        notes = [Instruction(MEMO, bytes([65 + number]), []) for number in range(20)]
        return ALTERED["another order of instructions"][0](
            Message.new_with_blockhash([set_compute_unit_limit(592), *notes], USER, message.recent_blockhash)
        )  # type: ignore[return-value]

    added = alteration(padded).differences["instructions_added"]
    assert isinstance(added, list)
    assert (len(added), added[-1]) == (13, "and 8 more")


@given(st.sampled_from(sorted(ALTERED)), st.integers(0, 400), st.integers(1, 255))
def test_another_message_is_never_called_the_same(what: str, at: int, bits: int) -> None:
    """Also one with a byte spoilt, as long as it is a message."""
    submitted = bytearray(to_bytes_versioned(ALTERED[what][0](BUILT)))
    submitted[at % len(submitted)] ^= bits
    try:
        found = alteration_of(bytes(BUILT), bytes(submitted))
    except ValueError:
        return  # A reader of submissions never gets as far.
    assert found.differences or bytes(submitted) == bytes(BUILT)
