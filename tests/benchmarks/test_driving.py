"""The load generator measures something however quick the server is."""

from benchmarks import requests
from benchmarks.driving import drive
from benchmarks.figures import CONNECTIONS, share
from benchmarks.venue import echoing


def test_requests_that_end_within_the_warm_up_are_measured() -> None:
    with echoing() as peer:
        figure = drive(peer.port, 4, [requests.echo()] * 400, seconds=60, warm_up_s=60)
    assert (figure.requests_in_all, figure.requests) == (400, 300)


def test_each_run_gets_a_share_of_the_orders() -> None:
    orders = list(range(11_000))
    shares = [len(share(orders, connections)) for connections in CONNECTIONS]
    assert shares == [1_000, 4_000, 6_000]
    assert orders == []
