import { randomUUID } from 'node:crypto';
import { useCredits } from '../domain/invoicing/credit-note.js';
import { sumMinor } from '../domain/money/money.js';
import type { EntityManager } from '../platform/database/database.js';
import { CreditNoteEntity, InvoiceCreditEntity } from './credit-note.entity.js';
import type { InvoiceRow } from './invoice.entity.js';

/**
 * Pays for an invoice from the customer's credit notes, the oldest first, of its currency and never from its own
 * (lago-api.md 2.7). Part of issuing it, under the customer's lock; drafts have no credits. Changes its total.
 *
 * Example: total 6,000, a note of 3,000 -> credit 3,000, total 3,000, the note is consumed.
 */
export async function payFromCreditNotes(em: EntityManager, invoice: InvoiceRow, at: Date): Promise<void> {
  // A one-off invoice has fees and taxes only, a top-up is paid in money.
  if (invoice.totalAmountCents === 0 || invoice.invoiceType === 'one_off' || invoice.invoiceType === 'credit') return;
  const notes = await em.find(
    CreditNoteEntity,
    {
      customerId: invoice.customerId,
      currency: invoice.currency,
      creditStatus: 'available',
      balanceAmountCents: { $gt: 0 },
      invoiceId: { $ne: invoice.id },
    },
    { orderBy: { createdAt: 'asc', issuingDate: 'asc', number: 'asc' }, refresh: true },
  );
  const uses = useCredits(
    invoice.totalAmountCents,
    notes.map((note) => note.balanceAmountCents),
  );
  for (const { note: index, amountMinor, balanceMinor } of uses) {
    const note = notes[index]!;
    note.balanceAmountCents = balanceMinor;
    note.updatedAt = at;
    if (balanceMinor === 0) note.creditStatus = 'consumed';
    em.create(InvoiceCreditEntity, {
      id: randomUUID(),
      organizationId: invoice.organizationId,
      invoiceId: invoice.id,
      creditNoteId: note.id,
      amountCents: amountMinor,
      amountCurrency: invoice.currency,
      createdAt: at,
    });
  }
  invoice.creditNotesAmountCents = sumMinor(uses.map((use) => use.amountMinor));
  invoice.totalAmountCents -= invoice.creditNotesAmountCents;
}
