"""What each refusal to build an order is called here."""

from types import MappingProxyType
from typing import Final

from countermand.orders.limit.model.refusals import Refusal, Refused

CAUSES: Final = MappingProxyType(
    {
        Refusal.MINT_UNKNOWN: "{subject} is not the mint of a token",
        Refusal.MINT_UNSAFE: "{subject} has a token extension, such as a transfer fee, that is not supported",
        Refusal.FEE_ACCOUNT_UNFIT: "feeAccount {subject} is not a token account of the output mint",
    }
)
assert set(CAUSES) == set(Refusal), "every refusal has its words"


def cause_of(refused: Refused) -> str:
    return CAUSES[refused.refusal].format(subject=refused.subject)
