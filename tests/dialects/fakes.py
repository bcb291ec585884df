"""A venue in memory for the dialects: the real domain decides, and the chain does what the test says."""

import base64
import json
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, cast

import falcon.testing
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature as ChainSignature

from countermand.dialects.price_v2 import routes as price_v2_routes
from countermand.dialects.price_v3 import routes as price_v3_routes
from countermand.dialects.tokens_v2 import routes as tokens_routes
from countermand.dialects.trigger_v2.auth import Challenges, WalletSessions
from countermand.dialects.trigger_v2.context import TriggerV2Context
from countermand.dialects.trigger_v2.routes import resources
from countermand.kernel.ids import Ids
from countermand.orders.trigger.model.commands import (
    AbandonFill,
    Amendment,
    AmendOrder,
    Command,
    ConfirmCancel,
    ExpireOrder,
    MoveWatermarks,
    PlaceOrder,
    RequestCancel,
    ResolveAttempt,
    StartFill,
    TriggerOrders,
    UnsignedDeposit,
)
from countermand.orders.trigger.model.lifecycle import ACTIVE
from countermand.orders.trigger.model.live_orders import LiveOrders
from countermand.orders.trigger.model.order import Family, OrderGroup, State
from countermand.orders.trigger.model.refusals import TriggerRefusal, TriggerRefused
from countermand.orders.trigger.records import HistoryEntry, history_of, trigger_record
from countermand.orders.trigger.service import OrderRequest, TriggerService, TriggerView
from countermand.orders.vaults.ports import HistoryQuery
from countermand.orders.vaults.registry import VaultRegistry
from countermand.orders.vaults.service import (
    Cancelling,
    ConfirmAnswer,
    DepositUnknown,
    HistoryPage,
    NotLanded,
    OrderView,
    PlaceAnswer,
    Placed,
    Withdrawn,
)
from countermand.orders.vaults.shard import Decided
from countermand.services.token_incarnation import TokenIncarnation
from countermand.values.bucket import bucket_of
from countermand.values.identity import Address, Mint, OrderId, RequestId, Signature, Wallet
from countermand.values.instant import Instant, Moment
from countermand.values.quantities import NOTHING, BaseUnits, UsdPrice
from countermand.values.transactions import (
    Submission,
    SubmissionFault,
    SwapAmounts,
    TransactionOutcome,
    UnsignedTransaction,
)
from tests.dialects.mounted import Mounted

SOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
USDT = "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB"
UNKNOWN_MINT = "JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN"
START_MS = 1_788_655_966_838
DAY_MS = 86_400_000
SECRET = bytes(range(64))
PROGRAM = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")


class MemoryIncarnations:
    """Stores the incarnation. `failing` is raised instead of an answer; what was asked for has happened."""

    def __init__(self) -> None:
        self.stored = 1
        self.failing: Exception | None = None

    async def token_incarnation(self) -> int:
        if self.failing is not None:
            raise self.failing
        return self.stored

    async def raise_token_incarnation(self) -> int:
        self.stored += 1
        return await self.token_incarnation()


def first_incarnation() -> TokenIncarnation:
    return TokenIncarnation(MemoryIncarnations(), 1)


class FakeClock:
    """Both clocks stand still until a test moves them."""

    def __init__(self) -> None:
        self.venue = START_MS
        self.wall = START_MS

    def now(self) -> Instant:
        return Instant(self.venue)

    def wall_ms(self) -> int:
        return self.wall

    def elapsed_ms(self) -> int:
        return self.wall_ms()

    async def sleep(self, ms: int) -> None:
        raise AssertionError("nothing sleeps here")


TOKEN_PROGRAM = Address("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")


@dataclass(frozen=True, slots=True)
class FakeToken:
    mint: Mint
    symbol: str
    decimals: int
    stable: bool = False
    program: Address = TOKEN_PROGRAM


TOKENS = MappingProxyType(
    {
        SOL: FakeToken(Mint(SOL), "SOL", 9),
        USDC: FakeToken(Mint(USDC), "USDC", 6, stable=True),
        USDT: FakeToken(Mint(USDT), "USDT", 6, stable=True),
    }
)


def _newest_slot() -> int:
    return 348_004_023


