"""What goes wrong, told apart by what it means for the order."""

from typing import Any


class ClientError(Exception):
    """All that this client raises."""


class Refused(ClientError):
    """The server judged the request and said no: nothing changed by it.

    `words` is what it said, `details` what it said of single fields, `order_id` the order that stands in the way where
    it names one, and `body` its whole answer.
    """

    def __init__(self, status: int, words: str, body: Any = None) -> None:
        self.status = status
        self.words = words
        self.body = body
        fields = body if isinstance(body, dict) else {}
        details, order_id, cause = fields.get("details"), fields.get("id"), fields.get("cause")
        self.details: dict[str, Any] = details if isinstance(details, dict) else {}
        self.order_id = order_id if isinstance(order_id, str) else None
        told = [f"{name}: {why}" for name, why in self.details.items()] if self.details else [cause] if cause else []
        reasons = "; ".join(map(str, told))
        super().__init__(f"{status} {words} ({reasons})" if reasons else f"{status} {words}")


class RateLimited(Refused):
    """429, again and again, for longer than the policy waits. Nothing of the request was done."""


class Unavailable(ClientError):
    """The server was not reached, or said that it changed nothing. Asking again is safe."""


class OutcomeUnknown(ClientError):
    """The answer was lost, and what became of the request could not be found out either; or only a part was done.

    `reference` is what to look for: the request's id and the signature of its transaction, where there are such.
    """

    def __init__(self, words: str, **reference: str) -> None:
        told = ", ".join(f"{name} {value}" for name, value in reference.items())
        super().__init__(f"{words} ({told})" if told else words)
        self.reference = reference


class Unsafe(ClientError):
    """What was to be signed is not what was asked for. Nothing was signed."""


class BadAnswer(ClientError):
    """The answer is not of the documented shape, or not about what was asked for."""
