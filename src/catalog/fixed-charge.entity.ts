import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** A price for agreed units of an add-on in one plan. */
export const FixedChargeEntity = defineEntity({
  name: 'FixedCharge',
  tableName: 'fixed_charges',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    planId: p.uuid(),
    addOnId: p.uuid(),
    code: p.text(),
    position: p.integer(),
    invoiceDisplayName: p.text().nullable(),
    units: p.decimal(),
    chargeModel: p.text(),
    properties: p.json<Record<string, unknown>>(),
    payInAdvance: p.boolean(),
    prorated: p.boolean(),
    taxCodes: p.array(),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
    deletedAt: p.datetime(3).nullable(),
  },
});

export type FixedChargeRow = InferEntity<typeof FixedChargeEntity>;
