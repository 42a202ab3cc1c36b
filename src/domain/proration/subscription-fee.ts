import { later, type Instant } from '../calendar/instant.js';
import { localDate, startOfLocalDay, type TimeZone } from '../calendar/time-zone.js';
import { invariant } from '../invariant.js';
import type { Currency } from '../money/currency.js';
import { Decimal } from '../money/decimal.js';
import { fromMinorUnits, roundMinor } from '../money/money.js';
import { billedDays } from './day-count.js';

export interface SubscriptionFeeInput {
  readonly planAmountMinor: number;
  readonly currency: Currency;
  /** Days of the full period. */
  readonly periodDays: number;
  /** The billed part of it, half-open. */
  readonly from: Instant;
  readonly to: Instant;
  readonly zone: TimeZone;
  /** Time before it is free; the day in which it falls is billed. */
  readonly trialEndsAt?: Instant | null;
  /** The day of an upgrade belongs to the new subscription. */
  readonly endedByUpgrade?: boolean;
}

export interface SubscriptionFee {
  readonly kind: 'subscription-fee';
  readonly billedDays: number;
  /** 1 for a whole period, less when prorated. */
  readonly share: Decimal;
  readonly amountMinor: number;
  /** Unrounded, in minor units. */
  readonly preciseAmountMinor: Decimal;
  /** Unrounded, in currency units. */
  readonly preciseAmount: Decimal;
}

/**
 * The plan's amount for the billed days of a period: amount × days ÷ days of the period, rounded once (reference 2.6).
 *
 * Example: 5,000 a month from 8 February on (21 of 28 days) -> 3,750.
 */
export function subscriptionFee(input: SubscriptionFeeInput): SubscriptionFee {
  invariant(input.periodDays > 0, 'A period has at least one day');
  const from = input.trialEndsAt == null ? input.from : later(input.from, startOfDay(input.trialEndsAt, input.zone));
  const counted = billedDays({ from, to: input.to }, input.zone);
  const days = Math.max(0, counted - (input.endedByUpgrade ? 1 : 0));
  // Multiplied before it is divided: a whole period costs exactly the plan's amount.
  const preciseAmountMinor = new Decimal(input.planAmountMinor).times(days).div(input.periodDays);
  return {
    kind: 'subscription-fee',
    billedDays: days,
    share: new Decimal(days).div(input.periodDays),
    amountMinor: roundMinor(preciseAmountMinor),
    preciseAmountMinor,
    preciseAmount: fromMinorUnits(preciseAmountMinor, input.currency),
  };
}

function startOfDay(at: Instant, zone: TimeZone): Instant {
  return startOfLocalDay(localDate(at, zone), zone);
}
