"""Swap v1, which Jupiter also calls the Metis API: quotes, and swaps for the user to sign. A sandbox alone has it."""
