"""The elliptic curves of StarkEx and Ethereum: keys, signatures and hashes, without a word of any API."""
