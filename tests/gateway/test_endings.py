"""What ended a command, and what it is told as (B5): the status, and one line."""

import asyncio
import gc

import asyncpg
import pytest

from countermand.app.together import together
from countermand.app.unheard import quieten
from countermand.cli.endings import CANNOT_RUN, FAILED, REPLACED, ending_of
from countermand.kernel.ports import DatabaseWentBack, Unavailable, WriterReplaced
from countermand.settings import StartRefused
from countermand.solana.ledger_store import LedgerReplaced, LedgerUnavailable, LedgerWentBack
from countermand.store.connections import no_connection
from countermand.stored_rows import StoredRowUnreadable

ROW = StoredRowUnreadable("orders", "7", "JSON is malformed")
GONE = Unavailable("the orders are served no more")


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (ROW, CANNOT_RUN),
        (StartRefused("the port is in use"), CANNOT_RUN),
        (LedgerUnavailable("no answer"), CANNOT_RUN),
        (OSError(24, "Too many open files", "/proc"), CANNOT_RUN),
        (asyncpg.DataCorruptedError("invalid page in block 0"), CANNOT_RUN),
        (asyncpg.InsufficientPrivilegeError("permission denied for table orders"), CANNOT_RUN),
        (asyncpg.InterfaceError("cannot call Transaction.__aexit__(): the connection is closed"), CANNOT_RUN),
        (asyncpg.InternalClientError("cannot switch to state 15"), CANNOT_RUN),
        (asyncpg.PostgresSyntaxError("syntax error"), FAILED),
        (ZeroDivisionError("a bug"), FAILED),
        (WriterReplaced("shard 0 was taken"), REPLACED),
        (LedgerReplaced("epoch 1 has ended"), REPLACED),
        (DatabaseWentBack("shard 0 is at 7"), CANNOT_RUN),
        (LedgerWentBack("the chain is at 7"), CANNOT_RUN),
        (BaseExceptionGroup("", [GONE, ROW, WriterReplaced("by the way")]), CANNOT_RUN),
        (BaseExceptionGroup("", [GONE, BaseExceptionGroup("", [LedgerReplaced("it")])]), REPLACED),
        (BaseExceptionGroup("", [GONE, ZeroDivisionError("a bug")]), FAILED),
    ],
)
def test_each_problem_has_one_status_and_one_line(problem: BaseException, status: int) -> None:
    ending = ending_of(problem)
    assert ending.status == status
    assert ending.line
    assert "\n" not in ending.line
    assert (ending.bug is not None) == (status == FAILED)


def test_an_address_that_cannot_be_read_is_not_shown() -> None:
    told = no_connection("postgresql://me:hun/ter2@db/venue", ValueError("invalid literal for int(): 'hun'"))
    assert "hun" not in str(told)


# --- what is not waited for


async def loses(problem: Exception) -> None:
    raise problem


@pytest.mark.parametrize(
    ("problem", "lines"),
    [
        (asyncpg.InterfaceError("cannot perform operation: another operation is in progress"), 0),
        (asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"), 0),
        (ZeroDivisionError("a bug"), 1),
    ],
)
async def test_a_connection_that_is_lost_under_an_abandoned_read_is_no_line(
    problem: Exception, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    """B5: beside the one line that says why a start ended."""
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    quieten(loop)
    try:
        task = asyncio.create_task(loses(problem))
        await asyncio.wait([task])
        del task
        gc.collect()
    finally:
        loop.set_exception_handler(before)
    assert [record.name for record in caplog.records].count("asyncio") == lines


# --- what runs side by side


async def fails() -> None:
    raise ZeroDivisionError("a bug")


async def test_a_bug_in_the_background_stops_the_rest_and_is_told() -> None:
    stop = asyncio.Event()
    ended = []

    async def main() -> None:
        await stop.wait()
        ended.append("in good order")

    with pytest.raises(BaseExceptionGroup) as told:
        await together(main(), [fails(), asyncio.sleep(60)], stop)
    assert ending_of(told.value).status == FAILED
    assert ended == ["in good order"]


async def test_a_task_that_loses_a_cancel_is_cancelled_again() -> None:
    """As libraries lose one that comes just when they are done."""

    async def loses_one() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)

    stop = asyncio.Event()
    async with asyncio.timeout(30):
        with pytest.raises(BaseExceptionGroup):
            await together(_waits(stop), [fails(), loses_one()], stop)


async def _waits(stop: asyncio.Event) -> None:
    await stop.wait()


async def test_when_the_main_work_has_ended_the_background_ends() -> None:
    stop = asyncio.Event()
    async with asyncio.timeout(30):
        await together(asyncio.sleep(0), [asyncio.sleep(60)], stop)
    assert stop.is_set()
