"""What counts as an order of an owner, and what its cancel gives back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from countermand.rescue.cancels import (
    CancelTransaction,
    addresses_of,
    cancel_of,
    lamports_needed,
    payable,
    transactions_of,
)
from countermand.rescue.orders import LIMIT_V1, OpenOrder, OrderFamily, Unfit, Why, read
from countermand.solana.funds import WALLET_RENT_LAMPORTS
from countermand.solana.port import PACKET_BYTES_MAX, AccountInfo
from countermand.solana.programs import dca, limit_order
from countermand.solana.programs.compile import Budget, transaction_size
from countermand.solana.programs.dca import Dca, DcaBalance, DcaKeys
from countermand.solana.programs.limit_order import LimitOrderAccount
from countermand.solana.tokens import (
    JUP_MINT,
    SOL_MINT,
    SYSTEM_PROGRAM,
    TOKEN_2022_PROGRAM,
    TOKEN_PROGRAM,
    USDC_MINT,
    associated_token_address,
    mint_bytes,
    token_account_bytes,
)
from countermand.values.structs import replace

OWNER, STRANGER, PAYER = (str(Pubkey(bytes([number]) * 32)) for number in (1, 2, 3))
RENT = 2_039_280


def info(data: bytes, owner: str, lamports: int = RENT) -> AccountInfo:
    return AccountInfo(lamports, owner, data, executable=False)


def limit(number: int = 1, mint: str = USDC_MINT, program: str = TOKEN_PROGRAM) -> tuple[str, LimitOrderAccount]:
    address, bump = limit_order.order_address(OWNER, number)
    order = LimitOrderAccount(
        maker=OWNER,
        input_mint=mint,
        output_mint=JUP_MINT,
        input_program=program,
        output_program=TOKEN_PROGRAM,
        input_mint_reserve=limit_order.reserve_of(address, mint, program),
        unique_id=number,
        ori_making_amount=10,
        ori_taking_amount=10,
        making_amount=10,
        taking_amount=10,
        borrow_making_amount=0,
        expired_at=None,
        fee_bps=10,
        fee_account=STRANGER,
        created_at=number,
        updated_at=number,
        bump=bump,
    )
    return address, order


def read_limit(number: int = 1, mint: str = USDC_MINT, program: str = TOKEN_PROGRAM) -> OpenOrder:
    address, order = limit(number, mint, program)
    found = read(address, info(limit_order.order_bytes(order), limit_order.PROGRAM), OWNER)
    assert isinstance(found, OpenOrder)
    return found


def recurring() -> tuple[str, Dca]:
    address, bump = dca.dca_address(OWNER, SOL_MINT, USDC_MINT, 7)
    keys = DcaKeys(dca=address, user=OWNER, input_mint=SOL_MINT, output_mint=USDC_MINT)
    numbers = dict.fromkeys(Dca.__struct_fields__, 0)
    own = {"in_account": keys.own(DcaBalance.IN), "out_account": keys.own(DcaBalance.OUT)}
    named = {"user": OWNER, "input_mint": SOL_MINT, "output_mint": USDC_MINT, "idx": 7, "bump": bump}
    return address, Dca(**(numbers | own | named))  # type: ignore[arg-type]


def test_an_order_is_what_its_address_follows_from() -> None:
    address, order = limit()
    for changed, why in (
        (replace(order, maker=STRANGER), Why.STRANGERS),
        (replace(order, unique_id=2), Why.UNREADABLE),
        (replace(order, input_mint=SOL_MINT), Why.UNREADABLE),
        (replace(order, input_program=SYSTEM_PROGRAM), Why.UNREADABLE),
        (replace(order, input_mint_reserve=STRANGER), Why.UNREADABLE),
    ):
        found = read(address, info(limit_order.order_bytes(changed), limit_order.PROGRAM), OWNER)
        assert isinstance(found, Unfit)
        assert found.why is why, changed
    gone = read(address, None, OWNER)
    assert isinstance(gone, Unfit)
    assert (gone.why, gone.why.is_complaint) == (Why.MISSING, False)
    older = read(address, info(limit_order.order_bytes(order), LIMIT_V1), OWNER)
    assert isinstance(older, Unfit)
    assert "first limit program, which cannot be rescued" in older.reason


def test_a_dca_is_what_its_address_follows_from() -> None:
    address, found = recurring()
    order = read(address, info(dca.dca_bytes(found), dca.PROGRAM), OWNER)
    assert isinstance(order, OpenOrder)
    assert [escrow.mint for escrow in order.escrows] == [SOL_MINT, USDC_MINT]
    for changed in (replace(found, idx=8), replace(found, out_account=STRANGER), replace(found, in_account=STRANGER)):
        assert isinstance(read(address, info(dca.dca_bytes(changed), dca.PROGRAM), OWNER), Unfit)
    assert isinstance(read(address, info(dca.dca_bytes(replace(found, user=STRANGER)), dca.PROGRAM), OWNER), Unfit)


@given(st.binary(max_size=400), st.sampled_from([limit_order, dca]))
def test_no_bytes_are_an_order_by_chance(data: bytes, program: object) -> None:
    """With their discriminator, and without."""
    begins = limit_order.ORDER_DISCRIMINATOR if program is limit_order else dca.DCA_DISCRIMINATOR
    for shown in (data, (begins + data).ljust(limit_order.ORDER_BYTES, b"\0")):
        assert isinstance(read(STRANGER, info(shown, program.PROGRAM), OWNER), Unfit)  # type: ignore[attr-defined]


def accounts_of(order: OpenOrder, units: int) -> dict[str, AccountInfo]:
    """Its own, with so much in each token account, and none of the owner's."""
    found = {order.address: info(b"", SYSTEM_PROGRAM, 3_480_000)}
    for escrow in order.escrows:
        lamports = RENT + (units if escrow.mint == SOL_MINT else 0)
        data = token_account_bytes(mint=escrow.mint, owner=order.address, amount=units)
        found[escrow.account] = info(data, escrow.token_program, lamports)
        found[escrow.mint] = info(mint_bytes(authority=None, decimals=6), escrow.token_program)
    return found


