import { randomUUID } from 'node:crypto';
import { instant } from '../domain/calendar/instant.js';
import { assertTotalsAddUp, composeInvoice } from '../domain/invoicing/compose-invoice.js';
import { graceEndsAt, issuingDate, paymentDueDate } from '../domain/invoicing/dates.js';
import { initialPaymentStatus, mayBecome } from '../domain/invoicing/invoice-states.js';
import { draftNumber, invoiceNumber } from '../domain/invoicing/numbering.js';
import { invariant } from '../domain/invariant.js';
import { ZERO } from '../domain/money/decimal.js';
import type { EntityManager } from '../platform/database/database.js';
import { type BillingContext, taxFromApplied } from './billing-context.js';
import { BillingPeriodEntity, type BillingPeriodRow } from './billing-period.entity.js';
import { CreditNoteEntity } from './credit-note.entity.js';
import { issueCreditNote } from './credit-note-writer.js';
import { payFromCreditNotes } from './credit-use.js';
import { lockCustomer } from './customer-lock.js';
import { appliedTax } from './fee-line.js';
import { FeeEntity, type FeeRow } from './fee.entity.js';
import { InvoiceEntity, type InvoiceRow } from './invoice.entity.js';
import { SubscriptionEntity } from '../subscriptions/subscription.entity.js';

/** What shares a document: the same customer, currency, billing instant and group. */
export type BillingGroup = Pick<BillingPeriodRow, 'customerId' | 'currency' | 'billingAt' | 'billingGroup'>;

/**
 * Makes the invoice of a billing group from the fees that are stored and not yet invoiced; null when there are none. The
 * customer's row is locked until the transaction ends: of two closes that finish together one composes, and numbers have
 * no gaps.
 *
 * Without grace it is issued at once, else it is a draft until its grace is over.
 */
export async function composeGroup(
  em: EntityManager,
  context: BillingContext,
  group: BillingGroup,
): Promise<InvoiceRow | null> {
  const { customerId, currency, billingAt, billingGroup } = group;
  await lockCustomer(em, customerId);
  const key = { customerId, currency, billingAt, billingGroup };
  const periods = await inSubscriptionOrder(em, await em.find(BillingPeriodEntity, { ...key, invoiceId: null }));
  if (periods.length === 0) return null;
  const earlier = await em.count(InvoiceEntity, key);
  const invoice = newInvoice(em, context, {
    ...{ currency, billingAt, billingGroup, billingGroupOrdinal: earlier },
    ...{ invoiceType: 'subscription', graceDays: context.graceDays, createdAt: billingAt },
  });
  await em.flush();
  for (const period of periods) period.invoiceId = invoice.id;
  const fees = await em.find(FeeEntity, {
    billingPeriodId: { $in: periods.map((period) => period.id) },
    invoiceable: true,
  });
  const place = new Map(periods.map((period, index) => [period.id, index]));
  fees.sort((a, b) => placeOf(place, a) - placeOf(place, b) || a.position - b.position);
  for (const fee of fees) fee.invoiceId = invoice.id;
  numberLines(fees);
  applyTotals(context, invoice, fees);
  if (context.graceDays === 0) await issue(em, context, invoice, billingAt);
  await em.flush();
  return invoice;
}

export interface NewInvoice {
  readonly invoiceType: string;
  readonly currency: string;
  readonly billingAt: Date;
  readonly billingGroup: string;
  readonly billingGroupOrdinal: number;
  readonly graceDays: number;
  readonly createdAt: Date;
}

/** A draft without lines, dated as it will be issued. */
export function newInvoice(em: EntityManager, context: BillingContext, made: NewInvoice): InvoiceRow {
  const { graceDays, createdAt, ...fields } = made;
  const at = instant(made.billingAt.getTime());
  const issuedOn = issuingDate({ billingAt: at, zone: context.zone, graceDays });
  return em.create(InvoiceEntity, {
    ...fields,
    id: randomUUID(),
    organizationId: context.organization.id,
    customerId: context.customer.id,
    number: draftNumber(context.organization.documentNumberPrefix),
    status: 'draft',
    paymentStatus: 'pending',
    issuingDate: issuedOn,
    paymentDueDate: paymentDueDate(issuedOn, context.netPaymentTermDays),
    netPaymentTerm: context.netPaymentTermDays,
    finalizeAt: new Date(graceDays === 0 ? at : graceEndsAt(at, context.zone, graceDays)),
    versionNumber: 1,
    feesAmountCents: 0,
    taxesAmountCents: 0,
    creditNotesAmountCents: 0,
    totalOffsettedCreditNoteAmountCents: 0,
    subTotalExcludingTaxesAmountCents: 0,
    subTotalIncludingTaxesAmountCents: 0,
    totalAmountCents: 0,
    totalPaidAmountCents: 0,
    taxesRate: '0',
    appliedTaxes: [],
    collectionAttempts: 0,
    createdAt,
    updatedAt: createdAt,
  });
}

