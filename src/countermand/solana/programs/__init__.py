"""The two order programs of the chain, limit orders and DCA: their builds, their instructions and their accounts."""
