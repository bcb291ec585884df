"""The command `countermand`."""

import sys
from typing import Final

from cyclopts import App, CycloptsError

from countermand.settings import StartRefused

BAD_START: Final = 2

app: Final = App(name="countermand", help="An order server for crypto trading, whose cancel keeps its promise.")
# By name: each command imports what it needs, and nothing of the others.
app.command("countermand.cli.serve:serve", name="serve")
app.command("countermand.cli.simulate:simulate", name="simulate")
app.command("countermand.cli.audit:audit", name="audit")
app.command("countermand.cli.explain:explain", name="explain")


def main() -> None:
    """Runs the command, and leaves with its exit status: 2, and one line, if it cannot start as asked."""
    try:
        status = app(exit_on_error=False, print_error=False, result_action="return_value")
    except (CycloptsError, StartRefused) as error:
        print(f"countermand: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(BAD_START)
    sys.exit(status if isinstance(status, int) else 0)
