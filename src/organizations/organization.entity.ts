import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** The tenant. Every other row belongs to one. */
export const OrganizationEntity = defineEntity({
  name: 'Organization',
  tableName: 'organizations',
  properties: {
    id: p.uuid().primary(),
    name: p.text(),
    timezone: p.text(),
    defaultCurrency: p.text(),
    netPaymentTerm: p.integer(),
    invoiceGracePeriod: p.integer(),
    documentNumberPrefix: p.text(),
    finalizeZeroAmountInvoice: p.boolean().default(true),
    country: p.text().nullable(),
    email: p.text().nullable(),
    legalName: p.text().nullable(),
    profile: p.json<Record<string, unknown>>(),
    meteringVersion: p.bigint('number'),
    hasTestClocks: p.boolean(),
    stripeSecretKey: p.text().nullable(),
    stripeWebhookSecret: p.text().nullable(),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
  },
});

export type OrganizationRow = InferEntity<typeof OrganizationEntity>;
