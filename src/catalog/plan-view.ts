import { type TaxRow, taxesByCode } from '../organizations/index.js';
import type { EntityManager } from '../platform/database/database.js';
import { type PlanRows, readPlanRows } from './plan-rows.js';
import { readSubscriptionPlans } from './subscription-plan.js';

/** A plan with all that its JSON shows. */
export interface PlanView extends PlanRows {
  readonly taxes: ReadonlyMap<string, TaxRow>;
  /** Of a subscription's plan, when the subscription has terms of its own. */
  readonly ownedBy: string | null;
  /** It is being deleted: its subscriptions and drafts come to their end. */
  readonly pendingDeletion?: boolean;
}

/** The views of these plans by id, in a fixed number of queries however many there are. */
export async function planViews(
  em: EntityManager,
  organizationId: string,
  planIds: readonly string[],
): Promise<Map<string, PlanView>> {
  const plans = await readPlanRows(em, planIds);
  const taxes = await taxesByCode(em, organizationId);
  return new Map([...plans].map(([id, rows]) => [id, { ...rows, taxes, ownedBy: null }]));
}

/** The plans of these subscriptions, by subscription, each with the subscription's own terms. */
export async function subscriptionPlanViews(
  em: EntityManager,
  organizationId: string,
  subscriptions: readonly { readonly id: string; readonly planId: string }[],
): Promise<Map<string, PlanView>> {
  const plans = await readSubscriptionPlans(em, subscriptions);
  const taxes = await taxesByCode(em, organizationId);
  return new Map(
    [...plans].map(([id, { rows, difference }]) => [id, { ...rows, taxes, ownedBy: difference === null ? null : id }]),
  );
}
