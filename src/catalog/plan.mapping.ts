import { z } from 'zod';
import { taxAnswer, taxesOf, taxJson } from '../organizations/index.js';
import { decimalString, isoSeconds, rateNumber } from '../platform/http/format.js';
import type { ChargeFilterRow } from './charge-filter.entity.js';
import { shownProperties } from './charge-terms.js';
import type { ChargeRow } from './charge.entity.js';
import type { MinimumCommitmentRow } from './minimum-commitment.entity.js';
import type { ChargeRows, FixedChargeRows } from './plan-rows.js';
import type { PlanView } from './plan-view.js';
import { ownId } from './subscription-plan.js';

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

export const fixedChargeAnswer = z
  .object({
    lago_id: z.uuid(),
    lago_add_on_id: z.uuid(),
    code: z.string(),
    invoice_display_name: z.string().nullable(),
    add_on_code: z.string(),
    created_at: z.iso.datetime(),
    charge_model: z.string(),
    pay_in_advance: z.boolean(),
    prorated: z.boolean(),
    properties,
    units: z.string(),
    lago_parent_id: z.uuid().nullable(),
    taxes: z.array(taxAnswer),
  })
  .meta({ id: 'FixedCharge' });

const commitmentAnswer = z
  .object({
    lago_id: z.uuid(),
    plan_code: z.string(),
    invoice_display_name: z.string().nullable(),
    amount_cents: z.int(),
    interval: z.string(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
    taxes: z.array(taxAnswer),
  })
  .meta({ id: 'MinimumCommitment' });

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
    fixed_charges: z.array(fixedChargeAnswer),
    entitlements: z.array(z.unknown()),
    usage_thresholds: z.array(z.unknown()),
    applicable_usage_thresholds: z.array(z.unknown()),
    taxes: z.array(taxAnswer),
    minimum_commitment: commitmentAnswer.nullable(),
    metadata: z.record(z.string(), z.string().nullable()).nullable(),
  })
  .meta({ id: 'Plan' });

/** The counters are kept for old clients and are always 0, as with Lago. */
export function planJson(view: PlanView): z.infer<typeof planAnswer> {
  const { plan, commitment, taxes } = view;
  return {
    lago_id: shownId(view, plan.id),
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
    bill_fixed_charges_monthly: plan.billFixedChargesMonthly ?? null,
    customers_count: 0,
    active_subscriptions_count: 0,
    draft_invoices_count: 0,
    parent_id: parentId(view, plan.id),
    pending_deletion: view.pendingDeletion ?? false,
    charges: view.charges.map((charge) => chargeJson(view, charge)),
    fixed_charges: view.fixedCharges.map((fixedCharge) => fixedChargeJson(view, fixedCharge)),
    entitlements: [],
    usage_thresholds: [],
    applicable_usage_thresholds: [],
    taxes: taxesOf(plan.taxCodes, taxes).map(taxJson),
    minimum_commitment: commitment && commitmentJson(view, commitment),
    metadata: plan.metadata ?? null,
  };
}

export function chargeJson(view: PlanView, { charge, metric, filters }: ChargeRows): z.infer<typeof chargeAnswer> {
  return {
    lago_id: shownId(view, charge.id),
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
    properties: shownProperties(charge.properties),
    applied_pricing_unit: null,
    lago_parent_id: parentId(view, charge.id),
    filters: filters.map((filter) => chargeFilterJson(view, charge, filter)),
    taxes: taxesOf(charge.taxCodes, view.taxes).map(taxJson),
  };
}

export function chargeFilterJson(
  view: PlanView,
  charge: ChargeRow,
  filter: ChargeFilterRow,
): z.infer<typeof chargeFilterAnswer> {
  return {
    lago_id: shownId(view, filter.id),
    charge_code: charge.code,
    invoice_display_name: filter.invoiceDisplayName ?? null,
    properties: shownProperties(filter.properties),
    values: filter.values,
  };
}

export function fixedChargeJson(
  view: PlanView,
  { fixedCharge, addOn }: FixedChargeRows,
): z.infer<typeof fixedChargeAnswer> {
  return {
    lago_id: shownId(view, fixedCharge.id),
    lago_add_on_id: addOn.id,
    code: fixedCharge.code,
    invoice_display_name: fixedCharge.invoiceDisplayName ?? null,
    add_on_code: addOn.code,
    created_at: isoSeconds(fixedCharge.createdAt),
    charge_model: fixedCharge.chargeModel,
    pay_in_advance: fixedCharge.payInAdvance,
    prorated: fixedCharge.prorated,
    properties: fixedCharge.properties,
    units: decimalString(fixedCharge.units),
    lago_parent_id: parentId(view, fixedCharge.id),
    taxes: taxesOf(fixedCharge.taxCodes, view.taxes).map(taxJson),
  };
}

function commitmentJson(view: PlanView, commitment: MinimumCommitmentRow): z.infer<typeof commitmentAnswer> {
  return {
    lago_id: shownId(view, commitment.id),
    plan_code: view.plan.code,
    invoice_display_name: commitment.invoiceDisplayName ?? null,
    amount_cents: commitment.amountCents,
    interval: view.plan.interval,
    created_at: isoSeconds(commitment.createdAt),
    updated_at: isoSeconds(commitment.updatedAt),
    taxes: taxesOf(commitment.taxCodes, view.taxes).map(taxJson),
  };
}

function shownId({ ownedBy }: PlanView, id: string): string {
  return ownedBy === null ? id : ownId(ownedBy, id);
}

function parentId({ ownedBy }: PlanView, id: string): string | null {
  return ownedBy === null ? null : id;
}
