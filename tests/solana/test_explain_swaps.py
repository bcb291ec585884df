"""What `countermand explain` says of swaps. The instructions are made of raw bytes."""

import pytest
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from countermand.solana.explain import explain
from tests.programs.pool import Swap
from tests.programs.world import AGGREGATOR, ALICE, PARTNER, WSOL, reads, transaction, with_data

ACCOUNT, OUTPUT = Swap().user_source, Swap().user_destination
OWN = f"{ACCOUNT} (the payer's USDC account)"


def told(*instructions: Instruction) -> list[str]:
    return [line[3:] for line in explain(bytes(transaction(instructions, ALICE))) if line[:2] == "0."]


def test_a_swap() -> None:
    swap = Swap(amount=10_020_000, quoted=20_000_000, slippage_bps=50)
    (line,) = told(swap.instruction())
    assert line == (
        f"Swap v1: {ALICE} swaps 10.02 USDC from {OWN} for at least 19.9 JUP, to {OUTPUT} (the payer's JUP account)."
    )


def test_an_exact_output_and_an_integrators_fee() -> None:
    swap = Swap(exact_out=True, amount=20_000_000, quoted=10_000_000, slippage_bps=100, fee_bps=20, fee_account=PARTNER)
    (line,) = told(swap.instruction())
    assert line == (
        f"Swap v1: {ALICE} swaps at most 10.1 USDC from {OWN} for exactly 20 JUP, to {OUTPUT} (the payer's JUP "
        f"account). The integrator takes 20 basis points, for {PARTNER}."
    )


@pytest.mark.parametrize("slippage_bps", [10_000, 10_001, 65_535])
def test_a_slippage_of_all_or_more_leaves_nothing(slippage_bps: int) -> None:
    swap = Swap(amount=10_020_000, quoted=1, slippage_bps=slippage_bps)
    (line,) = told(swap.instruction())
    assert "for at least 0 JUP" in line


def test_a_route_of_the_original_with_more_steps() -> None:
    """Only what stands at its end is read."""
    swap = Swap(source=WSOL, amount=1_500_000_000, quoted=1_000_000, slippage_bps=0)
    data = swap.instruction().data
    longer = data[:9] + b"\2\0\0\0" + b"\x26\x64\0\1" * 2 + b"\x11\1\x64\0\1" + data[-19:]
    (line,) = told(with_data(swap.instruction(), longer))
    assert "swaps 1.5 SOL from" in line
    assert "for at least 1 JUP" in line


def test_the_form_of_a_whole_transaction() -> None:
    assert "It makes a swap of Swap v1." in explain(bytes(transaction([Swap().instruction()], ALICE)))


def test_others_are_named_or_counted() -> None:
    route = bytes.fromhex("e517cb977ae3ad2a")
    (line,) = told(Instruction(AGGREGATOR, route + bytes(9), [reads(Pubkey(bytes([1] * 32)))]))
    assert line.startswith("Swap v1: the instruction route, for ")
    short = with_data(Swap().instruction(), Swap().instruction().data[:20])
    (line,) = told(short)
    assert line.startswith("Swap v1: an instruction that is not known here: 15 accounts")
