// Where the focus is after what had it is gone: else a keyboard starts anew at the top of the page.
import { useLayoutEffect } from 'preact/hooks';

const isLost = (): boolean => document.activeElement === null || document.activeElement === document.body;

/** The first of these that is there, if nothing has the focus. */
export function focusIfLost(...selectors: string[]): void {
  if (!isLost()) return;
  const found = selectors.map((each) => document.querySelector<HTMLElement>(each)).find((each) => each !== null);
  found?.focus({ preventScroll: true });
}

/** What is opened in place of a list takes the focus of its row, and gives it back. `tab`: where the row is not listed. */
export function useFocusOfRow(id: string | null, row: string, tab: string): void {
  useLayoutEffect(() => {
    if (id === null) return;
    focusIfLost('.side-body .detail h2');
    return () => focusIfLost(`[${row}="${CSS.escape(id)}"]`, tab);
  }, [id]);
}
