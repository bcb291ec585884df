"""An audit of a venue that lived a little, and of one that was damaged."""

import base64
import io
from collections.abc import AsyncIterator

import asyncpg
import pytest
from rich.console import Console

from countermand.audit.findings import Audit, Column
from countermand.audit.run import audit, show
from countermand.orders.vaults.service import Cancelling, Withdrawn
from countermand.services.tokens import SOL, USDC
from countermand.solana.tokens import MEMO_PROGRAM, TOKEN_2022_PROGRAM, TOKEN_PROGRAM
from countermand.store.chain_postgres import PostgresLedgerStore
from countermand.store.postgres import PostgresStore
from countermand.values.identity import Wallet
from tests.audit.complete import KEYS, completed, run
from tests.gifts import faucet_of
from tests.orders.trigger.house import ONE_SOL, House, above, dollars, house, signed


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[PostgresStore]:
    """After a day's business: one order filled, one withdrawn, one half cancelled, one resting."""
    store = await PostgresStore.connect(database_url)
    async with asyncpg.create_pool(database_url, min_size=2, max_size=4) as pool:
        ledger = PostgresLedgerStore(database_url, pool)
        async with house(store, ledger) as venue:
            await business(venue)
        await ledger.close()
    await completed(database_url, root="sandbox")
    yield store
    await store.close()


async def business(venue: House) -> None:
    alice = await venue.wallet()
    wallet = Wallet(str(alice.pubkey()))
    await venue.registry.register(wallet)
    await venue.placed(alice, above(200))
    await venue.prices.set({SOL.mint: dollars(205)}, at_once=True)
    await venue.settled()
    withdrawn = await venue.placed(alice, above(300), amount=2 * ONE_SOL)
    cancelling = await venue.orders.cancel(withdrawn, wallet)
    assert isinstance(cancelling, Cancelling)
    assert cancelling.transaction is not None
    transaction = signed(base64.b64decode(cancelling.transaction), alice)
    done = await venue.orders.confirm_cancel(withdrawn, wallet, cancelling.request_id, transaction)
    assert isinstance(done, Withdrawn)
    await venue.orders.cancel(await venue.placed(alice, above(400)), wallet)
    resting = await venue.placed(alice, above(500))
    gift = (await venue.order(resting)).terms.input_account
    await faucet_of(venue.chain).airdrop(gift, 5)
    for program in (TOKEN_PROGRAM, TOKEN_2022_PROGRAM, MEMO_PROGRAM):  # Its row appears with its first transaction.
        await faucet_of(venue.chain).airdrop(program, 1)
    await venue.settled()


async def test_a_good_venue_has_no_differences(store: PostgresStore) -> None:
    found = await audit(store, keys=KEYS, thorough=True)
    assert found.differences == []
    assert found.unresolved == []
    assert found.orders == 4
    column = found.columns[SOL.mint]
    assert (column.deposited, column.filled, column.withdrawn) == (5 * ONE_SOL, ONE_SOL, 2 * ONE_SOL)
    assert column.remaining == 2 * ONE_SOL
    assert USDC.mint not in found.columns


@pytest.mark.parametrize(
    ("damage", "finds"),
    [
        ("UPDATE orders SET body = replace(body::text, '5b', '5c')::bytea WHERE live", "stored otherwise"),
        ("UPDATE orders SET active = NOT active WHERE live", "stored otherwise"),
        ("DELETE FROM orders WHERE live", "not stored"),
        ("UPDATE journal SET at = at + 1 WHERE seq = 3", "is not what its hash was made of"),
        ("UPDATE journal SET kind = 'end_pause' WHERE seq = 3", "is not what its hash was made of"),
        ("DELETE FROM journal WHERE seq = 3", "lacks what lies between"),
        ("DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)", "the journal ends with"),
        ("DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)", "is missing"),
        ("UPDATE events SET body = body || ' '::bytea", "is not what happened"),
        ("DELETE FROM chain_transactions WHERE error IS NULL", "did not land on the chain"),
        ("DELETE FROM chain_accounts WHERE length(data) = 165", "units left"),
    ],
)
async def test_damage_is_found(store: PostgresStore, database_url: str, damage: str, finds: str) -> None:
    await run(database_url, damage)
    found = await audit(store, patience_s=0)
    assert any(finds in sentence for sentence in found.differences), found.differences


def test_each_sentence_is_one_line_however_long_it_is() -> None:
    """A program looks for the lines that begin with a word of ours."""
    found = Audit(unresolved=["order [1]: " + "it is not known, " * 20 + "at all"])
    found.differs("members", "0x\n[bold]\x1b[31m", "it is long, " * 40 + "indeed")
    page = io.StringIO()
    show(found, Console(file=page, width=40))
    unresolved, differs, last = page.getvalue().splitlines()[-3:]
    assert unresolved == f"unresolved: {found.unresolved[0]}"
    assert differs == f"DIFFERS: {found.differences[0]}"
    assert differs.startswith(r"DIFFERS: members 0x\n[bold]\x1b[31m: it is long")
    assert last == "1 differences."


def test_no_number_is_cut_where_the_page_is_narrow() -> None:
    whole = 2**63
    narrow = Console(file=io.StringIO(), width=40)
    show(Audit(columns={SOL.mint: Column(*[whole] * 6)}), narrow)
    assert isinstance(narrow.file, io.StringIO)
    printed = narrow.file.getvalue()
    assert SOL.mint in printed
    assert printed.count(str(whole)) == 6
