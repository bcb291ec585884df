// An order as a test of the reader's own, with the fixture `countermand`: it passes as it is copied.
import { decimals, symbol, tokens } from './store';
import type { Leg, Order, Token } from './types';

type Lines = string[];
interface Body { imports?: Lines; lines: Lines }

const SOL = 'So11111111111111111111111111111111111111112';
/** What a new sandbox has, at which price. By mint: a token that was added may have the symbol of one of them. */
const AT_FIRST = new Map([
  [SOL, '150'], ['EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v', '1'],
  ['Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB', '1'], ['JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN', '0.5'],
]);
/** Worth in dollars that each API asks of an order, and a little more: prices may be rounded. */
const LEAST = { trigger: 10.2, limit: 5.1, recurring: 102 };
const LIVES_S = 7 * 24 * 3_600;
const NOT_NAMES = new Set('guard keypair and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield none true false'.split(' '));

/** A closed order on the chain that the venue's index does not know, and that the page did not see while it was open, has none. */
export const hasTerms = (order: Order): boolean => order.family === 'book' || (order.amount ?? order.makingAmount) !== undefined;

export function asPytest(order: Order): string {
  const name = `test_order_${String(order.id).slice(-6).replace(/\W/g, '')}`;
  const { imports = [], lines } = { trigger: triggerBody, dca: dcaBody, limit: limitBody, recurring: cycleBody, book: bookBody }[order.family](order);
  return [...imports, ...(imports.length ? ['', ''] : []), `def ${name}(countermand):`, ...[...added(order), ...lines].map((each) => (each ? `    ${each}` : '')), '    countermand.assert_promise()', ''].join('\n');
}

// --- tokens and amounts

const text = (units: string | undefined, mint: string | undefined): string => {
  const places = decimals(mint);
  const digits = (units ?? '0').padStart(places + 1, '0');
  const part = digits.slice(digits.length - places).slice(0, places).replace(/0+$/, '');
  return digits.slice(0, digits.length - places) + (part && `.${part}`);
};
const whole = (units: string | undefined, mint: string | undefined): string => {
  const found = text(units, mint);
  return found.includes('.') ? `"${found}"` : found;
};
const sum = (units: string | undefined, mint: string | undefined): number => Number(text(units, mint));
const all = (): Token[] => [...tokens.value.values()];
const isOwn = (name: string): boolean => all().filter((each) => each.symbol.toLowerCase() === name.toLowerCase()).length === 1;
/** As Python reads it: its symbol, unless two tokens have it. */
const named = (mint: string | null | undefined): string => JSON.stringify(isOwn(symbol(mint)) ? symbol(mint) : mint ?? '');
const priceNow = (mint: string | null | undefined): number => Number(tokens.value.get(mint ?? '')?.price ?? 0);
const rounded = (price: number): string => Number(price.toPrecision(8)).toLocaleString('en-US', { useGrouping: false, maximumFractionDigits: 12 });

/** A test begins with an empty sandbox: a token that was added is added there, too. */
function added(order: Order): Lines {
  const mints = new Set([order.inputMint, order.outputMint, order.triggerMint]);
  return [...mints].flatMap((mint) => {
    const token = tokens.value.get(mint ?? '');
    return token && !AT_FIRST.has(token.mint) ? [`countermand.sandbox("POST", "/tokens", {"symbol": ${JSON.stringify(token.symbol)}, "decimals": ${token.decimals}, "price": "${token.price ?? '1'}", "mint": "${token.mint}"})`] : [];
  });
}

/** Sets what is not so in a new sandbox, of these tokens. `wanted`: other prices than those of now. */
function priced(order: Order, wanted: Record<string, string> = {}): Lines {
  const mints = [...new Set([order.triggerMint, order.inputMint, order.outputMint])].filter((mint): mint is string => tokens.value.has(mint ?? ''));
  const prices = mints.map((mint) => ({ mint, price: wanted[mint] ?? tokens.value.get(mint)!.price ?? '1' }));
  const other = prices.filter(({ mint, price }) => price !== (AT_FIRST.get(mint) ?? tokens.value.get(mint)!.price));
  if (other.length === 0) return [];
  if (other.length === 1) return [`countermand.price(${named(other[0]!.mint)}, "${other[0]!.price}")`];
  return [`countermand.prices({${other.map(({ mint, price }) => `${named(mint)}: "${price}"`).join(', ')}})`];
}

