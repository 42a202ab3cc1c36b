import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { AppliedTaxRow } from './applied-tax.js';

/** The document. Amounts are integers of the minor unit of `currency`. */
export const InvoiceEntity = defineEntity({
  name: 'Invoice',
  tableName: 'invoices',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    customerId: p.uuid(),
    sequentialId: p.integer().nullable(),
    number: p.text(),
    invoiceType: p.text(),
    status: p.text().$type<'draft' | 'finalized' | 'voided' | 'closed'>(),
    paymentStatus: p.text().$type<'pending' | 'succeeded' | 'failed'>(),
    currency: p.text(),
    billingAt: p.datetime(3),
    billingGroup: p.text(),
    billingGroupOrdinal: p.integer(),
    issuingDate: p.date().nullable(),
    paymentDueDate: p.date().nullable(),
    netPaymentTerm: p.integer(),
    finalizeAt: p.datetime(3),
    finalizedAt: p.datetime(3).nullable(),
    voidedAt: p.datetime(3).nullable(),
    versionNumber: p.integer(),
    feesAmountCents: p.bigint('number'),
    taxesAmountCents: p.bigint('number'),
    creditNotesAmountCents: p.bigint('number'),
    totalOffsettedCreditNoteAmountCents: p.bigint('number'),
    subTotalExcludingTaxesAmountCents: p.bigint('number'),
    subTotalIncludingTaxesAmountCents: p.bigint('number'),
    totalAmountCents: p.bigint('number'),
    totalPaidAmountCents: p.bigint('number'),
    taxesRate: p.decimal(),
    appliedTaxes: p.json<AppliedTaxRow[]>(),
    collectionAttempts: p.integer(),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
  },
});

export type InvoiceRow = InferEntity<typeof InvoiceEntity>;
