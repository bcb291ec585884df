"""What `countermand explain` says of each instruction of the programs that every chain has.

The instructions are made by solders and solana-py.
"""

import pytest
import solders.system_program as system
import spl.token.instructions as spl
from solders.compute_budget import (
    request_heap_frame,
    set_compute_unit_limit,
    set_loaded_accounts_data_size_limit,
)
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from spl.memo.instructions import create_memo
from spl.memo.models import MemoParams
from spl.token import models

from tests.solana.test_explain import (
    ASSOCIATED,
    DEST,
    SOL,
    TOKEN,
    TOKEN_2022,
    A,
    B,
    C,
    D,
    E,
    P,
    U,
    made,
    told,
)

SYSTEM_SENTENCES = [
    (
        made(system.create_account, from_pubkey=P, to_pubkey=A, lamports=10**9, space=1_000, owner=B),
        f"{P} pays 1 SOL for the new account {A} of 1,000 bytes, which {B} owns.",
    ),
    (made(system.assign, pubkey=A, owner=B), f"{A} is given to the program {B}."),
    (made(system.transfer, from_pubkey=P, to_pubkey=A, lamports=1), f"0.000000001 SOL go from {P} to {A}."),
    (
        made(
            system.create_account_with_seed,
            from_pubkey=P,
            to_pubkey=A,
            base=B,
            seed="\x1b[31m\u202eé",
            lamports=0,
            space=0,
            owner=C,
        ),
        (
            f"{P} pays 0 SOL for the new account {A} of 0 bytes, which {C} owns; its address comes from {B} and the "
            'seed "\\u001b[31m\\u202e\\u00e9".'
        ),
    ),
    (
        made(system.advance_nonce_account, nonce_pubkey=A, authorized_pubkey=P),
        f"the durable nonce {A} of {P} advances.",
    ),
    (
        made(system.withdraw_nonce_account, nonce_pubkey=A, authorized_pubkey=B, to_pubkey=C, lamports=10**10),
        f"10 SOL go from the durable nonce {A} to {C}; {B} authorizes it.",
    ),
    (
        made(system.initialize_nonce_account, nonce_pubkey=A, authority=B),
        f"{A} becomes a durable nonce, which {B} controls.",
    ),
    (
        made(system.authorize_nonce_account, nonce_pubkey=A, authorized_pubkey=B, new_authority=C),
        f"the durable nonce {A} of {B} is given to {C}.",
    ),
    (made(system.allocate, pubkey=A, space=12), f"{A} gets 12 bytes."),
    (
        made(system.allocate_with_seed, address=A, base=B, seed="s", space=7, owner=C),
        f'{A} gets 7 bytes and is given to {C}; its address comes from {B} and the seed "s".',
    ),
    (
        made(system.assign_with_seed, address=A, base=B, seed="s", owner=C),
        f'{A} is given to {C}; its address comes from {B} and the seed "s".',
    ),
    (
        made(
            system.transfer_with_seed, from_pubkey=A, from_base=B, from_seed="s", from_owner=C, to_pubkey=D, lamports=2
        ),
        f"0.000000002 SOL go from {A} to {D}; {B}, from which its address comes, authorizes it.",
    ),
    (made(system.upgrade_nonce_account, nonce_pubkey=A), f"the durable nonce {A} takes the present form."),
    (
        made(system.create_account_allow_prefund, new_account=A, payer=P, lamports=10**9, space=3, owner=B),
        f"the account {A}, which may exist, gets 3 bytes and is given to {B}; {P} pays 1 SOL for it.",
    ),
]


@pytest.mark.parametrize(("instruction", "sentence"), SYSTEM_SENTENCES)
def test_the_system_program(instruction: Instruction, sentence: str) -> None:
    assert told(instruction) == f"System program: {sentence}"


