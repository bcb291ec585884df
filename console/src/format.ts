// Numbers, times and names as a desk shows them.

export function dollars(price: string | number | null | undefined): string {
  if (price === null || price === undefined) return '–';
  const value = Number(price);
  return value.toLocaleString('en-US', { minimumFractionDigits: decimalsOf(value), maximumFractionDigits: decimalsOf(value) });
}

/** How many decimals a price of this size is moved by. */
export function decimalsOf(price: number): number {
  if (price <= 0) return 2;
  return Math.min(10, Math.max(2, 4 - Math.floor(Math.log10(price)) - (price >= 1 ? 1 : 0) - (price >= 100 ? 0 : 0)));
}

export const tickOf = (price: number): number => 10 ** -decimalsOf(price);

export function rounded(price: number): string {
  return price.toFixed(decimalsOf(price)).replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '');
}

export function amount(units: string | undefined, decimals: number): string {
  if (units === undefined) return '–';
  const digits = units.padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals).replace(/\B(?=(\d{3})+$)/g, ',');
  const part = digits.slice(digits.length - decimals).replace(/0+$/, '').slice(0, 6);
  return part ? `${whole}.${part}` : whole;
}

/** Exact, or raises: nothing is rounded. */
export function units(text: string, decimals: number): string {
  const [, whole = '', part = ''] = /^(\d*)\.?(\d*)$/.exec(text.trim()) ?? [];
  if (!(whole + part) || part.length > decimals) throw new Error(`'${text}' is no amount with at most ${decimals} decimals`);
  return BigInt(whole + part.padEnd(decimals, '0')).toString();
}

export function short(id: string | number | undefined | null): string {
  const text = String(id ?? '');
  return text.length <= 12 ? text : /^[0-9a-f-]{36}$/i.test(text) ? text.slice(-8) : `${text.slice(0, 4)}…${text.slice(-4)}`;
}

export function clock(at: number, ms = false): string {
  const iso = new Date(at).toISOString();
  return ms ? iso.slice(11, 23) : iso.slice(11, 19);
}

export function date(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

export function span(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  if (s < 172_800) return `${(s / 3600).toFixed(1).replace(/\.0$/, '')} h`;
  return `${Math.round(s / 86_400)} days`;
}

export function took(microseconds: number): string {
  return microseconds < 10_000 ? `${(microseconds / 1000).toFixed(1)} ms` : `${Math.round(microseconds / 1000)} ms`;
}

export const words = (name: string): string => name.replace(/_/g, ' ');
