// The controls of the sandbox, each in a drawer.
import { computed, effect, signal } from '@preact/signals';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { ask, isVenue } from './api';
import { inOrder, queue } from './asking';
import { useAsked, useDraft } from './draft';
import { focusIfLost } from './focus';
import { amount, clock, date, dollars, plain, rounded, short, units } from './format';
import { copy } from './orders';
import { PlaybackPanel } from './playback';
import { RacePanel } from './race';
import { attempt, books, change, connection, decimals, drawer, loadBooks, loaded, now, orders, refreshBooks, sandbox, subject, symbol, tick, toast } from './store';
import type { Faults, Level, MarketMaker, Sandbox, Token, WalletRow } from './types';

export const DRAWERS = isVenue ? ['prices', 'books'] as const : ['race', 'prices', 'clock', 'faults', 'liquidity', 'wallets', 'books'] as const;
export const TITLES: Record<string, string> = { race: 'Race a cancel', prices: 'Prices', clock: 'Clock', faults: 'Faults', liquidity: 'Liquidity', wallets: 'Wallets and vaults', books: 'Books' };

export function Drawer() {
  const name = drawer.value;
  const opener = useRef<Element | null>(null);
  useLayoutEffect(() => { // At once: the next key may come before the page is painted.
    if (!name) return;
    if (!document.activeElement?.closest('.drawer')) opener.current = document.activeElement;
    const keys = (event: KeyboardEvent) => {
      if (event.key === 'Escape' && !(event.target as HTMLElement).dataset['line']) close();
    };
    addEventListener('keydown', keys);
    document.querySelector<HTMLElement>('.drawer h2')?.focus();
    return () => {
      removeEventListener('keydown', keys);
      if (drawer.peek()) return;
      if (opener.current instanceof HTMLElement && document.activeElement === document.body) opener.current.focus();
      focusIfLost(`[data-drawer="${name}"]`);
    };
  }, [name]);
  if (!name) return null;
  const close = () => { drawer.value = null; };
  const Body = { race: RacePanel, prices: PricesPanel, clock: ClockPanel, faults: FaultsPanel, liquidity: LiquidityPanel, wallets: WalletsPanel, books: BooksPanel }[name];
  return (
    <aside class="drawer" aria-labelledby="drawer-title">
      <header class="panel-head"><h2 id="drawer-title" tabIndex={-1}>{TITLES[name]}</h2><button class="icon" aria-label="Close" onClick={close}>×</button></header>
      <div class="drawer-body" tabIndex={0} role="region" aria-label={TITLES[name]}>{Body && <Body />}</div>
    </aside>
  );
}

// --- prices

export function setPrice(of: string, text: string): Promise<boolean> {
  return change('Price not set', 'PUT', '/sandbox/prices', { [of]: text });
}

let sending: Promise<void> | null = null;
let next: [string, string] | null = null;

async function sendNewest(): Promise<void> {
  while (next) {
    const [to, value] = next;
    next = null;
    await setPrice(to, value);
  }
  sending = null;
}

/** While a slider moves, the newest price goes out as fast as the venue answers, and no faster. */
function slide(of: string, text: string): Promise<void> {
  next = [of, text];
  sending ??= sendNewest();
  return sending;
}

const nudges = queue();

