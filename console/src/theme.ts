// Dark or light: as the machine has it, or as the switch says.
import { signal } from '@preact/signals';

const KEY = 'countermand.theme';
const machine = matchMedia('(prefers-color-scheme: light)');
const stored = (): string | null => { try { return localStorage.getItem(KEY); } catch { return null; } };

export const theme = signal<'dark' | 'light'>('dark');

function apply(): void {
  const chosen = stored();
  const next = chosen === 'light' || (chosen === null && machine.matches) ? 'light' : 'dark';
  document.documentElement.dataset['theme'] = next; // Before the signal: colours are read from the page.
  theme.value = next;
}

export function beginTheme(): void {
  apply();
  machine.addEventListener('change', apply);
}

export function switchTheme(): void {
  const next = theme.value === 'dark' ? 'light' : 'dark';
  try { localStorage.setItem(KEY, next); } catch { /* Not remembered, then. */ }
  document.documentElement.dataset['theme'] = next;
  theme.value = next;
}
