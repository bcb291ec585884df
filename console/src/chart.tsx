// The price, and every order that rests on it: a line that can be dragged to amend, or cancelled.
import { computed, effect, signal } from '@preact/signals';
import { AreaSeries, createChart, createSeriesMarkers, type IChartApi, type ISeriesApi, type ISeriesMarkersPluginApi, LineType, type Time, type UTCTimestamp } from 'lightweight-charts';
import { useEffect, useRef } from 'preact/hooks';
import { isVenue } from './api';
import { clock, decimalsOf, dollars, rounded, span, tickOf } from './format';
import { awayOf, canAmend, canCancel, type Line, linesOf, whyFixed } from './lines';
import { amend, cancel, fieldOf, kindOf, pairOf } from './orders';
import { isResting, type Mark, marks, now, orders, points, price, sandbox, select, selected, subject, subjectName, tick } from './store';
import { theme } from './theme';
import type { Order } from './types';

const HANDLES_MAX = 36;
const LINES_MAX = 400;
const REACH = 0.35;
const CHIP_PX = 25; // So that each can be hit: 24 pixels, and one between.
const ROUNDS_MAX = 4;

/** `at`: where its handle is, since handles do not lie on each other. */
interface Placed extends Line { y: number; at: number; column: number }
interface Pair { key: string; kind: string; x: number; ys: number[] }

/** Of the orders that rest, those of the token or market of the chart. */
const resting = computed<readonly Line[]>(() => [...orders.value.values()].flatMap(linesOf));

/** The nearest to the price first. */
const lines = computed<readonly Line[]>(() => {
  const at = price.value;
  return [...resting.value].sort((a, b) => Math.abs(a.price - at) - Math.abs(b.price - at));
});

const placed = signal<readonly Placed[]>([]);
const hairlines = signal<readonly Placed[]>([]);
const pairs = signal<readonly Pair[]>([]);
const trails = signal<readonly { key: string; from: number; to: number }[]>([]);
const beyond = signal({ above: 0, below: 0, crowded: 0 });
const dragging = signal<{ key: string; price: number } | null>(null);

let chart: IChartApi | null = null;
let series: ISeriesApi<'Area'> | null = null;
let markers: ISeriesMarkersPluginApi<Time> | null = null;
let width = 0;
/** How wide the scale of prices is, left of which everything else ends. */
const scale = signal(64);

/** Puts the lines where their prices are. */
function layOut(): void {
  const known = series;
  if (!known || !chart) return;
  const height = chart.paneSize().height;
  scale.value = chart.priceScale('right').width();
  const at = price.peek();
  const moved = dragging.peek();
  const near: Placed[] = [];
  const count = { above: 0, below: 0, crowded: 0 };
  const watermarks: { key: string; from: number; to: number }[] = [];
  const active = document.activeElement instanceof HTMLElement ? document.activeElement.dataset['line'] : undefined;
  for (const line of lines.peek()) {
    const value = moved?.key === line.key ? moved.price : line.price;
    const exact = known.priceToCoordinate(value);
    const isHeld = line.key === moved?.key || line.key === active; // It stays at the edge: a handle that went would let go of it.
    const y = isHeld && exact !== null ? Math.min(Math.max(exact, 8), height - 8) : exact;
    if (y === null || y < 8 || y > height - 8) {
      if (at > 0) count[value > at ? 'above' : 'below'] += 1;
      continue;
    }
    near.push({ ...line, price: value, shown: moved?.key === line.key ? value : line.shown, y, at: y, column: 0 });
    if (line.leg?.watermarkUsd) {
      const from = known.priceToCoordinate(Number(line.leg.watermarkUsd));
      if (from !== null) watermarks.push({ key: line.key, from, to: y });
    }
  }
  const keep = (line: Placed): boolean => line.key === active || line.key === moved?.key || String(line.order.id) === selected.peek();
  const most = Math.min(HANDLES_MAX, Math.max(4, Math.floor((height - CHIP_PX) / CHIP_PX)));
  const handled = near.filter((line, index) => index < most || keep(line)).sort((a, b) => a.y - b.y);
  count.crowded = near.length - handled.length;
  const columns = Math.max(1, Math.ceil((handled.length * CHIP_PX) / (height - CHIP_PX)));
  handled.forEach((line, index) => { line.column = index % columns; });
  for (let column = 0; column < columns; column++) apart(handled.filter((line) => line.column === column), height);
  const byOrder = new Map<string, Placed[]>();
  for (const line of handled) byOrder.set(String(line.order.id), [...(byOrder.get(String(line.order.id)) ?? []), line]);
  let lane = 0;
  pairs.value = [...byOrder].filter(([, all]) => all.length > 1).slice(0, 12).map(([key, all]) => ({ key, kind: kindOf(all[0]!.order), x: 14 + 12 * (lane++ % 10), ys: all.map((each) => each.y) }));
  trails.value = watermarks.slice(0, 60);
  placed.value = handled;
  hairlines.value = near.slice(0, LINES_MAX).filter((line) => !handled.includes(line));
  beyond.value = count;
}

