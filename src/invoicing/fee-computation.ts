import { randomUUID } from 'node:crypto';
import type { RatedPlan } from '../catalog/rated-plan.js';
import { instant } from '../domain/calendar/instant.js';
import { chargeFee, type Fee, isNegligible, planFee } from '../domain/invoicing/fee.js';
import { feeTaxes, type Tax } from '../domain/invoicing/taxes.js';
import { fromMinorUnits } from '../domain/money/money.js';
import { subscriptionFee } from '../domain/proration/subscription-fee.js';
import type { UsageReader } from '../metering/index.js';
import type { EntityManager } from '../platform/database/database.js';
import type { AppliedTaxRow } from './applied-tax.js';
import { billedPlan, usageEnd } from './billed-charges.js';
import { type BillingContext, taxesOf } from './billing-context.js';
import type { BillingPeriodRow } from './billing-period.entity.js';
import { type RatedUsage, rateUsage } from './charge-usage.js';
import { FeeEntity, type FeeRow } from './fee.entity.js';

export interface FeeComputation {
  readonly em: EntityManager;
  readonly reader: UsageReader;
  readonly context: BillingContext;
  readonly plan: RatedPlan;
  readonly period: BillingPeriodRow;
  readonly createdAt: Date;
}

/**
 * The fees of one billing period: a pure function of its stored ranges, its cutoff, the plan and the metered quantities
 * (design, invariant 5). Called again with the same cutoff it gives the same lines, whenever that is.
 *
 * Example: plan 5,000 for 21 of 28 days and 121 calls in packages of 10 at 1.00 -> 3,750 and 1,300.
 */
export async function computeFees(computation: FeeComputation): Promise<FeeRow[]> {
  const plan = planLine(computation);
  const usage = await usageLines(computation);
  return [...plan, ...usage].map((line, position) => toFeeRow(computation, line, position));
}

interface Line {
  readonly fee: Fee;
  readonly from: Date;
  readonly to: Date;
  readonly rated: RatedUsage | null;
}

function planLine({ context, plan, period }: FeeComputation): Line[] {
  if (period.fromAt == null || period.toAt == null) return [];
  const { amountMinor, currency } = plan.plan;
  const computed = subscriptionFee({
    planAmountMinor: amountMinor,
    currency,
    periodDays: period.periodDays,
    from: instant(period.fromAt.getTime()),
    to: instant(period.toAt.getTime()),
    zone: period.timezone,
    trialEndsAt: period.trialEndsAt == null ? null : instant(period.trialEndsAt.getTime()),
    endedByUpgrade: period.endedByUpgrade,
  });
  const fee = planFee(computed, { currency, taxes: taxesOf(context, { plan: plan.row.taxCodes }) });
  return isNegligible(fee) ? [] : [{ fee, from: period.fromAt, to: period.toAt, rated: null }];
}

async function usageLines({ em, reader, context, plan: whole, period }: FeeComputation): Promise<Line[]> {
  const { chargesFromAt: from, chargesToAt: to } = period;
  const usageTo = usageEnd(period);
  if (from == null || to == null || usageTo === null || usageTo <= from.getTime()) return [];
  const plan = await billedPlan(em, whole, period);
  if (plan.charges.length === 0) return [];
  const rated = await rateUsage(em, reader, plan, {
    organizationId: period.organizationId,
    externalSubscriptionId: period.externalSubscriptionId,
    from: instant(from.getTime()),
    to: usageTo,
    zone: period.timezone,
    periodDays: period.periodDays,
    cutoffSequence: period.cutoffSequence,
  });
  return rated
    .map((line): Line => {
      const taxes = taxesOf(context, { charge: line.charge.row.taxCodes, plan: plan.row.taxCodes });
      const { eventsCount } = line.usage;
      return {
        fee: chargeFee(line.rated, { currency: plan.plan.currency, eventsCount, taxes }),
        from,
        to,
        rated: line,
      };
    })
    .filter(({ fee }) => !isNegligible(fee));
}

