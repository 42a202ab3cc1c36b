import { z } from 'zod';
import { date, parseDateTime } from './fields.js';

/** The kinds of filter that lists take. Everything in a query string is text, or a list of texts when it came twice. */

export const textFilter = () => z.string().max(255).optional();

/** One value or several: `status[]=active&status[]=pending`. */
export const listFilter = <Item extends z.ZodType<unknown, string>>(item: Item) =>
  z
    .union([z.array(z.string()), z.string()])
    .transform((value) => (Array.isArray(value) ? value : [value]))
    .pipe(z.array(item))
    .optional();

/** `metadata[region]=eu` */
export const metadataFilter = () => z.record(z.string(), z.string()).optional();

/**
 * Values of groups, one or several of each: `group[user]=1`, `group[user][]=1&group[user][]=2`, and as Lago's Python client
 * sends them, `group={"user":"1"}`.
 */
export const groupFilter = () =>
  z
    .preprocess(
      (value) => (typeof value === 'string' ? fromJson(value) : value),
      z.record(
        z.string(),
        z.union([groupValue, z.array(groupValue)]).transform((values) => [values].flat()),
      ),
    )
    .optional();

const groupValue = z.union([z.string(), z.number(), z.boolean()]).transform(String);

function fromJson(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

export const booleanFilter = () =>
  z
    .enum(['true', 'false', '1', '0'])
    .transform((value) => value === 'true' || value === '1')
    .optional();

export const centsFilter = () =>
  z
    .string()
    .regex(/^-?\d{1,15}$/)
    .transform(Number)
    .optional();

export const dateFilter = () => date().optional();

/** A date or an instant; as the upper end of a range a date means its last moment. */
export const instantFilter = (end: 'from' | 'to') =>
  z
    .string()
    .transform((value, context) => {
      // A plus sign in a query string that nobody escaped arrives as a blank.
      const at = parseDateTime(value.replace(/ (?=\d{2}:?\d{2}$)/, '+'));
      if (at === null) {
        context.addIssue({ code: 'custom', message: 'invalid_date' });
        return z.NEVER;
      }
      const wholeDay = end === 'to' && /^\d{4}-\d{2}-\d{2}$/.test(value);
      return wholeDay ? new Date(at.getTime() + 86_400_000 - 1) : at;
    })
    .optional();
