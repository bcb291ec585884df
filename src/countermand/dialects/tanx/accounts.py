"""Ethereum addresses as the names of accounts."""

from countermand.curves import ethereum
from countermand.orders.book.model.ledger.amount import Account


def account_of(address: str) -> Account | None:
    """The account of an address in any mixture of cases. None: it is no address."""
    found = ethereum.address_in(address)
    return None if found is None else Account(found)


def signer_of(text: str, signature: str) -> Account | None:
    """The account that signed the text with `personal_sign` (EIP-191). None: the signature is not valid."""
    found = ethereum.signer_of(text, signature)
    return None if found is None else Account(found)
