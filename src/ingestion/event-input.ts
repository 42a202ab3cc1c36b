import { parsePlainDecimal, railsDecimal } from '../domain/money/decimal-string.js';
import type { ErrorCode } from '../platform/http/errors.js';
import { isStorable } from '../platform/http/request.pipe.js';

/** An event of a request that is in order. `timestamp` null: the client left it to us. */
export interface EventInput {
  readonly transactionId: string;
  readonly code: string;
  readonly externalSubscriptionId: string;
  /** Epoch milliseconds. */
  readonly timestamp: number | null;
  /** A JSON object, as text. */
  readonly properties: string;
  /** A plain decimal, as responses print it. */
  readonly preciseTotalAmountCents: string | null;
}

export type EventErrors = Record<string, ErrorCode[]>;

const LONGEST_NAME = 255;
const LONGEST_TRANSACTION_ID = 1024;
const LONGEST_PROPERTIES = 256 * 1024;
const DEEPEST_PROPERTIES = 32;
const MOST_DIGITS = 40;

/** What JavaScript and Postgres can both hold: from the year 1 to the year 275760. */
const EARLIEST = -62_135_596_800_000;
const LATEST = 8_640_000_000_000_000;

/**
 * Reads one event by hand: this runs for every event that comes in, and a schema library would take longer than all else
 * together. Ids are texts; a number is taken for its digits, as clients of loosely typed languages send them.
 *
 * The code need not be known and the subscription need not exist (reference 2.1): such events are kept and found in
 * `GET /events`, and a metric created later counts them.
 */
export function readEvent(input: unknown): { event: EventInput } | { errors: EventErrors } {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    return { errors: { event: ['value_is_invalid'] } };
  }
  const fields = input as Record<string, unknown>;
  const errors: EventErrors = {};
  const transactionId = name(fields['transaction_id'], 'transaction_id', true, LONGEST_TRANSACTION_ID, errors);
  const code = name(fields['code'], 'code', true, LONGEST_NAME, errors);
  const subscription = fields['external_subscription_id'];
  const externalSubscriptionId = name(subscription, 'external_subscription_id', false, LONGEST_NAME, errors);
  const timestamp = timestampOf(fields['timestamp'], errors);
  const preciseTotalAmountCents = preciseCents(fields['precise_total_amount_cents'], errors);
  const properties = propertiesOf(fields['properties'], errors);
  for (const _ in errors) return { errors };
  return { event: { transactionId, code, externalSubscriptionId, timestamp, properties, preciseTotalAmountCents } };
}

function name(value: unknown, field: string, mandatory: boolean, longest: number, errors: EventErrors): string {
  if (value === undefined || value === null || value === '') {
    if (mandatory) errors[field] = ['value_is_mandatory'];
    return '';
  }
  const text = typeof value === 'number' && Number.isFinite(value) ? String(value) : value;
  if (typeof text !== 'string' || !isStorable(text)) errors[field] = ['value_is_invalid'];
  else if (text.length > longest) errors[field] = ['value_is_too_long'];
  else return text;
  return '';
}

const SECONDS = /^([+-]?)(\d{1,15})(?:\.(\d*))?$/;
const OTHER_DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/**
 * Unix seconds, as a number or as text, to the millisecond; what is finer is cut off. Dates as text are refused (reference
 * 2.1): they were once read as seconds.
 */
function timestampOf(value: unknown, errors: EventErrors): number | null {
  if (value === undefined || value === null || value === '') return null;
  const milliseconds =
    typeof value === 'number' && Number.isSafeInteger(value)
      ? value * 1000
      : typeof value === 'number' || typeof value === 'string'
        ? millisecondsOf(String(value))
        : NaN;
  if (Number.isNaN(milliseconds)) errors['timestamp'] = ['invalid_format'];
  else if (milliseconds < EARLIEST || milliseconds > LATEST) errors['timestamp'] = ['value_is_out_of_range'];
  return milliseconds;
}

function millisecondsOf(text: string): number {
  const match = SECONDS.exec(text);
  // From the digits, not from a float: 1741219251.59 × 1000 is not 1741219251590.
  if (match) {
    const size = Number(match[2]) * 1000 + Number((match[3] ?? '').slice(0, 3).padEnd(3, '0'));
    return match[1] === '-' ? -size : size;
  }
  return OTHER_DECIMAL.test(text) ? Math.trunc(Number(text) * 1000) : NaN;
}

function preciseCents(value: unknown, errors: EventErrors): string | null {
  if (value === undefined || value === null || value === '') return null;
  const parsed = parsePlainDecimal(value);
  if (parsed === null) errors['precise_total_amount_cents'] = ['value_is_invalid'];
  else if (parsed.precision(true) + parsed.decimalPlaces() > MOST_DIGITS) {
    errors['precise_total_amount_cents'] = ['value_is_out_of_range'];
  } else return railsDecimal(parsed);
  return null;
}

/** How NUL and lone surrogates look in JSON; an escaped backslash before may look the same, so this is only a suspicion. */
const SUSPICIOUS = /\\u(?:0000|d[89a-f])/;

function propertiesOf(value: unknown, errors: EventErrors): string {
  if (value === undefined || value === null) return '{}';
  if (typeof value !== 'object' || Array.isArray(value)) {
    errors['properties'] = ['value_is_invalid'];
    return '';
  }
  if (!isShallow(value, DEEPEST_PROPERTIES)) {
    errors['properties'] = ['value_is_invalid'];
    return '';
  }
  const text = JSON.stringify(value);
  if (text.length > LONGEST_PROPERTIES) errors['properties'] = ['value_is_too_long'];
  else if (SUSPICIOUS.test(text) && !isStorableDeep(value)) errors['properties'] = ['value_is_invalid'];
  return text;
}

function isShallow(value: object, depth: number): boolean {
  if (depth === 0) return false;
  for (const key in value) {
    const inner = (value as Record<string, unknown>)[key];
    if (typeof inner === 'object' && inner !== null && !isShallow(inner, depth - 1)) return false;
  }
  return true;
}

function isStorableDeep(value: unknown): boolean {
  if (typeof value === 'string') return isStorable(value);
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, inner]) => isStorable(key) && isStorableDeep(inner));
}