/** Moves the handles of one column as little as it takes to keep them off each other: neighbours that meet move together. */
function apart(column: Placed[], height: number): void {
  const groups: { lines: Placed[]; top: number }[] = [];
  for (const line of column) {
    let group = { lines: [line], top: line.y };
    for (let before = groups[groups.length - 1]; before && before.top + before.lines.length * CHIP_PX > group.top; before = groups[groups.length - 1]) {
      groups.pop();
      const lines = [...before.lines, ...group.lines];
      const top = lines.reduce((sum, each, index) => sum + each.y - index * CHIP_PX, 0) / lines.length;
      group = { lines, top };
    }
    group.top = Math.min(Math.max(group.top, 12), Math.max(12, height - 12 - (group.lines.length - 1) * CHIP_PX));
    groups.push(group);
  }
  for (const { lines, top } of groups) lines.forEach((line, index) => { line.at = top + index * CHIP_PX; });
}

let due = false;
function layOutSoon(): void {
  if (due) return;
  due = true;
  requestAnimationFrame(() => { due = false; layOut(); });
}

/** Fills of one second and side are one mark. */
function together(all: readonly Mark[]): Mark[] {
  const found = new Map<string, { mark: Mark; count: number }>();
  for (const mark of [...all].sort((a, b) => a.at - b.at)) {
    const key = `${Math.floor(mark.at / 1000)}${mark.rises}`;
    const known = found.get(key);
    if (known) known.count += 1; else found.set(key, { mark, count: 1 });
  }
  return [...found.values()].map(({ mark, count }) => (count === 1 ? mark : { ...mark, text: `${count} fills` }));
}

const seconds = (at: number): UTCTimestamp => (at / 1000) as UTCTimestamp;

/** The history as steps, so that time passes evenly though prices come as they like. */
function evenly(all: readonly { at: number; price: number }[], until: number): { time: UTCTimestamp; value: number }[] {
  if (all.length === 0) return [];
  const begin = Math.min(all[0]!.at, until);
  const step = Math.max(1000, Math.ceil((until - begin) / 900 / 1000) * 1000);
  const found: { time: UTCTimestamp; value: number }[] = [];
  let last = -Infinity;
  const add = (at: number, value: number) => {
    if (at <= last) at = last + 1;
    last = at;
    found.push({ time: seconds(at), value });
  };
  all.forEach((point, index) => {
    add(point.at, point.price);
    const next = all[index + 1]?.at ?? until;
    for (let at = Math.ceil((point.at + 1) / step) * step; at < next; at += step) add(at, point.price);
  });
  if (until > last) add(until, all[all.length - 1]!.price);
  return found;
}

