"""Countermand: a self-hosted server for orders that wait."""
