"""Blockhash, price and compute units, and how long they are believed."""

from collections.abc import Sequence

import pytest

from countermand.kernel.ports import Unavailable
from countermand.services.transactions.blockhashes import RecentBlockhash
from countermand.services.transactions.builder import UNITS_UNKNOWN, TransactionBuilder
from countermand.solana.port import UNITS_MAX, QuestionRefused, Simulation
from countermand.solana.programs.compile import Budget
from tests.dialects.limit_venue import BLOCKHASH, LAST_VALID_HEIGHT, StubChain

OTHER = "5X6NZakijP7RbmkhuTy133WWNCH9qZzdafmtPWhjBaqr"


class Stage:
    def __init__(self, chain: StubChain, auto_price: int | None = None) -> None:
        self.chain = chain
        self.now = 0
        self.blockhashes = RecentBlockhash(chain, lambda: self.now)
        self.builder = TransactionBuilder(chain, chain, self.blockhashes, auto_price)
        self.asked: list[tuple[Budget, str]] = []

    def compose(self, budget: Budget, blockhash: str) -> bytes:
        self.asked.append((budget, blockhash))
        return b"\1message"


async def test_a_blockhash_is_believed_for_two_seconds() -> None:
    stage = Stage(StubChain())

    async def believed() -> str:
        return str((await stage.blockhashes.get()).blockhash)

    assert await believed() == BLOCKHASH
    stage.chain.blockhash = OTHER
    stage.now = 2_000
    assert await believed() == BLOCKHASH
    stage.now = 2_001
    assert await believed() == OTHER
    stage.chain.blockhash, stage.now = BLOCKHASH, 0
    assert await believed() == BLOCKHASH, "the wall clock went back"
    stage.chain.blockhash = OTHER
    stage.blockhashes.invalidate()
    assert await believed() == OTHER


@pytest.mark.parametrize(
    ("used", "limit"),
    [(0, 0), (1, 1), (10, 11), (80_521, 88_573), (80_602, 88_662), (10_263, 11_289), (1_400_000, UNITS_MAX)],
)
async def test_a_tenth_more_than_it_takes(used: int, limit: int) -> None:
    stage = Stage(StubChain(units=used))
    built = await stage.builder.built(stage.compose, 7)
    assert stage.asked == [(Budget(UNITS_MAX, 7), BLOCKHASH), (Budget(limit, 7), BLOCKHASH)]
    assert (built.message, built.last_valid_height) == (b"\1message", LAST_VALID_HEIGHT)


@pytest.mark.parametrize(("used", "limit"), [(10, 36), (1_272_720, UNITS_MAX)])
async def test_units_to_spare(used: int, limit: int) -> None:
    stage = Stage(StubChain(units=used))
    await stage.builder.built(stage.compose, 7, spare=25)
    assert stage.asked[-1] == (Budget(limit, 7), BLOCKHASH)


async def test_a_limit_that_is_given_needs_no_simulation() -> None:
    stage = Stage(StubChain())
    await stage.builder.built(stage.compose, 7, 43_200)
    assert (stage.asked, stage.chain.simulated) == ([(Budget(43_200, 7), BLOCKHASH)], [])


async def test_a_blockhash_that_died_is_asked_for_again() -> None:
    class Leaping(StubChain):
        async def simulate(self, transaction: bytes) -> Simulation:
            if self.blockhash == OTHER:
                return Simulation(None, (), 10)
            self.blockhash = OTHER
            return Simulation("BlockhashNotFound", (), 0)

    stage = Stage(Leaping())
    await stage.builder.built(stage.compose, 7)
    assert stage.asked[-1] == (Budget(11, 7), OTHER)


async def test_what_fails_now_gets_a_limit_that_is_enough() -> None:
    stage = Stage(StubChain(simulation_error="AccountNotFound"))
    await stage.builder.built(stage.compose, 7)
    assert stage.asked[-1] == (Budget(UNITS_UNKNOWN, 7), BLOCKHASH)


async def test_a_price_of_ones_own() -> None:
    stage = Stage(StubChain(fees=(1, 2, 3)), auto_price=15_406)
    assert await stage.builder.price([]) == 15_406


async def test_a_node_that_never_tells_fees() -> None:
    class Refusing(StubChain):
        async def recent_prioritization_fees(self, addresses: Sequence[str]) -> Sequence[int]:
            raise QuestionRefused(f"Method not found for {len(addresses)}")

    chain = Refusing()
    assert await TransactionBuilder(chain, chain, Stage(chain).blockhashes, untold_price=15_406).price([]) == 15_406


async def test_a_chain_that_is_away() -> None:
    stage = Stage(StubChain(down=True))
    for asking in (stage.builder.price([]), stage.builder.built(stage.compose, 1)):
        with pytest.raises(Unavailable):
            await asking