function css(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function paint(): void {
  const format = { type: 'price' as const, precision: decimalsOf(price.peek() || 1), minMove: tickOf(price.peek() || 1) };
  chart?.applyOptions({
    layout: { background: { color: 'transparent' }, textColor: css('--soft'), fontFamily: css('--mono'), fontSize: 11 },
    grid: { vertLines: { color: css('--grid') }, horzLines: { color: css('--grid') } },
    crosshair: { vertLine: { color: css('--soft'), labelBackgroundColor: css('--raised-2') }, horzLine: { color: css('--soft'), labelBackgroundColor: css('--raised-2') } },
    rightPriceScale: { borderColor: css('--line') }, timeScale: { borderColor: css('--line') },
  });
  series?.applyOptions({ lineColor: css('--price'), topColor: css('--price-area'), bottomColor: 'transparent', priceLineColor: css('--price'), priceFormat: format });
}

export function Chart() {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = box.current!;
    chart = createChart(element, {
      autoSize: true,
      // The notice and the link are below the chart: the library's own logo brings an inline style.
      layout: { attributionLogo: false },
      rightPriceScale: { scaleMargins: { top: 0.08, bottom: 0.08 } },
      timeScale: { timeVisible: true, secondsVisible: true, rightOffset: 44, barSpacing: 3, minBarSpacing: 0.2 },
      handleScroll: { vertTouchDrag: false }, // It scrolls the page, of which the chart is a third on a phone.
      handleScale: { axisPressedMouseMove: true },
      localization: { locale: 'en-US', timeFormatter: (time: Time) => new Date(Number(time) * 1000).toISOString().slice(11, 19) },
    });
    series = chart.addSeries(AreaSeries, {
      lineWidth: 2, lineType: LineType.WithSteps, lastValueVisible: true,
      autoscaleInfoProvider: (original: () => { priceRange: { minValue: number; maxValue: number } | null } | null) => {
        const base = original();
        if (!base?.priceRange) return base;
        const at = price.peek();
        let { minValue, maxValue } = base.priceRange;
        for (const line of lines.peek().slice(0, 60)) {
          if (Math.abs(line.price / at - 1) > REACH) continue;
          minValue = Math.min(minValue, line.price);
          maxValue = Math.max(maxValue, line.price);
        }
        if (maxValue - minValue < at * 0.01) { minValue -= at * 0.01; maxValue += at * 0.01; }
        return { ...base, priceRange: { minValue, maxValue } };
      },
    });
    markers = createSeriesMarkers(series, []);
    series.attachPrimitive({ updateAllViews: layOutSoon });
    const observer = new ResizeObserver(() => { width = element.clientWidth; layOutSoon(); });
    observer.observe(element);
    let firstAt = 0;
    let lastAt = 0;
    let drawn = '';
    let drawnMarks = '';
    const stops = [
      effect(() => {
        const all = points.value;
        if (drawn !== subject.value) { drawn = subject.value; lastAt = 0; }
        const from = lastAt;
        const newest = all[all.length - 1];
        if (!newest) { series?.setData([]); lastAt = 0; return; }
        const added = all.filter((point) => point.at > from);
        // A price may come before the history does.
        if (from === 0 || all[0]!.at < firstAt || all[0]!.at > from || added.length > 50) {
          const rows = evenly(all, Math.max(newest.at, now()));
          series?.setData(rows);
          firstAt = all[0]!.at;
          lastAt = Number(rows[rows.length - 1]!.time) * 1000;
          return;
        }
        for (const point of all.slice(-50)) {
          if (point.at < from - 1500) continue;
          const at = Math.max(point.at, lastAt + 1);
          if (point === newest || point.at > from) { series?.update({ time: seconds(at), value: point.price }); lastAt = at; }
        }
      }),
      effect(() => { void theme.value; void subject.value; void (price.value > 0); requestAnimationFrame(paint); }),
      effect(() => { void lines.value; void selected.value; void dragging.value; series?.applyOptions({}); layOutSoon(); }),
      effect(() => {
        const since = points.value[0]?.at ?? Infinity; // Prices of before a restart are forgotten.
        const own = together(marks.value.filter((each) => each.subject === subject.value && each.at >= since - 1000));
        const drawing = JSON.stringify([theme.value, own]);
        if (drawing === drawnMarks) return; // Prices come much faster than fills.
        drawnMarks = drawing;
        const [up, down] = [css('--up'), css('--down')];
        markers?.setMarkers(own.map((each) => ({
          time: seconds(Math.min(each.at, lastAt || each.at)), position: each.rises ? 'belowBar' as const : 'aboveBar' as const,
          shape: each.rises ? 'arrowUp' as const : 'arrowDown' as const, color: each.rises ? up : down, text: each.text, size: 1,
        })));
      }),
    ];
    const passing = setInterval(() => {
      const at = now();
      if (!lastAt || sandbox.peek()?.clock?.mode === 'frozen' || at - lastAt < 900) return;
      lastAt = at;
      series?.update({ time: seconds(at), value: price.peek() });
    }, 1000);
    return () => { clearInterval(passing); stops.forEach((stop) => stop()); observer.disconnect(); chart?.remove(); chart = series = markers = null; };
  }, []);
  return (
    <section class="panel chart-panel" aria-label={`Price of ${subjectName.value} and its orders`}>
      <div class="chart">
        <div class="chart-canvas" ref={box} aria-hidden="true" />
        <Overlay />
      </div>
      <p class="attribution">Charts by <a href="https://www.tradingview.com/" rel="noopener noreferrer" target="_blank">TradingView</a> Lightweight Charts™, © 2026 TradingView, Inc.</p>
    </section>
  );
}

