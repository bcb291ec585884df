// Race a cancel: a crossing price and a cancel in the same instant, judged by the journal and proved by the chain.
import { signal } from '@preact/signals';
import { ask, Refused, rpc } from './api';
import { amount, short, took } from './format';
import { sandbox, select } from './store';
import type { Order, Sandbox, TimelineEntry } from './types';
import { type Cancelling, USDC, Wallet } from './wallet';

const SYMBOL = 'RACE';
const DECIMALS = 6;
const START = 100;
const HEAD_START_MS_MAX = 40;
const UNITS = '1000000';

interface Proof { signature: string; slot: number; err: unknown; delta: string; closed: boolean }
interface Race {
  id: string; winner: 'cancel' | 'fill'; verdict: string; ahead: number; cancelled: string;
  cancelMs: number; priceMs: number; timeline: TimelineEntry[]; proof: Proof | null; conserved: boolean;
}

export const races = signal<readonly Race[]>([]);
export const running = signal<string | null>(null);
const problem = signal<string | null>(null);

async function token(): Promise<string> {
  const of = (state: Sandbox | null): string | undefined => state?.tokens.find((each) => each.symbol === SYMBOL)?.mint;
  const known = of(sandbox.value);
  if (known) return known;
  const state = await ask<Sandbox>('POST', '/sandbox/tokens', { symbol: SYMBOL, decimals: DECIMALS, price: String(START) });
  return of(state)!;
}

interface Timed<T> { value?: T; error?: unknown; ms: number }

async function timed<T>(doing: Promise<T>): Promise<Timed<T>> {
  const began = performance.now();
  try { const value = await doing; return { value, ms: performance.now() - began }; } catch (error) { return { error, ms: performance.now() - began }; }
}

async function proof(signature: string | undefined, wallet: string, mint: string, account: string | undefined): Promise<Proof | null> {
  if (!signature) return null;
  type Balance = { owner?: string; mint: string; uiTokenAmount: { amount: string } };
  const landed = await rpc<{ slot: number; meta: { err: unknown; preTokenBalances: Balance[]; postTokenBalances: Balance[] } } | null>(
    'getTransaction', signature, { encoding: 'json', maxSupportedTransactionVersion: 0 });
  if (!landed) return null;
  const held = (all: Balance[], of: string): bigint => all.filter((each) => each.owner === wallet && each.mint === of).reduce((sum, each) => sum + BigInt(each.uiTokenAmount.amount), 0n);
  const changes = [mint, USDC].map((of) => ({ of, change: held(landed.meta.postTokenBalances, of) - held(landed.meta.preTokenBalances, of) })).filter(({ change }) => change > 0n);
  const delta = changes.map(({ of, change }) => `+${amount(change.toString(), DECIMALS)} ${of === mint ? SYMBOL : 'USDC'}`).join(', ');
  const there = account ? await rpc<{ value: unknown }>('getAccountInfo', account, { encoding: 'base64' }) : { value: null };
  return { signature, slot: landed.slot, err: landed.meta.err, delta, closed: there.value === null };
}

