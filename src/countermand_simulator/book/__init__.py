"""The simulator of the order books: one venue of five markets, its traders, its faults, and what checks it."""