function PriceRow({ each }: { each: Token }) {
  const typed = useDraft();
  const nudged = useRef<number | null>(null);
  const [base, setBase] = useState<number | null>(null);
  const at = Number(each.price ?? 0);
  const middle = base ?? at;
  const [slid, slides] = useAsked(at, (to) => slide(each.mint, rounded(to)));
  /** Of clicks that come faster than answers, each goes on from the one before. */
  const nudge = async (percent: number) => {
    const to = rounded((nudged.current ?? at) * (1 + percent / 100));
    nudged.current = Number(to);
    await nudges(() => setPrice(each.mint, to));
    if (nudged.current === Number(to)) nudged.current = null;
  };
  return (
    <li class="price-row">
      <form onSubmit={async (event) => { event.preventDefault(); if (typed.text !== null && await setPrice(each.mint, typed.text)) typed.sent(typed.text); }}>
        <button type="button" class={`link sym ${subject.value === each.mint ? 'on' : ''}`} title={each.symbol} onClick={() => { subject.value = each.mint; }}>{each.symbol}</button>
        <input class="num" aria-label={`Price of ${each.symbol} in dollars`} inputMode="decimal" value={typed.text ?? (each.price ? plain(each.price).replace(/\.?0+$/, '') : '')} onInput={(event) => typed.type(event.currentTarget.value)} />
        {[-5, -1, 1, 5].map((percent) => <button type="button" class="small num" aria-label={`${each.symbol} ${percent} percent`} onClick={() => nudge(percent)}>{percent > 0 ? '+' : '−'}{Math.abs(percent)}</button>)}
      </form>
      <input type="range" aria-label={`Move the price of ${each.symbol}`} min={middle * 0.8} max={middle * 1.2} step={middle / 2000} value={slid}
        onPointerDown={() => setBase(at)} onPointerUp={() => setBase(null)} onPointerCancel={() => setBase(null)} onInput={(event) => { slides(Number(event.currentTarget.value)); }} />
    </li>
  );
}

function PricesPanel() {
  if (isVenue) return <ShownPrices />;
  return (
    <div class="stack">
      <p class="soft">Type, nudge by so many percent, or drag. When a price is set, every order that it crosses has left “open”.</p>
      <ul class="plain">{(sandbox.value?.tokens ?? []).map((each) => <PriceRow key={each.mint} each={each} />)}</ul>
      <PlaybackPanel />
    </div>
  );
}

function ShownPrices() {
  return (
    <div class="stack">
      <dl class="prices">
        {(sandbox.value?.tokens ?? []).map((each) => <><dt><button class={`link sym ${subject.value === each.mint ? 'on' : ''}`} onClick={() => { subject.value = each.mint; }}>{each.symbol}</button></dt><dd class="num">{each.price === null ? 'no price' : dollars(each.price)}</dd></>)}
      </dl>
      <p class="soft">An operator sets them with <code>PUT /admin/prices</code>.</p>
    </div>
  );
}

// --- clock

function ClockPanel() {
  void tick.value;
  const frozen = sandbox.value?.clock?.mode === 'frozen';
  const [seconds, setSeconds] = useState('60');
  const at = now();
  const forward = (text: string) => change('Clock not moved', 'POST', '/sandbox/clock/advance', { seconds: text });
  return (
    <div class="stack">
      <p class="big num">{clock(at)} <span class="soft">UTC</span></p>
      <p class="soft num">{date(at)} · slot {sandbox.value?.chain.slot} · {frozen ? 'frozen' : 'running'}</p>
      <div class="row">
        <button class="primary" onClick={() => change('Clock not set', 'POST', '/sandbox/clock', { mode: frozen ? 'running' : 'frozen' })}>{frozen ? 'Run' : 'Freeze'}</button>
        {([['+1 min', '60'], ['+1 h', '3600'], ['+1 day', '86400'], ['+1 week', '604800']] as const).map(([name, by]) => <button onClick={() => forward(by)}>{name}</button>)}
      </div>
      <form class="row" onSubmit={(event) => { event.preventDefault(); forward(seconds); }}>
        <input class="num" aria-label="Seconds to move the clock forward" inputMode="decimal" value={seconds} onInput={(event) => setSeconds(event.currentTarget.value)} />
        <button>seconds forward</button>
      </form>
      <p class="soft">It never goes back. What becomes due, rounds and expiries, has happened when it answers.</p>
    </div>
  );
}

// --- faults

