"""Orders of the order books, with their markets and balances."""
