import type { InvoiceRow } from './invoice.entity.js';

/** What is still to be paid, in minor units: the total less payments and less what credit notes took off it. */
export function dueMinor(
  invoice: Pick<InvoiceRow, 'totalAmountCents' | 'totalPaidAmountCents' | 'totalOffsettedCreditNoteAmountCents'>,
): number {
  return invoice.totalAmountCents - invoice.totalPaidAmountCents - invoice.totalOffsettedCreditNoteAmountCents;
}
