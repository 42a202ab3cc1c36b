import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** One attempt to collect. The idempotency key is stored before the gateway is called (invariant 9). */
export const PaymentEntity = defineEntity({
  name: 'Payment',
  tableName: 'payments',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    invoiceId: p.uuid(),
    customerId: p.uuid(),
    attempt: p.integer(),
    idempotencyKey: p.text(),
    provider: p.text(),
    providerCustomerId: p.text().nullable(),
    providerPaymentMethodId: p.text().nullable(),
    providerPaymentId: p.text().nullable(),
    amountCents: p.bigint('number'),
    amountCurrency: p.text(),
    status: p.text().$type<'pending' | 'processing' | 'requires_action' | 'unknown' | 'succeeded' | 'failed'>(),
    declineCode: p.text().nullable(),
    failureMessage: p.text().nullable(),
    nextAction: p.json<Record<string, unknown>>(),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
  },
});

export type PaymentRow = InferEntity<typeof PaymentEntity>;
