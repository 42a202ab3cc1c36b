import { z } from 'zod';
import type { CustomerRow } from '../customers/index.js';
import { Decimal } from '../domain/money/decimal.js';
import { toMinorUnits } from '../domain/money/money.js';
import {
  decimalString,
  isoSeconds,
  isoWithOffset,
  lastMoment,
  preciseString,
  rateNumber,
} from '../platform/http/format.js';
import { appliedTaxAnswer, appliedTaxJson } from './applied-tax.mapping.js';
import type { FeeRow } from './fee.entity.js';
import { feePresentationJson, presentationAnswer } from './presentation.mapping.js';

const time = z.iso.datetime();

export const feeAnswer = z
  .object({
    lago_id: z.uuid(),
    lago_charge_id: z.uuid().nullable(),
    lago_charge_filter_id: z.uuid().nullable(),
    lago_fixed_charge_id: z.uuid().nullable(),
    lago_invoice_id: z.uuid().nullable(),
    lago_true_up_fee_id: z.uuid().nullable(),
    lago_true_up_parent_fee_id: z.uuid().nullable(),
    lago_original_fee_id: z.uuid().nullable(),
    lago_subscription_id: z.uuid().nullable(),
    external_subscription_id: z.string().nullable(),
    lago_customer_id: z.uuid(),
    external_customer_id: z.string(),
    item: z.record(z.string(), z.unknown()),
    pay_in_advance: z.boolean(),
    invoiceable: z.boolean(),
    amount_cents: z.int(),
    amount_currency: z.string(),
    precise_amount: z.string(),
    precise_total_amount: z.string(),
    taxes_amount_cents: z.int(),
    taxes_precise_amount: z.string(),
    taxes_rate: z.number(),
    total_aggregated_units: z.string().nullable(),
    total_amount_cents: z.int(),
    total_amount_currency: z.string(),
    units: z.string(),
    description: z.string().nullable(),
    precise_unit_amount: z.string(),
    precise_coupons_amount_cents: z.string(),
    sub_total_excluding_taxes_amount_cents: z.int(),
    sub_total_excluding_taxes_precise_amount_cents: z.string(),
    events_count: z.int().nullable(),
    payment_status: z.enum(['pending', 'succeeded', 'failed', 'refunded']),
    created_at: time,
    succeeded_at: time.nullable(),
    failed_at: time.nullable(),
    refunded_at: time.nullable(),
    amount_details: z.record(z.string(), z.unknown()),
    self_billed: z.boolean(),
    pricing_unit_details: z.null(),
    presentation_breakdowns: presentationAnswer,
    from_date: z.string().nullable(),
    to_date: z.string().nullable(),
    event_transaction_id: z.string().nullable(),
    applied_taxes: z.array(appliedTaxAnswer),
  })
  .meta({ id: 'Fee' });

export interface FeeView {
  readonly fee: FeeRow;
  readonly customer: CustomerRow;
  readonly externalSubscriptionId: string | null;
  /** The fee that makes up what is missing to this charge's minimum. */
  readonly trueUpFeeId: string | null;
}

export function feeJson({ fee, customer, externalSubscriptionId, trueUpFeeId }: FeeView): z.infer<typeof feeAnswer> {
  const createdAt = isoSeconds(fee.createdAt);
  const preciseTotal = new Decimal(fee.preciseAmount).plus(fee.taxesPreciseAmount);
  return {
    lago_id: fee.id,
    lago_charge_id: fee.chargeId ?? null,
    lago_charge_filter_id: fee.chargeFilterId ?? null,
    lago_fixed_charge_id: fee.fixedChargeId ?? null,
    lago_invoice_id: fee.invoiceId ?? null,
    lago_true_up_fee_id: trueUpFeeId,
    lago_true_up_parent_fee_id: fee.trueUpParentFeeId ?? null,
    lago_original_fee_id: null,
    lago_subscription_id: fee.subscriptionId ?? null,
    external_subscription_id: externalSubscriptionId,
    lago_customer_id: fee.customerId,
    external_customer_id: customer.externalId,
    item: fee.item,
    pay_in_advance: fee.payInAdvance,
    invoiceable: fee.invoiceable,
    amount_cents: fee.amountCents,
    amount_currency: fee.amountCurrency,
    precise_amount: preciseString(fee.preciseAmount),
    precise_total_amount: preciseString(preciseTotal),
    taxes_amount_cents: fee.taxesAmountCents,
    taxes_precise_amount: preciseString(fee.taxesPreciseAmount),
    taxes_rate: rateNumber(fee.taxesRate),
    total_aggregated_units: decimalString(fee.totalAggregatedUnits ?? null),
    total_amount_cents: fee.amountCents + fee.taxesAmountCents,
    total_amount_currency: fee.amountCurrency,
    units: decimalString(fee.units),
    description: fee.description ?? null,
    precise_unit_amount: preciseString(fee.preciseUnitAmount),
    precise_coupons_amount_cents: '0.0',
    sub_total_excluding_taxes_amount_cents: fee.amountCents,
    sub_total_excluding_taxes_precise_amount_cents: preciseString(
      toMinorUnits(new Decimal(fee.preciseAmount), fee.amountCurrency),
    ),
    events_count: fee.eventsCount ?? null,
    payment_status: fee.paymentStatus as 'pending' | 'succeeded' | 'failed' | 'refunded',
    created_at: createdAt,
    succeeded_at: isoSeconds(fee.succeededAt),
    failed_at: isoSeconds(fee.failedAt),
    refunded_at: isoSeconds(fee.refundedAt),
    amount_details: fee.amountDetails,
    self_billed: false,
    pricing_unit_details: null,
    presentation_breakdowns: feePresentationJson(fee.presentationBreakdowns),
    from_date: isoWithOffset(fee.fromAt ?? null),
    to_date: isoWithOffset(lastMoment(fee.toAt ?? null)),
    event_transaction_id: fee.eventTransactionId ?? null,
    applied_taxes: fee.appliedTaxes.map((tax) => ({
      ...appliedTaxJson(tax, fee.amountCurrency, createdAt),
      lago_fee_id: fee.id,
    })),
  };
}
