import { loadSubscriptionPlan, type RatedCharge, type RatedPlan } from '../catalog/rated-plan.js';
import { CustomerEntity } from '../customers/customer.entity.js';
import { billingBoundaries, type BilledSpan } from '../domain/calendar/billing-boundaries.js';
import { instant, type Instant } from '../domain/calendar/instant.js';
import { graceEndsAt } from '../domain/invoicing/dates.js';
import { toIsoDate } from '../domain/calendar/local-date.js';
import { localDate } from '../domain/calendar/time-zone.js';
import { invoiceTaxes } from '../domain/invoicing/taxes.js';
import { sumMinor } from '../domain/money/money.js';
import { ZERO } from '../domain/money/decimal.js';
import type { UsageReader } from '../metering/index.js';
import type { Database } from '../platform/database/database.js';
import { methodNotAllowed, notFound } from '../platform/http/errors.js';
import { billedFrom, billingCalendarOf } from '../subscriptions/lifecycle.js';
import { SubscriptionEntity } from '../subscriptions/subscription.entity.js';
import { presentOn } from '../test-clocks/clock-time.js';
import { type BillingContext, loadBillingContext, taxesOf } from './billing-context.js';
import { readPaidUnits } from './paid-units.js';
import { rateCurrentUsage, type RatedUsage } from './charge-usage.js';
import type { AskedPresentation } from './usage-breakdown.js';

export interface CurrentUsage {
  readonly from: Instant;
  readonly to: Instant;
  readonly issuingDate: string;
  readonly plan: RatedPlan;
  /** Those asked for, used or not. */
  readonly charges: readonly RatedCharge[];
  readonly lines: readonly RatedUsage[];
  readonly amountMinor: number;
  readonly taxesAmountMinor: number;
}

/** What of the usage is asked for; everything that a filter leaves out is neither rated nor taxed. */
export interface CurrentUsageRequest {
  readonly applyTaxes: boolean;
  /** Since the start of the subscription instead of the running period's; only of a charge or a group, it may be a lot. */
  readonly full?: boolean;
  readonly chargeId?: string;
  readonly chargeCode?: string;
  readonly billableMetricCode?: string;
  /** Values that the groups of a price must have, of each key one of these: `{ user: ['1'] }`. */
  readonly group?: Readonly<Record<string, readonly string[]>>;
  readonly presentation?: AskedPresentation;
}

/**
 * What the running period would cost if it ended now: the same metering and rating as its close, without a cutoff. Full
 * usage is rated as if all the time since the start were that period.
 */
export class CurrentUsageService {
  constructor(
    private readonly database: Database,
    private readonly reader: UsageReader,
  ) {}

  read(
    organizationId: string,
    externalCustomerId: string,
    externalSubscriptionId: string,
    request: CurrentUsageRequest,
  ): Promise<CurrentUsage> {
    return this.database.snapshot(organizationId, async (em) => {
      const customer = await em.findOne(CustomerEntity, {
        organizationId,
        externalId: externalCustomerId,
        deletedAt: null,
      });
      if (customer === null) throw notFound('customer');
      const subscription = await em.findOne(SubscriptionEntity, {
        organizationId,
        customerId: customer.id,
        externalId: externalSubscriptionId,
        status: 'active',
      });
      if (subscription === null || subscription.startedAt == null) throw methodNotAllowed('no_active_subscription');
      if (request.full === true && !isOfOneChargeOrGroup(request)) throw methodNotAllowed('full_usage_not_allowed');
      const context = await loadBillingContext(em, organizationId, customer.id);
      const plan = await loadSubscriptionPlan(em, subscription);
      const now = instant((await presentOn(em, customer.testClockId)).getTime());
      const span = billingBoundaries({
        ...billingCalendarOf(subscription, plan.row, context.zone),
        payInAdvance: plan.plan.payInAdvance,
        startedAt: instant((billedFrom(subscription) ?? now).valueOf()),
        billingAt: now,
        currentUsage: true,
        billChargesMonthly: plan.plan.billChargesMonthly,
      }).charges as BilledSpan;
      const range = {
        organizationId,
        externalSubscriptionId,
        from: request.full === true ? instant(subscription.startedAt.getTime()) : span.from,
        to: span.to,
        zone: context.zone,
        periodDays: span.periodDays,
      };
      const charges = plan.charges.filter((charge) => isAskedFor(charge, request));
      // What was paid in advance is known by period: of more than one the usage itself tells.
      const paid = request.full === true ? null : await readPaidUnits(em, subscription, charges, range);
      const asked = request.presentation ?? null;
      const rated = await rateCurrentUsage(em, this.reader, { ...plan, charges }, range, paid, asked);
      const lines = rated.filter((line) => isInGroup(line, request.group ?? {}));
      return {
        from: range.from,
        to: range.to,
        issuingDate: toIsoDate(localDate(graceEndsAt(span.to, context.zone, context.graceDays), context.zone)),
        plan,
        charges,
        lines,
        amountMinor: sumMinor(lines.map((line) => line.amountMinor)),
        taxesAmountMinor: request.applyTaxes ? taxesOfLines(context, plan, lines) : 0,
      };
    });
  }
}

function isOfOneChargeOrGroup({ chargeId, chargeCode, group = {} }: CurrentUsageRequest): boolean {
  return chargeId !== undefined || chargeCode !== undefined || Object.keys(group).length > 0;
}

function isAskedFor({ row, metricRow }: RatedCharge, request: CurrentUsageRequest): boolean {
  const { chargeId, chargeCode, billableMetricCode } = request;
  return (
    (chargeId === undefined || row.id === chargeId) &&
    (chargeCode === undefined || row.code === chargeCode) &&
    (billableMetricCode === undefined || metricRow.code === billableMetricCode)
  );
}

function isInGroup({ groupedBy }: RatedUsage, group: NonNullable<CurrentUsageRequest['group']>): boolean {
  return Object.entries(group).every(([key, values]) => values.some((value) => groupedBy[key] === value));
}

// As on an invoice: summed unrounded over the lines, rounded once per tax.
function taxesOfLines(context: BillingContext, plan: RatedPlan, lines: readonly RatedUsage[]): number {
  return invoiceTaxes(
    lines.map((line) => ({
      amountMinor: line.amountMinor,
      couponShareMinor: ZERO,
      taxes: taxesOf(context, { charge: line.charge.row.taxCodes, plan: plan.row.taxCodes }),
    })),
  ).amountMinor;
}
