"""The test kit: a sandbox in a process of its own, for pytest and for any other program.

It imports the standard library and, where wallets sign, solders: nothing of the venue. What it knows of one, it is told
over HTTP.
"""
