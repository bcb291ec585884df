"""How an option is declared: its name, its help, and its environment variable."""

from cyclopts import Parameter

from countermand.settings import ENV_PREFIX


def option(name: str, help_text: str, variable: str | None = None) -> Parameter:
    """`variable`: without the prefix, if it is not the name in capitals."""
    return Parameter(
        name=f"--{name}", help=help_text, env_var=ENV_PREFIX + (variable or name.replace("-", "_").upper())
    )
