"""Between the wire of Swap v1 and swaps. Pure."""

import base64
from collections.abc import Callable
from typing import Final

from countermand.answering import Declined
from countermand.dialects.swap_v1 import wire
from countermand.dialects.swap_v1.envelope import Code, error
from countermand.dialects.swap_v1.reading import body_key, body_units, query_key, query_units
from countermand.orders.swap.model.quote import QuoteTerms, SwapQuote
from countermand.orders.swap.model.swap import BuildTerms, BuiltSwap, PlainInstruction, PriceFor, SwapTerms
from countermand.values.identity import Address, Mint
from countermand.values.quantities import U64_MAX, USD_SCALE, Bps, UsdPrice, decimal_text
from countermand.values.tokens import Token, Tokens

LABEL: Final = "Countermand"
"""The name of the sandbox's pool among exchanges."""
_EXACT_IN: Final = "ExactIn"
_EXACT_OUT: Final = "ExactOut"
_BPS_SCALE: Final = 4
_MICRO: Final = 1_000_000
_SEPARATOR: Final = ","

Prices = Callable[[Mint], UsdPrice | None]
Pair = tuple[Token, Token]


def into_quote(asked: wire.QuoteParams, tokens: Tokens, price_of: Prices) -> QuoteTerms:
    """Raises `Declined`."""
    mints = query_key("inputMint", asked.input_mint), query_key("outputMint", asked.output_mint)
    source, destination = _pair(*mints, tokens, price_of)
    if not _goes_through_the_pool(asked):
        raise Declined(error(400, "No routes found", Code.NO_ROUTES_FOUND))
    return QuoteTerms(
        source=source,
        destination=destination,
        amount=query_units("amount", asked.amount),
        slippage=Bps(asked.slippage_bps),
        integrator_fee=Bps(asked.platform_fee_bps or 0),
        exact_out=asked.swap_mode == _EXACT_OUT,
    )


def _pair(source: Address, destination: Address, tokens: Tokens, price_of: Prices) -> Pair:
    if source == destination:
        words = "Input and output mints are not allowed to be equal"
        raise Declined(error(400, words, Code.CIRCULAR_ARBITRAGE_IS_DISABLED))
    return _tradable(source, tokens, price_of), _tradable(destination, tokens, price_of)


def _tradable(mint: Address, tokens: Tokens, price_of: Prices) -> Token:
    token = tokens.get(Mint(mint))
    if token is None or price_of(token.mint) is None:
        raise Declined(error(400, f"The token {mint} is not tradable", Code.TOKEN_NOT_TRADABLE))
    return token


def _goes_through_the_pool(asked: wire.QuoteParams) -> bool:
    only, never = _labels(asked.dexes), _labels(asked.exclude_dexes)
    return (not only or LABEL in only) and LABEL not in never


def _labels(joined: str | None) -> list[str]:
    return [label for label in (joined or "").split(_SEPARATOR) if label]


def from_quote(quote: SwapQuote, price: UsdPrice, slot: int | None) -> wire.QuoteAnswer:
    """`price`: of the output."""
    terms = quote.terms
    info = wire.SwapInfo(
        amm_key=quote.pool,
        label=LABEL,
        input_mint=terms.source.mint,
        output_mint=terms.destination.mint,
        in_amount=str(quote.pool_takes),
        out_amount=str(quote.pool_gives),
        fee_amount=str(quote.pool_fee),
        fee_mint=terms.destination.mint,
    )
    fee = wire.PlatformFeeAnswer(amount=str(quote.integrator_fee), fee_bps=terms.integrator_fee.bps)
    return wire.QuoteAnswer(
        input_mint=terms.source.mint,
        in_amount=str(quote.given),
        output_mint=terms.destination.mint,
        out_amount=str(quote.taken),
        other_amount_threshold=str(quote.threshold),
        swap_mode=_EXACT_OUT if terms.exact_out else _EXACT_IN,
        slippage_bps=terms.slippage.bps,
        platform_fee=fee if terms.integrator_fee.bps else None,
        price_impact_pct=decimal_text(quote.impact.bps, _BPS_SCALE),
        route_plan=(wire.RouteStep(swap_info=info),),
        context_slot=slot,
        swap_usd_value=decimal_text(quote.taken * price.picodollars, USD_SCALE + terms.destination.decimals),
    )


def into_swap(asked: wire.SwapRequest, tokens: Tokens, price_of: Prices) -> SwapTerms:
    """Raises `Declined`."""
    _check_supported(asked)
    quoted = asked.quote_response
    mints = (
        body_key("quoteResponse.inputMint", quoted.input_mint),
        body_key("quoteResponse.outputMint", quoted.output_mint),
    )
    source, destination = _pair(*mints, tokens, price_of)
    amounts = (
        body_units("quoteResponse.inAmount", quoted.in_amount),
        body_units("quoteResponse.outAmount", quoted.out_amount),
    )
    exact_out = quoted.swap_mode == _EXACT_OUT
    fee = Bps(0 if quoted.platform_fee is None else quoted.platform_fee.fee_bps)
    if fee.bps and asked.fee_account is None:
        raise Declined(error(400, "feeAccount: required, since the quote has a platform fee"))
    user = body_key("userPublicKey", asked.user_public_key)
    return SwapTerms(
        user=user,
        payer=_optional_key("payer", asked.payer) or user,
        source=source,
        destination=destination,
        amount=amounts[1] if exact_out else amounts[0],
        quoted=amounts[0] if exact_out else amounts[1],
        slippage=Bps(quoted.slippage_bps),
        integrator_fee=fee,
        exact_out=exact_out,
        fee_account=_optional_key("feeAccount", asked.fee_account),
        destination_account=_optional_key("destinationTokenAccount", asked.destination_token_account),
        unwraps=asked.wrap_and_unwrap_sol is not False,
        tracking=_optional_key("trackingAccount", asked.tracking_account),
    )


