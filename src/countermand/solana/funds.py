"""Whether the payer of a transaction can pay for it, asked before anything is sent.

A chain drops a transaction whose payer cannot pay the fee, and says nothing: its sender waits in vain.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from countermand.solana.explain.calls import Call, calls_of
from countermand.solana.fees import fee_of
from countermand.solana.port import Address, Chain, JsonError
from countermand.solana.tokens import (
    ASSOCIATED_TOKEN_PROGRAM,
    CREATES_ASSOCIATED,
    SYSTEM_PROGRAM,
    TOKEN_2022_PROGRAM,
    TOKEN_ACCOUNT_RENT_LAMPORTS,
    TOKEN_PROGRAMS,
    read_token_account,
)
from countermand.solana.wire import SIGNATURE_BYTES, WireTransaction, read_transaction

WALLET_RENT_LAMPORTS: Final = 890_880
"""An account without data holds nothing, or at least as much."""
_TOKEN_2022_ACCOUNT_RENT_LAMPORTS: Final = 2_074_080
"""An associated account of Token-2022 is larger by an extension."""
_NO_FEE: Final = ("AccountNotFound", "InsufficientFundsForFee")
_TOO_FEW_LAMPORTS: Final = {"Custom": 1}
"""How the system program calls it."""
_TRANSFER_CHECKED: Final = b"\x0c"


class TokensMissing(Struct, frozen=True):
    mint: Address
    units: int


async def fee_shortfall_of(chain: Chain, message: bytes) -> str | None:
    """Why its payer cannot pay the fee, with the lamports held and needed; None if it can.

    Whatever else it lacks, the transaction lands and fails, and the chain says so.
    """
    wire = _unsigned(message)
    payer, fee = str(wire.static_keys[0]), fee_of(wire.message)
    (held,) = await _lamports(chain, [payer])
    if (held or 0) >= fee + WALLET_RENT_LAMPORTS:  # Most have plenty, and then nothing is simulated.
        return None
    error = (await chain.simulate(wire.raw)).error
    return _shortage(payer, held or 0, fee, 0) if error in _NO_FEE or _leaves_too_little(error) else None


async def shortfall_of(chain: Chain, message: bytes) -> str | None:
    """The same of the fee and of what its own instructions take from the payer, such as the rent of a new account."""
    short = await _short(chain, message)
    return None if short is None else _shortage(*short)


async def lamports_missing(chain: Chain, message: bytes) -> int | None:
    """How many lamports its payer lacks for that. None: none."""
    short = await _short(chain, message)
    if short is None:
        return None
    _, held, fee, spent = short
    return fee + max(spent, WALLET_RENT_LAMPORTS) - held


async def tokens_missing(chain: Chain, message: bytes) -> TokensMissing | None:
    """What the source of its first transfer of tokens lacks for that. None: nothing."""
    for call in calls_of(_unsigned(message)):
        if call.program in TOKEN_PROGRAMS and call.data.startswith(_TRANSFER_CHECKED):
            (info,) = await chain.accounts([call.account(0)])
            source = None if info is None or info.owner != call.program else read_token_account(info.data)
            units = call.fields(1).u64() - (0 if source is None else source.amount)
            return TokensMissing(call.account(1), units) if units > 0 else None
    return None


async def costs_of(chain: Chain, message: bytes) -> tuple[int, int]:
    """Lamports that its payer gives: the fee, and what its own instructions take, such as the rent of a new account."""
    _, fee, spent = await _cost(chain, _unsigned(message))
    return fee, spent


def associated_rent(token_program: Address) -> int:
    """Lamports that a new associated account of this program takes."""
    return _TOKEN_2022_ACCOUNT_RENT_LAMPORTS if token_program == TOKEN_2022_PROGRAM else TOKEN_ACCOUNT_RENT_LAMPORTS


async def _short(chain: Chain, message: bytes) -> tuple[Address, int, int, int] | None:
    """Of a payer that cannot pay: itself, what it holds, the fee, and what is spent beside."""
    wire = _unsigned(message)
    held, fee, spent = await _cost(chain, wire)
    if held >= fee + spent + WALLET_RENT_LAMPORTS:
        return None
    error = (await chain.simulate(wire.raw)).error
    lacks = error in _NO_FEE or _leaves_too_little(error) or _lacks_lamports(error, calls_of(wire))
    return (str(wire.static_keys[0]), held, fee, spent) if lacks else None


async def _cost(chain: Chain, wire: WireTransaction) -> tuple[int, int, int]:
    """What the payer holds, the fee, and what is spent beside."""
    calls, payer = calls_of(wire), str(wire.static_keys[0])
    made = [call.accounts[1] for call in calls if _creates_associated(call, payer)]
    held, *there = await _lamports(chain, [payer, *made])
    missing = [account for account, lamports in zip(made, there, strict=True) if lamports is None]
    return held or 0, fee_of(wire.message), sum(_spent(calls, payer, missing))


async def _lamports(chain: Chain, addresses: list[Address]) -> list[int | None]:
    """None: there is no such account."""
    return [None if info is None else info.lamports for info in await chain.accounts(addresses)]


def _unsigned(message: bytes) -> WireTransaction:
    signers = message[0] if message[0] < 0x80 else message[1]
    return read_transaction(bytes([signers]) + bytes(SIGNATURE_BYTES * signers) + message)


def _creates_associated(call: Call, payer: Address) -> bool:
    is_create = call.program == ASSOCIATED_TOKEN_PROGRAM and call.data in CREATES_ASSOCIATED
    return is_create and len(call.accounts) > 1 and call.accounts[0] == payer


def _spent(calls: tuple[Call, ...], payer: Address, missing: list[Address]) -> Iterator[int]:
    """What its own instructions take from the payer. What programs take beside is not in the message."""
    for call in calls:
        if _creates_associated(call, payer) and call.accounts[1] in missing:
            yield associated_rent(call.accounts[-1])
        elif call.program == SYSTEM_PROGRAM and call.accounts[:1] == (payer,):
            match int.from_bytes(call.data[:4], "little"):
                case 0 | 2:  # CreateAccount, Transfer
                    yield int.from_bytes(call.data[4:12], "little")
                case 3:  # CreateAccountWithSeed: a base of 32 bytes, and a seed with its length in 8.
                    seed_bytes = int.from_bytes(call.data[36:44], "little")
                    yield int.from_bytes(call.data[44 + seed_bytes :][:8], "little")


def _lacks_lamports(error: JsonError | None, calls: tuple[Call, ...]) -> bool:
    failed = error.get("InstructionError") if isinstance(error, dict) else None
    if failed is None or failed[1] != _TOO_FEW_LAMPORTS:
        return False
    return calls[failed[0]].program in (SYSTEM_PROGRAM, ASSOCIATED_TOKEN_PROGRAM)


def _leaves_too_little(error: JsonError | None) -> bool:
    return isinstance(error, dict) and error.get("InsufficientFundsForRent") == {"account_index": 0}


def _shortage(payer: Address, held: int, fee: int, spent: int) -> str:
    """What is spent beyond the fee can be what must stay there once the fee is paid."""
    beside = (
        f"{spent} for a new account"
        if spent >= WALLET_RENT_LAMPORTS
        else f"{WALLET_RENT_LAMPORTS} that must stay in the account"
    )
    needed = fee + max(spent, WALLET_RENT_LAMPORTS)
    return f"{payer} holds {held} lamports, and {needed} are needed: {fee} for the fee, {beside}"
