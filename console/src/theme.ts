// Dark or light: as the machine has it, or as the switch says.
import { signal } from '@preact/signals';

const KEY = 'countermand.theme';
const machine = matchMedia('(prefers-color-scheme: light)');
const stored = (): string | null => { try { return localStorage.getItem(KEY); } catch { return null; } };

export const theme = signal<'dark' | 'light'>('dark');

function apply(): void {
  const chosen = stored();
  theme.value = chosen === 'light' || (chosen === null && machine.matches) ? 'light' : 'dark';
  document.documentElement.dataset['theme'] = theme.value;
}

export function beginTheme(): void {
  apply();
  machine.addEventListener('change', apply);
}

export function switchTheme(): void {
  const next = theme.value === 'dark' ? 'light' : 'dark';
  try { localStorage.setItem(KEY, next); } catch { /* Not remembered, then. */ }
  theme.value = next;
  document.documentElement.dataset['theme'] = next;
}
