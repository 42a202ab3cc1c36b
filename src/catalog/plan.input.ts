import { z } from 'zod';
import { BILLING_INTERVALS } from '../domain/calendar/billing-calendar.js';
import {
  cents,
  currency,
  decimalText,
  jsonObject,
  notYet,
  optionalLongText,
  optionalText,
  text,
} from '../platform/http/fields.js';
import { wrapped } from '../platform/http/request.pipe.js';

const taxCodes = z
  .array(text())
  .max(50)
  .transform((codes) => [...new Set(codes)]);

const filter = z.object({
  invoice_display_name: optionalText(),
  properties: jsonObject().nullish(),
  values: z.record(text(), z.array(text()).min(1).max(1000)),
});

/**
 * The price of one metric. What other issues bring (charges paid in advance, proration, spending minimums, pricing units)
 * is refused by name, because billing without it would bill wrongly.
 */
const charge = z
  .object({
    id: z.string().nullish(),
    code: text().nullish(),
    invoice_display_name: optionalText(),
    billable_metric_id: z.string(),
    charge_model: z.string(),
    properties: jsonObject().nullish(),
    filters: z.array(filter).max(500).nullish(),
    tax_codes: taxCodes.nullish(),
    pay_in_advance: notYet(false),
    prorated: notYet(false),
    invoiceable: notYet(true),
    regroup_paid_fees: notYet(),
    min_amount_cents: notYet(0, '0'),
    accepts_target_wallet: notYet(false),
    applied_pricing_unit: notYet(),
  })
  .meta({ id: 'ChargeInput' });

/** Longer trials than a century are slips of the finger. */
const MAX_TRIAL_DAYS = 36_500;

const metadata = z
  .record(z.string().min(1).max(100), z.string().max(255).nullable())
  .refine((map) => Object.keys(map).length <= 50, 'value_is_too_long');

const fields = {
  name: text(),
  code: text(),
  invoice_display_name: optionalText(),
  description: optionalLongText(),
  interval: z.enum(BILLING_INTERVALS),
  amount_cents: cents(),
  amount_currency: currency(),
  trial_period: decimalText({ min: 0, max: MAX_TRIAL_DAYS }).nullish(),
  pay_in_advance: z.boolean().nullish(),
  bill_charges_monthly: z.boolean().nullish(),
  tax_codes: taxCodes.nullish(),
  metadata: metadata.nullish(),
  charges: z.array(charge).max(500).nullish(),
  bill_fixed_charges_monthly: notYet(false),
  fixed_charges: notYet(),
  minimum_commitment: notYet(),
  usage_thresholds: notYet(),
};

export const createBody = wrapped('plan', z.object(fields).meta({ id: 'PlanCreateInput' }));
export const updateBody = wrapped('plan', z.object(fields).partial().meta({ id: 'PlanUpdateInput' }));

export type PlanCreation = z.infer<typeof createBody>['plan'];
export type PlanChanges = z.infer<typeof updateBody>['plan'];
export type ChargeInput = z.infer<typeof charge>;
