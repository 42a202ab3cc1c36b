import { describe, expect, it } from '@jest/globals';
import type { BillingCalendar } from './billing-calendar.js';
import { instant, toIso } from './instant.js';
import { movedBound } from './moved-bound.js';

describe('a bound after a move', () => {
  const calendar = (zone: string, changes: Partial<BillingCalendar> = {}): BillingCalendar => ({
    ...{ interval: 'monthly', billingTime: 'calendar', subscriptionAt: instant('2024-01-15T20:00:00Z'), zone },
    ...changes,
  });
  const anniversary = { billingTime: 'anniversary' } as const;
  it.each([
    ['behind', calendar('America/Los_Angeles'), '2024-02-01T00:00:00Z', '2024-02-01T08:00:00Z'],
    ['ahead', calendar('Asia/Kolkata'), '2024-02-01T00:00:00Z', '2024-01-31T18:30:00Z'],
    ['nowhere', calendar('UTC'), '2024-02-01T00:00:00Z', '2024-02-01T00:00:00Z'],
    ['across the date line', calendar('Pacific/Kiritimati'), '2024-02-01T10:00:00Z', '2024-01-31T10:00:00Z'],
    [
      'to where the day of the start is another',
      calendar('Asia/Kolkata', anniversary),
      '2024-02-15T00:00:00Z',
      '2024-02-15T18:30:00Z',
    ],
    ['with weeks', calendar('Asia/Tokyo', { interval: 'weekly' }), '2024-02-05T05:00:00Z', '2024-02-04T15:00:00Z'],
  ])('%s', (_, moved, closedAt, bound) => expect(toIso(movedBound(moved, instant(closedAt)))).toBe(bound));
});
