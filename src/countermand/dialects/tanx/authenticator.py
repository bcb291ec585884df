"""Whose a request is."""

from typing import Protocol

from falcon.asgi import Request

from countermand.answering import Answer, Declined
from countermand.orders.book.model.ledger.amount import Account


class Authenticator(Protocol):
    async def account(self, authorization: str | None) -> Account | Answer:
        """The account of the access token in the header, or the answer if the token is not valid."""


async def account_asking(authenticator: Authenticator, req: Request) -> Account:
    """Raises `Declined`."""
    found = await authenticator.account(req.get_header("authorization"))
    if isinstance(found, Answer):
        raise Declined(found)
    return found
