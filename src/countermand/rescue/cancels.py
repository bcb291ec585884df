"""What a cancel of each order gives back, and the transactions that cancel them. Nothing here asks a node."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from countermand.orders.limit.model.cancelling import batches
from countermand.rescue.orders import Escrow, OpenOrder, OrderFamily
from countermand.solana.funds import WALLET_RENT_LAMPORTS
from countermand.solana.port import AccountInfo, Address, Blockhash
from countermand.solana.programs import dca, limit_order
from countermand.solana.programs.compile import Budget, fits_packet
from countermand.solana.programs.dca import DcaBalance, DcaKeys
from countermand.solana.programs.limit_order import Cancellation
from countermand.solana.tokens import SOL_MINT, SYSTEM_PROGRAM, read_mint, read_token_account

_NO_BLOCKHASH: Blockhash = "1" * 32

Accounts = Mapping[Address, AccountInfo]


class Returned(Struct, frozen=True):
    """Base units of a token; wrapped SOL is lamports. `decimals` None: the mint could not be read."""

    mint: Address
    units: int
    decimals: int | None


class Cancel(Struct, frozen=True):
    """An order, and what comes back when it is cancelled.

    `rent`: the lamports that its accounts hold beside. `creates`: those of its escrows whose account at the owner is
    missing. `flaw`: why it cannot be cancelled, as far as accounts tell.
    """

    order: OpenOrder
    returns: tuple[Returned, ...]
    rent: int
    creates: tuple[Escrow, ...] = ()
    flaw: str | None = None

    @property
    def lamports(self) -> int:
        """All that comes to the owner's own account, or to one that wraps SOL."""
        return self.rent + sum(each.units for each in self.returns if each.mint == SOL_MINT)


class CancelTransaction(Struct, frozen=True):
    """Orders that one transaction cancels, all or none: limit orders, or one DCA. `payer` pays fee and new accounts."""

    cancels: tuple[Cancel, ...]
    payer: Address

    @property
    def orders(self) -> tuple[Address, ...]:
        return tuple(each.order.address for each in self.cancels)

    @property
    def makes(self) -> dict[Address, Escrow]:
        """The owner's accounts that are missing, will be made and will stay. (One that wraps SOL is closed again.)"""
        creates = (escrow for each in self.cancels for escrow in each.creates)
        return {escrow.to: escrow for escrow in creates if escrow.to is not None and escrow.mint != SOL_MINT}

    def message(self, budget: Budget, blockhash: Blockhash) -> bytes:
        """Signed by the owner, and by the payer, if that is another."""
        first = self.cancels[0]
        if first.order.family is OrderFamily.DCA:
            order, sides = first.order, zip(DcaBalance, first.order.escrows, strict=True)
            keys = DcaKeys(
                dca=order.address, user=order.owner, input_mint=order.input_mint, output_mint=order.output_mint
            )
            creates = [side for side, escrow in sides if escrow in first.creates]
            return dca.close_message(keys, budget, blockhash, creates=creates, payer=self.payer)
        cancellations = [_cancellation(each) for each in self.cancels]
        return limit_order.cancel_message(cancellations, budget, blockhash, payer=self.payer)

    def writes(self) -> list[Address]:
        """The orders and their token accounts, for whose price recent fees are asked."""
        orders = (each.order for each in self.cancels)
        return [address for order in orders for address in (order.address, *(each.account for each in order.escrows))]


def addresses_of(order: OpenOrder) -> list[Address]:
    """What must be known of the chain to tell what comes back."""
    named = [order.address]
    for escrow in order.escrows:
        named += [escrow.account, escrow.mint, *((escrow.to,) if escrow.to is not None else ())]
    return named


def cancel_of(order: OpenOrder, accounts: Accounts) -> Cancel:
    """`accounts`: those of `addresses_of` that exist."""
    itself = accounts.get(order.address)
    rent = 0 if itself is None else itself.lamports
    returns: list[Returned] = []
    creates: list[Escrow] = []
    flaw = None
    for escrow in order.escrows:
        units, lamports = _held(escrow, order.address, accounts)
        rent += lamports
        if units:
            returns.append(Returned(escrow.mint, units, _decimals(escrow.mint, accounts)))
        # A DCA's program makes the account for wrapped SOL even if it has nothing to put there.
        if _is_missing(escrow, accounts) and (units or escrow.mint == SOL_MINT):
            creates.append(escrow)
        flaw = flaw or _flaw_of(escrow, order.owner, accounts)
    return Cancel(order, tuple(returns), rent, tuple(creates), flaw)


