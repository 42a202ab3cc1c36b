import { plus, type Instant } from '../calendar/instant.js';
import { addDays, toIsoDate } from '../calendar/local-date.js';
import { parseLocalDate } from '../calendar/local-date.js';
import { localDate, startOfLocalDay, type TimeZone } from '../calendar/time-zone.js';

export type IssuingDateAnchor = 'current_period_end' | 'next_period_start';
export type IssuingDateAdjustment = 'keep_anchor' | 'align_with_finalization_date';

/**
 * The date on an invoice (reference 2.9), as `2024-02-01` in the customer's zone: the day the next period starts, or the
 * last day of the billed one, plus the days of grace unless the anchor is kept.
 *
 * Example: January billed at the start of 1 February, 3 days of grace -> 2024-02-04.
 */
export function issuingDate(input: {
  /** The bound at which the period was billed, or the termination. */
  readonly billingAt: Instant;
  readonly zone: TimeZone;
  readonly graceDays: number;
  readonly anchor?: IssuingDateAnchor;
  readonly adjustment?: IssuingDateAdjustment;
}): string {
  const anchoredAt = input.anchor === 'current_period_end' ? plus(input.billingAt, -1) : input.billingAt;
  const days = input.adjustment === 'keep_anchor' ? 0 : input.graceDays;
  return toIsoDate(addDays(localDate(anchoredAt, input.zone), days));
}

/** Example: issued 2024-02-04, net 30 -> 2024-03-05. */
export function paymentDueDate(issuedOn: string, netPaymentTermDays: number): string {
  return toIsoDate(addDays(parseLocalDate(issuedOn), netPaymentTermDays));
}

/**
 * When a draft becomes due to be finalized: the start of the local day that is `graceDays` after the billing's.
 *
 * Example: billed at the start of 1 February, 3 days -> start of 4 February.
 */
export function graceEndsAt(billingAt: Instant, zone: TimeZone, graceDays: number): Instant {
  return startOfLocalDay(addDays(localDate(billingAt, zone), graceDays), zone);
}