NEW_TABLE = Pubkey.find_program_address(
    [bytes(B), (5).to_bytes(8, "little")], Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
)[0]
TOKENS: list[tuple[Instruction, str]] = [
    (
        spl.initialize_mint(
            models.InitializeMintParams(decimals=6, program_id=TOKEN, mint=A, mint_authority=B, freeze_authority=C)
        ),
        f"{A} becomes a token with 6 decimals, which {B} may mint; {C} may freeze its accounts.",
    ),
    (
        spl.initialize_mint2(models.InitializeMint2Params(decimals=6, program_id=TOKEN, mint=A, mint_authority=B)),
        f"{A} becomes a token with 6 decimals, which {B} may mint; its accounts cannot be frozen.",
    ),
    (
        spl.initialize_account(models.InitializeAccountParams(program_id=TOKEN, account=A, mint=U, owner=C)),
        f"{A} becomes a USDC account of {C}.",
    ),
    (
        spl.initialize_account2(models.InitializeAccount2Params(program_id=TOKEN, account=A, mint=B, owner=C)),
        f"{A} becomes a token {B} account of {C}.",
    ),
    (
        spl.initialize_account3(
            models.InitializeAccount3Params(program_id=TOKEN, account=A, mint=Pubkey.from_string(SOL), owner=C)
        ),
        f"{A} becomes a wrapped SOL account of {C}.",
    ),
    (
        spl.initialize_multisig(models.InitializeMultisigParams(program_id=TOKEN, multisig=A, m=2, signers=[B, C, D])),
        f"{A} becomes an authority for which 2 of {B}, {C} and {D} must sign.",
    ),
    (
        spl.initialize_multisig2(models.InitializeMultisig2Params(program_id=TOKEN, multisig=A, m=1, signers=[B, C])),
        f"{A} becomes an authority for which 1 of {B} and {C} must sign.",
    ),
    (
        spl.transfer(models.TransferParams(program_id=TOKEN, source=A, dest=B, owner=C, amount=1_234)),
        f"1,234 base units of a token that the transaction does not name go from {A} to {B}; {C} authorizes it.",
    ),
    (
        spl.transfer(models.TransferParams(program_id=TOKEN, source=A, dest=DEST, owner=C, amount=2, signers=[D, E])),
        f"0.000002 USDC go from {A} to {DEST} (the payer's USDC account); {C} authorizes it, and {D} and {E} sign too.",
    ),
    (
        spl.approve(models.ApproveParams(program_id=TOKEN, source=DEST, delegate=B, owner=P, amount=2**64 - 1)),
        f"{B} may take up to 18,446,744,073,709.551615 USDC from {DEST} (the payer's USDC account); {P} authorizes it.",
    ),
    (
        spl.revoke(models.RevokeParams(program_id=TOKEN, account=A, owner=P)),
        f"only the owner may take from {A} now; {P} authorizes it.",
    ),
    (
        spl.set_authority(
            models.SetAuthorityParams(
                program_id=TOKEN,
                account=A,
                authority=models.AuthorityType.ACCOUNT_OWNER,
                current_authority=P,
                new_authority=B,
            )
        ),
        f"the authority over the account of {A} goes to {B}; {P} authorizes it.",
    ),
    (
        spl.set_authority(
            models.SetAuthorityParams(
                program_id=TOKEN, account=A, authority=models.AuthorityType.MINT_TOKENS, current_authority=P
            )
        ),
        f"the authority to mint of {A} goes to no key, for ever; {P} authorizes it.",
    ),
    (
        spl.mint_to(models.MintToParams(program_id=TOKEN, mint=U, dest=B, mint_authority=P, amount=10**6)),
        f"1 USDC are made for {B}; {P} authorizes it.",
    ),
    (
        spl.burn(models.BurnParams(program_id=TOKEN, account=A, mint=B, owner=P, amount=5)),
        f"5 base units of the token {B} in {A} are destroyed; {P} authorizes it.",
    ),
    (
        spl.close_account(models.CloseAccountParams(program_id=TOKEN, account=A, dest=B, owner=P)),
        f"{A} is closed, and all its lamports go to {B}; {P} authorizes it.",
    ),
    (
        spl.freeze_account(models.FreezeAccountParams(program_id=TOKEN, account=A, mint=B, authority=P)),
        f"{A} is frozen; {P} authorizes it.",
    ),
    (
        spl.thaw_account(models.ThawAccountParams(program_id=TOKEN, account=A, mint=B, authority=P)),
        f"{A} is no longer frozen; {P} authorizes it.",
    ),
    (
        spl.transfer_checked(
            models.TransferCheckedParams(program_id=TOKEN, source=A, mint=B, dest=C, owner=P, amount=1_250, decimals=3)
        ),
        f"1.25 of the token {B} go from {A} to {C}; {P} authorizes it.",
    ),
    (
        spl.approve_checked(
            models.ApproveCheckedParams(program_id=TOKEN, source=A, mint=B, delegate=C, owner=P, amount=10, decimals=0)
        ),
        f"{C} may take up to 10 of the token {B} from {A}; {P} authorizes it.",
    ),
    (
        spl.mint_to_checked(
            models.MintToCheckedParams(program_id=TOKEN, mint=A, dest=B, mint_authority=P, amount=10, decimals=1)
        ),
        f"1 of the token {A} are made for {B}; {P} authorizes it.",
    ),
    (
        spl.burn_checked(models.BurnCheckedParams(program_id=TOKEN, mint=A, account=B, owner=P, amount=10, decimals=1)),
        f"1 of the token {A} in {B} are destroyed; {P} authorizes it.",
    ),
    (
        spl.sync_native(models.SyncNativeParams(program_id=TOKEN, account=A)),
        f"the lamports in {A} become its balance of wrapped SOL.",
    ),
    (
        spl.get_account_data_size(models.GetAccountDataSizeParams(program_id=TOKEN, mint=A)),
        f"a question about {A}, which changes nothing.",
    ),
    (
        spl.initialize_immutable_owner(models.InitializeImmutableOwnerParams(program_id=TOKEN, account=A)),
        f"the owner of {A} can never change.",
    ),
    (
        Instruction(
            TOKEN,
            bytes.fromhex("ff" + "0309" + "030100000000000000" + "0301" + "09"),
            [AccountMeta(each, is_signer=False, is_writable=True) for each in (A, DEST, C, A, B, D)],
        ),
        (
            f"at once: 0.000001 USDC go from {A} to {DEST} (the payer's USDC account); {C} authorizes it; then {A} is "
            f"closed, and all its lamports go to {B}; {D} authorizes it."
        ),
    ),
]