def transactions_of(cancels: Sequence[Cancel], payer: Address) -> list[CancelTransaction]:
    """Limit orders in fives, as Jupiter's API puts them, then the DCAs; both by creation and address."""
    ordered = sorted(cancels, key=lambda each: (each.order.created_at_s, each.order.address))
    limits = [each for each in ordered if each.order.family is OrderFamily.LIMIT]
    dcas = [(each,) for each in ordered if each.order.family is OrderFamily.DCA]
    return [CancelTransaction(tuple(each), payer) for each in (*batches(limits, _fits(payer)), *dcas)]


def alone(transaction: CancelTransaction) -> Iterator[CancelTransaction]:
    """The same orders, each by a transaction of its own."""
    return (CancelTransaction((each,), transaction.payer) for each in transaction.cancels)


def lamports_needed(costs: Sequence[tuple[int, int]]) -> int:
    """What a payer must hold for transactions, one after the other: of each what it costs, and what it gives back.

    An account keeps the least that it may hold.
    """
    held = lowest = 0
    for cost, back in costs:
        held -= cost
        lowest = min(lowest, held)
        held += back
    return WALLET_RENT_LAMPORTS - lowest if costs else 0


def payable(held: int, costs: Sequence[tuple[int, int]]) -> int:
    """How many of the first of them a payer that holds so much can pay for, one after the other."""
    for many, (cost, back) in enumerate(costs):
        held -= cost
        if held < WALLET_RENT_LAMPORTS:
            return many
        held += back
    return len(costs)


def _fits(payer: Address) -> Callable[[Sequence[Cancel]], bool]:
    """Whether the chain would take one transaction for all of them."""

    def fits(cancels: Sequence[Cancel]) -> bool:
        return fits_packet(CancelTransaction(tuple(cancels), payer).message(Budget(0, 0), _NO_BLOCKHASH))

    return fits


def _cancellation(cancel: Cancel) -> Cancellation:
    order, (reserve,) = cancel.order, cancel.order.escrows
    return Cancellation.to_maker(
        order.address, order.owner, reserve.mint, reserve.token_program, creates=reserve in cancel.creates
    )


def _held(escrow: Escrow, order: Address, accounts: Accounts) -> tuple[int, int]:
    """Units in the token account, and the lamports that it holds beside."""
    info = accounts.get(escrow.account)
    if info is None:
        return 0, 0
    account = read_token_account(info.data) if info.owner == escrow.token_program else None
    if account is None or (account.owner, account.mint) != (order, escrow.mint):
        return 0, 0
    beside = info.lamports - account.amount if escrow.mint == SOL_MINT else info.lamports
    return account.amount, max(beside, 0)


def _is_missing(escrow: Escrow, accounts: Accounts) -> bool:
    """Lamports that were sent to its address make no account."""
    if escrow.to is None:
        return False
    there = accounts.get(escrow.to)
    return there is None or there.owner == SYSTEM_PROGRAM


def _flaw_of(escrow: Escrow, owner: Address, accounts: Accounts) -> str | None:
    """What comes back must come to the owner, also where another has the address that it would come to."""
    if escrow.to is None or _is_missing(escrow, accounts):
        return None
    info = accounts[escrow.to]
    account = read_token_account(info.data) if info.owner == escrow.token_program else None
    if account is None or account.mint != escrow.mint:
        return f"{escrow.to}, to which it would come back, is no account for this token"
    if account.owner != owner:
        return f"{escrow.to}, to which it would come back, belongs to {account.owner} now"
    if account.state != "initialized":
        return f"{escrow.to}, to which it would come back, is {account.state}"
    return None


def _decimals(mint: Address, accounts: Accounts) -> int | None:
    info = accounts.get(mint)
    read = None if info is None else read_mint(info.data)
    return None if read is None else read.decimals
