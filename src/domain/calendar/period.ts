import { invariant } from '../invariant.js';
import { earlier, later, plus, toIso, type Instant } from './instant.js';
import { epochDay, fromEpochDay, toIsoDate } from './local-date.js';
import { localDate, wallClock, type TimeZone } from './time-zone.js';
import { DAY } from './instant.js';

/** Half-open: `from` belongs to it, `to` does not. Adjacent periods share a bound and no instant. */
export interface Period {
  readonly kind: 'period';
  readonly from: Instant;
  readonly to: Instant;
}

/** `from <= to`; an empty period is legal and contains nothing. */
export function period(from: Instant, to: Instant): Period {
  invariant(from <= to, `The period from ${toIso(from)} ends after it starts, not at ${toIso(to)}`);
  return { kind: 'period', from, to };
}

/** The period that has `last` as its last millisecond. */
export function periodThrough(from: Instant, last: Instant): Period {
  return period(from, plus(last, 1));
}

export function contains(span: Period, at: Instant): boolean {
  return span.from <= at && at < span.to;
}

export function overlaps(a: Period, b: Period): boolean {
  return a.from < b.to && b.from < a.to;
}

export function isEmpty(span: Period): boolean {
  return span.from === span.to;
}

/** What both cover, `null` when nothing. */
export function intersection(a: Period, b: Period): Period | null {
  return overlaps(a, b) ? period(later(a.from, b.from), earlier(a.to, b.to)) : null;
}

/**
 * The end as Lago shows it: the last instant inside, which prints as the last second (`23:59:59Z`) of a period that
 * ends at midnight, and as the exact second of one that was cut by a termination.
 */
export function lastInstant(span: { readonly to: Instant }): Instant {
  return plus(span.to, -1);
}

/** Calendar days between two local midnights: the length of a period that starts and ends with a local day. */
export function calendarDays(span: Period, zone: TimeZone): number {
  return epochDay(localDate(span.to, zone)) - epochDay(localDate(span.from, zone));
}

/** The local dates that a period touches, in order, as `2024-02-29`. */
export function localDays(span: Period, zone: TimeZone): string[] {
  if (isEmpty(span)) return [];
  const first = epochDay(localDate(span.from, zone));
  const last = Math.floor(wallClock(lastInstant(span), zone) / DAY);
  return Array.from({ length: last - first + 1 }, (_, index) => toIsoDate(fromEpochDay(first + index)));
}
