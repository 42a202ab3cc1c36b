import type { RatedPlan } from '../catalog/rated-plan.js';
import type { EntityManager } from '../platform/database/database.js';
import type { SubscriptionRow, TerminationCredit } from '../subscriptions/subscription.entity.js';
import type { BillingContext } from './billing-context.js';

/** A subscription that ends with time left that it may have paid in advance. */
export interface UnusedTime {
  readonly em: EntityManager;
  readonly context: BillingContext;
  readonly subscription: SubscriptionRow;
  readonly plan: RatedPlan;
  /** Nominal instant of the end. */
  readonly at: Date;
  /** The local day of `at` is used up by a termination, and belongs to the new plan after an upgrade. */
  readonly endedByUpgrade: boolean;
  readonly mode: TerminationCredit;
}

/**
 * Gives back the days that were paid in advance and will not be used (lago-api.md 2.6), before the invoice of the same step
 * is composed: what it leaves on the balance counts on that invoice already. Called in the step's transaction, once.
 *
 * Example: 5,000 for February, ended on the 8th -> 20 of 28 days, 3,571.
 */
export async function creditUnusedTime(_unused: UnusedTime): Promise<void> {
  // Credit notes come with their own module.
}