/** At least what makes the order worth so many dollars, by the price of what it sells. */
function worth(order: Order, units: string | undefined, least: number): number {
  return Math.max(priceNow(order.inputMint), least / sum(units, order.inputMint));
}

/** Where another token is called sol in any case, the keyword says nothing. */
const withLamports = (sol: number): Lines => (isOwn('SOL') ? [`w = countermand.wallet(sol=${sol})`] : ['w = countermand.wallet()', `countermand.airdrop(w.address, "SOL", ${sol})`]);

/** A wallet that has what the order sells, and lamports for rent and fees. */
function funded(order: Order, units: string | undefined): Lines {
  if (order.inputMint === SOL) return withLamports(Math.ceil(sum(units, SOL)) + 1);
  const sold = symbol(order.inputMint), keyword = sold.toLowerCase();
  if (/^[a-z_][a-z0-9_]*$/.test(keyword) && !NOT_NAMES.has(keyword) && isOwn(sold) && isOwn('SOL')) return [`w = countermand.wallet(sol=1, ${keyword}=${whole(units, order.inputMint)})`];
  return [...withLamports(1), `countermand.airdrop(w.address, ${named(order.inputMint)}, ${whole(units, order.inputMint)})`];
}

// --- orders by price

function triggerBody(order: Order): Body {
  const watched = order.triggerMint ?? '';
  const leg = (role: Leg['role']): Leg | undefined => order.legs?.find((each) => each.role === role);
  const entry = leg('trigger'), profit = leg('take_profit'), loss = leg('stop_loss');
  const options: string[] = [];
  if (entry?.trailingBps !== undefined) options.push(`trigger_condition="${entry.triggerCondition}"`, `trailing_bps=${entry.trailingBps}`);
  else if (entry) options.push(`${entry.triggerCondition}="${entry.triggerPriceUsd}"`);
  if (order.orderType !== 'single') options.push(`order_type="${order.orderType}"`);
  if (profit && loss) options.push(`tp_price_usd="${profit.triggerPriceUsd}"`, `sl_price_usd="${loss.triggerPriceUsd}"`);
  const usual = ['USDC', 'USDT'].includes(symbol(order.inputMint)) ? order.outputMint : order.inputMint;
  if (watched !== usual) options.push(`trigger=${named(watched)}`);
  const sells = order.inputMint === watched;
  const least = worth(order, order.amount, LEAST.trigger);
  const at = before(sells ? LEAST.trigger / sum(order.amount, order.inputMint) : 0, entry, profit, loss);
  const lines = [
    ...priced(order, { ...(order.inputMint && !sells && least > priceNow(order.inputMint) && { [order.inputMint]: rounded(least) }), [watched]: at }),
    ...funded(order, order.amount),
    `order = w.trigger.place(${named(order.inputMint)}, ${whole(order.amount, order.inputMint)}, ${named(order.outputMint)}, ${options.join(', ')})`,
  ];
  const ends = (state: string): string => `assert countermand.order(order)["state"] == "${state}"`;
  const crosses = (price: string | undefined): Lines => [`countermand.price(${named(watched)}, "${price}")`, 'countermand.settle()'];
  if (order.state === 'cancelled' || order.state === 'pending_withdraw') return { lines: [...lines, 'w.trigger.confirm(order, w.trigger.cancel(order))', ends('cancelled')] };
  if (order.state === 'expired') return { lines: [...lines, `countermand.advance(seconds=${LIVES_S + 1})`, 'countermand.settle()', ends('expired')] };
  const first = entry ? (entry.trailingBps === undefined ? entry.triggerPriceUsd : trailed(entry, Number(at))) : undefined;
  const pair = fired(order, profit, loss)?.triggerPriceUsd;
  if (order.orderType !== 'otoco') return { lines: [...lines, ...crosses(first ?? pair), ends('filled')] };
  if ([profit, loss].some((each) => each && isBeyond(each, Number(first)))) return { lines: [...lines, ...crosses(first), 'assert countermand.order(order)["state"] in ("open", "filled"), "a child is tried at once"'] };
  const childWaits = [...lines, ...crosses(first), `${ends('open')}, "its children wait"`];
  return { lines: order.state === 'filled' ? [...childWaits, ...crosses(pair), ends('filled')] : childWaits };
}