const COUNTED = [
  ['failSwaps', 'fail swaps', 'the next N fills land with an error'],
  ['dropTransactions', 'drop transactions', 'the next N sends are accepted and lost'],
  ['loseAnswers', 'lose answers', 'the next N answers are cut after their commit'],
  ['rateLimit', 'rate limit', 'the next N requests are answered with 429'],
  ['failMatches', 'fail matches', 'the next N matches of a book fail'],
  ['landDelayMs', 'land delay, ms', 'each transaction lands so much later'],
] as const;
const WEAKNESSES = [
  ['forgottenCrafts', 'forgets what it built'], ['laggingHistory', 'histories lag'], ['busyCancel', 'a cancel while it triggers is refused'], ['duplicateDeposit', 'a repeated create gets no id'],
  ['textAmounts', 'amounts must be text'], ['noRefunds', 'nothing expired comes back'], ['rateLimits', 'limits as on the free plan'], ['slowLanding', 'lands 1.2 s later'],
] as const;
/** What was armed, so that one sees it counting down, and spent. */
const armed = signal<Partial<Record<keyof Faults, number>>>({});
effect(() => { if (!loaded.value) armed.value = {}; });

function without(faults: Faults): Partial<Faults> {
  return { ...faults, expireBlockhashes: false, expireTokens: false };
}

function FaultCount({ name, left, send }: { name: keyof Faults; left: number; send: (body: Partial<Faults>) => Promise<unknown> }) {
  const typed = useDraft();
  const [shown, asks] = useAsked(String(left), (text) => send({ [name]: Number(text) }));
  const set = async (text: string) => { await asks(text); typed.sent(text); };
  return (
    <input id={`fault-${name}`} class="num" type="number" min="0" max="1000000" value={typed.text ?? shown} onInput={(event) => typed.type(event.currentTarget.value)}
      onChange={(event) => set(event.currentTarget.value)} onBlur={typed.drop} />
  );
}

function FaultBox({ id, role, on, send }: { id?: string; role?: 'switch'; on: boolean; send: (on: boolean) => Promise<unknown> }) {
  const [shown, asks] = useAsked(on, send);
  return <input id={id} role={role} type="checkbox" checked={shown} onChange={(event) => asks(event.currentTarget.checked)} />;
}

function CrashChoice({ at, send }: { at: string; send: (point: string) => Promise<unknown> }) {
  const [shown, asks] = useAsked(at, send);
  return (
    <select id="fault-crash" value={shown} onChange={(event) => asks(event.currentTarget.value)}>
      {['', 'before-commit', 'after-commit', 'before-send', 'after-send'].map((point) => <option value={point}>{point || 'never'}</option>)}
    </select>
  );
}

function strictWith(name: string, on: boolean): (now: Faults) => Partial<Faults> {
  return ({ strict }) => {
    const rest = (strict || []).filter((each) => each !== name);
    const next = on ? [...rest, name] : rest;
    return { strict: next.length ? next : false };
  };
}

/** One change of the faults after another: each sends all of them, as they are by then. */
const inTurn = queue();

