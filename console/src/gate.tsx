// A venue shows itself to its operator alone: the page asks for a key before it asks the venue for anything.
import { signal } from '@preact/signals';
import { useState } from 'preact/hooks';
import { Refused, tryKey } from './api';
import { useKey } from './key';

/** Why the key is asked for again. */
export const why = signal<string | null>(null);

/** A key that does not open the venue, or not any more. */
export function turnAway(problem: Refused): void {
  why.value = problem.message;
  useKey(null);
}

/** A venue that serves this page has the path, so another server answered. */
const CLOSED = 'This page asks the venue by /admin, which is closed on the way here, as by a proxy. Open it by a tunnel to the venue.';

async function open(given: string): Promise<void> {
  if (!/^[\x20-\x7e]+$/.test(given)) { why.value = 'No API key has a character like one of these. Paste it without quotes.'; return; }
  try {
    await tryKey(given);
    why.value = null;
    useKey(given);
  } catch (problem) {
    why.value = !(problem instanceof Refused) ? 'The venue does not answer.' : problem.status === 404 ? CLOSED : problem.message;
  }
}

export function Gate() {
  const [text, setText] = useState('');
  return (
    <main class="gate">
      <form onSubmit={(event) => { event.preventDefault(); if (text.trim()) open(text.trim()); }}>
        <h1><svg viewBox="0 0 32 32" aria-hidden="true"><path d="M6 20h13l-4 5M26 12H13l4-5" /></svg>Countermand</h1>
        <p>This venue shows its orders, prices and books to its operator. Nothing can be changed here.</p>
        <label for="key">API key with the scope <code>admin</code></label>
        <div class="row"><input id="key" type="password" autocomplete="off" spellcheck={false} autofocus value={text} aria-describedby="key-why" onInput={(event) => setText(event.currentTarget.value)} /><button class="primary">Open</button></div>
        <p id="key-why" class="bad" role="alert">{why.value}</p>
        <p class="soft">Make one with <code>countermand keys add --scopes admin</code>. It stays in this tab, and is gone with it.</p>
      </form>
    </main>
  );
}
