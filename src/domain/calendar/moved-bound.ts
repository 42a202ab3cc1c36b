import { type BillingCalendar, nextBoundaryAfter, periodContaining } from './billing-calendar.js';
import type { Instant } from './instant.js';

/**
 * The bound of a calendar that stands for one of the same calendar in another time zone: the nearest. So a move neither
 * skips the end of a period nor brings it twice.
 *
 * Example: months of UTC, 1 February 00:00Z; in Los Angeles -> 1 February 08:00Z, in Kolkata -> 31 January 18:30Z.
 */
export function movedBound(calendar: BillingCalendar, bound: Instant): Instant {
  const before = periodContaining(calendar, bound).from;
  const after = nextBoundaryAfter(calendar, bound);
  return bound - before <= after - bound ? before : after;
}