function FaultsPanel() {
  const faults = sandbox.value?.faults;
  if (!faults) return null;
  const weak = faults.strict || [];
  const set = async (of: Partial<Faults> | ((now: Faults) => Partial<Faults>)) => {
    let body: Partial<Faults> = {};
    const done = await inTurn(async () => {
      const state = await attempt('Fault not set', () => ask<Sandbox>('GET', '/sandbox'));
      if (!state) return false;
      const before = state.faults!;
      body = typeof of === 'function' ? of(before) : of;
      return change('Fault not set', 'PUT', '/sandbox/faults', { ...without(before), ...body });
    });
    if (done) armed.value = { ...armed.value, ...Object.fromEntries(Object.entries(body).filter(([, value]) => typeof value === 'number')) };
    return done;
  };
  return (
    <div class="stack">
      <ul class="plain faults">
        {COUNTED.map(([name, title, what]) => {
          const left = faults[name];
          const of = armed.value[name] ?? 0;
          const state = left > 0 ? (name !== 'landDelayMs' && of > left ? 'counting' : 'armed') : of > 0 ? 'spent' : 'off';
          return (
            <li class={`fault ${state}`}>
              <label for={`fault-${name}`}><b>{title}</b><span class="soft">{what}</span></label>
              <span class="fault-state num">{state === 'counting' ? `${left} of ${of}` : state === 'off' ? '' : state}</span>
              <FaultCount name={name} left={left} send={set} />
            </li>
          );
        })}
        <li class={`fault ${faults.rpcDown ? 'armed' : ''}`}>
          <label for="fault-rpc"><b>chain down</b><span class="soft">the node does not answer, until it is off again</span></label>
          <FaultBox id="fault-rpc" role="switch" on={faults.rpcDown} send={(on) => set({ rpcDown: on })} />
        </li>
        <li class={`fault ${faults.crash ? 'armed' : ''}`}>
          <label for="fault-crash"><b>crash</b><span class="soft">the process kills itself at this point</span></label>
          <CrashChoice at={faults.crash ?? ''} send={(point) => set({ crash: point || null })} />
        </li>
      </ul>
      <fieldset class="strict">
        <legend><b>strict</b> <span class="soft">as weak as the real ones</span></legend>
        <button class="small" type="button" onClick={() => set({ strict: weak.length === WEAKNESSES.length ? false : WEAKNESSES.map(([name]) => name) })}>{weak.length === WEAKNESSES.length ? 'None' : 'All'}</button>
        {WEAKNESSES.map(([name, title]) => (
          <label key={name}><FaultBox on={weak.includes(name)} send={(on) => set(strictWith(name, on))} /> {title}</label>
        ))}
      </fieldset>
      <div class="row">
        <button onClick={async () => { if (await set({ expireTokens: true })) toast('All tokens ended'); }}>Expire tokens</button>
        <button onClick={async () => { if (await set({ expireBlockhashes: true })) toast('151 slots passed'); }}>Expire blockhashes</button>
        <button onClick={async () => { if (await inTurn(() => change('Not cleared', 'PUT', '/sandbox/faults', {}))) armed.value = {}; }}>Clear all</button>
      </div>
    </div>
  );
}

/** What no event tells of is asked for again, as long as it is shown. */
const turn = computed(() => Math.floor(tick.value / 3));

// --- liquidity

interface Liquidity { maxInput: string | null; impactBps: number }

function LiquidityRow({ each, there, onSet }: { each: Token; there: Liquidity | undefined; onSet: () => Promise<unknown> }) {
  const most = useDraft();
  const impact = useDraft();
  const known = there?.maxInput ? amount(there.maxInput, each.decimals).replace(/,/g, '') : '';
  const send = async (event: Event) => {
    event.preventDefault();
    const given = (most.text ?? known).trim();
    const maxInput = given ? await attempt('Liquidity not set', async () => units(given, each.decimals)) : null;
    if (maxInput === undefined) return;
    const body = { maxInput, impactBps: Number(impact.text ?? there?.impactBps ?? 0) };
    if (!await change('Liquidity not set', 'PUT', '/sandbox/liquidity', { [each.mint]: body })) return;
    toast('Liquidity set');
    await onSet();
    most.sent(most.text);
    impact.sent(impact.text);
  };
  return (
    <li><form class="row" onSubmit={send}>
      <b class="sym" title={each.symbol}>{each.symbol}</b>
      <label class="field">at most<input class="num" placeholder="any" inputMode="decimal" aria-label={`${each.symbol} that one fill takes at most`} value={most.text ?? known} onInput={(event) => most.type(event.currentTarget.value)} /></label>
      <label class="field">impact, bps<input class="num" inputMode="numeric" aria-label={`Impact on ${each.symbol} in basis points`} value={impact.text ?? there?.impactBps ?? 0} onInput={(event) => impact.type(event.currentTarget.value)} /></label>
      <button class="small" aria-label={`Set the liquidity of ${each.symbol}`}>Set</button>
    </form></li>
  );
}

