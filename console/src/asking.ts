// On a slow line an answer may come after the one to a later question, and a user may do the next thing before either.

let asked = 0;
let floor = 0;

/** The number of a question that is asked now: the later, the greater. */
export const asking = (): number => ++asked;

/** No answer counts any more that was asked for until now. */
export function forgetAnswers(): void {
  floor = asking();
}

export const isForgotten = (number: number): boolean => number <= floor;

interface InOrder<T> {
  keep: (number: number, answer: T) => void;
  from: (asks: () => Promise<T>) => Promise<T>;
}

/** Takes each answer but one that comes after the answer to a later question. */
export function inOrder<T>(take: (answer: T, number: number) => void): InOrder<T> {
  let taken = 0;
  const keep = (number: number, answer: T): void => {
    if (number < taken || isForgotten(number)) return;
    taken = number;
    take(answer, number);
  };
  const from = async (asks: () => Promise<T>): Promise<T> => {
    const number = asking();
    const answer = await asks();
    keep(number, answer);
    return answer;
  };
  return { keep, from };
}

/** One after another, each when the one before is answered. */
export function queue(): <T>(doing: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (doing) => {
    const done = last.then(doing);
    last = done.catch(() => undefined);
    return done;
  };
}
