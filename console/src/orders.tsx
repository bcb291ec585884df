// The orders of all families, and one of them with its timeline and why it waits.
import { batch, computed, signal } from '@preact/signals';
import { isVenue, shownAt } from './api';
import { useDraft } from './draft';
import { amount, clock, date, dollars, short, span, words } from './format';
import { asPytest, hasTerms } from './pytest';
import { attempt, changeOrder, connection, decimals, detail, happened, isResting, loaded, makers, moreOfBooks, moreOrders, now, olderRequests, orders, refusal, requests, seek, select, selected, sorted, symbol, tick, toast } from './store';
import type { Leg, Order, OrderEvent } from './types';
import { Virtual } from './virtual';
import { canAmend, canCancel, ROLE, signOf, whyFixed } from './lines';
import { why } from './why';
import { useFocusOfRow } from './focus';
import { isPhone } from './width';
import { Teach } from './teach';

const filter = signal<'resting' | 'all'>('resting');
const family = signal<string>('');
const search = signal('');

/** A market maker's quotes are in the books: among the orders they would come and go each second. */
const isQuote = (order: Order): boolean => order.account !== undefined && makers.value.has(order.account) && String(order.id) !== selected.value;

/** What still happens by itself, or is its wallet's to bring to an end. */
const isWaiting = (order: Order): boolean => isResting(order) || order.state === 'pending_withdraw';

/** A market maker's quotes are among the orders of the books alone. */
const isOfFamily = (order: Order): boolean => (family.value ? order.family === family.value : !isQuote(order));

const shown = computed(() => {
  const text = search.value.trim().toLowerCase();
  return sorted.value.filter((order) =>
    (filter.value === 'all' || isWaiting(order) || String(order.id) === selected.value)
    && isOfFamily(order)
    && (!text || `${order.id} ${order.wallet ?? order.account ?? ''} ${order.market ?? ''} ${symbol(order.inputMint)}/${symbol(order.outputMint)}`.toLowerCase().includes(text)));
});

export function kindOf(order: Order): string {
  if (order.family === 'trigger') return order.legs?.[0]?.trailingBps !== undefined ? 'trailing' : order.orderType ?? 'trigger';
  return order.family;
}

export function pairOf(order: Order): string {
  return order.market ? order.market.toUpperCase() : `${symbol(order.inputMint)} › ${symbol(order.outputMint)}`;
}

function sizeOf(order: Order): string {
  if (order.family === 'book') return `${order.side} ${order.volume}`;
  return amount(order.amount ?? order.makingAmount, decimals(order.inputMint));
}

function atOf(order: Order): string {
  if (order.legs) return order.legs.map((leg) => `${signOf(leg)} ${dollars(leg.triggerPriceUsd)}`).join('  ');
  if (order.family === 'book') return order.price ? dollars(order.price) : 'market';
  if (order.rounds) return `${order.roundsFilled} of ${order.rounds} rounds`;
  if (order.family === 'limit') return order.takingAmount ? `for ${amount(order.takingAmount, decimals(order.outputMint))} ${symbol(order.outputMint)}` : '';
  if (order.cycleSeconds) return `each ${span(order.cycleSeconds * 1000)}`;
  return '';
}

function State({ state }: { state: string }) {
  return <span class={`state s-${state}`}>{words(state)}</span>;
}

function Row({ order }: { order: Order }) {
  const id = String(order.id);
  void tick.value;
  return (
    <button data-row data-order={id} class="order-row" aria-pressed={selected.value === id} onClick={() => select(id)}>
      <span class={`kind k-${kindOf(order)}`}>{kindOf(order)}</span>
      <span class="pair">{pairOf(order)}</span>
      <span class="num size">{sizeOf(order)}</span>
      <span class="num at">{atOf(order)}</span>
      <State state={order.state} />
      <span class="why" title={why(order) ?? ''}>{why(order) ?? ''}</span>
      <span class="num soft id">{short(id)}</span>
    </button>
  );
}

