"""Sentences about the programs that every chain has: System, Associated Token, Memo, Compute Budget, lookup tables.

Layouts: the interfaces of Agave's built-in programs (a number of four bytes, then the fields) and of the SPL programs.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from countermand.solana.explain.calls import Call
from countermand.solana.explain.names import Names, counted, listed, quoted, sol, token_account
from countermand.solana.programs.anchor import Fields, Unreadable

Sentence = Callable[[Call, Names], str]

_SEED_BYTES_MAX: Final = 32


def system(call: Call, names: Names) -> str:
    return _numbered(_SYSTEM, call.fields().u32())(call, names)


def associated(call: Call, names: Names) -> str:
    number = call.data[0] if call.data else 0
    if number > 2:
        raise Unreadable(f"no instruction {number}")
    if number == 2:
        nested, owner = names.account(call.account(0)), names.account(call.account(5))
        return f"what is in {nested}, an account that a token account owns, goes to {call.account(2)} of {owner}"
    payer, account, owner, mint = (call.account(index) for index in range(4))
    unless = ", unless it is there already" if number == 1 else ""
    return f"{payer} pays for the new {token_account(mint)} {account} of {owner}{unless}"


def memo(call: Call, _: Names) -> str:
    signers = f", signed by {listed(call.accounts)}" if call.accounts else ""
    return f"the note {quoted(call.data)}{signers}"


def compute_budget(call: Call, _: Names) -> str:
    of = call.fields()
    match of.u8():
        case 1:
            return f"a heap of {of.u32():,} bytes"
        case 2:
            return f"at most {counted(of.u32(), 'compute unit')}"
        case 3:
            return f"an offer of {of.u64():,} micro-lamports for each compute unit"
        case 4:
            return f"at most {of.u32():,} bytes of accounts"
    raise Unreadable("no such instruction")


def lookup_table(call: Call, _: Names) -> str:
    of, table = call.fields(), call.account(0)
    match of.u32():
        case 0:
            return f"{call.account(2)} pays for the new lookup table {table}, which {call.account(1)} controls"
        case 1:
            return f"the lookup table {table} is frozen for ever"
        case 2:
            added = [of.key() for _ in range(_length(of))]
            return f"the lookup table {table} gets {counted(len(added), 'more address', 'more addresses')}"
        case 3:
            return f"the lookup table {table} is deactivated"
        case 4:
            return f"the lookup table {table} is closed; its lamports go to {call.account(2)}"
    raise Unreadable("no such instruction")


def _create(call: Call, names: Names) -> str:
    of = call.fields(4)
    lamports, space, owner = of.u64(), of.u64(), of.key()
    payer, account = call.account(0), names.account(call.account(1))
    return f"{payer} pays {sol(lamports)} for the new account {account} of {space:,} bytes, which {owner} owns"


def _assign(call: Call, names: Names) -> str:
    return f"{names.account(call.account(0))} is given to the program {call.fields(4).key()}"


def _transfer(call: Call, names: Names) -> str:
    lamports = call.fields(4).u64()
    return f"{sol(lamports)} go from {names.account(call.account(0))} to {names.account(call.account(1))}"


def _create_with_seed(call: Call, names: Names) -> str:
    of = call.fields(4)
    base, seed, lamports, space, owner = of.key(), _seed(of), of.u64(), of.u64(), of.key()
    payer, account = call.account(0), names.account(call.account(1))
    return (
        f"{payer} pays {sol(lamports)} for the new account {account} of {space:,} bytes, which {owner} owns; "
        f"its address comes from {base} and the seed {seed}"
    )


def _advance_nonce(call: Call, _: Names) -> str:
    return f"the durable nonce {call.account(0)} of {call.account(2)} advances"


def _withdraw_nonce(call: Call, names: Names) -> str:
    lamports, to = call.fields(4).u64(), names.account(call.account(1))
    return f"{sol(lamports)} go from the durable nonce {call.account(0)} to {to}; {call.account(4)} authorizes it"


def _initialize_nonce(call: Call, _: Names) -> str:
    return f"{call.account(0)} becomes a durable nonce, which {call.fields(4).key()} controls"


def _authorize_nonce(call: Call, _: Names) -> str:
    return f"the durable nonce {call.account(0)} of {call.account(1)} is given to {call.fields(4).key()}"


def _allocate(call: Call, names: Names) -> str:
    return f"{names.account(call.account(0))} gets {call.fields(4).u64():,} bytes"


def _allocate_with_seed(call: Call, names: Names) -> str:
    of = call.fields(4)
    base, seed, space, owner = of.key(), _seed(of), of.u64(), of.key()
    account = names.account(call.account(0))
    return f"{account} gets {space:,} bytes and is given to {owner}; its address comes from {base} and the seed {seed}"


def _assign_with_seed(call: Call, names: Names) -> str:
    of = call.fields(4)
    base, seed, owner = of.key(), _seed(of), of.key()
    return f"{names.account(call.account(0))} is given to {owner}; its address comes from {base} and the seed {seed}"


def _transfer_with_seed(call: Call, names: Names) -> str:
    lamports = call.fields(4).u64()
    source, base, to = (names.account(call.account(index)) for index in range(3))
    return f"{sol(lamports)} go from {source} to {to}; {base}, from which its address comes, authorizes it"


def _upgrade_nonce(call: Call, _: Names) -> str:
    return f"the durable nonce {call.account(0)} takes the present form"


def _create_prefunded(call: Call, names: Names) -> str:
    """The account may hold lamports already, and then no payment is needed."""
    of, account = call.fields(4), names.account(call.account(0))
    lamports, space, owner = of.u64(), of.u64(), of.key()
    made = f"the account {account}, which may exist, gets {space:,} bytes and is given to {owner}"
    return f"{made}; {call.account(1)} pays {sol(lamports)} for it" if len(call.accounts) > 1 else made


_SYSTEM: Final[Mapping[int, Sentence]] = MappingProxyType(
    dict(
        enumerate(
            (
                _create,
                _assign,
                _transfer,
                _create_with_seed,
                _advance_nonce,
                _withdraw_nonce,
                _initialize_nonce,
                _authorize_nonce,
                _allocate,
                _allocate_with_seed,
                _assign_with_seed,
                _transfer_with_seed,
                _upgrade_nonce,
                _create_prefunded,
            )
        )
    )
)


def _numbered(table: Mapping[int, Sentence], number: int) -> Sentence:
    sentence = table.get(number)
    if sentence is None:
        raise Unreadable(f"no instruction {number}")
    return sentence


def _seed(of: Fields) -> str:
    size = _length(of)
    if size > _SEED_BYTES_MAX:
        raise Unreadable(f"a seed of {size} bytes")
    return quoted(of.take(size))


def _length(of: Fields) -> int:
    """How many follow. No packet holds more than this."""
    length = of.u64()
    if length > 1_232:
        raise Unreadable(f"{length} items")
    return length
