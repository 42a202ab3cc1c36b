import { invariant } from '../domain/invariant.js';
import { spreadOverFees } from '../domain/invoicing/credit-note.js';
import type { EntityManager } from '../platform/database/database.js';
import type { BillingContext } from './billing-context.js';
import type { CreditNoteRow } from './credit-note.entity.js';
import { creditAmounts, creditedBefore, storeCreditNote } from './credit-note-writer.js';
import { lockCustomer } from './customer-lock.js';
import { FeeEntity } from './fee.entity.js';
import type { InvoiceRow } from './invoice.entity.js';
import type { VoidCredit } from './ports.js';

/**
 * A credit note over an amount of an invoice, tax included, that takes from every fee in proportion to what is left of it.
 * Part of voiding the invoice; null for nothing.
 *
 * Example: 1,200 of an invoice of 1,000 and 20 % tax -> the fee's 1,000 and taxes 200.
 */
export async function creditInvoice(
  em: EntityManager,
  context: BillingContext,
  invoice: InvoiceRow,
  { creditMinor, refundMinor }: VoidCredit,
  at: Date,
): Promise<CreditNoteRow | null> {
  const totalMinor = creditMinor + refundMinor;
  if (totalMinor === 0) return null;
  await lockCustomer(em, invoice.customerId);
  const before = await creditedBefore(em, invoice.id);
  const leftMinor = creditableMinor(invoice, before.notes);
  invariant(totalMinor <= leftMinor, 'A credit note gives back no more than the invoice');
  const fees = await em.find(FeeEntity, { invoiceId: invoice.id }, { orderBy: { position: 'asc', id: 'asc' } });
  const left = fees.map((fee) => fee.amountCents - (before.byFee.get(fee.id) ?? 0));
  const parts = spreadOverFees(totalMinor, leftMinor, left)
    .map((amountMinor, index) => ({ fee: fees[index]!, amountMinor }))
    .filter((part) => part.amountMinor > 0);
  return storeCreditNote(em, context, {
    invoice,
    parts,
    amounts: creditAmounts(invoice, parts, before, totalMinor),
    split: { creditMinor, refundMinor, offsetMinor: 0 },
    reason: 'other',
    at,
  });
}

/** What notes have left of an invoice, tax included, in minor units. */
export function creditableMinor(invoice: InvoiceRow, notes: readonly CreditNoteRow[]): number {
  return notes.reduce((left, note) => left - note.totalAmountCents, invoice.subTotalIncludingTaxesAmountCents);
}
