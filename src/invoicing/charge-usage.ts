import type { RatedCharge, RatedPlan } from '../catalog/rated-plan.js';
import type { Instant } from '../domain/calendar/instant.js';
import type { ChargeModel } from '../domain/catalog/charge.js';
import { type Dimensions, matchFilter } from '../domain/catalog/charge-filter.js';
import { unitsOf } from '../domain/metering/aggregate.js';
import { mergePartials, type PartialAggregate } from '../domain/metering/partial-aggregate.js';
import { runningTotals } from '../domain/metering/running-totals.js';
import { roundToMinorUnits } from '../domain/money/money.js';
import { rate } from '../domain/rating/rate.js';
import type { MeteredUsage, RatedAmount } from '../domain/rating/rated-amount.js';
import type { UsageReader } from '../metering/index.js';
import type { EntityManager } from '../platform/database/database.js';

/** The usage of one price: a charge's filter, or what no filter took (`filterId` null). */
export interface RatedUsage {
  readonly charge: RatedCharge;
  readonly filterId: string | null;
  readonly model: ChargeModel;
  readonly usage: MeteredUsage;
  readonly rated: RatedAmount;
  /** Rounded once, half-up, to the currency's exponent. */
  readonly amountMinor: number;
}

export interface UsageRange {
  readonly organizationId: string;
  readonly externalSubscriptionId: string;
  /** Half-open. */
  readonly from: Instant;
  readonly to: Instant;
  /** Without one: everything stored by now. */
  readonly cutoffSequence?: number;
}

/**
 * Meters and rates all charges of a plan over a range of event time: the one path that invoices, refreshes, comparisons
 * and current usage share, so they agree by construction. One reading of the aggregates serves every charge.
 *
 * Charges come in the plan's order; of each first its filters in their order, then the rest.
 */
export async function rateUsage(
  em: EntityManager,
  reader: UsageReader,
  plan: RatedPlan,
  range: UsageRange,
): Promise<RatedUsage[]> {
  const charges = plan.charges.filter(({ charge }) => !charge.payInAdvance);
  const metrics = [...new Map(charges.map(({ charge }) => [charge.metric.id, charge.metric])).values()];
  const groups = await reader.read(em, { ...range, metrics });
  const lines: RatedUsage[] = [];
  for (const rated of charges) {
    const { charge } = rated;
    const usage = groups.get(charge.metric.id) ?? [];
    const prices = [...charge.filters.map(({ id, model }) => ({ id, model })), { id: null, model: charge.model }];
    for (const { id, model } of prices) {
      const belongs = (dimensions: Dimensions) => (matchFilter(charge.filters, dimensions)?.id ?? null) === id;
      const partial = mergePartials(
        ...usage.filter((group) => belongs(group.dimensions)).map((group) => group.partial),
      );
      const metered = await meteredUsage(em, reader, range, rated, model, partial, belongs);
      const amount = rate(model, metered);
      const amountMinor = roundToMinorUnits(amount.amount, plan.plan.currency);
      lines.push({ charge: rated, filterId: id, model, usage: metered, rated: amount, amountMinor });
    }
  }
  return lines;
}

// Only percentage prices look at single events, and only at as many as their free allowance or bounds ask for.
async function meteredUsage(
  em: EntityManager,
  reader: UsageReader,
  range: UsageRange,
  { charge }: RatedCharge,
  model: ChargeModel,
  partial: PartialAggregate,
  accepts: (dimensions: Dimensions) => boolean,
): Promise<MeteredUsage> {
  const { units, eventsCount } = unitsOf(charge.metric.aggregation, partial, charge.metric.rounding);
  if (model.kind !== 'percentage' || eventsCount === 0) return { units, eventsCount };
  const request = { ...range, metric: charge.metric, accepts };
  if (model.perTransactionMinAmount !== null || model.perTransactionMaxAmount !== null) {
    return { units, eventsCount, transactionValues: await reader.transactions(em, request) };
  }
  const limit = model.freeUnitsPerEvents === 0 ? null : model.freeUnitsPerEvents;
  const total = model.freeUnitsPerTotalAggregation;
  const enough = total === null || total.isZero() ? null : total;
  if (limit === null && enough === null) return { units, eventsCount };
  const values = await reader.transactions(em, {
    ...request,
    ...(limit === null ? {} : { limit }),
    ...(enough === null ? {} : { enough }),
  });
  return { units, eventsCount, runningTotals: runningTotals(values, { limit, enough }) };
}
