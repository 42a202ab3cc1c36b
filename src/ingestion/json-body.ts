import { Decimal } from '../domain/money/decimal.js';
import { badRequest } from '../platform/http/errors.js';

/**
 * A number with digits that a double may not hold, or with an exponent: only then is it worth looking at every number. What
 * stands in quotes, as long ids do, does not count; a text that looks like a number behind a comma does, to no harm.
 */
const MAYBE_INEXACT = /[:[,\s]-?(?:\d[\d.]{15}|[\d.]*\d[eE])/;
const MOST_DIGITS = 60;

/**
 * Reads a JSON body without losing a digit of it: a number that a double cannot hold becomes the text of its digits, which
 * metering reads as the same quantity. Throws 400 for what is no JSON.
 */
export function parseJson(text: string): unknown {
  try {
    return MAYBE_INEXACT.test(text) ? (JSON.parse(text, keepDigits) as unknown) : (JSON.parse(text) as unknown);
  } catch (error) {
    throw badRequest(`the body is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function keepDigits(this: unknown, _key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || context?.source === undefined) return value;
  const { source } = context;
  const exact = new Decimal(source);
  if (Number.isFinite(value) && exact.equals(value)) return value;
  // Written out, an exponent of a billion would be a billion digits.
  return Math.abs(exact.e) > MOST_DIGITS || exact.precision() > MOST_DIGITS ? source : exact.toFixed();
}
