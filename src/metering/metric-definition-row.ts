import type {
  AggregationKind,
  MetricDefinition,
  MetricFilter,
  RoundingFunction,
} from '../domain/catalog/billable-metric.js';

/** The columns of `billable_metrics` that metering looks at, as the driver hands them over. */
export interface MetricDefinitionRow {
  readonly id: string;
  readonly organization_id: string;
  readonly code: string;
  readonly aggregation_type: string;
  readonly field_name: string | null;
  readonly recurring: boolean;
  readonly rounding_function: string | null;
  readonly rounding_precision: number | null;
  readonly filters: readonly MetricFilter[];
  readonly group_keys: readonly string[];
}

export const METRIC_DEFINITION_COLUMNS =
  'id, organization_id, code, aggregation_type, field_name, recurring, rounding_function, rounding_precision, filters, group_keys';

export function metricDefinitionFromRow(row: MetricDefinitionRow): MetricDefinition {
  return {
    id: row.id,
    code: row.code,
    aggregation: row.aggregation_type as AggregationKind,
    fieldName: row.field_name,
    recurring: row.recurring,
    rounding:
      row.rounding_function === null
        ? null
        : { function: row.rounding_function as RoundingFunction, precision: row.rounding_precision },
    filters: row.filters,
    groupKeys: row.group_keys,
  };
}
