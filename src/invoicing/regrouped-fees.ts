import { randomUUID } from 'node:crypto';
import { billingBoundaries } from '../domain/calendar/billing-boundaries.js';
import { instant } from '../domain/calendar/instant.js';
import { regroupedTotals } from '../domain/invoicing/regrouped.js';
import { loadSubscriptionPlan } from '../catalog/rated-plan.js';
import { textArray } from '../metering/array-literal.js';
import type { EntityManager } from '../platform/database/database.js';
import { billingCalendarOf } from '../subscriptions/lifecycle.js';
import { SubscriptionEntity, type SubscriptionRow } from '../subscriptions/subscription.entity.js';
import { type BillingContext, taxFromApplied } from './billing-context.js';
import { BillingPeriodEntity, type BillingPeriodRow } from './billing-period.entity.js';
import { appliedTax } from './fee-line.js';
import { FeeEntity, type FeeRow } from './fee.entity.js';
import { assignNumber, type BillingGroup, newInvoice, numberLines } from './invoice-composition.js';
import { InvoiceEntity, type InvoiceRow } from './invoice.entity.js';

/**
 * The invoice over fees that stood alone and have been paid since the last one, of charges that ask for it (regroup_paid_fees,
 * lago-api.md 1.3): made whenever a period of their subscription is billed, issued at once and paid already. It shows the
 * period of that billing, whenever the fees are from. Null when none was paid.
 */
export async function regroupPaidFees(
  em: EntityManager,
  context: BillingContext,
  group: BillingGroup,
): Promise<InvoiceRow | null> {
  const key = { customerId: group.customerId, currency: group.currency, billingAt: group.billingAt };
  const runs = await em.find(BillingPeriodEntity, {
    ...{ ...key, billingGroup: group.billingGroup },
    chargesFromAt: { $ne: null },
  });
  if (runs.length === 0) return null;
  const fees = await paidFees(em, group, [...new Set(runs.map((run) => run.externalSubscriptionId))]);
  if (fees.length === 0) return null;
  const own = { ...key, billingGroup: `advance_charges/${group.billingGroup}` };
  const invoice = newInvoice(em, context, {
    ...{ ...own, billingGroupOrdinal: await em.count(InvoiceEntity, own) },
    ...{ invoiceType: 'advance_charges', graceDays: 0, createdAt: group.billingAt },
  });
  await em.flush();
  for (const fee of fees) fee.invoiceId = invoice.id;
  numberLines(fees);
  applyRegroupedTotals(context, invoice, fees);
  const subscriptions = await em.find(
    SubscriptionEntity,
    { id: { $in: [...new Set(fees.flatMap((fee) => fee.subscriptionId ?? []))] } },
    { orderBy: { createdAt: 'asc', ordinal: 'asc' } },
  );
  for (const subscription of subscriptions) {
    const run = runs.find((candidate) => candidate.externalSubscriptionId === subscription.externalId)!;
    await storePeriod(em, context, invoice, subscription, run);
  }
  await em.flush();
  await assignNumber(em, context, invoice, group.billingAt);
  invoice.paymentStatus = 'succeeded';
  invoice.totalPaidAmountCents = invoice.totalAmountCents;
  await em.flush();
  return invoice;
}

async function paidFees(em: EntityManager, group: BillingGroup, externalIds: readonly string[]): Promise<FeeRow[]> {
  const rows = await em.execute<{ id: string }[]>(
    `select f.id from subscriptions s
       join fees f on f.subscription_id = s.id and f.invoice_id is null and f.deleted_at is null
       join charges c on c.id = f.charge_id and c.regroup_paid_fees = 'invoice'
      where s.customer_id = ? and s.external_id = any(?::text[])
        and f.payment_status = 'succeeded' and f.succeeded_at <= ? and f.amount_currency = ?`,
    [group.customerId, textArray([...externalIds]), group.billingAt, group.currency],
  );
  if (rows.length === 0) return [];
  return em.find(
    FeeEntity,
    { id: { $in: rows.map(({ id }) => id) } },
    { orderBy: { createdAt: 'asc', position: 'asc', cutoffSequence: 'asc' } },
  );
}

function applyRegroupedTotals(context: BillingContext, invoice: InvoiceRow, fees: readonly FeeRow[]): void {
  const totals = regroupedTotals(
    fees.map((fee) => ({
      amountMinor: fee.amountCents,
      taxesAmountMinor: fee.taxesAmountCents,
      taxes: fee.appliedTaxes.map((row) => ({ tax: taxFromApplied(row), amountMinor: row.amountCents })),
    })),
  );
  invoice.feesAmountCents = totals.feesAmountMinor;
  invoice.taxesAmountCents = totals.taxesAmountMinor;
  invoice.subTotalExcludingTaxesAmountCents = totals.feesAmountMinor;
  invoice.subTotalIncludingTaxesAmountCents = totals.totalMinor;
  invoice.totalAmountCents = totals.totalMinor;
  invoice.taxesRate = totals.taxesRate.toFixed();
  invoice.appliedTaxes = totals.taxes.map((line) =>
    appliedTax(context, line.tax, line.amountMinor, line.feesAmountMinor),
  );
}

/** Only shown: the period that the billing run closed, as an invoice in arrears has it. */
async function storePeriod(
  em: EntityManager,
  context: BillingContext,
  invoice: InvoiceRow,
  subscription: SubscriptionRow,
  run: BillingPeriodRow,
): Promise<void> {
  const closed = await em.findOneOrFail(SubscriptionEntity, { id: run.subscriptionId });
  const plan = await loadSubscriptionPlan(em, closed);
  const { subscription: span } = billingBoundaries({
    ...billingCalendarOf(closed, plan.row, context.zone),
    payInAdvance: true,
    startedAt: closed.startedAt == null ? null : instant(closed.startedAt.getTime()),
    billingAt: instant(run.chargesFromAt!.getTime()),
  });
  const ends = run.chargesToAt!;
  em.create(BillingPeriodEntity, {
    id: randomUUID(),
    organizationId: subscription.organizationId,
    subscriptionId: subscription.id,
    customerId: subscription.customerId,
    externalSubscriptionId: subscription.externalId,
    planId: subscription.planId,
    currency: run.currency,
    timezone: run.timezone,
    billingAt: run.billingAt,
    billingGroup: invoice.billingGroup,
    invoicingReason: 'in_advance_charge_periodic',
    fromAt: span === null ? run.chargesFromAt : new Date(span.from),
    toAt: span === null || ends.getTime() < span.to ? ends : new Date(span.to),
    chargesFromAt: run.chargesFromAt,
    chargesToAt: ends,
    periodDays: run.periodDays,
    endedByUpgrade: false,
    partition: run.partition,
    cutoffSequence: run.cutoffSequence,
    invoiceId: invoice.id,
    createdAt: run.billingAt,
  });
}
