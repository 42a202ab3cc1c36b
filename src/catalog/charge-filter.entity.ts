import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** A price of its own for the events with certain dimension values. */
export const ChargeFilterEntity = defineEntity({
  name: 'ChargeFilter',
  tableName: 'charge_filters',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    chargeId: p.uuid(),
    position: p.integer(),
    invoiceDisplayName: p.text().nullable(),
    properties: p.json<Record<string, unknown>>(),
    values: p.json<Record<string, string[]>>(),
    createdAt: p.datetime(3),
  },
});

export type ChargeFilterRow = InferEntity<typeof ChargeFilterEntity>;
