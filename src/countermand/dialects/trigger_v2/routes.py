"""The endpoints of Trigger v2. Each judges in this order: who asks, the id in the path, the body, the order itself."""

from collections.abc import Callable
from functools import partial
from typing import Final

import base58
import falcon
from falcon.asgi import Request, Response
from solders.signature import Signature

from countermand.answering import Answer, Declined, encode
from countermand.dialects.trigger_v2 import auth, dca_routes, reading, translate
from countermand.dialects.trigger_v2.context import TriggerV2Context
from countermand.dialects.trigger_v2.envelope import RESPONDER, error
from countermand.dialects.trigger_v2.reading import BodyReader, Flaws, QueryReader
from countermand.dialects.trigger_v2.refusals import WORDS, Act, refused
from countermand.dialects.trigger_v2.vault_routes import WITHDRAWAL_NOT_BUILT, ConfirmResource, unplaced
from countermand.dialects.trigger_v2.wire import (
    AmendedAnswer,
    AmendRequest,
    CancellingAnswer,
    ChallengeRequest,
    CraftRequest,
    CreateRequest,
    HistoryAnswer,
    HistoryParams,
    MessageChallenge,
    Pagination,
    TokenAnswer,
    TransactionChallenge,
    VerifyRequest,
)
from countermand.dialects.trigger_v2.words import answer_of
from countermand.kernel.ports import CommitUnknown
from countermand.orders.trigger.model.refusals import TriggerRefusal, TriggerRefused
from countermand.orders.vaults.service import DepositUnknown, NotLanded
from countermand.values.identity import Mint, Wallet

ROOT: Final = "/trigger/v2"
_SIGNATURE_CHARS_MAX: Final = 128
_SIGNATURE_BYTES: Final = 64

_CHALLENGE: Final = BodyReader(ChallengeRequest)
_VERIFY: Final = BodyReader(VerifyRequest)
_CRAFT: Final = BodyReader(CraftRequest)
_CREATE: Final = BodyReader(CreateRequest)
_AMEND: Final = BodyReader(AmendRequest)
_HISTORY: Final = QueryReader(HistoryParams)

_INVALID_SIGNATURE: Final = error(401, "Invalid signature")
_NO_CHALLENGE: Final = error(400, "Challenge not found")
_NO_ORDER: Final = answer_of(WORDS[TriggerRefusal.ORDER_UNKNOWN])
_FOREIGN_ORDER: Final = answer_of(WORDS[TriggerRefusal.ORDER_FOREIGN])


class ChallengeResource:
    def __init__(self, context: TriggerV2Context) -> None:
        self._context = context

    @RESPONDER.answers_body
    async def on_post(self, _req: Request, body: bytes) -> Answer:
        asked = _CHALLENGE.read(body)
        wallet = _wallet("walletPubkey", asked.wallet_pubkey)
        text = self._context.challenges.issue(wallet).text(wallet)
        if asked.type == "message":
            return Answer(encode(MessageChallenge(challenge=text)))
        transaction = auth.unsigned_transaction(auth.challenge_message(wallet, text))
        return Answer(encode(TransactionChallenge(transaction=transaction)))


class VerifyResource:
    def __init__(self, context: TriggerV2Context) -> None:
        self._context = context

    @RESPONDER.answers_body
    async def on_post(self, _req: Request, body: bytes) -> Answer:
        asked = _VERIFY.read(body)
        wallet = _wallet("walletPubkey", asked.wallet_pubkey)
        proof = _message_proof(asked) if asked.type == "message" else _transaction_proof(asked)
        challenges = self._context.challenges
        live = challenges.live(wallet)
        for challenge in (*live, *challenges.of_minutes(wallet)):
            if proof(wallet, challenge.text(wallet)):
                challenges.use_up(wallet, challenge)
                return Answer(encode(TokenAnswer(token=self._context.sessions.issue(wallet))))
        return _INVALID_SIGNATURE if live else _NO_CHALLENGE


Proof = Callable[[Wallet, str], bool]
"""Whether the wallet signed this challenge."""


