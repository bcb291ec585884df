import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { isVenue } from './api';
import { Chart } from './chart';
import { useDraft } from './draft';
import { DRAWERS, Drawer, setPrice, TITLES } from './drawers';
import { clock, dollars, plain } from './format';
import { Gate } from './gate';
import { key, useKey } from './key';
import { OrderDetail, Orders } from './orders';
import { Requests } from './requests';
import { books, connection, drawer, isMarket, now, olderRequests, opened, requests, sandbox, select, selected, shownPrice, side, subject, subjectName, tick, toasts } from './store';
import { switchTheme, theme } from './theme';

function ThemeIcon() {
  return (
    <svg class="glyph" viewBox="0 0 16 16" aria-hidden="true">
      {theme.value === 'dark' ? <><circle cx="8" cy="8" r="3" /><path d="M8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2M11.8 11.8L13 13M3 13l1.2-1.2M11.8 4.2L13 3" /></> : <path d="M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5z" />}
    </svg>
  );
}

function Head() {
  void tick.value;
  const state = sandbox.value;
  const armed = Object.values(state?.faults ?? {}).filter((each) => each !== 0 && each !== false && each !== null).length;
  return (
    <header class="head">
      <h1><svg viewBox="0 0 32 32" aria-hidden="true"><path d="M6 20h13l-4 5M26 12H13l4-5" /></svg>Countermand</h1>
      <Ticker />
      <nav aria-label="Controls">
        {DRAWERS.map((name) => (
          <button data-drawer={name} title={name === 'clock' ? TITLES[name] : undefined} class={name === 'race' ? 'race' : ''} aria-expanded={drawer.value === name} onClick={() => { drawer.value = drawer.value === name ? null : name; }}>
            {name === 'clock' && state ? <span class="num"><span class="unseen">{TITLES[name]} </span>{clock(now())}{state.clock?.mode === 'frozen' && <em>frozen</em>}</span> : name === 'wallets' ? 'Wallets' : TITLES[name]}
            {name === 'faults' && armed > 0 && <span class="badge">{armed}</span>}
          </button>
        ))}
      </nav>
      <div class="tail">
        <a href="/docs">API</a>
        {isVenue && <button onClick={() => useKey(null)}>Lock</button>}
        <button class="icon" aria-label={theme.value === 'dark' ? 'Light' : 'Dark'} onClick={switchTheme}><ThemeIcon /></button>
        <span class={`link-state ${connection.value}`} role="status"><i aria-hidden="true" />{{ live: 'live', connecting: 'connecting', lost: 'not connected' }[connection.value]}</span>
      </div>
    </header>
  );
}

/** What the chart is of, and its price, which a sandbox lets one type. */
function Ticker() {
  const draft = useDraft();
  const field = useRef<HTMLInputElement>(null);
  const send = async (event: Event) => {
    event.preventDefault();
    const { text } = draft;
    if (text !== null) await setPrice(subject.value, text);
    if (text === null || field.current?.value === text) field.current?.blur(); // Which drops what is typed.
  };
  const at = shownPrice.value;
  const shown = at === null ? '' : plain(at);
  const typed = !isVenue && !isMarket(subject.value);
  const markets = books.value.filter((each) => each.market === subject.value || each.last !== null || each.asks.length > 0 || each.bids.length > 0);
  return (
    <form class="ticker" onSubmit={send}>
      <select aria-label="What the chart shows" value={subject.value} onChange={(event) => { subject.value = event.currentTarget.value; }}>
        <optgroup label="Tokens">{(sandbox.value?.tokens ?? []).map((each) => <option value={each.mint}>{each.symbol}</option>)}</optgroup>
        {markets.length > 0 && <optgroup label="Order books">{markets.map((each) => <option value={each.market}>{each.market.toUpperCase()}</option>)}</optgroup>}
      </select>
      {typed && <span class="soft">$</span>}
      {typed ? (
        <input ref={field} class="num price" size={Math.max(8, (draft.text ?? shown).length)} aria-label={`Price of ${subjectName.value}: type another, and Enter`} inputMode="decimal" value={draft.text ?? shown}
          onFocus={(event) => event.currentTarget.select()} onInput={(event) => draft.type(event.currentTarget.value)} onBlur={draft.drop} />
      ) : <span class="num price">{at === null ? 'no price' : dollars(at)}</span>}
    </form>
  );
}

