"""Limit orders, which live on the chain."""
