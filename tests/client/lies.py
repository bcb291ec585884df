"""What a server could try to have signed: honest transactions, and what is changed in each."""

import base64
import ssl
from collections.abc import Callable, Sequence
from typing import Any

import httpx2
import msgspec
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.system_program import (
    AdvanceNonceAccountParams,
    TransferParams,
    advance_nonce_account,
    transfer,
)
from spl.token.constants import TOKEN_PROGRAM_ID
from spl.token.instructions import (
    approve,
    close_account,
    create_idempotent_associated_token_account,
    set_authority,
)
from spl.token.instructions import transfer as transfer_tokens
from spl.token.models import ApproveParams, AuthorityType, CloseAccountParams, SetAuthorityParams
from spl.token.models import TransferParams as TokenTransferParams

from countermand.solana.tokens import MEMO_PROGRAM, associated_token_address
from tests.altering import instructions_of

THIEF = Keypair.from_seed(bytes([66] * 32)).pubkey()
MINT = Pubkey.from_string("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")
UNKNOWN = Keypair.from_seed(bytes([67] * 32)).pubkey()

TLS = ssl.create_default_context()
"""Made once: to read all the certificates that a machine trusts takes longer than most tests."""

Lie = Callable[[list[Instruction], Pubkey], list[Instruction]]
"""Takes the instructions, and who is to sign."""


def told(transaction: str, lie: Lie, signer: Pubkey, payer: Pubkey | None = None) -> str:
    """The transaction with the lie in it, unsigned, in base64."""
    message = message_of(transaction)
    made = lie(instructions_of(message), signer)
    return unsigned(Message.new_with_blockhash(made, payer or signer, message.recent_blockhash))


def message_of(transaction: str) -> Message:
    raw = base64.b64decode(transaction)
    return Message.from_bytes(raw[1 + 64 * raw[0] :])


def unsigned(message: Message | MessageV0) -> str:
    count = message.header.num_required_signatures
    raw = bytes([count]) + bytes(64 * count)
    body = bytes(message) if isinstance(message, Message) else b"\x80" + bytes(message)
    return base64.b64encode(raw + body).decode()


def with_lookup(transaction: str, signer: Pubkey) -> str:
    """Version 0, with an account that only a lookup table knows."""
    message = message_of(transaction)
    table = AddressLookupTableAccount(UNKNOWN, [THIEF])
    more = transfer(TransferParams(from_pubkey=signer, to_pubkey=THIEF, lamports=1))
    made = MessageV0.try_compile(signer, [*instructions_of(message), more], [table], Hash.default())
    return unsigned(made)


# --- what can be added to any transaction


def adds(make: Callable[[Pubkey], Instruction]) -> Lie:
    return lambda instructions, signer: [*instructions, make(signer)]


def lamports_to_a_thief(signer: Pubkey) -> Instruction:
    return transfer(TransferParams(from_pubkey=signer, to_pubkey=THIEF, lamports=10**9))


def tokens_to_a_thief(signer: Pubkey) -> Instruction:
    params = TokenTransferParams(program_id=TOKEN_PROGRAM_ID, source=UNKNOWN, dest=THIEF, owner=signer, amount=1)
    return transfer_tokens(params)


def approves_a_thief(signer: Pubkey) -> Instruction:
    params = ApproveParams(program_id=TOKEN_PROGRAM_ID, source=UNKNOWN, delegate=THIEF, owner=signer, amount=1)
    return approve(params)


def gives_an_account_away(signer: Pubkey) -> Instruction:
    params = SetAuthorityParams(
        program_id=TOKEN_PROGRAM_ID,
        account=UNKNOWN,
        authority=AuthorityType.ACCOUNT_OWNER,
        current_authority=signer,
        new_authority=THIEF,
    )
    return set_authority(params)


def closes_for_a_thief(signer: Pubkey) -> Instruction:
    params = CloseAccountParams(program_id=TOKEN_PROGRAM_ID, account=UNKNOWN, dest=THIEF, owner=signer)
    return close_account(params)


def calls_what_is_not_known(signer: Pubkey) -> Instruction:
    return Instruction(UNKNOWN, b"\x01", [AccountMeta(signer, is_signer=True, is_writable=True)])


def advances_a_nonce(signer: Pubkey) -> Instruction:
    params = AdvanceNonceAccountParams(nonce_pubkey=UNKNOWN, authorized_pubkey=signer)
    return advance_nonce_account(params)


def costs_a_fortune(instructions: list[Instruction], _: Pubkey) -> list[Instruction]:
    return [set_compute_unit_limit(1_400_000), set_compute_unit_price(10**7), *without_budget(instructions)]


def without_budget(instructions: Sequence[Instruction]) -> list[Instruction]:
    return [each for each in instructions if str(each.program_id) != "ComputeBudget111111111111111111111111111111"]


def account_for_a_thief(signer: Pubkey) -> Instruction:
    return create_idempotent_associated_token_account(signer, THIEF, MINT)


