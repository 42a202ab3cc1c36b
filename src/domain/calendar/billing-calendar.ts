import { invariant } from '../invariant.js';
import type { Instant } from './instant.js';
import { addDays, addMonths, epochDay, localDateOf, type LocalDate } from './local-date.js';
import { contains, period, type Period } from './period.js';
import { localDate, startOfLocalDay, type TimeZone } from './time-zone.js';

export const BILLING_INTERVALS = ['weekly', 'monthly', 'quarterly', 'semiannual', 'yearly'] as const;
export type BillingInterval = (typeof BILLING_INTERVALS)[number];

export const BILLING_TIMES = ['calendar', 'anniversary'] as const;
export type BillingTime = (typeof BILLING_TIMES)[number];

/**
 * The sequence of billing periods of a subscription. It has no start and no end: it covers all of time without gap or
 * overlap, and the subscription lives on a part of it. Every bound is a local midnight computed from the anchor, never
 * from the bound before, so 31 January is followed by 28 February and then by 31 March.
 */
export interface BillingCalendar {
  readonly interval: BillingInterval;
  /** calendar: weeks from Monday, months from the 1st, quarters and half-years from January. anniversary: from the anchor. */
  readonly billingTime: BillingTime;
  /** The anchor of anniversary billing, kept through plan changes. */
  readonly subscriptionAt: Instant;
  readonly zone: TimeZone;
}

export function periodContaining(calendar: BillingCalendar, at: Instant): Period {
  const number = numberOfPeriodAt(calendar, at);
  const found = period(startOf(calendar, number), startOf(calendar, number + 1));
  invariant(contains(found, at), 'The period found contains the instant asked for');
  return found;
}

/** The next bound of the sequence after this instant; a bound itself is not after itself. */
export function nextBoundaryAfter(calendar: BillingCalendar, at: Instant): Instant {
  return periodContaining(calendar, at).to;
}

/** The period that ends at this bound. An instant inside a period gives the period before the one it is in. */
export function periodEndingAt(calendar: BillingCalendar, boundary: Instant): Period {
  return previousPeriod(calendar, periodContaining(calendar, boundary));
}

/** The period that ends where this one starts. */
export function previousPeriod(calendar: BillingCalendar, current: Period): Period {
  const number = numberOfPeriodAt(calendar, current.from);
  return period(startOf(calendar, number - 1), current.from);
}

/** The period that starts where this one ends. */
export function nextPeriod(calendar: BillingCalendar, current: Period): Period {
  return periodContaining(calendar, current.to);
}

/** The same anchor cut by months, for charges that are billed monthly on a longer plan. */
export function monthly(calendar: BillingCalendar): BillingCalendar {
  return { ...calendar, interval: 'monthly' };
}

/** Days from the first to the last local day of a period, both counted: what the price of a full period is divided by. */
export function daysOf(calendar: BillingCalendar, span: Period): number {
  const number = numberOfPeriodAt(calendar, span.from);
  return epochDay(startDateOf(calendar, number + 1)) - epochDay(startDateOf(calendar, number));
}

/** Counts periods from the anchor, which starts number 0. */
function numberOfPeriodAt(calendar: BillingCalendar, at: Instant): number {
  let number = guessPeriodNumber(calendar, at);
  // Months start on the anchor's day, so an earlier day of the month belongs to the period before.
  while (at < startOf(calendar, number)) number -= 1;
  // Where clocks go back over midnight (St. John's, until 2011) the local date is yesterday's again.
  while (at >= startOf(calendar, number + 1)) number += 1;
  return number;
}

function guessPeriodNumber(calendar: BillingCalendar, at: Instant): number {
  const anchor = anchorOf(calendar);
  const date = localDate(at, calendar.zone);
  if (calendar.interval === 'weekly') return Math.floor((epochDay(date) - epochDay(anchor)) / 7);
  const months = (date.year - anchor.year) * 12 + (date.month - anchor.month);
  return Math.floor(months / monthsOf(calendar.interval));
}

function startOf(calendar: BillingCalendar, number: number): Instant {
  return startOfLocalDay(startDateOf(calendar, number), calendar.zone);
}

function startDateOf(calendar: BillingCalendar, number: number): LocalDate {
  const anchor = anchorOf(calendar);
  if (calendar.interval === 'weekly') return addDays(anchor, 7 * number);
  return addMonths(anchor, monthsOf(calendar.interval) * number);
}

const FIRST_MONDAY = localDateOf(1970, 1, 5);
const FIRST_JANUARY = localDateOf(1970, 1, 1);

function anchorOf(calendar: BillingCalendar): LocalDate {
  if (calendar.billingTime === 'anniversary') return localDate(calendar.subscriptionAt, calendar.zone);
  return calendar.interval === 'weekly' ? FIRST_MONDAY : FIRST_JANUARY;
}

function monthsOf(interval: Exclude<BillingInterval, 'weekly'>): number {
  switch (interval) {
    case 'monthly':
      return 1;
    case 'quarterly':
      return 3;
    case 'semiannual':
      return 6;
    case 'yearly':
      return 12;
    default:
      return interval satisfies never;
  }
}
