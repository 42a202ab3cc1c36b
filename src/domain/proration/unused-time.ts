import { type Instant, later } from '../calendar/instant.js';
import { addDays } from '../calendar/local-date.js';
import { localDate, startOfLocalDay, type TimeZone } from '../calendar/time-zone.js';
import { subscriptionFee, type SubscriptionFeeInput } from './subscription-fee.js';

export type UnusedTimeInput = SubscriptionFeeInput & {
  readonly endedAt: Instant;
  /** The day of a plan change belongs to the new plan, that of a termination to the old one. */
  readonly endedByUpgrade: boolean;
};

/**
 * What a fee paid in advance cost for the days that were not used, in minor units (reference 2.6). `from` and `to` are the
 * span that the fee was for.
 *
 * Example: 5,000 for February, ended on the 8th -> 20 of 28 days, 3,571; by an upgrade on the 8th -> 21 days, 3,750.
 */
export function unusedAmount(input: UnusedTimeInput): number {
  const from = later(input.from, firstUnusedInstant(input.endedAt, input.endedByUpgrade, input.zone));
  // The days before the end are left out already.
  return from >= input.to ? 0 : subscriptionFee({ ...input, from, endedByUpgrade: false }).amountMinor;
}

function firstUnusedInstant(endedAt: Instant, endedByUpgrade: boolean, zone: TimeZone): Instant {
  const day = localDate(endedAt, zone);
  return startOfLocalDay(endedByUpgrade ? day : addDays(day, 1), zone);
}
