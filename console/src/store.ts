// What the console knows, kept true by the venue's event stream.
import { batch, computed, signal } from '@preact/signals';
import { ask, Refused } from './api';
import type { Order, OrderEvent, RequestSummary, Sandbox, Token } from './types';

const ORDERS_MAX = 2_000;
const REQUESTS_MAX = 1_000;
const POINTS_MAX = 6_000;
const ONE_BY_ONE_MAX = 12;

export interface Point { at: number; price: number }
export interface Mark { id: string; at: number; mint: string; text: string; rises: boolean }
export type Connection = 'connecting' | 'live' | 'lost';

export const connection = signal<Connection>('connecting');
export const sandbox = signal<Sandbox | null>(null);
export const orders = signal<ReadonlyMap<string, Order>>(new Map());
export const requests = signal<readonly RequestSummary[]>([]);
export const points = signal<readonly Point[]>([]);
export const marks = signal<readonly Mark[]>([]);
export const mint = signal('So11111111111111111111111111111111111111112');
export const selected = signal<string | null>(null);
export const detail = signal<Order | null>(null);
export const drawer = signal<string | null>(null);
export const tick = signal(0);
export const toasts = signal<readonly { id: number; text: string; bad: boolean }[]>([]);
export const loaded = signal(false);

export const tokens = computed(() => new Map((sandbox.value?.tokens ?? []).map((each) => [each.mint, each])));
export const token = computed<Token | undefined>(() => tokens.value.get(mint.value));
export const price = computed(() => Number(token.value?.price ?? 0));
export const sorted = computed(() => [...orders.value.values()].sort((a, b) => (b.createdAt ?? 0) - (a.createdAt ?? 0)));

const RESTING = new Set(['open', 'pending', 'active', 'wait', 'executing']);
export const isResting = (order: Order): boolean => RESTING.has(order.state);
export const symbol = (of: string | null | undefined): string => (of ? tokens.value.get(of)?.symbol ?? `${of.slice(0, 4)}…` : '');
export const decimals = (of: string | null | undefined): number => (of ? tokens.value.get(of)?.decimals ?? 0 : 0);

let syncedAt = performance.now();
/** The venue's clock. */
export function now(): number {
  const known = sandbox.value;
  if (!known) return Date.now();
  return known.clock.mode === 'frozen' ? known.now : known.now + (performance.now() - syncedAt);
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
    toast(`${what}: ${problem instanceof Error ? problem.message : problem}`, true);
    return undefined;
  }
}

export function adopt(state: Sandbox): void {
  syncedAt = performance.now();
  sandbox.value = state;
}

export async function change(what: string, method: string, path: string, body: unknown): Promise<boolean> {
  const state = await attempt(what, () => ask<Sandbox>(method, path, body));
  if (state) adopt(state);
  return state !== undefined;
}

export function put(order: Order): void {
  const { timeline, ...row } = order;
  const next = new Map(orders.value);
  next.set(String(order.id), row);
  batch(() => {
    orders.value = next;
    if (timeline && selected.value === String(order.id)) detail.value = order;
  });
}

export async function select(id: string | null): Promise<void> {
  batch(() => { selected.value = id; if (detail.value && String(detail.value.id) !== id) detail.value = null; });
  if (id !== null) await refreshOne(id);
}

async function refreshOne(id: string): Promise<void> {
  try {
    put(await ask<Order>('GET', `/sandbox/orders/${id}`));
  } catch (problem) {
    if (problem instanceof Refused && problem.status === 404) {
      const next = new Map(orders.value);
      next.delete(id);
      orders.value = next;
    }
  }
}

async function refreshAll(): Promise<void> {
  const found = await ask<{ orders: Order[] }>('GET', `/sandbox/orders?limit=${ORDERS_MAX}`);
  orders.value = new Map(found.orders.map((each) => [String(each.id), each]));
  if (selected.value) await refreshOne(selected.value);
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
      if (whole) await refreshAll(); else await Promise.all(ids.map(refreshOne));
    } catch { /* The stream tells when the venue is gone. */ }
    flushing = false;
    if (dirty.size || all) refreshSoon([...dirty][0] ?? null);
  }, 120);
}