class FakeVaults:
    def vault_of(self, wallet: Wallet) -> Address:
        return Address(str(Pubkey.find_program_address([bytes(Pubkey.from_string(wallet))], PROGRAM)[0]))

    def unsigned_transaction(self, craft: UnsignedTransaction) -> str:
        return base64.b64encode(b"\x01" + bytes(64) + craft.message).decode()


def craft_of(wallet: Wallet, what: str, moves: BaseUnits) -> UnsignedTransaction:
    """A message that the wallet alone signs, unlike any other."""
    payer = Pubkey.from_string(wallet)
    instruction = Instruction(PROGRAM, what.encode(), [])
    return UnsignedTransaction(
        bytes(Message.new_with_blockhash([instruction], payer, Hash.default())), 150, moves, closes=True
    )


def read_submission(transaction: str, wallet: Wallet) -> Submission:
    try:
        raw = base64.b64decode(transaction, validate=True)
    except ValueError:
        return Submission(b"", None, SubmissionFault.NOT_A_TRANSACTION)
    if raw[:1] != b"\x01" or len(raw) < 66:
        return Submission(b"", None, SubmissionFault.NOT_A_TRANSACTION)
    signature, message = ChainSignature(raw[1:65]), raw[65:]
    if message.endswith(b"trailing"):
        return Submission(b"", None, SubmissionFault.NOT_CANONICAL)
    if signature == ChainSignature.default():
        return Submission(message, None, SubmissionFault.UNSIGNED)
    if not signature.verify(Pubkey.from_string(wallet), message):
        return Submission(message, None, SubmissionFault.WRONG_SIGNATURE)
    return Submission(message, Signature(str(signature)), None)


