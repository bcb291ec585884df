"""A wallet that trades at a venue by Trigger v2, as its clients do."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from spl.token.constants import TOKEN_PROGRAM_ID
from spl.token.instructions import close_account, transfer_checked
from spl.token.models import CloseAccountParams, TransferCheckedParams

from tests.end_to_end.venue import SOL, USDC, USDT, Answer, Funds, Token, Venue, associated

ROOT = "/trigger/v2"
HOUR_MS = 3_600_000
STABLES = (USDC, USDT)


@dataclass(frozen=True, slots=True)
class Order:
    """What a trader wants: one of `above` and `below`, in dollars, or both prices of a pair, or all of that.

    `trigger` None: what is sold, or what is bought with dollars.
    """

    sell: Funds
    buy: Token
    above: float | None = None
    below: float | None = None
    trigger: Token | None = None
    slippage_bps: int | None = None
    lives_ms: int = HOUR_MS
    take_profit: float | None = None
    stop_loss: float | None = None
    trailing: tuple[str, int] | None = None
    """The condition, and how many basis points behind the watermark."""
    more: Mapping[str, object] = field(default_factory=dict)
    """Further fields of the create."""

    @property
    def kind(self) -> str:
        if self.take_profit is None:
            return "single"
        return "oco" if self.above is None and self.below is None else "otoco"

    def fields(self) -> dict[str, object]:
        """The body of a create, but for the deposit, the user and the expiry."""
        watched = self.trigger or (self.buy if self.sell.token in STABLES else self.sell.token)
        slippage = {} if self.slippage_bps is None else {"slippageBps": self.slippage_bps}
        own, pair = dict[str, object](), dict[str, object]()
        if self.trailing is not None:
            own = {"triggerCondition": self.trailing[0], "trailingBps": self.trailing[1]}
        elif self.kind != "oco":
            own = {
                "triggerCondition": "below" if self.above is None else "above",
                "triggerPriceUsd": self.below if self.above is None else self.above,
            }
        if self.kind != "single":
            pair = {"tpPriceUsd": self.take_profit, "slPriceUsd": self.stop_loss}
        return {
            "orderType": self.kind,
            "inputMint": self.sell.token.mint,
            "inputAmount": str(self.sell.units),
            "outputMint": self.buy.mint,
            "triggerMint": watched.mint,
            **own,
            **pair,
            **slippage,
            **self.more,
        }


def single(
    sell: Funds,
    buy: Token = USDC,
    *,
    above: float | None = None,
    below: float | None = None,
    trigger: Token | None = None,
    slippage_bps: int | None = None,
    lives_ms: int = HOUR_MS,
) -> Order:
    assert (above is None) != (below is None), "an order waits for one price"
    return Order(sell, buy, above, below, trigger, slippage_bps, lives_ms)


def trailing(
    sell: Funds, buy: Token = USDC, *, condition: str = "below", bps: int, lives_ms: int = HOUR_MS, **more: object
) -> Order:
    return Order(sell, buy, lives_ms=lives_ms, trailing=(condition, bps), more=more)


def oco(
    sell: Funds,
    buy: Token = USDC,
    *,
    take_profit: float,
    stop_loss: float,
    trigger: Token | None = None,
    lives_ms: int = HOUR_MS,
    **more: object,
) -> Order:
    return Order(sell, buy, trigger=trigger, lives_ms=lives_ms, take_profit=take_profit, stop_loss=stop_loss, more=more)


def otoco(
    sell: Funds,
    buy: Token,
    *,
    above: float | None = None,
    below: float | None = None,
    take_profit: float,
    stop_loss: float,
    lives_ms: int = HOUR_MS,
    **more: object,
) -> Order:
    return Order(
        sell,
        buy,
        above,
        below,
        lives_ms=lives_ms,
        take_profit=take_profit,
        stop_loss=stop_loss,
        more=more,
    )


@dataclass(frozen=True, slots=True)
class Cancelling:
    """The answer to the first step of a cancel."""

    transaction: str
    request_id: str


@dataclass
class Trader:
    venue: Venue
    key: Keypair = field(default_factory=Keypair)
    token: str = ""
    vault: str = ""
    accounts: dict[str, str] = field(default_factory=dict)
    """The token account of each order that was placed."""
    outputs: dict[str, str] = field(default_factory=dict)
    """The second token account of each OTOCO."""

    @property
    def wallet(self) -> str:
        return str(self.key.pubkey())

    # --- beginning

    def joins(self) -> "Trader":
        """Signs in, and has a vault."""
        self.signs_in()
        self.vault = self.get("/vault/register").ok()["vaultPubkey"]
        return self

    def signs_in(self) -> None:
        asked = {"walletPubkey": self.wallet, "type": "message"}
        challenge = self.venue.ask("POST", f"{ROOT}/auth/challenge", asked).ok()["challenge"]
        signature = str(self.key.sign_message(challenge.encode()))
        proof = {"type": "message", "walletPubkey": self.wallet, "signature": signature}
        self.token = self.venue.ask("POST", f"{ROOT}/auth/verify", proof).ok()["token"]

    def has(self, *funds: Funds) -> None:
        for each in funds:
            self.venue.gives(self.wallet, each)

    # --- asking

    def get(self, path: str) -> Answer:
        return self.venue.ask("GET", ROOT + path, token=self.token)

    def post(self, path: str, body: object = None) -> Answer:
        return self.venue.ask("POST", ROOT + path, body, token=self.token)

    def patch(self, path: str, body: object) -> Answer:
        return self.venue.ask("PATCH", ROOT + path, body, token=self.token)

    # --- orders

    def asks_to_deposit(self, order: Order) -> Answer:
        asked = {
            "inputMint": order.sell.token.mint,
            "outputMint": order.buy.mint,
            "userAddress": self.wallet,
            "amount": str(order.sell.units),
            "orderType": "price",
            "orderSubType": order.kind,
        }
        return self.post("/deposit/craft", asked)

    def crafts(self, order: Order) -> Any:
        return self.asks_to_deposit(order).ok()

    def body_for(self, order: Order, craft: Any) -> dict[str, object]:
        """The create that makes `order` of a crafted deposit."""
        return order.fields() | {
            "depositRequestId": craft["requestId"],
            "depositSignedTx": self.signs(craft["transaction"]),
            "userPubkey": self.wallet,
            "expiresAt": self.venue.now() + order.lives_ms,
        }

    def creates(self, body: object) -> Answer:
        return self.post("/orders/price", body)

    def places(self, order: Order) -> str:
        """The id of the order, whose deposit has landed."""
        craft = self.crafts(order)
        body = self.body_for(order, craft)
        order_id: str = landed(lambda: self.creates(body)).ok()["id"]
        self.accounts[order_id] = craft["inputTokenAccount"]
        if order.kind == "otoco":
            self.outputs[order_id] = craft["outputTokenAccount"]
        return order_id

    def amends(self, order_id: str, **fields: object) -> Answer:
        return self.patch(f"/orders/price/{order_id}", {"orderType": "single"} | fields)

    def sees(self, order_id: str) -> Any:
        """The order's row of the history."""
        return self.get(f"/orders/history/{order_id}").ok()

    def history(self, **query: object) -> Any:
        """The rows, by the order of the answer."""
        return self.get("/orders/history?" + urlencode(query)).ok()["orders"]

    def state_of(self, order_id: str) -> str:
        """As displayed."""
        state: str = self.sees(order_id)["orderState"]
        return state

    def events_of(self, order_id: str) -> list[tuple[str, str]]:
        """Type and state, the newest first."""
        return [(event["type"], event["state"]) for event in self.sees(order_id)["events"]]

    # --- the two steps of a cancel

    def asks_to_cancel(self, order_id: str) -> Answer:
        return self.post(f"/orders/price/cancel/{order_id}")

    def cancels(self, order_id: str) -> Cancelling:
        """The first step, which must succeed."""
        answer = self.asks_to_cancel(order_id).ok()
        assert answer["id"] == order_id
        return Cancelling(answer["transaction"], answer["requestId"])

    def confirms(self, order_id: str, cancelling: Cancelling) -> Answer:
        """Signs and confirms."""
        return self.hands_in(order_id, self.signs(cancelling.transaction), cancelling.request_id)

    def withdraws(self, order_id: str, cancelling: Cancelling) -> Any:
        """Confirms, and the withdrawal has landed."""
        return landed(lambda: self.confirms(order_id, cancelling)).ok()

    def hands_in(self, order_id: str, transaction: object, request_id: object) -> Answer:
        body = {"signedTransaction": transaction, "cancelRequestId": request_id}
        return self.post(f"/orders/price/confirm-cancel/{order_id}", body)

    # --- the wallet

    def signs(self, transaction: str) -> str:
        return signed(transaction, self.key)

    def holds(self, token: Token) -> int:
        """Base units; of SOL, lamports."""
        return self.venue.lamports(self.wallet) if token == SOL else self.venue.units(self.wallet, token)

    def pays(self, account: str, funds: Funds) -> None:
        """Into a token account, or lamports to any address: no wallet can be kept from it."""
        to = Pubkey.from_string(account)
        if funds.token == SOL:
            self.sends(transfer(TransferParams(from_pubkey=self.key.pubkey(), to_pubkey=to, lamports=funds.units)))
            return
        payment = TransferCheckedParams(
            program_id=TOKEN_PROGRAM_ID,
            source=associated(self.wallet, funds.token),
            mint=Pubkey.from_string(funds.token.mint),
            dest=to,
            owner=self.key.pubkey(),
            amount=funds.units,
            decimals=funds.token.decimals,
        )
        self.sends(transfer_checked(payment))

    def closes_account_of(self, token: Token) -> None:
        """The wallet's own, which must be empty."""
        own, key = associated(self.wallet, token), self.key.pubkey()
        closing = CloseAccountParams(program_id=TOKEN_PROGRAM_ID, account=own, dest=key, owner=key)
        self.sends(close_account(closing))

    def sends(self, *instructions: Instruction) -> None:
        """By the chain's JSON-RPC, past the venue; what is sent lands at once."""
        blockhash = Hash.from_string(self.venue.rpc("getLatestBlockhash")["blockhash"])
        message = Message.new_with_blockhash(list(instructions), self.key.pubkey(), blockhash)
        transaction = VersionedTransaction(message, [self.key])
        encoded = base64.b64encode(bytes(transaction)).decode()
        signature = self.venue.rpc("sendTransaction", encoded, {"encoding": "base64"})
        (status,) = self.venue.rpc("getSignatureStatuses", [signature])
        assert status["err"] is None


