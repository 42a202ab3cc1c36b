import type { InvoiceDue, InvoiceFace, InvoiceState } from './invoice.contract.js';
import type { SearchAttributeValues } from './search-attributes.js';

/** The word by which invoices are listed: where it stands and what is awaited. */
export function billingState(face: InvoiceFace, due: InvoiceDue | null): string {
  if (face.status !== 'finalized') return face.status;
  if (face.paymentStatus === 'succeeded') return 'paid';
  if (due?.kind === 'await_payment') return 'awaiting payment';
  if (face.attempts.length > 0 && due !== null) return 'retrying';
  if (face.paymentStatus === 'failed') return 'failed';
  return due === null ? 'finalized' : 'collecting';
}

export function invoiceSearchAttributes(
  state: InvoiceState,
  face: InvoiceFace,
  due: InvoiceDue | null,
): SearchAttributeValues {
  return {
    BillingState: billingState(face, due),
    OrganizationId: state.organizationId,
    CustomerId: face.customerId,
    Currency: face.currency,
    OutstandingMinor: face.outstandingMinor,
    CollectionAttempt: face.attempts.length,
    NextActionAt: due === null ? null : new Date(due.at),
    TestClockId: state.clock.kind === 'test' ? state.clock.id : null,
    NeedsAttention: face.attention !== null,
    AttentionReason: face.attention,
  };
}
