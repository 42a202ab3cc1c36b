import { currencyExponent, type Currency } from './currency.js';
import { Decimal } from './decimal.js';

/**
 * The largest amount of one price, one fee or the fees of one step, in minor units: 999,999,999,999.99 EUR. Nobody pays as
 * much; usage that says so (a timestamp sent as a value) is held here, and must not keep the rest from being billed. A total
 * of some of them, with their taxes, still is a whole number that JSON carries exactly.
 */
export const LARGEST_AMOUNT_MINOR = 99_999_999_999_999;

/** Where sums of such amounts are held: within what a number holds exactly. */
const LARGEST_SUM_MINOR = 9_000_000_000_000_000;

/**
 * Rounds an amount in currency units to whole minor units: once, half-up away from zero, at the currency's exponent
 * (reference 2.5). The only place where a fee's amount becomes an integer.
 *
 * Example: 11.155 EUR -> 1116; 0.5 JPY -> 1; 1.2345 KWD -> 1235 (fils); -0.005 EUR -> -1.
 */
export function roundToMinorUnits(amount: Decimal, currency: Currency): number {
  return within(LARGEST_AMOUNT_MINOR, roundMinor(toMinorUnits(amount, currency)));
}

/** Quotients such as thirds are off by their fortieth digit: half a cent that was divided and summed again is half a cent. */
const EXACT_DECIMALS = 25;

/**
 * Rounds an amount that is already counted in minor units.
 *
 * Example: 66.6 cents -> 67; a seventh of 2.5 cents, seven times -> 3.
 */
export function roundMinor(amountMinor: Decimal): number {
  const exact = amountMinor.toDecimalPlaces(EXACT_DECIMALS, Decimal.ROUND_HALF_UP);
  const rounded = exact.toDecimalPlaces(0, Decimal.ROUND_HALF_UP).toNumber();
  return rounded === 0 ? 0 : within(LARGEST_SUM_MINOR, rounded);
}

/**
 * Moves an amount from currency units to minor units without rounding.
 *
 * Example: 11.155 EUR -> 1115.5.
 */
export function toMinorUnits(amount: Decimal, currency: Currency): Decimal {
  return amount.times(new Decimal(10).pow(currencyExponent(currency)));
}

/**
 * Moves an amount from minor units to currency units, exactly.
 *
 * Example: 1116 cents -> 11.16 EUR; 500 JPY -> 500.
 */
export function fromMinorUnits(amountMinor: number | Decimal, currency: Currency): Decimal {
  return new Decimal(amountMinor).div(new Decimal(10).pow(currencyExponent(currency)));
}

/** Sums whole minor units. Example: 1115, -15 -> 1100. */
export function sumMinor(amounts: Iterable<number>): number {
  let sum = 0;
  for (const amount of amounts) sum = within(LARGEST_SUM_MINOR, sum + amount);
  return sum;
}

function within(largest: number, amountMinor: number): number {
  return Math.max(-largest, Math.min(largest, amountMinor));
}