def account_elsewhere(signer: Pubkey) -> Instruction:
    return account(1)(create_idempotent_associated_token_account(signer, signer, MINT))


def account_of_another_program(signer: Pubkey) -> Instruction:
    """The program says how large it is, and keeps the rent."""
    return _associated(signer, MINT, UNKNOWN)


def account_for_another_mint(signer: Pubkey) -> Instruction:
    return _associated(signer, UNKNOWN, TOKEN_PROGRAM_ID)


def _associated(signer: Pubkey, mint: Pubkey, program: Pubkey) -> Instruction:
    address = Pubkey.from_string(associated_token_address(str(signer), str(mint), str(program)))
    honest = create_idempotent_associated_token_account(signer, signer, MINT)
    return account(5, program)(account(3, mint)(account(1, address)(honest)))


def account_paid_by_another(signer: Pubkey) -> Instruction:
    return create_idempotent_associated_token_account(THIEF, signer, MINT)


def signs_in(signer: Pubkey) -> Instruction:
    """To the service that gave this challenge to the liar."""
    text = (
        f"Sign this message to authenticate with Jupiter that you are the owner of {signer}.\n\nThis challenge expires"
    )
    return Instruction(Pubkey.from_string(MEMO_PROGRAM), text.encode(), [])


def cut_short(signer: Pubkey) -> Instruction:
    return Instruction(TOKEN_PROGRAM_ID, b"\x03\x01", [AccountMeta(signer, is_signer=True, is_writable=True)] * 3)


ANYWHERE: dict[str, Lie] = {
    "lamports to a thief": adds(lamports_to_a_thief),
    "tokens to a thief": adds(tokens_to_a_thief),
    "a delegate": adds(approves_a_thief),
    "another owner": adds(gives_an_account_away),
    "a close for a thief": adds(closes_for_a_thief),
    "an account for a thief": adds(account_for_a_thief),
    "an account elsewhere": adds(account_elsewhere),
    "an account of another program": adds(account_of_another_program),
    "an account for another mint": adds(account_for_another_mint),
    "an account that another pays": adds(account_paid_by_another),
    "a challenge": adds(signs_in),
    "an instruction that is cut short": adds(cut_short),
    "an unknown program": adds(calls_what_is_not_known),
    "a durable nonce": lambda instructions, signer: [advances_a_nonce(signer), *instructions],
    "a fortune for the fee": costs_a_fortune,
}


# --- what can be changed in what is there


def changes(program: str, number: bytes, change: Callable[[Instruction], Instruction]) -> Lie:
    """Each instruction of the program that begins so. There must be one."""

    def lie(instructions: list[Instruction], _: Pubkey) -> list[Instruction]:
        found = [str(each.program_id) == program and bytes(each.data).startswith(number) for each in instructions]
        assert any(found), "the lie changes nothing"
        return [change(each) if hit else each for each, hit in zip(instructions, found, strict=True)]

    return lie


def data(at: int, new: bytes) -> Callable[[Instruction], Instruction]:
    def change(given: Instruction) -> Instruction:
        old = bytes(given.data)
        return Instruction(given.program_id, old[:at] + new + old[at + len(new) :], given.accounts)

    return change


def account(index: int, new: Pubkey = THIEF) -> Callable[[Instruction], Instruction]:
    def change(given: Instruction) -> Instruction:
        metas = list(given.accounts)
        metas[index] = AccountMeta(new, is_signer=metas[index].is_signer, is_writable=metas[index].is_writable)
        return Instruction(given.program_id, bytes(given.data), metas)

    return change


def everywhere(old: Callable[[list[Instruction]], Pubkey], new: Pubkey = THIEF) -> Lie:
    """One account replaced wherever it stands, in data too: a transaction that agrees with itself."""

    def lie(instructions: list[Instruction], _: Pubkey) -> list[Instruction]:
        key = old(instructions)
        return [
            Instruction(
                each.program_id,
                bytes(each.data).replace(bytes(key), bytes(new)),
                [
                    AccountMeta(new if meta.pubkey == key else meta.pubkey, meta.is_signer, meta.is_writable)
                    for meta in each.accounts
                ],
            )
            for each in instructions
        ]

    return lie


class Liar(httpx2.BaseTransport):
    """Asks the venue, and changes what it answers to one path, the last part of it."""

    def __init__(self, path: str, change: Callable[[Any], Any]) -> None:
        self._http, self._path, self._change = httpx2.HTTPTransport(verify=TLS), path, change
        self.told = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = self._http.handle_request(request)
        body = answer.read()
        if self._path in request.url.path and answer.status_code == 200:
            self.told += 1
            body = msgspec.json.encode(self._change(msgspec.json.decode(body)))
        return httpx2.Response(answer.status_code, content=body, headers={"content-type": "application/json"})

    def close(self) -> None:
        self._http.close()
