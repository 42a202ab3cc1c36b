import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { CreditMode } from '../domain/invoicing/credit-note.js';
import type { AppliedTaxRow } from './applied-tax.js';

/** How the end of a subscription asked for its unused time: kept, so that a draft can be computed again. */
export interface UnusedTimeRow {
  /** ISO instant. */
  endedAt: string;
  endedByUpgrade: boolean;
  mode: Exclude<CreditMode, 'skip'>;
}

/** Takes back a part of an invoice. Amounts are integers of the minor unit of `currency`; precise ones have 5 decimals. */
export const CreditNoteEntity = defineEntity({
  name: 'CreditNote',
  tableName: 'credit_notes',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    customerId: p.uuid(),
    invoiceId: p.uuid(),
    sequentialId: p.integer().nullable(),
    number: p.text(),
    status: p.text().$type<'draft' | 'finalized'>(),
    issuingDate: p.date(),
    creditStatus: p.text().$type<'available' | 'consumed' | 'voided'>().nullable(),
    refundStatus: p.text().$type<'pending' | 'succeeded' | 'failed'>().nullable(),
    reason: p.text(),
    description: p.text().nullable(),
    currency: p.text(),
    itemsAmountCents: p.bigint('number'),
    couponsAdjustmentAmountCents: p.bigint('number'),
    preciseCouponsAdjustmentAmountCents: p.decimal(),
    subTotalExcludingTaxesAmountCents: p.bigint('number'),
    taxesAmountCents: p.bigint('number'),
    preciseTaxesAmountCents: p.decimal(),
    taxesRate: p.decimal(),
    appliedTaxes: p.json<AppliedTaxRow[]>(),
    totalAmountCents: p.bigint('number'),
    preciseTotalAmountCents: p.decimal(),
    creditAmountCents: p.bigint('number'),
    refundAmountCents: p.bigint('number'),
    offsetAmountCents: p.bigint('number'),
    balanceAmountCents: p.bigint('number'),
    metadata: p.json<Record<string, unknown>>().nullable(),
    subscriptionId: p.uuid().nullable(),
    unusedTime: p.json<UnusedTimeRow>().nullable(),
    voidedAt: p.datetime(3).nullable(),
    refundedAt: p.datetime(3).nullable(),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
  },
});

export type CreditNoteRow = InferEntity<typeof CreditNoteEntity>;

/** What of one fee is taken back. */
export const CreditNoteItemEntity = defineEntity({
  name: 'CreditNoteItem',
  tableName: 'credit_note_items',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    creditNoteId: p.uuid(),
    feeId: p.uuid(),
    position: p.integer(),
    amountCents: p.bigint('number'),
    preciseAmountCents: p.decimal(),
    amountCurrency: p.text(),
    createdAt: p.datetime(3),
  },
});

export type CreditNoteItemRow = InferEntity<typeof CreditNoteItemEntity>;

/** The use of a credit note's balance on an invoice. */
export const InvoiceCreditEntity = defineEntity({
  name: 'InvoiceCredit',
  tableName: 'invoice_credits',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    invoiceId: p.uuid(),
    creditNoteId: p.uuid(),
    amountCents: p.bigint('number'),
    amountCurrency: p.text(),
    createdAt: p.datetime(3),
  },
});

export type InvoiceCreditRow = InferEntity<typeof InvoiceCreditEntity>;
