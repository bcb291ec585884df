"""What `countermand serve` prints when it is ready."""

import pytest

from countermand.gateway.announce import announce, announce_demo
from countermand.gateway.server import Addresses
from countermand.settings import Settings


@pytest.mark.parametrize("sandbox", [True, False])
def test_the_console_of_either_root_is_among_the_urls(sandbox: bool, capsys: pytest.CaptureFixture[str]) -> None:
    announce(Settings(sandbox=sandbox), Addresses("127.0.0.1", 8080, 8081), rpc=True)
    told = capsys.readouterr().out
    assert "Console:              http://127.0.0.1:8080/\n" in told
    assert ("/sandbox" in told) is sandbox


def test_a_demo_that_finds_orders_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    announce_demo(None)
    assert capsys.readouterr().out == "Demo wallet:          none: there are orders already, only prices move\n"
