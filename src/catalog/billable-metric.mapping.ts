import { z } from 'zod';
import { isoSeconds } from '../platform/http/format.js';
import type { BillableMetricRow } from './billable-metric.entity.js';

export const billableMetricAnswer = z
  .object({
    lago_id: z.uuid(),
    name: z.string(),
    code: z.string(),
    description: z.string().nullable(),
    aggregation_type: z.string(),
    weighted_interval: z.string().nullable(),
    recurring: z.boolean(),
    rounding_function: z.string().nullable(),
    rounding_precision: z.int().nullable(),
    created_at: z.iso.datetime(),
    field_name: z.string().nullable(),
    expression: z.string().nullable(),
    filters: z.array(z.object({ key: z.string(), values: z.array(z.string()) })),
    active_subscriptions_count: z.int(),
    draft_invoices_count: z.int(),
    plans_count: z.int(),
  })
  .meta({ id: 'BillableMetric' });

export const expressionAnswer = z.object({ value: z.string() }).meta({ id: 'BillableMetricExpressionResult' });

/** The counters are kept for old clients and are always 0, as with Lago. */
export function billableMetricJson(row: BillableMetricRow): z.infer<typeof billableMetricAnswer> {
  return {
    lago_id: row.id,
    name: row.name,
    code: row.code,
    description: row.description ?? null,
    aggregation_type: row.aggregationType,
    weighted_interval: row.weightedInterval ?? null,
    recurring: row.recurring,
    rounding_function: row.roundingFunction ?? null,
    rounding_precision: row.roundingPrecision ?? null,
    created_at: isoSeconds(row.createdAt),
    field_name: row.fieldName ?? null,
    expression: row.expression ?? null,
    filters: row.filters.map(({ key, values }) => ({ key, values })),
    active_subscriptions_count: 0,
    draft_invoices_count: 0,
    plans_count: 0,
  };
}
