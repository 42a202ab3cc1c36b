/*
 *               ┌────────► closed            (nothing to bill: no number, no webhook)
 *  generating ──┼────────► draft ──► finalized ──► voided
 *               │            └─────► deleted
 *               ├────────► pending ──► finalized   (waits for a tax answer)
 *               ├────────► open ──► finalized      (waits for its first payment)
 *               └────────► failed ──► pending      (tax answer failed, retried)
 */
export const INVOICE_STATUSES = [
  'generating',
  'draft',
  'open',
  'pending',
  'failed',
  'finalized',
  'voided',
  'closed',
  'deleted',
] as const;
export type InvoiceStatus = (typeof INVOICE_STATUSES)[number];

export const PAYMENT_STATUSES = ['pending', 'succeeded', 'failed'] as const;
export type PaymentStatus = (typeof PAYMENT_STATUSES)[number];

const NEXT: Readonly<Record<InvoiceStatus, readonly InvoiceStatus[]>> = {
  generating: ['draft', 'open', 'pending', 'failed', 'finalized', 'closed'],
  draft: ['finalized', 'pending', 'failed', 'closed', 'deleted'],
  open: ['finalized', 'closed'],
  pending: ['finalized', 'failed', 'closed'],
  failed: ['pending', 'finalized', 'closed'],
  finalized: ['voided'],
  voided: [],
  closed: [],
  deleted: [],
};

/** Whether the step is legal. An issued invoice only ever becomes voided. */
export function mayBecome(from: InvoiceStatus, to: InvoiceStatus): boolean {
  return NEXT[from].includes(to);
}

export interface InvoiceState {
  readonly status: InvoiceStatus;
  readonly paymentStatus: PaymentStatus;
  /** A gateway is working on a payment of this invoice. */
  readonly paymentInProgress?: boolean;
}

/** The answer to a command; `code` is Lago's, answered with HTTP `status`. */
export type Decision =
  { readonly kind: 'allowed' } | { readonly kind: 'refused'; readonly status: 404 | 405; readonly code: string };

const ALLOWED: Decision = { kind: 'allowed' };
const refused = (code: string): Decision => ({ kind: 'refused', status: 405, code });

/** Only drafts are finalized by command; to Lago any other invoice is not found (404). */
export function canFinalize(invoice: Pick<InvoiceState, 'status'>): Decision {
  return invoice.status === 'draft' ? ALLOWED : { kind: 'refused', status: 404, code: 'invoice_not_found' };
}

/** Only drafts are refreshed; any other invoice is answered as it is, so the caller changes nothing when refused. */
export function canRefresh(invoice: Pick<InvoiceState, 'status'>): Decision {
  return invoice.status === 'draft' ? ALLOWED : refused('invalid_status');
}

/** Any finalized invoice may be voided, even a paid one (reference 2.9). */
export function canVoid(invoice: Pick<InvoiceState, 'status'>): Decision {
  return invoice.status === 'finalized' ? ALLOWED : refused('not_voidable');
}

export function canUpdate(invoice: Pick<InvoiceState, 'status'>): Decision {
  return invoice.status === 'voided' ? refused('update_on_voided_invoice') : ALLOWED;
}

export function canDelete(invoice: Pick<InvoiceState, 'status'>): Decision {
  return invoice.status === 'draft' ? ALLOWED : refused('not_deletable');
}

/** Not for drafts, voided or paid ones, and not while the gateway is still busy with it (reference 2.10). */
export function canRetryPayment(invoice: InvoiceState): Decision {
  if (invoice.status !== 'finalized' || invoice.paymentStatus === 'succeeded') return refused('invalid_status');
  return invoice.paymentInProgress ? refused('payment_processor_is_currently_handling_payment') : ALLOWED;
}

/** An invoice of nothing is paid without asking a gateway (reference 2.7). */
export function initialPaymentStatus(totalMinor: number): PaymentStatus {
  return totalMinor === 0 ? 'succeeded' : 'pending';
}