function LiquidityPanel() {
  const [all, setAll] = useState<Record<string, Liquidity> | null>(null);
  const take = useMemo(() => inOrder<Record<string, Liquidity>>(setAll), []);
  const load = async () => { if (connection.value === 'live') await attempt('Not shown', () => take.from(() => ask('GET', '/sandbox/liquidity'))); };
  useEffect(() => { void load(); }, [loaded.value, turn.value]);
  return (
    <div class="stack">
      <p class="soft">How much of a token one fill takes, so that larger orders fill in parts, and how far it moves the price against them.</p>
      {all ? <ul class="plain liquidity">{(sandbox.value?.tokens ?? []).map((each) => <LiquidityRow key={each.mint} each={each} there={all[each.mint]} onSet={load} />)}</ul> : <p class="soft">Loading…</p>}
    </div>
  );
}

// --- wallets

function Holdings({ all }: { all: { mint: string; amount: string }[] }) {
  return <>{all.length === 0 ? 'nothing' : all.map((each) => `${amount(each.amount, decimals(each.mint))} ${symbol(each.mint)}`).join(', ')}</>;
}

function WalletsPanel() {
  const [all, setAll] = useState<WalletRow[] | null>(null);
  const take = useMemo(() => inOrder<{ wallets: WalletRow[] }>(({ wallets }) => setAll(wallets)), []);
  const load = () => { if (connection.value === 'live') void attempt('Not shown', () => take.from(() => ask('GET', '/sandbox/wallets'))); };
  useEffect(load, [orders.value, turn.value]);
  const [wallet, setWallet] = useState('');
  const [sum, setSum] = useState('10');
  const [of, setOf] = useState('SOL');
  const fund = async (event: Event) => {
    event.preventDefault();
    const places = of === 'SOL' ? 9 : decimals(of);
    const done = await attempt('Not funded', () => ask('POST', '/sandbox/airdrop', { wallet, mint: of, amount: units(sum, places) }));
    if (done) { toast('Funded'); load(); }
  };
  return (
    <div class="stack">
      <form class="stack tight" onSubmit={fund}>
        <input aria-label="Wallet to fund" placeholder="wallet" value={wallet} onInput={(event) => setWallet(event.currentTarget.value.trim())} />
        <div class="row">
          <input class="num" aria-label="Amount to fund" inputMode="decimal" value={sum} onInput={(event) => setSum(event.currentTarget.value)} />
          <select aria-label="Token to fund" value={of} onChange={(event) => setOf(event.currentTarget.value)}>
            <option value="SOL">SOL</option>
            {(sandbox.value?.tokens ?? []).filter((each) => each.symbol !== 'SOL').map((each) => <option value={each.mint}>{each.symbol}</option>)}
          </select>
          <button>Fund</button>
        </div>
      </form>
      {all?.length === 0 && <p class="soft">No wallet has a vault yet.</p>}
      <ul class="plain wallets">
        {(all ?? []).map((each) => (
          <li key={each.wallet}>
            <button class="link num" onClick={() => copy(each.wallet, 'Wallet')}>{short(each.wallet)}</button>
            <dl>
              <dt>wallet</dt><dd class="num">{amount(each.lamports, 9)} SOL{each.holds.length > 0 && <>, <Holdings all={each.holds} /></>}</dd>
              <dt>vault <button class="link num" onClick={() => copy(each.vault, 'Vault')}>{short(each.vault)}</button></dt><dd class="num"><Holdings all={each.inVault} /></dd>
            </dl>
          </li>
        ))}
      </ul>
    </div>
  );
}

// --- books

