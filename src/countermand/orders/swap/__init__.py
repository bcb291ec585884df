"""Swaps: what a user may exchange at once, and signs itself. The chain decides, and nothing of it is stored."""
