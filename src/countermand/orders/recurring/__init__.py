"""Recurring orders by time, which live on the chain."""
