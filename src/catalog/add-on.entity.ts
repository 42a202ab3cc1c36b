import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** Something that is sold by the piece: fixed charges and one-off invoices name it. */
export const AddOnEntity = defineEntity({
  name: 'AddOn',
  tableName: 'add_ons',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    code: p.text(),
    name: p.text(),
    invoiceDisplayName: p.text().nullable(),
    description: p.text().nullable(),
    amountCents: p.bigint('number'),
    amountCurrency: p.text(),
    taxCodes: p.array(),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
    deletedAt: p.datetime(3).nullable(),
  },
});

export type AddOnRow = InferEntity<typeof AddOnEntity>;
