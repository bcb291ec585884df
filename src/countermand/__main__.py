"""`python -m countermand` is `countermand`."""

from countermand.cli import main

if __name__ == "__main__":
    main()
