import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** A tax rate in percent, as a decimal string. */
export const TaxEntity = defineEntity({
  name: 'Tax',
  tableName: 'taxes',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    code: p.text(),
    name: p.text(),
    description: p.text().nullable(),
    rate: p.decimal(),
    appliedToOrganization: p.boolean(),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
  },
});

export type TaxRow = InferEntity<typeof TaxEntity>;
