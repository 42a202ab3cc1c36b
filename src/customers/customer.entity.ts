import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** Who pays. `profile` holds what describes it, and whether it gets invoices without any amount. */
export const CustomerEntity = defineEntity({
  name: 'Customer',
  tableName: 'customers',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    externalId: p.text(),
    sequentialId: p.integer(),
    name: p.text().nullable(),
    currency: p.text().nullable(),
    timezone: p.text().nullable(),
    netPaymentTerm: p.integer().nullable(),
    invoiceGracePeriod: p.integer().nullable(),
    taxCodes: p.array(),
    testClockId: p.uuid().nullable(),
    paymentProvider: p.text().nullable(),
    paymentProviderCode: p.text().nullable(),
    providerCustomerId: p.text().nullable(),
    providerPaymentMethodId: p.text().nullable(),
    profile: p.json<Record<string, unknown>>(),
    invoiceSequence: p.integer(),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
    deletedAt: p.datetime(3).nullable(),
  },
});

export type CustomerRow = InferEntity<typeof CustomerEntity>;
