// Numbers, times and names as a desk shows them.

const DATE_MAX = 8.64e15;
const YEAR_S = 31_557_600;
const READABLE_DIGITS = 10;
const PRICE_DECIMALS = 12; // Of all prices of the venue.

/** As it was set; rounded if that has more digits than one reads, or was computed. */
export function dollars(price: string | number | null | undefined): string {
  if (price === null || price === undefined) return '–';
  const value = Number(price);
  const [digits, least] = [typeof price === 'string' ? price.replace(/^[0.]+|\./g, '').length : Infinity, decimalsOf(value)];
  return formatOf(least, digits <= READABLE_DIGITS ? PRICE_DECIMALS : least).format(value);
}

const formats = new Map<number, Intl.NumberFormat>();
/** Made once each: that takes a hundred times as long as what it does, and a price may move a thousand times a second. */
function formatOf(least: number, most: number): Intl.NumberFormat {
  const key = least * 100 + most;
  const known = formats.get(key) ?? new Intl.NumberFormat('en-US', { minimumFractionDigits: least, maximumFractionDigits: most });
  formats.set(key, known);
  return known;
}

/** As a field takes it. */
export const plain = (price: string | number): string => dollars(price).replace(/,/g, '');

/** How many decimals a price of this size is moved by. */
export function decimalsOf(price: number): number {
  if (price <= 0) return 2;
  return Math.min(PRICE_DECIMALS, Math.max(2, 4 - Math.floor(Math.log10(price)) - (price >= 1 ? 1 : 0) - (price >= 100 ? 0 : 0)));
}

export const tickOf = (price: number): number => 10 ** -decimalsOf(price);

export function rounded(price: number): string {
  return price.toFixed(decimalsOf(price)).replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '');
}

export function amount(units: string | undefined, decimals: number): string {
  if (units === undefined) return '–';
  const digits = units.padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals).replace(/\B(?=(\d{3})+$)/g, ',');
  const part = digits.slice(digits.length - decimals).replace(/0+$/, '');
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
  return isoOf(at)[1]!.slice(0, ms ? 12 : 8);
}

export function date(at: number): string {
  return isoOf(at)[0]!;
}

/** The day, and the time of the day. A time of the chain may be later than any date. */
function isoOf(at: number): string[] {
  return Math.abs(at) <= DATE_MAX ? new Date(at).toISOString().split('T') : ['never', ''];
}

export function span(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  if (s < 172_800) return `${(s / 3600).toFixed(1).replace(/\.0$/, '')} h`;
  if (s < 2 * YEAR_S) return `${Math.round(s / 86_400)} days`;
  return `${Math.round(s / YEAR_S).toLocaleString('en-US')} years`;
}

export function took(microseconds: number): string {
  return microseconds < 10_000 ? `${(microseconds / 1000).toFixed(1)} ms` : `${Math.round(microseconds / 1000)} ms`;
}

export const words = (name: string): string => name.replace(/_/g, ' ');
