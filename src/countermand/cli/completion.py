"""`countermand completion`."""

from typing import Annotated, Literal

from cyclopts import Parameter


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="whose script it is")], /) -> int:
    """Print a script that lets a shell complete commands and options.

    bash: eval "$(countermand completion bash)"
    """
    from countermand.cli import app  # noqa: PLC0415  It knows all commands, this one too.

    print(app.generate_completion(prog_name="countermand", shell=shell))
    return 0
