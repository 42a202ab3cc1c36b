import type { RatedCharge, RatedPlan } from '../catalog/rated-plan.js';
import type { Instant } from '../domain/calendar/instant.js';
import type { ChargeModel } from '../domain/catalog/charge.js';
import type { TimeZone } from '../domain/calendar/time-zone.js';
import type { Dimensions } from '../domain/catalog/charge-filter.js';
import { chargeSlice } from '../domain/catalog/charge-slice.js';
import { runningTotals } from '../domain/metering/running-totals.js';
import { ZERO } from '../domain/money/decimal.js';
import { roundToMinorUnits } from '../domain/money/money.js';
import { rate } from '../domain/rating/rate.js';
import type { MeteredUsage, RatedAmount } from '../domain/rating/rated-amount.js';
import type { UsageReader, UsageSlice } from '../metering/index.js';
import type { EntityManager } from '../platform/database/database.js';

/** The usage of one price: a charge's filter, or what no filter took (`filterId` null); of a grouped price, one group's. */
export interface RatedUsage {
  readonly charge: RatedCharge;
  readonly filterId: string | null;
  /** The values of the price's grouping keys; a missing property is null. */
  readonly groupedBy: Dimensions;
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
  /** What weighs recurring usage by time, with the days of the full period. */
  readonly zone: TimeZone;
  readonly periodDays: number;
  /** Without one: everything stored by now. */
  readonly cutoffSequence?: number;
}

/**
 * Meters and rates all charges of a plan over a range of event time: the one path that invoices, refreshes, comparisons
 * and current usage share, so they agree by construction. One reading of the aggregates serves every charge.
 *
 * Charges come in the plan's order; of each first its filters in their order, then the rest; of a grouped price one line for
 * each group that has usage, in the order of their values.
 */
export async function rateUsage(
  em: EntityManager,
  reader: UsageReader,
  plan: RatedPlan,
  range: UsageRange,
): Promise<RatedUsage[]> {
  const charges = plan.charges.filter(({ charge }) => !charge.payInAdvance);
  const requests = charges.map(({ charge }) => ({
    metric: charge.metric,
    prorated: charge.prorated,
    sliceOf: (dimensions: Dimensions) => chargeSlice(charge, dimensions).key,
  }));
  const metered = await reader.slices(em, range, requests);
  const lines: RatedUsage[] = [];
  for (const [index, rated] of charges.entries()) {
    const { charge } = rated;
    for (const price of [...charge.filters, charge]) {
      const filterId = price === charge ? null : price.id;
      for (const { slice, groupedBy, usage } of slicesOf(rated, filterId, metered[index]!)) {
        const accepts = (dimensions: Dimensions) => chargeSlice(charge, dimensions).key === slice;
        const priced = await withTransactions(em, reader, range, rated, price.model, usage, accepts);
        const amount = rate(price.model, priced);
        const amountMinor = roundToMinorUnits(amount.amount, plan.plan.currency);
        lines.push({
          charge: rated,
          filterId,
          groupedBy,
          model: price.model,
          usage: priced,
          rated: amount,
          amountMinor,
        });
      }
    }
  }
  return lines;
}

interface PricedSlice {
  readonly slice: string;
  readonly groupedBy: Dimensions;
  readonly usage: MeteredUsage;
}

function slicesOf({ charge }: RatedCharge, filterId: string | null, slices: readonly UsageSlice[]): PricedSlice[] {
  const found = slices
    .map(({ slice, dimensions, usage }) => ({ slice, usage, ...chargeSlice(charge, dimensions) }))
    .filter(({ filter }) => (filter?.id ?? null) === filterId)
    .map(({ slice, groupedBy, usage }) => ({ slice, groupedBy, usage }))
    .sort((a, b) => (a.slice < b.slice ? -1 : 1));
  const keys = (charge.filters.find(({ id }) => id === filterId) ?? charge).pricingGroupKeys ?? [];
  // A price without groups has its line whether there is usage or not: some models cost something at 0 units.
  return found.length > 0 || keys.length > 0 ? found : [{ slice: '', groupedBy: {}, usage: NO_USAGE }];
}

const NO_USAGE: MeteredUsage = { units: ZERO, eventsCount: 0, totalAggregatedUnits: ZERO };

// Only percentage prices look at single events, and only at as many as their free allowance or bounds ask for.
async function withTransactions(
  em: EntityManager,
  reader: UsageReader,
  range: UsageRange,
  { charge }: RatedCharge,
  model: ChargeModel,
  usage: MeteredUsage,
  accepts: (dimensions: Dimensions) => boolean,
): Promise<MeteredUsage> {
  if (model.kind !== 'percentage' || usage.eventsCount === 0) return usage;
  const request = { ...range, metric: charge.metric, accepts };
  if (model.perTransactionMinAmount !== null || model.perTransactionMaxAmount !== null) {
    return { ...usage, transactionValues: await reader.transactions(em, request) };
  }
  const limit = model.freeUnitsPerEvents === 0 ? null : model.freeUnitsPerEvents;
  const total = model.freeUnitsPerTotalAggregation;
  const enough = total === null || total.isZero() ? null : total;
  if (limit === null && enough === null) return usage;
  const values = await reader.transactions(em, {
    ...request,
    ...(limit === null ? {} : { limit }),
    ...(enough === null ? {} : { enough }),
  });
  return { ...usage, runningTotals: runningTotals(values, { limit, enough }) };
}
