import { DAY, type Instant } from '../calendar/instant.js';
import { epochDay } from '../calendar/local-date.js';
import { localDate, startOfLocalDay, wallClock, type TimeZone } from '../calendar/time-zone.js';

/**
 * Days that are billed for a half-open span: its length on the local wall clock in days, a started day counted in full,
 * so that a day of 23 or 25 hours is one day (reference 2.6). A span that ends with an instant still inside (a
 * termination exactly at midnight) has that instant's millisecond in it and thereby the day it opens. A void span has none.
 *
 * Example: 1 March 00:00 to 1 April 00:00 in Europe/Paris -> 31, although an hour is missing.
 */
export function billedDays(span: { readonly from: Instant; readonly to: Instant }, zone: TimeZone): number {
  if (span.to <= span.from) return 0;
  return Math.max(1, Math.ceil((dayClock(span.to, zone) - dayClock(span.from, zone)) / DAY));
}

/** The wall clock, showing midnight at the start of every day, also of one whose clock starts at 01:00 (São Paulo). */
function dayClock(at: Instant, zone: TimeZone): number {
  const shown = wallClock(at, zone);
  if (shown % DAY === 0) return shown;
  const date = localDate(at, zone);
  return startOfLocalDay(date, zone) === at ? epochDay(date) * DAY : shown;
}
