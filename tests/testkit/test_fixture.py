"""The fixture `countermand`, as a stranger's tests use it."""

import asyncio
import base64
import multiprocessing
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from decimal import Decimal, localcontext
from typing import Any

import pytest
from solders.hash import Hash
from solders.instruction import CompiledInstruction
from solders.message import Message, MessageAddressTableLookup, MessageHeader, MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from countermand.testkit.guards import LIGHTHOUSE, Guard, guarded
from countermand.testkit.http import LostAnswer, RequestRefused
from countermand.testkit.venue import Countermand, NotSettled, PromiseBroken


def test_a_stop_fills_when_the_price_falls_below_it(countermand: Countermand) -> None:
    w = countermand.wallet(sol=10)
    order = w.trigger.place("SOL", 2, "USDC", below=120)
    assert w.trigger.order(order)["orderState"] == "open"
    countermand.price("SOL", "119.50")
    countermand.settle()
    assert w.trigger.order(order)["orderState"] == "filled"
    assert Decimal(238) < w.balance("USDC") < Decimal(239)
    countermand.assert_promise()


def test_a_cancelled_order_gives_all_back_although_answers_are_lost(countermand: Countermand) -> None:
    w = countermand.wallet(sol=10)
    order = w.trigger.place("SOL", "1.5", "USDC", above=Decimal("200.25"))
    countermand.faults(lose_answers=1)
    cancelling = w.trigger.cancel(order)
    assert countermand.state()["faults"]["loseAnswers"] == 0
    countermand.price("SOL", 250)
    countermand.settle()
    w.trigger.confirm(order, cancelling)
    assert w.trigger.order(order)["orderState"] == "cancelled"
    assert w.balance("SOL") > Decimal("9.99")
    countermand.assert_promise()


@pytest.mark.parametrize("number", range(3))
def test_each_test_begins_with_an_empty_venue(countermand: Countermand, number: int) -> None:
    assert countermand.orders() == []
    assert not any(countermand.state()["faults"].values())
    assert [each["price"] for each in countermand.state()["tokens"]] == ["150", "1", "1", "0.5"]
    assert countermand.state()["clock"] == {"mode": "running"}
    countermand.wallet(sol=2).trigger.place("SOL", 1, "USDC", above=200)
    countermand.faults(fail_swaps=3, rate_limit=2)
    countermand.prices({"SOL": 1, "JUP": "0.000001"})
    countermand.sandbox("POST", "/tokens", {"symbol": "BONK", "decimals": 5, "price": "0.00002"})
    countermand.freeze()


_forked_with: Countermand | None = None


def _balances(of: list[str]) -> list[int]:
    """What a worker is told of these wallets, each asked for anew."""
    assert _forked_with is not None
    return [_forked_with.rpc("getBalance", wallet)["value"] for wallet in of]