/** The lines of an older subscription come first on a shared invoice, every month. */
export async function inSubscriptionOrder(
  em: EntityManager,
  periods: readonly BillingPeriodRow[],
): Promise<BillingPeriodRow[]> {
  if (periods.length < 2) return [...periods];
  const ids = periods.map((period) => period.subscriptionId);
  const subscriptions = await em.find(
    SubscriptionEntity,
    { id: { $in: ids } },
    { orderBy: { createdAt: 'asc', externalId: 'asc', ordinal: 'asc' } },
  );
  const place = new Map(subscriptions.map((subscription, index) => [subscription.id, index]));
  return [...periods].sort((a, b) => (place.get(a.subscriptionId) ?? 0) - (place.get(b.subscriptionId) ?? 0));
}

/** Places on the invoice, in the order given: what "creation order" of its fees means. */
export function numberLines(fees: readonly FeeRow[]): void {
  for (const [position, fee] of fees.entries()) fee.position = position;
}

function placeOf(places: ReadonlyMap<string, number>, fee: FeeRow): number {
  return places.get(fee.billingPeriodId ?? '') ?? 0;
}

/**
 * Totals of an invoice from its fees, as a function of the whole invoice (lago-api.md 2.7, 2.8): taxes are summed unrounded
 * over the fees and rounded once.
 *
 * Example: three fees of 333 at 20 % -> fees 999, taxes 200, total 1,199.
 */
export function applyTotals(
  context: Pick<BillingContext, 'taxes'>,
  invoice: InvoiceRow,
  fees: readonly FeeRow[],
): void {
  const totals = composeInvoice({
    currency: invoice.currency,
    fees: fees.map((fee) => ({
      currency: fee.amountCurrency,
      amountMinor: fee.amountCents,
      couponShareMinor: ZERO,
      taxes: fee.appliedTaxes.map(taxFromApplied),
    })),
  });
  assertTotalsAddUp(
    totals,
    fees.map((fee) => ({ amountMinor: fee.amountCents })),
  );
  invoice.feesAmountCents = totals.feesAmountMinor;
  invoice.taxesAmountCents = totals.taxesAmountMinor;
  invoice.subTotalExcludingTaxesAmountCents = totals.subTotalExcludingTaxesMinor;
  invoice.subTotalIncludingTaxesAmountCents = totals.subTotalIncludingTaxesMinor;
  invoice.totalAmountCents = totals.totalMinor;
  invoice.taxesRate = totals.taxesRate.toFixed();
  invoice.appliedTaxes = totals.taxes.map((line) =>
    appliedTax(context, line.tax, line.amountMinor, line.feesAmountMinor),
  );
}

/**
 * draft → finalized. Credits are used now, and the invoice's own credit notes that waited for it are issued with it.
 * One without any amount is closed instead where its customer gets none: it has no number and is no document.
 */
export async function issue(em: EntityManager, context: BillingContext, invoice: InvoiceRow, at: Date): Promise<void> {
  if (invoice.feesAmountCents === 0 && !context.issuesNothing) return close(em, invoice, at);
  await assignNumber(em, context, invoice, at);
  await payFromCreditNotes(em, invoice, at);
  invoice.paymentStatus = initialPaymentStatus(invoice.totalAmountCents);
  invoice.updatedAt = at;
  if (invoice.paymentStatus === 'succeeded') {
    await em.nativeUpdate(FeeEntity, { invoiceId: invoice.id }, { paymentStatus: 'succeeded', succeededAt: at });
  }
  const waiting = await em.find(
    CreditNoteEntity,
    { invoiceId: invoice.id, status: 'draft' },
    { orderBy: { createdAt: 'asc', id: 'asc' } },
  );
  for (const note of waiting) await issueCreditNote(em, context, invoice, note, at);
  await em.flush();
}

async function close(em: EntityManager, invoice: InvoiceRow, at: Date): Promise<void> {
  invariant(mayBecome(invoice.status, 'closed'), `a ${invoice.status} invoice is not closed`);
  invoice.status = 'closed';
  invoice.paymentStatus = 'succeeded';
  invoice.finalizedAt = at;
  invoice.updatedAt = at;
  await em.flush();
}

/** The number of a document and its dates: given here and nowhere else, under the customer's lock, so that none is missing. */
export async function assignNumber(
  em: EntityManager,
  context: BillingContext,
  invoice: InvoiceRow,
  at: Date,
): Promise<void> {
  invariant(mayBecome(invoice.status, 'finalized'), `a ${invoice.status} invoice is not finalized`);
  const customer = await lockCustomer(em, invoice.customerId);
  customer.invoiceSequence += 1;
  invoice.sequentialId = customer.invoiceSequence;
  invoice.number = invoiceNumber(
    context.organization.documentNumberPrefix,
    customer.sequentialId,
    customer.invoiceSequence,
  );
  invoice.status = 'finalized';
  invoice.finalizedAt = at;
  // Early finalization moves the date with it; the end of the grace period is the date already.
  invoice.issuingDate = issuingDate({ billingAt: instant(at.getTime()), zone: context.zone, graceDays: 0 });
  invoice.paymentDueDate = paymentDueDate(invoice.issuingDate, invoice.netPaymentTerm);
  invoice.updatedAt = at;
}
