// Prices that move by themselves: a seeded random walk, or a table.
import { signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { ask } from './api';
import { inOrder } from './asking';
import { attempt, isMarket, sandbox, SOL, subject, tick } from './store';
import type { Playback } from './types';

const playing = signal<readonly Playback[]>([]);
const PATH = '/sandbox/playback';
const EXAMPLE = 'ms,price\n0,150\n1000,148.5\n2000,144\n4000,139.9\n6000,151';

const take = inOrder<{ playbacks: Playback[] }>(({ playbacks }) => { playing.value = playbacks; });

async function change(what: string, method: string, path: string, body?: unknown): Promise<void> {
  await attempt(what, () => take.from(() => ask(method, path, body)));
}

export function PlaybackPanel() {
  const [source, setSource] = useState<'walk' | 'csv'>('walk');
  const [mint, setMint] = useState(isMarket(subject.value) ? SOL : subject.value);
  const [walk, setWalk] = useState({ seed: '1', bps: '25', everyMs: '1000' });
  const [csv, setCsv] = useState('');
  const [speed, setSpeed] = useState('1');
  const load = () => { take.from(() => ask('GET', PATH)).catch(() => undefined); };
  useEffect(load, [tick.value]);
  const play = async (event: Event) => {
    event.preventDefault();
    const walked = { seed: Number(walk.seed), bps: Number(walk.bps), everyMs: Number(walk.everyMs) };
    const body = { mint, speed, ...(source === 'walk' ? { walk: walked } : { csv }) };
    await change('Not played', 'POST', PATH, body);
  };
  const field = (name: keyof typeof walk, title: string) => (
    <label class="field">{title}<input class="num" inputMode="numeric" value={walk[name]} onInput={(event) => setWalk({ ...walk, [name]: event.currentTarget.value })} /></label>
  );
  return (
    <section class="stack playback" aria-labelledby="playback-title">
      <h3 id="playback-title">Play</h3>
      <ul class="plain" aria-label="What plays">
        {playing.value.map((each) => <Playing key={each.mint} playback={each} />)}
      </ul>
      <form class="stack tight" onSubmit={play}>
        <div class="row">
          <div class="segmented" role="group" aria-label="What to play">
            <button type="button" aria-pressed={source === 'walk'} onClick={() => setSource('walk')}>Random walk</button>
            <button type="button" aria-pressed={source === 'csv'} onClick={() => setSource('csv')}>CSV</button>
          </div>
          <select aria-label="Token to play" value={mint} onChange={(event) => setMint(event.currentTarget.value)}>
            {(sandbox.value?.tokens ?? []).map((each) => <option value={each.mint}>{each.symbol}</option>)}
          </select>
        </div>
        {source === 'walk' ? <div class="row">{field('seed', 'seed')}{field('bps', 'at most, bps')}{field('everyMs', 'every, ms')}</div> : (
          <>
            <textarea aria-label="Lines of milliseconds and dollars" rows={6} spellcheck={false} placeholder={EXAMPLE} value={csv} onInput={(event) => setCsv(event.currentTarget.value)} />
            <div class="row">
              <input type="file" accept=".csv,text/csv,text/plain" aria-label="A file of such lines" onChange={async (event) => { const file = event.currentTarget.files?.[0]; if (file) setCsv(await file.text()); }} />
              {!csv && <button type="button" class="small" onClick={() => setCsv(EXAMPLE)}>An example</button>}
            </div>
          </>
        )}
        <div class="row">
          <label class="field speed">times faster<input class="num" inputMode="decimal" value={speed} onInput={(event) => setSpeed(event.currentTarget.value)} /></label>
          <button class="primary" disabled={source === 'csv' && !csv.trim()}>Play</button>
        </div>
      </form>
      <p class="soft">By the wall clock. The same seed takes the same steps; each price waits until every order that it crosses has left “open”.</p>
    </section>
  );
}

function Playing({ playback }: { playback: Playback }) {
  const { symbol, moves, rows, walk, speed } = playback;
  const what = walk ? `walk ${walk.seed}, ± ${walk.bps} bps each ${walk.everyMs} ms` : `table of ${rows} rows`;
  return (
    <li class="playing">
      <b class="sym" title={symbol}>{symbol}</b>
      <span class="soft">{what}{speed !== '1' && `, ${speed} times faster`} · <span class="num">{moves}{rows !== undefined && ` of ${rows}`}</span> moves</span>
      <button class="small" aria-label={`Stop the price of ${symbol}`} onClick={() => change('Not stopped', 'DELETE', `${PATH}?mint=${playback.mint}`)}>Stop</button>
      {rows !== undefined && <progress max={rows} value={moves} aria-label={`Rows of ${symbol} that were played`} />}
    </li>
  );
}
