"""How an option is declared: its name, its help, its environment variable, and what a number and a file are."""

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final, TypeAlias

from cyclopts import Parameter, Token

from countermand.settings import API_KEYS_VARIABLE, ENV_PREFIX

_VARIABLES: Final[dict[str, None]] = dict.fromkeys((API_KEYS_VARIABLE,))
"""Of all options that were declared, and what has no option."""
_NOT_OURS: Final = tuple(ENV_PREFIX + name for name in ("URL", "WS_URL", "CONFORMANCE_API_KEY", "SERVICE_", "PORT_"))
"""What `exec` tells its command, another command's, and what Kubernetes tells of a service of this name."""
_LIKENESS_MIN: Final = 0.8
_WHOLE: Final = re.compile(r"-?[0-9]{1,20}")


def option(name: str, help_text: str, variable: str | None = None) -> Parameter:
    """`variable`: without the prefix, if it is not the name in capitals."""
    in_capitals = ENV_PREFIX + (variable or name.replace("-", "_").upper())
    _VARIABLES[in_capitals] = None
    return Parameter(name=f"--{name}", help=help_text, env_var=in_capitals)


def _whole(_type: object, tokens: Sequence[Token]) -> int:
    """`1.5`, `0x10` and `1_000` have no exact meaning that everybody shares."""
    text = tokens[0].value
    if _WHOLE.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no whole number; give digits alone, at most 20")
    return int(text)


Whole: TypeAlias = Annotated[int, Parameter(converter=_whole)]
"""The number of an option, in plain digits."""


def _file(_type: object, tokens: Sequence[Token]) -> Path:
    """An empty name, as of a shell's variable that is not set, would be the directory that one happens to be in."""
    text = tokens[0].value
    if not text:
        raise ValueError("the name is empty; give a path, or leave it out")
    return Path(text)


File: TypeAlias = Annotated[Path, Parameter(converter=_file)]
"""The file or the directory of an option."""


def unknown_variables(names: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """Those that look like settings and are none, each with the setting that it is like, if there is one."""
    for name in sorted(names):
        if name.startswith(ENV_PREFIX) and name not in _VARIABLES and not name.startswith(_NOT_OURS):
            known = [each.removeprefix(ENV_PREFIX) for each in _VARIABLES]
            like = get_close_matches(name.removeprefix(ENV_PREFIX), known, n=1, cutoff=_LIKENESS_MIN)
            yield name, ENV_PREFIX + like[0] if like else None