class FakeOrders(TriggerService):
    """Decides by the real domain, at once and in memory. Everything raises `failing`; without `lands` nothing lands."""

    def __init__(self, clock: FakeClock) -> None:
        self.desk = LiveOrders()
        self.shown: dict[OrderId, list[HistoryEntry]] = {}
        self.newest: dict[Mint, UsdPrice] = {}
        self.vaults: dict[Wallet, Instant] = {}
        self.deposits: dict[RequestId, UnsignedDeposit] = {}
        self.failing: BaseException | None = None
        self.lands = True
        self.rejection: str | None = None
        self.builds = True
        self.flaw: str | None = None
        self.height = 100
        self.crafted = 0
        self.fake_clock = clock
        self.fake_ids = Ids(7)

    def decide(self, command: Command) -> tuple[OrderGroup, bool] | TriggerRefused:
        self._fail()
        now = self.fake_clock.now()
        assert not isinstance(command, TriggerOrders | MoveWatermarks)
        mint = self.desk.trigger_mint(command)
        happened = self.desk.decide(command, Moment(now, None if mint is None else self.newest.get(mint)))
        if isinstance(happened, TriggerRefused):
            return happened
        for order_id, event in happened:
            group = self.desk.apply(order_id, event, now)
            shown = self.shown.setdefault(order_id, [])
            shown[:0] = history_of(trigger_record(group, event, command, now))
        return self.desk.groups[command.order_id], bool(happened)

    def observe(self, mint: str, dollars: int) -> None:
        now, price = self.fake_clock.now(), UsdPrice(dollars * 10**12)
        self.newest[Mint(mint)] = price
        crossed, _ = self.desk.take_crossed(Mint(mint), price, at_once=True)
        happened = self.desk.decide(TriggerOrders(Mint(mint), price, True, tuple(crossed)), Moment(now))
        assert not isinstance(happened, TriggerRefused)
        for order_id, event in happened:
            self.desk.apply(order_id, event, now)
        self.desk.watch_again(crossed)

    def resolve(self, order_id: OrderId) -> OrderGroup:
        group = self.desk.groups[order_id]
        attempt = group.progress.attempt
        if attempt is None or not self.lands:
            return group
        fate = TransactionOutcome.REJECTED if self.rejection else TransactionOutcome.LANDED
        signature = attempt.user_signature or Signature(str(ChainSignature(attempt.number.to_bytes(64))))
        swap = SwapAmounts(attempt.craft.moves, attempt.craft.minimum, NOTHING)
        decided = self.decide(ResolveAttempt(order_id, attempt.number, fate, signature, self.rejection, swap=swap))
        assert not isinstance(decided, TriggerRefused)
        return decided[0]

    def fill(self, order_id: OrderId, *, receives: int, lands: bool = True, part: int | None = None) -> None:
        """All that remains of the order, or a part of it."""
        group = self.desk.groups[order_id]
        moves = group.remaining if part is None else BaseUnits(part)
        craft = UnsignedTransaction(b"fill", 150, moves, minimum=BaseUnits(receives), closes=part is None)
        self.decide(StartFill(order_id, craft, group.version))
        if lands:
            self.resolve(order_id)

    def fail_fill(self, order_id: OrderId) -> None:
        group = self.desk.groups[order_id]
        self.decide(AbandonFill(order_id, "no quote", group.version))

    async def build_deposit(
        self, wallet: Wallet, family: Family, input_mint: Mint, output_mint: Mint, amount: BaseUnits
    ) -> UnsignedDeposit:
        self._fail()
        request_id = self.fake_ids.request_id()
        order_id = self.fake_ids.order_id(self.fake_clock.now(), bucket_of(wallet))
        account = Address(str(Pubkey.find_program_address([request_id.replace("-", "").encode()], PROGRAM)[0]))
        craft = craft_of(wallet, f"deposit {request_id}", amount)
        deposit = UnsignedDeposit(request_id, order_id, wallet, family, input_mint, output_mint, account, craft)
        self.deposits[request_id] = deposit
        return deposit

    async def place(self, request: OrderRequest) -> PlaceAnswer[OrderGroup, TriggerRefused]:
        self._fail()
        deposit = self.deposits.get(request.deposit_request_id)
        if deposit is None:
            return DepositUnknown()
        submission = read_submission(request.transaction, request.wallet)
        command = PlaceOrder(
            order_id=deposit.order_id,
            wallet=request.wallet,
            deposit=deposit,
            family=request.family,
            input_mint=request.input_mint,
            output_mint=request.output_mint,
            trigger_mint=request.trigger_mint,
            amount=request.amount,
            legs=request.legs,
            expires_at=request.expires_at,
            submission=submission,
            flaw=self.flaw,
        )
        decided = self.decide(command)
        if isinstance(decided, TriggerRefused):
            return decided
        group = self.resolve(deposit.order_id)
        if group.state is State.DEPOSITING:
            return NotLanded()
        if group.state is State.DEPOSIT_FAILED:
            return TriggerRefused(TriggerRefusal.DEPOSIT_FAILED_BEFORE)
        assert submission.user_signature is not None
        return Placed(group, submission.user_signature, repeated=not decided[1])

    async def amend(
        self, order_id: OrderId, wallet: Wallet, amendment: Amendment, *, by_operator: bool = False
    ) -> Decided[OrderGroup] | TriggerRefused:
        decided = self.decide(AmendOrder(order_id, wallet, amendment))
        return decided if isinstance(decided, TriggerRefused) else Decided(*decided)

    async def cancel(
        self, order_id: OrderId, wallet: Wallet, *, by_operator: bool = False
    ) -> Cancelling[OrderGroup] | TriggerRefused:
        group = self.desk.groups.get(order_id)
        craft = None
        if group is not None and self.builds:
            self.crafted += 1
            craft = craft_of(wallet, f"withdrawal {self.crafted}", group.remaining)
        version = 0 if group is None else group.version
        decided = self.decide(RequestCancel(order_id, wallet, self.fake_ids.request_id(), craft, version))
        if isinstance(decided, TriggerRefused):
            return decided
        withdrawal = decided[0].progress.withdrawal
        assert withdrawal is not None
        transaction = None if withdrawal.craft is None else FakeVaults().unsigned_transaction(withdrawal.craft)
        return Cancelling(decided[0], withdrawal.request_id, transaction)

    async def confirm_cancel(
        self, order_id: OrderId, wallet: Wallet, request_id: RequestId, transaction: str
    ) -> ConfirmAnswer[TriggerRefused]:
        submission = read_submission(transaction, wallet)
        command = ConfirmCancel(order_id, wallet, request_id, submission, self.height)
        decided = self.decide(command)
        if isinstance(decided, TriggerRefused):
            return decided
        group = self.resolve(order_id)
        if group.state is State.CANCELLED:
            withdrawal = group.progress.withdrawal
            assert withdrawal is not None
            assert withdrawal.signature is not None
            return Withdrawn(order_id, withdrawal.signature)
        if group.progress.attempt is not None:
            return NotLanded()
        again = self.decide(command)
        assert isinstance(again, TriggerRefused)
        return again

    async def history(self, query: HistoryQuery) -> HistoryPage[OrderGroup, HistoryEntry]:
        self._fail()
        matching = [
            group
            for group in self.desk.groups.values()
            if group.terms.wallet == query.wallet
            and query.active in (None, group.state in ACTIVE)
            and query.mint in (None, group.terms.input_mint, group.terms.output_mint)
        ]
        matching.sort(key=lambda group: int(getattr(group, query.sort.value)), reverse=query.descending)
        page = matching[query.offset : query.offset + query.limit]
        return HistoryPage(len(matching), [OrderView(group, self.shown.get(group.id, [])) for group in page])

    async def order(self, order_id: OrderId) -> TriggerView | None:
        self._fail()
        group = self.desk.groups.get(order_id)
        return None if group is None else OrderView(group, self.shown.get(order_id, []))

    def _fail(self) -> None:
        if self.failing is not None:
            raise self.failing


