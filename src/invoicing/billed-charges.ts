import { loadSubscriptionPlan, type RatedPlan } from '../catalog/rated-plan.js';
import { type Instant, instant } from '../domain/calendar/instant.js';
import { invariant } from '../domain/invariant.js';
import type { EntityManager } from '../platform/database/database.js';
import { successorOf } from '../subscriptions/life.js';
import { SubscriptionEntity } from '../subscriptions/subscription.entity.js';
import type { BillingPeriodRow } from './billing-period.entity.js';

/**
 * The plan as one billing period bills it. At an upgrade the recurring usage of a metric that the new plan prices too is
 * left to the new plan; what it has no price for, the old one bills. Usage that is weighted by time both bill for their days.
 * At a pause what is not weighted by time is left to the first close after it.
 */
export async function billedPlan(em: EntityManager, plan: RatedPlan, period: BillingPeriodRow): Promise<RatedPlan> {
  if (!period.endedByUpgrade) return plan;
  if (period.billingGroup.startsWith('pause/')) return upToPause(plan);
  if (!plan.charges.some(({ charge }) => charge.metric.recurring)) return plan;
  const subscription = await em.findOneOrFail(SubscriptionEntity, { id: period.subscriptionId });
  const next = await successorOf(em, subscription);
  invariant(next, 'an upgrade leads to a subscription');
  const kept = new Set((await loadSubscriptionPlan(em, next)).charges.map(({ charge }) => charge.metric.id));
  const charges = plan.charges.filter(
    ({ charge }) => !charge.metric.recurring || charge.prorated || !kept.has(charge.metric.id),
  );
  return { ...plan, charges };
}

// What a pause interrupts goes on after it; only what is weighted by days is owed for the days before.
function upToPause(plan: RatedPlan): RatedPlan {
  return {
    ...plan,
    charges: plan.charges.filter(({ charge }) => !charge.metric.recurring || charge.prorated),
    fixedCharges: plan.fixedCharges.filter(({ fixedCharge }) => fixedCharge.payInAdvance || fixedCharge.prorated),
  };
}

/** The end of the usage that a period bills: the instant of an upgrade belongs to the new plan. */
export function usageEnd({ to }: { readonly to: Instant }, { endedByUpgrade }: BillingPeriodRow): Instant {
  return endedByUpgrade ? instant(to - 1) : to;
}
