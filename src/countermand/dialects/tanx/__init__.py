"""tanX: a book of limit, market, stop and post-only orders, behind a login with an Ethereum key."""
