import { instant, toIso, toIsoMilliseconds } from '../../domain/calendar/instant.js';
import { Decimal } from '../../domain/money/decimal.js';
import { railsDecimal } from '../../domain/money/decimal-string.js';

/** How values look in Lago's JSON. */

/** `2024-03-01T00:00:00Z` */
export function isoSeconds(at: Date): string;
export function isoSeconds(at: Date | null | undefined): string | null;
export function isoSeconds(at: Date | null | undefined): string | null {
  return at ? toIso(instant(at.getTime())) : null;
}

/** `2024-03-01T00:00:00.000Z` */
export function isoMilliseconds(at: Date): string;
export function isoMilliseconds(at: Date | null | undefined): string | null;
export function isoMilliseconds(at: Date | null | undefined): string | null {
  return at ? toIsoMilliseconds(instant(at.getTime())) : null;
}

/** `2024-03-01T00:00:00+00:00`, as the dates of a fee. */
export function isoWithOffset(at: Date | null): string | null {
  return at ? isoSeconds(at).replace('Z', '+00:00') : null;
}

/** An exclusive end as its last moment: `2024-03-31T23:59:59Z` for midnight of 1 April. */
export function lastMoment(to: Date | null): Date | null {
  return to ? new Date(to.getTime() - 1) : null;
}

/** `"0.0"`, `"12.5"`: a decimal of the database in Rails' style. */
export function decimalString(value: string): string;
export function decimalString(value: string | null): string | null;
export function decimalString(value: string | null): string | null {
  return value === null ? null : railsDecimal(new Decimal(value));
}

/** A computed amount with the fifteen decimal places that Lago keeps of one. */
export function preciseString(value: string | Decimal): string {
  return railsDecimal(new Decimal(value).toDecimalPlaces(15));
}

/** A rate in percent is a JSON number in Lago's answers. It is shown, never computed with. */
export function rateNumber(value: string): number {
  return new Decimal(value).toNumber();
}