function Overlay() {
  const { above, below, crowded } = beyond.value;
  return (
    <div class="overlay">
      <svg aria-hidden="true">
        {trails.value.map(({ key, from, to }) => (
          <g key={key} class="trail">
            <line x1="0" x2={Math.max(0, width - scale.value)} y1={from} y2={from} />
            <line class="gap" x1="72" x2="72" y1={from} y2={to} />
            <path d={`M68 ${to + (from < to ? -7 : 7)}L72 ${to}L76 ${to + (from < to ? -7 : 7)}`} />
          </g>
        ))}
        {hairlines.value.map((line) => <line key={line.key} class={`hair t-${line.tone}`} x1="0" x2={Math.max(0, width - scale.value)} y1={line.y} y2={line.y} />)}
        {placed.value.map((line) => <line key={line.key} class={`rule t-${line.tone} ${line.armed ? '' : 'unarmed'} ${selected.value === String(line.order.id) ? 'chosen' : ''}`} x1="0" x2={Math.max(0, width - scale.value)} y1={line.y} y2={line.y} />)}
        {placed.value.filter((line) => line.column === 0).map((line) => <line key={`to ${line.key}`} class={`lead t-${line.tone}`} x1={width - scale.value - 16} x2={width - scale.value} y1={line.at} y2={line.y} />)}
        {pairs.value.map(({ key, kind, x, ys }) => (
          <g key={key} class={`bracket b-${kind}`}>
            <line x1={x} x2={x} y1={Math.min(...ys)} y2={Math.max(...ys)} />
            {ys.map((y) => <circle cx={x} cy={y} r="3" />)}
          </g>
        ))}
      </svg>
      <ul class="handles" aria-label="Resting orders on the chart">
        {placed.value.map((line) => <Handle key={line.key} line={line} />)}
      </ul>
      {above > 0 && <span class="edge top">{above} above</span>}
      {below > 0 && <span class="edge bottom">{below} below</span>}
      <Rounds />
      {crowded > 0 && <span class="edge crowded">{crowded} more without a handle: zoom in</span>}
    </div>
  );
}

/** Orders that follow the clock have no price to be drawn at: they stand where time goes. */
function Rounds() {
  void tick.value;
  const found = [...orders.value.values()].filter((each) => isResting(each) && concerns(each) && (each.family === 'dca' || each.family === 'recurring'));
  if (found.length === 0) return null;
  const due = (order: Order): number => (order.family === 'dca' ? order.nextFillAt : order.nextCycleAt) ?? 0;
  found.sort((a, b) => due(a) - due(b));
  return (
    <ul class="rounds" aria-label="Recurring orders">
      {found.slice(0, ROUNDS_MAX).map((order) => (
        <li key={String(order.id)}>
          <button class={selected.value === String(order.id) ? 'chosen' : ''} title={`Next round at ${clock(due(order))}`} onClick={() => select(String(order.id))}>
            <svg class="glyph" viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6" /><path d="M8 4.5V8l2.5 1.5" /></svg>
            {pairOf(order)} <span class="num">{due(order) > now() ? `in ${span(due(order) - now())}` : 'due'}</span>
          </button>
        </li>
      ))}
      {found.length > ROUNDS_MAX && <li class="soft">{found.length - ROUNDS_MAX} more</li>}
    </ul>
  );
}

/** Whether the order is for the token of the chart, which dollars are in no case but their own. */
function concerns(order: Order): boolean {
  return order.inputMint === subject.value || order.outputMint === subject.value;
}

