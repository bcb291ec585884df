"""`countermand rescue` against a node in another process: the facade of a venue."""

import json
import re
import signal
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from solders.compute_budget import set_compute_unit_price
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from spl.token.constants import TOKEN_PROGRAM_ID
from spl.token.instructions import create_associated_token_account, set_authority
from spl.token.models import AuthorityType, SetAuthorityParams

from countermand.cli.rescue import rescue
from countermand.rescue.orders import LIMIT_V1, VALUE_AVERAGE
from countermand.settings import StartRefused
from countermand.solana.explain import explain_base64
from countermand.solana.programs import limit_order
from countermand.solana.programs.limit_order_fills import Taking, fill_order
from countermand.solana.tokens import TOKEN_2022_PROGRAM, associated_token_address
from tests.end_to_end.limiting_node import LimitingNode, limiting_node
from tests.end_to_end.rescued import FEE, Once, Owner, in_a_process, key_file, noted_in, started
from tests.end_to_end.test_token_2022 import adds
from tests.end_to_end.trader import Trader, signed
from tests.end_to_end.venue import JUP, SOL, USDC, Funds, Venue, associated
from tests.solana.chain_support import signature_of

RENT_OF_AN_ORDER = 3_480_000
RENT_OF_TOKENS = 2_039_280


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where wallets are locked."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks and asks again much sooner than a node would like."""
    for name, ms in {"RESEND_MS": 200, "REFUSED_PAUSE_MS": 100, "_POLL_MS_MAX": 100}.items():
        monkeypatch.setattr(f"countermand.rescue.sending.{name}", ms)


