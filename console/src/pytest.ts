// An order as a test of the reader's own, with the fixture `countermand`: it passes as it is copied.
import { decimals, symbol, tokens } from './store';
import type { Leg, Order } from './types';

type Lines = string[];

/** What a new sandbox has. */
const AT_FIRST = new Set(['SOL', 'USDC', 'USDT', 'JUP']);

export function asPytest(order: Order): string {
  const name = `test_order_${String(order.id).slice(-6).replace(/\W/g, '')}`;
  const body = { trigger: triggerLines, dca: dcaLines, limit: limitLines, recurring: cycleLines, book: bookLines }[order.family](order);
  const { imports, lines } = Array.isArray(body) ? { imports: [], lines: body } : body;
  return [...imports, ...(imports.length ? ['', ''] : []), `def ${name}(countermand):`, ...[...added(order), ...lines].map((each) => (each ? `    ${each}` : '')), '    countermand.assert_promise()', ''].join('\n');
}

const text = (units: string | undefined, mint: string | undefined): string => {
  const places = decimals(mint);
  const digits = (units ?? '0').padStart(places + 1, '0');
  return `${digits.slice(0, digits.length - places)}.${digits.slice(digits.length - places)}`.replace(/\.?0+$/, '');
};
const whole = (units: string | undefined, mint: string | undefined): string => {
  const found = text(units, mint);
  return found.includes('.') ? `"${found}"` : found;
};

/** A test begins with an empty sandbox: a token that was added is added there, too. */
function added(order: Order): Lines {
  const mints = new Set([order.inputMint, order.outputMint, order.triggerMint]);
  return [...mints].flatMap((mint) => {
    const token = tokens.value.get(mint ?? '');
    return token && !AT_FIRST.has(token.symbol) ? [`countermand.sandbox("POST", "/tokens", {"symbol": "${token.symbol}", "decimals": ${token.decimals}, "price": "${token.price}", "mint": "${token.mint}"})`] : [];
  });
}

/** A wallet that has what the order sells, and lamports for rent and fees. */
function funded(order: Order, units: string | undefined): string {
  const sold = symbol(order.inputMint);
  const sum = Number(text(units, order.inputMint));
  return sold === 'SOL' ? `w = countermand.wallet(sol=${Math.ceil(sum) + 1})` : `w = countermand.wallet(sol=1, ${sold.toLowerCase()}=${whole(units, order.inputMint)})`;
}

function triggerLines(order: Order): Lines {
  const sold = symbol(order.inputMint), bought = symbol(order.outputMint), watched = symbol(order.triggerMint);
  const leg = (role: Leg['role']): Leg | undefined => order.legs?.find((each) => each.role === role);
  const entry = leg('trigger'), profit = leg('take_profit'), loss = leg('stop_loss');
  const options: string[] = [];
  if (entry?.trailingBps !== undefined) options.push(`triggerCondition="${entry.triggerCondition}"`, `trailingBps=${entry.trailingBps}`);
  else if (entry) options.push(`${entry.triggerCondition}="${entry.triggerPriceUsd}"`);
  if (order.orderType !== 'single') options.push(`orderType="${order.orderType}"`);
  if (profit && loss) options.push(`tpPriceUsd=${profit.triggerPriceUsd}`, `slPriceUsd=${loss.triggerPriceUsd}`);
  if (watched !== sold && watched !== bought) options.push(`trigger="${watched}"`);
  const lines = [
    `countermand.price("${watched}", "${before(entry, profit, loss)}")`,
    funded(order, order.amount),
    `order = w.trigger.place("${sold}", ${whole(order.amount, order.inputMint)}, "${bought}", ${options.join(', ')})`,
  ];
  if (order.state === 'cancelled' || order.state === 'pending_withdraw') {
    return [...lines, 'w.trigger.confirm(order, w.trigger.cancel(order))', 'assert countermand.order(order)["state"] == "cancelled"'];
  }
  const crossing = entry?.trailingBps === undefined ? (entry ?? profit)?.triggerPriceUsd : trailed(entry, Number(before(entry)));
  return [
    ...lines, `countermand.price("${watched}", "${crossing}")`, 'countermand.settle()',
    order.orderType === 'otoco' ? 'assert countermand.order(order)["state"] == "open", "its children wait"' : 'assert countermand.order(order)["state"] == "filled"',
  ];
}