def test_what_comes_back_is_what_lies_in_the_reserve() -> None:
    order = read_limit()
    cancel = cancel_of(order, accounts_of(order, 12))
    assert [(each.mint, each.units, each.decimals) for each in cancel.returns] == [(USDC_MINT, 12, 6)]
    assert (cancel.rent, cancel.creates, cancel.flaw) == (3_480_000 + RENT, order.escrows, None)
    assert set(accounts_of(order, 12)) <= set(addresses_of(order))


def test_wrapped_sol_counts_once() -> None:
    order = read_limit(mint=SOL_MINT)
    cancel = cancel_of(order, accounts_of(order, 10**9))
    assert (cancel.returns[0].units, cancel.rent) == (10**9, 3_480_000 + RENT)
    assert cancel.lamports == 10**9 + 3_480_000 + RENT
    assert cancel.creates == ()


@pytest.mark.parametrize(
    ("there", "flaw"),
    [
        (token_account_bytes(mint=USDC_MINT, owner=OWNER), None),
        (token_account_bytes(mint=USDC_MINT, owner=STRANGER), f"belongs to {STRANGER} now"),
        (token_account_bytes(mint=JUP_MINT, owner=OWNER), "is no account for this token"),
        (b"x" * 165, "is no account for this token"),
        (token_account_bytes(mint=USDC_MINT, owner=OWNER)[:108] + b"\2" + bytes(56), "is frozen"),
    ],
)
def test_nothing_goes_to_an_account_that_is_not_the_owners(there: bytes, flaw: str | None) -> None:
    order = read_limit()
    own = associated_token_address(OWNER, USDC_MINT)
    cancel = cancel_of(order, accounts_of(order, 12) | {own: info(there, TOKEN_PROGRAM)})
    assert cancel.creates == ()
    assert (cancel.flaw or "").endswith(flaw or "")
    assert (cancel.flaw is None) == (flaw is None)


def test_lamports_at_the_address_of_a_missing_account_do_not_make_it() -> None:
    order = read_limit()
    own = associated_token_address(OWNER, USDC_MINT)
    cancel = cancel_of(order, accounts_of(order, 12) | {own: info(b"", SYSTEM_PROGRAM, 1)})
    assert (cancel.creates, cancel.flaw) == (order.escrows, None)


@pytest.mark.parametrize(("payer", "sizes"), [(OWNER, [5, 5, 3]), (PAYER, [4, 1, 4, 1, 3])])
def test_a_batch_that_does_not_fit_is_split(payer: str, sizes: list[int]) -> None:
    """Orders of different tokens under both programs, none of which the owner has an account for."""
    programs = (TOKEN_PROGRAM, TOKEN_2022_PROGRAM)
    orders = [read_limit(number, str(Pubkey(bytes([number]) * 32)), programs[number % 2]) for number in range(11, 24)]
    cancels = [cancel_of(order, accounts_of(order, 1)) for order in reversed(orders)]
    made = transactions_of(cancels, payer)
    assert [each for one in made for each in one.orders] == [order.address for order in orders], "by creation"
    assert [len(one.cancels) for one in made] == sizes
    assert max(size_of(one) for one in made) <= PACKET_BYTES_MAX
    if payer == PAYER:
        assert size_of(CancelTransaction((*made[0].cancels, *made[1].cancels), payer)) > PACKET_BYTES_MAX


def size_of(transaction: CancelTransaction) -> int:
    return transaction_size(transaction.message(Budget(1, 1), "1" * 32))


def test_dcas_are_cancelled_alone_and_last() -> None:
    address, found = recurring()
    order = read(address, info(dca.dca_bytes(found), dca.PROGRAM), OWNER)
    assert isinstance(order, OpenOrder)
    cancels = [cancel_of(each, accounts_of(each, 1)) for each in (order, read_limit(1), read_limit(2))]
    made = transactions_of(cancels, OWNER)
    assert [[each.order.family for each in one.cancels] for one in made] == [[OrderFamily.LIMIT] * 2, [OrderFamily.DCA]]


def test_what_comes_back_pays_for_what_follows() -> None:
    assert lamports_needed([]) == 0
    assert lamports_needed([(5, 0), (7, 0)]) == 12 + WALLET_RENT_LAMPORTS
    assert lamports_needed([(5, 100), (7, 0), (90, 0)]) == 5 + WALLET_RENT_LAMPORTS
    assert lamports_needed([(5, 1), (7, 0)]) == 11 + WALLET_RENT_LAMPORTS


def test_a_payer_pays_in_order_and_stops_at_the_first_that_is_too_dear() -> None:
    least = WALLET_RENT_LAMPORTS
    assert payable(0, []) == 0
    assert payable(least + 12, [(5, 0), (7, 0)]) == 2
    assert payable(least + 11, [(5, 0), (7, 0)]) == 1
    assert payable(least + 5, [(5, 100), (7, 0), (93, 0)]) == 3
    assert payable(least + 5, [(5, 100), (101, 0), (1, 0)]) == 1, "what comes later waits for it"
    assert payable(least, [(5, 100)]) == 0, "what comes back comes too late"
