import { trueUpFee } from '../domain/invoicing/fee.js';
import { Decimal } from '../domain/money/decimal.js';
import { sumMinor } from '../domain/money/money.js';
import { billedDays } from '../domain/proration/day-count.js';
import { commitmentDue, commitmentTrueUp } from '../domain/proration/minimum-commitment.js';
import { taxesOf } from './billing-context.js';
import { feeSpan, type FeeSpan } from './billing-spans.js';
import { type FeeComputation, feeLine, type FeeLine } from './fee-line.js';

/**
 * What the fees of a plan's period leave missing to its minimum commitment (lago-api.md 2.6): those of this step that are
 * for the period, and those that were billed for it before, paid in advance or with its months. Coupons change nothing.
 *
 * Example: 1,000,000 a month, two of 29 days; fees 690 + 3,000 -> 68,966 − 3,690 = 65,276.
 */
export async function commitmentLines(computation: FeeComputation, lines: readonly FeeLine[]): Promise<FeeLine[]> {
  const { context, plan, period } = computation;
  if (plan.commitment === null || period.spans?.commitment === undefined) return [];
  const span = feeSpan(period.spans.commitment);
  if (plan.plan.payInAdvance && !(await wasBilledBefore(computation))) return [];
  const { commitment, taxCodes } = plan.commitment;
  // The day of an upgrade is the new plan's, as that of the fee.
  const days = billedDays(span, period.timezone) - (period.endedByUpgrade ? 1 : 0);
  const due = commitmentDue(commitment.amountMinor, days, span.periodDays);
  const ofThisStep = lines.filter(({ from }) => span.from <= from && from < span.to);
  const amountMinor = commitmentTrueUp(
    due,
    sumMinor(ofThisStep.map(({ fee }) => fee.amountMinor)) + (await billedBefore(computation, span)),
  );
  if (amountMinor === 0) return [];
  const { currency } = plan.plan;
  const taxes = taxesOf(context, { charge: taxCodes, plan: plan.row.taxCodes });
  return [
    feeLine({
      feeType: 'commitment',
      fee: trueUpFee('commitment', { amountMinor, preciseAmountMinor: new Decimal(amountMinor) }, { currency, taxes }),
      from: span.from,
      to: span.to,
      item: {
        type: 'commitment',
        code: plan.row.code,
        name: plan.row.name,
        description: null,
        invoice_display_name: commitment.invoiceDisplayName ?? 'Minimum commitment - True up',
        filters: null,
        filter_invoice_display_name: null,
        lago_item_id: period.subscriptionId,
        item_type: 'Subscription',
        grouped_by: {},
      },
      price: { kind: 'commitment', amount_cents: commitment.amountMinor },
    }),
  ];
}

// The first period of a plan in advance may count as paid (a start in the past) or have been free (a trial).
async function wasBilledBefore({ em, period }: FeeComputation): Promise<boolean> {
  const [row] = await em.execute<{ known: boolean }[]>(
    `select exists (select 1 from billing_periods where subscription_id = ? and billing_at < ?) as known`,
    [period.subscriptionId, period.billingAt],
  );
  return row?.known === true;
}

async function billedBefore({ em, period }: FeeComputation, { from, to }: FeeSpan): Promise<number> {
  const [row] = await em.execute<{ amount: string }[]>(
    `select coalesce(sum(amount_cents), 0)::text as amount from fees left join invoices on invoices.id = fees.invoice_id
      where fees.subscription_id = ? and from_at >= ? and from_at < ?
        and fee_type in ('subscription', 'charge', 'fixed_charge')
        and billing_period_id is distinct from ?::uuid
        /* Of what was taken back nothing counts as spent. */
        and fees.deleted_at is null and invoices.status is distinct from 'voided'`,
    [period.subscriptionId, new Date(from), new Date(to), period.id],
  );
  return Number(row?.amount ?? 0);
}
