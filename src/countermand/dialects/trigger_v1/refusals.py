"""The words of each refusal in this API."""

from types import MappingProxyType
from typing import Final

from countermand.orders.limit.model.refusals import LimitRefusal, LimitRefused

CAUSES: Final = MappingProxyType(
    {
        LimitRefusal.MINT_UNKNOWN: "{subject} is not the mint of a token",
        LimitRefusal.MINT_UNSAFE: "{subject} has a token extension, such as a transfer fee, that is not supported",
        LimitRefusal.FEE_ACCOUNT_UNFIT: "feeAccount {subject} is not a token account of the output mint",
        LimitRefusal.FEE_TOO_HIGH: "params.feeBps: at most {subject}, since the program's own fee comes on top",
    }
)
assert set(CAUSES) == set(LimitRefusal), "every refusal has its words"


def cause_of(refused: LimitRefused) -> str:
    return CAUSES[refused.refusal].format(subject=refused.subject)
