import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { PaymentStatus } from '../domain/collection/payment-status.js';

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
    status: p.text().$type<PaymentStatus>(),
    declineCode: p.text().nullable(),
    networkDeclineCode: p.text().nullable(),
    networkAdviceCode: p.text().nullable(),
    adviceCode: p.text().nullable(),
    failureMessage: p.text().nullable(),
    nextAction: p.json<{ readonly type: string }>().nullable(),
    requestedAt: p.datetime(3),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
  },
});

export type PaymentRow = InferEntity<typeof PaymentEntity>;
