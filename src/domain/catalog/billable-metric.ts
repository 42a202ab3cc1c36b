export const AGGREGATIONS = [
  'count_agg',
  'sum_agg',
  'max_agg',
  'unique_count_agg',
  'latest_agg',
  'weighted_sum_agg',
] as const;
export type AggregationKind = (typeof AGGREGATIONS)[number];

export const ROUNDING_FUNCTIONS = ['round', 'ceil', 'floor'] as const;
export type RoundingFunction = (typeof ROUNDING_FUNCTIONS)[number];

/** A level that events change counts for every second it lasts. */
export const WEIGHTED_INTERVALS = ['seconds'] as const;

/** Rounding of a period's total; a negative precision rounds to tens, hundreds... */
export interface MetricRounding {
  readonly function: RoundingFunction;
  readonly precision: number | null;
}

/** A dimension that charges may price by, with the values it may take. */
export interface MetricFilter {
  readonly key: string;
  readonly values: readonly string[];
}

/** What is measured: how events with this code become units. */
export interface MetricDefinition {
  readonly id: string;
  readonly code: string;
  readonly aggregation: AggregationKind;
  /** The property that is aggregated; `null` for counts only. */
  readonly fieldName: string | null;
  /** Units persist over periods. */
  readonly recurring: boolean;
  readonly rounding?: MetricRounding | null;
  readonly filters: readonly MetricFilter[];
  /** Properties by which some charge groups or presents its usage; it is told apart by their values, whatever these are. */
  readonly groupKeys?: readonly string[];
}

const MAY_RECUR: ReadonlySet<AggregationKind> = new Set(['sum_agg', 'unique_count_agg', 'weighted_sum_agg']);

/** Counts, maxima and latest values cannot persist over periods (reference 1.2). */
export function mayRecur(aggregation: AggregationKind): boolean {
  return MAY_RECUR.has(aggregation);
}