/** A price at which nothing of the order triggers yet. */
function before(entry?: Leg, profit?: Leg, loss?: Leg): string {
  if (entry?.trailingBps !== undefined) return entry.watermarkUsd ?? '150';
  if (entry) return rounded(Number(entry.triggerPriceUsd) * (entry.triggerCondition === 'above' ? 0.95 : 1.05));
  return rounded((Number(profit!.triggerPriceUsd) + Number(loss!.triggerPriceUsd)) / 2);
}

/** Beyond the trigger, which is so many basis points behind its watermark. */
const trailed = (leg: Leg, mark: number): string => rounded(mark * (1 + ((leg.triggerCondition === 'above' ? 1 : -1) * (leg.trailingBps! + 1)) / 10_000));
const rounded = (price: number): string => String(Number(price.toPrecision(8)));

function dcaLines(order: Order): Lines {
  const rounds = order.rounds ?? 2, every = order.intervalSeconds ?? 60;
  const cancels = order.state === 'cancelled' || order.state === 'pending_withdraw';
  const options = [`rounds=${rounds}`, `every_s=${every}`, ...(['min', 'max'] as const).flatMap((each) => { const bound = order[`${each}PriceUsd`]; return bound ? [`${each}PriceUsd=${bound}`] : []; })];
  return [
    funded(order, order.amount),
    `order = w.trigger.place_recurring("${symbol(order.inputMint)}", ${whole(order.amount, order.inputMint)}, "${symbol(order.outputMint)}", ${options.join(', ')})`,
    'countermand.settle()',
    ...(cancels ? [] : [`countermand.advance(seconds=${every})`, 'countermand.settle()']),
    `assert countermand.order(order)["roundsFilled"] >= ${cancels || order.minPriceUsd || order.maxPriceUsd ? 0 : 1}`,
  ];
}

/** Of an order that is cancelled, or that only its owner moves: placed, seen, and cancelled by the client. */
function byClient(imports: string, setUp: Lines, place: string, cancel: string, cancelled: string): { imports: Lines; lines: Lines } {
  return { imports: [imports], lines: [...setUp, `    order = ${place}`, '    assert countermand.order(order)["state"] in ("open", "pending", "wait", "done")', `    ${cancel}`, `assert countermand.order(order)["state"] in ${cancelled}`] };
}

function limitLines(order: Order): ReturnType<typeof byClient> {
  const place = `client.limit.place(Limit(sell="${order.inputMint}", making=${order.makingAmount}, buy="${order.outputMint}", taking=${order.takingAmount})).order`;
  return byClient('from countermand.client import Client, Limit', [funded(order, order.makingAmount), 'with Client(w.keypair, countermand.url) as client:'], place, 'client.limit.cancel(order)', '("cancelled", "completed")');
}

function cycleLines(order: Order): ReturnType<typeof byClient> {
  const cycles = Math.max(2, Math.round(Number(order.amount) / Number(order.amountPerCycle)));
  const place = `client.recurring.place(Cycles(sell="${order.inputMint}", amount=${order.amount}, buy="${order.outputMint}", cycles=${cycles}, interval_s=${order.cycleSeconds})).order`;
  return byClient('from countermand.client import Client, Cycles', [funded(order, order.amount), 'with Client(w.keypair, countermand.url) as client:'], place, 'client.recurring.cancel(order)', '("cancelled", "completed")');
}

function bookLines(order: Order): ReturnType<typeof byClient> {
  const [market, side] = [order.market ?? '', order.side ?? 'buy'];
  const price = order.price ?? order.stopPrice ?? '1';
  const quote = /usd[ct]$/.exec(market)?.[0] ?? 'usdc';
  const pays = side === 'buy' ? [quote, String(Math.ceil(Number(order.volume) * Number(price) * 1.01))] : [market.slice(0, -quote.length), order.volume];
  const options = [`"${order.volume}"`, ...(order.price ? [`"${order.price}"`] : []), ...(order.kind === 'limit' ? [] : [`kind="${order.kind}"`]), ...(order.stopPrice ? [`stop_price="${order.stopPrice}"`] : [])];
  return byClient('from countermand.client import TanxClient, TanxKeys', [
    'keys = TanxKeys.of(0xC0FFEE)',
    'with TanxClient(keys, countermand.url) as client:',
    '    client.register_stark_key()',
    `    client.sandbox.credit(keys.address, "${pays[0]}", "${pays[1]}")`,
  ], `client.place("${market}", "${side}", ${options.join(', ')}).id`, 'client.cancel(order)', '("cancel", "done")');
}
