"""Jupiter's Recurring v1, orders by time: the root `/recurring/v1`."""
