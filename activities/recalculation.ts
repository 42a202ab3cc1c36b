import type { RecalculationResult } from '../workflows/subscription.contract.js';
import type { InvoiceLifecycle } from '../src/invoicing/invoice-lifecycle.js';
import { formatMinor } from '../src/invoicing/money-text.js';

/** The answer to a person: what the invoice was, what it is with all usage known by now, and whether that was written. */
export async function recalculate(
  lifecycle: InvoiceLifecycle,
  organizationId: string,
  invoiceId: string,
): Promise<RecalculationResult> {
  const { invoice, action, beforeMinor, afterMinor, lines } = await lifecycle.recalculate(organizationId, invoiceId);
  const money = (minor: number) => formatMinor(minor, invoice.currency);
  return {
    invoiceId,
    number: invoice.number,
    status: invoice.status,
    action,
    before: money(beforeMinor),
    after: money(afterMinor),
    difference: money(afterMinor - beforeMinor),
    lines,
  };
}