function Handle({ line }: { line: Placed }) {
  const { order, leg } = line;
  const id = String(order.id);
  const trailing = leg?.trailingBps !== undefined;
  const movable = leg !== undefined && canAmend(order);
  const send = async (to: number): Promise<void> => {
    const value = rounded(to);
    const sent = dragging.peek();
    if (leg && Number(value) !== Number(leg.triggerPriceUsd)) {
      const mark = Number(leg.watermarkUsd);
      const bps = Math.min(9000, Math.max(50, Math.round((Math.abs(mark - to) / mark) * 10_000)));
      await amend(order, trailing ? { trailingBps: bps } : { [fieldOf(leg)]: value });
    }
    if (dragging.peek() === sent) dragging.value = null; // Another one may be on its way by now.
  };
  const down = (event: PointerEvent): void => {
    if (!movable || event.button !== 0) return;
    const target = event.currentTarget as HTMLElement;
    const begin = event.clientY;
    let moved = false;
    target.setPointerCapture(event.pointerId);
    const move = (at: PointerEvent) => {
      if (!moved && Math.abs(at.clientY - begin) < 3) return;
      moved = true;
      const to = series?.coordinateToPrice(line.y + at.clientY - begin);
      if (to && Number(to) > 0) dragging.value = { key: line.key, price: Number(rounded(Number(to))) };
    };
    const end = (at: PointerEvent) => {
      target.removeEventListener('pointermove', move);
      target.removeEventListener('pointerup', end);
      target.removeEventListener('pointercancel', end);
      if (!moved) { select(id); return; }
      const to = dragging.peek()?.price;
      if (at.type === 'pointerup' && to) send(to); else dragging.value = null;
    };
    target.addEventListener('pointermove', move);
    target.addEventListener('pointerup', end);
    target.addEventListener('pointercancel', end);
  };
  const keys = (event: KeyboardEvent): void => {
    const step = tickOf(line.price) * (event.shiftKey ? 100 : 10);
    const direction = event.key === 'ArrowUp' ? 1 : event.key === 'ArrowDown' ? -1 : 0;
    if (direction && movable) {
      event.preventDefault();
      // Keys may come faster than the line is drawn.
      const known = dragging.peek();
      const from = known?.key === line.key ? known.price : line.price;
      dragging.value = { key: line.key, price: Math.max(step, Number(rounded(from + direction * step))) };
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      const to = dragging.peek();
      if (to?.key === line.key) send(to.price); else select(id);
    } else if (event.key === 'Escape') {
      dragging.value = null;
    } else if ((event.key === 'Delete' || event.key === 'Backspace') && canCancel(order)) {
      event.preventDefault();
      cancel(order);
    }
  };
  const moving = dragging.value?.key === line.key;
  const crosses = moving && awayOf(line.sign, line.price, price.value) <= 0;
  const says = `${line.says} of the ${kindOf(order)} order ${id}, ${pairOf(order)}`;
  const shownPrice = `${line.sign} ${dollars(line.shown)}`;
  const slides = movable && {
    'aria-orientation': 'vertical' as const, 'aria-valuenow': line.price, 'aria-valuemin': 0, 'aria-valuemax': Math.max(line.price, price.value * 2),
    'aria-valuetext': `${shownPrice} dollars${moving ? ', Enter amends, Escape restores' : ''}`,
  };
  return (
    <li class={`handle t-${line.tone} ${line.armed ? '' : 'unarmed'} ${moving ? 'moving' : ''} ${movable ? '' : 'fixed'} ${selected.value === id ? 'chosen' : ''}`} style={{ top: `${line.at}px`, right: `${scale.value + 16 + line.column * (width < 500 ? 118 : 138)}px` }}>
      <div class="grip" data-line={line.key} role={movable ? 'slider' : 'button'} tabIndex={0} aria-label={movable ? says : `${line.name} ${dollars(line.shown)}: ${says}, cannot be moved`} title={movable ? undefined : whyFixed(order)} {...slides}
        onPointerDown={down} onClick={() => { if (!movable) select(id); }} onKeyDown={keys} onBlur={() => { if (dragging.peek()?.key === line.key) dragging.value = null; }}>
        {!isVenue && !canCancel(order) && <svg class="glyph lock" viewBox="0 0 16 16" aria-hidden="true"><path d="M4 7.5h8V14H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5" /></svg>}
        <span>{line.name}</span> <b class="num">{dollars(line.shown)}</b>{crosses && <i>at once</i>}
      </div>
      {canCancel(order) && <button class="drop" tabIndex={-1} aria-label={`Cancel order ${id}`} title="Cancel" onClick={() => cancel(order)}>×</button>}
    </li>
  );
}
