import { z } from 'zod';
import { invoiceJson } from './invoice.mapping.js';
import type { InvoicePreview } from './invoice-preview.service.js';

/** An invoice of which nothing is stored: its fields are those of Invoice, and what is only imagined has no id. */
export const invoicePreviewAnswer = z
  .record(z.string(), z.unknown())
  .meta({ id: 'InvoicePreview', description: 'As Invoice. What is not stored has null instead of an id.' });

export function invoicePreviewJson({ view, imagined }: InvoicePreview): Record<string, unknown> {
  const json = invoiceJson(view);
  const subscriptionId = (id: string | null) => (id === null || imagined.subscriptionIds.has(id) ? null : id);
  const customer = imagined.customer ? { ...json.customer, lago_id: null, external_id: null } : json.customer;
  return {
    ...json,
    lago_id: null,
    customer,
    applied_taxes: json.applied_taxes.map((tax) => ({ ...tax, lago_id: null, lago_invoice_id: null })),
    subscriptions: json.subscriptions.map((subscription) => ({
      ...subscription,
      lago_id: subscriptionId(subscription.lago_id),
    })),
    billing_periods: json.billing_periods.map((period) => ({
      ...period,
      lago_subscription_id: subscriptionId(period.lago_subscription_id),
    })),
    credits: json.credits.map((credit) => ({
      ...credit,
      lago_id: null,
      invoice: { ...credit.invoice, lago_id: null },
    })),
    fees: json.fees.map((fee) => ({
      ...fee,
      lago_id: null,
      lago_invoice_id: null,
      lago_subscription_id: subscriptionId(fee.lago_subscription_id),
      lago_customer_id: imagined.customer ? null : fee.lago_customer_id,
      applied_taxes: fee.applied_taxes.map((tax) => ({ ...tax, lago_id: null, lago_fee_id: null })),
    })),
  };
}
