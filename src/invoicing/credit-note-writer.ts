import { randomUUID } from 'node:crypto';
import { instant } from '../domain/calendar/instant.js';
import { toIsoDate } from '../domain/calendar/local-date.js';
import { localDate } from '../domain/calendar/time-zone.js';
import {
  composeCreditNote,
  type CreditNoteAmounts,
  type CreditSplit,
  splitCredit,
} from '../domain/invoicing/credit-note.js';
import { creditNoteNumber } from '../domain/invoicing/numbering.js';
import type { TaxableFee } from '../domain/invoicing/taxes.js';
import { invariant } from '../domain/invariant.js';
import { Decimal, ZERO } from '../domain/money/decimal.js';
import { sumMinor } from '../domain/money/money.js';
import type { EntityManager } from '../platform/database/database.js';
import { dueMinor } from './amount-due.js';
import { type BillingContext, taxFromApplied } from './billing-context.js';
import {
  CreditNoteEntity,
  CreditNoteItemEntity,
  type CreditNoteRow,
  type UnusedTimeRow,
} from './credit-note.entity.js';
import { appliedTax } from './fee-line.js';
import { FeeEntity, type FeeRow } from './fee.entity.js';
import type { InvoiceRow } from './invoice.entity.js';

/** Parts of an invoice's fees that a note takes back, in minor units. */
export interface CreditedPart {
  readonly fee: FeeRow;
  readonly amountMinor: number;
}

/** What was taken back of each fee of an invoice before, by fee, and the notes that did it. */
export interface CreditedBefore {
  readonly notes: readonly CreditNoteRow[];
  readonly byFee: ReadonlyMap<string, number>;
}

/** The caller holds the customer's lock, under which alone notes are made. */
export async function creditedBefore(em: EntityManager, invoiceId: string): Promise<CreditedBefore> {
  const notes = await em.find(CreditNoteEntity, { invoiceId }, { orderBy: { createdAt: 'asc', id: 'asc' } });
  const items =
    notes.length === 0 ? [] : await em.find(CreditNoteItemEntity, { creditNoteId: { $in: notes.map(({ id }) => id) } });
  const byFee = new Map<string, number>();
  for (const { feeId, amountCents } of items) byFee.set(feeId, (byFee.get(feeId) ?? 0) + amountCents);
  return { notes, byFee };
}

/**
 * The amounts of a note that takes these parts of an invoice's fees, over `totalMinor` when that was agreed on.
 *
 * Example: 3,571 of a fee at 20 % -> taxes 714, total 4,285.
 */
export function creditAmounts(
  invoice: InvoiceRow,
  parts: readonly CreditedPart[],
  before: CreditedBefore,
  totalMinor?: number,
): CreditNoteAmounts {
  const taken = sumMinor(before.byFee.values()) + sumMinor(parts.map((part) => part.amountMinor));
  return composeCreditNote({
    currency: invoice.currency,
    items: parts.map(({ fee, amountMinor }) => ({ fee: taxableFee(fee), amountMinor })),
    earlier: before.notes.map((note) => ({
      taxesAmountMinor: note.taxesAmountCents,
      preciseTaxesMinor: new Decimal(note.preciseTaxesAmountCents),
    })),
    takesTheRest: taken === invoice.feesAmountCents,
    ...(totalMinor !== undefined && { totalMinor }),
  });
}

function taxableFee(fee: FeeRow): TaxableFee {
  return { amountMinor: fee.amountCents, couponShareMinor: ZERO, taxes: fee.appliedTaxes.map(taxFromApplied) };
}

export interface NewCreditNote {
  readonly invoice: InvoiceRow;
  readonly parts: readonly CreditedPart[];
  readonly amounts: CreditNoteAmounts;
  readonly split: CreditSplit;
  readonly reason: string;
  readonly description?: string | null;
  readonly metadata?: Record<string, unknown> | null;
  readonly origin?: { readonly subscriptionId: string; readonly unusedTime: UnusedTimeRow };
  readonly at: Date;
}

/**
 * Stores a note with its items, in the transaction and under the customer's lock. Of an issued invoice it is issued at
 * once; of a draft it waits with it, and nobody sees it.
 */
