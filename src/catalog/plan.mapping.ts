import { z } from 'zod';
import { type TaxRow, taxAnswer, taxesOf, taxJson } from '../organizations/index.js';
import { isoSeconds, rateNumber } from '../platform/http/format.js';
import type { ChargeView, PlanView } from './plan-view.js';

const properties = z.record(z.string(), z.unknown());

export const chargeFilterAnswer = z
  .object({
    lago_id: z.uuid(),
    charge_code: z.string(),
    invoice_display_name: z.string().nullable(),
    properties,
    values: z.record(z.string(), z.array(z.string())),
  })
  .meta({ id: 'ChargeFilter' });

export const chargeAnswer = z
  .object({
    lago_id: z.uuid(),
    lago_billable_metric_id: z.uuid(),
    code: z.string(),
    invoice_display_name: z.string().nullable(),
    billable_metric_code: z.string(),
    created_at: z.iso.datetime(),
    charge_model: z.string(),
    invoiceable: z.boolean(),
    regroup_paid_fees: z.string().nullable(),
    pay_in_advance: z.boolean(),
    prorated: z.boolean(),
    min_amount_cents: z.int(),
    accepts_target_wallet: z.boolean(),
    properties,
    applied_pricing_unit: z.null(),
    lago_parent_id: z.uuid().nullable(),
    filters: z.array(chargeFilterAnswer),
    taxes: z.array(taxAnswer),
  })
  .meta({ id: 'Charge' });

export const planAnswer = z
  .object({
    lago_id: z.uuid(),
    name: z.string(),
    invoice_display_name: z.string().nullable(),
    created_at: z.iso.datetime(),
    code: z.string(),
    interval: z.string(),
    description: z.string().nullable(),
    amount_cents: z.int(),
    amount_currency: z.string(),
    trial_period: z.number().nullable(),
    pay_in_advance: z.boolean(),
    bill_charges_monthly: z.boolean().nullable(),
    bill_fixed_charges_monthly: z.boolean().nullable(),
    customers_count: z.int(),
    active_subscriptions_count: z.int(),
    draft_invoices_count: z.int(),
    parent_id: z.uuid().nullable(),
    pending_deletion: z.boolean(),
    charges: z.array(chargeAnswer),
    fixed_charges: z.array(z.unknown()),
    entitlements: z.array(z.unknown()),
    usage_thresholds: z.array(z.unknown()),
    applicable_usage_thresholds: z.array(z.unknown()),
    taxes: z.array(taxAnswer),
    minimum_commitment: z.null(),
    metadata: z.record(z.string(), z.string().nullable()).nullable(),
  })
  .meta({ id: 'Plan' });

/** The counters are kept for old clients and are always 0, as with Lago. */
export function planJson({ plan, charges, taxes }: PlanView): z.infer<typeof planAnswer> {
  return {
    lago_id: plan.id,
    name: plan.name,
    invoice_display_name: plan.invoiceDisplayName ?? null,
    created_at: isoSeconds(plan.createdAt),
    code: plan.code,
    interval: plan.interval,
    description: plan.description ?? null,
    amount_cents: plan.amountCents,
    amount_currency: plan.amountCurrency,
    trial_period: plan.trialPeriod == null ? null : rateNumber(plan.trialPeriod),
    pay_in_advance: plan.payInAdvance,
    bill_charges_monthly: plan.billChargesMonthly ?? null,
    bill_fixed_charges_monthly: null,
    customers_count: 0,
    active_subscriptions_count: 0,
    draft_invoices_count: 0,
    parent_id: null,
    pending_deletion: false,
    charges: charges.map((charge) => chargeJson(charge, taxes)),
    fixed_charges: [],
    entitlements: [],
    usage_thresholds: [],
    applicable_usage_thresholds: [],
    taxes: taxesOf(plan.taxCodes, taxes).map(taxJson),
    minimum_commitment: null,
    metadata: plan.metadata ?? null,
  };
}

export function chargeJson(
  { charge, metric, filters }: ChargeView,
  taxes: ReadonlyMap<string, TaxRow>,
): z.infer<typeof chargeAnswer> {
  return {
    lago_id: charge.id,
    lago_billable_metric_id: charge.billableMetricId,
    code: charge.code,
    invoice_display_name: charge.invoiceDisplayName ?? null,
    billable_metric_code: metric.code,
    created_at: isoSeconds(charge.createdAt),
    charge_model: charge.chargeModel,
    invoiceable: charge.invoiceable,
    regroup_paid_fees: charge.regroupPaidFees ?? null,
    pay_in_advance: charge.payInAdvance,
    prorated: charge.prorated,
    min_amount_cents: charge.minAmountCents,
    accepts_target_wallet: false,
    properties: charge.properties,
    applied_pricing_unit: null,
    lago_parent_id: null,
    filters: filters.map((filter) => ({
      lago_id: filter.id,
      charge_code: charge.code,
      invoice_display_name: filter.invoiceDisplayName ?? null,
      properties: filter.properties,
      values: filter.values,
    })),
    taxes: taxesOf(charge.taxCodes, taxes).map(taxJson),
  };
}
