// What the console knows, kept true by the venue's event stream.
import { batch, computed, signal } from '@preact/signals';
import { ask, isVenue, Refused, shownAt, told, type Told } from './api';
import { asking, forgetAnswers, inOrder, isForgotten } from './asking';
import { turnAway } from './gate';
import { key } from './key';
import type { Book, Order, OrderEvent, RequestDetail, RequestSummary, Sandbox, Token } from './types';

const ORDERS_MAX = 2_000;
const BOOK_ORDERS = { resting: 300, newest: 100 };
const REQUESTS_MAX = 1_000;
const REQUESTS_AT_FIRST = 200; // Each with its bodies, so that all of them would hold the venue up.
const POINTS_MAX = 6_000;
const ONE_BY_ONE_MAX = 12;
const BOOKS_EVERY_MS = 1_000;
const HAPPENED_MAX = 300;
const MARKS_MAX = 500;
const RETRY_MS = 1_000;
const LOOK_MS = 15_000;
const ANSWER_MS_MAX = 10_000;
export const SOL = 'So11111111111111111111111111111111111111112';

export interface Point { at: number; price: number }
export interface Mark { id: string; at: number; subject: string; text: string; rises: boolean }
type Connection = 'connecting' | 'live' | 'lost';

export const connection = signal<Connection>('connecting');
export const sandbox = signal<Sandbox | null>(null);
export const orders = signal<ReadonlyMap<string, Order>>(new Map());
/** Whether the venue has more of them than it shows at once. */
export const moreOrders = signal(false);
export const moreOfBooks = signal(false);
export const requests = signal<readonly RequestSummary[]>([]);
/** Whether the venue may remember more of them than the page does. */
export const olderRequests = signal(false);
/** The request that is shown whole. */
export const opened = signal<RequestDetail | null>(null);
export const books = signal<readonly Book[]>([]);
/** Accounts whose quotes come and go each second. */
export const makers = signal<ReadonlySet<string>>(new Set());
export const points = signal<readonly Point[]>([]);
export const marks = signal<readonly Mark[]>([]);
/** What the chart is of: a token by its mint, or a market of the books. */
export const subject = signal(SOL);
export const selected = signal<string | null>(null);
export const side = signal<'order' | 'requests'>('order');
export const detail = signal<Order | null>(null);
/** Events of the log, the newest first. */
export const happened = signal<readonly OrderEvent[]>([]);
export const drawer = signal<string | null>(null);
export const tick = signal(0);
export const toasts = signal<readonly { id: number; text: string; bad: boolean }[]>([]);
export const loaded = signal(false);
/** Why the venue does not show itself to this page, in its words. */
export const refusal = signal<string | null>(null);

export const tokens = computed(() => new Map((sandbox.value?.tokens ?? []).map((each) => [each.mint, each])));
export const token = computed<Token | undefined>(() => tokens.value.get(subject.value));
export const market = computed<Book | undefined>(() => books.value.find((each) => each.market === subject.value));
export const subjectName = computed(() => token.value?.symbol ?? subject.value.toUpperCase());
export const price = computed(() => (market.value ? priceOf(market.value) : Number(token.value?.price ?? 0)));
/** As it was set; the middle of a book is computed. */
export const shownPrice = computed(() => (market.value ? market.value.last ?? (price.value || null) : token.value?.price ?? null));
export const sorted = computed(() => [...orders.value.values()].sort((a, b) => (b.createdAt ?? 0) - (a.createdAt ?? 0)));

export const isMarket = (name: string): boolean => books.value.some((each) => each.market === name);

/** The last trade, or the middle of the book before there was one. */
function priceOf(book: Book): number {
  if (book.last !== null) return Number(book.last);
  const [ask_, bid] = [Number(book.asks[0]?.price ?? 0), Number(book.bids[0]?.price ?? 0)];
  return ask_ && bid ? (ask_ + bid) / 2 : ask_ || bid;
}

const RESTING = new Set(['open', 'pending', 'active', 'wait', 'executing']);
export const isResting = (order: Order): boolean => RESTING.has(order.state);
export const symbol = (of: string | null | undefined): string => (of ? tokens.value.get(of)?.symbol ?? `${of.slice(0, 4)}…` : '');
export const decimals = (of: string | null | undefined): number => (of ? tokens.value.get(of)?.decimals ?? 0 : 0);

