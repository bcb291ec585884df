"""A transaction read as what it does: each instruction as one act, with everything that can be judged of it."""

import base64
import binascii
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NoReturn, TypeAlias

from countermand.client.errors import Unsafe
from countermand.solana.explain import told_calls
from countermand.solana.explain.calls import Call, lookups_of
from countermand.solana.fees import fee_of
from countermand.solana.port import Address
from countermand.solana.programs import dca, limit_order
from countermand.solana.programs.anchor import Fields, Unreadable
from countermand.solana.tokens import (
    ASSOCIATED_TOKEN_PROGRAM,
    COMPUTE_BUDGET_PROGRAM,
    MEMO_PROGRAMS,
    SOL_MINT,
    SYSTEM_PROGRAM,
    TOKEN_2022_PROGRAM,
    TOKEN_PROGRAM,
    TOKEN_PROGRAMS,
    associated_token_address,
)
from countermand.solana.wire import MalformedTransaction, WireTransaction, read_transaction

RENT_LAMPORTS_MAX: Final = 5_000_000
"""What the rent of one new account may cost."""
CHALLENGE: Final = "Sign this message to authenticate with Jupiter"
"""A transaction with a memo that says so signs its wallet in, whatever else it does."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The limit or the price of compute units; what they cost is judged as the fee."""


@dataclass(frozen=True, slots=True)
class Memo:
    text: bytes


@dataclass(frozen=True, slots=True)
class MakeAssociated:
    payer: Address
    account: Address
    owner: Address
    mint: Address
    program: Address


@dataclass(frozen=True, slots=True)
class MakeSeeded:
    funder: Address
    account: Address
    base: Address
    lamports: int
    owner: Address


@dataclass(frozen=True, slots=True)
class Initialize:
    """Makes a token account of what was created."""

    account: Address
    mint: Address
    owner: Address


@dataclass(frozen=True, slots=True)
class Sync:
    account: Address


@dataclass(frozen=True, slots=True)
class Lamports:
    source: Address
    to: Address
    amount: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """`mint` None: the instruction does not say it."""

    source: Address
    to: Address
    authority: Address
    amount: int
    mint: Address | None
    program: Address


@dataclass(frozen=True, slots=True)
class Close:
    account: Address
    to: Address
    owner: Address


@dataclass(frozen=True, slots=True)
class OpenLimit:
    payer: Address
    maker: Address
    order: Address
    reserve: Address
    source: Address
    referral: Address | None
    input_mint: Address
    output_mint: Address
    input_program: Address
    unique_id: int
    making: int
    taking: int
    expired_at: int | None
    fee_bps: int | None
    slippage_bps: int | None


@dataclass(frozen=True, slots=True)
class CancelLimit:
    """`to` None: lamports to the maker."""

    signer: Address
    maker: Address
    order: Address
    to: Address | None
    input_mint: Address
    input_program: Address


@dataclass(frozen=True, slots=True)
class OpenDca:
    """The bounds are None or 0 where there are none."""

    account: Address
    user: Address
    payer: Address
    input_mint: Address
    output_mint: Address
    source: Address
    held: tuple[Address, Address]
    idx: int
    amount: int
    per_cycle: int
    interval_s: int
    least: int | None
    most: int | None
    start_at: int | None


@dataclass(frozen=True, slots=True)
class CloseDca:
    user: Address
    account: Address
    input_mint: Address
    output_mint: Address
    to: tuple[Address, Address]


Act: TypeAlias = (
    Budget
    | Memo
    | MakeAssociated
    | MakeSeeded
    | Initialize
    | Sync
    | Lamports
    | Tokens
    | Close
    | OpenLimit
    | CancelLimit
    | OpenDca
    | CloseDca
)


@dataclass(frozen=True, slots=True)
class Checked:
    """A transaction that was judged, ready to be signed by `signer`; `wire` is as it came."""

    wire: WireTransaction
    signer: Address


