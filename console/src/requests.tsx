// What bots asked of the venue, live, and what it answered.
import { computed, signal } from '@preact/signals';
import { ask } from './api';
import { inOrder } from './asking';
import { useFocusOfRow } from './focus';
import { clock, short, took, words } from './format';
import { copy } from './orders';
import { attempt, olderRequests, opened, orders, requests, select, selected } from './store';
import type { RequestDetail, RequestSummary } from './types';
import { Virtual } from './virtual';

const only = signal<'all' | 'refused' | 'order'>('all');

const shown = computed(() => requests.value.filter((each) =>
  only.value === 'all' || (only.value === 'refused' ? (each.status ?? 0) >= 400 || each.cut : each.orderId !== null && each.orderId === selected.value)));

const grade = (request: RequestSummary): string => (request.cut ? 'cut' : (request.status ?? 0) >= 500 ? 'bad' : (request.status ?? 0) >= 400 ? 'warn' : 'good');

const show = inOrder<RequestDetail>((found) => { opened.value = found; });

function open(request: RequestSummary): void {
  void attempt('Not shown', () => show.from(() => ask<RequestDetail>('GET', `/sandbox/requests/${request.number}`)));
}

function Row({ request }: { request: RequestSummary }) {
  return (
    <button data-row data-request={request.number} class="request-row" aria-pressed={opened.value?.number === request.number} onClick={() => open(request)}>
      <time class="num soft">{clock(request.at)}</time>
      <b class={`status ${grade(request)}`}>{request.cut ? 'cut' : request.status ?? '–'}</b>
      <span class="method">{request.method}</span>
      <span class="path"><bdi>{request.path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/gi, (id) => `…${id.slice(-6)}`)}</bdi></span>
      <span class="num soft">{took(request.microseconds)}</span>
    </button>
  );
}

export function Requests() {
  useFocusOfRow(opened.value && String(opened.value.number), 'data-request', '#tab-requests');
  if (opened.value) return <Detail request={opened.value} />;
  return (
    <section class="requests" aria-label="Requests">
      <div class="segmented" role="group" aria-label="Which requests">
        <button aria-pressed={only.value === 'all'} onClick={() => { only.value = 'all'; }}>All <span class="count">{requests.value.length}{olderRequests.value && '+'}</span></button>
        <button aria-pressed={only.value === 'refused'} onClick={() => { only.value = 'refused'; }}>Refused</button>
        <button aria-pressed={only.value === 'order'} disabled={!selected.value} onClick={() => { only.value = 'order'; }}>Of the order</button>
      </div>
      <Virtual rows={shown.value} height={28} label="Requests" keyOf={(each) => String(each.number)} render={(each) => <Row request={each} />}
        empty={<p class="soft">{only.value === 'all' ? 'No request yet. What your bot asks of the order APIs appears here as it happens.' : 'None of these.'}</p>} />
    </section>
  );
}

function Detail({ request }: { request: RequestDetail }) {
  const known = request.orderId !== null && orders.value.has(request.orderId);
  return (
    <article class="detail" aria-label={`Request ${request.number}`}>
      <header>
        <h2 tabIndex={-1}><b class={`status ${grade(request)}`}>{request.cut ? 'cut' : request.status}</b> {request.method} <span class="soft num">#{request.number}</span></h2>
        <button class="icon" aria-label="Back to the requests" onClick={() => { opened.value = null; }}>×</button>
      </header>
      <p class="path-full"><code>{request.path}{request.query && `?${request.query}`}</code></p>
      <p class="soft num">{clock(request.at, true)} · {took(request.microseconds)}{request.cut && ' · the answer was cut after its commit'}</p>
      {request.altered && (
        <div class="why-not"><b>What was signed is not what was built</b>
          <dl>{Object.entries(request.altered).map(([name, what]) => <><dt>{words(name)}</dt><dd class="wrap">{Array.isArray(what) ? what.join(' · ') : String(what)}</dd></>)}</dl>
        </div>
      )}
      <div class="row">
        <button onClick={() => copy(request.curl, 'Command')}>Copy as curl</button>
        {known && <button onClick={() => select(request.orderId)}>Show order {short(request.orderId)}</button>}
      </div>
      {request.body !== null && <><h3>Asked</h3><pre tabIndex={0}>{text(request.body)}</pre></>}
      <h3>Answered</h3><pre tabIndex={0}>{text(request.answer)}</pre>
    </article>
  );
}

function text(body: unknown): string {
  return typeof body === 'string' ? body : JSON.stringify(body, null, 2);
}
