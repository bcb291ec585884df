"""`countermand rescue`."""

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from getpass import getpass
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import uvloop
from cyclopts import Parameter
from msgspec import Struct
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from countermand.cli import rescue_report as report
from countermand.cli.options import File, Whole, option
from countermand.cli.progress import aside, progress
from countermand.cli.reasons import examined
from countermand.cli.streams import read_standard_input
from countermand.rescue.finding import ListRefused
from countermand.rescue.keys import BYTES_MAX, KeyRefused, key_in, key_of
from countermand.rescue.lock import Busy, alone
from countermand.rescue.rescue import UNANSWERED, NoOrderPrograms, Printed, Rescue, RescuePlan, Steps
from countermand.rescue.sending import Sender, signed
from countermand.rescue.sent import NoteRefused, look, opened
from countermand.settings import StartRefused
from countermand.solana.port import Address, Blockhash, ChainUnavailable
from countermand.solana.rpc import RpcChain
from countermand.solana.rpc.node import NodeBusy, stays
from countermand.values.quantities import U64_MAX

STANDARD_INPUT: Final = "-"
BUSY_PAUSES_MS: Sequence[int] = (500, 1_000, 2_000, 4_000, 8_000)
_OTHER_WAYS: Final = (
    "give another node by --rpc-url, or the orders themselves: --order ADDRESS, once for each; an explorer shows them "
    "among the wallet's transactions"
)


class RescueOptions(Struct, frozen=True, kw_only=True):
    """The options, read. `keys`: of the owner, to sign, and of the payer."""

    owner: Address
    rpc_url: str
    orders: tuple[Address, ...]
    sign: Keypair | None
    prints: bool
    renews: bool
    payer: Keypair | None
    unit_price: int | None
    fees_max: int | None
    note: Path
    as_json: bool

    @property
    def keys(self) -> list[Keypair]:
        return [key for key in (self.sign, self.payer) if key is not None]


def rescue(
    *,
    owner: Annotated[str, Parameter(help="the wallet whose orders are cancelled, and which gets all back")],
    rpc_url: Annotated[str, option("rpc-url", "the node that is asked")],
    sign: Annotated[
        str | None,
        Parameter(
            help="cancel them: a file with the owner's key (JSON or base58), or - for standard input",
            allow_leading_hyphen=True,
        ),
    ] = None,
    print_: Annotated[
        bool, Parameter(name="--print", help="print unsigned transactions for another wallet", negative="")
    ] = False,
    renew: Annotated[
        bool, Parameter(help="with --print: print those that died again, until no order is left", negative="")
    ] = False,
    payer: Annotated[
        File | None, Parameter(help="a file with the key of another wallet, which pays fees and new accounts")
    ] = None,
    order: Annotated[
        tuple[str, ...],
        Parameter(
            help="only this order, by its address; may be given more than once", consume_multiple=False, negative=""
        ),
    ] = (),
    unit_price: Annotated[
        Whole | None, Parameter(help="micro-lamports for a compute unit; else as recent transactions paid")
    ] = None,
    fees_max: Annotated[
        Whole | None,
        Parameter(help="lamports that all fees together may be; else as much as comes back for closed accounts"),
    ] = None,
    note: Annotated[
        File | None,
        option("note", "the file that remembers what was sent; else one in ~/.local/state/countermand", "RESCUE_NOTE"),
    ] = None,
    as_json: Annotated[bool, Parameter(name="--json", help="print JSON", negative="")] = False,
) -> int:
    """Cancel a wallet's open orders in Jupiter's v1 programs straight on the chain, without Jupiter's API.

    It shows what would come back, and sends nothing without --sign. Exit status 1 if some of it cannot be rescued.
    """
    _check(sign, prints=print_, renews=renew)
    address = _address("--owner", owner)
    asked = RescueOptions(
        owner=address,
        rpc_url=rpc_url,
        orders=tuple(_address("--order", each) for each in order),
        sign=None if sign is None else _owners_key(sign, address),
        prints=print_,
        renews=renew,
        payer=None if payer is None else _key("--payer", payer),
        unit_price=_u64("--unit-price", unit_price, "micro-lamports"),
        fees_max=_u64("--fees-max", fees_max, "lamports"),
        note=note or _state() / f"rescue-{address}.jsonl",
        as_json=as_json,
    )
    return examined(lambda: uvloop.run(_rescued(asked)))


def _check(sign: str | None, *, prints: bool, renews: bool) -> None:
    if sign == "":
        raise StartRefused("--sign: the name is empty; give a path, or leave it out")
    if sign is not None and prints:
        raise StartRefused("--sign and --print exclude each other: sign here, or with another wallet")
    if renews and not prints:
        raise StartRefused("--renew is for what --print prints; with --sign each transaction is made when it is sent")


def _address(name: str, text: str) -> Address:
    """A key that was given by mistake is not shown."""
    try:
        return str(Pubkey.from_string(text))
    except ValueError:
        raise StartRefused(f"{name} is no address: 32 bytes in base58 are") from None


def _u64(name: str, number: int | None, of: str) -> int | None:
    if number is not None and not 0 <= number <= U64_MAX:
        raise StartRefused(f"{name} {number} is no number of {of}: 0 to {U64_MAX} are")
    return number


def _owners_key(sign: str, owner: Address) -> Keypair:
    key = _from_standard_input() if sign == STANDARD_INPUT else _key("--sign", Path(sign))
    if str(key.pubkey()) != owner:
        raise StartRefused(f"--sign gives the key of {key.pubkey()}, and --owner is {owner}")
    return key


