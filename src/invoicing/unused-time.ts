import { instant } from '../domain/calendar/instant.js';
import { type CreditMode, splitCredit } from '../domain/invoicing/credit-note.js';
import { unusedAmount } from '../domain/proration/unused-time.js';
import type { EntityManager } from '../platform/database/database.js';
import type { BillingContext } from './billing-context.js';
import { BillingPeriodEntity, type BillingPeriodRow } from './billing-period.entity.js';
import { CreditNoteEntity, CreditNoteItemEntity, type CreditNoteRow } from './credit-note.entity.js';
import { creditAmounts, creditedBefore, standingOf, storeCreditNote } from './credit-note-writer.js';
import { lockCustomer } from './customer-lock.js';
import { FeeEntity, type FeeRow } from './fee.entity.js';
import { nextInvoiceDue, storeInvoiceDue } from './invoice-due.js';
import { InvoiceEntity, type InvoiceRow } from './invoice.entity.js';
import { composeWhenComplete } from './subscription-billing.js';

/** A subscription that ends with time left that it may have paid in advance. */
export interface UnusedTime {
  readonly em: EntityManager;
  readonly context: BillingContext;
  readonly subscription: { readonly id: string };
  /** Nominal instant of the end. */
  readonly at: Date;
  /** The local day of `at` is used up by a termination, and belongs to the new plan after an upgrade. */
  readonly endedByUpgrade: boolean;
  readonly mode: CreditMode;
}

/**
 * Credits the days that a subscription paid for in advance and did not use (lago-api.md 2.6), as a note of the invoice
 * that has the fee. Called inside the step that ends it, before its last invoice is composed, so that the note can pay for
 * that. Null when nothing is left to credit; idempotent by the subscription, which ends once.
 *
 * Example: 5,000 a month at 20 %, ended on 8 February -> 20 of 28 days: 3,571 + 714 = 4,285.
 */
export async function creditUnusedTime(unused: UnusedTime): Promise<CreditNoteRow | null> {
  const { em, context, subscription, at, endedByUpgrade, mode } = unused;
  if (mode === 'skip') return null;
  const fee = await lastFeeInAdvance(em, subscription.id);
  if (fee === null) return null;
  await lockCustomer(em, context.customer.id);
  const invoice = await invoiceOf(unused, fee);
  const before = await creditedBefore(em, invoice.id);
  if (invoice.status === 'voided' || before.notes.some((note) => note.subscriptionId === subscription.id)) return null;
  const unusedMinor = await unusedOf(em, fee, { at, endedByUpgrade });
  const amountMinor = Math.min(unusedMinor, fee.amountCents - (before.byFee.get(fee.id) ?? 0));
  if (amountMinor <= 0) return null;
  const parts = [{ fee, amountMinor }];
  const amounts = creditAmounts(invoice, parts, before);
  const note = await storeCreditNote(em, context, {
    invoice,
    parts,
    amounts,
    split: splitCredit(amounts.totalMinor, mode, standingOf(invoice)),
    reason: endedByUpgrade ? 'order_change' : 'order_cancellation',
    origin: {
      subscriptionId: subscription.id,
      unusedTime: { endedAt: at.toISOString(), endedByUpgrade, mode },
    },
    at,
  });
  // Nobody is charged any more for what the note took off.
  if (invoice.paymentStatus === 'succeeded') {
    await storeInvoiceDue(em, invoice, context.customer, nextInvoiceDue(invoice, context.customer), { known: true });
  }
  return note;
}

/**
 * Takes the notes of a draft away before its fees are computed again; they name fees that will be gone. What it returns
 * makes them anew.
 */
export async function withdrawCredits(em: EntityManager, invoice: InvoiceRow): Promise<CreditNoteRow[]> {
  const notes = await em.find(
    CreditNoteEntity,
    { invoiceId: invoice.id, status: 'draft' },
    { orderBy: { createdAt: 'asc', id: 'asc' } },
  );
  for (const { id } of notes) await em.nativeDelete(CreditNoteItemEntity, { creditNoteId: id });
  for (const note of notes) em.remove(note);
  await em.flush();
  return notes;
}

/** Makes the withdrawn notes again from the fees as they are now. */
export async function renewCredits(
  em: EntityManager,
  context: BillingContext,
  withdrawn: readonly CreditNoteRow[],
): Promise<void> {
  for (const { subscriptionId, unusedTime } of withdrawn) {
    if (subscriptionId == null || unusedTime == null) continue;
    await creditUnusedTime({
      em,
      context,
      subscription: { id: subscriptionId },
      at: new Date(unusedTime.endedAt),
      endedByUpgrade: unusedTime.endedByUpgrade,
      mode: unusedTime.mode,
    });
  }
}

// What a pause has credited is done with: the fee of its resumption ends where that one did.
async function lastFeeInAdvance(em: EntityManager, subscriptionId: string): Promise<FeeRow | null> {
  const [row] = await em.execute<{ id: string }[]>(
    `select f.id from fees f
      where f.subscription_id = ? and f.fee_type = 'subscription' and f.pay_in_advance
        and not exists (select from credit_note_items i join credit_notes n on n.id = i.credit_note_id
                         where i.fee_id = f.id and n.subscription_id = f.subscription_id)
      order by f.to_at desc, f.from_at desc, f.created_at desc limit 1`,
    [subscriptionId],
  );
  return row === undefined ? null : em.findOne(FeeEntity, { id: row.id });
}

async function invoiceOf({ em, context, subscription }: UnusedTime, fee: FeeRow): Promise<InvoiceRow> {
  if (fee.invoiceId == null) {
    // It still waits for siblings of its instant. A note needs its invoice now; whoever sweeps for news wakes its workflow.
    const period = await em.findOneOrFail(BillingPeriodEntity, { id: fee.billingPeriodId as string });
    await composeWhenComplete(em, context, period, subscription.id, { alone: true });
  }
  return em.findOneOrFail(InvoiceEntity, { id: fee.invoiceId as string }, { refresh: true });
}

// By the terms the fee was made with: its own price and period, whatever the plan says today (invariant 5).
async function unusedOf(
  em: EntityManager,
  fee: FeeRow,
  end: { readonly at: Date; readonly endedByUpgrade: boolean },
): Promise<number> {
  const period: BillingPeriodRow | null = await em.findOne(BillingPeriodEntity, { id: fee.billingPeriodId as string });
  if (period === null || fee.fromAt == null || fee.toAt == null) return 0;
  return unusedAmount({
    planAmountMinor: Number(fee.price.amount_cents),
    currency: fee.amountCurrency,
    periodDays: period.periodDays,
    from: instant(fee.fromAt.getTime()),
    to: instant(fee.toAt.getTime()),
    zone: period.timezone,
    trialEndsAt: period.trialEndsAt == null ? null : instant(period.trialEndsAt.getTime()),
    endedAt: instant(end.at.getTime()),
    endedByUpgrade: end.endedByUpgrade,
  });
}