@pytest.fixture
def owner(venue: Venue, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Owner:
    owner = Owner(venue, tmp_path, capsys)
    owner.trader.has(10 * SOL, 1_000 * USDC)
    return owner


@pytest.mark.parametrize(("many", "batches"), [(1, [1]), (5, [5]), (6, [5, 1]), (11, [5, 5, 1])])
def test_limit_orders_come_back_in_fives(owner: Owner, many: int, batches: list[int]) -> None:
    orders = [owner.sells((number + 1) * USDC, JUP) for number in range(many)]
    lamports = owner.venue.lamports(owner.wallet)

    plan = owner.runs(print_=True)
    assert plan.status == 0
    assert [len(each["orders"]) for each in plan.report["transactions"]] == batches
    assert plan.verdicts == ["ok"] * many
    assert all(map(owner.is_open, orders)), "it only prints"

    run = owner.rescues()
    assert (run.status, run.ends) == (0, ["rescued"] * many)
    assert not any(map(owner.is_open, orders))
    assert owner.venue.units(owner.wallet, USDC) == 1_000 * 10**6
    rents = many * (RENT_OF_AN_ORDER + RENT_OF_TOKENS)
    fees = int(run.report["total"]["feeLamports"])
    assert owner.venue.lamports(owner.wallet) == lamports + rents - fees
    assert int(run.report["total"]["lamports"]) == rents
    given = sum(range(1, many + 1)) * 10**6
    assert run.report["total"]["returned"] == [{"mint": USDC.mint, "units": str(given), "amount": str(given // 10**6)}]

    again = owner.rescues()
    assert (again.status, again.report["orders"], again.report["ended"]) == (0, [], [])


# --- what comes back


def test_a_dca_gives_back_both_balances(owner: Owner) -> None:
    order = owner.saves(104 * USDC, JUP)
    owner.has_bought(order, 7 * JUP)
    run = owner.rescues()
    assert (run.status, run.ends) == (0, ["rescued"])
    (row,) = run.report["orders"]
    assert (row["family"], [(each["mint"], each["amount"]) for each in row["returns"]]) == (
        "dca",
        [(USDC.mint, "104"), (JUP.mint, "7")],
    )
    assert owner.trader.holds(USDC) == 1_000 * 10**6
    assert owner.trader.holds(JUP) == 7 * 10**6
    assert not owner.is_open(order)


def test_wrapped_sol_comes_back_as_lamports_from_each_side(owner: Owner) -> None:
    owner.sells(1 * SOL, USDC)
    selling = owner.saves(2 * SOL, USDC)
    buying = owner.saves(104 * USDC, SOL)
    owner.has_bought(selling, 3 * USDC)
    owner.has_bought(buying, 0.5 * SOL)
    before = owner.trader.holds(SOL)
    run = owner.rescues()
    assert (run.status, run.ends) == (0, ["rescued"] * 3)
    rents = sum(int(each["rentLamports"]) for each in run.report["orders"])
    returned = 35 * 10**8 + rents - int(run.report["total"]["feeLamports"])
    assert owner.trader.holds(SOL) == before + returned
    assert owner.trader.holds(USDC) == 1_003 * 10**6
    assert not owner.venue.exists(str(associated(owner.wallet, SOL))), "nothing stays behind"


def test_an_account_for_wrapped_sol_that_is_there_stays_with_what_is_in_it(owner: Owner) -> None:
    owner.saves(2 * SOL, USDC)
    wrapped = str(associated(owner.wallet, SOL))
    me, account = owner.key.pubkey(), associated(owner.wallet, SOL)
    owner.trader.sends(create_associated_token_account(me, me, Pubkey.from_string(SOL.mint)))
    owner.trader.pays(str(account), 1 * SOL)
    run = owner.rescues()
    assert (run.status, run.ends) == (0, ["rescued"])
    assert owner.venue.lamports(wrapped) == RENT_OF_TOKENS + 10**9


def test_a_token_account_that_is_missing_is_made_first(owner: Owner) -> None:
    orders = [owner.sells(400 * USDC, JUP), owner.sells(600 * USDC, JUP)]
    owner.trader.closes_account_of(USDC)
    run = owner.rescues()
    assert (run.status, run.ends) == (0, ["rescued"] * 2)
    assert [each["createsAccounts"] for each in run.report["orders"]] == [[str(associated(owner.wallet, USDC))]] * 2
    assert owner.trader.holds(USDC) == 1_000 * 10**6
    assert not any(map(owner.is_open, orders))


def test_a_dca_whose_owner_has_no_token_accounts_makes_both(owner: Owner) -> None:
    order = owner.saves(1_000 * USDC, JUP)
    owner.has_bought(order, 7 * JUP)
    owner.trader.closes_account_of(USDC)
    assert owner.rescues().ends == ["rescued"]
    assert (owner.trader.holds(USDC), owner.trader.holds(JUP)) == (1_000 * 10**6, 7 * 10**6)


def test_an_order_that_has_expired_comes_back_too(owner: Owner) -> None:
    owner.sells(10 * USDC, JUP, expired_at=owner.venue.now() // 1_000 + 60)
    owner.venue.advances(100)
    assert owner.rescues().ends == ["rescued"]


def test_for_people_it_is_a_table_and_sentences(owner: Owner) -> None:
    order = owner.sells(12.5 * USDC, JUP)
    text = owner.runs(as_json=False).printed
    assert re.search(rf"limit +12\.5 USDC +0\.00551928 +ok +{order}", text)
    assert f"1 order, 1 transaction. What comes back to {owner.wallet}: 12.5 USDC, 0.00551928 SOL of rent." in text
    assert "Orders of Trigger v2 lie in vaults" in text
    done = owner.rescues(as_json=False).printed
    assert f"rescued  {order}" in done
    assert "1 order: 1 rescued." in done
    assert re.search(rf"Fees: 0\.0000\d+ SOL in all, paid by {owner.wallet}\.", text)
    assert "has no open orders there" in owner.runs(as_json=False).printed


# --- who pays


def test_an_owner_without_sol_is_told_how_much_is_needed(owner: Owner) -> None:
    order = owner.sells(10 * USDC, JUP)
    owner.spends_all_lamports()
    plan = owner.runs()
    assert (plan.status, plan.verdicts) == (1, ["unpaid"])
    needed = int(plan.report["payer"]["neededLamports"])
    assert plan.report["payer"]["heldLamports"] == "0"
    with pytest.raises(StartRefused, match=r"holds 0 SOL, and 0\.\d+ SOL are needed .* --payer KEYFILE"):
        owner.rescues()
    assert owner.is_open(order)
    owner.trader.has(Funds(SOL, needed))
    assert owner.rescues().ends == ["rescued"]


def test_another_wallet_pays(owner: Owner, payer: Keypair) -> None:
    """Fees, and the accounts that are missing: the owner needs no lamport."""
    orders = [owner.sells(20 * USDC, JUP) for _ in range(6)]
    dca = owner.saves(880 * USDC, JUP)
    owner.has_bought(dca, 7 * JUP)
    owner.trader.closes_account_of(USDC)
    owner.spends_all_lamports()
    held = owner.venue.lamports(str(payer.pubkey()))
    run = owner.rescues(payer=key_file(owner.folder / "payer.json", payer))
    assert (run.status, set(run.ends)) == (0, {"rescued"})
    assert not any(map(owner.is_open, [*orders, dca]))
    assert (owner.trader.holds(USDC), owner.trader.holds(JUP)) == (1_000 * 10**6, 7 * 10**6)
    fees = int(run.report["total"]["feeLamports"])
    assert owner.venue.lamports(str(payer.pubkey())) == held - fees - RENT_OF_TOKENS
    assert owner.trader.holds(SOL) == sum(int(each["rentLamports"]) for each in run.report["orders"])


def test_what_comes_back_first_pays_for_the_rest(owner: Owner) -> None:
    """An owner who can pay for one transaction needs no more: its rents are his."""
    orders = [owner.sells(10 * USDC, JUP) for _ in range(11)]
    owner.spends_all_lamports()
    owner.trader.has(Funds(SOL, 890_880 + 2 * FEE))
    run = owner.rescues(unit_price=0)
    assert (run.status, run.ends) == (0, ["rescued"] * 11)
    assert not any(map(owner.is_open, orders))


def test_a_price_that_the_payer_cannot_pay_is_no_ok(owner: Owner) -> None:
    """Simulations are free of it, so the fees of all transactions are counted, in their order."""
    order = owner.sells(10 * USDC, JUP)
    plan = owner.runs(unit_price=10**14)
    assert (plan.status, plan.verdicts) == (1, ["unpaid"])
    fee = 5_000 + 43_200 * 10**14 // 10**6
    assert (plan.report["payer"]["feeLamports"], plan.report["payer"]["neededLamports"]) == (
        str(fee),
        str(fee + 890_880),
    )
    text = owner.runs(as_json=False, unit_price=10**14).printed
    assert "4320.000005 SOL in all" in text
    assert f"{order}: {owner.wallet} has too few lamports to pay for it." in text
    with pytest.raises(StartRefused, match=r"4320\.\d+ SOL are needed"):
        owner.rescues(unit_price=10**14, fees_max=2**63)
    assert owner.is_open(order)


def test_what_is_paid_first_leaves_too_little_for_the_rest(owner: Owner, payer: Keypair) -> None:
    """Ten orders are two transactions, and the payer has the fee of one."""
    for _ in range(10):
        owner.sells(10 * USDC, JUP)
    file = key_file(owner.folder / "payer.json", payer)
    price = 3 * 10**9  # Of 216,000 units: 0.65 SOL, and the payer has one.
    plan = owner.runs(payer=file, unit_price=price)
    assert plan.status == 1
    assert plan.verdicts.count("ok") == plan.verdicts.count("unpaid") == 5


@pytest.mark.usefixtures("hasty")
def test_fees_beyond_the_rents_are_refused_unless_they_are_allowed(owner: Owner, node: LimitingNode) -> None:
    """An order of 5 SOL, and a price at which half a SOL would be lost for 0.0055 of rent."""
    order = owner.sells(5 * SOL, USDC)
    dear = {"unit_price": 10**10}
    fee = 5_000 + 43_200 * 10**10 // 10**6
    plan = owner.runs(**dear)
    assert (plan.status, plan.verdicts, plan.report["ok"]) == (1, ["ok"], False)
    rent = RENT_OF_AN_ORDER + RENT_OF_TOKENS
    assert (plan.report["payer"]["feeLamports"], plan.report["payer"]["feeLamportsMax"]) == (str(fee), str(rent))
    words = (
        r"the fees would be 0\.432005 SOL, and 0\.00551928 SOL come back for closed accounts: .* --fees-max 432005000"
    )
    assert re.search(f"TOO DEAR: {words}", owner.runs(as_json=False, **dear).printed)
    for options in ({"sign": str(owner.file)}, {"print_": True}):
        with pytest.raises(StartRefused, match=words):
            owner.runs(**dear, **options)
    with pytest.raises(StartRefused, match=r"0\.432004999 SOL may be"):
        owner.rescues(**dear, fees_max=fee - 1)
    assert "sendTransaction" not in node.asked
    run = owner.rescues(**dear, fees_max=fee)
    assert (run.status, run.ends, run.report["total"]["feeLamports"]) == (0, ["rescued"], str(fee))
    assert not owner.is_open(order)


def test_an_account_that_several_transactions_would_make_is_paid_once(owner: Owner, payer: Keypair) -> None:
    """Ten orders are two transactions, whose tokens go to one account that is missing."""
    orders = [owner.sells(100 * USDC, JUP) for _ in range(10)]
    owner.trader.closes_account_of(USDC)
    wallet = str(payer.pubkey())
    needed = 890_880 + 2 * 2 * FEE + RENT_OF_TOKENS
    Trader(owner.venue, payer).pays(str(Pubkey.new_unique()), Funds(SOL, owner.venue.lamports(wallet) - needed - FEE))
    assert owner.venue.lamports(wallet) == needed
    run = owner.rescues(payer=key_file(owner.folder / "payer.json", payer), unit_price=0)
    assert run.report["payer"]["neededLamports"] == str(needed)
    assert (run.status, run.verdicts, run.ends) == (0, ["ok"] * 10, ["rescued"] * 10)
    assert not any(map(owner.is_open, orders))
    assert owner.venue.lamports(wallet) == 890_880


# --- races and lost transactions


@pytest.fixture
def node(owner: Owner) -> Iterator[LimitingNode]:
    with limiting_node(owner.node) as node:
        owner.node = node.url
        yield node


def test_an_order_that_is_cancelled_before_the_send_is_gone(owner: Owner, node: LimitingNode) -> None:
    orders = [owner.sells(10 * USDC, JUP) for _ in range(3)]
    seen = []

    def between(method: str, params: Any) -> None:
        """The blockhash of the send is asked after the plan: when accounts are looked at again."""
        if method == "getMultipleAccounts" and orders[0] in params[0]:
            seen.append(method)
            if len(seen) == 2:
                owner.cancels(orders[1], USDC)

    node.before = between
    run = owner.rescues()
    assert (run.status, sorted(run.ends)) == (0, ["gone", "rescued", "rescued"])
    assert not any(map(owner.is_open, orders))
    assert owner.trader.holds(USDC) == 1_000 * 10**6


def test_a_batch_that_loses_to_a_cancel_on_chain_is_made_again_without_it(owner: Owner, node: LimitingNode) -> None:
    orders = [owner.sells(10 * USDC, JUP) for _ in range(5)]
    node.before = Once("sendTransaction", lambda: owner.cancels(orders[2], USDC))
    run = owner.rescues()
    ends = {each["order"]: each["end"] for each in run.report["ended"]}
    assert ends == {order: "gone" if order == orders[2] else "rescued" for order in orders}
    assert run.status == 0
    assert len(node.sent) == 2, "the first was rejected whole"
    assert owner.trader.holds(USDC) == 1_000 * 10**6


@pytest.mark.usefixtures("hasty")
def test_a_second_try_pays_no_more_than_all_fees_may_be(owner: Owner, node: LimitingNode) -> None:
    """The first is rejected, and its fee is paid."""
    orders = [owner.sells(10 * USDC, JUP) for _ in range(3)]
    node.before = Once("sendTransaction", lambda: owner.cancels(orders[2], USDC))
    run = owner.rescues(unit_price=0, fees_max=2 * FEE - 1)
    ends = {each["order"]: each for each in run.report["ended"]}
    assert [ends[order]["end"] for order in orders] == ["failed", "failed", "gone"]
    assert "another fee of 5000 lamports would be more than --fees-max in all" in ends[orders[0]]["reason"]
    assert len(node.sent) == 1
    assert owner.rescues(unit_price=0, fees_max=FEE).ends == ["rescued"] * 2


@pytest.mark.usefixtures("hasty")
def test_a_fee_of_what_died_is_not_paid(owner: Owner, node: LimitingNode) -> None:
    owner.sells(10 * USDC, JUP)
    owner.venue.faults(dropTransactions=1)
    node.before = Once("getSignatureStatuses", lambda: owner.venue.faults(expireBlockhashes=True))
    assert owner.rescues(unit_price=0, fees_max=FEE).ends == ["rescued"]
    assert len(node.sent) == 2


def test_an_order_that_is_filled_before_the_send_is_gone(owner: Owner, node: LimitingNode) -> None:
    order = owner.sells(10 * USDC, JUP)
    node.before = Once("sendTransaction", lambda: fills(owner, order))
    run = owner.rescues()
    assert (run.status, run.ends) == (0, ["gone"])
    assert owner.trader.holds(JUP) > 0


@pytest.mark.usefixtures("hasty")
def test_what_a_node_loses_is_sent_again_as_it_is(owner: Owner) -> None:
    order = owner.sells(10 * USDC, JUP)
    owner.venue.faults(dropTransactions=1)
    run = owner.rescues()
    assert (run.status, run.ends) == (0, ["rescued"])
    assert not owner.is_open(order)


@pytest.mark.usefixtures("hasty")
def test_a_blockhash_that_dies_is_replaced_by_a_fresh_one(owner: Owner, node: LimitingNode) -> None:
    order = owner.sells(10 * USDC, JUP)
    owner.venue.faults(dropTransactions=1)
    node.before = Once("getSignatureStatuses", lambda: owner.venue.faults(expireBlockhashes=True))
    run = owner.rescues()
    assert (run.status, run.ends) == (0, ["rescued"])
    first, second = node.sent
    assert signature_in(first) != signature_in(second)
    assert not owner.is_open(order)


def test_one_order_that_cannot_be_cancelled_stops_no_other(owner: Owner, bob: Trader) -> None:
    """Its owner's token account has got another owner: what comes back would not be the owner's."""
    stuck = owner.sells(10 * USDC, JUP)
    others = [owner.sells(1 * SOL, JUP), owner.saves(1 * SOL, JUP)]
    give_away = set_authority(
        SetAuthorityParams(
            program_id=TOKEN_PROGRAM_ID,
            account=associated(owner.wallet, USDC),
            authority=AuthorityType.ACCOUNT_OWNER,
            current_authority=owner.key.pubkey(),
            new_authority=bob.key.pubkey(),
        )
    )
    owner.trader.sends(give_away)
    run = owner.rescues()
    assert run.status == 1
    verdicts = {each["order"]: each for each in run.report["orders"]}
    assert verdicts[stuck]["verdict"] == "fails"
    assert verdicts[stuck]["reason"].endswith(f"belongs to {bob.wallet} now")
    assert [each["order"] for each in run.report["ended"]] == [*others, stuck]
    assert run.ends == ["rescued", "rescued", "failed"]
    assert run.report["ended"][-1]["reason"] == verdicts[stuck]["reason"]
    assert owner.is_open(stuck)
    again = owner.rescues(as_json=False, order=(stuck, others[0], bob.wallet))
    assert again.status == 1
    assert re.search(rf"^  failed  {stuck}  .*belongs to {bob.wallet} now$", again.printed, re.MULTILINE)
    assert f"left out  {others[0]}  " in again.printed
    assert f"left out  {bob.wallet}  " in again.printed
    assert "1 order: 1 failed. 2 other accounts left out." in again.printed


def test_an_account_that_takes_nothing_without_a_memo_is_told_with_the_remedy(owner: Owner) -> None:
    """Its number, 36, says nothing to its owner."""
    token = adds(owner.venue)
    owner.trader.has(100 * token)
    order = owner.sells(10 * token, USDC, program=TOKEN_2022_PROGRAM)
    account = Pubkey.from_string(associated_token_address(owner.wallet, token.mint, TOKEN_2022_PROGRAM))
    program, me = Pubkey.from_string(TOKEN_2022_PROGRAM), owner.key.pubkey()
    own, signer = (
        AccountMeta(account, is_signer=False, is_writable=True),
        AccountMeta(me, is_signer=True, is_writable=True),
    )
    system = AccountMeta(Pubkey.default(), is_signer=False, is_writable=False)
    makes_room = Instruction(program, bytes([29, 8, 0]), [own, signer, system, signer])
    owner.trader.sends(makes_room, Instruction(program, bytes([30, 0]), [own, signer]))
    run = owner.rescues()
    assert (run.status, run.verdicts, run.ends) == (1, ["fails"], ["failed"])
    reason = run.report["ended"][0]["reason"]
    assert reason.startswith("the cancel is refused: 36, NoMemo: ")
    assert f"spl-token disable-required-transfer-memos {account}" in reason
    owner.trader.sends(Instruction(program, bytes([30, 1]), [own, signer]))
    assert owner.rescues().ends == ["rescued"]
    assert not owner.is_open(order)


# --- a second run


@pytest.mark.usefixtures("hasty")
def test_a_run_that_is_killed_in_the_middle_is_taken_up_by_the_next(owner: Owner, node: LimitingNode) -> None:
    """The first was killed before its transaction reached the chain: the second sends the very same one."""
    orders = [owner.sells(10 * USDC, JUP) for _ in range(6)]
    process = started(owner)
    node.loses, node.before = 2, Once("sendTransaction", process.kill)
    assert process.wait(30) == -signal.SIGKILL
    node.loses, node.before = 0, None
    noted = noted_in(owner.note)
    assert noted
    assert all(map(owner.is_open, orders))
    assert "under-way" in owner.runs().verdicts

    run = owner.rescues()
    assert (run.status, run.ends) == (0, ["rescued"] * 6)
    assert not any(map(owner.is_open, orders))
    assert owner.trader.holds(USDC) == 1_000 * 10**6
    assert noted <= {signature_in(each) for each in node.sent}
    assert noted <= {each["signature"] for each in run.report["ended"]}
    again = owner.rescues()
    assert (again.status, again.report["ended"]) == (0, [])


@pytest.mark.usefixtures("hasty")
def test_a_run_that_is_killed_after_its_send_finds_what_landed(owner: Owner, node: LimitingNode) -> None:
    orders = [owner.sells(10 * USDC, JUP) for _ in range(2)]
    process = started(owner)
    node.before = Once("getSignatureStatuses", process.kill)
    assert process.wait(30) == -signal.SIGKILL
    node.before = None
    owner.venue.settles()
    sent = list(node.sent)
    run = owner.rescues()
    assert (run.status, run.ends) == (0, ["rescued"] * 2)
    assert node.sent == sent, "it is asked for, and not sent again"
    assert run.report["total"]["returned"] == [{"mint": USDC.mint, "units": "20000000", "amount": "20"}]
    assert not any(map(owner.is_open, orders))


@pytest.mark.usefixtures("hasty")
def test_nothing_is_sent_anew_while_the_first_may_still_land(owner: Owner, node: LimitingNode) -> None:
    order = owner.sells(10 * USDC, JUP)
    process = started(owner)
    owner.venue.faults(dropTransactions=1)
    node.before = Once("getSignatureStatuses", process.kill)
    assert process.wait(30) == -signal.SIGKILL
    node.before = None
    plan = owner.runs()
    assert (plan.status, plan.verdicts) == (1, ["under-way"])
    assert owner.runs(print_=True).report["transactions"] == []
    assert owner.is_open(order)
    owner.venue.faults(expireBlockhashes=True)
    assert owner.runs().verdicts == ["ok"]
    assert owner.rescues().ends == ["rescued"]


@pytest.mark.parametrize("note", ["note.jsonl", "another.jsonl"])
def test_two_rescues_of_one_owner_do_not_run_at_once(owner: Owner, node: LimitingNode, state: Path, note: str) -> None:
    """Whatever their notes are: else both would count what one transaction brought."""
    owner.sells(10 * USDC, JUP)
    refused: list[str] = []

    def another() -> None:
        owner.note = owner.folder / note
        with pytest.raises(StartRefused) as why:
            run_in_thread(owner)
        refused.append(str(why.value))

    node.before = Once("sendTransaction", another)
    assert owner.rescues().ends == ["rescued"]
    assert len(refused) == 1
    assert refused[0].startswith(f"another rescue is at work for {owner.wallet}: it holds {state}/countermand/rescue-")
    assert list((state / "countermand").iterdir()) == []


def test_one_note_serves_no_two_runs_at_once(owner: Owner, node: LimitingNode) -> None:
    other = Owner(owner.venue, owner.folder, owner.captured, node=owner.node)
    owner.sells(10 * USDC, JUP)
    refused: list[str] = []

    def another() -> None:
        other.file = key_file(owner.folder / "other.json", other.key)
        with pytest.raises(StartRefused) as why:
            run_in_thread(other)
        refused.append(str(why.value))

    node.before = Once("sendTransaction", another)
    owner.file = key_file(owner.folder / "own.json", owner.key)
    assert owner.rescues().ends == ["rescued"]
    assert refused == [f"--note {owner.note} is in use by another rescue; let it end first, or give another file"]


# --- by address


def test_named_orders_alone_are_rescued(owner: Owner, node: LimitingNode) -> None:
    first, second = owner.sells(10 * USDC, JUP), owner.saves(104 * USDC, JUP)
    node.refuses = {"getProgramAccounts": "excluded"}
    run = owner.rescues(order=(second,))
    assert (run.status, run.ends) == (0, ["rescued"])
    assert (owner.is_open(first), owner.is_open(second)) == (True, False)
    assert "getProgramAccounts" not in node.asked
    gone = owner.rescues(order=(second, first, second))
    assert (gone.status, gone.ends) == (0, ["rescued"])
    assert [each["why"] for each in gone.report["otherAccounts"]] == ["missing"]


def test_an_order_of_a_stranger_is_left_alone(owner: Owner, bob: Trader) -> None:
    strange = Owner(owner.venue, owner.folder, owner.captured, bob.key)
    order, own = strange.sells(10 * USDC, JUP), owner.sells(10 * USDC, JUP)
    run = Owner(owner.venue, owner.folder, owner.captured, owner.key).rescues(order=(order, own, bob.wallet))
    assert run.status == 1
    assert [(each["account"], each["why"]) for each in run.report["otherAccounts"]] == [
        (order, "strangers"),
        (bob.wallet, "other-program"),
    ]
    assert bob.wallet in run.report["otherAccounts"][0]["reason"]
    assert run.ends == ["rescued"]
    assert strange.is_open(order)


# --- nodes that refuse


def test_a_node_that_does_not_list_accounts_is_explained_with_the_way_out(owner: Owner, node: LimitingNode) -> None:
    owner.sells(10 * USDC, JUP)
    node.refuses = {"getProgramAccounts": "j1o2 excluded from account secondary indexes"}
    with pytest.raises(StartRefused, match=r"secondary indexes.*another node by --rpc-url, or .*--order ADDRESS"):
        owner.rescues()
    node.refuses = {}
    node.forbids = {"getProgramAccounts"}
    with pytest.raises(StartRefused, match=r"HTTP status 403.*--order ADDRESS"):
        owner.runs()


def test_a_node_that_is_busy_is_asked_again_in_a_while(
    owner: Owner, node: LimitingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("countermand.cli.rescue.BUSY_PAUSES_MS", (1, 1, 1))
    order = owner.sells(10 * USDC, JUP)
    node.busy = {"getProgramAccounts": 2, "simulateTransaction": 3, "sendTransaction": 3, "getSignatureStatuses": 2}
    run = owner.rescues()
    assert (run.status, run.ends) == (0, ["rescued"])
    assert not owner.is_open(order)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("getGenesisHash", "429: it takes no more requests from us now; wait a minute, or give a node of your own"),
        ("getProgramAccounts", "429.*--order ADDRESS"),
        ("simulateTransaction", "429.*wait a minute"),
    ],
)
def test_a_node_that_stays_busy_is_explained(
    owner: Owner, node: LimitingNode, monkeypatch: pytest.MonkeyPatch, method: str, words: str
) -> None:
    monkeypatch.setattr("countermand.cli.rescue.BUSY_PAUSES_MS", (1, 1))
    owner.sells(10 * USDC, JUP)
    node.busy = {method: 10**6}
    with pytest.raises(StartRefused, match=words) as refused:
        owner.runs()
    assert "\n" not in str(refused.value)


def test_a_node_that_takes_no_transactions_is_told_soon_in_its_words(
    owner: Owner, node: LimitingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = owner.sells(10 * USDC, JUP)
    node.refuses = {"sendTransaction": "node is read-only"}
    began = time.monotonic()
    run = owner.rescues()
    assert time.monotonic() - began < 40
    assert (run.status, run.ends) == (1, ["unknown"])
    reason = run.report["ended"][0]["reason"]
    assert "refused sendTransaction: 'node is read-only' (-32010); run it again with another node" in reason
    assert node.asked.count("sendTransaction") == 3
    assert owner.is_open(order)

    monkeypatch.setattr("countermand.rescue.sending.RESEND_MS", 200)
    node.refuses = {}
    again = owner.rescues()
    assert (again.status, again.ends) == (0, ["rescued"])
    assert [signature_in(each) for each in node.sent] == [run.report["ended"][0]["signature"]], "the very same"


def test_a_node_that_does_not_tell_fees_gets_a_fixed_price(owner: Owner, node: LimitingNode) -> None:
    owner.sells(10 * USDC, JUP)
    node.forbids = {"getRecentPrioritizationFees"}
    assert owner.rescues().ends == ["rescued"]
    (sent,) = node.sent
    assert bytes(set_compute_unit_price(200_000).data) in b64decode(sent)


@pytest.mark.usefixtures("hasty")
def test_a_node_that_forbids_transactions_is_told(owner: Owner, node: LimitingNode) -> None:
    owner.sells(10 * USDC, JUP)
    node.forbids = {"sendTransaction"}
    run = owner.rescues(as_json=False)
    assert "HTTP status 403" in run.printed
    assert "forbidden by its plan" in run.printed
    assert "1 order: 1 unknown." in run.printed


@pytest.mark.parametrize(
    ("code", "words"),
    [(-32005, "Node is behind by 150 slots"), (-32002, "Transaction simulation failed: Blockhash not found")],
)
@pytest.mark.usefixtures("hasty")
def test_a_node_that_is_behind_is_asked_again_and_that_is_told(
    owner: Owner, node: LimitingNode, code: int, words: str
) -> None:
    order = owner.sells(10 * USDC, JUP)
    node.refuses, node.code = {"sendTransaction": words}, code

    def recovers(method: str, _params: object) -> None:
        if node.asked.count("sendTransaction") >= 5:
            node.refuses = {}

    node.before = recovers
    owner.captured.readouterr()
    status = rescue(owner=owner.wallet, rpc_url=owner.node, note=owner.note, as_json=True, sign=str(owner.file))
    out, err = owner.captured.readouterr()
    assert (status, [each["end"] for each in json.loads(out)["ended"]]) == (0, ["rescued"])
    assert err.count("\n") == 1, "once, however often it is asked"
    assert f"refused sendTransaction: '{words}' ({code}); asking again" in err
    assert not owner.is_open(order)


@pytest.mark.usefixtures("hasty")
def test_what_dies_because_no_node_takes_it_is_told_in_the_nodes_words(owner: Owner, node: LimitingNode) -> None:
    owner.sells(10 * USDC, JUP)
    node.refuses, node.code = {"sendTransaction": "Node is unhealthy"}, -32005

    def dies(method: str, _params: object) -> None:
        if method == "getSignatureStatuses" and node.asked.count("sendTransaction") >= 4:
            owner.venue.faults(expireBlockhashes=True)

    node.before = dies
    run = owner.rescues()
    assert (run.status, run.ends) == (1, ["failed"])
    assert "its blockhash died before it landed: " in run.report["ended"][0]["reason"]
    assert "'Node is unhealthy' (-32005); run it again with another node" in run.report["ended"][0]["reason"]
    assert len(noted_in(owner.note)) == 1, "another would fare no better"


def test_a_connection_that_is_dropped_is_told_in_words(owner: Owner, node: LimitingNode) -> None:
    owner.sells(10 * USDC, JUP)
    node.hangs_up = {"simulateTransaction"}
    words = (
        r"^the node at http://127\.0\.0\.1:\d+ cannot be asked simulateTransaction: it closed the connection without "
        r"an answer; is --rpc-url right, and does the node run\?"
    )
    with pytest.raises(StartRefused, match=words):
        owner.runs()


def test_older_programs_are_counted_and_named(owner: Owner, node: LimitingNode) -> None:
    """The venue's chain has none of their accounts: the node in between adds one of each."""
    older = {LIMIT_V1: 8, VALUE_AVERAGE: 18}
    asked: list[str] = []

    def note_it(method: str, params: Any) -> None:
        if method == "getProgramAccounts":
            asked.append(params[0])

    def adds(result: Any) -> Any:
        program = asked[-1]
        if program in older:
            data = bytes(older[program]) + bytes(owner.key.pubkey())
            account = {
                "data": [b64encode(data).decode(), "base64"],
                "owner": program,
                "lamports": 1,
                "executable": False,
            }
            result["value"] = [{"pubkey": str(Pubkey.new_unique()), "account": account}]
        return result

    node.before, node.answers = note_it, {"getProgramAccounts": adds}
    run = owner.runs()
    assert [(each["program"], each["count"]) for each in run.report["cannotBeRescued"]] == [
        (LIMIT_V1, 1),
        (VALUE_AVERAGE, 1),
    ]
    text = owner.runs(as_json=False).printed
    assert f"Cannot be rescued: 1 limit orders of Jupiter's first limit program ({LIMIT_V1})" in text


# --- for another wallet


def test_another_wallet_signs_what_is_printed(owner: Owner) -> None:
    orders = [owner.sells(10 * USDC, JUP), owner.saves(104 * USDC, JUP)]
    run = owner.runs(print_=True)
    for each in run.report["transactions"]:
        assert each["lastValidBlockHeight"] > owner.venue.sandbox()["chain"]["blockHeight"]
        assert any("cancel" in sentence.lower() for sentence in explain_base64(each["transaction"]))
        signed_by_wallet = signed(each["transaction"], owner.key)
        owner.venue.rpc("sendTransaction", signed_by_wallet, {"encoding": "base64"})
    owner.venue.settles()
    assert not any(map(owner.is_open, orders))


def test_a_payer_signs_its_part_of_what_is_printed(owner: Owner, payer: Keypair) -> None:
    order = owner.sells(10 * USDC, JUP)
    run = owner.runs(print_=True, payer=key_file(owner.folder / "payer.json", payer))
    (printed,) = run.report["transactions"]
    owner.venue.rpc("sendTransaction", signed(printed["transaction"], owner.key), {"encoding": "base64"})
    owner.venue.settles()
    assert not owner.is_open(order)


def test_what_dies_unsigned_is_printed_again_until_no_order_is_left(
    owner: Owner, node: LimitingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("countermand.rescue.rescue.RENEW_POLL_MS", 50)
    order = owner.sells(10 * USDC, JUP)
    asked: list[str] = []
    printed: list[str] = []

    def acts(method: str, _params: object) -> None:
        if method != "getEpochInfo":
            return
        asked.append(method)
        if len(asked) == 1:
            owner.venue.faults(expireBlockhashes=True)
        printed.extend(owner.captured.readouterr().out.splitlines())
        if len(printed) == 2:
            first, second = (json.loads(line)["transactions"][0] for line in printed)
            assert second["lastValidBlockHeight"] > first["lastValidBlockHeight"]
            owner.venue.rpc("sendTransaction", signed(second["transaction"], owner.key), {"encoding": "base64"})
            printed.append("signed")

    node.before = acts
    assert owner.runs(print_=True, renew=True).status == 0
    assert printed[2:] == ["signed"]
    assert not owner.is_open(order)


# --- options and secrets


@pytest.mark.parametrize("text", ["array", "base58"])
def test_a_key_comes_by_standard_input_and_never_by_argument(owner: Owner, text: str) -> None:
    order = owner.sells(10 * USDC, JUP)
    secret = str(owner.key) if text == "base58" else json.dumps(list(bytes(owner.key)))
    done = in_a_process(owner, "--sign", "-", given=f"{secret}\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert str(owner.key) not in done.stdout
    assert not owner.is_open(order)
    assert str(owner.key) not in owner.note.read_text()
    assert owner.note.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sign": "SECRET"}, "--sign: the key file cannot be read: .*; a key itself is never an argument"),
        ({"sign": "OTHER"}, "--sign gives the key of .*, and --owner is"),
        ({"sign": "GARBAGE"}, "--sign: what was given is no key"),
        ({"sign": "FILE", "print_": True}, "--sign and --print exclude each other"),
        ({"renew": True}, "--renew is for what --print prints"),
        ({"owner": "SECRET"}, "--owner is no address"),
        ({"order": ("nothing",)}, "--order is no address"),
        ({"unit_price": -1}, "--unit-price -1 is no number of micro-lamports"),
        ({"fees_max": 2**64}, "--fees-max 18446744073709551616 is no number of lamports: 0 to "),
        ({"note": Path("/tmp")}, "--note /tmp is no regular file; give one"),
        ({"note": Path("/tmp"), "sign": "FILE"}, "--note /tmp cannot be written: Is a directory; give another file"),
        ({"note": Path("/dev/zero")}, "--note /dev/zero is no regular file"),
        ({"note": Path("/dev/full"), "sign": "FILE"}, "--note /dev/full is no regular file"),
        ({"rpc_url": "ftp://me:secret@node"}, "--rpc-url: the node's address is no http or https one"),
        (
            {"rpc_url": "http://127.0.0.1:9/?api-key=secret"},
            "the node at http://127.0.0.1:9 cannot be asked .*: Connect.* is --rpc-url right, and does the node run",
        ),
    ],
)
def test_what_cannot_run_is_one_line_without_a_secret(owner: Owner, options: dict[str, Any], words: str) -> None:
    files = {
        "SECRET": str(owner.key),
        "FILE": str(owner.file),
        "OTHER": str(key_file(owner.folder / "other.json", Keypair())),
        "GARBAGE": str(garbage(owner.folder / "garbage", owner.key)),
    }
    named = {name: files.get(str(value), value) for name, value in options.items()}
    with pytest.raises(StartRefused, match=words) as refused:
        owner.runs(**named)
    said = str(refused.value)
    assert "\n" not in said
    for secret in (str(owner.key), str(list(bytes(owner.key))[:4]).strip("[]"), "secret"):
        assert secret not in said


def test_a_state_directory_that_cannot_be_written_is_told(owner: Owner, state: Path) -> None:
    state.write_text("no directory")
    with pytest.raises(StartRefused, match=r"lock .* cannot be taken: .*; name a directory .* by XDG_STATE_HOME"):
        owner.rescues()


def test_a_chain_without_the_programs_is_told(owner: Owner, node: LimitingNode) -> None:
    node.answers = {"getMultipleAccounts": lambda result: result | {"value": [None] * len(result["value"])}}
    with pytest.raises(StartRefused, match=r"none of Jupiter's order programs; is it mainnet\?"):
        owner.runs()


# --- what a node may say


def test_bytes_that_are_no_order_are_named_and_left_alone(owner: Owner, node: LimitingNode) -> None:
    own = owner.sells(10 * USDC, JUP)

    def adds(result: Any) -> Any:
        for entry in list(result["value"]):
            data = b64decode(entry["account"]["data"][0])
            for bad in hostile(data):
                account = entry["account"] | {"data": [b64encode(bad).decode(), "base64"]}
                result["value"].append({"pubkey": str(Pubkey.new_unique()), "account": account})
        return result

    node.answers = {"getProgramAccounts": adds}
    run = owner.rescues()
    assert run.status == 1
    assert run.ends == ["rescued"]
    assert {each["why"] for each in run.report["otherAccounts"]} == {"strangers", "unreadable"}
    assert not owner.is_open(own)


def hostile(data: bytes) -> Iterator[bytes]:
    """Of an order's account."""
    yield b""
    yield data[:100]
    yield data[:8] + b"\xff" * (len(data) - 8)
    yield b"\xff" * len(data)
    yield data  # At another address.
    yield data[:8] + bytes(32) + data[40:]
    yield data[:200] + b"\xff" * 8 + data[208:]
    yield data[:168] + bytes(32) + data[200:]
    yield data[:104] + bytes(32) + data[136:]
    yield data + bytes(1_000)


# --- helpers


@pytest.fixture
def payer(venue: Venue) -> Keypair:
    key = Keypair()
    venue.gives(str(key.pubkey()), 1 * SOL)
    return key


def garbage(file: Path, key: Keypair) -> Path:
    """Half a key: nothing of it may be shown."""
    file.write_text(json.dumps(list(bytes(key))[:32]))
    return file


def fills(owner: Owner, order: str) -> None:
    """All of it, at the order's rate, by a taker of its own."""
    taker = Trader(owner.venue)
    taker.has(1 * SOL, 1_000 * JUP, 1 * USDC)
    owner.venue.gives(limit_order.FEE_ACCOUNT, 1 * JUP)
    data = b64decode(owner.venue.rpc("getAccountInfo", order, {"encoding": "base64"})["data"][0])
    read = limit_order.read_order(data)
    assert read is not None
    taker.sends(fill_order(Taking.of(taker.wallet, order, read), read.making_amount))


def signature_in(transaction: str) -> str:
    return signature_of(b64decode(transaction))


def run_in_thread(owner: Owner) -> None:
    """(The loop of the first runs in this process already; a run of its own is a process of its own.)"""
    done = in_a_process(owner, "--sign", str(owner.file))
    assert (done.returncode, done.stdout) == (2, "")
    raise StartRefused(done.stderr.removeprefix("countermand: ").strip())
