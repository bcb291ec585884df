// Why an order has not filled yet, by the prices and the clock of now.
import { amount, dollars, span } from './format';
import { awayOf, signOf } from './lines';
import { decimals, now, symbol, tokens } from './store';
import type { Leg, Order, Waiting } from './types';

const LEAST_SHOWN = 0.01;
const percent = (share: number): string => (share > 0 && share < LEAST_SHOWN ? `less than ${LEAST_SHOWN}` : Math.max(0, share).toFixed(2).replace(/\.?0+$/, ''));
const dollarsOf = (mint: string | undefined): number => Number(tokens.value.get(mint ?? '')?.price ?? NaN);

const EXPIRED = 'it expired: a keeper gives back what is left, or its owner cancels it';
/** An order on the chain can fill until the end of the second of its expiry. */
const hasExpired = (order: Order): boolean => Boolean(order.expiresAt) && now() >= order.expiresAt! + 1_000;

export function why(order: Order): string | null {
  const waiting = order.waiting;
  if (!waiting) return null;
  if (waiting.for === 'price' && waiting.legs && waiting.mint) return priceWords(order, waiting);
  if (waiting.for === 'pause' && waiting.until) return `${waiting.reason ?? 'its last fill failed'}; next try in ${span(waiting.until - now())}`;
  if (waiting.for === 'round' && waiting.until) return roundWords(waiting);
  if (waiting.for === 'keeper' && waiting.asks && hasExpired(order)) return `${EXPIRED}${afterwards(order.waitsFor)}`;
  if (waiting.for === 'keeper' && waiting.asks) return rateWords(order, waiting.asks, order.waitsFor);
  if (waiting.for === 'keeper' && waiting.until) return cycleWords(order, waiting, waiting.until);
  return order.waitsFor;
}

function priceWords(order: Order, waiting: Waiting): string {
  const armed = (order.armedLegs ?? []).map((number) => order.legs?.[number]).filter((leg): leg is Leg => leg !== undefined);
  const legs = armed.length ? armed : waiting.legs!;
  const price = dollarsOf(waiting.mint);
  const at = legs.map((leg) => `${signOf(leg)} ${dollars(leg.triggerPriceUsd)}`).join(' or ');
  if (Number.isNaN(price)) return `triggers at ${at}; the price of ${symbol(waiting.mint)} is not known`;
  const nearest = Math.min(...legs.map((leg) => awayOf(signOf(leg), Number(leg.triggerPriceUsd), price)));
  const known = tokens.value.get(waiting.mint ?? '')?.price ?? null;
  return `triggers at ${at}; ${symbol(waiting.mint)} is ${nearest < LEAST_SHOWN ? known : dollars(known)}, ${percent(nearest)} % away`;
}

function roundWords(waiting: Waiting): string {
  const due = `round ${waiting.round} of ${waiting.rounds} is due in ${span(waiting.until! - now())}`;
  const bounds = [waiting.minPriceUsd && `≥ ${dollars(waiting.minPriceUsd)}`, waiting.maxPriceUsd && `≤ ${dollars(waiting.maxPriceUsd)}`].filter(Boolean);
  return bounds.length ? `${due}, at ${bounds.join(' and ')}` : due;
}

/** In whole tokens of the output, before any fee. Not finite where a price is not known. */
const worthOf = (order: Order, given: string | undefined): number => ((Number(given) / 10 ** decimals(order.inputMint)) * dollarsOf(order.inputMint)) / dollarsOf(order.outputMint);
const rounded = (worth: number): string => worth.toLocaleString('en-US', { maximumFractionDigits: worth < 1 ? 6 : 2 });

/** When the next cycle is due, and what it may give, beside what it would. */
function cycleWords(order: Order, waiting: Waiting, until: number): string {
  const due = until > now() ? `is due in ${span(until - now())}` : 'is due';
  const given = (units: string): string => `${amount(units, decimals(order.outputMint))} ${symbol(order.outputMint)}`;
  const bounds = [waiting.minOutAmount && `≥ ${given(waiting.minOutAmount)}`, waiting.maxOutAmount && `≤ ${given(waiting.maxOutAmount)}`].filter(Boolean);
  const worth = worthOf(order, Number(order.remaining) < Number(order.amountPerCycle) ? order.remaining : order.amountPerCycle);
  const asked = bounds.length ? `, for ${bounds.join(' and ')}${Number.isFinite(worth) ? `, and is worth ${rounded(worth)} now` : ''}` : '';
  return `its next cycle ${due}${asked}${afterwards(order.waitsFor)}`;
}

/** What an order on the chain asks for, and what it would get. */
function rateWords(order: Order, asks: string, otherwise: string | null): string | null {
  const worth = worthOf(order, order.remainingMakingAmount);
  const wanted = Number(asks) / 10 ** decimals(order.outputMint);
  if (!Number.isFinite(worth)) return otherwise;
  const shown = rounded(worth);
  const asked = `asks for ${amount(asks, decimals(order.outputMint))} ${symbol(order.outputMint)}`;
  return worth >= wanted ? `${asked}, and is worth ${shown}: the fee is still to be earned${afterwards(otherwise)}` : `${asked}, and is worth ${shown} now, ${percent((1 - worth / wanted) * 100)} % less${afterwards(otherwise)}`;
}

/** What the venue says beside the numbers: whether there is a keeper. */
function afterwards(words: string | null): string {
  const at = words?.lastIndexOf('; ') ?? -1;
  return at < 0 ? '' : words!.slice(at);
}