export async function storeCreditNote(
  em: EntityManager,
  context: BillingContext,
  note: NewCreditNote,
): Promise<CreditNoteRow> {
  const { invoice, amounts, parts, split, at } = note;
  const row = em.create(CreditNoteEntity, {
    id: randomUUID(),
    organizationId: invoice.organizationId,
    customerId: invoice.customerId,
    invoiceId: invoice.id,
    number: invoice.number,
    status: 'draft',
    issuingDate: localDay(context, at),
    reason: note.reason,
    description: note.description ?? null,
    currency: invoice.currency,
    itemsAmountCents: amounts.itemsAmountMinor,
    couponsAdjustmentAmountCents: amounts.couponsAdjustmentMinor,
    preciseCouponsAdjustmentAmountCents: amounts.preciseCouponsAdjustmentMinor.toFixed(),
    subTotalExcludingTaxesAmountCents: amounts.subTotalExcludingTaxesMinor,
    taxesAmountCents: amounts.taxesAmountMinor,
    preciseTaxesAmountCents: amounts.preciseTaxesMinor.toFixed(),
    taxesRate: amounts.taxesRate.toFixed(),
    appliedTaxes: amounts.taxes.map((line) => appliedTax(context, line.tax, line.amountMinor, line.feesAmountMinor)),
    totalAmountCents: amounts.totalMinor,
    preciseTotalAmountCents: amounts.preciseTotalMinor.toFixed(),
    creditAmountCents: split.creditMinor,
    refundAmountCents: split.refundMinor,
    offsetAmountCents: split.offsetMinor,
    balanceAmountCents: 0,
    metadata: note.metadata ?? null,
    subscriptionId: note.origin?.subscriptionId ?? null,
    unusedTime: note.origin?.unusedTime ?? null,
    createdAt: at,
    updatedAt: at,
  });
  await em.flush();
  for (const [position, { fee, amountMinor }] of parts.entries()) {
    em.create(CreditNoteItemEntity, {
      id: randomUUID(),
      organizationId: invoice.organizationId,
      creditNoteId: row.id,
      feeId: fee.id,
      position,
      amountCents: amountMinor,
      preciseAmountCents: String(amountMinor),
      amountCurrency: fee.amountCurrency,
      createdAt: at,
    });
  }
  if (invoice.status !== 'draft') await issueCreditNote(em, context, invoice, row, at);
  await em.flush();
  return row;
}

/** draft → finalized: the number follows the invoice's, and from now on the credit can be used. */
export async function issueCreditNote(
  em: EntityManager,
  context: BillingContext,
  invoice: InvoiceRow,
  note: CreditNoteRow,
  at: Date,
): Promise<void> {
  invariant(note.status === 'draft', 'A credit note is issued once');
  invariant(invoice.sequentialId != null, 'A credit note is numbered after its invoice');
  const sequence = await em.count(CreditNoteEntity, { invoiceId: invoice.id, status: 'finalized' });
  note.sequentialId = sequence + 1;
  note.number = creditNoteNumber(invoice.number, note.sequentialId);
  note.status = 'finalized';
  note.issuingDate = localDay(context, at);
  // Of a draft it was not known yet what its credits would leave due.
  if (note.unusedTime != null) {
    const split = splitCredit(note.totalAmountCents, note.unusedTime.mode, standingOf(invoice));
    note.creditAmountCents = split.creditMinor;
    note.refundAmountCents = split.refundMinor;
    note.offsetAmountCents = split.offsetMinor;
  }
  note.balanceAmountCents = note.creditAmountCents;
  note.creditStatus = note.creditAmountCents > 0 ? 'available' : null;
  note.refundStatus = note.refundAmountCents > 0 ? 'pending' : null;
  note.updatedAt = at;
  invoice.totalOffsettedCreditNoteAmountCents += note.offsetAmountCents;
  await settleWhenNothingIsDue(em, invoice, at);
  await em.flush();
}

/** What of an invoice is paid and what is due, in minor units. */
export function standingOf(invoice: InvoiceRow) {
  return { totalMinor: invoice.totalAmountCents, paidMinor: invoice.totalPaidAmountCents, dueMinor: dueMinor(invoice) };
}

// An invoice of which nothing is due any more is paid, by whatever means.
async function settleWhenNothingIsDue(em: EntityManager, invoice: InvoiceRow, at: Date): Promise<void> {
  if (invoice.paymentStatus === 'succeeded' || invoice.status !== 'finalized' || dueMinor(invoice) > 0) return;
  invoice.paymentStatus = 'succeeded';
  invoice.updatedAt = at;
  await em.nativeUpdate(FeeEntity, { invoiceId: invoice.id }, { paymentStatus: 'succeeded', succeededAt: at });
}

function localDay(context: Pick<BillingContext, 'zone'>, at: Date): string {
  return toIsoDate(localDate(instant(at.getTime()), context.zone));
}
