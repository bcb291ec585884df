"""Quotes, and transactions of swaps for users to sign."""

from collections.abc import Callable, Sequence
from typing import Final

from solders.hash import Hash
from solders.instruction import Instruction

from countermand.orders.swap.instructions import instructions_of
from countermand.orders.swap.model.quote import QuoteTerms, SwapQuote
from countermand.orders.swap.model.refusals import QuoteRefusal
from countermand.orders.swap.model.swap import AccountUse, BuildTerms, BuiltSwap, PlainInstruction, SwapTerms
from countermand.orders.swap.ports import Pool
from countermand.services.transactions.blockhashes import RecentBlockhash
from countermand.services.transactions.builder import simulated, units_to_offer, unsigned_text
from countermand.services.transactions.chain_errors import asks_the_chain
from countermand.solana.clockwork import SLOT_MS
from countermand.solana.error_sentences import describe
from countermand.solana.port import UNITS_MAX, Blockhash, Chain, Simulation
from countermand.solana.programs.compile import Budget, KeyOrder, compile_message, compile_v0
from countermand.solana.programs.swap import AUTHORITY, PROGRAM
from countermand.values.identity import Address
from countermand.values.quantities import BaseUnits
from countermand.values.transactions import SwapRefused

_MICRO: Final = 1_000_000


class SwapService:
    """`program` is what a swap goes through."""

    program: Final = Address(PROGRAM)

    def __init__(
        self, pool: Pool, chain: Chain, blockhashes: RecentBlockhash, newest_slot: Callable[[], int | None]
    ) -> None:
        self._pool = pool
        self._chain = chain
        self._blockhashes = blockhashes
        self._newest_slot = newest_slot
        self._given: tuple[Hash, dict[bytes, int]] = (Hash.default(), {})
        """The newest blockhash that a message was made with, and how often each was."""

    def quote(self, terms: QuoteTerms) -> SwapQuote | QuoteRefusal:
        amount, tokens = BaseUnits(terms.amount), (terms.source, terms.destination)
        offer = self._pool.offer_for(amount, *tokens) if terms.exact_out else self._pool.offer(amount, *tokens)
        if isinstance(offer, SwapRefused):
            return QuoteRefusal.NO_ROUTE
        if not terms.exact_out and offer.takes != amount:
            return QuoteRefusal.TAKES_LESS
        takes, gives = offer.takes.units, offer.receives.units
        quote = SwapQuote(
            terms=terms,
            pool=Address(AUTHORITY),
            pool_takes=takes,
            pool_gives=gives,
            pool_fee=offer.before_fee - gives,
            impact=self._pool.impact_of(terms.source),
        )
        return quote if quote.given and quote.taken else QuoteRefusal.NO_ROUTE

    @asks_the_chain
    async def build(self, terms: SwapTerms, how: BuildTerms) -> BuiltSwap:
        """Raises `Unavailable`."""
        await self._pool.prepare(terms.source, terms.destination, BaseUnits(terms.output))
        parts = instructions_of(terms, must_fail=self._pool.takes_failure())

        def composed(units: int, blockhash: Blockhash) -> bytes:
            return _compiled([*_budget(units, how).instructions(), *parts.all()], terms.payer, blockhash, how.legacy)

        simulation, slot = None, None
        if how.simulates:
            most = UNITS_MAX + 1  # It counts as the most. No user is given this one, so it has not landed.
            _, simulation = await simulated(self._chain, self._blockhashes, lambda each: composed(most, str(each)))
            slot = self._newest_slot()
        recent = await self._blockhashes.get(SLOT_MS)
        message, units = self._unlike_others(recent.blockhash, composed, _units_of(simulation))
        budget = _budget(units, how)
        return BuiltSwap(
            transaction=unsigned_text(message),
            last_valid_height=recent.last_valid_height,
            budget=tuple(_plain(each) for each in budget.instructions()),
            setup=tuple(_plain(each) for each in parts.setup),
            swap=_plain(parts.swap),
            cleanup=None if parts.cleanup is None else _plain(parts.cleanup),
            units=budget.units,
            unit_price=budget.price,
            # Rounded up, as the chain rounds it.
            fee_lamports=-(-budget.units * budget.price // _MICRO),
            simulated_at=slot,
            simulation_error=None if simulation is None or simulation.error is None else describe(simulation.error),
        )

    def _unlike_others(
        self, blockhash: Hash, composed: Callable[[int, Blockhash], bytes], units: int
    ) -> tuple[bytes, int]:
        """The message, and its limit of units: one less for each that is the same but for that.

        Two swaps alike within a slot would be one transaction. Clients of a venue this near ask for them.
        """
        if self._given[0] != blockhash:
            self._given = blockhash, {}
        message = composed(units, str(blockhash))
        times = self._given[1].get(message, 0)
        self._given[1][message] = times + 1
        return (composed(units - times, str(blockhash)) if times else message), units - times


def _budget(units: int, how: BuildTerms) -> Budget:
    return Budget(units, how.price_for(units))


def _units_of(simulation: Simulation | None) -> int:
    """As many as there can be, where it is not known how many it takes."""
    if simulation is None or simulation.error is not None:
        return UNITS_MAX
    return units_to_offer(simulation.units_consumed)


def _compiled(instructions: Sequence[Instruction], payer: Address, blockhash: Blockhash, legacy: bool) -> bytes:
    if legacy:
        return compile_message(instructions, payer, blockhash, KeyOrder.RUST)
    return compile_v0(instructions, payer, blockhash)


def _plain(made: Instruction) -> PlainInstruction:
    accounts = (AccountUse(Address(str(meta.pubkey)), meta.is_signer, meta.is_writable) for meta in made.accounts)
    return PlainInstruction(Address(str(made.program_id)), tuple(accounts), bytes(made.data))
