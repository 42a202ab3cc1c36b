import { z } from 'zod';
import { cents, decimalText, jsonObject, notYet, optionalText, text } from '../platform/http/fields.js';

/** The parts of a plan, as they come with the plan, by endpoints of their own, and as a subscription's own terms. */

export const taxCodes = z
  .array(text())
  .max(50)
  .transform((codes) => [...new Set(codes)]);

export const filterFields = {
  invoice_display_name: optionalText(),
  properties: jsonObject().nullish(),
  values: z.record(text(), z.array(text()).min(1).max(1000)),
};

const filters = z.array(z.object(filterFields)).max(500);

/** What a price consists of, whichever way it is sent. Pricing units and target wallets are of another issue. */
export const chargeFields = {
  code: text().nullish(),
  invoice_display_name: optionalText(),
  billable_metric_id: z.string().nullish(),
  charge_model: z.string().nullish(),
  properties: jsonObject().nullish(),
  filters: filters.nullish(),
  tax_codes: taxCodes.nullish(),
  pay_in_advance: z.boolean().nullish(),
  prorated: z.boolean().nullish(),
  invoiceable: z.boolean().nullish(),
  regroup_paid_fees: z.literal('invoice').nullish(),
  min_amount_cents: cents().nullish(),
  accepts_target_wallet: notYet(false),
  applied_pricing_unit: notYet(),
};

export const chargeInput = z.object({ id: z.string().nullish(), ...chargeFields }).meta({ id: 'ChargeInput' });

/** More units than this, or more digits of them, fit no invoice. */
const MAX_UNITS = 1e15;

export const fixedChargeFields = {
  code: text().nullish(),
  invoice_display_name: optionalText(),
  add_on_id: z.string().nullish(),
  charge_model: z.string().nullish(),
  units: decimalText({ min: 0, max: MAX_UNITS }).nullish(),
  properties: jsonObject().nullish(),
  tax_codes: taxCodes.nullish(),
  pay_in_advance: z.boolean().nullish(),
  prorated: z.boolean().nullish(),
  /** Of a change of units: in force now, else from the next period on. */
  apply_units_immediately: z.boolean().nullish(),
};

export const fixedChargeInput = z
  .object({ id: z.string().nullish(), ...fixedChargeFields })
  .meta({ id: 'FixedChargeInput' });

export const commitmentInput = z
  .object({
    id: z.string().nullish(),
    amount_cents: cents().nullish(),
    invoice_display_name: optionalText(),
    tax_codes: taxCodes.nullish(),
  })
  .meta({ id: 'MinimumCommitmentInput' });

export type ChargeInput = z.infer<typeof chargeInput>;
export type FixedChargeInput = z.infer<typeof fixedChargeInput>;
export type CommitmentInput = z.infer<typeof commitmentInput>;