/** What the lists do not have is asked for. */
async function seekIt(): Promise<void> {
  const text = search.value.trim();
  const found = await attempt('Not looked for', () => seek(text));
  if (found) showAll(text);
  else if (found === false) toast(`No order has this id, and no order is of this wallet: ${short(text)}`, true);
}

const showAll = (text = ''): void => batch(() => { filter.value = 'all'; family.value = ''; search.value = text; });

export function Orders() {
  const rows = shown.value;
  const all = sorted.value.filter((each) => !isQuote(each)).length;
  const counted = sorted.value.filter(isOfFamily);
  const open = counted.filter(isWaiting).length;
  const more = (family.value === 'book' ? moreOfBooks : moreOrders).value && '+';
  const text = search.value.trim();
  const narrowed = text !== '' || family.value !== '';
  return (
    <section class="panel orders" aria-labelledby="orders-title">
      <header class="panel-head">
        <h2 id="orders-title">Orders <span class="count">{counted.length}{more}</span></h2>
        <div class="segmented" role="group" aria-label="Which orders">
          <button aria-pressed={filter.value === 'resting'} onClick={() => { filter.value = 'resting'; }}>Waiting <span class="count">{open}{more}</span></button>
          <button aria-pressed={filter.value === 'all'} onClick={() => { filter.value = 'all'; }}>All</button>
        </div>
        <select aria-label="Family" value={family.value} onChange={(event) => { family.value = event.currentTarget.value; }}>
          <option value="">all families</option>
          {['trigger', 'dca', 'book', 'limit', 'recurring'].map((each) => <option value={each}>{each}</option>)}
        </select>
        <input type="search" placeholder="id, wallet, pair" aria-label="Find an order" value={search.value} onInput={(event) => { search.value = event.currentTarget.value; }}
          onKeyDown={(event) => { if (event.key === 'Enter' && text && !rows.length) void seekIt(); }} />
      </header>
      {rows.length > 0 && <div class="titles" aria-hidden="true"><span>kind</span><span>pair</span><span class="size">size</span><span>at</span><span>state</span><span>why not yet</span><span class="id">id</span></div>}
      <Virtual rows={rows} height={isPhone.value ? 52 : 34} label="Orders" keyOf={(order) => String(order.id)} render={(order) => <Row order={order} />}
        empty={!loaded.value ? <NotLoaded /> : all === 0 && !text ? (isVenue ? <p class="soft">No order was placed at this venue yet.</p> : <Teach />) : <None text={text} of={`${all}${moreOrders.value ? '+' : ''}`} narrowed={narrowed} />} />
    </section>
  );
}

/** The lists have no such order, but the venue may. */
function None({ text, of, narrowed }: { text: string; of: string; narrowed: boolean }) {
  return (
    <p class="soft">
      {narrowed ? 'None of these.' : 'Nothing waits.'} <button class="link" onClick={() => showAll()}>Show all {of}</button>
      {text && <> <button class="link" onClick={seekIt}>Ask the venue for it</button></>}
    </p>
  );
}

/** Whether there are orders is not known. */
function NotLoaded() {
  if (refusal.value) return <p class="soft" role="alert">The venue does not show itself to this page: {refusal.value}</p>;
  return <p class="soft">{connection.value === 'lost' ? 'The venue does not answer.' : 'Loading…'}</p>;
}

// --- one order

const FIELD = { trigger: 'triggerPriceUsd', take_profit: 'tpPriceUsd', stop_loss: 'slPriceUsd' } as const;

export function fieldOf(leg: Leg): string {
  return FIELD[leg.role];
}

export async function amend(order: Order, body: Record<string, unknown>): Promise<boolean> {
  const done = await changeOrder('Not amended', 'PATCH', order.id, body);
  if (done) toast('Amended');
  return done;
}

export async function cancel(order: Order): Promise<boolean> {
  const done = await changeOrder('Not cancelled', 'DELETE', order.id);
  if (done) toast(order.family === 'book' ? 'Cancelled' : 'Cancelled: nothing fills any more, its wallet withdraws');
  return done;
}