let stream = new AbortController();
/** What is read is read as long as the stream is there: an answer that comes later is of another time, or never comes. */
const read = <T>(path: string): Promise<T> => ask<T>('GET', path, undefined, undefined, stream.signal);

/** The page names tokens to the venue by their mints, which its user did not type. */
const withSymbols = (words: string): string => words.replace(/[1-9A-HJ-NP-Za-km-z]{32,44}/g, (mint) => tokens.value.get(mint)?.symbol ?? mint);

let syncedAt = performance.now();
/** The venue's clock. */
export function now(): number {
  const known = sandbox.value;
  if (!known) return Date.now();
  return known.clock?.mode === 'frozen' ? known.now : known.now + (performance.now() - syncedAt);
}

let toastNumber = 0;
export function toast(text: string, bad = false): void {
  const id = ++toastNumber;
  toasts.value = [...toasts.value.slice(-3), { id, text, bad }];
  setTimeout(() => { toasts.value = toasts.value.filter((each) => each.id !== id); }, bad ? 8000 : 3500);
}

export async function attempt<T>(what: string, doing: () => Promise<T>): Promise<T | undefined> {
  try {
    return await doing();
  } catch (problem) {
    toast(`${what}: ${withSymbols(problem instanceof Error ? problem.message : String(problem))}`, true);
    return undefined;
  }
}

/** The last price of each token that the stream told, and the number of the last question before it. */
const heard = new Map<string, PriceSet>();

let stateNumber = 0;

/** A price that was told after the state was asked for is the newer one. */
const adopt = inOrder<Sandbox>((state, number) => {
  syncedAt = performance.now();
  stateNumber = number;
  const newer = (mint: string) => { const told = heard.get(mint); return told && told.after >= number ? { price: told.price } : {}; };
  sandbox.value = { ...state, tokens: state.tokens.map((each) => ({ ...each, ...newer(each.mint) })) };
});

export async function change(what: string, method: string, path: string, body: unknown): Promise<boolean> {
  return (await attempt(what, () => adopt.from(() => ask<Sandbox>(method, path, body)))) !== undefined;
}

async function loadState(): Promise<void> {
  await adopt.from(() => read<Sandbox>(isVenue ? shownAt('/venue') : '/sandbox'));
}

// --- orders

/** Of each order, the number of the question that its row is the answer to; and of the detail. */
const rowNumbers = new Map<string, number>();
let detailNumber = 0;

const isNewer = (id: string, number: number): boolean => number >= (rowNumbers.get(id) ?? 0);

/** `number`: of the question that these are the answer to. What a later one was answered stays. */
function put(number: number, ...found: Order[]): void {
  if (isForgotten(number)) return;
  const next = new Map(orders.value);
  const whole = found.map((each) => (isOnChain(each) ? { ...next.get(String(each.id)), ...each } : each)); // A closed one that the venue's index does not know has no terms there.
  const chosen = whole.find((each) => each.timeline && selected.value === String(each.id));
  for (const { timeline: _, ...row } of whole) {
    const id = String(row.id);
    if (!isNewer(id, number)) continue;
    next.set(id, row);
    rowNumbers.set(id, number);
  }
  const isShown = chosen && detail.value && String(detail.value.id) === String(chosen.id);
  batch(() => {
    orders.value = next;
    if (!chosen || (isShown && number < detailNumber)) return;
    detail.value = chosen;
    detailNumber = number;
  });
}

/** The rows that are there are these from now on, but for what later questions were answered. */
function replace(number: number, found: Map<string, Order>, ofThese: (order: Order) => boolean = () => true): void {
  if (isForgotten(number)) return;
  const next = new Map(found);
  for (const [id, each] of orders.value) if (!ofThese(each) || !isNewer(id, number)) next.set(id, each);
  for (const id of found.keys()) if (isNewer(id, number)) rowNumbers.set(id, number);
  for (const id of rowNumbers.keys()) if (!next.has(id)) rowNumbers.delete(id);
  orders.value = next;
}

