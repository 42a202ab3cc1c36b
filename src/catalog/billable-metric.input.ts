import { z } from 'zod';
import { AGGREGATIONS, ROUNDING_FUNCTIONS, WEIGHTED_INTERVALS } from '../domain/catalog/billable-metric.js';
import { decimalText, integer, jsonObject, optionalLongText, optionalText, text } from '../platform/http/fields.js';
import { wrapped } from '../platform/http/request.pipe.js';

const filter = z.object({ key: text(), values: z.array(text()).min(1).max(1000) });

const fields = {
  name: text(),
  code: text(),
  description: optionalLongText(),
  aggregation_type: z.enum(AGGREGATIONS),
  field_name: optionalText(),
  rounding_function: z.enum(ROUNDING_FUNCTIONS).nullish(),
  rounding_precision: integer(-15, 15).nullish(),
  filters: z
    .array(filter)
    .max(20)
    .refine((filters) => new Set(filters.map(({ key }) => key)).size === filters.length, 'value_already_exist')
    .nullish(),
  recurring: z.boolean().nullish(),
  expression: optionalLongText(),
  weighted_interval: z.enum(WEIGHTED_INTERVALS).nullish(),
};

export const createBody = wrapped('billable_metric', z.object(fields).meta({ id: 'BillableMetricCreateInput' }));
export const updateBody = wrapped(
  'billable_metric',
  z.object(fields).partial().meta({ id: 'BillableMetricUpdateInput' }),
);

export const evaluationBody = z
  .object({
    expression: optionalLongText(),
    event: z
      .object({
        code: optionalText(),
        timestamp: decimalText({ min: -62_135_596_800, max: 8_640_000_000_000 }).nullish(),
        properties: jsonObject().nullish(),
      })
      .nullish(),
  })
  .meta({ id: 'BillableMetricEvaluateExpressionInput' });

export type ExpressionTrial = z.infer<typeof evaluationBody>;
export type MetricCreation = z.infer<typeof createBody>['billable_metric'];
export type MetricChanges = z.infer<typeof updateBody>['billable_metric'];
