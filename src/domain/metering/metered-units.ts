import type { MetricDefinition } from '../catalog/billable-metric.js';
import type { Instant } from '../calendar/instant.js';
import { atLeastZero, Decimal } from '../money/decimal.js';
import { unitsOf } from './aggregate.js';
import { mergePartials, type PartialAggregate } from './partial-aggregate.js';
import type { ProratedUnits } from './prorated-sum.js';
import { roundUnits } from './rounding.js';

/** Usage of one metric around a span: what happened in it, and for a recurring metric what there was before. */
export interface MeteredHistory {
  readonly partial: PartialAggregate;
  /** Of everything before the span; empty unless the metric recurs. */
  readonly carried: PartialAggregate;
  /** Of a unique count, when its values were counted where they are stored and did not come along. */
  readonly present?: number;
}

/** The time that usage is metered over: half-open, with the days of the full period. */
export interface MeteredSpan {
  readonly from: Instant;
  readonly to: Instant;
  readonly periodDays: number;
}

/** What rating needs to know of a slice of usage. */
export interface MeteredUnits {
  readonly units: Decimal;
  readonly eventsCount: number;
  /** What there is at the end, not weighted by time: the units themselves where time has no weight. */
  readonly totalAggregatedUnits: Decimal;
  readonly preciseTotalAmountCents: Decimal;
  /** Prorated charges only. */
  readonly fullUnits?: Decimal;
  readonly proratedSteps?: ProratedUnits['steps'];
}

/**
 * The units of a metric over a span (reference 2.3). Recurring sums and unique counts are those of all history up to the
 * end of the span; a recurring weighted sum starts at the level that history has reached, and counts the events of the span.
 *
 * Example: recurring sum, 5 before and 12 + 12 in the span -> 29 units of 3 events.
 */
export function meteredUnits(metric: MetricDefinition, history: MeteredHistory, span: MeteredSpan): MeteredUnits {
  const { aggregation, rounding, recurring } = metric;
  if (aggregation === 'weighted_sum_agg') {
    const { partial, carried } = history;
    const { units, eventsCount } = unitsOf(aggregation, partial, rounding, { ...span, carriedLevel: carried.sum });
    const totalAggregatedUnits = atLeastZero(carried.sum.plus(partial.sum));
    return { units, eventsCount, totalAggregatedUnits, preciseTotalAmountCents: partial.preciseTotalAmountCents };
  }
  const partial = recurring ? mergePartials(history.carried, history.partial) : history.partial;
  const { preciseTotalAmountCents, eventsCount } = partial;
  const units =
    history.present === undefined
      ? unitsOf(aggregation, partial, rounding).units
      : atLeastZero(roundUnits(new Decimal(history.present), rounding));
  return { units, eventsCount, totalAggregatedUnits: units, preciseTotalAmountCents };
}

/** The units of a charge that weighs them by the days on which they are there; its full units are rounded as the metric says. */
export function proratedMeteredUnits(
  metric: MetricDefinition,
  prorated: ProratedUnits,
  history: Pick<MeteredHistory, 'partial' | 'carried'>,
): MeteredUnits {
  const fullUnits = atLeastZero(roundUnits(prorated.fullUnits, metric.rounding));
  return {
    units: atLeastZero(prorated.units),
    eventsCount: prorated.eventsCount,
    totalAggregatedUnits: fullUnits,
    preciseTotalAmountCents: history.partial.preciseTotalAmountCents.plus(history.carried.preciseTotalAmountCents),
    fullUnits,
    proratedSteps: prorated.steps,
  };
}