function Side({ levels, of, most }: { levels: Level[]; of: 'ask' | 'bid'; most: number }) {
  return (
    <>{(of === 'ask' ? [...levels].reverse() : levels).map((level) => (
      <li class={`level ${of}`}>
        <span class="depth" style={{ width: `${(Number(level.volume) / most) * 100}%` }} aria-hidden="true" />
        <span class="num">{dollars(level.price)}</span><span class="num">{level.volume}</span><span class="num soft">{level.orders}</span><span class="unseen">{of}</span>
      </li>
    ))}</>
  );
}

function BooksPanel() {
  const [chosen, setChosen] = useState('');
  useEffect(() => { attempt('Not shown', loadBooks); }, []);
  const all = books.value;
  const busy = all.find((each) => each.asks.length || each.bids.length || each.trades.length);
  const book = all.find((each) => each.market === chosen) ?? all.find((each) => each.market === subject.value) ?? busy ?? all[0];
  if (!book) return null;
  const [asks, bids] = [book.asks.slice(0, 12), book.bids.slice(0, 12)];
  const most = Math.max(...[...asks, ...bids].map((level) => Number(level.volume)), 1e-12);
  const quotes = asks.length + bids.length > 0;
  return (
    <div class="stack">
      <div class="row">
        <select aria-label="Market" value={book.market} onChange={(event) => setChosen(event.currentTarget.value)}>{all.map((each) => <option value={each.market}>{each.market}</option>)}</select>
        {(quotes || book.last !== null) && <button disabled={subject.value === book.market} onClick={() => { subject.value = book.market; }}>Show in the chart</button>}
      </div>
      {!isVenue && <MakerRow market={book.market} last={book.last} />}
      {quotes && (
        <ul class="plain book" aria-label="Depth">
          <li class="level heads soft"><span>price</span><span>volume</span><span>orders</span></li>
          <Side levels={asks} of="ask" most={most} />
          <li class="level last"><b class="num">{book.last === null ? 'nothing traded yet' : dollars(book.last)}</b></li>
          <Side levels={bids} of="bid" most={most} />
        </ul>
      )}
      {!quotes && <p class="soft">There are no orders in {book.market.toUpperCase()}.</p>}
      <h3>Trades</h3>
      {book.trades.length === 0 && <p class="soft">None.</p>}
      <ul class="plain book trades">{book.trades.map((trade) => <li key={trade.id} class={`level ${trade.taker === 'buy' ? 'bid' : 'ask'}`}><span class="num">{dollars(trade.price)}</span><span class="num">{trade.volume}</span><time class="num soft">{clock(trade.at)}</time><span class="unseen">{trade.taker}</span></li>)}</ul>
    </div>
  );
}

const FIRST_PRICES: Record<string, string> = { btc: '60000', eth: '3000', usdc: '1' };

/** A seeded market maker: it quotes both sides, and another member trades with it. */
function MakerRow({ market, last }: { market: string; last: string | null }) {
  const [all, setAll] = useState<MarketMaker[]>([]);
  const path = '/sandbox/tanx/market-maker';
  const take = useMemo(() => inOrder<{ marketMakers: MarketMaker[] }>(({ marketMakers }) => setAll(marketMakers)), []);
  useEffect(() => { take.from(() => ask('GET', path)).catch(() => undefined); }, [tick.value]);
  const maker = all.find((each) => each.market === market);
  const does = async (what: string, method: string, at: string, body?: unknown) => {
    if (await attempt(what, () => take.from(() => ask(method, at, body)))) refreshBooks().catch(() => undefined);
  };
  const start = () => does('Not started', 'POST', path, { market, price: last ?? FIRST_PRICES[market.replace(/usd[ct]$/, '')] ?? '1', volume: '0.2' });
  const stop = () => does('Not stopped', 'DELETE', `${path}?market=${market}`);
  return (
    <div class="row">
      {maker ? <><button onClick={stop}>Stop the market maker</button><span class="soft">around <span class="num">{dollars(maker.price)}</span>, round <span class="num">{maker.rounds}</span></span></> : <button onClick={start}>Start a market maker</button>}
    </div>
  );
}
