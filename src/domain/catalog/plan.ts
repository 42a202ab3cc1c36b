import type { BillingInterval } from '../calendar/billing-calendar.js';
import type { Currency } from '../money/currency.js';
import type { Decimal } from '../money/decimal.js';
import type { MetricDefinition } from './billable-metric.js';
import type { ChargeModel, GraduatedModel, StandardModel, VolumeModel } from './charge.js';
import type { ChargeFilter, PresentationKey } from './charge-filter.js';

/** The price of one metric on a plan. */
export interface Charge {
  readonly id: string;
  readonly code: string;
  readonly metric: MetricDefinition;
  /** The price of usage that no filter takes. */
  readonly model: ChargeModel;
  readonly filters: readonly ChargeFilter[];
  readonly payInAdvance: boolean;
  readonly prorated: boolean;
  readonly invoiceable: boolean;
  /** Spending minimum per period, 0 for none. */
  readonly minAmountMinor: number;
  readonly invoiceDisplayName?: string | null;
  readonly pricingGroupKeys?: readonly string[];
  readonly presentationKeys?: readonly PresentationKey[];
}

/** A price for a number of units that is agreed and not metered. */
export interface FixedCharge {
  readonly id: string;
  readonly code: string;
  /** Units in force from the start on; later changes are dated and kept with each subscription. */
  readonly units: Decimal;
  readonly model: StandardModel | GraduatedModel | VolumeModel;
  readonly payInAdvance: boolean;
  readonly prorated: boolean;
  readonly invoiceDisplayName?: string | null;
}

/** What the fees of a period have to reach; a true-up bills the rest. */
export interface MinimumCommitment {
  readonly id: string;
  readonly amountMinor: number;
  readonly invoiceDisplayName: string | null;
}

export interface Plan {
  readonly id: string;
  readonly code: string;
  readonly name: string;
  readonly interval: BillingInterval;
  readonly amountMinor: number;
  readonly currency: Currency;
  readonly payInAdvance: boolean;
  /** May be a fraction. */
  readonly trialDays: number;
  readonly billChargesMonthly: boolean;
  readonly billFixedChargesMonthly?: boolean;
  readonly charges: readonly Charge[];
  readonly fixedCharges: readonly FixedCharge[];
  readonly commitment: MinimumCommitment | null;
}

const PERIODS_PER_YEAR: Readonly<Record<BillingInterval, number>> = {
  weekly: 52,
  monthly: 12,
  quarterly: 4,
  semiannual: 2,
  yearly: 1,
};

/**
 * What a plan costs in a year, in minor units: the measure of upgrade and downgrade (reference 2.6).
 *
 * Example: 5,000 monthly -> 60,000; 1,000 weekly -> 52,000.
 */
export function yearlyAmountMinor(plan: Pick<Plan, 'interval' | 'amountMinor'>): number {
  return plan.amountMinor * PERIODS_PER_YEAR[plan.interval];
}

/** A change to a plan that costs as much or more in a year happens at once; a cheaper one at the period's end. */
export function isUpgrade(
  from: Pick<Plan, 'interval' | 'amountMinor'>,
  to: Pick<Plan, 'interval' | 'amountMinor'>,
): boolean {
  return yearlyAmountMinor(to) >= yearlyAmountMinor(from);
}