def _key(name: str, file: Path) -> Keypair:
    try:
        return key_in(file)
    except KeyRefused as refused:
        raise StartRefused(f"{name}: {refused}") from None


def _from_standard_input() -> Keypair:
    """A terminal does not show what is typed."""
    try:
        return key_of(read_standard_input(_typed_or_piped))
    except EOFError:
        raise StartRefused("--sign -: no key was given") from None
    except KeyRefused as refused:
        raise StartRefused(f"--sign -: {refused}") from None


def _typed_or_piped(stdin: BinaryIO) -> bytes:
    return getpass("The owner's key, in base58: ").encode() if stdin.isatty() else stdin.readline(BYTES_MAX + 1)


def _state() -> Path:
    """As the XDG Base Directory Specification has it: a directory that is not absolute does not count."""
    named = os.environ.get("XDG_STATE_HOME", "")
    try:
        state = Path(named) if named.startswith("/") else Path.home() / ".local" / "state"
    except RuntimeError:
        raise StartRefused("there is no home directory for what was sent; name one by XDG_STATE_HOME") from None
    return state / "countermand"


async def _rescued(asked: RescueOptions) -> int:
    steps = Steps(tells=aside)
    async with _explained(), _node(asked.rpc_url, steps) as chain:
        cluster = await chain.genesis_hash()
        payer = asked.owner if asked.payer is None else str(asked.payer.pubkey())
        work = Rescue(chain, asked.owner, payer, asked.unit_price, asked.fees_max, steps)
        if asked.sign is None:
            with progress(lambda: str(work.steps)):
                plan = await work.plan(asked.orders, look(asked.note, asked.owner, cluster))
            return await (_print(asked, work, plan) if asked.prints else _show(asked, plan))
        with _alone(asked.owner, cluster), opened(asked.note, asked.owner, cluster) as note:
            return await _send(asked, Sender(work, note, asked.keys))


@contextmanager
def _alone(owner: Address, cluster: Blockhash) -> Iterator[None]:
    """No other run of this user sends for the same wallet, whatever its note is."""
    file = _state() / f"rescue-{owner}-{cluster}.lock"
    with ExitStack() as held:
        try:
            held.enter_context(alone(file))
        except Busy:
            raise Busy(f"another rescue is at work for {owner}: it holds {file}; let it end first") from None
        except OSError as error:
            remedy = "name a directory that can be written by XDG_STATE_HOME"
            raise StartRefused(f"the wallet's lock {file} cannot be taken: {error.strerror}; {remedy}") from None
        yield


@asynccontextmanager
async def _node(url: str, steps: Steps) -> AsyncIterator[RpcChain]:
    try:
        chain = RpcChain(url, busy_pauses_ms=BUSY_PAUSES_MS, on_busy=steps.struggles)
    except ValueError as error:
        raise StartRefused(f"--rpc-url: {error}") from None
    try:
        yield chain
    finally:
        await chain.close()


@asynccontextmanager
async def _explained() -> AsyncIterator[None]:
    """What keeps it from beginning, with the remedy."""
    try:
        yield
    except ListRefused as refused:
        raise StartRefused(f"{refused}; it does not list the accounts of a program to us: {_OTHER_WAYS}") from None
    except UNANSWERED as problem:
        cause = problem if isinstance(problem, ChainUnavailable) else problem.__cause__
        raise StartRefused(f"{problem}; {_remedy(cause)}") from None
    except NoOrderPrograms:
        raise StartRefused("the chain behind --rpc-url has none of Jupiter's order programs; is it mainnet?") from None
    except (Busy, NoteRefused) as refused:
        raise StartRefused(str(refused)) from None


def _remedy(problem: BaseException | None) -> str:
    if isinstance(problem, NodeBusy):
        return "wait a minute, or give a node of your own, or one with a key, by --rpc-url"
    if isinstance(problem, ChainUnavailable) and stays(problem):
        return "give another node by --rpc-url"
    return "is --rpc-url right, and does the node run? Run it again, or give another node"


async def _show(asked: RescueOptions, plan: RescuePlan) -> int:
    report.show_plan(plan, as_json=asked.as_json)
    return report.status_of(plan)


def _check_fees(plan: RescuePlan) -> None:
    if plan.is_dear:
        raise StartRefused(report.dearness(plan))


async def _print(asked: RescueOptions, work: Rescue, plan: RescuePlan) -> int:
    _check_fees(plan)

    def wires(printed: Sequence[Printed]) -> list[report.Wire]:
        payers = [] if asked.payer is None else [asked.payer]
        return [report.wire_of(each, signed(each.message, payers)) for each in printed]

    printed = await work.printed(plan)
    report.show_printed(plan, wires(printed), as_json=asked.as_json)
    if asked.renews:
        async for again in work.renewed(plan, printed):
            report.show_renewed(wires(again), as_json=asked.as_json)
    return report.status_of(plan)


async def _send(asked: RescueOptions, sender: Sender) -> int:
    work = sender.rescue
    with progress(lambda: str(work.steps)):
        await sender.resume()
        plan = await work.plan(asked.orders, sender.note)
    _check_fees(plan)
    if plan.prepared and not await sender.can_begin(plan):
        raise StartRefused(report.shortage(plan))
    if not asked.as_json:
        report.show_plan(plan)
    with progress(lambda: str(work.steps)):
        await sender.send(plan)
        total = await sender.total()
    return report.show_ended(plan, sender.in_order(plan), total, as_json=asked.as_json)
