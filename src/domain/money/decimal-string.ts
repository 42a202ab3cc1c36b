import { Decimal } from './decimal.js';

/**
 * Prints a decimal as Lago's responses do: always a fraction digit, never an exponent.
 * `0 -> "0.0"`, `12.5 -> "12.5"`, `121 -> "121.0"`, `2177.4193548387096774 -> "2177.4193548387096774"`.
 */
export function railsDecimal(value: Decimal): string {
  const text = value.isZero() ? '0' : value.toFixed();
  return text.includes('.') ? text : `${text}.0`;
}

const PLAIN_DECIMAL = /^[+-]?(\d+(\.\d*)?|\.\d+)$/;

/**
 * Reads a property that should be a number: an optionally signed plain decimal, no exponent, no thousands mark, no
 * blanks (reference 2.1). A JSON number counts as the decimal it shows. Anything else is `null`, never an error.
 */
export function parsePlainDecimal(value: unknown): Decimal | null {
  if (typeof value === 'number') return Number.isFinite(value) ? new Decimal(value) : null;
  if (typeof value !== 'string' || !PLAIN_DECIMAL.test(value)) return null;
  return new Decimal(value);
}
