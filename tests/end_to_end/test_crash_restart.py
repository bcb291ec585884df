"""The venue is killed between any two steps of a user, and starts again on the same data."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from solders.pubkey import Pubkey

from countermand.store.embedded import EmbeddedPostgres
from tests.end_to_end.crash_support import ONE_SOL, SOL, USDC, Server, Wallet, kinds, running, running_apart, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with running_apart(postgres, tmp_path_factory.mktemp("restart")) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def server(served: Server) -> Server:
    """As it is for its first user, but for the orders of others."""
    if not served.is_running:  # A test before this one failed.
        await served.start()
    await served.price("150")
    await served.does("POST", "/sandbox/clock", {"mode": "running"})
    return served


@pytest_asyncio.fixture(loop_scope="module")
async def alice(server: Server) -> AsyncIterator[Wallet]:
    wallet = Wallet(server)
    await wallet.comes()
    yield wallet
    wallet.http.close()


async def killed(server: Server) -> None:
    await server.kill()
    await server.start()


async def test_between_any_two_steps_to_a_withdrawal(server: Server, alice: Wallet) -> None:
    crafted = (await alice.craft(ONE_SOL)).body
    creation = alice.creation(crafted, "200")
    await killed(server)
    placed = await alice.create(creation)
    assert placed.status == 200, placed
    assert "message" not in placed.body
    order_id = placed.body["id"]
    await killed(server)
    again = await alice.create(creation)
    assert again.body == {**placed.body, "message": "Order already created"}
    await killed(server)
    assert (await alice.amend(order_id, "190.5")).status == 200
    await killed(server)
    assert (await alice.order(order_id))["triggerPriceUsd"] == 190.5
    first = (await alice.cancel(order_id)).body
    await killed(server)
    await server.price("250")
    second = (await alice.cancel(order_id)).body
    assert second["requestId"] == first["requestId"]
    await killed(server)
    refused = await alice.confirm(order_id, first)
    assert refused.status == 400, refused
    confirmed = await alice.confirm(order_id, second)
    assert confirmed.status == 200, confirmed
    await killed(server)
    assert await alice.confirm(order_id, second) == confirmed
    assert await alice.create(creation) == again, "what was answered stays so after the end"
    order = await alice.order(order_id)
    assert kinds(order) == ["deposit", "cancelled", "withdrawal"]
    assert order["events"][0]["txSignature"] == confirmed.body["txSignature"]
    assert 10 * ONE_SOL - await alice.lamports() < 200_000, "only network fees are gone"


async def test_between_any_two_steps_to_a_fill(server: Server, alice: Wallet) -> None:
    order_id = await alice.places("200")
    await killed(server)
    await server.faults(rpcDown=True)
    await server.price("250")
    assert await alice.is_in(order_id, "ready_execute")
    await killed(server)  # The fault is gone with the process, and the fill goes on.
    await until(lambda: alice.is_in(order_id, "fill_success"))
    filled = await alice.order(order_id)
    await killed(server)
    assert await alice.order(order_id) == filled
    assert str(await alice.units(USDC)) == filled["outputAmount"]


async def test_a_cancel_wins_against_a_crossing_that_a_crash_left_without_an_attempt(
    server: Server, alice: Wallet
) -> None:
    order_id = await alice.places("200")
    await server.faults(rpcDown=True)
    await server.price("250")
    stopped = await alice.cancel(order_id)
    assert stopped.status == 500, stopped
    assert stopped.body["error"].startswith("Order will not fill any more")
    await killed(server)
    await server.settled()
    assert await alice.is_in(order_id, "ready_to_cancel")
    cancelling = await alice.cancel(order_id)
    confirmed = await alice.confirm(order_id, cancelling.body)
    assert confirmed.status == 200, confirmed


async def test_prices_and_a_frozen_clock_are_as_they_were(server: Server, alice: Wallet) -> None:
    await server.price("170.25")
    before = await server.does("POST", "/sandbox/clock", {"mode": "frozen"})
    order_id = await alice.places("171")
    await killed(server)
    after = await server.does("GET", "/sandbox")
    assert {token["mint"]: token["price"] for token in after["tokens"]}[SOL] == "170.25"
    assert (after["now"], after["clock"]) == (before["now"], {"mode": "frozen"})
    assert await alice.is_in(order_id, "open")


async def test_an_order_that_expired_while_the_venue_was_down(server: Server, alice: Wallet) -> None:
    crafted = (await alice.craft(ONE_SOL)).body
    now = (await server.does("GET", "/sandbox"))["now"]
    placed = await alice.create({**alice.creation(crafted, "200"), "expiresAt": now + 600})
    assert placed.status == 200, placed
    order_id = placed.body["id"]
    await server.kill()
    await server.start()
    await until(lambda: alice.is_in(order_id, "expired"))
    await server.price("250")
    await server.settled()
    order = await alice.order(order_id)
    assert kinds(order) == ["deposit", "expired"]
    cancelling = await alice.cancel(order_id)
    assert (await alice.confirm(order_id, cancelling.body)).status == 200


async def test_a_seeded_venue_gives_no_id_twice(database_url: str, tmp_path: Path) -> None:
    """Deposits that were crafted leave no trace in the journal by which a restart could tell how many ids are used."""
    async with running(tmp_path / "venue", "--database-url", database_url, "--seed", "7") as server:
        alice = Wallet(server)
        await alice.comes()
        requests: list[str] = []
        for _ in range(3):
            crafted = (await alice.craft(ONE_SOL)).body
            requests.append(crafted["requestId"])
            await killed(server)
        placed = await alice.create(alice.creation(crafted, "200"))
        alice.http.close()
        assert len(set(requests)) == 3
        assert placed.status == 200, placed


async def test_a_price_that_crosses_nothing_is_there_after_a_kill(server: Server) -> None:
    """B12."""
    await server.price("231.5")
    await killed(server)
    shown = await server.does("GET", "/sandbox")
    assert {token["symbol"]: token["price"] for token in shown["tokens"]}["SOL"] == "231.5"


async def test_an_advance_and_expired_blockhashes_outlive_a_kill(server: Server) -> None:
    """E3: slots go on from where they were told to be, and block time stays ahead."""
    before = await server.does("GET", "/sandbox")
    await server.does("POST", "/sandbox/clock/advance", {"seconds": 86_400})
    await server.faults(expireBlockhashes=True)
    told = await server.does("GET", "/sandbox")
    assert 151 <= told["chain"]["slot"] - before["chain"]["slot"] < 400
    await killed(server)
    after = await server.does("GET", "/sandbox")
    assert after["chain"]["slot"] >= told["chain"]["slot"]
    assert after["now"] >= told["now"] >= before["now"] + 86_400_000


CUT_SHORT = "DELETE FROM chain_accounts WHERE length(data) = 165 AND substring(data FOR 32) = $1"
NOT_MINTED = r"UPDATE chain_accounts SET data = overlay(data PLACING '\x0000000000000000' FROM 37) WHERE address = $1"


async def test_a_token_whose_addition_was_cut_short_trades_once_it_has_a_price(server: Server, alice: Wallet) -> None:
    """The pool's account of it was not made yet, with what it holds, and its price not set."""
    asked = {"symbol": "CUT", "decimals": 6, "price": "2"}
    mint = (await server.does("POST", "/sandbox/tokens", asked))["tokens"][-1]["mint"]
    await server.kill()
    connection = await asyncpg.connect(server.database_url)
    assert await connection.execute(CUT_SHORT, bytes(Pubkey.from_string(mint))) == "DELETE 1"
    assert await connection.execute(NOT_MINTED, bytes(Pubkey.from_string(mint))) == "UPDATE 1"
    await connection.execute("DELETE FROM prices WHERE mint = $1", mint)
    await connection.close()
    await server.start()
    assert (await server.does("GET", "/sandbox"))["tokens"][-1]["price"] is None
    await server.does("PUT", "/sandbox/prices", {"CUT": "2"})
    crafted = (await alice.craft(ONE_SOL, buying=mint)).body
    placed = await alice.create(alice.creation(crafted, "100", outputMint=mint))
    await server.settled()
    assert (await alice.order(placed.body["id"]))["orderState"] == "filled"
    found = await server.does("GET", "/sandbox/audit")
    assert found["ok"], found


HALF_RESET = """
INSERT INTO sandbox_settings (name, body) VALUES ('resetting', '7');
UPDATE shards SET incarnation = incarnation + 1, began = seq, head = '', last_at = 0 WHERE shard = 0;
DELETE FROM orders; DELETE FROM journal WHERE shard = 0; DELETE FROM events WHERE shard = 0;
DELETE FROM crafts; DELETE FROM builds; DELETE FROM vaults;
"""


async def test_a_reset_that_was_cut_short_is_completed_at_the_next_start(server: Server, alice: Wallet) -> None:
    """The orders were gone already, their accounts on the chain not yet."""
    await alice.places("200")
    await server.settled()
    await server.audited()  # The orders of all tests before, which are gone now.
    await server.kill()
    connection = await asyncpg.connect(server.database_url)
    await connection.execute(HALF_RESET)
    await connection.close()
    await server.start()
    found = (await server.ask("GET", "/sandbox/audit")).body
    assert found["ok"], found
    assert (await server.ask("GET", "/sandbox")).body["seed"] == 7
    assert await alice.lamports() == 0
