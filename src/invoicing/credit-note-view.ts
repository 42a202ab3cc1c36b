import { type CustomerView, customerViews } from '../customers/index.js';
import type { EntityManager } from '../platform/database/database.js';
import { CreditNoteItemEntity, type CreditNoteItemRow, type CreditNoteRow } from './credit-note.entity.js';
import { FeeEntity } from './fee.entity.js';
import type { FeeView } from './fee.mapping.js';
import { feeViews } from './fee-view.js';
import { InvoiceEntity, type InvoiceRow } from './invoice.entity.js';

export interface CreditNoteItemView {
  readonly item: CreditNoteItemRow;
  readonly fee: FeeView;
}

export interface CreditNoteView {
  readonly note: CreditNoteRow;
  readonly invoice: InvoiceRow;
  readonly customer: CustomerView;
  readonly items: readonly CreditNoteItemView[];
}

/** Adds what the JSON of credit notes shows, in a few queries for all of them. */
export async function creditNoteViews(
  em: EntityManager,
  organizationId: string,
  notes: readonly CreditNoteRow[],
): Promise<CreditNoteView[]> {
  const customers = await customerViews(
    em,
    organizationId,
    notes.map(({ customerId }) => customerId),
  );
  const invoices = await em.find(InvoiceEntity, { id: { $in: notes.map(({ invoiceId }) => invoiceId) } });
  const items = await em.find(
    CreditNoteItemEntity,
    { creditNoteId: { $in: notes.map(({ id }) => id) } },
    { orderBy: { position: 'asc' } },
  );
  const fees = await feeViews(em, await em.find(FeeEntity, { id: { $in: items.map(({ feeId }) => feeId) } }));
  const invoiceById = new Map(invoices.map((invoice) => [invoice.id, invoice]));
  const feeById = new Map(fees.map((view) => [view.fee.id, view]));
  return notes.map((note) => ({
    note,
    invoice: invoiceById.get(note.invoiceId)!,
    customer: customers.get(note.customerId)!,
    items: items
      .filter((item) => item.creditNoteId === note.id)
      .map((item) => ({ item, fee: feeById.get(item.feeId)! })),
  }));
}
