import { DueMomentEntity, type DueMomentRow } from '../due-moments/due-moment.entity.js';
import { BillingPeriodEntity } from '../invoicing/billing-period.entity.js';
import type { EntityManager } from '../platform/database/database.js';
import { SubscriptionEntity } from '../subscriptions/subscription.entity.js';

/** What a step gave to do and what may not have been told, because the step's first attempt died after its commit. */
export async function unnotifiedMoments(
  em: EntityManager,
  subscriptionId: string,
  billingAt: Date,
): Promise<DueMomentRow[]> {
  const periods = await em.find(BillingPeriodEntity, { subscriptionId, billingAt, invoiceId: { $ne: null } });
  const invoiceIds = periods.flatMap((period) => (period.invoiceId == null ? [] : [period.invoiceId]));
  const successors = await em.find(SubscriptionEntity, { previousSubscriptionId: subscriptionId });
  return em.find(DueMomentEntity, {
    notifiedAt: null,
    $or: [
      { ownerKind: 'invoice', ownerId: { $in: invoiceIds } },
      { ownerKind: 'subscription', ownerId: { $in: successors.map(({ id }) => id) } },
    ],
  });
}
