"""Recurring orders by time: an amount sold in equal cycles. They live on the chain; here is what may be asked for."""
