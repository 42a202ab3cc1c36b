import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { StoredBoundaries, StoredSpans } from './billing-spans.js';

/** One step of a subscription's billing: the half-open ranges billed in it and the cutoff they were metered at. */
export const BillingPeriodEntity = defineEntity({
  name: 'BillingPeriod',
  tableName: 'billing_periods',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    subscriptionId: p.uuid(),
    customerId: p.uuid(),
    externalSubscriptionId: p.text(),
    planId: p.uuid(),
    currency: p.text(),
    timezone: p.text(),
    billingAt: p.datetime(3),
    billingGroup: p.text(),
    invoicingReason: p.text(),
    fromAt: p.datetime(3).nullable(),
    toAt: p.datetime(3).nullable(),
    chargesFromAt: p.datetime(3).nullable(),
    chargesToAt: p.datetime(3).nullable(),
    fixedChargesFromAt: p.datetime(3).nullable(),
    fixedChargesToAt: p.datetime(3).nullable(),
    spans: p.json<StoredSpans>().nullable(),
    shown: p.json<StoredBoundaries>().nullable(),
    periodDays: p.integer(),
    trialEndsAt: p.datetime(3).nullable(),
    partition: p.integer(),
    cutoffSequence: p.bigint('number'),
    endedByUpgrade: p.boolean().default(false),
    invoiceId: p.uuid().nullable(),
    createdAt: p.datetime(3),
  },
});

export type BillingPeriodRow = InferEntity<typeof BillingPeriodEntity>;
