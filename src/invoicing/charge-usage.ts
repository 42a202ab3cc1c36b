import type { RatedCharge, RatedPlan } from '../catalog/rated-plan.js';
import type { Instant } from '../domain/calendar/instant.js';
import type { MetricDefinition } from '../domain/catalog/billable-metric.js';
import type { ChargeModel, PercentageModel } from '../domain/catalog/charge.js';
import type { TimeZone } from '../domain/calendar/time-zone.js';
import type { ChargeFilter, Dimensions } from '../domain/catalog/charge-filter.js';
import { chargeSlice } from '../domain/catalog/charge-slice.js';
import { roundProrated } from '../domain/metering/prorated-sum.js';
import { runningTotals } from '../domain/metering/running-totals.js';
import { billedDays } from '../domain/proration/day-count.js';
import { Decimal, ZERO } from '../domain/money/decimal.js';
import { roundToMinorUnits } from '../domain/money/money.js';
import { rate } from '../domain/rating/rate.js';
import type { PaidUnits } from '../domain/rating/in-advance.js';
import type { MeteredUsage, RatedAmount } from '../domain/rating/rated-amount.js';
import type { TransactionBounds, UsageReader, UsageSlice } from '../metering/index.js';
import type { EntityManager } from '../platform/database/database.js';
import { type AskedPresentation, UsageBreakdown, type UsagePart } from './usage-breakdown.js';

