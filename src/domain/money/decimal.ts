import { Decimal as DecimalJs } from 'decimal.js';

/**
 * The one decimal of the engine: 40 significant digits, half-up away from zero, never an exponent in print.
 * Every amount, rate and quantity is one of these; floats never enter (a number is only accepted where it is an
 * integer or came out of JSON as it is).
 */
export const Decimal = DecimalJs.clone({
  defaults: true,
  precision: 40,
  rounding: DecimalJs.ROUND_HALF_UP,
  toExpNeg: -9e15,
  toExpPos: 9e15,
});
export type Decimal = DecimalJs;

export const ZERO: Decimal = new Decimal(0);
export const HUNDRED: Decimal = new Decimal(100);

/** Exact up to 40 digits. `sumDecimals([]) = 0`. */
export function sumDecimals(values: Iterable<Decimal>): Decimal {
  let sum = ZERO;
  for (const value of values) sum = sum.plus(value);
  return sum;
}

/** The share of a whole, 0 where there is no whole: unit prices of nothing are nothing. */
export function ratioOrZero(part: Decimal, whole: Decimal): Decimal {
  return whole.isZero() ? ZERO : part.div(whole);
}

/** Negative totals are billed as zero (reference 2.3). */
export function atLeastZero(value: Decimal): Decimal {
  return value.isNegative() ? ZERO : value;
}