def _message_proof(asked: VerifyRequest) -> Proof:
    given = asked.signature
    if not isinstance(given, str):
        raise Declined(reading.missing("signature"))
    if len(given) > _SIGNATURE_CHARS_MAX:
        raise Declined(error(400, "Invalid signature format"))
    try:
        raw = base58.b58decode(given)
    except ValueError:
        raise Declined(error(400, "Expected a base58-encoded signature")) from None
    if len(raw) != _SIGNATURE_BYTES:
        words = f"Expected base58-encoded signature to decode to a byte array of length 64. Actual length: {len(raw)}."
        raise Declined(error(400, words))
    signature = Signature(raw)
    return lambda wallet, text: signature.verify(auth.public_key(wallet), text.encode())


def _transaction_proof(asked: VerifyRequest) -> Proof:
    if not isinstance(asked.signed_transaction, str):
        raise Declined(reading.missing("signedTransaction"))
    signed = auth.read_signed_challenge(asked.signed_transaction)
    if signed is None:
        raise Declined(error(400, "Invalid transaction format"))
    return signed.proves


def _wallet(field: str, given: str) -> Wallet:
    flaws = Flaws()
    wallet = Wallet(flaws.public_key(field, given))
    flaws.refuse()
    return wallet


class VaultResource:
    def __init__(self, context: TriggerV2Context) -> None:
        self._context = context

    @RESPONDER.answers
    async def on_get(self, req: Request) -> Answer:
        wallet = self._context.wallet(req)
        if await self._context.registry.registered_at(wallet) is None:
            return error(404, "Vault not found")
        return Answer(encode(self._context.vault_answer(wallet)))


class RegisterResource:
    def __init__(self, context: TriggerV2Context) -> None:
        self._context = context

    @RESPONDER.answers
    async def on_get(self, req: Request) -> Answer:
        """A GET that creates: so it is documented."""
        wallet = self._context.wallet(req)
        vault = self._context.vault_answer(wallet)
        try:
            registered = await self._context.registry.register(wallet)
        except CommitUnknown:
            return RESPONDER.outcome_unknown
        if registered:
            return Answer(encode(vault))
        return error(409, "Vault already registered", reading.fields_of(vault))


class CraftResource:
    def __init__(self, context: TriggerV2Context) -> None:
        self._context = context

    @RESPONDER.answers_body
    async def on_post(self, req: Request, body: bytes) -> Answer:
        context = self._context
        wallet = context.wallet(req)
        asked = _CRAFT.read(body)
        family, amount = translate.check_craft(asked)
        context.check_user("userAddress", asked.user_address, wallet)
        if await context.registry.registered_at(wallet) is None:
            return error(403, "Vault not found")
        input_mint, output_mint = Mint(asked.input_mint), Mint(asked.output_mint)
        sold, _ = translate.check_pair(input_mint, output_mint, context.tokens.get)
        translate.check_worth(amount, sold, context.price_of(input_mint))
        deposit = (
            await context.dca.build_deposit(wallet, input_mint, output_mint, amount)
            if family is None
            else await context.orders.build_deposit(wallet, family, input_mint, output_mint, amount)
        )
        transaction = context.vaults.unsigned_transaction(deposit.craft)
        return Answer(encode(translate.from_craft(deposit, transaction, context.vaults.vault_of(wallet), sold)))


class OrdersResource:
    def __init__(self, context: TriggerV2Context) -> None:
        self._context = context

    @RESPONDER.answers_body
    async def on_post(self, req: Request, body: bytes) -> Answer:
        context = self._context
        wallet = context.wallet(req)
        if context.no_creates is not None:
            return error(503, context.no_creates)
        asked = _CREATE.read(body)
        request = translate.into_request(asked)
        context.check_user("userPubkey", asked.user_pubkey, wallet)
        translate.check_pair(request.input_mint, request.output_mint, context.tokens.get)
        translate.check_trigger(request.trigger_mint, context.tokens.get)
        known = reading.is_uuid(asked.deposit_request_id)
        placed = await context.orders.place(request) if known else DepositUnknown()
        if isinstance(placed, TriggerRefused):
            return refused(placed, Act.CREATE)
        if isinstance(placed, NotLanded | DepositUnknown):
            return await unplaced(context, wallet, placed)
        return Answer(encode(translate.from_placed(placed)))