/** The usage of one price: a charge's filter, or what no filter took (`filterId` null); of a grouped price, one group's. */
export interface RatedUsage {
  readonly charge: RatedCharge;
  readonly filterId: string | null;
  /** The values of the price's grouping keys; a missing property is null. */
  readonly groupedBy: Dimensions;
  readonly model: ChargeModel;
  readonly usage: MeteredUsage;
  /** What there is, not weighted by time; `usage.units` is what was priced. */
  readonly shownUnits: Decimal;
  readonly rated: RatedAmount;
  /** Rounded once, half-up, to the currency's exponent. */
  readonly amountMinor: number;
  /** By the presentation keys of the price; empty without any. */
  readonly parts: readonly UsagePart[];
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
 * each group that has usage, in the order of their values (one without values when none has).
 */
export async function rateUsage(
  em: EntityManager,
  reader: UsageReader,
  plan: RatedPlan,
  range: UsageRange,
): Promise<RatedUsage[]> {
  const charges = plan.charges.filter(({ charge }) => !charge.payInAdvance);
  return rateCharges(em, reader, plan, charges, range);
}

/** What of one slice (`chargeSlice(…).key`) was paid in advance in the range; null when nothing of it ever was. */
export type PaidUnitsOf = (charge: RatedCharge, slice: string) => PaidUnits | null;

/**
 * What the range would cost if it ended as it stands, charges paid in advance too: those at the highest level they reached,
 * which is what was paid (lago-api.md 2.3), or without knowing what was paid at the level where they are.
 */
export async function rateCurrentUsage(
  em: EntityManager,
  reader: UsageReader,
  plan: RatedPlan,
  range: UsageRange,
  paid: PaidUnitsOf | null,
  presentation: AskedPresentation | null = null,
): Promise<RatedUsage[]> {
  const how = { weighed: true, presentation, ...(paid !== null && { paid }) };
  return rateCharges(em, reader, plan, plan.charges, range, how);
}

/**
 * Rates what there is at the start of a span of the recurring metrics that are paid in advance, for all of it. A prorated
 * charge pays for the part of the period that the span is; a span is shorter than its period after a pause.
 */
export async function rateRenewals(
  em: EntityManager,
  reader: UsageReader,
  plan: RatedPlan,
  period: UsageRange,
): Promise<RatedUsage[]> {
  const recurring = plan.charges.filter(({ charge }) => charge.payInAdvance && charge.metric.recurring);
  const share = new Decimal(billedDays(period, period.zone)).div(period.periodDays);
  return rateCharges(em, reader, plan, recurring, { ...period, to: period.from }, { weighed: false, share });
}

interface RatingOptions {
  readonly weighed: boolean;
  readonly paid?: PaidUnitsOf;
  readonly share?: Decimal;
  readonly presentation?: AskedPresentation | null;
}

async function rateCharges(
  em: EntityManager,
  reader: UsageReader,
  plan: RatedPlan,
  charges: readonly RatedCharge[],
  range: UsageRange,
  { weighed, paid, share, presentation = null }: RatingOptions = { weighed: true },
): Promise<RatedUsage[]> {
  if (charges.length === 0) return [];
  const requests = charges.map(({ charge }) => ({
    metric: charge.metric,
    prorated: weighed && charge.prorated && !(paid !== undefined && isPaidByPeak(charge)),
    everyStep: [charge, ...charge.filters].some(({ model }) => needsEveryStep(model, charge.metric)),
    sliceOf: (dimensions: Dimensions) => chargeSlice(charge, dimensions).key,
  }));
  const breakdown = new UsageBreakdown(charges, presentation);
  const metered = await reader.slices(em, range, [...requests, ...breakdown.requests]);
  const partsOf = breakdown.partsIn(metered.slice(requests.length));
  const slices = charges.flatMap((rated, index) => pricedSlices(rated, metered[index]!));
  const priced = await withTransactions(em, reader, range, slices);
  return priced.map(({ charge, price, filterId, slice, groupedBy, usage: metered }) => {
    const isPaid = paid !== undefined && isPaidByPeak(charge.charge);
    const counted = isPaid ? paidUsage(charge, metered, paid(charge, slice)) : metered;
    const usage = share === undefined || !charge.charge.prorated ? counted : sharedUsage(counted, share);
    const amount = isPaid && isUnused(usage) ? rate(NO_PRICE, usage) : rate(price.model, usage);
    const amountMinor = roundToMinorUnits(amount.amount, plan.plan.currency);
    const shownUnits = metered.fullUnits ?? metered.units;
    const line = { charge, filterId, groupedBy, model: price.model, usage, shownUnits, rated: amount, amountMinor };
    return { ...line, parts: partsOf(charge, slice) };
  });
}

/** Paid in advance by units that may be taken away again; a percentage and amounts of events are paid event by event. */
export function isPaidByPeak({ payInAdvance, metric, model }: RatedCharge['charge']): boolean {
  const falls = metric.aggregation === 'sum_agg' || metric.aggregation === 'unique_count_agg';
  return payInAdvance && falls && model.kind !== 'percentage' && model.kind !== 'dynamic';
}

// What was there before the charge was, nobody paid for in advance: it stands as it is.
function paidUsage({ charge }: RatedCharge, metered: MeteredUsage, paid: PaidUnits | null): MeteredUsage {
  if (paid === null) return metered;
  const { eventsCount, totalAggregatedUnits = ZERO } = metered;
  const usage = { eventsCount, totalAggregatedUnits };
  return charge.prorated
    ? { ...usage, units: paid.proratedUnits, fullUnits: paid.units }
    : { ...usage, units: paid.units };
}

function sharedUsage(usage: MeteredUsage, share: Decimal): MeteredUsage {
  return { ...usage, units: roundProrated(usage.units.times(share)), fullUnits: usage.units };
}

/**
 * A tier once reached keeps its flat amount, even if it was left on the same day. Of things that come and go on one day the
 * days they are there differ, so the tier that each is in matters.
 */
function needsEveryStep(model: ChargeModel, { aggregation }: MetricDefinition): boolean {
  if (model.kind !== 'graduated') return false;
  const above = model.ranges.slice(1);
  return aggregation === 'unique_count_agg' ? above.length > 0 : above.some(({ flatAmount }) => !flatAmount.isZero());
}

interface PricedSlice {
  readonly charge: RatedCharge;
  readonly price: Pick<ChargeFilter, 'model' | 'pricingGroupKeys'>;
  readonly filterId: string | null;
  readonly slice: string;
  readonly groupedBy: Dimensions;
  readonly usage: MeteredUsage;
}

/** The lines of a charge: its filters' in their order, then the rest's. */
function pricedSlices(rated: RatedCharge, slices: readonly UsageSlice[]): PricedSlice[] {
  const { charge } = rated;
  const found = slices.map(({ slice, dimensions, usage }) => ({ slice, usage, ...chargeSlice(charge, dimensions) }));
  return [...charge.filters, charge].flatMap((price): PricedSlice[] => {
    const filterId = price === charge ? null : price.id;
    const own = found
      .filter(({ filter }) => (filter?.id ?? null) === filterId)
      .sort((a, b) => (a.slice < b.slice ? -1 : 1))
      .map(({ slice, groupedBy, usage }) => ({ charge: rated, price, filterId, slice, groupedBy, usage }));
    if (own.length > 0) return own;
    // A price has its line whether there is usage or not: some models cost something at 0 units.
    const groupedBy = Object.fromEntries((price.pricingGroupKeys ?? []).map((key) => [key, null]));
    return [{ charge: rated, price, filterId, slice: '', groupedBy, usage: NO_USAGE }];
  });
}

/** A price in advance asks for nothing before the first event. */
const NO_PRICE: ChargeModel = { kind: 'standard', amount: ZERO };

const isUnused = ({ units, eventsCount }: MeteredUsage): boolean => units.isZero() && eventsCount === 0;

const NO_USAGE: MeteredUsage = { units: ZERO, eventsCount: 0, totalAggregatedUnits: ZERO };

/**
 * Only percentage prices look at single events, and only at as many as their free allowance or bounds ask for. One reading
 * serves every charge: a plan of many charges asks no more often than a plan of one.
 */
async function withTransactions(
  em: EntityManager,
  reader: UsageReader,
  range: UsageRange,
  slices: readonly PricedSlice[],
): Promise<PricedSlice[]> {
  const wanted = new Map<RatedCharge, Map<string, TransactionBounds>>();
  for (const { charge, slice, price, usage } of slices) {
    const bounds = usage.eventsCount === 0 ? null : transactionBounds(price.model);
    if (bounds !== null)
      wanted.set(charge, (wanted.get(charge) ?? new Map<string, TransactionBounds>()).set(slice, bounds));
  }
  if (wanted.size === 0) return [...slices];
  const requests = Array.from(wanted, ([{ charge }, bounds]) => ({
    metric: charge.metric,
    sliceOf: (dimensions: Dimensions) => chargeSlice(charge, dimensions).key,
    slices: bounds,
  }));
  const answers = await reader.transactions(em, range, requests);
  const found = new Map([...wanted.keys()].map((charge, index) => [charge, answers[index]!]));
  return slices.map((each) => {
    const values = found.get(each.charge)?.get(each.slice);
    return values === undefined
      ? each
      : { ...each, usage: { ...each.usage, ...transactionsFor(each.price.model, values) } };
  });
}

/** How many single events a price looks at; `null`: at none. */
function transactionBounds(model: ChargeModel): TransactionBounds | null {
  if (model.kind !== 'percentage') return null;
  if (isBounded(model)) return {};
  const { limit, enough } = allowanceOf(model);
  if (limit === null && enough === null) return null;
  return { ...(limit === null ? {} : { limit }), ...(enough === null ? {} : { enough }) };
}

function transactionsFor(model: ChargeModel, values: readonly Decimal[]): Partial<MeteredUsage> {
  if (model.kind !== 'percentage') return {};
  return isBounded(model)
    ? { transactionValues: values }
    : { runningTotals: runningTotals(values, allowanceOf(model)) };
}

const isBounded = (model: PercentageModel) =>
  model.perTransactionMinAmount !== null || model.perTransactionMaxAmount !== null;

/** An allowance of 0 is none. */
function allowanceOf({ freeUnitsPerEvents: events, freeUnitsPerTotalAggregation: total }: PercentageModel) {
  return { limit: events === 0 ? null : events, enough: total === null || total.isZero() ? null : total };
}
