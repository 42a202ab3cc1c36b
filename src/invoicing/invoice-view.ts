import type { EntityManager } from '../platform/database/database.js';
import { type CustomerView, customerViews } from '../customers/index.js';
import { presentOfCustomers, type SubscriptionView, subscriptionViews } from '../subscriptions/subscription-view.js';
import { BillingPeriodEntity, type BillingPeriodRow } from './billing-period.entity.js';
import {
  CreditNoteEntity,
  type CreditNoteRow,
  InvoiceCreditEntity,
  type InvoiceCreditRow,
} from './credit-note.entity.js';
import { FeeEntity } from './fee.entity.js';
import type { FeeView } from './fee.mapping.js';
import { feeViews } from './fee-view.js';
import { inSubscriptionOrder } from './invoice-composition.js';
import type { InvoiceRow } from './invoice.entity.js';

/** An invoice as lists show it. */
export interface InvoiceView {
  readonly invoice: InvoiceRow;
  readonly customer: CustomerView;
  /** The present on the clock the customer lives on: decides what is overdue. */
  readonly now: Date;
}

/** What a credit note paid for on an invoice. */
export interface CreditView {
  readonly credit: InvoiceCreditRow;
  readonly note: CreditNoteRow;
  readonly invoice: InvoiceRow;
}

/** An invoice as it is shown by itself. */
export interface WholeInvoiceView extends InvoiceView {
  readonly credits: readonly CreditView[];
  readonly fees: readonly FeeView[];
  readonly periods: readonly BillingPeriodRow[];
  readonly subscriptions: readonly SubscriptionView[];
}

export async function invoiceViews(
  em: EntityManager,
  organizationId: string,
  invoices: readonly InvoiceRow[],
): Promise<InvoiceView[]> {
  const customers = await customerViews(
    em,
    organizationId,
    invoices.map(({ customerId }) => customerId),
  );
  const presents = await presentOfCustomers(em, customers);
  return invoices.map((invoice) => ({
    invoice,
    customer: customers.get(invoice.customerId)!,
    now: presents.get(invoice.customerId)!,
  }));
}

export async function wholeInvoiceView(em: EntityManager, invoice: InvoiceRow): Promise<WholeInvoiceView> {
  const [view] = await invoiceViews(em, invoice.organizationId, [invoice]);
  const periods = await inSubscriptionOrder(
    em,
    await em.find(BillingPeriodEntity, { invoiceId: invoice.id }, { orderBy: { createdAt: 'asc', id: 'asc' } }),
  );
  const fees = await em.find(FeeEntity, { invoiceId: invoice.id }, { orderBy: { createdAt: 'asc', position: 'asc' } });
  const ids = [...new Set(periods.map(({ subscriptionId }) => subscriptionId))];
  const subscriptions = await subscriptionViews(em, invoice.organizationId, ids);
  return {
    ...view!,
    credits: await creditViews(em, invoice),
    fees: await feeViews(em, fees),
    periods,
    subscriptions: ids.map((id) => subscriptions.get(id)!),
  };
}

async function creditViews(em: EntityManager, invoice: InvoiceRow): Promise<CreditView[]> {
  const credits = await em.find(
    InvoiceCreditEntity,
    { invoiceId: invoice.id },
    { orderBy: { createdAt: 'asc', id: 'asc' } },
  );
  const notes = await em.find(CreditNoteEntity, { id: { $in: credits.map((credit) => credit.creditNoteId) } });
  const byId = new Map(notes.map((note) => [note.id, note]));
  return credits
    .map((credit) => ({ credit, note: byId.get(credit.creditNoteId)!, invoice }))
    .sort(
      (a, b) => a.note.createdAt.getTime() - b.note.createdAt.getTime() || (a.note.number < b.note.number ? -1 : 1),
    );
}
