"""The endpoints of Swap v1: a quote, and the transaction or the instructions that swap at it. There is no sign-in."""

from collections.abc import Callable
from typing import Final, Protocol

from falcon.asgi import Request
from msgspec import Struct

from countermand.answering import Answer, encode
from countermand.dialects.swap_v1 import translate
from countermand.dialects.swap_v1.envelope import RESPONDER
from countermand.dialects.swap_v1.reading import read_body, read_query
from countermand.dialects.swap_v1.refusals import refused
from countermand.dialects.swap_v1.translate import LABEL
from countermand.orders.swap.model.quote import QuoteTerms, SwapQuote
from countermand.orders.swap.model.refusals import QuoteRefusal
from countermand.orders.swap.model.swap import BuildTerms, BuiltSwap, SwapTerms
from countermand.values.identity import Address, Mint
from countermand.values.quantities import UsdPrice
from countermand.values.tokens import Tokens

ROOT: Final = "/swap/v1"


class Swaps(Protocol):
    """Quotes, and transactions of swaps."""

    @property
    def program(self) -> Address: ...

    def quote(self, terms: QuoteTerms) -> SwapQuote | QuoteRefusal: ...

    async def build(self, terms: SwapTerms, how: BuildTerms) -> BuiltSwap:
        """Raises `Unavailable`."""


class SwapV1Context(Struct, frozen=True):
    """What the endpoints work on. `auto_price` is in micro-lamports for a compute unit."""

    swaps: Swaps
    tokens: Tokens
    price_of: Callable[[Mint], UsdPrice | None]
    slot: Callable[[], int | None]
    auto_price: int


class QuoteResource:
    def __init__(self, context: SwapV1Context) -> None:
        self._context = context

    @RESPONDER.answers
    async def on_get(self, req: Request) -> Answer:
        context = self._context
        terms = translate.into_quote(read_query(req.params), context.tokens, context.price_of)
        quote = context.swaps.quote(terms)
        if isinstance(quote, QuoteRefusal):
            return refused(quote)
        price = context.price_of(terms.destination.mint)
        assert price is not None, "what is tradable has a price"
        return Answer(encode(translate.from_quote(quote, price, context.slot())))


class SwapResource:
    """`instructions`: they are answered one by one, for clients that make a transaction of their own."""

    def __init__(self, context: SwapV1Context, *, instructions: bool) -> None:
        self._context = context
        self._instructions = instructions

    @RESPONDER.answers_body
    async def on_post(self, _req: Request, body: bytes) -> Answer:
        context, asked = self._context, read_body(body)
        terms = translate.into_swap(asked, context.tokens, context.price_of)
        built = await context.swaps.build(terms, translate.into_build(asked, context.auto_price))
        answer = translate.from_instructions if self._instructions else translate.from_swap
        return Answer(encode(answer(asked, terms, built)))


class LabelsResource:
    def __init__(self, context: SwapV1Context) -> None:
        self._context = context

    @RESPONDER.answers
    async def on_get(self, _req: Request) -> Answer:
        return Answer(encode({self._context.swaps.program: LABEL}))


def resources(context: SwapV1Context) -> list[tuple[str, object]]:
    """What to mount, by path."""
    return [
        (f"{ROOT}/quote", QuoteResource(context)),
        (f"{ROOT}/swap", SwapResource(context, instructions=False)),
        (f"{ROOT}/swap-instructions", SwapResource(context, instructions=True)),
        (f"{ROOT}/program-id-to-label", LabelsResource(context)),
    ]
