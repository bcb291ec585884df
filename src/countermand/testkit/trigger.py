"""Orders by Trigger v2, in as many requests as they take. For more, use a client: this is enough to set up a test."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from countermand.testkit.amounts import Number, decimal, whole_tokens
from countermand.testkit.fields import on_the_wire
from countermand.testkit.http import Answer, LostAnswer, RequestRefused

if TYPE_CHECKING:
    from countermand.testkit.wallet import Wallet

_ROOT: Final = "/trigger/v2"
_TRIES: Final = 4
"""Each of these requests may be repeated: the second answer is that of the first."""
_REGISTERED_BEFORE: Final = 409
_NOT_THERE: Final = 404
_SOL: Final = "So11111111111111111111111111111111111111112"
_CANNOT_LAND: Final = "Invalid signed deposit transaction"
_WEEK_MS: Final = 7 * 24 * 3_600_000
_STABLES: Final = ("USDC", "USDT")


class TriggerOrders:
    """A wallet's orders by Trigger v2. It signs in by itself. What is refused raises `RequestRefused`."""

    def __init__(self, ask: Callable[..., Answer], wallet: "Wallet") -> None:
        self._ask = ask
        self._wallet = wallet

    def sign_in(self) -> str:
        """A new token."""
        asked = {"walletPubkey": self._wallet.address, "type": "message"}
        challenge = self._request("POST", "/auth/challenge", asked)["challenge"]
        signature = str(self._wallet.keypair.sign_message(challenge.encode()))
        proof = {"type": "message", "walletPubkey": self._wallet.address, "signature": signature}
        token: str = self._request("POST", "/auth/verify", proof)["token"]
        return token

    def place(
        self,
        sell: str,
        amount: Number,
        buy: str,
        *,
        above: Number | None = None,
        below: Number | None = None,
        trigger: str | None = None,
        lives_ms: int = _WEEK_MS,
        **fields: object,
    ) -> str:
        """The id of a new order, whose deposit has landed. `amount` of whole tokens is sold above or below a price.

        `trigger` is the token whose price it is: the one that is sold, or bought with dollars. `fields` are further
        ones of the request, such as `slippage_bps`, or `order_type="oco"` with `tp_price_usd` and `sl_price_usd`, in
        Python's case or as on the wire.
        """
        if above is not None and below is not None:
            raise ValueError(f"above={above!r} and below={below!r}: an order triggers above a price or below it")
        venue = self._wallet.venue
        given, wanted = venue.token(sell), venue.token(buy)
        watched = venue.token(trigger or (buy if given.symbol in _STABLES else sell))
        body: dict[str, object] = {
            "orderType": "single",
            "inputMint": given.mint,
            "inputAmount": str(venue.base_units(sell, amount)),
            "outputMint": wanted.mint,
            "triggerMint": watched.mint,
            "userPubkey": self._wallet.address,
            "expiresAt": venue.now() + lives_ms,
        }
        for condition, price in (("above", above), ("below", below)):
            if price is not None:
                body |= {"triggerCondition": condition, "triggerPriceUsd": decimal(condition, price)}
        body |= on_the_wire(fields)
        return self._placed("price", body, {"orderSubType": body["orderType"]})

    def place_recurring(
        self, sell: str, amount: Number, buy: str, *, rounds: int, every_s: int, **fields: object
    ) -> str:
        """The id of a new recurring order, whose deposit has landed: `amount` is sold in so many rounds."""
        venue = self._wallet.venue
        body: dict[str, object] = {
            "inputMint": venue.token(sell).mint,
            "outputMint": venue.token(buy).mint,
            "inputAmount": str(venue.base_units(sell, amount)),
            "userPubkey": self._wallet.address,
            "orderCount": rounds,
            "intervalSeconds": every_s,
        }
        return self._placed("dca", body | on_the_wire(fields), {})

    def _placed(self, family: str, body: dict[str, object], more: dict[str, object]) -> str:
        """Crafts the deposit, signs it, and creates the order."""
        registered = self._signed_in("GET", "/vault/register", None, self._token())
        if registered.status != _REGISTERED_BEFORE:
            registered.ok()
        asked = {
            "inputMint": body["inputMint"],
            "outputMint": body["outputMint"],
            "userAddress": self._wallet.address,
            "amount": body["inputAmount"],
            "orderType": family,
        }
        token = self._token()
        craft = self._request("POST", "/deposit/craft", asked | more, token=token)
        signed = self._wallet.sign_transaction(craft["transaction"])
        deposit = {"depositRequestId": craft["requestId"], "depositSignedTx": signed}
        try:
            order: str = self._request("POST", f"/orders/{family}", body | deposit, token=token)["id"]
        except RequestRefused as refused:
            if _CANNOT_LAND in str(refused):
                refused.add_note(self._holdings(str(body["inputMint"]), int(str(body["inputAmount"]))))
            raise
        return order

    def _holdings(self, mint: str, units: int) -> str:
        """What the chain's words for a deposit that cannot land, such as `0x1`, leave to be found out."""
        sold = self._wallet.venue.token(mint)
        held = f"{_shown(self._wallet.balance('SOL'))} SOL"
        if mint != _SOL:
            held += f" and {_shown(self._wallet.balance(mint))} {sold.symbol}"
        wanted = f"{_shown(whole_tokens(units, sold.decimals))} {sold.symbol}"
        return f"the wallet has {held}; the order sells {wanted}, and rent and fees are paid in SOL"

    def cancel(self, order: str) -> dict[str, Any]:
        """The first step, by which the order can fill no more: `transaction` to sign, and `requestId`."""
        answer: dict[str, Any] = self._of_order("POST", "/orders/price/cancel", "/orders/dca/cancel", order)
        return answer

    def confirm(self, order: str, cancelling: dict[str, Any]) -> dict[str, Any]:
        """The second step, by which the funds come back."""
        signed = self._wallet.sign_transaction(cancelling["transaction"])
        body = {"signedTransaction": signed, "cancelRequestId": cancelling["requestId"]}
        answer: dict[str, Any] = self._of_order(
            "POST", "/orders/price/confirm-cancel", "/orders/dca/confirm-cancel", order, body
        )
        return answer

    def order(self, order: str) -> dict[str, Any]:
        """Its row of the history: one of a recurring order has other fields, such as `state`."""
        row: dict[str, Any] = self._of_order("GET", "/orders/history", "/orders/history/dca", order)
        return row

    def _of_order(self, method: str, by_price: str, recurring: str, order: str, body: object = None) -> Any:
        """The API has a path for orders by price and another for recurring ones; an id is of one of the two."""
        answer = self._signed_in(method, f"{by_price}/{order}", body, self._token())
        if answer.status == _NOT_THERE:
            other = self._signed_in(method, f"{recurring}/{order}", body, self._token())
            answer = answer if other.status == _NOT_THERE else other
        return answer.ok()

    def _token(self) -> str:
        return self._wallet.venue.tokens.get(self._wallet.address) or self._new_token()

    def _new_token(self) -> str:
        token = self._wallet.venue.tokens[self._wallet.address] = self.sign_in()
        return token

    def _request(self, method: str, path: str, body: object = None, *, token: str | None = None) -> Any:
        return self._signed_in(method, path, body, token).ok()

    def _signed_in(self, method: str, path: str, body: object, token: str | None) -> Answer:
        """Anew, if the token has ended."""
        answer = self._answer(method, path, body, token)
        if answer.status == 401 and token is not None:
            answer = self._answer(method, path, body, self._new_token())
        return answer

    def _answer(self, method: str, path: str, body: object, token: str | None) -> Answer:
        for _ in range(_TRIES - 1):
            try:
                return self._ask(method, _ROOT + path, body, token=token)
            except LostAnswer:
                continue
        return self._ask(method, _ROOT + path, body, token=token)


def _shown(tokens: Decimal) -> str:
    return f"{tokens.normalize():f}"
