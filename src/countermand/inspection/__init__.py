"""What is seen of a venue from inside: orders of every family and what they wait for, prices, books, a live stream.

The sandbox shows it to this machine, a venue to its operator.
"""
