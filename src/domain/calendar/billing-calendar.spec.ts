import { describe, expect, it } from '@jest/globals';
import {
  daysOf,
  monthly,
  nextBoundaryAfter,
  nextPeriod,
  periodContaining,
  periodEndingAt,
  previousPeriod,
  type BillingCalendar,
  type BillingInterval,
  type BillingTime,
} from './billing-calendar.js';
import { instant, toIso } from './instant.js';

const calendar = (
  interval: BillingInterval,
  billingTime: BillingTime,
  subscriptionAt: string,
  zone = 'UTC',
): BillingCalendar => ({ interval, billingTime, subscriptionAt: instant(subscriptionAt), zone });

describe('the period that contains an instant', () => {
  it.each([
    ['31 January', 'monthly', 'anniversary', '2023-01-31', 'UTC', '2023-02-15', '2023-01-31', '2023-02-28'],
    [
      'after it, February is clamped',
      'monthly',
      'anniversary',
      '2023-01-31',
      'UTC',
      '2023-02-28',
      '2023-02-28',
      '2023-03-31',
    ],
    ['in a leap year', 'monthly', 'anniversary', '2024-01-31', 'UTC', '2024-02-29', '2024-02-29', '2024-03-31'],
    ['then the 31st again', 'monthly', 'anniversary', '2023-01-31', 'UTC', '2023-03-31', '2023-03-31', '2023-04-30'],
    [
      '29 February, a common year',
      'yearly',
      'anniversary',
      '2024-02-29',
      'UTC',
      '2025-06-01',
      '2025-02-28',
      '2026-02-28',
    ],
    [
      '29 February, the next leap year',
      'yearly',
      'anniversary',
      '2024-02-29',
      'UTC',
      '2028-02-28',
      '2027-02-28',
      '2028-02-29',
    ],
    ['weeks start on Monday', 'weekly', 'calendar', '2024-01-31', 'UTC', '2024-02-04', '2024-01-29', '2024-02-05'],
    ['weeks from a Wednesday', 'weekly', 'anniversary', '2024-01-31', 'UTC', '2024-02-04', '2024-01-31', '2024-02-07'],
    ['quarters from January', 'quarterly', 'calendar', '2024-02-15', 'UTC', '2024-05-31', '2024-04-01', '2024-07-01'],
    [
      'quarters from 30 November',
      'quarterly',
      'anniversary',
      '2023-11-30',
      'UTC',
      '2024-03-01',
      '2024-02-29',
      '2024-05-30',
    ],
    [
      'half-years from January',
      'semiannual',
      'calendar',
      '2024-02-15',
      'UTC',
      '2024-12-31',
      '2024-07-01',
      '2025-01-01',
    ],
    [
      'half-years from 31 August',
      'semiannual',
      'anniversary',
      '2023-08-31',
      'UTC',
      '2024-03-01',
      '2024-02-29',
      '2024-08-31',
    ],
    ['before the anchor too', 'monthly', 'anniversary', '2024-01-31', 'UTC', '2023-11-30', '2023-11-30', '2023-12-31'],
  ] as const)('%s', (_, interval, time, anchor, zone, at, from, to) => {
    const found = periodContaining(calendar(interval, time, `${anchor}T00:00:00Z`, zone), instant(`${at}T00:00:00Z`));
    expect([toIso(found.from), toIso(found.to)]).toEqual([`${from}T00:00:00Z`, `${to}T00:00:00Z`]);
  });

  it.each([
    ['clocks go forward', 'Europe/Paris', '2024-03-15T00:00:00Z', '2024-02-29T23:00:00Z', '2024-03-31T22:00:00Z', 31],
    ['clocks go back', 'Europe/Paris', '2024-10-15T00:00:00Z', '2024-09-30T22:00:00Z', '2024-10-31T23:00:00Z', 31],
    [
      'west of Greenwich',
      'America/New_York',
      '2024-02-15T00:00:00Z',
      '2024-02-01T05:00:00Z',
      '2024-03-01T05:00:00Z',
      29,
    ],
  ])('%s in %s', (_, zone, at, from, to, days) => {
    const months = calendar('monthly', 'calendar', '2020-01-01T00:00:00Z', zone);
    const found = periodContaining(months, instant(at));
    expect([toIso(found.from), toIso(found.to)]).toEqual([from, to]);
    expect(daysOf(months, found)).toBe(days);
  });

  it('stays in a period that started, when clocks go back over its first midnight', () => {
    const months = calendar('monthly', 'calendar', '2009-01-07T12:00:00Z', 'America/St_Johns');
    // 1 November 00:00 is 02:30 UTC; at 00:01 clocks go back to 23:01 of 31 October.
    expect(toIso(periodContaining(months, instant('2009-11-01T02:40:00Z')).from)).toBe('2009-11-01T02:30:00Z');
  });

  it('takes the anchor’s local date: midnight UTC on 2 February is 1 February in New York', () => {
    const months = calendar('monthly', 'anniversary', '2021-02-02T00:00:00Z', 'America/New_York');
    expect(toIso(periodContaining(months, instant('2021-02-02T00:00:00Z')).from)).toBe('2021-02-01T05:00:00Z');
  });
});

describe('the sequence', () => {
  const months = calendar('monthly', 'anniversary', '2024-01-31T09:30:00Z');
  const february = periodContaining(months, instant('2024-03-01T00:00:00Z'));

  it('goes forwards and backwards without a gap', () => {
    expect(nextPeriod(months, february).from).toBe(february.to);
    expect(previousPeriod(months, february).to).toBe(february.from);
    expect(previousPeriod(months, nextPeriod(months, february))).toEqual(february);
  });

  it('has the period that ends at a bound, and the next bound strictly after it', () => {
    expect(periodEndingAt(months, february.to)).toEqual(february);
    expect(nextBoundaryAfter(months, february.from)).toBe(february.to);
    expect(toIso(nextBoundaryAfter(months, february.to))).toBe('2024-04-30T00:00:00Z');
  });

  it('is cut by months for charges billed monthly', () => {
    const years = calendar('yearly', 'anniversary', '2024-01-31T00:00:00Z');
    expect(daysOf(monthly(years), periodContaining(monthly(years), instant('2024-02-10T00:00:00Z')))).toBe(29);
  });
});
