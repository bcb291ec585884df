"""One path for the transactions that we build: built, remembered, landed."""