@dataclass(frozen=True, slots=True)
class Judged:
    """The acts of a transaction, with the words for each."""

    wire: WireTransaction
    signer: Address
    acts: Sequence[tuple[Act, str]]

    def checked(self) -> Checked:
        return Checked(self.wire, self.signer)

    def one(self, kind: type["OpenLimit | OpenDca | CloseDca"]) -> Act:
        found = [act for act, _ in self.acts if isinstance(act, kind)]
        require(len(found) == 1, f"there are {len(found)} instructions of the order's program in it, not one")
        return found[0]


def judged(transaction: str, signer: Address, fee_lamports_max: int, *, signs_in: bool = False) -> Judged:
    """Reads a transaction in base64 that `signer` is asked to sign and to pay for. Raises `Unsafe`.

    `signs_in`: it may hold a challenge. In one that is about an order, another server could use it to sign in.
    """
    try:
        wire = read_transaction(base64.b64decode(transaction, validate=True))
    except (MalformedTransaction, binascii.Error, ValueError) as problem:
        raise Unsafe(f"not signed: this is no transaction: {problem}") from problem
    keys = [str(key) for key in wire.static_keys]
    require(not any(lookups_of(wire)), "it takes accounts from a lookup table, which only a chain knows")
    require(keys[0] == signer, f"{keys[0]} pays the fee, not {signer}")
    fee = fee_of(wire.message)
    require(fee <= fee_lamports_max, f"its fee is {fee:,} lamports, more than {fee_lamports_max:,}")
    acts = tuple(_acts(wire))
    for act, words in acts:
        if isinstance(act, Memo) and not signs_in and CHALLENGE.encode() in act.text:
            unexpected(words)
    return Judged(wire, signer, acts)


def require(holds: bool, otherwise: str) -> None:
    """Raises `Unsafe`."""
    if not holds:
        raise Unsafe(f"not signed: {otherwise}")


def unexpected(words: str) -> NoReturn:
    raise Unsafe(f"not signed: it does what was not asked for: {words}")


def require_associated(
    act: MakeAssociated, payer: Address, owners: Sequence[Address], mints: Collection[Address]
) -> None:
    """An account of one of these, for wrapped SOL or one of the mints, at the address that is everyone's.

    Another program than those of tokens says by itself how large its account is, and keeps the rent.
    """
    require(act.payer == payer, f"{act.payer} pays for a token account, not {payer}")
    require(act.program in TOKEN_PROGRAMS, f"{act.account} would belong to {act.program}, which is no token program")
    require(act.owner in owners, f"it makes a token account for {act.owner}")
    require(act.mint == SOL_MINT or act.mint in mints, f"it makes a token account for {act.mint}, which is not traded")
    own = associated_token_address(act.owner, act.mint, act.program)
    require(act.account == own, f"{act.account} is not the token account of {act.owner}")


def require_wrapping(act: Lamports | Sync | Close, owner: Address, lamports: int) -> int:
    """Of SOL that its owner wraps for an order and unwraps after it. Returns the lamports that it moves."""
    wrapped = associated_token_address(owner, SOL_MINT)
    if isinstance(act, Lamports):
        require(act.source == owner, f"{act.source} pays lamports")
        require(act.to == wrapped, f"lamports go to {act.to}, not to the wallet's wrapped SOL account")
        require(act.amount == lamports, f"{act.amount:,} lamports are wrapped, not {lamports:,}")
        return act.amount
    require(act.account == wrapped, f"{act.account} is not the wallet's wrapped SOL account")
    if isinstance(act, Close):
        require(act.to == act.owner == owner, f"what is left of wrapped SOL goes to {act.to}")
    return 0


def _acts(wire: WireTransaction) -> Iterator[tuple[Act, str]]:
    for call, words in told_calls(wire):
        read = _READERS.get(call.program)
        if read is None:
            unexpected(words)
        try:
            act = read(call)
        except (Unreadable, IndexError):
            unexpected(words)
        if act is None:
            unexpected(words)
        yield act, words


def _budget(call: Call) -> Act | None:
    return Budget() if call.data[:1] in (b"\1", b"\2", b"\3", b"\4") else None


def _memo(call: Call) -> Act | None:
    return Memo(call.data)