class OrderResource:
    def __init__(self, context: TriggerV2Context) -> None:
        self._context = context

    @RESPONDER.answers_body
    async def on_patch(self, req: Request, body: bytes, order_id: str) -> Answer:
        wallet = self._context.wallet(req)
        order = reading.order_id(order_id)
        amendment = translate.into_amendment(_AMEND.read(body), self._context.now())
        amended = await self._context.orders.amend(order, wallet, amendment)
        if isinstance(amended, TriggerRefused):
            return refused(amended, Act.UPDATE)
        return Answer(encode(AmendedAnswer(id=order)))

    async def on_post(self, _req: Request, _resp: Response, **_params: str) -> None:
        """Nothing is created here, nor with a slash at the end of the path."""
        raise falcon.HTTPRouteNotFound


class CancelResource:
    def __init__(self, context: TriggerV2Context) -> None:
        self._context = context

    @RESPONDER.answers
    async def on_post(self, req: Request, order_id: str) -> Answer:
        """The body is ignored, whatever it is: stopping the fills comes first."""
        wallet = self._context.wallet(req)
        order = reading.order_id(order_id)
        cancelling = await self._context.orders.cancel(order, wallet)
        if isinstance(cancelling, TriggerRefused):
            return refused(cancelling, Act.CANCEL)
        if cancelling.transaction is None:
            return WITHDRAWAL_NOT_BUILT
        answer = CancellingAnswer(id=order, transaction=cancelling.transaction, request_id=cancelling.request_id)
        return Answer(encode(answer))


class HistoryResource:
    def __init__(self, context: TriggerV2Context) -> None:
        self._context = context

    @RESPONDER.answers
    async def on_get(self, req: Request) -> Answer:
        wallet = self._context.wallet(req)
        query = translate.into_query(_HISTORY.read(req.params), wallet)
        page = await self._context.orders.history(query)
        vault = self._context.vaults.vault_of(wallet)
        orders = tuple(translate.from_view(view, vault) for view in page.orders)
        pagination = Pagination(total=page.total, limit=query.limit, offset=query.offset)
        return Answer(encode(HistoryAnswer(orders=orders, pagination=pagination)))


class HistoryOrderResource:
    def __init__(self, context: TriggerV2Context) -> None:
        self._context = context

    @RESPONDER.answers
    async def on_get(self, req: Request, order_id: str) -> Answer:
        wallet = self._context.wallet(req)
        view = await self._context.orders.order(reading.order_id(order_id))
        if view is None:
            return _NO_ORDER
        if view.order.terms.wallet != wallet:
            return _FOREIGN_ORDER
        return Answer(encode(translate.from_view(view, self._context.vaults.vault_of(wallet))))


def resources(context: TriggerV2Context) -> list[tuple[str, object]]:
    """What to mount, by path."""
    return [
        (f"{ROOT}/auth/challenge", ChallengeResource(context)),
        (f"{ROOT}/auth/verify", VerifyResource(context)),
        (f"{ROOT}/vault", VaultResource(context)),
        (f"{ROOT}/vault/register", RegisterResource(context)),
        (f"{ROOT}/deposit/craft", CraftResource(context)),
        (f"{ROOT}/orders/price", OrdersResource(context)),
        (f"{ROOT}/orders/price/{{order_id}}", OrderResource(context)),
        (f"{ROOT}/orders/price/cancel/{{order_id}}", CancelResource(context)),
        (
            f"{ROOT}/orders/price/confirm-cancel/{{order_id}}",
            ConfirmResource(context, context.orders, partial(refused, act=Act.CANCEL)),
        ),
        (f"{ROOT}/orders/history", HistoryResource(context)),
        (f"{ROOT}/orders/history/{{order_id}}", HistoryOrderResource(context)),
        *dca_routes.resources(context, ROOT),
    ]
