"""Trigger orders, whose funds a vault of their wallet holds."""
