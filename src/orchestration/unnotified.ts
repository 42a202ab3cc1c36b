import { DueMomentEntity, type DueMomentRow } from '../due-moments/due-moment.entity.js';
import { BillingPeriodEntity } from '../invoicing/billing-period.entity.js';
import type { EntityManager } from '../platform/database/database.js';

/** Invoices that a step made and whose workflows may not have been told, because the step's first attempt died after its commit. */
export async function unnotifiedInvoiceMoments(
  em: EntityManager,
  subscriptionId: string,
  billingAt: Date,
): Promise<DueMomentRow[]> {
  const periods = await em.find(BillingPeriodEntity, { subscriptionId, billingAt, invoiceId: { $ne: null } });
  const invoiceIds = periods.flatMap((period) => (period.invoiceId == null ? [] : [period.invoiceId]));
  return em.find(DueMomentEntity, { ownerKind: 'invoice', ownerId: { $in: invoiceIds }, notifiedAt: null });
}
