"""The command: `countermand` and `python -m countermand` are the same."""

import signal


def main() -> None:
    """Until all is imported Ctrl-C ends the process without a word, as it does any program."""
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # A shell's background ignores it.
    if heeded:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from countermand.cli import main as run  # noqa: PLC0415

    if heeded:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
