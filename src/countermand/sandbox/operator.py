"""What a sandbox's owner may do to any user's order: amend it, and stop it from trading.

It sends the command that the order's owner would send, and the event says that the operator did. What is in the order
stays the owner's: only the owner signs the withdrawal. Orders on the chain move by their owner's signature alone.
"""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from countermand.addresses import is_address
from countermand.dialects.trigger_v2.dca_refusals import WORDS as DCA_WORDS
from countermand.dialects.trigger_v2.refusals import WORDS as TRIGGER_WORDS
from countermand.dialects.trigger_v2.states import DCA, display_state
from countermand.dialects.trigger_v2.words import Words
from countermand.inspection.orders import is_book_id
from countermand.inspection.queries import shown
from countermand.orders.book.inspection import BookInspection
from countermand.orders.book.model.order import OrderId as BookOrderId
from countermand.orders.dca.model.refusals import DcaRefused
from countermand.orders.dca.service import DcaService
from countermand.orders.dca.shard import DcaShard
from countermand.orders.trigger.model.commands import Amendment, LegChange
from countermand.orders.trigger.model.order import Family, OrderGroup, Role
from countermand.orders.trigger.model.refusals import TriggerRefused
from countermand.orders.trigger.model.trailing import BPS_MAX, BPS_MIN
from countermand.orders.trigger.service import TriggerService
from countermand.orders.trigger.shard import TriggerShard
from countermand.sandbox import wire
from countermand.sandbox.numbers import price_in, within
from countermand.sandbox.reading import OrderNotHere, SandboxRefused
from countermand.sandbox.tanx import TanxSandbox
from countermand.values.identity import OrderId
from countermand.values.instant import Instant
from countermand.values.quantities import BPS_ONE, Bps, UsdPrice

_FIELDS: Final[Mapping[Role, tuple[str, str, str | None]]] = {
    Role.TRIGGER: ("triggerPriceUsd", "slippageBps", "trailingBps"),
    Role.TAKE_PROFIT: ("tpPriceUsd", "tpSlippageBps", None),
    Role.STOP_LOSS: ("slPriceUsd", "slSlippageBps", None),
}
"""Of each leg: its price, its slippage, and how far it trails."""
_ON_CHAIN: Final = "only its owner's signature moves an order on the chain"
_LATEST: Final = 253_402_300_799_999


class Operator(msgspec.Struct, frozen=True):
    """Every method may raise `SandboxRefused`, `OrderNotHere`, `Unavailable` or `CommitUnknown`."""

    trigger: TriggerShard
    trigger_orders: TriggerService
    dca: DcaShard
    dca_orders: DcaService
    book: BookInspection
    tanx: TanxSandbox

    async def amend(self, name: str, asked: wire.AmendRequest) -> None:
        group = await self._group(name)
        if group is None:
            raise SandboxRefused(f"{shown(name)}: only trigger orders can be amended; {await self._why_not(name)}")
        amendment = _amendment(group, asked)
        _require("update", await self.trigger_orders.amend(group.id, group.terms.wallet, amendment, by_operator=True))

    async def cancel(self, name: str) -> None:
        """Nothing of it trades any more."""
        booked = await self._booked(name)
        if booked is not None:
            await self.tanx.cancel(booked)
            return
        group = await self._group(name)
        if group is not None:
            _require("cancel", await self.trigger_orders.cancel(group.id, group.terms.wallet, by_operator=True))
            return
        order = await self.dca.committed(OrderId(_uuid(name))) if _is_uuid(name) else None
        if order is None:
            raise SandboxRefused(f"{shown(name)}: {await self._why_not(name)}")
        _require("cancel", await self.dca_orders.cancel(order.id, order.terms.wallet, by_operator=True))

    async def _group(self, name: str) -> OrderGroup | None:
        return await self.trigger.committed(OrderId(_uuid(name))) if _is_uuid(name) else None

    async def _booked(self, name: str) -> BookOrderId | None:
        """An order of the book, by its id or its uuid."""
        if is_book_id(name):
            found = await self.book.order(BookOrderId(int(name)))
        else:
            found = await self.book.order(_uuid(name)) if _is_uuid(name) else None
        return None if found is None else found.order.id

    async def _why_not(self, name: str) -> str:
        if is_address(name):
            return f"{_ON_CHAIN}; cancel it by its dialect"
        in_a_vault = await self.dca.committed(OrderId(_uuid(name))) if _is_uuid(name) else None
        if in_a_vault is not None or await self._booked(name) is not None:
            return "cancel it, and place another"
        raise OrderNotHere(shown(name))


def _is_uuid(name: str) -> bool:
    try:
        return bool(UUID(name))
    except ValueError:
        return False


def _uuid(name: str) -> str:
    return str(UUID(name))


def _require(verb: str, outcome: object) -> None:
    """Raises what the order's owner would be told."""
    if isinstance(outcome, TriggerRefused):
        state = "" if outcome.state is None else display_state(outcome.state).value
        raise _refused(TRIGGER_WORDS[outcome.refusal], verb, state, outcome.detail)
    if isinstance(outcome, DcaRefused):
        state = "" if outcome.state is None else DCA[outcome.state].value
        raise _refused(DCA_WORDS[outcome.refusal], verb, state, outcome.detail)


def _refused(words: Words, verb: str, state: str, detail: str) -> SandboxRefused:
    return SandboxRefused(words.text.format(verb=verb, state=state, detail=detail, transaction=""))


def _amendment(group: OrderGroup, asked: wire.AmendRequest) -> Amendment:
    given = {
        field.encode_name: value
        for field in msgspec.structs.fields(asked)
        if not isinstance(value := getattr(asked, field.name), UnsetType)
    }
    known = [name for leg in group.legs for name in _FIELDS[leg.role] if name is not None]
    if group.terms.family is not Family.SINGLE:
        known = [name for name in known if name != "trailingBps"]
    for name in given:
        if name not in known and name != "expiresAt":
            raise SandboxRefused(
                f"{name}: not a field of {group.terms.family.value} orders; they have {', '.join(known)}"
            )
    if not given:
        raise SandboxRefused(f"body: changes nothing; send {', '.join(known)} or expiresAt")
    expires_at = given.get("expiresAt")
    return Amendment(
        group.terms.family,
        tuple(_change(given, *_FIELDS[leg.role]) for leg in group.legs),
        None if expires_at is None else Instant(within("expiresAt", expires_at, 0, _LATEST)),
    )


def _change(given: Mapping[str, object], price: str, slippage: str, trailing: str | None) -> LegChange:
    return LegChange(
        price=_price(price, given.get(price, UNSET)),
        slippage=_bps(slippage, given.get(slippage, UNSET), 0, BPS_ONE),
        distance=None if trailing is None else _bps(trailing, given.get(trailing, UNSET), BPS_MIN, BPS_MAX),
    )


def _price(field: str, value: object) -> UsdPrice | None:
    return price_in(field, value) if isinstance(value, msgspec.Raw) else None


def _bps(field: str, value: object, least: int, most: int) -> Bps | None:
    return Bps(within(field, value, least, most)) if isinstance(value, int) else None