@pytest.mark.parametrize(("instruction", "sentence"), TOKENS)
def test_the_token_program(instruction: Instruction, sentence: str) -> None:
    assert told(instruction) == f"Token program: {sentence}"
    as_new = Instruction(TOKEN_2022, bytes(instruction.data), instruction.accounts)
    if DEST not in [meta.pubkey for meta in instruction.accounts]:
        assert told(as_new) == f"Token-2022 program: {sentence}"


def test_token_2022() -> None:
    metas = [AccountMeta(each, is_signer=False, is_writable=True) for each in (A, B, C, D)]
    with_fee = bytes([26, 1]) + (10_000).to_bytes(8, "little") + bytes([2]) + (50).to_bytes(8, "little")
    assert told(Instruction(TOKEN_2022, with_fee, metas)) == (
        f"Token-2022 program: 100 of the token {B} go from {A} to {C}; {D} authorizes it; "
        f"0.5 of the token {B} of it are withheld as a fee."
    )
    assert told(Instruction(TOKEN_2022, bytes([36, 0]) + bytes(64), metas[:1])) == (
        f"Token-2022 program: an instruction about a transfer hook, for {A}."
    )
    assert told(Instruction(TOKEN, bytes([36, 0]), metas[:1])) == (
        f"Token program: an instruction that is not known here: 1 account ({A}) and 2 bytes of data."
    )


@pytest.mark.parametrize(
    ("instruction", "sentence"),
    [
        (
            spl.create_associated_token_account(P, A, U),
            (
                f"Associated token program: {P} pays for the new USDC account {spl.get_associated_token_address(A, U)} "
                f"of {A}."
            ),
        ),
        (
            Instruction(
                ASSOCIATED,
                bytes([2]),
                [AccountMeta(each, is_signer=False, is_writable=True) for each in (A, B, C, D, B, E, TOKEN)],
            ),
            f"Associated token program: what is in {A}, an account that a token account owns, goes to {C} of {E}.",
        ),
        (
            create_memo(
                MemoParams(
                    program_id=Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"),
                    signer=P,
                    message='hi "\x1b]0;x\x07\n\u202e'.encode(),
                )
            ),
            f'Memo program: the note "hi \\"\\u001b]0;x\\u0007\\n\\u202e", signed by {P}.',
        ),
        (
            Instruction(Pubkey.from_string("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo"), b"\xff\xfe", []),
            "Memo program: the note 2 bytes that are no text.",
        ),
        (set_compute_unit_limit(1), "Compute budget: at most 1 compute unit."),
        (request_heap_frame(32_768), "Compute budget: a heap of 32,768 bytes."),
        (set_loaded_accounts_data_size_limit(65_536), "Compute budget: at most 65,536 bytes of accounts."),
        (
            system.create_lookup_table(
                system.CreateLookupTableParams(authority_address=B, payer_address=P, recent_slot=5)
            )[0],
            f"Lookup table program: {P} pays for the new lookup table {NEW_TABLE}, which {B} controls.",
        ),
        (
            made(
                system.extend_lookup_table,
                lookup_table_address=A,
                authority_address=B,
                payer_address=P,
                new_addresses=[C, D],
            ),
            f"Lookup table program: the lookup table {A} gets 2 more addresses.",
        ),
        (
            made(system.freeze_lookup_table, lookup_table_address=A, authority_address=P),
            f"Lookup table program: the lookup table {A} is frozen for ever.",
        ),
        (
            made(system.deactivate_lookup_table, lookup_table_address=A, authority_address=P),
            f"Lookup table program: the lookup table {A} is deactivated.",
        ),
        (
            made(system.close_lookup_table, lookup_table_address=A, authority_address=P, recipient_address=C),
            f"Lookup table program: the lookup table {A} is closed; its lamports go to {C}.",
        ),
        (
            Instruction(A, b"\0" * 3, [AccountMeta(B, is_signer=False, is_writable=True)]),
            f"The program {A}, which is not known here: 1 account ({B}) and 3 bytes of data.",
        ),
        (Instruction(A, b"", []), f"The program {A}, which is not known here: 0 accounts and 0 bytes of data."),
    ],
)
def test_other_programs(instruction: Instruction, sentence: str) -> None:
    assert told(instruction) == sentence