@pytest.mark.parametrize("kind", ["threads", "forks"])
def test_each_worker_reads_its_own_answers(
    countermand: Countermand, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setitem(globals(), "_forked_with", countermand)
    wallets = [countermand.wallet(sol=number).address for number in range(1, 5)]
    fork = multiprocessing.get_context("fork")
    workers: Executor = ThreadPoolExecutor(4) if kind == "threads" else ProcessPoolExecutor(4, fork)
    with workers:
        asked = [workers.submit(_balances, [wallet] * 50) for wallet in wallets]
        own = _balances(wallets * 10)
        told = [each.result(30) for each in asked]
    assert told == [[number * 10**9] * 50 for number in range(1, 5)]
    assert own == [number * 10**9 for number in range(1, 5)] * 10


def test_money_is_given_in_whole_tokens(countermand: Countermand) -> None:
    w = countermand.wallet(sol="0.5", usdc=Decimal("1000.000001"), jup=7)
    assert (w.balance("SOL"), w.balance("USDC"), w.balance("JUP")) == (
        Decimal("0.5"),
        Decimal("1000.000001"),
        Decimal(7),
    )
    with localcontext(prec=3):
        assert w.balance("USDC") == Decimal("1000.000001")
    countermand.sandbox("POST", "/tokens", {"symbol": "BONK", "decimals": 5, "price": "0.00002"})
    assert countermand.wallet(bonk=3).balance("BONK") == 3
    with pytest.raises(LookupError, match="doge"):
        countermand.wallet(doge=1)


def test_an_order_has_one_trigger(countermand: Countermand) -> None:
    w = countermand.wallet(sol=1)
    with pytest.raises(ValueError, match="above='200' and below=100"):
        w.trigger.place("SOL", "0.5", "USDC", above="200", below=100)
    assert countermand.orders() == []


def test_a_recurring_order_is_seen_and_cancelled_as_any_other(countermand: Countermand) -> None:
    w = countermand.wallet(sol=1, usdc=300)
    order = w.trigger.place_recurring("USDC", 300, "SOL", rounds=3, every_s=3_600)
    countermand.settle()
    assert w.trigger.order(order)["state"] == "active"
    w.trigger.confirm(order, w.trigger.cancel(order))
    assert w.trigger.order(order)["state"] == "cancelled"
    assert w.balance("USDC") == 200
    countermand.assert_promise()


def test_an_order_of_no_family_is_refused(countermand: Countermand) -> None:
    w = countermand.wallet(sol=1)
    with pytest.raises(
        RequestRefused, match=r"^POST /trigger/v2/orders/price/cancel/.* was answered with 404: Order not"
    ):
        w.trigger.cancel("01a1f8a9-94f4-7acf-b2ce-265611353ef3")


def test_further_fields_are_named_as_python_names_them(countermand: Countermand) -> None:
    """A field in another case would be passed over, as by the original."""
    w = countermand.wallet(sol=3)
    order = w.trigger.place("SOL", 1, "USDC", above=200, slippage_bps=77)
    assert w.trigger.order(order)["slippageBps"] == 77
    pair = w.trigger.place("SOL", 1, "USDC", order_type="oco", tp_price_usd="210.5", slPriceUsd=100)
    assert w.trigger.order(pair)["tpPriceUsd"] == Decimal("210.5")
    with pytest.raises(TypeError, match=r"tp_price_usd=210\.5 is a float"):
        w.trigger.place("SOL", 1, "USDC", order_type="oco", tp_price_usd=210.5, sl_price_usd=100)


def test_a_refusal_says_what_is_wrong_with_each_field(countermand: Countermand) -> None:
    with pytest.raises(RequestRefused) as refused:
        countermand.wallet(sol=1).trigger.place("SOL", "0.5", "USDC", above=200, slippage_bps=-4)
    assert str(refused.value).endswith(
        "400: Request validation failed (slippageBps: Too small: expected number to be >=0)"
    )
    with pytest.raises(RequestRefused) as refused:
        countermand.ask("POST", "/trigger/v1/createOrder", {}).ok()
    assert str(refused.value).endswith("400: invalid create order request (inputMint: required)")


def test_a_deposit_that_cannot_land_tells_what_the_wallet_has(countermand: Countermand) -> None:
    """The chain's words are `custom program error: 0x1`. The venue adds what is lacking, the fixture what there is."""
    with pytest.raises(RequestRefused, match="Invalid signed deposit transaction") as refused:
        countermand.wallet(sol="1.5").trigger.place("SOL", 5, "USDC", below=120)
    assert "(the wallet lacks 3.5" in str(refused.value)
    assert refused.value.__notes__ == [
        "the wallet has 1.5 SOL; the order sells 5 SOL, and rent and fees are paid in SOL"
    ]
    with pytest.raises(RequestRefused, match="Invalid signed deposit transaction") as refused:
        countermand.wallet(usdc=9).trigger.place("USDC", 20, "SOL", below=120)
    assert "(the wallet lacks 0.00" in str(refused.value)
    assert refused.value.__notes__ == [
        "the wallet has 0 SOL and 9 USDC; the order sells 20 USDC, and rent and fees are paid in SOL"
    ]


def test_a_token_that_there_is_not_is_refused_with_those_that_there_are(countermand: Countermand) -> None:
    w = countermand.wallet(sol=1)
    with pytest.raises(LookupError, match=r"'sol' is neither .* it has SOL, USDC, USDT, JUP"):
        w.trigger.place("sol", "0.5", "USDC", above=200)
    with pytest.raises(
        LookupError, match="no token of this sandbox has the symbol 'bonk'; it has SOL, USDC, USDT, JUP"
    ):
        countermand.wallet(bonk=1)


@pytest.mark.parametrize("value", [1.5, True, None])
def test_no_number_is_a_float(countermand: Countermand, value: Any) -> None:
    for refused in (
        lambda: countermand.price("SOL", value),
        lambda: countermand.wallet(sol=value),
        lambda: countermand.advance(seconds=value),
    ):
        with pytest.raises(TypeError, match="a float is not exact"):
            refused()


@pytest.mark.parametrize("value", ["many", "nan", "1e999", "0.0000000001", -1])
def test_what_is_no_amount_is_refused(countermand: Countermand, value: Any) -> None:
    with pytest.raises(ValueError):
        countermand.wallet(sol=value)


def test_a_guard_that_there_is_not_is_refused(countermand: Countermand) -> None:
    """Where nothing of the wallet's is signed, it would alter nothing, and be noticed by nothing."""
    misspelt: Any = "lighthouze"
    with pytest.raises(ValueError, match="guard='lighthouze' is none; give 'lighthouse' or 'compute-budget'"):
        countermand.wallet(guard=misspelt, sol=1)


def test_a_wallet_signs_in_anew_whatever_it_does_first(countermand: Countermand) -> None:
    w = countermand.wallet(sol=10)
    order = w.trigger.place("SOL", 1, "USDC", above=200)
    ways: list[Callable[[], object]] = [
        lambda: w.trigger.order(order),
        lambda: w.trigger.place("SOL", 1, "USDC", above=200),
        lambda: w.trigger.place_recurring("SOL", 1, "USDC", rounds=2, every_s=3_600),
        lambda: w.trigger.confirm(order, w.trigger.cancel(order)),
    ]
    for does in ways:
        countermand.faults(expire_tokens=True)
        does()


def test_time_moves_when_it_is_told_to(countermand: Countermand) -> None:
    countermand.freeze()
    before = countermand.now()
    countermand.advance(seconds="90.5")
    assert countermand.now() == before + 90_500
    countermand.run()


def test_an_unknown_fault_is_refused_by_its_nearest_name(countermand: Countermand) -> None:
    with pytest.raises(RequestRefused, match="did you mean loseAnswers") as refused:
        countermand.faults(lose_answer=1)
    assert refused.value.status == 400


def test_what_does_not_settle_is_named_with_what_it_waits_for(countermand: Countermand) -> None:
    order = countermand.wallet(sol=2).trigger.place("SOL", 1, "USDC", below=140)
    countermand.faults(drop_transactions=1_000)
    countermand.price("SOL", 130)
    with pytest.raises(NotSettled, match=order):
        countermand.settle(timeout_ms=50)


def test_a_broken_promise_says_what_differs(countermand: Countermand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit itself is tested elsewhere; here it lies."""
    usdc = countermand.token("USDC").mint
    column = {"deposited": "10", "filled": "4", "withdrawn": "4", "remaining": "3"}
    told = {"ok": False, "mints": {usdc: column}, "currencies": {}, "differences": ["orders 7: it is gone"]}
    monkeypatch.setattr(countermand, "audit", lambda: told)
    with pytest.raises(PromiseBroken) as broken:
        countermand.assert_promise()
    assert str(broken.value) == (
        "the promise is broken:\n  - orders 7: it is gone\n"
        "  - USDC: 10 deposited, and 4 filled + 4 withdrawn + 3 remaining are 11"
    )


@pytest.mark.parametrize("guard", ["lighthouse", "compute-budget"])
def test_a_wallet_with_a_guard_alters_what_it_signs(countermand: Countermand, guard: Guard) -> None:
    w = countermand.wallet(guard=guard, sol=10)
    with pytest.raises(RequestRefused, match="Transaction accounts modified"):
        w.trigger.place("SOL", 1, "USDC", above=200)
    plain = countermand.wallet(keypair=w.keypair)
    order = plain.trigger.place("SOL", 1, "USDC", above=200)
    cancelling = plain.trigger.cancel(order)
    with pytest.raises(RequestRefused, match="Invalid withdrawal transaction"):
        w.trigger.confirm(order, cancelling)
    assert plain.trigger.confirm(order, cancelling)
    countermand.assert_promise()


@pytest.mark.parametrize("guard", ["lighthouse", "compute-budget"])
def test_what_a_guard_adds_is_valid_on_the_chain(countermand: Countermand, guard: Guard) -> None:
    """Lighthouse itself is not on this chain, which is as far as its assert gets."""
    w, to = countermand.wallet(guard=guard, sol=1), Pubkey.new_unique()
    blockhash = Hash.from_string(countermand.rpc("getLatestBlockhash")["value"]["blockhash"])
    paying = transfer(TransferParams(from_pubkey=w.keypair.pubkey(), to_pubkey=to, lamports=10**8))
    message = Message.new_with_blockhash([paying], w.keypair.pubkey(), blockhash)
    unsigned = base64.b64encode(bytes(VersionedTransaction.populate(message, [w.keypair.sign_message(b"")]))).decode()
    found = countermand.rpc(
        "simulateTransaction", w.sign_transaction(unsigned), {"encoding": "base64", "sigVerify": True}
    )
    assert found["value"]["err"] == {"lighthouse": "ProgramAccountNotFound", "compute-budget": None}[guard]


@pytest.mark.parametrize("guard", ["lighthouse", "compute-budget"])
def test_a_guard_keeps_what_lookup_tables_name(guard: Guard) -> None:
    payer, program, table = (Pubkey.new_unique() for _ in range(3))
    header = MessageHeader(1, 0, 1)
    lookup = MessageAddressTableLookup(table, bytes([4]), bytes([9]))
    called = CompiledInstruction(1, b"data", bytes([0, 2, 3]))
    read = guarded(MessageV0(header, [payer, program], Hash.default(), [called], [lookup]), guard)
    assert isinstance(read, MessageV0)
    assert read.address_table_lookups == [lookup]
    assert read.account_keys[:2] == [payer, program]
    assert len(read.account_keys) == 3
    (kept,) = (each for each in read.instructions if each.program_id_index == 1)
    assert bytes(kept.accounts) == bytes([0, 3, 4])
    (added,) = (each for each in read.instructions if each.program_id_index == 2)
    assert (read.account_keys[2] == LIGHTHOUSE) is (guard == "lighthouse")
    assert read.header.num_readonly_unsigned_accounts == 2
    assert bytes(added.data)


def test_a_wallet_signs_only_what_wants_its_signature(countermand: Countermand) -> None:
    w, stranger = countermand.wallet(sol=10), countermand.wallet()
    order = w.trigger.place("SOL", 1, "USDC", above=200)
    with pytest.raises(ValueError, match=stranger.address):
        stranger.sign_transaction(w.trigger.cancel(order)["transaction"])


def test_a_crashed_venue_is_started_again(countermand: Countermand) -> None:
    w = countermand.wallet(sol=10)
    order, url = w.trigger.place("SOL", 1, "USDC", above=200), countermand.url
    countermand.faults(crash="after-commit")
    with pytest.raises(LostAnswer):
        w.trigger.cancel(order)
    countermand.restart()
    assert countermand.url == url
    w.trigger.confirm(order, w.trigger.cancel(order))
    countermand.assert_promise()


@pytest.mark.parametrize("number", range(2))
def test_the_test_after_a_crash_has_a_venue(countermand: Countermand, number: int) -> None:
    assert countermand.orders() == []
    countermand.faults(crash="before-commit")
    with pytest.raises(LostAnswer):
        countermand.price("SOL", 1)


async def test_the_loop_of_a_test_is_its_own(countermand: Countermand) -> None:
    ticking = asyncio.create_task(asyncio.sleep(0.01))
    assert countermand.now() > 0
    await ticking
