import { z } from 'zod';
import { customerAnswer, customerJson } from '../customers/index.js';
import { decimalString, isoSeconds, rateNumber } from '../platform/http/format.js';
import { appliedTaxAnswer, appliedTaxJson } from './applied-tax.mapping.js';
import type { CreditNoteItemView, CreditNoteView } from './credit-note-view.js';
import { feeAnswer, feeJson } from './fee.mapping.js';

const time = z.iso.datetime();

const itemAnswer = z.object({
  lago_id: z.uuid(),
  amount_cents: z.int(),
  precise_amount_cents: z.string(),
  amount_currency: z.string(),
  fee: feeAnswer,
});

/** Lago's CreditNote (lago-api.md 3.6). */
export const creditNoteAnswer = z
  .object({
    lago_id: z.uuid(),
    billing_entity_code: z.string(),
    sequential_id: z.int(),
    number: z.string(),
    lago_invoice_id: z.uuid(),
    invoice_number: z.string(),
    purchase_order_number: z.string().nullable(),
    issuing_date: z.iso.date(),
    credit_status: z.enum(['available', 'consumed', 'voided']).nullable(),
    refund_status: z.enum(['pending', 'succeeded', 'failed']).nullable(),
    reason: z.string(),
    description: z.string().nullable(),
    currency: z.string(),
    total_amount_cents: z.int(),
    precise_total_amount_cents: z.string(),
    taxes_amount_cents: z.int(),
    precise_taxes_amount_cents: z.string(),
    sub_total_excluding_taxes_amount_cents: z.int(),
    balance_amount_cents: z.int(),
    credit_amount_cents: z.int(),
    refund_amount_cents: z.int(),
    offset_amount_cents: z.int(),
    coupons_adjustment_amount_cents: z.int(),
    taxes_rate: z.number(),
    created_at: time,
    updated_at: time,
    file_url: z.string().nullable(),
    xml_url: z.string().nullable(),
    self_billed: z.boolean(),
    customer: customerAnswer,
    items: z.array(itemAnswer),
    applied_taxes: z.array(appliedTaxAnswer),
    error_details: z.array(z.unknown()),
    metadata: z.record(z.string(), z.unknown()).nullable(),
  })
  .meta({ id: 'CreditNote' });

export function creditNoteJson({ note, invoice, customer, items }: CreditNoteView): z.infer<typeof creditNoteAnswer> {
  const createdAt = isoSeconds(note.createdAt);
  return {
    lago_id: note.id,
    billing_entity_code: 'default',
    sequential_id: note.sequentialId ?? 0,
    number: note.number,
    lago_invoice_id: note.invoiceId,
    invoice_number: invoice.number,
    purchase_order_number: null,
    issuing_date: note.issuingDate,
    credit_status: note.creditStatus ?? null,
    refund_status: note.refundStatus ?? null,
    reason: note.reason,
    description: note.description ?? null,
    currency: note.currency,
    total_amount_cents: note.totalAmountCents,
    precise_total_amount_cents: decimalString(note.preciseTotalAmountCents),
    taxes_amount_cents: note.taxesAmountCents,
    precise_taxes_amount_cents: decimalString(note.preciseTaxesAmountCents),
    sub_total_excluding_taxes_amount_cents: note.subTotalExcludingTaxesAmountCents,
    balance_amount_cents: note.balanceAmountCents,
    credit_amount_cents: note.creditAmountCents,
    refund_amount_cents: note.refundAmountCents,
    offset_amount_cents: note.offsetAmountCents,
    coupons_adjustment_amount_cents: note.couponsAdjustmentAmountCents,
    taxes_rate: rateNumber(note.taxesRate),
    created_at: createdAt,
    updated_at: isoSeconds(note.updatedAt),
    file_url: null,
    xml_url: null,
    self_billed: false,
    customer: customerJson(customer),
    items: items.map(itemJson),
    applied_taxes: note.appliedTaxes.map((tax) => ({
      ...appliedTaxJson(tax, note.currency, createdAt),
      lago_credit_note_id: note.id,
      base_amount_cents: tax.feesAmountCents,
    })),
    error_details: [],
    metadata: note.metadata ?? null,
  };
}

function itemJson({ item, fee }: CreditNoteItemView): z.infer<typeof itemAnswer> {
  return {
    lago_id: item.id,
    amount_cents: item.amountCents,
    precise_amount_cents: decimalString(item.preciseAmountCents),
    amount_currency: item.amountCurrency,
    fee: feeJson(fee),
  };
}
