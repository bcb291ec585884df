// A list of which only what can be seen is in the page.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

const OVERSCAN = 8;

export function Virtual<T>({ rows, height, label, empty, render, keyOf }: {
  rows: readonly T[]; height: number; label: string; empty: ComponentChildren; render: (row: T, index: number) => ComponentChildren; keyOf: (row: T) => string;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ from: 0, to: 30 });
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const look = () => {
      const from = Math.max(0, Math.floor(element.scrollTop / height) - OVERSCAN);
      const to = Math.ceil((element.scrollTop + element.clientHeight) / height) + OVERSCAN;
      setView((old) => (old.from === from && old.to === to ? old : { from, to }));
    };
    look();
    element.addEventListener('scroll', look, { passive: true });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => { element.removeEventListener('scroll', look); observer.disconnect(); };
  }, [height, rows.length === 0]);
  if (rows.length === 0) return <div class="empty">{empty}</div>;
  const to = Math.min(rows.length, view.to);
  const from = Math.min(view.from, to);
  const keys = (event: KeyboardEvent) => {
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    const all = [...(box.current?.querySelectorAll<HTMLElement>('[data-row]') ?? [])];
    const at = all.findIndex((each) => each === document.activeElement);
    const next = all[at + (event.key === 'ArrowDown' ? 1 : -1)];
    if (at >= 0 && next) { event.preventDefault(); next.focus(); next.scrollIntoView({ block: 'nearest' }); }
  };
  return (
    <div class="virtual" ref={box} role="region" aria-label={label} tabIndex={0} onKeyDown={keys}>
      <div class="virtual-space" style={{ height: `${rows.length * height}px` }}>
        <ul style={{ transform: `translateY(${from * height}px)` }}>
          {rows.slice(from, to).map((row, index) => <li key={keyOf(row)} style={{ height: `${height}px` }}>{render(row, from + index)}</li>)}
        </ul>
      </div>
    </div>
  );
}