function toFeeRow({ em, context, plan, period, createdAt }: FeeComputation, line: Line, position: number): FeeRow {
  const { fee, rated } = line;
  const taxes = feeTaxes(fee);
  return em.create(FeeEntity, {
    id: randomUUID(),
    organizationId: period.organizationId,
    invoiceId: period.invoiceId ?? null,
    billingPeriodId: period.id,
    subscriptionId: period.subscriptionId,
    customerId: period.customerId,
    chargeId: rated?.charge.row.id ?? null,
    chargeFilterId: rated?.filterId ?? null,
    groupedBy: rated?.groupedBy ?? {},
    feeType: rated === null ? 'subscription' : 'charge',
    position,
    item: rated === null ? planItem(plan, period) : chargeItem(rated),
    amountCents: fee.amountMinor,
    amountCurrency: fee.currency,
    preciseAmount: fee.preciseAmount.toFixed(),
    preciseUnitAmount: fee.unitAmount.toFixed(),
    units: fee.units.toFixed(),
    totalAggregatedUnits: (rated?.usage.totalAggregatedUnits ?? fee.units).toFixed(),
    eventsCount: rated === null ? null : fee.eventsCount,
    taxesAmountCents: taxes.amountMinor,
    taxesPreciseAmount: fromMinorUnits(taxes.preciseAmountMinor, fee.currency).toFixed(),
    taxesRate: taxes.rate.toFixed(),
    appliedTaxes: taxes.applied.map(({ tax, amountMinor }) => appliedTax(context, tax, amountMinor, fee.amountMinor)),
    amountDetails: fee.amountDetails,
    payInAdvance: rated === null && plan.plan.payInAdvance,
    invoiceable: true,
    paymentStatus: 'pending',
    fromAt: line.from,
    toAt: line.to,
    cutoffSequence: period.cutoffSequence,
    price: rated === null ? planPrice(plan) : chargePrice(rated),
    createdAt,
  });
}

/** What priced usage: a charge's filter, or the charge itself, for one group. */
export type PricedBy = Pick<RatedUsage, 'charge' | 'filterId' | 'groupedBy'>;

/** A tax as stored on a fee or an invoice. */
export function appliedTax(
  context: Pick<BillingContext, 'taxes'>,
  tax: Tax,
  amountCents: number,
  feesAmountCents: number,
): AppliedTaxRow {
  return {
    lagoId: randomUUID(),
    taxId: context.taxes.find((row) => row.code === tax.code)?.id ?? '',
    code: tax.code,
    name: tax.name,
    description: tax.description ?? null,
    rate: tax.rate.toFixed(),
    amountCents,
    feesAmountCents,
  };
}

// What the API shows as `item` of a fee (lago-api.md 3.6), kept with the fee: a later rename changes no document.
function planItem(plan: RatedPlan, period: BillingPeriodRow): Record<string, unknown> {
  return {
    type: 'subscription',
    code: plan.row.code,
    name: plan.row.name,
    description: plan.row.description ?? null,
    invoice_display_name: plan.row.invoiceDisplayName ?? plan.row.name,
    filters: null,
    filter_invoice_display_name: null,
    lago_item_id: period.subscriptionId,
    item_type: 'Subscription',
    grouped_by: {},
  };
}

/** The same of a charge: its metric, and the filter and group that the usage is of. */
export function chargeItem({ charge, filterId, groupedBy }: PricedBy): Record<string, unknown> {
  const filter = charge.filterRows.find((row) => row.id === filterId);
  return {
    type: 'charge',
    code: charge.metricRow.code,
    name: charge.metricRow.name,
    description: charge.metricRow.description ?? null,
    invoice_display_name: charge.row.invoiceDisplayName ?? charge.metricRow.name,
    filters: filter?.values ?? null,
    filter_invoice_display_name:
      filter === undefined ? null : (filter.invoiceDisplayName ?? Object.values(filter.values).flat().join(', ')),
    lago_item_id: charge.metricRow.id,
    item_type: 'BillableMetric',
    grouped_by: groupedBy,
  };
}

function planPrice(plan: RatedPlan): Record<string, unknown> {
  const { amountMinor, interval, payInAdvance } = plan.plan;
  return { kind: 'subscription', amount_cents: amountMinor, interval, pay_in_advance: payInAdvance };
}

/** The price that a fee was computed from. */
export function chargePrice({ charge, filterId }: Omit<PricedBy, 'groupedBy'>): Record<string, unknown> {
  const filter = charge.filterRows.find((row) => row.id === filterId);
  return { kind: charge.row.chargeModel, properties: filter?.properties ?? charge.row.properties };
}
