import { hash } from 'node:crypto';
import type { AggregationKind, MetricDefinition } from '../domain/catalog/billable-metric.js';
import { dimensionsKey, meterEvent, type MeteredEvent, type UsageEvent } from '../domain/metering/metered-event.js';

/** An event as it enters the aggregates of its metric. */
export interface MeteredRow {
  readonly metricId: string;
  readonly dimensions: string;
  readonly role: Role;
  /** Whether days and months are kept beside the hours. */
  readonly rolled: boolean;
  /** A plain decimal, for the roles that have one. */
  readonly value: string | null;
  readonly uniqueValue: string | null;
}

/** Which columns of a bucket an event moves; `add` and `remove` move a row of the unique values beside the count. */
export type Role = 'count' | 'sum' | 'max' | 'latest' | 'weighted' | 'add' | 'remove';

const ROLES: Record<AggregationKind, Role> = {
  count_agg: 'count',
  sum_agg: 'sum',
  max_agg: 'max',
  latest_agg: 'latest',
  weighted_sum_agg: 'weighted',
  unique_count_agg: 'add',
};

/** The row of an event, null when it is no usage of this metric: its property is absent or not a number. */
export function meterRow(metric: MetricDefinition, event: UsageEvent): MeteredRow | null {
  const metered = meterForStore(metric, event);
  if (!metered.counted) return null;
  const role = metric.aggregation === 'unique_count_agg' ? metered.operation : ROLES[metric.aggregation];
  return {
    metricId: metric.id,
    dimensions: dimensionsKey(metered.dimensions),
    role,
    rolled: isRolled(metric),
    value: metered.value === null ? null : metered.value.toFixed(),
    uniqueValue: metered.uniqueValue,
  };
}

/**
 * Metrics whose hours are added up to days and months as well: the history of a recurring one is read for every period, and
 * every combination of dimensions has hours of its own.
 */
export function isRolled({ recurring, filters, groupKeys = [] }: MetricDefinition): boolean {
  return recurring || filters.length > 0 || groupKeys.length > 0;
}

/**
 * The event as the metric sees it, with a unique value that fits into an index: a longer one is stood for by its hash.
 * Everything that reads or rebuilds aggregates looks through this function, so that the same value is the same row.
 */
export function meterForStore(metric: MetricDefinition, event: UsageEvent): MeteredEvent {
  const metered = meterEvent(metric, event);
  const { uniqueValue } = metered;
  if (uniqueValue === null || uniqueValue.length <= LONGEST_UNIQUE_VALUE) return metered;
  return { ...metered, uniqueValue: `sha256:${hash('sha256', uniqueValue, 'hex')}` };
}

/** An index row takes 2,704 bytes; 400 UTF-16 units are at most 1,200 of them, beside subscription and dimensions. */
const LONGEST_UNIQUE_VALUE = 400;

export const HOUR_MS = 3_600_000;

/** Hours since the epoch: the bucket of an instant. */
export const hourOf = (at: number): number => Math.floor(at / HOUR_MS);