const isBeyond = (leg: Leg, price: number): boolean => (leg.triggerCondition === 'above' ? price >= Number(leg.triggerPriceUsd) : price <= Number(leg.triggerPriceUsd));

/** Which of the two it was. */
function fired(order: Order, profit?: Leg, loss?: Leg): Leg | undefined {
  const reasons = (order.timeline ?? []).filter((each) => each.event === 'order_triggered').map((each) => each.reason ?? '');
  const last = reasons[reasons.length - 1]?.includes('≤') ? 'below' : 'above';
  return [profit, loss].find((leg) => leg?.triggerCondition === last) ?? profit;
}

/** A price at which nothing of the order triggers yet, and at least `least`. */
function before(least: number, entry?: Leg, profit?: Leg, loss?: Leg): string {
  if (entry?.trailingBps !== undefined) return entry.watermarkUsd ?? '150';
  if (entry?.triggerCondition === 'below') return rounded(Math.max(Number(entry.triggerPriceUsd) * 1.05, least));
  const below = Number(entry?.triggerPriceUsd ?? profit!.triggerPriceUsd);
  const wanted = Math.max(entry ? below * 0.95 : (below + Number(loss!.triggerPriceUsd)) / 2, least);
  return rounded(Math.min(wanted, below * 0.9999));
}

/** Beyond the trigger, which is so many basis points behind its watermark. */
const trailed = (leg: Leg, mark: number): string => rounded(mark * (1 + ((leg.triggerCondition === 'above' ? 1 : -1) * (leg.trailingBps! + 1)) / 10_000));

// --- recurring orders in a vault

function dcaBody(order: Order): Body {
  const rounds = order.rounds ?? 2, every = order.intervalSeconds ?? 60;
  const cancels = order.state === 'cancelled' || order.state === 'pending_withdraw';
  const bounds = (['min', 'max'] as const).flatMap((each) => { const bound = order[`${each}PriceUsd`]; return bound ? [`${each}_price_usd="${bound}"`] : []; });
  const options = [`rounds=${rounds}`, `every_s=${every}`, ...(bounds.length ? ['order_type="price_conditional"', `trigger_mint="${order.triggerMint}"`] : []), ...bounds];
  const least = worth(order, order.amount, LEAST.trigger * rounds);
  return {
    lines: [
      ...priced(order, order.inputMint && least > priceNow(order.inputMint) ? { [order.inputMint]: rounded(least) } : {}),
      ...funded(order, order.amount),
      `order = w.trigger.place_recurring(${named(order.inputMint)}, ${whole(order.amount, order.inputMint)}, ${named(order.outputMint)}, ${options.join(', ')})`,
      'countermand.settle()',
      ...(cancels ? [] : [`countermand.advance(seconds=${every})`, 'countermand.settle()']),
      `assert countermand.order(order)["roundsFilled"] >= ${cancels || order.minPriceUsd || order.maxPriceUsd || !order.roundsFilled ? 0 : 1}`,
    ],
  };
}

// --- what only its owner moves: placed, seen, and cancelled by the client

function byClient(imports: string, setUp: Lines, place: Lines, cancel: string, cancelled: string): Body {
  return { imports: [imports], lines: [...setUp, ...place.map((each) => `    ${each}`), `    ${cancel}`, `assert countermand.order(order)["state"] in ${cancelled}`] };
}

