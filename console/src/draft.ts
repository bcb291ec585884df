// What is typed into a field and not sent yet.
import { useState } from 'preact/hooks';

export interface Draft {
  /** `null` while the field shows what is so. */
  text: string | null;
  type: (text: string) => void;
  drop: () => void;
  /** What was sent is dropped, and not what was typed while it was under way. */
  sent: (text: string | null) => void;
}

/** A draft stays while the venue tells of other things, until it is sent or dropped. */
export function useDraft(): Draft {
  const [text, setText] = useState<string | null>(null);
  return { text, type: setText, drop: () => setText(null), sent: (what) => setText((now) => (now === what ? null : now)) };
}

/** A choice shows what was asked for until that is answered, and then what is so. */
export function useAsked<T extends string | number | boolean>(is: T, send: (to: T) => Promise<unknown>): [T, (to: T) => Promise<void>] {
  const [asked, setAsked] = useState<T | null>(null);
  const asks = async (to: T) => {
    setAsked(to);
    await send(to);
    setAsked((now) => (now === to ? null : now));
  };
  return [asked ?? is, asks];
}
