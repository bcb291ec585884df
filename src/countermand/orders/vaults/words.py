"""Why an event happened to an order in a vault, in words: what is the same whatever it waits for."""

from typing import Final, TypeAlias

from countermand.orders.vaults.model import events as vault
from countermand.values.quantities import BaseUnits

BY_OPERATOR: Final = "the operator asked for it"

Common: TypeAlias = vault.DepositFailed | vault.WithdrawalFailed | vault.SweepFailed | vault.CancelRequested


def vault_reason(event: Common) -> str:
    """Of a cancel that was asked for: one whose withdrawal there is not."""
    match event:
        case vault.DepositFailed(error=error):
            return error or "the transaction did not land in time"
        case vault.WithdrawalFailed(rejection=rejection):
            return rejection or "the transaction did not land while it could"
        case vault.SweepFailed():
            return "the order's token account could not be closed yet"
        case vault.CancelRequested():
            return "the withdrawal could not be built; a repeated cancel builds it"


def asked_by_operator(reason: str | None) -> str:
    return BY_OPERATOR if reason is None else f"{BY_OPERATOR}; {reason}"


def some_units(amount: BaseUnits) -> str | None:
    """As a record has an amount that is left out where it is nothing."""
    return str(amount.units) if amount else None
