"""The command `countermand`."""

import gc
import sys
from typing import Final

from cyclopts import App, CycloptsError, MissingArgumentError, UnusedCliTokensError

from countermand import own_solders
from countermand.cli.failed import Failed
from countermand.cli.streams import adopt_standard_streams
from countermand.settings import StartRefused

BAD_START: Final = 2
_YOUNG_OBJECTS: Final = 200_000
"""More than an import makes of them. `serve` sets its own."""
INTERRUPTED: Final = 130
"""As shells have it for what Ctrl-C ended. `serve` stops in good order instead, with 0."""

app: Final = App(
    name="countermand",
    help="An order server for crypto trading, whose cancel keeps its promise.",
    help_format="plaintext",  # A library for Markdown takes a quarter of a short command's time.
)
# By name: each command imports what it needs, and nothing of the others. So what they are for stands here.
app.command(
    "countermand.cli.serve:serve",
    name="serve",
    help="Start the venue, print its URLs, and serve until SIGTERM or Ctrl-C.\n\n"
    "Every option has an environment variable.",
)
app.command(
    "countermand.cli.exec:exec_",
    name="exec",
    help="Run a command beside a sandbox of its own: countermand exec -- npm test.\n\n"
    "The command finds it by COUNTERMAND_URL, COUNTERMAND_RPC_URL and COUNTERMAND_WS_URL. Signals are passed on to the "
    "command, and its exit status back.",
)
app.command(
    "countermand.cli.keys:keys",
    name="keys",
    help="Make, list and revoke the API keys of a venue.\n\nIt is effective at once, also in a venue that runs.",
)
app.command(
    "countermand_simulator.command:simulate",
    name="simulate",
    help="Run the whole engine under virtual time and faults, and check every promise. Exit status 1 on a failure.",
)
app.command(
    "countermand.cli.audit:audit",
    name="audit",
    help="Replay the journal, compare it with every table and the chain, and print what differs and what is not "
    "checked.\n\n"
    "Exit status 1 if anything differs. A venue that runs meanwhile is not disturbed.",
)
app.command(
    "countermand.cli.explain:explain",
    name="explain",
    help="Say in plain sentences what a transaction does: who signs and pays, what moves and where to.\n\n"
    "- reads it from standard input. It reads the bytes alone and asks no chain. Exit status 2 if they are no "
    "transaction.",
)

app.command(
    "countermand.cli.rescue:rescue",
    name="rescue",
    help="Cancel a wallet's open orders in Jupiter's v1 programs straight on the chain, without Jupiter's API.\n\n"
    "It shows what would come back, and sends nothing without --sign. Exit status 1 if some of it cannot be rescued.",
)
app.command(
    "countermand.cli.doctor:doctor",
    name="doctor",
    help="Look at ports, PostgreSQL, clock, descriptors and disk, and say what is wrong and the remedy.\n\n"
    "It changes nothing. Exit status 1 if something is wrong.",
)
app.command(
    "countermand.cli.solders:solders",
    name="solders",
    help="Install the solders that a venue runs with, where a bot in this environment needs an older one.\n\n"
    "It goes into a directory of its own, which only the commands look into.",
)
app.command(
    "countermand.cli.completion:completion",
    name="completion",
    help="Print a script that lets a shell complete commands and options.\n\n"
    'bash: eval "$(countermand completion bash)"',
)
app.command(
    "countermand.cli.conformance:conformance",
    name="conformance",
    help="Ask a server what costs no money, and print where it answers otherwise than the published APIs.\n\n"
    "Exit status 1 if anything differs.",
)


def main() -> None:
    """Runs the command, and leaves with its exit status: 2, and one line, if it cannot start as asked.

    141 if the reader of its report left before the end.
    """
    try:
        gc.set_threshold(_YOUNG_OBJECTS)  # What is imported stays: to look for garbage in it takes a tenth of a start.
        adopt_standard_streams()
        own_solders.prefer()
        status = app(exit_on_error=False, print_error=False, result_action="return_value")
    except (CycloptsError, StartRefused) as error:
        print(f"countermand: {' '.join(_said(error).split())}", file=sys.stderr)
        sys.exit(BAD_START)
    except Failed as error:
        print(f"countermand: failed, which is a bug: {error}", file=sys.stderr)
        sys.exit(error.status)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    sys.exit(status if isinstance(status, int) else 0)


def _said(error: Exception) -> str:
    command = " ".join(("countermand", *(getattr(error, "command_chain", None) or ())))
    if isinstance(error, MissingArgumentError) and _was_left_out(error):
        assert error.argument is not None
        names = " or ".join((error.argument.name, *(error.argument.parameter.env_var or ())))
        return f"{names} is missing; {command} --help shows what it takes"
    if isinstance(error, UnusedCliTokensError):
        return f"'{' '.join(error.unused_tokens or ())}' is too much; {command} --help shows what it takes"
    return str(error)


def _was_left_out(error: MissingArgumentError) -> bool:
    """Not so if the option is there without its value, or by a name that is much like its own."""
    is_there = error.keyword is not None or (error.argument is not None and error.argument.tokens)
    return not is_there and "Did you mean" not in str(error)
