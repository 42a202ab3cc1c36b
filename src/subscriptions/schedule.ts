import { subscriptionWorkflowId } from '../../workflows/subscription.contract.js';
import type { RatedPlan } from '../catalog/rated-plan.js';
import type { CustomerRow } from '../customers/customer.entity.js';
import type { DueMomentRow } from '../due-moments/due-moment.entity.js';
import { storeDueMoment } from '../due-moments/due-moments.js';
import { OrganizationEntity } from '../organizations/organization.entity.js';
import type { EntityManager } from '../platform/database/database.js';
import { nextDueOf } from './lifecycle.js';
import type { SubscriptionRow } from './subscription.entity.js';

/** Whose subscription it is and by which clock and calendar it lives. */
export interface Household {
  readonly customer: CustomerRow;
  readonly zone: string;
  readonly now: Date;
}

/** Stores what comes next for a subscription; null when nothing does. Its workflow is still to be told. */
export async function scheduleNext(
  em: EntityManager,
  subscription: SubscriptionRow,
  plan: RatedPlan,
  { customer, zone }: Pick<Household, 'customer' | 'zone'>,
): Promise<DueMomentRow[]> {
  const next = nextDueOf(subscription, plan, zone);
  if (next === null) return [];
  const owner = ownerOf(subscription, customer, plan);
  return [await storeDueMoment(em, { ...owner, kind: next.kind, dueAt: new Date(next.at), known: false })];
}

/** The identity under which a subscription's due moments are kept. */
export function ownerOf(subscription: SubscriptionRow, customer: CustomerRow, { plan }: RatedPlan) {
  return {
    ownerKind: 'subscription' as const,
    ownerId: subscription.id,
    organizationId: subscription.organizationId,
    customerId: customer.id,
    workflowId: subscriptionWorkflowId(subscription.organizationId, subscription.externalId, subscription.ordinal),
    currency: plan.currency,
    testClockId: customer.testClockId ?? null,
  };
}

/** Time zone in which a customer is billed: its own, else the organization's. */
export async function zoneOf(em: EntityManager, organizationId: string, customer: CustomerRow): Promise<string> {
  if (customer.timezone != null) return customer.timezone;
  return (await em.findOneOrFail(OrganizationEntity, { id: organizationId })).timezone;
}
