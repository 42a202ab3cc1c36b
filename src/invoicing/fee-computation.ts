import type { RatedPlan } from '../catalog/rated-plan.js';
import { isNegligible, planFee, withinBounds } from '../domain/invoicing/fee.js';
import { instant } from '../domain/calendar/instant.js';
import { subscriptionFee } from '../domain/proration/subscription-fee.js';
import { billedPlan } from './billed-charges.js';
import { taxesOf } from './billing-context.js';
import type { BillingPeriodRow } from './billing-period.entity.js';
import { feeSpan } from './billing-spans.js';
import { commitmentLines } from './commitment-line.js';
import { type FeeComputation, feeLine, type FeeLine, toFeeRow } from './fee-line.js';
import type { FeeRow } from './fee.entity.js';
import { fixedChargeLines } from './fixed-charge-lines.js';
import { renewalLines, usageLines } from './usage-lines.js';

export type { FeeComputation } from './fee-line.js';

/**
 * The fees of one billing step: a pure function of its stored spans, its cutoff, the plan and the metered quantities
 * (design, invariant 5). Called again with the same cutoff it gives the same lines, whenever that is.
 *
 * Answers the lines of its invoice. Lines that stand for themselves are made once, by the step itself: `standalone` says
 * that this is it; a draft that is computed again leaves them alone.
 *
 * Example: plan 5,000 for 21 of 28 days and 121 calls in packages of 10 at 1.00 -> 3,750 and 1,300.
 */
export async function computeFees(
  whole: FeeComputation,
  { standalone }: { readonly standalone: boolean } = { standalone: false },
): Promise<FeeRow[]> {
  const computation = { ...whole, plan: await billedPlan(whole.em, whole.plan, whole.period) };
  const usage = await usageLines(computation);
  const renewals = await renewalLines(computation);
  const fixedCharges = await fixedChargeLines(computation);
  const lines = withinBounds([...planLine(computation), ...usage, ...renewals, ...fixedCharges]);
  const commitment = await commitmentLines(computation, lines);
  const all = [...lines, ...commitment];
  const alone = all.filter((line) => !line.invoiceable);
  if (standalone) for (const [position, line] of alone.entries()) toFeeRow(computation, line, position);
  return all.filter((line) => line.invoiceable).map((line, position) => toFeeRow(computation, line, position));
}

function planLine({ context, plan, period }: FeeComputation): FeeLine[] {
  if (period.spans?.fee === undefined) return [];
  const { from, to, periodDays } = feeSpan(period.spans.fee);
  const { amountMinor, currency } = plan.plan;
  const computed = subscriptionFee({
    planAmountMinor: amountMinor,
    currency,
    periodDays,
    from,
    to,
    zone: period.timezone,
    trialEndsAt: period.trialEndsAt == null ? null : instant(period.trialEndsAt.getTime()),
    endedByUpgrade: period.endedByUpgrade,
  });
  const taxes = taxesOf(context, { plan: plan.row.taxCodes });
  const fee = planFee(computed, { currency, taxes, planAmountMinor: amountMinor });
  if (isNegligible(fee)) return [];
  return [
    feeLine({
      feeType: 'subscription',
      fee,
      from,
      to,
      item: planItem(plan, period),
      price: planPrice(plan),
      payInAdvance: plan.plan.payInAdvance,
    }),
  ];
}

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

function planPrice(plan: RatedPlan): Record<string, unknown> {
  const { amountMinor, interval, payInAdvance } = plan.plan;
  return { kind: 'subscription', amount_cents: amountMinor, interval, pay_in_advance: payInAdvance };
}