export async function copy(text: string, what: string): Promise<void> {
  await attempt('Not copied', async () => {
    if (!isSecureContext) throw new Error('a browser lets no page copy that came by HTTP from another machine');
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`);
  });
}

function LegEditor({ order, leg, armed }: { order: Order; leg: Leg; armed: boolean }) {
  const trails = leg.trailingBps !== undefined;
  const current = trails ? String(leg.trailingBps) : leg.triggerPriceUsd;
  const typed = useDraft();
  const { text } = typed;
  const name = `${ROLE[leg.role]}${trails ? ', trailing basis points' : ', price in dollars'}`;
  const send = async (event: Event) => {
    event.preventDefault();
    if (text === null || text === current) return;
    if (await amend(order, trails ? { trailingBps: Number(text) } : { [fieldOf(leg)]: text })) typed.sent(text);
  };
  const fixed = !canAmend(order);
  return (
    <form class={`leg ${armed ? '' : 'unarmed'}`} onSubmit={send}>
      <span class={`dot r-${trails ? 'trailing' : leg.role}`} aria-hidden="true" />
      <span>{leg.role === 'trigger' && order.orderType !== 'otoco' ? (trails ? 'trails' : 'triggers') : ROLE[leg.role]} {signOf(leg)}</span>
      {isVenue ? <b class="num">{dollars(leg.triggerPriceUsd)}</b> : <input class="num" aria-label={name} value={text ?? current} disabled={fixed} inputMode="decimal" onInput={(event) => typed.type(event.currentTarget.value)} />}
      {trails && <span class="soft num">bps behind {dollars(leg.watermarkUsd)}: {dollars(leg.triggerPriceUsd)}</span>}
      {!fixed && text !== null && text !== current && <button class="primary small" aria-label={`Amend ${name}`}>Amend</button>}
      {!armed && <span class="soft">waits for its entry</span>}
    </form>
  );
}

/** What happens, as the venue's log has it, while no order is chosen. */
function Happened() {
  if (!loaded.value) return null;
  if (happened.value.length === 0) return <div class="empty"><p class="soft">Nothing has happened yet. What happens to orders appears here, and the order that you choose.</p></div>;
  return (
    <section class="happened requests" aria-labelledby="happened-title">
      <h2 id="happened-title">What happens</h2>
      <Virtual rows={happened.value} height={54} label="Events" empty={null} keyOf={(each) => `${each.family}:${each.seq}:${each.n}`} render={(each) => <HappenedRow event={each} />} />
    </section>
  );
}

function HappenedRow({ event }: { event: OrderEvent }) {
  const order = orders.value.get(String(event.orderId));
  return (
    <button data-row onClick={() => select(String(event.orderId))}>
      <time class="num soft" title={date(event.told.at)}>{clock(event.told.at)}</time>
      <span class={`kind k-${order ? kindOf(order) : event.family}`}>{order ? kindOf(order) : event.family}</span>
      <b class={`e-${event.event}`}>{words(event.event)}</b>
      <p title={event.told.reason ?? undefined}>{event.told.reason ?? (order ? pairOf(order) : short(event.orderId))}</p>
    </button>
  );
}

/** Nothing of it remains in its vault, and that says nothing of what was sold. */
const HOLDING_NONE = ['pending', 'depositing', 'failed', 'deposit_failed', 'cancelled'];
const isGivenBack = ({ family, state }: Order) => (family === 'trigger' || family === 'dca') && HOLDING_NONE.includes(state);

export function OrderDetail() {
  const order = detail.value;
  void tick.value;
  useFocusOfRow(order && String(order.id), 'data-order', '#tab-order');
  if (!order) {
    return selected.value ? <div class="empty"><p class="soft">Loading…</p></div> : <Happened />;
  }
  const id = String(order.id);
  const waits = why(order);
  const [mine, other] = [order.wallet ? 'wallet' : 'account', order.wallet ?? order.account];
  const asked = requests.value.filter((each) => each.orderId === id).length;
  const whole = BigInt(order.amount ?? 0), done = order.remaining && !isGivenBack(order) ? whole - BigInt(order.remaining) : 0n;
  return (
    <article class="detail" aria-label={`Order ${id}`}>
      <header>
        <h2 tabIndex={-1}><span class={`kind k-${kindOf(order)}`}>{kindOf(order)}</span> {pairOf(order)}</h2>
        <State state={order.state} />
        <button class="icon" aria-label="Close the order" onClick={() => select(null)}>×</button>
      </header>
      {waits && <p class="why-not"><b>Why not yet?</b> {waits}</p>}
      {order.legs && <div class="legs">{order.legs.map((leg, number) => <LegEditor key={`${id}:${number}`} order={order} leg={leg} armed={order.armedLegs?.includes(number) ?? true} />)}</div>}
      <dl>
        <dt>id</dt><dd><button class="link num" title="Copy" onClick={() => copy(id, 'Id')}>{id}</button></dd>
        {other && <><dt>{mine}</dt><dd><button class="link num" title="Copy" onClick={() => copy(other, 'Address')}>{short(other)}</button></dd></>}
        {order.amount && <><dt>sells</dt><dd class="num">{amount(order.amount, decimals(order.inputMint))} {symbol(order.inputMint)}{done > 0n && <span class="soft"> · {done * 100n < whole ? 'less than 1' : String((done * 100n) / whole)} % done</span>}</dd></>}
        {order.received && order.received !== '0' && <><dt>received</dt><dd class="num">{amount(order.received, decimals(order.outputMint))} {symbol(order.outputMint)}</dd></>}
        {order.rounds !== undefined && <><dt>rounds</dt><dd class="num">{order.roundsFilled} of {order.rounds}, every {span((order.intervalSeconds ?? 0) * 1000)}</dd></>}
        {order.family === 'book' && <><dt>{order.side}</dt><dd class="num">{order.volume} at {order.price ?? 'market'}{order.stopPrice ? `, stop ${order.stopPrice}` : ''} · {order.executed} done</dd></>}
        {order.makingAmount && <><dt>makes</dt><dd class="num">{amount(order.makingAmount, decimals(order.inputMint))} {symbol(order.inputMint)} for {amount(order.takingAmount, decimals(order.outputMint))} {symbol(order.outputMint)}</dd></>}
        {order.expiresAt && <><dt>expires</dt><dd class="num">{date(order.expiresAt)} {clock(order.expiresAt)}{isResting(order) && <span class="soft"> · in {span(order.expiresAt - now())}</span>}</dd></>}
        {asked > 0 && <><dt>requests</dt><dd class="num">{asked}{olderRequests.value && '+'}</dd></>}
      </dl>
      {order.cycleSeconds !== undefined && <p class="soft">Sells {amount(order.amountPerCycle, decimals(order.inputMint))} {symbol(order.inputMint)} every {span(order.cycleSeconds * 1000)}.</p>}
      {isResting(order) && !isVenue && !canAmend(order) && <p class="soft fixed-why">{whyFixed(order)}.</p>}
      <div class="row">
        {canCancel(order) && <button class="danger" onClick={() => cancel(order)}>Cancel order</button>}
        {!isVenue && hasTerms(order) && <button onClick={() => copy(asPytest(order), 'Test')}>Copy as pytest</button>}
        <button onClick={() => copy(`curl -s ${isVenue ? "-H \"x-api-key: $API_KEY\" " : ''}${location.origin}${shownAt(`/orders/${id}`)}`, 'Command')}>Copy as curl</button>
      </div>
      <h3>What happened</h3>
      <ol class="timeline">
        {[...(order.timeline ?? [])].reverse().map((entry) => (
          <li class={`e-${entry.event}`}>
            <div><b>{words(entry.event)}</b><time class="num soft">{date(entry.at) !== date(now()) && `${date(entry.at)} `}{clock(entry.at, true)}</time></div>
            {entry.reason && <p>{entry.reason}</p>}
            <p class="soft num">{entry.seq !== undefined && <>seq {entry.seq} · </>}{words(entry.cause)}{entry.txSignature && <> · <button class="link" title="Copy the signature" onClick={() => copy(entry.txSignature ?? '', 'Signature')}>tx {short(entry.txSignature)}</button></>}</p>
          </li>
        ))}
      </ol>
    </article>
  );
}
