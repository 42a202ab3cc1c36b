import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** What the fees of a plan's period have to reach. A plan has one at most. */
export const MinimumCommitmentEntity = defineEntity({
  name: 'MinimumCommitment',
  tableName: 'minimum_commitments',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    planId: p.uuid(),
    amountCents: p.bigint('number'),
    invoiceDisplayName: p.text().nullable(),
    taxCodes: p.array(),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
  },
});

export type MinimumCommitmentRow = InferEntity<typeof MinimumCommitmentEntity>;
