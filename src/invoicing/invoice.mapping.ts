import { z } from 'zod';
import { customerAnswer, customerJson } from '../customers/index.js';
import { isoSeconds } from '../platform/http/format.js';
import { invoicedSubscriptionAnswer, plainSubscriptionJson } from '../subscriptions/subscription.mapping.js';
import { dueMinor } from './amount-due.js';
import { appliedTaxAnswer, appliedTaxJson } from './applied-tax.mapping.js';
import type { BillingPeriodRow } from './billing-period.entity.js';
import type { StoredBoundaries } from './billing-spans.js';
import { feeAnswer, feeJson } from './fee.mapping.js';
import type { CreditView, InvoiceView, WholeInvoiceView } from './invoice-view.js';

const time = z.iso.datetime();

export const listedInvoiceAnswer = z
  .object({
    lago_id: z.uuid(),
    billing_entity_code: z.string(),
    sequential_id: z.int().nullable(),
    number: z.string(),
    purchase_order_number: z.string().nullable(),
    issuing_date: z.iso.date().nullable(),
    payment_due_date: z.iso.date().nullable(),
    net_payment_term: z.int(),
    invoice_type: z.string(),
    status: z.enum(['draft', 'finalized', 'voided', 'closed']),
    payment_status: z.enum(['pending', 'succeeded', 'failed']),
    payment_dispute_lost_at: time.nullable(),
    payment_overdue: z.boolean(),
    currency: z.string(),
    fees_amount_cents: z.int(),
    taxes_amount_cents: z.int(),
    progressive_billing_credit_amount_cents: z.int(),
    coupons_amount_cents: z.int(),
    credit_notes_amount_cents: z.int(),
    sub_total_excluding_taxes_amount_cents: z.int(),
    sub_total_including_taxes_amount_cents: z.int(),
    total_amount_cents: z.int(),
    total_due_amount_cents: z.int(),
    total_paid_amount_cents: z.int(),
    total_offsetted_credit_note_amount_cents: z.int(),
    prepaid_credit_amount_cents: z.int(),
    prepaid_granted_credit_amount_cents: z.int().nullable(),
    prepaid_purchased_credit_amount_cents: z.int().nullable(),
    file_url: z.string().nullable(),
    xml_url: z.string().nullable(),
    web_url: z.string().nullable(),
    version_number: z.int(),
    self_billed: z.boolean(),
    created_at: time,
    updated_at: time,
    voided_at: time.nullable(),
    customer: customerAnswer,
    metadata: z.array(z.unknown()),
    applied_taxes: z.array(appliedTaxAnswer),
    error_details: z.array(z.unknown()),
  })
  .meta({ id: 'ListedInvoice' });

const billingPeriodAnswer = z.object({
  lago_subscription_id: z.uuid(),
  external_subscription_id: z.string(),
  lago_plan_id: z.uuid(),
  subscription_from_datetime: time.nullable(),
  subscription_to_datetime: time.nullable(),
  charges_from_datetime: time.nullable(),
  charges_to_datetime: time.nullable(),
  fixed_charges_from_datetime: time.nullable(),
  fixed_charges_to_datetime: time.nullable(),
  invoicing_reason: z.string(),
});

const creditAnswer = z.object({
  lago_id: z.uuid(),
  amount_cents: z.int(),
  amount_currency: z.string(),
  before_taxes: z.boolean(),
  item: z.object({
    lago_item_id: z.uuid(),
    type: z.enum(['coupon', 'credit_note', 'invoice']),
    code: z.string(),
    name: z.string(),
    description: z.string().nullable(),
  }),
  invoice: z.object({ lago_id: z.uuid(), payment_status: z.string() }),
});

export const invoiceAnswer = listedInvoiceAnswer
  .extend({
    subscriptions: z.array(invoicedSubscriptionAnswer),
    billing_periods: z.array(billingPeriodAnswer),
    fees: z.array(feeAnswer),
    credits: z.array(creditAnswer),
    applied_usage_thresholds: z.array(z.unknown()),
    applied_invoice_custom_sections: z.array(z.unknown()),
  })
  .meta({ id: 'Invoice' });

