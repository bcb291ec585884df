"""Orders of Jupiter's v1 programs, brought home straight from the programs' accounts: no API is asked."""
