import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** What a subscription costs. Its charges are rows of their own. */
export const PlanEntity = defineEntity({
  name: 'Plan',
  tableName: 'plans',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    code: p.text(),
    name: p.text(),
    invoiceDisplayName: p.text().nullable(),
    description: p.text().nullable(),
    interval: p.text(),
    amountCents: p.bigint('number'),
    amountCurrency: p.text(),
    trialPeriod: p.decimal().nullable(),
    payInAdvance: p.boolean(),
    billChargesMonthly: p.boolean().nullable(),
    billFixedChargesMonthly: p.boolean().nullable(),
    taxCodes: p.array(),
    metadata: p.json<Record<string, string | null>>().nullable(),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
    deletedAt: p.datetime(3).nullable(),
  },
});

export type PlanRow = InferEntity<typeof PlanEntity>;