export function App() {
  return isVenue && !key.value ? <Gate /> : <Console />;
}

const TAKES_LETTERS = 'select, textarea, input:not([type="checkbox"], [type="range"], [type="file"])';

/** A venue keeps no requests: their tab is the sandbox's. */
const TABS: readonly ('order' | 'requests')[] = isVenue ? ['order'] : ['order', 'requests'];

function Console() {
  const chosen = selected.value;
  useInSight(chosen ?? opened.value?.number ?? null);
  useEffect(() => {
    const keys = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (target.matches(TAKES_LETTERS) || event.ctrlKey || event.metaKey || event.altKey) return;
      const found = { r: 'race', p: 'prices', c: 'clock', f: 'faults', l: 'liquidity', w: 'wallets', b: 'books' }[event.key];
      if (found && (DRAWERS as readonly string[]).includes(found)) { event.preventDefault(); drawer.value = drawer.value === found ? null : found; }
      else if (event.key === 'Escape' && !drawer.value && !target.dataset['line']) { if (opened.value) opened.value = null; else select(null); }
      else if (event.key === 't') switchTheme();
    };
    addEventListener('keydown', keys);
    return () => removeEventListener('keydown', keys);
  }, []);
  return (
    <>
      <Head />
      {isVenue && <Missing />}
      <main class={chosen || opened.value ? 'has-detail' : ''}>
        <Chart />
        <Orders />
        <section class="panel side" aria-label="The order, and requests">
          <div class="tabs" role="tablist" aria-label="The order, or requests">
            {TABS.map((name) => (
              <button role="tab" id={`tab-${name}`} aria-selected={side.value === name} aria-controls="side-panel" tabIndex={side.value === name ? 0 : -1} onClick={() => { side.value = name; }}
                onKeyDown={(event) => { if (TABS.length > 1 && /Arrow(Left|Right)/.test(event.key)) { side.value = name === 'order' ? 'requests' : 'order'; document.getElementById(`tab-${side.value}`)?.focus(); } }}>
                {name === 'order' ? 'Order' : <>Requests <span class="count">{requests.value.length}{olderRequests.value && '+'}</span></>}
              </button>
            ))}
          </div>
          <div id="side-panel" class="side-body" role="tabpanel" aria-labelledby={`tab-${side.value}`} tabIndex={0}>{side.value === 'order' ? <OrderDetail /> : <Requests />}</div>
        </section>
      </main>
      <Drawer />
      <div class="toasts" role="status" aria-live="polite">{toasts.value.map((each) => <p key={each.id} class={each.bad ? 'bad' : ''}>{each.text}</p>)}</div>
    </>
  );
}

/** On a phone what is chosen is shown above the chart, and its list may be a screen below. What is closed leaves the page as it was. */
function useInSight(chosen: string | number | null): void {
  const before = useMemo(() => scrollY, [chosen]); // Before the page gets shorter.
  useLayoutEffect(() => {
    if (chosen === null || !matchMedia('(max-width: 1020px)').matches) return;
    document.querySelector('.panel.side')?.scrollIntoView();
    return () => scrollTo(0, before);
  }, [chosen]);
}

/** Why orders do not fill at this venue, if it lacks something. */
function Missing() {
  const missing = sandbox.value?.missing ?? [];
  if (missing.length === 0) return null;
  return <section class="missing" aria-label="What this venue lacks"><ul>{missing.map((each) => <li key={each}>{each}</li>)}</ul></section>;
}