def _associated(call: Call) -> Act | None:
    if call.data not in (b"", b"\0", b"\1"):
        return None
    payer, account, owner, mint = (call.account(index) for index in range(4))
    return MakeAssociated(payer, account, owner, mint, call.account(5))


def _system(call: Call) -> Act | None:
    of = call.fields()
    number = of.u32()
    if number == 2:
        return Lamports(call.account(0), call.account(1), of.u64())
    if number == 3:
        base = of.key()
        of.take(of.unsigned(8))
        lamports, _, owner = of.u64(), of.u64(), of.key()
        return MakeSeeded(call.account(0), call.account(1), base, lamports, owner)
    return None


def _token(call: Call) -> Act | None:
    of = call.fields()
    match of.u8():
        case 1:
            return Initialize(call.account(0), call.account(1), call.account(2))
        case 16 | 18:
            return Initialize(call.account(0), call.account(1), of.key())
        case 3:
            return Tokens(call.account(0), call.account(1), call.account(2), of.u64(), None, call.program)
        case 12:
            source, mint, to, authority = (call.account(index) for index in range(4))
            return Tokens(source, to, authority, of.u64(), mint, call.program)
        case 9:
            return Close(call.account(0), call.account(1), call.account(2))
        case 17:
            return Sync(call.account(0))
    return None


def _limit(call: Call) -> Act | None:
    if call.data.startswith(limit_order.INITIALIZE_ORDER):
        of = _after_name(call)
        unique_id, making, taking = of.u64(), of.u64(), of.u64()
        expired_at, fee_bps = of.option(of.i64), of.option(of.u16)
        slippage_bps = of.option(of.u16) if of.left else None
        payer, maker, order, reserve, source, _, referral, input_mint, output_mint, program = call.accounts[:10]
        return OpenLimit(
            payer,
            maker,
            order,
            reserve,
            source,
            None if referral == limit_order.PROGRAM else referral,
            input_mint,
            output_mint,
            program,
            unique_id,
            making,
            taking,
            expired_at,
            fee_bps,
            slippage_bps,
        )
    if call.data.startswith(limit_order.CANCEL_ORDER):
        signer, maker, order, _, to, mint = (call.account(index) for index in range(6))
        return CancelLimit(signer, maker, order, None if to == limit_order.PROGRAM else to, mint, call.account(6))
    return None


def _dca(call: Call) -> Act | None:
    if call.data.startswith(dca.OPEN_DCA_V2):
        return _open_dca(call, 3)
    if call.data.startswith(dca.OPEN_DCA):
        return _open_dca(call, 2)
    if call.data.startswith(dca.CLOSE_DCA):
        user, account, input_mint, output_mint = (call.account(index) for index in range(4))
        return CloseDca(user, account, input_mint, output_mint, (call.account(6), call.account(7)))
    return None


def _open_dca(call: Call, first: int) -> Act:
    """`first`: where the mints begin; the older form has no payer of its own."""
    of = _after_name(call)
    idx, amount, per_cycle, interval_s = of.u64(), of.u64(), of.u64(), of.i64()
    least, most, start_at = of.option(of.u64), of.option(of.u64), of.option(of.i64)
    return OpenDca(
        account=call.account(0),
        user=call.account(1),
        payer=call.account(first - 1),
        input_mint=call.account(first),
        output_mint=call.account(first + 1),
        source=call.account(first + 2),
        held=(call.account(first + 3), call.account(first + 4)),
        idx=idx,
        amount=amount,
        per_cycle=per_cycle,
        interval_s=interval_s,
        least=least,
        most=most,
        start_at=start_at,
    )


def _after_name(call: Call) -> Fields:
    return call.fields(8)


_READERS: Final[Mapping[Address, Callable[[Call], Act | None]]] = MappingProxyType(
    {
        COMPUTE_BUDGET_PROGRAM: _budget,
        **dict.fromkeys(MEMO_PROGRAMS, _memo),
        ASSOCIATED_TOKEN_PROGRAM: _associated,
        SYSTEM_PROGRAM: _system,
        TOKEN_PROGRAM: _token,
        TOKEN_2022_PROGRAM: _token,
        limit_order.PROGRAM: _limit,
        dca.PROGRAM: _dca,
    }
)
