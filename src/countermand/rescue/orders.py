"""Open orders as the accounts of their programs hold them. Nothing here asks a node.

A node can answer anything, so an account counts as an order only if its address follows from what is in it, and its
token accounts are those that the program gave it.
"""

from enum import Enum
from typing import Final, TypeAlias

from msgspec import Struct

from countermand.solana.port import AccountInfo, Address
from countermand.solana.programs import dca, limit_order
from countermand.solana.programs.dca import Dca, DcaBalance, DcaKeys
from countermand.solana.programs.limit_order import LimitOrderAccount
from countermand.solana.tokens import SOL_MINT, TOKEN_2022_PROGRAM, TOKEN_PROGRAM, associated_token_address

LIMIT_V1: Final[Address] = "jupoNjAxXgZ4rjzxzPMP4oxduvQsQtZzyknqvzYNrNu"
VALUE_AVERAGE: Final[Address] = "VALaaymxQh2mNy2trH9jUqHT1mTow76wpTcGmSWSwJe"


class OrderFamily(Enum):
    LIMIT = "limit"
    DCA = "dca"


class OlderProgram(Struct, frozen=True):
    """A program whose orders are counted and not rescued. `owner_at`: where its accounts have their owner.

    Its source: the decoders of sonarwatch/portfolio, which show these orders to their owners.
    """

    program: Address
    name: str
    owner_at: int


OLDER: Final = (
    OlderProgram(LIMIT_V1, "limit orders of Jupiter's first limit program", 8),
    OlderProgram(VALUE_AVERAGE, "price-based recurring orders (value averaging)", 18),
)


class Escrow(Struct, frozen=True, kw_only=True):
    """A token account of an order, and the owner's account that gets what is in it; None: it comes as lamports."""

    account: Address
    mint: Address
    token_program: Address
    to: Address | None


class OpenOrder(Struct, frozen=True, kw_only=True):
    """`created_at_s` is in seconds since the epoch, as the account has it."""

    address: Address
    family: OrderFamily
    owner: Address
    input_mint: Address
    output_mint: Address
    created_at_s: int
    escrows: tuple[Escrow, ...]


class Why(Enum):
    """Why an account is not rescued."""

    STRANGERS = "strangers"
    UNREADABLE = "unreadable"
    OTHER_PROGRAM = "other-program"
    MISSING = "missing"

    @property
    def is_complaint(self) -> bool:
        """What is gone needs no rescue any more."""
        return self is not Why.MISSING


class Unfit(Struct, frozen=True):
    """An account that is no open order of the owner, with the reason in words."""

    address: Address
    why: Why
    reason: str


Read: TypeAlias = OpenOrder | Unfit


def read(address: Address, info: AccountInfo | None, owner: Address) -> Read:
    """What the account at this address is to the owner."""
    if info is None:
        return Unfit(address, Why.MISSING, "there is no such account: it was filled, cancelled, or never an order")
    if info.owner == limit_order.PROGRAM:
        order = limit_order.read_order(info.data)
        return _unreadable(address, "an order") if order is None else _limit(address, order, owner)
    if info.owner == dca.PROGRAM:
        found = dca.read_dca(info.data)
        return _unreadable(address, "a DCA") if found is None else _dca(address, found, owner)
    for older in OLDER:
        if info.owner == older.program:
            return Unfit(address, Why.OTHER_PROGRAM, f"it is one of the {older.name}, which cannot be rescued")
    return Unfit(address, Why.OTHER_PROGRAM, f"it belongs to the program {info.owner}, which has none of these orders")


def _limit(address: Address, order: LimitOrderAccount, owner: Address) -> Read:
    if order.maker != owner:
        return _strangers(address, order.maker)
    program = order.input_program
    if limit_order.order_address(order.maker, order.unique_id)[0] != address:
        return _unreadable(address, "the order that is in them: its address would be another one")
    if program not in (TOKEN_PROGRAM, TOKEN_2022_PROGRAM):
        return _unreadable(address, f"an order: {program} is no token program")
    if limit_order.reserve_of(address, order.input_mint, program) != order.input_mint_reserve:
        return _unreadable(address, "an order: its tokens would lie in another account")
    native = order.input_mint == SOL_MINT
    to = None if native else associated_token_address(owner, order.input_mint, program)
    reserve = Escrow(account=order.input_mint_reserve, mint=order.input_mint, token_program=program, to=to)
    return OpenOrder(
        address=address,
        family=OrderFamily.LIMIT,
        owner=owner,
        input_mint=order.input_mint,
        output_mint=order.output_mint,
        created_at_s=order.created_at,
        escrows=(reserve,),
    )


def _dca(address: Address, found: Dca, owner: Address) -> Read:
    if found.user != owner:
        return _strangers(address, found.user)
    if dca.dca_address(found.user, found.input_mint, found.output_mint, found.idx)[0] != address:
        return _unreadable(address, "the DCA that is in them: its address would be another one")
    keys = DcaKeys(dca=address, user=owner, input_mint=found.input_mint, output_mint=found.output_mint)
    if (found.in_account, found.out_account) != tuple(keys.own(side) for side in DcaBalance):
        return _unreadable(address, "a DCA: its tokens would lie in other accounts")
    escrows = tuple(
        Escrow(account=keys.own(side), mint=keys.mint(side), token_program=TOKEN_PROGRAM, to=keys.users(side))
        for side in DcaBalance
    )
    return OpenOrder(
        address=address,
        family=OrderFamily.DCA,
        owner=owner,
        input_mint=found.input_mint,
        output_mint=found.output_mint,
        created_at_s=found.created_at,
        escrows=escrows,
    )


def _strangers(address: Address, owner: Address) -> Unfit:
    return Unfit(address, Why.STRANGERS, f"it belongs to {owner}, who alone can cancel it")


def _unreadable(address: Address, what: str) -> Unfit:
    return Unfit(address, Why.UNREADABLE, f"its bytes are not those of {what}")
