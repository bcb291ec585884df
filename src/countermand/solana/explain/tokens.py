"""Sentences about the token programs.

Layouts: the interfaces of SPL Token and Token-2022, which share their first 25 instructions.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from countermand.solana.explain.basics import Sentence
from countermand.solana.explain.calls import Call
from countermand.solana.explain.names import Names, listed, token_account
from countermand.solana.port import Address
from countermand.solana.programs.anchor import Unreadable
from countermand.solana.tokens import TOKEN_2022_PROGRAM
from countermand.values.structs import replace

_BATCH: Final = 255
_TRANSFER_FEE: Final = 26
_WITH_FEE: Final = 1
_AUTHORITIES: Final = ("to mint", "to freeze accounts", "over the account", "to close the account")
_EXTENSIONS: Final[Mapping[int, str]] = MappingProxyType(
    {
        25: "an authority that may close the mint",
        26: "transfer fees",
        27: "confidential transfers",
        28: "the state in which accounts begin",
        29: "room for extensions",
        30: "required memos",
        31: "the mint of wrapped SOL",
        32: "a mint whose tokens cannot be transferred",
        33: "interest",
        34: "a guard against calls by programs",
        35: "a permanent delegate",
        36: "a transfer hook",
        37: "confidential transfer fees",
        38: "surplus lamports",
        39: "a pointer to metadata",
        40: "a pointer to a group",
        41: "a pointer to a member of a group",
        42: "confidential minting and burning",
        43: "scaled amounts",
        44: "pausing",
    }
)


def token_program(call: Call, names: Names) -> str:
    number = call.fields().u8()
    sentence = _SENTENCES.get(number)
    if sentence is not None:
        return sentence(call, names)
    if call.program == TOKEN_2022_PROGRAM:
        if call.data[:2] == bytes([_TRANSFER_FEE, _WITH_FEE]):
            return _transfer_with_fee(call, names)
        if number in _EXTENSIONS:
            return f"an instruction about {_EXTENSIONS[number]}, for {names.accounts(call.accounts) or 'no account'}"
    raise Unreadable(f"no instruction {number}")


def _authorized(call: Call, at: int) -> str:
    """A multisignature authority lets others sign for it, and any authority may have others sign with it."""
    authority = call.account(at)
    others = [each for each in call.accounts[at + 1 :] if each != authority]
    if not others:
        return f"{authority} authorizes it"
    return f"{authority} authorizes it, and {listed(others)} {'signs' if len(others) == 1 else 'sign'} too"


def _transfer(call: Call, names: Names) -> str:
    units, source, to = call.fields(1).u64(), call.account(0), call.account(1)
    amount = names.amount(units, names.mint_of(source, to))
    return _moves(amount, source, to, _authorized(call, 2), names)


def _transfer_checked(call: Call, names: Names) -> str:
    of = call.fields(1)
    amount = names.amount(of.u64(), call.account(1), of.u8())
    return _moves(amount, call.account(0), call.account(2), _authorized(call, 3), names)


def _transfer_with_fee(call: Call, names: Names) -> str:
    of = call.fields(2)
    units, decimals, fee = of.u64(), of.u8(), of.u64()
    amount, kept = (names.amount(each, call.account(1), decimals) for each in (units, fee))
    moved = _moves(amount, call.account(0), call.account(2), _authorized(call, 3), names)
    return f"{moved}; {kept} of it are withheld as a fee"


def _moves(amount: str, source: Address, to: Address, authorized: str, names: Names) -> str:
    return f"{amount} go from {names.account(source)} to {names.account(to)}; {authorized}"


def _approve(call: Call, names: Names) -> str:
    source, delegate = call.account(0), call.account(1)
    amount = names.amount(call.fields(1).u64(), names.mint_of(source))
    return f"{delegate} may take up to {amount} from {names.account(source)}; {_authorized(call, 2)}"


def _approve_checked(call: Call, names: Names) -> str:
    of = call.fields(1)
    source, mint, delegate = (call.account(index) for index in range(3))
    amount = names.amount(of.u64(), mint, of.u8())
    return f"{delegate} may take up to {amount} from {names.account(source)}; {_authorized(call, 3)}"


def _revoke(call: Call, names: Names) -> str:
    return f"only the owner may take from {names.account(call.account(0))} now; {_authorized(call, 1)}"


def _set_authority(call: Call, names: Names) -> str:
    of = call.fields(1)
    kind, to = of.u8(), of.option(of.key)
    what = _AUTHORITIES[kind] if kind < len(_AUTHORITIES) else f"of kind {kind}"
    account = names.account(call.account(0))
    return f"the authority {what} of {account} goes to {to or 'no key, for ever'}; {_authorized(call, 1)}"


def _mint_to(call: Call, names: Names) -> str:
    amount = names.amount(call.fields(1).u64(), call.account(0))
    return f"{amount} are made for {names.account(call.account(1))}; {_authorized(call, 2)}"


def _mint_to_checked(call: Call, names: Names) -> str:
    of = call.fields(1)
    amount = names.amount(of.u64(), call.account(0), of.u8())
    return f"{amount} are made for {names.account(call.account(1))}; {_authorized(call, 2)}"


def _burn(call: Call, names: Names) -> str:
    amount = names.amount(call.fields(1).u64(), call.account(1))
    return f"{amount} in {names.account(call.account(0))} are destroyed; {_authorized(call, 2)}"


def _burn_checked(call: Call, names: Names) -> str:
    of = call.fields(1)
    amount = names.amount(of.u64(), call.account(1), of.u8())
    return f"{amount} in {names.account(call.account(0))} are destroyed; {_authorized(call, 2)}"


def _close(call: Call, names: Names) -> str:
    account, to = names.account(call.account(0)), names.account(call.account(1))
    return f"{account} is closed, and all its lamports go to {to}; {_authorized(call, 2)}"


def _freeze(call: Call, names: Names) -> str:
    return f"{names.account(call.account(0))} is frozen; {_authorized(call, 2)}"


def _thaw(call: Call, names: Names) -> str:
    return f"{names.account(call.account(0))} is no longer frozen; {_authorized(call, 2)}"


def _initialize_mint(call: Call, _: Names) -> str:
    of = call.fields(1)
    decimals, authority, freezer = of.u8(), of.key(), of.option(of.key)
    freezes = f"{freezer} may freeze its accounts" if freezer else "its accounts cannot be frozen"
    return f"{call.account(0)} becomes a token with {decimals} decimals, which {authority} may mint; {freezes}"


def _initialize_account(call: Call, _: Names) -> str:
    """The first form names the owner as an account, the later two in the data."""
    owner = call.account(2) if call.data[0] == 1 else call.fields(1).key()
    return f"{call.account(0)} becomes a {token_account(call.account(1))} of {owner}"


def _initialize_multisig(call: Call, _: Names) -> str:
    first = 2 if call.data[0] == 2 else 1
    needed, signers = call.fields(1).u8(), call.accounts[first:]
    return f"{call.account(0)} becomes an authority for which {needed} of {listed(signers)} must sign"


def _sync_native(call: Call, names: Names) -> str:
    return f"the lamports in {names.account(call.account(0))} become its balance of wrapped SOL"


def _immutable_owner(call: Call, _: Names) -> str:
    return f"the owner of {call.account(0)} can never change"


def _asks(call: Call, names: Names) -> str:
    return f"a question about {names.account(call.account(0))}, which changes nothing"


def _batch(call: Call, names: Names) -> str:
    """Several instructions in one: each with the number of its accounts, that of its bytes, and these bytes."""
    of, at, parts, end = call.fields(1), 0, [], len(call.data) - 1
    while end > 0:
        accounts, size = of.u8(), of.u8()
        end -= 2 + size
        part = replace(call, accounts=call.accounts[at : at + accounts], data=of.take(size))
        at += accounts
        if at > len(call.accounts) or part.data[:1] == bytes([_BATCH]):
            raise Unreadable("no batch")
        parts.append(token_program(part, names))
    return "at once: " + "; then ".join(parts) if parts else "nothing"


_SENTENCES: Final[Mapping[int, Sentence]] = MappingProxyType(
    {
        0: _initialize_mint,
        1: _initialize_account,
        2: _initialize_multisig,
        3: _transfer,
        4: _approve,
        5: _revoke,
        6: _set_authority,
        7: _mint_to,
        8: _burn,
        9: _close,
        10: _freeze,
        11: _thaw,
        12: _transfer_checked,
        13: _approve_checked,
        14: _mint_to_checked,
        15: _burn_checked,
        16: _initialize_account,
        17: _sync_native,
        18: _initialize_account,
        19: _initialize_multisig,
        20: _initialize_mint,
        21: _asks,
        22: _immutable_owner,
        23: _asks,
        24: _asks,
        _BATCH: _batch,
    }
)