NOT_LANDED: Final = (
    (500, "Deposit transaction did not land. Retry with the same depositRequestId."),
    (500, "Withdrawal transaction did not land. Retry confirm with the same cancelRequestId."),
)


def landed(asks: Callable[[], Answer]) -> Answer:
    """What is answered in the end: a busy machine may be late with a transaction, and then it is asked again."""
    for _ in range(9):
        answer = asks()
        if answer.status == 200 or answer.error not in NOT_LANDED:
            return answer
    return asks()


def signed(transaction: str, *keys: Keypair) -> str:
    """The transaction with the signatures of these keys in their slots."""
    read = VersionedTransaction.from_bytes(base64.b64decode(transaction))
    signers = read.message.account_keys[: len(read.signatures)]
    signatures = list(read.signatures)
    for key in keys:
        signatures[signers.index(key.pubkey())] = key.sign_message(to_bytes_versioned(read.message))
    return base64.b64encode(bytes(VersionedTransaction.populate(read.message, signatures))).decode()


def one_part_of(venue: Venue, order: str, trader: Trader, *, at: str, then: str) -> None:
    """While the first part lands, the price goes away again: the rest stays open."""
    venue.faults(landDelayMs=600)
    venue.price(SOL, at)
    while trader.sees(order)["rawState"] != "executing":
        pass
    venue.price(SOL, then)
    venue.settles()
    venue.faults()
