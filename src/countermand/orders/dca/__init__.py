"""Recurring orders whose funds are in vaults: Trigger v2's DCA."""