/** False: refused, and said so. */
export async function changeOrder(what: string, method: string, id: string | number, body?: unknown): Promise<boolean> {
  const number = asking();
  const answer = await attempt(what, () => ask<Order>(method, `/sandbox/orders/${id}`, body));
  if (answer) put(number, answer);
  return answer !== undefined;
}

export async function select(id: string | null): Promise<void> {
  batch(() => { selected.value = id; if (id !== null) side.value = 'order'; if (detail.value && String(detail.value.id) !== id) detail.value = null; });
  if (id === null) return;
  const found = await attempt('Not shown', () => refresh([id]));
  if (selected.value !== id || detail.value) return;
  if (found) toast('Not shown: there is no such order any more', true);
  selected.value = null;
}

async function unless<T>(statuses: number[], asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (problem) {
    if (problem instanceof Refused && statuses.includes(problem.status)) return null;
    throw problem;
  }
}

const orderOf = (id: string): Promise<Order | null> => unless([404], read<Order>(shownAt(`/orders/${encodeURIComponent(id)}`)));

/** A wallet whose orders were asked for: the lists of all may not have them. */
let sought: string | null = null;

const ofSought = async (): Promise<Order[]> => (sought ? await unless([400], listed(`wallet=${encodeURIComponent(sought)}&limit=${ORDERS_MAX}`)) ?? [] : []);

/** Asks for what the lists do not have: an order by its whole id, or those of a wallet. False: there is none. */
export async function seek(text: string): Promise<boolean> {
  const [order] = await refresh([text]);
  if (order) {
    void select(String(order.id));
    return true;
  }
  sought = text;
  const number = asking();
  const found = await ofSought();
  put(number, ...found);
  return found.length > 0;
}

async function refresh(ids: string[]): Promise<Order[]> {
  const number = asking();
  const found = (await Promise.all(ids.map(orderOf))).filter((each): each is Order => each !== null);
  put(number, ...found);
  for (const order of found) if (isOnChain(order)) markLanded(order);
  return found;
}

const listed = async (query: string): Promise<Order[]> => (await read<{ orders: Order[] }>(shownAt(`/orders?${query}`))).orders;

/** `quoting`: when it is known whose orders are a market maker's quotes. */
async function refreshAll(quoting: Promise<unknown>): Promise<void> {
  const number = asking();
  const families = ['trigger', 'dca', 'limit', 'recurring'];
  const [, ofBooks, wanted, ...others] = await Promise.all([quoting, booksOrders(), ofSought(), ...families.map((each) => listed(`family=${each}&limit=${ORDERS_MAX}`))]);
  const found = new Map([...wanted, ...others.flat(), ...ofBooks].map((each) => [String(each.id), each]));
  moreOrders.value = others.some((each) => each.length >= ORDERS_MAX);
  // Orders on the chain are listed while they are open: one that has ended stays as it was seen last.
  const gone = [...orders.value.values()].filter((each) => isOnChain(each) && !found.has(String(each.id)));
  for (const each of gone) if (!isResting(each)) found.set(String(each.id), each);
  replace(number, found);
  const ended = gone.filter(isResting).map((each) => String(each.id));
  if (selected.value && !ended.includes(selected.value)) ended.push(selected.value);
  while (ended.length) await refresh(ended.splice(0, ONE_BY_ONE_MAX));
}

const isOnChain = (order: Order): boolean => order.family === 'limit' || order.family === 'recurring';

/** Those that rest, also stops, and the newest of the others: a market maker leaves thousands behind. */
async function booksOrders(): Promise<Order[]> {
  const asked = [`limit=${BOOK_ORDERS.newest}`, ...['wait', 'pending'].map((state) => `state=${state}&limit=${BOOK_ORDERS.resting}`)];
  const lists = await Promise.all(asked.map((each) => listed(`family=book&${each}`)));
  moreOfBooks.value = lists.some((list, n) => list.length >= (n === 0 ? BOOK_ORDERS.newest : BOOK_ORDERS.resting));
  return lists.flat();
}

