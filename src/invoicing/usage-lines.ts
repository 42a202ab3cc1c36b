import { chargeFee, isNegligible, trueUpFee } from '../domain/invoicing/fee.js';
import { sumMinor } from '../domain/money/money.js';
import { billedDays } from '../domain/proration/day-count.js';
import { spendingMinimumTrueUp } from '../domain/proration/true-up.js';
import type { RatedCharge } from '../catalog/rated-plan.js';
import { usageEnd } from './billed-charges.js';
import { taxesOf } from './billing-context.js';
import { feeSpan, type FeeSpan } from './billing-spans.js';
import { chargeItem, chargePrice } from './charge-item.js';
import { type RatedUsage, rateRenewals, rateUsage } from './charge-usage.js';
import { type FeeComputation, feeLine, type FeeLine } from './fee-line.js';

/**
 * Usage in arrears: per charge its filters and groups, then what is missing to the charge's spending minimum
 * (lago-api.md 2.4).
 */
export async function usageLines(computation: FeeComputation): Promise<FeeLine[]> {
  const { em, reader, plan, period } = computation;
  if (period.spans?.charges === undefined) return [];
  const span = feeSpan(period.spans.charges);
  const to = usageEnd(span, period);
  if (to <= span.from || plan.charges.length === 0) return [];
  const rated = await rateUsage(em, reader, plan, {
    organizationId: period.organizationId,
    externalSubscriptionId: period.externalSubscriptionId,
    ...span,
    to,
    zone: period.timezone,
    cutoffSequence: period.cutoffSequence,
  });
  return plan.charges.flatMap((charge) => {
    const lines = rated.filter((line) => line.charge === charge).map((line) => usageLine(computation, line, span));
    const trueUp = trueUpLine(computation, charge, lines, span);
    const kept = lines.filter(({ id, fee }) => !isNegligible(fee) || id === trueUp?.trueUpParentFeeId);
    return trueUp === null ? kept : [...kept, trueUp];
  });
}

/**
 * Recurring usage paid in advance: what there is at the bound is billed for the period that begins, on the invoice of the
 * renewal or, of charges without invoices, as fees that stand for themselves.
 */
export async function renewalLines(computation: FeeComputation): Promise<FeeLine[]> {
  const { em, reader, plan, period } = computation;
  if (period.spans?.renewal === undefined || plan.charges.length === 0) return [];
  const span = feeSpan(period.spans.renewal);
  const rated = await rateRenewals(em, reader, plan, {
    organizationId: period.organizationId,
    externalSubscriptionId: period.externalSubscriptionId,
    ...span,
    zone: period.timezone,
    cutoffSequence: period.cutoffSequence,
  });
  return (
    rated
      .map((line) => ({ ...usageLine(computation, line, span), invoiceable: line.charge.charge.invoiceable }))
      // Of nothing nothing is renewed; the flat amount of a first tier comes with the first event.
      .filter(({ fee }) => !fee.units.isZero())
  );
}

function usageLine({ context, plan }: FeeComputation, line: RatedUsage, { from, to }: FeeSpan): FeeLine {
  const { charge, usage } = line;
  const taxes = taxesOf(context, { charge: charge.row.taxCodes, plan: plan.row.taxCodes });
  const fee = chargeFee(line.rated, {
    currency: plan.plan.currency,
    eventsCount: usage.eventsCount,
    taxes,
    ...(usage.fullUnits === undefined ? {} : { fullUnits: usage.fullUnits }),
  });
  return feeLine({
    feeType: 'charge',
    fee,
    from,
    to,
    item: chargeItem(line),
    price: chargePrice(line),
    totalAggregatedUnits: usage.totalAggregatedUnits ?? fee.units,
    eventsCount: usage.eventsCount,
    chargeId: charge.row.id,
    chargeFilterId: line.filterId,
    groupedBy: line.groupedBy,
    parts: line.parts,
  });
}

// One for a charge over all its filters and groups; it hangs on the fee of the charge's own price.
function trueUpLine(
  { context, plan, period }: FeeComputation,
  rated: RatedCharge,
  lines: readonly FeeLine[],
  span: FeeSpan,
): FeeLine | null {
  const { charge, row } = rated;
  const parent = lines.find((line) => line.chargeFilterId == null);
  if (charge.minAmountMinor === 0 || parent === undefined) return null;
  const missing = spendingMinimumTrueUp({
    minAmountMinor: charge.minAmountMinor,
    usedAmountMinor: sumMinor(lines.map(({ fee }) => fee.amountMinor)),
    billedDays: billedDays(span, period.timezone),
    periodDays: span.periodDays,
  });
  if (missing === null || missing.amountMinor === 0) return null;
  const taxes = taxesOf(context, { charge: row.taxCodes, plan: plan.row.taxCodes });
  return feeLine({
    feeType: 'charge',
    fee: trueUpFee('true_up', missing, { currency: plan.plan.currency, taxes }),
    from: span.from,
    to: span.to,
    item: chargeItem({ charge: rated, filterId: null, groupedBy: {} }),
    price: { kind: 'spending_minimum', min_amount_cents: charge.minAmountMinor },
    eventsCount: 0,
    chargeId: row.id,
    trueUpParentFeeId: parent.id,
  });
}
