"""A member of tanX: one who logs in with an Ethereum key, and signs orders with a Stark key."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any

from countermand.curves.stark import public_key
from tests.dialects.tanx.keys import address_of, sign_message, sign_text
from tests.end_to_end.venue import Answer, Venue

_KEYS = count(0xC0FFEE)


@dataclass
class Member:
    """New, with keys of its own; logged in when something is asked first."""

    venue: Venue
    key: int = field(default_factory=lambda: next(_KEYS))
    access: str | None = None
    refresh: str | None = None
    markets: dict[str, None] = field(default_factory=dict)
    """In which something was asked to be placed."""

    @cached_property
    def address(self) -> str:
        return address_of(self.key)

    # --- asking

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        if self.access is None:
            self.logs_in()
        return self.venue.ask(method, path, body, headers={"authorization": f"JWT {self.access}"} | headers)

    def get(self, path: str) -> Any:
        """The payload of a good answer."""
        return self.ask("GET", path).ok()["payload"]

    def post(self, path: str, body: object) -> Any:
        return self.ask("POST", path, body).ok()["payload"]

    def logs_in(self) -> None:
        text = self.venue.ask("POST", "/sapi/v1/auth/v2/nonce/", {"eth_address": self.address}).ok()["payload"]
        login = {"eth_address": self.address, "user_signature": sign_text(self.key, text)}
        token = self.venue.ask("POST", "/sapi/v1/auth/v2/login/", login).ok()["token"]
        self.access, self.refresh = token["access"], token["refresh"]

    def joins(self) -> "Member":
        """Registers the Stark key, which is the same number as the other one."""
        body = {"eth_address": self.address, "stark_key": hex(public_key(self.key))}
        self.venue.ask("POST", "/sandbox/tanx/stark-key", body).ok()
        return self

    def has(self, **units: str) -> "Member":
        """So much more of each currency."""
        for currency, amount in units.items():
            body = {"eth_address": self.address, "currency": currency, "amount": amount}
            self.venue.ask("POST", "/sandbox/tanx/credit", body).ok()
        return self

    def leaves(self) -> None:
        """Takes its orders out of the books."""
        if self.access is not None and self.ask("GET", "/sapi/v1/user/profile/").status == 401:
            self.logs_in()
        for market in self.markets:
            self.post("/sapi/v1/user/bulkcancel/", {"market": market})

    # --- orders

    def draft(self, side: str, volume: object, price: object = None, **more: object) -> Any:
        """Of btcusdc, and with a limit, unless said otherwise."""
        asked = {"market": "btcusdc", "ord_type": "limit", "side": side, "volume": volume, "price": price} | more
        self.markets[str(asked["market"])] = None
        return self.post("/sapi/v1/orders/nonce/", {name: value for name, value in asked.items() if value is not None})

    def signs(self, draft: Any) -> Any:
        r, s = sign_message(self.key, int(draft["msg_hash"], 16))
        return draft | {"signature": {"r": hex(r), "s": hex(s)}}

    def places(self, side: str, volume: object, price: object = None, **more: object) -> int:
        created = self.post("/sapi/v1/orders/create/", self.signs(self.draft(side, volume, price, **more)))
        assert (created["state"], created["executed_volume"]) == ("pending", "0.0")
        number: int = created["id"]
        return number

    def cancels(self, order_id: object) -> Answer:
        return self.ask("POST", "/sapi/v1/orders/cancel/", {"order_id": order_id})

    def sees(self, order_id: int) -> Any:
        return self.get(f"/sapi/v1/orders/{order_id}")

    def state(self, order_id: int) -> tuple[str, str | None]:
        order = self.sees(order_id)
        return order["state"], order["cancel_reason"]

    def balance(self, currency: str) -> tuple[str, str]:
        """What can be used, and what is locked."""
        row = self.get(f"/sapi/v1/user/balance/?currency={currency}")
        return row["balance"], row["locked"]

    def gets_with_body(self, path: str, body: object) -> Any:
        """As the Python client asks for lists."""
        return self.ask("GET", path, json.dumps(body).encode()).ok()["payload"]
