import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** What is measured: which events count, and how they add up. */
export const BillableMetricEntity = defineEntity({
  name: 'BillableMetric',
  tableName: 'billable_metrics',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    code: p.text(),
    name: p.text(),
    description: p.text().nullable(),
    aggregationType: p.text(),
    fieldName: p.text().nullable(),
    recurring: p.boolean(),
    expression: p.text().nullable(),
    weightedInterval: p.text().nullable(),
    roundingFunction: p.text().nullable(),
    roundingPrecision: p.integer().nullable(),
    filters: p.json<{ key: string; values: string[] }[]>(),
    /** What charges group their prices by; only ever extended. */
    groupKeys: p.array(),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
    deletedAt: p.datetime(3).nullable(),
  },
});

export type BillableMetricRow = InferEntity<typeof BillableMetricEntity>;