def _optional_key(field: str, given: str | None) -> Address | None:
    return None if given is None else body_key(field, given)


def _check_supported(asked: wire.SwapRequest) -> None:
    fee, price = asked.prioritization_fee_lamports, asked.compute_unit_price_micro_lamports
    if fee is not None and price is not None:
        words = "Both compute unit price and prioritization fee were specified"
        raise Declined(error(400, words, Code.INVALID_COMPUTE_UNIT_PRICE_AND_PRIORITIZATION_FEE))
    for name, given in (
        ("nativeDestinationAccount", asked.native_destination_account is not None),
        ("useTokenLedger", asked.use_token_ledger is True),
        ("jitoTipLamports", isinstance(fee, wire.Prioritization) and _tips(fee)),
    ):
        if given:
            raise Declined(error(400, f"{name} is not supported in this sandbox", Code.NOT_SUPPORTED))


def _tips(fee: wire.Prioritization) -> bool:
    return fee.jito_tip_lamports is not None or fee.jito_tip_lamports_with_payer is not None


def into_build(asked: wire.SwapRequest, auto: int) -> BuildTerms:
    """`auto`: micro-lamports for a compute unit, unless another price is asked for."""
    return BuildTerms(
        price_for=_price_for(asked, auto),
        simulates=asked.dynamic_compute_unit_limit is True,
        legacy=asked.as_legacy_transaction is True,
    )


def _price_for(asked: wire.SwapRequest, auto: int) -> PriceFor:
    fee, price = asked.prioritization_fee_lamports, asked.compute_unit_price_micro_lamports
    if isinstance(price, int):
        return lambda _: price
    if isinstance(fee, int):
        return lambda units: _of(fee, units)
    if isinstance(fee, wire.Prioritization) and fee.priority_level_with_max_lamports is not None:
        most = fee.priority_level_with_max_lamports.max_lamports
        return lambda units: min(auto, _of(most, units))
    return lambda _: auto


def _of(lamports: int, units: int) -> int:
    """The price of a unit at which so many cost no more than this. It has 64 bits."""
    return min(lamports * _MICRO // units, U64_MAX)


def from_swap(asked: wire.SwapRequest, terms: SwapTerms, built: BuiltSwap) -> wire.SwapAnswer:
    return wire.SwapAnswer(
        swap_transaction=built.transaction,
        last_valid_block_height=built.last_valid_height,
        prioritization_fee_lamports=built.fee_lamports,
        compute_unit_limit=built.units,
        prioritization_type=_prioritization(built),
        simulation_slot=built.simulated_at,
        dynamic_slippage_report=_slippage_report(asked, terms),
        simulation_error=_simulation_error(built),
    )


def from_instructions(asked: wire.SwapRequest, terms: SwapTerms, built: BuiltSwap) -> wire.InstructionsAnswer:
    return wire.InstructionsAnswer(
        compute_budget_instructions=tuple(_instruction(each) for each in built.budget),
        setup_instructions=tuple(_instruction(each) for each in built.setup),
        swap_instruction=_instruction(built.swap),
        cleanup_instruction=None if built.cleanup is None else _instruction(built.cleanup),
        prioritization_fee_lamports=built.fee_lamports,
        compute_unit_limit=built.units,
        prioritization_type=_prioritization(built),
        simulation_slot=built.simulated_at,
        dynamic_slippage_report=_slippage_report(asked, terms),
        simulation_error=_simulation_error(built),
    )


def _prioritization(built: BuiltSwap) -> wire.PrioritizationType:
    price = built.unit_price
    return wire.PrioritizationType(
        compute_budget=wire.ComputeBudgetAnswer(micro_lamports=price, estimated_micro_lamports=price)
    )


def _slippage_report(asked: wire.SwapRequest, terms: SwapTerms) -> wire.SlippageReport | None:
    """The slippage of the quote stays: no other one is estimated here."""
    if not asked.dynamic_slippage:
        return None
    return wire.SlippageReport(slippage_bps=terms.slippage.bps, other_amount=terms.threshold)


def _simulation_error(built: BuiltSwap) -> wire.SimulationError | None:
    if built.simulation_error is None:
        return None
    return wire.SimulationError(error_code="TRANSACTION_ERROR", error=built.simulation_error)


def _instruction(made: PlainInstruction) -> wire.InstructionAnswer:
    return wire.InstructionAnswer(
        program_id=made.program,
        accounts=tuple(
            wire.AccountMetaAnswer(pubkey=each.address, is_signer=each.signs, is_writable=each.writes)
            for each in made.accounts
        ),
        data=base64.b64encode(made.data).decode(),
    )
