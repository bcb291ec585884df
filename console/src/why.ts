// Why an order has not filled yet, by the prices and the clock of now.
import { dollars, span } from './format';
import { now, symbol, tokens } from './store';
import type { Leg, Order } from './types';

export const ROLE: Record<Leg['role'], string> = { trigger: 'entry', take_profit: 'take profit', stop_loss: 'stop loss' };

export function sign(leg: Leg): string {
  return leg.triggerCondition === 'above' ? '≥' : '≤';
}

/** How far the price must go, in percent of itself; less than nothing once it is beyond. */
export function away(leg: Leg, price: number): number {
  const gap = Number(leg.triggerPriceUsd) - price;
  return ((leg.triggerCondition === 'above' ? gap : -gap) / price) * 100;
}

const percent = (share: number): string => Math.max(0, share).toFixed(2).replace(/\.?0+$/, '');

export function why(order: Order): string | null {
  const waiting = order.waiting;
  if (!waiting) return null;
  if (waiting.for === 'price' && waiting.legs && waiting.mint) {
    const price = Number(tokens.value.get(waiting.mint)?.price ?? NaN);
    const armed = (order.armedLegs ?? []).map((number) => order.legs?.[number]).filter((leg): leg is Leg => leg !== undefined);
    const legs = armed.length ? armed : waiting.legs;
    const at = legs.map((leg) => `${sign(leg)} ${dollars(leg.triggerPriceUsd)}`).join(' or ');
    if (Number.isNaN(price)) return `triggers at ${at}; the price of ${symbol(waiting.mint)} is not known`;
    const nearest = Math.min(...legs.map((leg) => away(leg, price)));
    return `triggers at ${at}; ${symbol(waiting.mint)} is ${dollars(price)}, ${percent(nearest)} % away`;
  }
  if (waiting.for === 'pause' && waiting.until) {
    return `${waiting.reason ?? 'its last fill failed'}; next try in ${span(waiting.until - now())}`;
  }
  if (waiting.for === 'round' && waiting.until) {
    const due = `round ${waiting.round} of ${waiting.rounds} is due in ${span(waiting.until - now())}`;
    const bounds = [waiting.minPriceUsd && `≥ ${dollars(waiting.minPriceUsd)}`, waiting.maxPriceUsd && `≤ ${dollars(waiting.maxPriceUsd)}`].filter(Boolean);
    return bounds.length ? `${due}, at ${bounds.join(' and ')}` : due;
  }
  return order.waitsFor;
}
