"""The programs of the chain, of orders and of swaps: their builds, their instructions and their accounts."""
