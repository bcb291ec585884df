// Race a cancel: a crossing price and a cancel in the same instant, judged by the journal and proved by the chain.
import { signal } from '@preact/signals';
import { ask, Refused, rpc } from './api';
import { amount, short, took, words } from './format';
import { copy } from './orders';
import { sandbox, select } from './store';
import type { Order, Sandbox, TimelineEntry } from './types';
import { type Cancelling, USDC, Wallet } from './wallet';

const SYMBOL = 'RACE';
const DECIMALS = 6;
const START = 100;
const REACH_MS = { first: 40, least: 10, most: 200, step: 15 };
const UNITS = '1000000';
const CANCELS_MAX = 5;

/** A transaction that touched the order's account. `event`: what the journal says that it was; null: the journal knows nothing of it. */
interface Touch { signature: string; slot: number; failed: boolean; event: string | null }
interface Proof { touches: Touch[]; delta: string; closed: boolean; holds: boolean }
interface Race {
  id: string; winner: 'cancel' | 'fill'; verdict: string; ahead: number; cancelled: string;
  cancelMs: number; priceMs: number; timeline: TimelineEntry[]; proof: Proof; conserved: boolean;
}

const races = signal<readonly Race[]>([]);
export const running = signal<string | null>(null);
const problem = signal<string | null>(null);
/** Of the head start: the one that lost is helped, so that both are seen to win. */
let reach = REACH_MS.first;

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

/** All of it is asked of the chain: what ever touched the order's account, what its wallet got, and that nothing is left. */
async function proof(order: Order, wallet: string, winner: 'cancel' | 'fill'): Promise<Proof> {
  const timeline = order.timeline ?? [];
  const account = order.inputAccount!;
  const found = await rpc<{ signature: string; slot: number; err: unknown }[]>('getSignaturesForAddress', account, { limit: 50 });
  const touches = found.reverse().map(({ signature, slot, err }) => ({ signature, slot, failed: err !== null, event: timeline.find((each) => each.txSignature === signature)?.event ?? null }));
  const landed = touches.filter((each) => !each.failed).map((each) => each.event);
  const last = winner === 'fill' ? 'fill_landed' : 'withdrawal_landed';
  const gained = await gains(touches[touches.length - 1]?.signature, wallet, [order.inputMint!, order.outputMint!]);
  const { value } = await rpc<{ value: unknown }>('getAccountInfo', account, { encoding: 'base64' });
  const paid = winner === 'fill' ? gained[1]! > 0n && gained[0] === 0n : gained[0] === BigInt(order.amount!) && gained[1] === 0n;
  const told = (units: bigint, of: string): string => (units ? `${units > 0n ? '+' : ''}${amount(units.toString(), DECIMALS)} ${of}` : '');
  const delta = [told(gained[0]!, SYMBOL), told(gained[1]!, 'USDC')].filter(Boolean).join(', ');
  return { touches, delta, closed: value === null, holds: value === null && paid && landed.length === 2 && landed[0] === 'deposit_landed' && landed[1] === last };
}

/** How many units more of each mint the wallet has by this transaction. */
async function gains(signature: string | undefined, wallet: string, mints: string[]): Promise<bigint[]> {
  type Balance = { owner?: string; mint: string; uiTokenAmount: { amount: string } };
  const landed = signature && await rpc<{ meta: { preTokenBalances: Balance[]; postTokenBalances: Balance[] } } | null>('getTransaction', signature, { encoding: 'json', maxSupportedTransactionVersion: 0 });
  if (!landed) return mints.map(() => 0n);
  const held = (all: Balance[], of: string): bigint => all.filter((each) => each.owner === wallet && each.mint === of).reduce((sum, each) => sum + BigInt(each.uiTokenAmount.amount), 0n);
  return mints.map((of) => held(landed.meta.postTokenBalances, of) - held(landed.meta.preTokenBalances, of));
}

/** A cancel that was refused since a fill was under way is asked for again if that failed; and again, if the next one is by then. */
async function settled(wallet: Wallet, id: string, cancelling: Cancelling | undefined): Promise<Cancelling | undefined> {
  for (let left = CANCELS_MAX; ; left--) {
    await ask('POST', '/sandbox/settle', { timeoutMs: 5000 });
    if (cancelling) return cancelling;
    if ((await ask<Order>('GET', `/sandbox/orders/${id}`)).state === 'filled') return undefined;
    cancelling = await wallet.cancel(id).catch((refused: unknown) => {
      if (!(refused instanceof Refused) || left === 0) throw refused;
      return undefined;
    });
    if (cancelling) return cancelling;
  }
}