@dataclass
class User:
    """A wallet with its token."""

    venue: "FakeVenue"
    keys: Keypair
    token: str = ""

    @property
    def wallet(self) -> Wallet:
        return Wallet(str(self.keys.pubkey()))

    @property
    def vault(self) -> str:
        return FakeVaults().vault_of(self.wallet)

    def ask(self, method: str, path: str, body: object = None, **options: Any) -> falcon.testing.Result:
        return self.venue.ask(method, path, body, token=self.token, **options)

    def sign(self, transaction: str) -> str:
        message = base64.b64decode(transaction)[65:]
        return base64.b64encode(b"\x01" + bytes(self.keys.sign_message(message)) + message).decode()

    def crafts(self, **changes: object) -> dict[str, Any]:
        answer = self.ask("POST", "/trigger/v2/deposit/craft", self.craft_body(**changes))
        assert answer.status_code == 200, answer.text
        crafted: dict[str, Any] = answer.json
        return crafted

    def craft_body(self, **changes: object) -> dict[str, Any]:
        body: dict[str, Any] = {
            "inputMint": SOL,
            "outputMint": USDC,
            "userAddress": self.wallet,
            "amount": "1000000000",
            "orderType": "price",
            "orderSubType": "single",
        }
        return without_none(body | changes)

    def order_body(self, crafted: dict[str, Any], **changes: object) -> dict[str, Any]:
        body: dict[str, Any] = {
            "orderType": "single",
            "depositRequestId": crafted["requestId"],
            "depositSignedTx": self.sign(crafted["transaction"]),
            "userPubkey": self.wallet,
            "inputMint": SOL,
            "inputAmount": crafted["amount"],
            "outputMint": USDC,
            "triggerMint": SOL,
            "triggerCondition": "above",
            "triggerPriceUsd": 200.5,
            "slippageBps": 100,
            "expiresAt": START_MS + DAY_MS,
        }
        return without_none(body | changes)

    def places(self, **changes: object) -> OrderId:
        answer = self.ask("POST", "/trigger/v2/orders/price", self.order_body(self.crafts(), **changes))
        if self.venue.orders.lands and not self.venue.orders.rejection:
            assert answer.status_code == 200, answer.text
        return list(self.venue.orders.desk.groups)[-1]

    def has_order_in(self, state: State) -> OrderId:
        """An order that came there by its own life."""
        orders = self.venue.orders
        orders.lands = state is not State.DEPOSITING
        orders.rejection = "InsufficientFunds" if state is State.DEPOSIT_FAILED else None
        order = self.places()
        orders.lands, orders.rejection = True, None
        if state in (State.TRIGGERED, State.EXECUTING, State.PARTLY_FILLED, State.FILLED):
            orders.observe(SOL, 250)
        if state in (State.EXECUTING, State.FILLED):
            orders.fill(order, receives=250_000_000, lands=state is State.FILLED)
        if state is State.PARTLY_FILLED:
            orders.fill(order, receives=100_000_000, part=400_000_000)
        if state is State.EXPIRED:
            self.venue.expires(order)
        if state is State.WITHDRAWING:
            self.cancels(order)
        if state is State.CANCELLED:
            self.withdraws(order)
        assert orders.desk.groups[order].state is state
        return order

    def cancels(self, order: OrderId) -> dict[str, Any]:
        answer = self.ask("POST", f"/trigger/v2/orders/price/cancel/{order}")
        assert answer.status_code == 200, answer.text
        cancelling: dict[str, Any] = answer.json
        return cancelling

    def confirm_body(self, cancelling: dict[str, Any]) -> dict[str, Any]:
        return {
            "signedTransaction": self.sign(cancelling["transaction"]),
            "cancelRequestId": cancelling["requestId"],
        }

    def confirms(self, order: OrderId, body: dict[str, Any]) -> falcon.testing.Result:
        return self.ask("POST", f"/trigger/v2/orders/price/confirm-cancel/{order}", body)

    def withdraws(self, order: OrderId) -> falcon.testing.Result:
        answer = self.confirms(order, self.confirm_body(self.cancels(order)))
        assert answer.status_code == 200, answer.text
        return answer

    def sees(self, order: OrderId) -> dict[str, Any]:
        answer = self.ask("GET", f"/trigger/v2/orders/history/{order}")
        assert answer.status_code == 200, answer.text
        seen: dict[str, Any] = answer.json
        return seen


