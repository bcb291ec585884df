"""The families whose orders live on the chain: reading them, and building the transactions that their owners sign."""
