// The prices at which orders rest, whatever their family: what the chart draws of them, and what may be done to them there.
import { isVenue } from './api';
import { dollars } from './format';
import { isResting, subject, tokens } from './store';
import type { Leg, Order } from './types';

type Tone = 'trigger' | 'take_profit' | 'stop_loss' | 'trailing' | 'chain' | 'band' | 'ask' | 'bid';

/** `shown`: its price as it was set, if it was. `leg`: of a trigger order, which alone has legs that can be amended. */
export interface Line {
  key: string; order: Order; tone: Tone; name: string; says: string; sign: '≥' | '≤'; price: number; shown: string | number; armed: boolean; leg?: Leg;
}

export const ROLE: Record<Leg['role'], string> = { trigger: 'entry', take_profit: 'take profit', stop_loss: 'stop loss' };

export const signOf = (leg: Leg): '≥' | '≤' => (leg.triggerCondition === 'above' ? '≥' : '≤');

/** An operator moves what is in a vault; what is on the chain moves by its owner's signature alone. */
export const canAmend = (order: Order): boolean => !isVenue && order.family === 'trigger' && order.state === 'open';
export const canCancel = (order: Order): boolean => !isVenue && isResting(order) && order.family !== 'limit' && order.family !== 'recurring';

export function linesOf(order: Order): Line[] {
  if (!isResting(order)) return [];
  switch (order.family) {
    case 'trigger': return triggerLines(order);
    case 'dca': return bandLines(order, order.triggerMint, order.minPriceUsd, order.maxPriceUsd);
    case 'limit': return limitLines(order);
    case 'recurring': return cycleLines(order);
    case 'book': return bookLines(order);
  }
}

function triggerLines(order: Order): Line[] {
  if (order.triggerMint !== subject.value || !order.legs) return [];
  const armed = order.armedLegs ?? [];
  return order.legs.flatMap((leg, number) => {
    if (order.orderType === 'otoco' && leg.role === 'trigger' && !armed.includes(number)) return []; // It is done.
    const trails = leg.trailingBps !== undefined;
    const single = order.inputMint === order.triggerMint ? 'sell' : 'buy';
    const name = trails ? `trail ${(leg.trailingBps! / 100).toFixed(1)} %` : { trigger: order.orderType === 'otoco' ? 'entry' : single, take_profit: 'TP', stop_loss: 'SL' }[leg.role];
    return [{
      key: `${order.id}:${number}`, order, leg, tone: trails ? 'trailing' as const : leg.role, name, says: trails ? 'Trailing stop' : ROLE[leg.role],
      sign: signOf(leg), price: Number(leg.triggerPriceUsd), shown: leg.triggerPriceUsd, armed: order.armedLegs?.includes(number) ?? true,
    }];
  });
}

const dollarsOf = (mint: string | undefined): number => Number(tokens.value.get(mint ?? '')?.price ?? NaN);
const whole = (units: string | undefined, mint: string | undefined): number => Number(units ?? NaN) / 10 ** (tokens.value.get(mint ?? '')?.decimals ?? 0);

/** At which price of the token of the chart an exchange of so much for so much is a fair one, by the other token's price of now. */
function fairPrice(order: Order, given: string | undefined, wanted: string | undefined): number | null {
  const [input, output] = [whole(given, order.inputMint), whole(wanted, order.outputMint)];
  const found = order.inputMint === subject.value ? (output / input) * dollarsOf(order.outputMint) : order.outputMint === subject.value ? (input / output) * dollarsOf(order.inputMint) : NaN;
  return Number.isFinite(found) && found > 0 ? found : null;
}

/** A rate, which the price of the other token moves, too. */
function limitLines(order: Order): Line[] {
  const price = fairPrice(order, order.remainingMakingAmount, order.remainingTakingAmount);
  if (price === null) return [];
  const sells = order.inputMint === subject.value;
  return [{ key: `${order.id}:0`, order, tone: 'chain', name: sells ? 'limit sell' : 'limit buy', says: 'Limit order on the chain', sign: sells ? '≥' : '≤', price, shown: price, armed: true }];
}

function cycleLines(order: Order): Line[] {
  const at = (out: string | null | undefined): string | null => {
    const price = out ? fairPrice(order, order.amountPerCycle, out) : null;
    return price === null ? null : String(price);
  };
  const [one, other] = [at(order.minOutAmount), at(order.maxOutAmount)];
  return order.inputMint === subject.value ? bandLines(order, subject.value, one, other) : bandLines(order, subject.value, other, one);
}

function bandLines(order: Order, mint: string | null | undefined, least: string | null | undefined, most: string | null | undefined): Line[] {
  if (mint !== subject.value) return [];
  const bounds = [['≥', 'from', least], ['≤', 'up to', most]] as const;
  return bounds.flatMap(([sign, name, bound], number) => (bound ? [{
    key: `${order.id}:${number}`, order, tone: 'band' as const, name: `rounds ${name}`, says: `Rounds ${name} ${dollars(bound)}`, sign, price: Number(bound), shown: bound, armed: true,
  }] : []));
}

function bookLines(order: Order): Line[] {
  if (order.market !== subject.value) return [];
  const buys = order.side === 'buy';
  const left = String(Number((Number(order.volume) - Number(order.executed)).toFixed(8)));
  const found: Line[] = [];
  if (order.stopPrice && order.state !== 'wait') found.push({ key: `${order.id}:1`, order, tone: 'stop_loss', name: 'stop', says: `Stop of a ${order.side} order`, sign: buys ? '≥' : '≤', price: Number(order.stopPrice), shown: order.stopPrice, armed: true });
  if (order.price) found.push({ key: `${order.id}:0`, order, tone: buys ? 'bid' : 'ask', name: `${buys ? 'bid' : 'ask'} ${left}`, says: `${buys ? 'Bid' : 'Ask'} for ${left}`, sign: buys ? '≤' : '≥', price: Number(order.price), shown: order.price, armed: found.length === 0 });
  return found;
}

/** How far the price must go, in percent of itself; less than nothing once it is beyond. */
export function awayOf(sign: '≥' | '≤', at: number, price: number): number {
  return ((sign === '≥' ? at - price : price - at) / price) * 100;
}

/** Why nothing but a look at it is offered; or only a cancel. */
export function whyFixed(order: Order): string {
  if (isVenue) return 'This console shows, and changes nothing';
  if (order.family === 'limit' || order.family === 'recurring') return 'On the chain: only its owner’s signature amends or cancels it';
  return order.family === 'trigger' ? 'It cannot be amended in this state' : 'It cannot be amended: cancel it, and place another';
}