class FakeRegistry(VaultRegistry):
    """It keeps what it knows beside the fake orders, and fails as they do."""

    def __init__(self, orders: FakeOrders) -> None:
        self._orders = orders

    async def registered_at(self, wallet: Wallet) -> Instant | None:
        self._orders._fail()
        return self._orders.vaults.get(wallet)

    async def register(self, wallet: Wallet) -> bool:
        self._orders._fail()
        new = wallet not in self._orders.vaults
        self._orders.vaults.setdefault(wallet, self._orders.fake_clock.now())
        return new


@dataclass
class FakeVenue:
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.orders = FakeOrders(self.clock)
        self.incarnations = MemoryIncarnations()
        self.incarnation = TokenIncarnation(self.incarnations, 1)
        self.sessions = WalletSessions(SECRET, self.clock, self.incarnation)
        self.challenges = Challenges(SECRET, self.clock, self.incarnation)
        self.prices = {Mint(SOL): UsdPrice(150 * 10**12), Mint(USDC): UsdPrice(10**12), Mint(USDT): UsdPrice(10**12)}
        venue = TriggerV2Context(
            orders=self.orders,
            registry=FakeRegistry(self.orders),
            dca=cast(Any, None),
            vaults=FakeVaults(),
            vault_id_of=lambda _: "x7qm2p9rk4vt8wz1nb3jc5yd6",
            tokens=TOKENS,
            price_of=self.prices.get,
            sessions=self.sessions,
            challenges=self.challenges,
            now=self.clock.now,
        )
        prices = price_v3_routes.resources(TOKENS, self.prices.get, _newest_slot, START_MS, 1_000_000_000)
        prices += price_v2_routes.resources(TOKENS, self.prices.get, lambda: self.clock.wall_ms() // 1000)
        tokens = tokens_routes.TokensV2Context(
            tokens=lambda: tuple(TOKENS.values()),
            price_of=self.prices.get,
            slot=_newest_slot,
            now_ms=self.clock.wall_ms,
            since_ms=START_MS,
            liquidity_usd=1_000_000_000,
        )
        self._api = Mounted([*resources(venue), *prices, *tokens_routes.resources(tokens)])

    def ask(
        self, method: str, path: str, body: object = None, *, token: str | None = None, raw: bytes | None = None
    ) -> falcon.testing.Result:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        if raw is None and body is not None:
            raw = json.dumps(body).encode()
        return self._api.ask(method, path, headers=headers, body=raw)

    def stranger(self) -> User:
        return User(self, Keypair())

    def user(self) -> User:
        """With a token and a vault."""
        user = User(self, Keypair())
        user.token = self.sessions.issue(user.wallet)
        self.orders.vaults[user.wallet] = self.clock.now()
        return user

    def expires(self, order: OrderId) -> None:
        self.clock.venue = self.orders.desk.groups[order].expires_at
        self.orders.decide(ExpireOrder(order))


def without_none(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}
