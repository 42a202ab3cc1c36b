import { type InvoiceDueKind, invoiceWorkflowId } from '../../workflows/invoice.contract.js';
import type { CustomerRow } from '../customers/customer.entity.js';
import type { DueMomentRow } from '../due-moments/due-moment.entity.js';
import { clearDueMoment, storeDueMoment } from '../due-moments/due-moments.js';
import type { EntityManager } from '../platform/database/database.js';
import type { InvoiceRow } from './invoice.entity.js';

/** What an invoice waits for, or null when it waits for nothing and needs no workflow. */
export function nextInvoiceDue(
  invoice: InvoiceRow,
  customer: Pick<CustomerRow, 'paymentProvider'>,
): { kind: InvoiceDueKind; at: Date } | null {
  if (invoice.status === 'draft') return { kind: 'finalize', at: invoice.finalizeAt };
  if (invoice.status !== 'finalized' || invoice.paymentStatus !== 'pending') return null;
  if (customer.paymentProvider == null || invoice.totalAmountCents === 0) return null;
  // Without a gateway it is paid by other means, and nothing here is awaited.
  return { kind: 'collect', at: invoice.finalizedAt ?? invoice.finalizeAt };
}

export async function storeInvoiceDue(
  em: EntityManager,
  invoice: Pick<InvoiceRow, 'id' | 'organizationId' | 'currency'>,
  customer: Pick<CustomerRow, 'id' | 'testClockId'>,
  due: { kind: InvoiceDueKind; at: Date } | null,
  options: { known: boolean },
): Promise<DueMomentRow | null> {
  if (due === null) {
    await clearDueMoment(em, 'invoice', invoice.id);
    return null;
  }
  return storeDueMoment(em, {
    ownerKind: 'invoice',
    ownerId: invoice.id,
    organizationId: invoice.organizationId,
    customerId: customer.id,
    workflowId: invoiceWorkflowId(invoice.organizationId, invoice.id),
    kind: due.kind,
    dueAt: due.at,
    currency: invoice.currency,
    testClockId: customer.testClockId ?? null,
    known: options.known,
  });
}
