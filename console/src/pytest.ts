// An order as a test of the reader's own, with the fixture `countermand`.
import { decimals, symbol } from './store';
import type { Leg, Order } from './types';

const whole = (units: string | undefined, mint: string | undefined): string => {
  const places = decimals(mint);
  const digits = (units ?? '0').padStart(places + 1, '0');
  const text = `${digits.slice(0, digits.length - places)}.${digits.slice(digits.length - places)}`.replace(/\.?0+$/, '');
  return text.includes('.') ? `"${text}"` : text;
};

export function asPytest(order: Order): string {
  const name = `test_order_${String(order.id).slice(-6).replace(/\W/g, '')}`;
  if (order.family !== 'trigger' || !order.legs || order.legs[0] === undefined) {
    return [`def ${name}(countermand):`, `    # Orders of the family ${order.family} are placed by their own API.`, `    assert countermand.order("${order.id}")["state"] == "${order.state}"`, ''].join('\n');
  }
  const sold = symbol(order.inputMint), bought = symbol(order.outputMint), watched = symbol(order.triggerMint);
  const leg = (role: Leg['role']): Leg | undefined => order.legs?.find((each) => each.role === role);
  const entry = leg('trigger'), profit = leg('take_profit'), loss = leg('stop_loss');
  const options: string[] = [];
  if (entry?.trailingBps !== undefined) options.push(`triggerCondition="${entry.triggerCondition}", trailingBps=${entry.trailingBps}`);
  else if (entry) options.push(`${entry.triggerCondition}="${entry.triggerPriceUsd}"`);
  if (order.orderType !== 'single') options.push(`orderType="${order.orderType}"`);
  if (profit && loss) options.push(`tpPriceUsd=${profit.triggerPriceUsd}, slPriceUsd=${loss.triggerPriceUsd}`);
  if (watched !== sold && watched !== bought) options.push(`trigger="${watched}"`);
  const armed = entry && entry.trailingBps === undefined ? entry : profit ?? entry;
  const funds = `${sold === 'SOL' ? 'sol=10' : `sol=1, ${sold.toLowerCase()}=${whole(order.amount, order.inputMint)}`}`;
  const lines = [
    `def ${name}(countermand):`,
    `    w = countermand.wallet(${funds})`,
    `    order = w.trigger.place("${sold}", ${whole(order.amount, order.inputMint)}, "${bought}", ${options.join(', ')})`,
  ];
  if (order.rawState === 'cancelled' || order.state === 'cancelled') {
    lines.push('    w.trigger.confirm(order, w.trigger.cancel(order))', '    assert countermand.order(order)["state"] == "cancelled"');
  } else if (armed && entry?.trailingBps === undefined) {
    lines.push(`    countermand.price("${watched}", "${armed.triggerPriceUsd}")`, '    countermand.settle()', order.orderType === 'otoco' ? '    assert countermand.order(order)["state"] == "open", "its children wait"' : '    assert countermand.order(order)["state"] == "filled"');
  } else {
    lines.push('    countermand.settle()', '    assert countermand.order(order)["state"] == "open"');
  }
  return [...lines, '    countermand.assert_promise()', ''].join('\n');
}
