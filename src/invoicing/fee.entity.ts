import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { AppliedTaxRow } from './applied-tax.js';
import type { StoredPart } from './presentation.mapping.js';

export type FeeType = 'charge' | 'subscription' | 'fixed_charge' | 'commitment' | 'add_on' | 'credit';

/** One line. Beside its amounts it keeps what they are a pure function of: range, cutoff, price, quantity (invariant 5). */
export const FeeEntity = defineEntity({
  name: 'Fee',
  tableName: 'fees',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    invoiceId: p.uuid().nullable(),
    billingPeriodId: p.uuid().nullable(),
    subscriptionId: p.uuid().nullable(),
    customerId: p.uuid(),
    chargeId: p.uuid().nullable(),
    chargeFilterId: p.uuid().nullable(),
    fixedChargeId: p.uuid().nullable(),
    trueUpParentFeeId: p.uuid().nullable(),
    groupedBy: p.json<Record<string, string | null>>(),
    eventId: p.uuid().nullable(),
    eventTransactionId: p.text().nullable(),
    feeType: p.text().$type<FeeType>(),
    position: p.integer(),
    item: p.json<Record<string, unknown>>(),
    amountCents: p.bigint('number'),
    amountCurrency: p.text(),
    preciseAmount: p.decimal(),
    preciseUnitAmount: p.decimal(),
    units: p.decimal(),
    totalAggregatedUnits: p.decimal().nullable(),
    eventsCount: p.bigint('number').nullable(),
    taxesAmountCents: p.bigint('number'),
    taxesPreciseAmount: p.decimal(),
    taxesRate: p.decimal(),
    appliedTaxes: p.json<AppliedTaxRow[]>(),
    amountDetails: p.json<Record<string, unknown>>(),
    presentationBreakdowns: p.json<StoredPart[]>(),
    payInAdvance: p.boolean(),
    invoiceable: p.boolean(),
    paymentStatus: p.text(),
    fromAt: p.datetime(3).nullable(),
    toAt: p.datetime(3).nullable(),
    cutoffSequence: p.bigint('number'),
    price: p.json<Record<string, unknown>>(),
    description: p.text().nullable(),
    createdAt: p.datetime(3),
    succeededAt: p.datetime(3).nullable(),
    failedAt: p.datetime(3).nullable(),
    refundedAt: p.datetime(3).nullable(),
    deletedAt: p.datetime(3).nullable(),
  },
});

export type FeeRow = InferEntity<typeof FeeEntity>;