const dirty = new Set<string>();
let all = false;
let flushing = false;
/** Soon, and together: a price may concern a thousand orders. */
function refreshSoon(id: string | null): void {
  if (id === null) all = true; else dirty.add(id);
  if (flushing) return;
  flushing = true;
  setTimeout(async () => {
    const ids = [...dirty];
    const whole = all || ids.length > ONE_BY_ONE_MAX;
    dirty.clear();
    all = false;
    try {
      if (whole) await refreshAll(loadBooks()); else await refresh(ids);
    } catch { /* The stream tells when the venue is gone. */ }
    flushing = false;
    if (dirty.size || all) refreshSoon(all ? null : [...dirty][0]!);
  }, 120);
}

function refreshAfter(event: OrderEvent): void {
  if (event.family === 'book') refreshBooksSoon(); else refreshSoon(event.orderId);
}

// --- books

let bookDue = false;
function refreshBooksSoon(): void {
  if (bookDue) return;
  bookDue = true;
  setTimeout(async () => {
    bookDue = false;
    try { await refreshBooks(); } catch { /* As above. */ }
  }, BOOKS_EVERY_MS);
}

type Quoting = { marketMakers: { accounts: string[] }[] };
type Asked = [{ books: Book[] }, Quoting];

const takeBooks = inOrder<Asked>(([{ books: found }, quoting]) => batch(() => {
  books.value = found;
  makers.value = new Set(quoting.marketMakers.flatMap((each) => each.accounts));
  if (market.value) takeTrades(market.value);
}));

const askBooks = (): Promise<Asked> => Promise.all([
  read<{ books: Book[] }>(shownAt('/books')),
  isVenue ? { marketMakers: [] } : read<Quoting>('/sandbox/tanx/market-maker'),
]);

export async function loadBooks(): Promise<void> {
  await takeBooks.from(askBooks);
}

/** The books and their orders at once: a market maker's quotes are known as such as soon as they are there, and as long. */
export async function refreshBooks(): Promise<void> {
  const number = asking();
  const [found, asked] = await Promise.all([booksOrders(), askBooks()]);
  batch(() => {
    takeBooks.keep(number, asked);
    replace(number, new Map(found.map((each) => [String(each.id), each])), (each) => each.family === 'book');
  });
  const chosen = detail.value;
  if (chosen?.family === 'book') await refresh([String(chosen.id)]);
}

let newestDrawn = 0;
/** Trades are the prices of a market. Many may be of one instant, as while the clock is frozen: each is a point of its own. */
function takeTrades(book: Book): void {
  if (points.value.length === 0) newestDrawn = 0;
  let last = points.value[points.value.length - 1]?.at ?? 0;
  const traded = book.trades.filter(({ id }) => id > newestDrawn).reverse();
  const added = traded.map(({ at, price: of }) => ({ at: last = Math.max(at, last + 1), price: Number(of) }));
  newestDrawn = book.trades[0]?.id ?? newestDrawn;
  if (added.length) points.value = [...points.value, ...added].slice(-POINTS_MAX);
  else if (points.value.length === 0 && priceOf(book)) points.value = [{ at: now(), price: priceOf(book) }];
}

interface PriceSet { mint: string; at: number; price: string; after: number }
let unshown: PriceSet[] = [];

function hear(set: PriceSet): void {
  heard.set(set.mint, set);
  unshown.push(set);
  if (unshown.length === 1) requestAnimationFrame(showTold);
  else if (unshown.length > POINTS_MAX) showTold(); // No frames are drawn of a page that is not seen.
}

/** Once a frame: prices may come faster than they are drawn, and a page that draws each would hear no click. */
function showTold(): void {
  const [sets, known] = [unshown, sandbox.value];
  unshown = [];
  const newest = new Map(sets.filter(({ after }) => after >= stateNumber).map((set) => [set.mint, set.price]));
  const added = sets.filter(({ mint }) => mint === subject.value).map(({ at, price: set }) => ({ at, price: Number(set) }));
  batch(() => {
    if (added.length) points.value = [...points.value, ...added].slice(-POINTS_MAX);
    if (known && newest.size) sandbox.value = { ...known, tokens: known.tokens.map((each) => ({ ...each, price: newest.get(each.mint) ?? each.price })) };
  });
  if (isVenue && known?.tokens.some((each) => each.price === null && newest.has(each.mint))) loadState().catch(() => undefined); // It lacks less now.
}

