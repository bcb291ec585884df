"""What people see."""

from io import StringIO

from rich.console import Console
from solders.pubkey import Pubkey

from countermand.cli.rescue_report import table_of
from countermand.rescue.cancels import cancel_of
from countermand.rescue.rescue import Rehearsed, Verdict
from countermand.solana.tokens import SOL_MINT
from tests.rescue.test_orders import accounts_of, read_limit


def test_a_narrow_terminal_shows_all_of_it() -> None:
    unknown = str(Pubkey(b"\x09" * 32))
    orders = [read_limit(1), read_limit(2, SOL_MINT), read_limit(3, unknown)]
    rehearsed = [Rehearsed(cancel_of(each, accounts_of(each, 12_345_678)), Verdict.UNPAID) for each in orders]
    shown = StringIO()
    Console(file=shown, width=80).print(table_of(rehearsed))
    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    words = [line.split() for line in lines]
    assert [row.count("unpaid") for row in words].count(1) == 3
    # What is folded goes on in the next line.
    orders_shown = "".join(row[-1] for row in words[1:])
    assert all(order.address in orders_shown for order in orders[:2])
    assert unknown in "".join(part for row in words for part in row if part in unknown)