async function race(): Promise<void> {
  running.value = 'A new wallet gets 1 RACE, and an order to sell it at 101.';
  const mint = await token();
  await ask('PUT', '/sandbox/prices', { [mint]: String(START) });
  await ask('PUT', '/sandbox/liquidity', { [mint]: { maxInput: null, impactBps: 0 } }); // One fill takes all of it.
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
  const ahead = Math.floor(Math.random() * reach);
  const price = timed(ask('PUT', '/sandbox/prices', { [mint]: String(START + 1) }));
  if (ahead) await new Promise((resolve) => { setTimeout(resolve, ahead); });
  const [crossing, cancel]: [Timed<unknown>, Timed<Cancelling>] = await Promise.all([price, timed(wallet.cancel(id))]);
  running.value = 'The rest lands on the chain.';
  const asked = await settled(wallet, id, cancel.value);
  if (asked) await wallet.confirm(id, asked);
  const order = await ask<Order>('GET', `/sandbox/orders/${id}`);
  const timeline = order.timeline ?? [];
  const at = (event: string): TimelineEntry | undefined => timeline.find((each) => each.event === event);
  const cancelled = at('cancel_requested'), triggered = at('order_triggered'), filled = at('fill_landed'), failed = at('fill_failed');
  const tries = timeline.filter((each) => each.event === 'fill_started');
  const started = filled ? tries[tries.length - 1] : tries[0]; // One that failed is made again.
  const winner = filled ? 'fill' : 'cancel';
  const verdict = filled
    ? `The fill won: its transaction was committed at sequence ${started?.seq}, ${cancelled ? `before the cancel at ${cancelled.seq}` : 'and the cancel came after it'}.`
    : failed
      ? `The cancel won: the fill that was committed at sequence ${started?.seq ?? failed.seq} failed at ${failed.seq}, and the cancel came at ${cancelled!.seq}. Nothing fills after it.`
      : triggered && triggered.seq! < cancelled!.seq!
      ? `The cancel won: the price had crossed at sequence ${triggered.seq}, but no fill was committed when the cancel came at ${cancelled!.seq}. Nothing fills after it.`
      : `The cancel won: it came at sequence ${cancelled!.seq}, before the crossing. No fill is sequenced after it.`;
  const audit = await ask<{ ok: boolean }>('GET', '/sandbox/audit');
  const found: Race = {
    id, winner, verdict, ahead, cancelMs: cancel.ms, priceMs: crossing.ms, timeline, conserved: audit.ok,
    cancelled: cancel.value ? '200' : cancel.error instanceof Refused ? `${cancel.error.status} ${cancel.error.message}` : String(cancel.error),
    proof: await proof(order, wallet.address, winner),
  };
  reach = winner === 'cancel' ? Math.min(REACH_MS.most, reach + REACH_MS.step) : Math.max(REACH_MS.least, reach - REACH_MS.step);
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
          <h4>On the chain</h4>
          <p class="soft">All transactions that ever touched the order’s account:</p>
          <ol class="ledger chain">
            {last.proof.touches.map((each) => (
              <li key={each.signature} class={each.failed ? '' : /withdraw/.test(each.event ?? '') ? 'is-cancel' : /fill/.test(each.event ?? '') ? 'is-fill' : ''}>
                <b class="num">slot {each.slot}</b> {each.event ? words(each.event) : 'NOT IN THE JOURNAL'}{each.failed && ', failed'} <button class="link num" title="Copy the signature" onClick={() => copy(each.signature, 'Signature')}>{short(each.signature)}</button>
              </li>
            ))}
          </ol>
          <dl>
            <dt>the wallet got</dt><dd class="num">{last.proof.delta || 'nothing'}</dd>
            <dt>order’s account</dt><dd>{last.proof.closed ? 'empty, and closed' : 'STILL THERE'}</dd>
            <dt>audit</dt><dd>{last.conserved ? 'deposited = filled + withdrawn + remaining' : 'DIFFERS'}</dd>
          </dl>
          <p class={`proved ${last.proof.holds && last.conserved ? '' : 'not'}`}>{last.proof.holds && last.conserved ? (last.winner === 'fill' ? 'Proved: one deposit, one fill, and no withdrawal.' : 'Proved: one deposit, one withdrawal of all of it, and no fill.') : 'NOT PROVED: the chain says something else than the journal.'}</p>
          <button onClick={() => select(last.id)}>Show the order</button>
        </section>
      )}
    </div>
  );
}