/** At a price at which it rests, and is worth enough. */
function limitBody(order: Order): Body {
  const fair = (sum(order.takingAmount, order.outputMint) / sum(order.makingAmount, order.inputMint)) * priceNow(order.outputMint);
  const least = LEAST.limit / sum(order.makingAmount, order.inputMint);
  const at = Math.max(Math.min(priceNow(order.inputMint), fair * 0.95), least);
  const place = `order = client.limit.place(Limit(sell="${order.inputMint}", making=${order.makingAmount}, buy="${order.outputMint}", taking=${order.takingAmount})).order`;
  const price = at === priceNow(order.inputMint) ? {} : { [order.inputMint ?? '']: rounded(at) };
  const setUp = [...priced(order, price), ...funded(order, order.makingAmount), 'with Client(w.keypair, countermand.url) as client:'];
  const fills = [`    ${place}`, `countermand.price(${named(order.inputMint)}, "${rounded(Math.max(fair * 1.02, at))}")`, 'countermand.settle()', 'assert countermand.order(order)["state"] == "completed"'];
  const cannotRest = at > fair; // It rests where no keeper fills.
  if (order.state === 'completed' || cannotRest) return { imports: ['from countermand.client import Client, Limit'], lines: [...setUp, ...fills] };
  return byClient('from countermand.client import Client, Limit', setUp, [place, 'assert countermand.order(order)["state"] in ("open", "completed")'], 'client.limit.cancel(order)', '("cancelled", "completed")');
}

function cycleBody(order: Order): Body {
  const cycles = Math.max(2, Math.round(Number(order.amount) / Number(order.amountPerCycle)));
  const least = Math.max(worth(order, order.amount, LEAST.recurring), worth(order, order.amountPerCycle, LEAST.recurring / 2));
  const place = `order = client.recurring.place(Cycles(sell="${order.inputMint}", amount=${order.amount}, buy="${order.outputMint}", cycles=${cycles}, interval_s=${order.cycleSeconds})).order`;
  const price = order.inputMint && least > priceNow(order.inputMint) ? { [order.inputMint]: rounded(least) } : {};
  const setUp = [...priced(order, price), ...funded(order, order.amount), 'with Client(w.keypair, countermand.url) as client:'];
  return byClient('from countermand.client import Client, Cycles', setUp, [place, 'assert countermand.order(order)["state"] in ("open", "completed")'], 'client.recurring.cancel(order)', '("cancelled", "completed")');
}

// --- orders of a book

function bookBody(order: Order): Body {
  const [market, side] = [order.market ?? '', order.side ?? 'buy'];
  const price = order.price ?? order.stopPrice ?? '1';
  const quote = /usd[ct]$/.exec(market)?.[0] ?? 'usdc';
  const pays = (buys: boolean): string => (buys ? `"${quote}", "${Math.ceil(Number(order.volume) * Number(price) * 1.01)}"` : `"${market.slice(0, -quote.length)}", "${order.volume}"`);
  const options = [`"${order.volume}"`, ...(order.price ? [`"${order.price}"`] : []), ...(order.kind === 'limit' ? [] : [`kind="${order.kind}"`]), ...(order.stopPrice ? [`stop_price="${order.stopPrice}"`] : [])];
  const member = (name: string, key: string, buys: boolean): Lines => [
    `${name} = TanxKeys.of(${key})`, `with TanxClient(${name}, countermand.url) as client:`, '    client.register_stark_key()', `    client.sandbox.credit(${name}.address, ${pays(buys)})`,
  ];
  const place = [`order = client.place("${market}", "${side}", ${options.join(', ')}).id`];
  if (order.kind !== 'market') {
    return byClient('from countermand.client import TanxClient, TanxKeys', member('keys', '0xC0FFEE', side === 'buy'), [...place, 'assert countermand.order(order)["state"] in ("pending", "wait", "done")'], 'client.cancel(order)', '("cancel", "done")');
  }
  // It takes what another member offers.
  const offers = [...member('other', '0xFACADE', side !== 'buy'), `    client.place("${market}", "${side === 'buy' ? 'sell' : 'buy'}", "${order.volume}", "${price}")`];
  return { imports: ['from countermand.client import TanxClient, TanxKeys'], lines: [...offers, ...member('keys', '0xC0FFEE', side === 'buy'), ...place.map((each) => `    ${each}`), 'countermand.settle()', 'assert countermand.order(order)["state"] == "done"'] };
}