async function loadPrices(): Promise<void> {
  if (!market.value && !token.value && tokens.value.size > 0) subject.value = SOL; // What was chosen is not here any more.
  const asked = subject.value;
  if (market.value) { points.value = []; takeTrades(market.value); return; }
  const before = new Set(points.value);
  const path = isVenue ? shownAt(`/prices/${asked}?limit=5000`) : `/sandbox/prices?mint=${asked}&limit=5000`;
  const { prices } = await read<{ prices: { at: number; price: string }[] }>(path);
  showTold();
  if (asked !== subject.value) return;
  const history = prices.map(({ at, price: set }) => ({ at, price: Number(set) }));
  const last = history[history.length - 1]?.at ?? -Infinity;
  points.value = [...history, ...points.value.filter((each) => !before.has(each) && each.at > last)]; // Some were told meanwhile.
}

// --- fills

/** Of orders that the page does not know yet. */
let unmarked: OrderEvent[] = [];

function mark(...events: OrderEvent[]): void {
  const fills = [...unmarked, ...events.filter((each) => each.event === 'fill_landed' && each.orderId)];
  unmarked = fills.filter((each) => !orders.value.has(each.orderId!)).slice(-MARKS_MAX);
  for (const event of fills) {
    const order = orders.value.get(event.orderId!);
    const text = event.told.amount && event.told.mint ? units(event.told.amount, event.told.mint) : 'filled';
    if (order) addMark(order, `${event.family}:${event.seq}:${event.n}`, event.told.at, text);
  }
}
orders.subscribe(() => { if (unmarked.length) mark(); });

/** Of an order on the chain: its timeline has all its fills, each with its transaction. */
function markLanded(order: Order): void {
  for (const entry of order.timeline ?? []) {
    const sold = /^it gave (\d+) units/.exec(entry.reason ?? '')?.[1];
    if ((entry.event === 'order_filled' || entry.event === 'cycle_filled') && sold && order.inputMint) addMark(order, `${order.id}:${entry.txSignature}`, entry.at, units(sold, order.inputMint));
  }
}

function addMark(order: Order, id: string, at: number, text: string): void {
  const watched = order.triggerMint ?? (order.inputMint === SOL ? SOL : order.outputMint);
  if (!watched || marks.value.some((each) => each.id === id)) return;
  marks.value = [...marks.value.slice(1 - MARKS_MAX), { id, at, subject: watched, text, rises: order.inputMint !== watched }];
}

function units(amount: string, of: string): string {
  const value = Number(amount) / 10 ** decimals(of);
  return `${value.toLocaleString('en-US', { maximumFractionDigits: 3 })} ${symbol(of)}`;
}

/** A market maker's quotes would leave room for nothing else. */
const isTold = (event: OrderEvent): boolean => event.orderId !== null && !(event.family === 'book' && makers.value.has(event.wallet ?? ''));

function note(...events: OrderEvent[]): void {
  const told = events.filter(isTold).reverse();
  if (told.length) happened.value = [...told, ...happened.value].slice(0, HAPPENED_MAX);
}

// --- the stream

let cursor = 'recent';
let early: OrderEvent[] = [];
/** Told since the venue greeted: what it answers then may be older. */
let earlyRequests: RequestSummary[] = [];
let ending = new AbortController();

async function load(): Promise<void> {
  await loadState();
  const before = new Set(early);
  const quoting = loadBooks();
  const [asked] = await Promise.all([
    isVenue ? { requests: [] } : read<{ requests: RequestSummary[] }>(`/sandbox/requests?limit=${REQUESTS_AT_FIRST}`),
    refreshAll(quoting), quoting.then(loadPrices),
  ]);
  takeRequests(asked.requests);
  loaded.value = true;
  for (const event of early) if (!before.has(event)) refreshAfter(event); // The lists may be older.
  note(...early.sort((a, b) => a.told.at - b.told.at));
  mark(...early);
  early = [];
}

let loads = 0;
let loading = Promise.resolve();
/** Again until it works: a venue that has just started may still be loading its orders. One after the other: what was asked before a reset is not kept after it. */
function loadSurely(anew = false): void {
  const mine = ++loads;
  loading = loading.then(async () => {
    if (anew) clear();
    while (mine === loads && connection.value === 'live') {
      try {
        await load();
        return;
      } catch {
        await new Promise((resolve) => { setTimeout(resolve, RETRY_MS); });
      }
    }
  });
}

