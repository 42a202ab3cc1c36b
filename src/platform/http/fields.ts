import { z } from 'zod';
import { isTimeZone } from '../../domain/calendar/time-zone.js';
import { isCurrency } from '../../domain/money/currency.js';
import { parsePlainDecimal } from '../../domain/money/decimal-string.js';
import { LARGEST_AMOUNT_MINOR } from '../../domain/money/money.js';

/**
 * The kinds of value that requests are made of. A field that is refused answers with a code of the registry: those named
 * here, and for the rest what `codeOfIssue` in `request.pipe.ts` derives from zod's own reason.
 */

/** Postgres indexes and people both want an end to names and ids. */
const SHORT = 255;
const LONG = 10_000;

export const text = () => z.string().min(1).max(SHORT);
export const longText = () => z.string().max(LONG);
export const optionalText = () => z.string().max(SHORT).nullish();
export const optionalLongText = () => longText().nullish();

/** The largest whole number a Postgres `int` holds. */
const MAX_INT = 2_147_483_647;

/** A whole number; digits in a string count too, as they do for Lago. */
export const integer = (min: number, max: number = MAX_INT) =>
  z
    .union([z.number(), z.string().regex(/^-?\d{1,16}$/)])
    .transform(Number)
    .pipe(z.int().min(min).max(max));

/** Minor units of a currency, no more than a bill can hold. */
export const cents = () => integer(0, LARGEST_AMOUNT_MINOR);

const MAX_DIGITS = 40;

/** A plain decimal as number or string, given on as its digits: no exponent, at most 40 of them. */
export const decimalText = (bounds: { min?: number; max?: number } = {}) =>
  z.union([z.number(), z.string()]).transform((value, context) => {
    const parsed = parsePlainDecimal(value);
    const fail = (message: string) => {
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    };
    if (parsed === null) return fail('value_is_invalid');
    if (parsed.precision(true) + parsed.decimalPlaces() > MAX_DIGITS) return fail('value_is_out_of_range');
    if (bounds.min !== undefined && parsed.lt(bounds.min)) return fail('value_is_out_of_range');
    if (bounds.max !== undefined && parsed.gt(bounds.max)) return fail('value_is_out_of_range');
    return parsed.toFixed();
  });

export const currency = () =>
  z
    .string()
    .refine(isCurrency, 'value_is_invalid')
    .meta({ description: 'ISO 4217', examples: ['EUR'] });

export const timezone = () =>
  z
    .string()
    .refine(isTimeZone, 'invalid_timezone')
    .meta({ description: 'IANA time zone', examples: ['Europe/Paris'] });

/** Two letters; Lago keeps them in upper case. */
export const country = () =>
  z
    .string()
    .regex(/^[A-Za-z]{2}$/, 'country_code_invalid')
    .transform((code) => code.toUpperCase());

const DATE_TIME = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/** ISO 8601 text; without an offset it is UTC, without a time it is midnight. Given on as a Date. */
export const dateTime = () =>
  z
    .string()
    .transform((value, context) => {
      const at = parseDateTime(value);
      if (at !== null) return at;
      context.addIssue({ code: 'custom', message: 'invalid_date' });
      return z.NEVER;
    })
    .meta({ format: 'date-time' });

/** The calendar counts months and years between instants, so they stay within the years people bill in. */
const EARLIEST = Date.UTC(1970, 0, 1);
const LATEST = Date.UTC(2500, 0, 1);

export function parseDateTime(value: string): Date | null {
  const match = DATE_TIME.exec(value);
  if (!match) return null;
  const withOffset = match[1] === undefined ? `${value}T00:00:00Z` : match[4] === undefined ? `${value}Z` : value;
  const at = new Date(withOffset.replace(' ', 'T'));
  // 31 February would silently become 3 March. A time that does not exist makes NaN, which is in no range.
  return isDate(value.slice(0, 10)) && at.getTime() >= EARLIEST && at.getTime() <= LATEST ? at : null;
}

/** `2024-02-29` and a day that exists. */
export function isDate(value: string): boolean {
  const at = new Date(`${value}T00:00:00Z`);
  return /^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(at.getTime()) && at.toISOString().startsWith(value);
}

export const date = () => z.string().refine(isDate, 'invalid_date').meta({ format: 'date' });

/** A key/value map as JSON keeps it. */
export const jsonObject = () => z.record(z.string(), z.unknown());

/** What Lago knows and this server does not do yet: refused by name instead of billed wrongly. `neutral` values pass. */
export const notYet = (...neutral: unknown[]) =>
  z
    .unknown()
    .refine((value) => isNothing(value) || neutral.includes(value), 'value_is_invalid')
    .optional();

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0);
}