export async function loadPrices(): Promise<void> {
  const asked = mint.value;
  const { prices } = await ask<{ prices: { at: number; price: string }[] }>('GET', `/sandbox/prices?mint=${asked}&limit=5000`);
  if (asked === mint.value) points.value = prices.map(({ at, price: set }) => ({ at, price: Number(set) }));
}

const FILLED = new Set(['fill_landed']);
function mark(event: OrderEvent): void {
  if (!event.orderId || !FILLED.has(event.event)) return;
  const order = orders.value.get(event.orderId);
  const watched = order?.triggerMint ?? order?.outputMint;
  if (!order || !watched) return;
  const sells = order.inputMint === watched;
  const id = `${event.family}:${event.seq}:${event.n}`;
  if (marks.value.some((each) => each.id === id)) return;
  const text = event.told.amount && event.told.mint ? `${short(event.told.amount, event.told.mint)}` : 'filled';
  marks.value = [...marks.value.slice(-499), { id, at: event.told.at, mint: watched, text, rises: !sells }];
}

function short(amount: string, of: string): string {
  const value = Number(amount) / 10 ** decimals(of);
  return `${value.toLocaleString('en-US', { maximumFractionDigits: 3 })} ${symbol(of)}`;
}

let source: EventSource | null = null;
let cursor = 'recent';
let early: OrderEvent[] = [];

async function load(): Promise<void> {
  adopt(await ask<Sandbox>('GET', '/sandbox'));
  const [listed] = await Promise.all([
    ask<{ requests: RequestSummary[] }>('GET', '/sandbox/requests?limit=200'), refreshAll(), loadPrices(),
  ]);
  requests.value = listed.requests;
  loaded.value = true;
  for (const event of early) mark(event);
  early = [];
}

function listen(): void {
  source?.close();
  const stream = new EventSource(`/sandbox/events?include=orders,requests,prices,sandbox&from=${cursor}`);
  source = stream;
  stream.addEventListener('hello', () => {
    connection.value = 'live';
    load().catch(() => undefined);
  });
  stream.addEventListener('order', (message) => {
    cursor = encodeURIComponent(message.lastEventId);
    const event = JSON.parse(message.data) as OrderEvent;
    if (loaded.value) { refreshSoon(event.orderId); } else early.push(event);
    if (loaded.value) setTimeout(() => mark(event), 400);
  });
  stream.addEventListener('request', (message) => {
    requests.value = [JSON.parse(message.data) as RequestSummary, ...requests.value].slice(0, REQUESTS_MAX);
  });
  stream.addEventListener('price', (message) => {
    const told = JSON.parse(message.data) as { mint: string; at: number; price: string };
    const known = sandbox.value;
    batch(() => {
      if (told.mint === mint.value) points.value = [...points.value.slice(-POINTS_MAX), { at: told.at, price: Number(told.price) }];
      if (known) sandbox.value = { ...known, tokens: known.tokens.map((each) => (each.mint === told.mint ? { ...each, price: told.price } : each)) };
    });
  });
  stream.addEventListener('sandbox', () => { ask<Sandbox>('GET', '/sandbox').then(adopt, () => undefined); });
  stream.addEventListener('reset', () => {
    batch(() => { orders.value = new Map(); requests.value = []; marks.value = []; points.value = []; detail.value = null; selected.value = null; });
    load().catch(() => undefined);
  });
  stream.onerror = () => {
    connection.value = 'lost';
    stream.close();
    setTimeout(listen, 1000);
  };
}

export function begin(): void {
  listen();
  setInterval(() => { tick.value += 1; }, 1000);
  setInterval(() => { if (connection.value === 'live') ask<Sandbox>('GET', '/sandbox').then(adopt, () => undefined); }, 15_000);
  mint.subscribe(() => { if (loaded.peek()) { points.value = []; loadPrices().catch(() => undefined); } });
}
