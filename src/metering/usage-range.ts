import type { MetricDefinition } from '../domain/catalog/billable-metric.js';
import { instant, type Instant } from '../domain/calendar/instant.js';
import type { TimeZone } from '../domain/calendar/time-zone.js';
import { plainArray } from './array-literal.js';

/** Usage of one subscription over a half-open range of event time; with a cutoff, as it was known at that sequence. */
export interface UsageRange {
  readonly organizationId: string;
  readonly externalSubscriptionId: string;
  readonly from: Instant;
  readonly to: Instant;
  readonly cutoffSequence?: number;
}

export interface UsageRequest extends UsageRange {
  readonly metrics: readonly MetricDefinition[];
}

/** A range with what weighs usage by time. */
export interface WeighedRange extends UsageRange {
  readonly zone: TimeZone;
  /** Days of the full period. */
  readonly periodDays: number;
}

/** Nothing can have happened before: the earliest time that an event may have. */
export const BEGINNING = instant(-62_135_596_800_000);

/** Without a cutoff everything counts: no sequence is beyond the largest. */
export function cutoffOf({ cutoffSequence }: Pick<UsageRange, 'cutoffSequence'>): string {
  return cutoffSequence === undefined ? '9223372036854775807' : String(cutoffSequence);
}

/**
 * An array of timestamps. Computing them in SQL from the rows of `unnest` would cost the index: under row-level security
 * only comparisons known to leak nothing are let near the rows of `events`, and `to_timestamp` is not one of them.
 */
export function instantArray(milliseconds: readonly number[]): string {
  return plainArray(milliseconds.map(isoInstant));
}

export const isoInstant = (at: number): string => new Date(at).toISOString().replace(/^\+0*/, '');

export const isUniqueCount = (metric: MetricDefinition): boolean => metric.aggregation === 'unique_count_agg';

export function idsOf(metrics: readonly MetricDefinition[]): string {
  return plainArray(metrics.map((metric) => metric.id));
}
