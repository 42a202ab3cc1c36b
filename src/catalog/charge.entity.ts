import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** The price of one metric in one plan. */
export const ChargeEntity = defineEntity({
  name: 'Charge',
  tableName: 'charges',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    planId: p.uuid(),
    billableMetricId: p.uuid(),
    code: p.text(),
    position: p.integer(),
    invoiceDisplayName: p.text().nullable(),
    chargeModel: p.text(),
    properties: p.json<Record<string, unknown>>(),
    payInAdvance: p.boolean(),
    invoiceable: p.boolean(),
    prorated: p.boolean(),
    minAmountCents: p.bigint('number'),
    regroupPaidFees: p.text().nullable(),
    taxCodes: p.array(),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
    deletedAt: p.datetime(3).nullable(),
  },
});

export type ChargeRow = InferEntity<typeof ChargeEntity>;