function takeRequests(asked: readonly RequestSummary[]): void {
  const known = new Set(asked.map((each) => each.number));
  requests.value = [...earlyRequests.filter((each) => !known.has(each.number)), ...asked].slice(0, REQUESTS_MAX);
  olderRequests.value = asked.length === REQUESTS_AT_FIRST;
  earlyRequests = [];
}

function forget(): void {
  early = [];
  earlyRequests = [];
  forgetAnswers();
  heard.clear();
  unshown = [];
  rowNumbers.clear();
  dirty.clear();
  all = false;
  clear();
}

function clear(): void {
  unmarked = [];
  batch(() => {
    orders.value = new Map(); requests.value = []; opened.value = null; happened.value = []; marks.value = []; points.value = []; books.value = [];
    detail.value = null; selected.value = null; loaded.value = false;
  });
}

const HEARD: Record<string, (message: Told) => void> = {
  hello() {
    batch(() => { connection.value = 'live'; refusal.value = null; });
    earlyRequests = [];
    loadSurely();
  },
  order(message) {
    cursor = encodeURIComponent(message.id);
    const event = JSON.parse(message.data) as OrderEvent;
    if (!loaded.value) { early.push(event); return; }
    note(event);
    refreshAfter(event);
    mark(event);
  },
  request(message) {
    const request = JSON.parse(message.data) as RequestSummary;
    earlyRequests = [request, ...earlyRequests].slice(0, REQUESTS_MAX);
    if (!requests.value.some((each) => each.number === request.number)) requests.value = [request, ...requests.value].slice(0, REQUESTS_MAX);
  },
  price(message) {
    hear({ ...JSON.parse(message.data) as Omit<PriceSet, 'after'>, after: asking() });
  },
  sandbox() { loadState().catch(() => undefined); },
  reset() {
    forget();
    loadSurely(true);
  },
};

/** A proxy may answer with a page of its own. */
const saidOf = ({ body, status, message }: Refused): string => (typeof body === 'string' ? `${shownAt('')} is answered with ${status}` : message);

async function listen(): Promise<void> {
  const mine = ending = new AbortController();
  mine.signal.addEventListener('abort', () => stream.abort());
  while (!mine.signal.aborted) {
    stream = new AbortController();
    try {
      const include = isVenue ? 'orders,prices' : 'orders,requests,prices,sandbox';
      for await (const message of told(shownAt(`/events?include=${include}&from=${cursor}`), stream.signal)) HEARD[message.event]?.(message);
    } catch (problem) {
      refusal.value = problem instanceof Refused ? saidOf(problem) : null;
      if (isVenue && problem instanceof Refused && (problem.status === 401 || problem.status === 403)) { turnAway(problem); return; }
      if (problem instanceof Refused && problem.status === 400) cursor = 'recent'; // It has no meaning here any more.
    }
    if (mine.signal.aborted) return;
    connection.value = 'lost';
    await new Promise((resolve) => { setTimeout(resolve, RETRY_MS); });
  }
}

/** Whether the venue is there still: a connection that is cut without a word looks like a venue where nothing happens. */
async function look(): Promise<void> {
  if (connection.value !== 'live' || !loaded.value) return;
  const mine = stream;
  const late = setTimeout(() => mine.abort(), ANSWER_MS_MAX);
  await loadState().catch(() => undefined);
  clearTimeout(late);
}

/** A browser holds six connections to a venue at most, so that a page which is not seen keeps none: six of them would let no other one in. */
function follow(): void {
  ending.abort();
  connection.value = 'connecting';
  if (document.visibilityState === 'hidden' || (isVenue && !key.value)) return;
  listen();
}

export function begin(): void {
  key.subscribe((given) => {
    if (isVenue && !given) { forget(); sandbox.value = null; cursor = 'recent'; }
    follow();
  });
  document.addEventListener('visibilitychange', follow);
  setInterval(() => { tick.value += 1; }, 1000);
  setInterval(look, LOOK_MS);
  subject.subscribe(() => { if (loaded.peek()) { points.value = []; loadPrices().catch(() => undefined); } });
}