export function listedInvoiceJson(view: InvoiceView): z.infer<typeof listedInvoiceAnswer> {
  const { invoice, customer } = view;
  const createdAt = isoSeconds(invoice.createdAt);
  return {
    lago_id: invoice.id,
    billing_entity_code: 'default',
    sequential_id: invoice.sequentialId ?? null,
    number: invoice.number,
    purchase_order_number: null,
    issuing_date: invoice.issuingDate ?? null,
    payment_due_date: invoice.paymentDueDate ?? null,
    net_payment_term: invoice.netPaymentTerm,
    invoice_type: invoice.invoiceType,
    status: invoice.status,
    payment_status: invoice.paymentStatus,
    payment_dispute_lost_at: null,
    payment_overdue: isOverdue(view),
    currency: invoice.currency,
    fees_amount_cents: invoice.feesAmountCents,
    taxes_amount_cents: invoice.taxesAmountCents,
    progressive_billing_credit_amount_cents: 0,
    coupons_amount_cents: 0,
    credit_notes_amount_cents: invoice.creditNotesAmountCents,
    sub_total_excluding_taxes_amount_cents: invoice.subTotalExcludingTaxesAmountCents,
    sub_total_including_taxes_amount_cents: invoice.subTotalIncludingTaxesAmountCents,
    total_amount_cents: invoice.totalAmountCents,
    total_due_amount_cents: dueMinor(invoice),
    total_paid_amount_cents: invoice.totalPaidAmountCents,
    total_offsetted_credit_note_amount_cents: invoice.totalOffsettedCreditNoteAmountCents,
    prepaid_credit_amount_cents: 0,
    prepaid_granted_credit_amount_cents: null,
    prepaid_purchased_credit_amount_cents: null,
    file_url: null,
    xml_url: null,
    web_url: null,
    version_number: invoice.versionNumber,
    self_billed: false,
    created_at: createdAt,
    updated_at: isoSeconds(invoice.updatedAt),
    voided_at: isoSeconds(invoice.voidedAt),
    customer: customerJson(customer),
    metadata: [],
    applied_taxes: invoice.appliedTaxes.map((tax) => ({
      ...appliedTaxJson(tax, invoice.currency, createdAt),
      lago_invoice_id: invoice.id,
      fees_amount_cents: tax.feesAmountCents,
    })),
    error_details: [],
  };
}

export function invoiceJson(view: WholeInvoiceView): z.infer<typeof invoiceAnswer> {
  return {
    ...listedInvoiceJson(view),
    subscriptions: view.subscriptions.map(plainSubscriptionJson),
    billing_periods: view.periods.map(billingPeriodJson),
    fees: view.fees.map(feeJson),
    credits: view.credits.map(creditJson),
    applied_usage_thresholds: [],
    applied_invoice_custom_sections: [],
  };
}

/** A credit note paid for a part of the invoice; what it was made of is behind its own id. */
function creditJson({ credit, note, invoice }: CreditView): z.infer<typeof creditAnswer> {
  return {
    lago_id: credit.id,
    amount_cents: credit.amountCents,
    amount_currency: credit.amountCurrency,
    before_taxes: false,
    item: {
      lago_item_id: note.id,
      type: 'credit_note',
      code: note.number,
      name: note.number,
      description: note.description ?? null,
    },
    invoice: { lago_id: invoice.id, payment_status: invoice.paymentStatus },
  };
}

/** Ends are shown as their last moment: the half-open 1 March to 1 April is `…-03-01T00:00:00Z` to `…-03-31T23:59:59Z`. */
function billingPeriodJson(period: BillingPeriodRow): z.infer<typeof billingPeriodAnswer> {
  const { subscription, charges, fixedCharges } = period.shown ?? billedBoundaries(period);
  return {
    lago_subscription_id: period.subscriptionId,
    external_subscription_id: period.externalSubscriptionId,
    lago_plan_id: period.planId,
    subscription_from_datetime: shownTime(subscription?.from),
    subscription_to_datetime: shownTime(subscription?.to),
    charges_from_datetime: shownTime(charges?.from),
    charges_to_datetime: shownTime(charges?.to),
    fixed_charges_from_datetime: shownTime(fixedCharges?.from),
    fixed_charges_to_datetime: shownTime(fixedCharges?.to),
    invoicing_reason: period.invoicingReason,
  };
}

// A step that is no part of the calendar shows what it billed.
function billedBoundaries(period: BillingPeriodRow): StoredBoundaries {
  const span = (from: Date | null | undefined, to: Date | null | undefined) =>
    from == null || to == null ? null : { from: from.toISOString(), to: new Date(to.getTime() - 1).toISOString() };
  return {
    subscription: span(period.fromAt, period.toAt),
    charges: span(period.chargesFromAt, period.chargesToAt),
    fixedCharges: span(period.fixedChargesFromAt, period.fixedChargesToAt),
  };
}

function shownTime(at: string | undefined): string | null {
  return at === undefined ? null : isoSeconds(new Date(at));
}

/** From the day after the due date on, as long as something is due. `invoice-list.ts` says the same in SQL. */
function isOverdue({ invoice, now }: InvoiceView): boolean {
  const isOpen = invoice.status === 'finalized' && invoice.paymentStatus !== 'succeeded';
  return isOpen && invoice.paymentDueDate != null && invoice.paymentDueDate < now.toISOString().slice(0, 10);
}
