import { hash } from 'node:crypto';
import type { EntityManager } from '../platform/database/database.js';
import { type BasePlan, keptParts, type PlanDifference, withDifference } from './plan-difference.js';
import { type PlanRows, readFormerParts, readPlanRows } from './plan-rows.js';
import { SubscriptionTermsEntity } from './subscription-terms.entity.js';

/** The plan of a subscription: its own terms laid over the plan it is on. */
export interface SubscriptionPlan {
  readonly rows: PlanRows;
  /** Null: it has no terms of its own. */
  readonly difference: PlanDifference | null;
}

interface OnPlan {
  readonly id: string;
  readonly planId: string;
}

/** The plans of these subscriptions, by subscription, in a fixed number of queries however many there are. */
export async function readSubscriptionPlans(
  em: EntityManager,
  subscriptions: readonly OnPlan[],
  how: { detached?: boolean } = {},
): Promise<Map<string, SubscriptionPlan>> {
  const terms = await em.find(
    SubscriptionTermsEntity,
    { subscriptionId: { $in: subscriptions.map(({ id }) => id) } },
    { disableIdentityMap: how.detached ?? false },
  );
  const differences = new Map(terms.map(({ subscriptionId, difference }) => [subscriptionId, difference]));
  const plans = await readBasePlans(
    em,
    subscriptions.map(({ planId }) => planId),
    [...differences.values()],
    how,
  );
  return new Map(
    subscriptions.map(({ id, planId }) => {
      const base = plans.get(planId)!;
      const difference = differences.get(id) ?? null;
      return [id, { rows: difference === null ? base : withDifference(base, difference), difference }];
    }),
  );
}

/** These plans with the parts they have no more that one of the differences still has. */
export async function readBasePlans(
  em: EntityManager,
  planIds: readonly string[],
  differences: readonly PlanDifference[],
  how: { detached?: boolean } = {},
): Promise<Map<string, BasePlan>> {
  const plans = await readPlanRows(em, planIds, how);
  const former = await readFormerParts(em, keptParts(differences), how);
  return new Map(
    [...plans].map(([planId, rows]) => [
      planId,
      {
        ...rows,
        formerCharges: former.charges.filter(({ charge }) => charge.planId === planId),
        formerFixedCharges: former.fixedCharges.filter(({ fixedCharge }) => fixedCharge.planId === planId),
      },
    ]),
  );
}

/**
 * The id under which a subscription with terms of its own shows its plan and the parts of it: stable, and another one than
 * the plan's, as clients expect of what Lago keeps as a copy. Fees go on naming the parts of the plan itself.
 */
export function ownId(subscriptionId: string, id: string): string {
  const text = hash('sha256', `${subscriptionId}\0${id}`, 'hex');
  const variant = '89ab'.charAt(Number.parseInt(text.charAt(16), 16) & 3);
  const group = (from: number, to: number) => text.slice(from, to);
  return `${group(0, 8)}-${group(8, 12)}-8${group(13, 16)}-${variant}${group(17, 20)}-${group(20, 32)}`;
}
