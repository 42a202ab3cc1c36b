import type { AggregationKind, MetricDefinition, MetricRounding } from '../catalog/billable-metric.js';
import { atLeastZero, type Decimal } from '../money/decimal.js';
import type { AggregatedSpan, Aggregation } from './aggregations/aggregation.js';
import { count } from './aggregations/count.js';
import { latest } from './aggregations/latest.js';
import { max } from './aggregations/max.js';
import { sum } from './aggregations/sum.js';
import { weightedSum } from './aggregations/weighted-sum.js';
import { uniqueCount } from './aggregations/unique-count.js';
import { meterEvent, type MeteredEvent, type UsageEvent } from './metered-event.js';
import { EMPTY_PARTIAL, mergeAll, type PartialAggregate } from './partial-aggregate.js';
import { roundUnits } from './rounding.js';

/** A metric's total over a range of time. */
export interface AggregatedUnits {
  readonly kind: 'aggregated-units';
  readonly units: Decimal;
  readonly eventsCount: number;
}

/** The partial of one event as a metric sees it; that of an event that is not counted is empty. */
export function partialOf(aggregation: AggregationKind, event: MeteredEvent): PartialAggregate {
  if (!event.counted) return EMPTY_PARTIAL;
  return { ...EMPTY_PARTIAL, eventsCount: 1, ...aggregationOf(aggregation).observe(event) };
}

/** The partial of a set of raw events of this metric's code, in any order. */
export function aggregateEvents(metric: MetricDefinition, events: Iterable<UsageEvent>): PartialAggregate {
  return mergeAll(Array.from(events, (event) => partialOf(metric.aggregation, meterEvent(metric, event))));
}

/**
 * Units and number of events of a partial: rounded as the metric says, never negative (reference 2.3). A weighted sum
 * also needs the time it is weighted over; the others do not look at it.
 */
export function unitsOf(
  aggregation: AggregationKind,
  partial: PartialAggregate,
  rounding?: MetricRounding | null,
  span?: AggregatedSpan,
): AggregatedUnits {
  const units = atLeastZero(roundUnits(aggregationOf(aggregation).units(partial, span), rounding));
  return { kind: 'aggregated-units', units, eventsCount: partial.eventsCount };
}

function aggregationOf(kind: AggregationKind): Aggregation {
  switch (kind) {
    case 'count_agg':
      return count;
    case 'sum_agg':
      return sum;
    case 'max_agg':
      return max;
    case 'latest_agg':
      return latest;
    case 'unique_count_agg':
      return uniqueCount;
    case 'weighted_sum_agg':
      return weightedSum;
    default:
      return kind satisfies never;
  }
}
