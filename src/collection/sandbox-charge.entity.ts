import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** The books of the sandbox gateway: what a card network would hold. */
export const SandboxChargeEntity = defineEntity({
  name: 'SandboxCharge',
  tableName: 'sandbox_charges',
  properties: {
    id: p.text().primary(),
    organizationId: p.uuid(),
    idempotencyKey: p.text(),
    paymentMethodId: p.text(),
    amountCents: p.bigint('number'),
    currency: p.text(),
    status: p.text(),
    declineCode: p.text().nullable(),
    createdAt: p.datetime(3),
  },
});

export type SandboxChargeRow = InferEntity<typeof SandboxChargeEntity>;
