"""The form of an address: 32 bytes in base58, and no space around it, with which nothing could look it up."""

from solders.pubkey import Pubkey


def is_address(text: str) -> bool:
    return address_flaw(text) is None


def address_flaw(text: str) -> str | None:
    """In the words of Solana's own reader; None: it is an address."""
    try:
        Pubkey.from_string(text)
    except ValueError as problem:
        return str(problem)
    return None