async function race(): Promise<void> {
  running.value = 'A new wallet gets 1 RACE, and an order to sell it at 101.';
  const mint = await token();
  await ask('PUT', '/sandbox/prices', { [mint]: String(START) });
  const wallet = await Wallet.make();
  await wallet.fund('SOL', '100000000');
  await wallet.fund(mint, UNITS);
  const { now } = await ask<Sandbox>('GET', '/sandbox');
  const id = await wallet.place({
    orderType: 'single', inputMint: mint, outputMint: USDC, inputAmount: UNITS, triggerMint: mint,
    triggerCondition: 'above', triggerPriceUsd: START + 1, expiresAt: now + 3_600_000,
  });
  running.value = 'The price crosses, and the cancel is sent.';
  // A price has more to do than a cancel: with a head start of a few milliseconds, either may win.
  const ahead = Math.floor(Math.random() * HEAD_START_MS_MAX);
  const price = timed(ask('PUT', '/sandbox/prices', { [mint]: String(START + 1) }));
  if (ahead) await new Promise((resolve) => { setTimeout(resolve, ahead); });
  const [crossing, cancel]: [Timed<unknown>, Timed<Cancelling>] = await Promise.all([price, timed(wallet.cancel(id))]);
  running.value = 'The rest lands on the chain.';
  await ask('POST', '/sandbox/settle', { timeoutMs: 5000 });
  if (cancel.value) await wallet.confirm(id, cancel.value);
  const order = await ask<Order>('GET', `/sandbox/orders/${id}`);
  const timeline = order.timeline ?? [];
  const at = (event: string): TimelineEntry | undefined => timeline.find((each) => each.event === event);
  const cancelled = at('cancel_requested'), triggered = at('order_triggered'), filled = at('fill_landed'), started = at('fill_started');
  const winner = filled ? 'fill' : 'cancel';
  const verdict = filled
    ? `The fill won: its transaction was committed at sequence ${started?.seq}, ${cancelled ? `before the cancel at ${cancelled.seq}` : 'and the cancel came after it'}.`
    : triggered && triggered.seq! < cancelled!.seq!
      ? `The cancel won: the price had crossed at sequence ${triggered.seq}, but no fill was committed when the cancel came at ${cancelled!.seq}. Nothing fills after it.`
      : `The cancel won: it came at sequence ${cancelled!.seq}, before the crossing. No fill is sequenced after it.`;
  const audit = await ask<{ ok: boolean }>('GET', '/sandbox/audit');
  const last = filled ?? at('withdrawal_landed');
  const found: Race = {
    id, winner, verdict, ahead, cancelMs: cancel.ms, priceMs: crossing.ms, timeline, conserved: audit.ok,
    cancelled: cancel.value ? '200' : cancel.error instanceof Refused ? `${cancel.error.status} ${cancel.error.message}` : String(cancel.error),
    proof: await proof(last?.txSignature, wallet.address, mint, order.inputAccount),
  };
  races.value = [found, ...races.value].slice(0, 50);
  await ask('PUT', '/sandbox/prices', { [mint]: String(START) });
}

export async function go(times: number): Promise<void> {
  problem.value = null;
  try {
    for (let left = times; left > 0; left--) await race();
  } catch (error) {
    problem.value = error instanceof Error ? error.message : String(error);
  }
  running.value = null;
}

export function RacePanel() {
  const won = races.value.filter((each) => each.winner === 'cancel').length;
  const last = races.value[0];
  return (
    <div class="stack">
      <p class="soft">A wallet of this page places an order for a token of its own, then a price that crosses it and its cancel are sent, at most a blink apart. The journal says who was first, the chain what moved.</p>
      <div class="row">
        <button class="primary" disabled={running.value !== null} onClick={() => go(1)}>Race a cancel</button>
        <button disabled={running.value !== null} onClick={() => go(5)}>Five times</button>
      </div>
      <p class="soft" role="status">{running.value ?? problem.value ?? (races.value.length ? `The cancel won ${won} of ${races.value.length}, the fill ${races.value.length - won}.` : 'No race yet.')}</p>
      {last && (
        <section class={`verdict ${last.winner}`} aria-label="The last race">
          <h3>{last.winner === 'cancel' ? 'The cancel won' : 'The fill won'}</h3>
          <p>{last.verdict}</p>
          <dl>
            <dt>sent</dt><dd>{last.ahead ? <>the price, and <span class="num">{last.ahead} ms</span> later the cancel</> : 'both at once'}</dd>
            <dt>cancel</dt><dd>{last.cancelled} <span class="soft">in {took(last.cancelMs * 1000)}</span></dd>
            <dt>price</dt><dd>answered <span class="soft">in {took(last.priceMs * 1000)}</span></dd>
          </dl>
          <ol class="ledger">
            {last.timeline.filter((each) => each.seq !== undefined).map((each) => (
              <li class={/cancel|withdraw/.test(each.event) ? 'is-cancel' : /fill|trigger/.test(each.event) ? 'is-fill' : ''}>
                <b class="num">{each.seq}</b> {each.event.replace(/_/g, ' ')}
              </li>
            ))}
          </ol>
          {last.proof && (
            <dl>
              <dt>on the chain</dt><dd><code>{short(last.proof.signature)}</code> in slot <span class="num">{last.proof.slot}</span>, {last.proof.err ? 'failed' : 'no error'}</dd>
              <dt>the wallet got</dt><dd class="num">{last.proof.delta || 'nothing'}</dd>
              <dt>order's account</dt><dd>{last.proof.closed ? 'empty, and closed' : 'still there'}</dd>
              <dt>audit</dt><dd>{last.conserved ? 'deposited = filled + withdrawn + remaining' : 'DIFFERS'}</dd>
            </dl>
          )}
          <button onClick={() => select(last.id)}>Show the order</button>
        </section>
      )}
    </div>
  );
}
