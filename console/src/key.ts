// The operator's API key: in this tab alone, and gone with it.
import { signal } from '@preact/signals';
import { isVenue, sendKey } from './api';

const KEY = 'countermand.key';
const remembered = (): string | null => { try { return sessionStorage.getItem(KEY); } catch { return null; } };

export const key = signal<string | null>(isVenue ? remembered() : null);
sendKey(key.value);

export function useKey(given: string | null): void {
  try { if (given) sessionStorage.setItem(KEY, given); else sessionStorage.removeItem(KEY); } catch { /* In memory, then. */ }
  sendKey(given);
  key.value = given;
}
