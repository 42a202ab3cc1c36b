import { z } from 'zod';
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
import { booleanFilter } from '../platform/http/query-fields.js';
import { optionallyWrapped } from '../platform/http/request.pipe.js';

/** The parts of a plan, as they come with the plan, by endpoints of their own, and as a subscription's own terms. */

export const taxCodes = z
  .array(text())
  .max(50)
  .transform((codes) => [...new Set(codes)]);

/** Longer trials than a century are slips of the finger. */
const MAX_TRIAL_DAYS = 36_500;

export const trialDays = () => decimalText({ min: 0, max: MAX_TRIAL_DAYS });

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

/** What a subscription may have differently from its plan; a charge keeps its metric and the way it is billed. */
const ownChargeFields = {
  invoice_display_name: chargeFields.invoice_display_name,
  properties: chargeFields.properties,
  filters: chargeFields.filters,
  min_amount_cents: chargeFields.min_amount_cents,
  tax_codes: chargeFields.tax_codes,
  applied_pricing_unit: chargeFields.applied_pricing_unit,
};

const ownFixedChargeFields = {
  invoice_display_name: fixedChargeFields.invoice_display_name,
  units: fixedChargeFields.units,
  properties: fixedChargeFields.properties,
  tax_codes: fixedChargeFields.tax_codes,
  apply_units_immediately: fixedChargeFields.apply_units_immediately,
};

const named = { id: z.string().nullish(), code: z.string().nullish() };

export const ownChargeInput = z.object(ownChargeFields).meta({ id: 'SubscriptionChargeInput' });
export const ownFixedChargeInput = z.object(ownFixedChargeFields).meta({ id: 'SubscriptionFixedChargeInput' });

export const planOverridesInput = z
  .object({
    name: text().nullish(),
    invoice_display_name: optionalText(),
    description: optionalLongText(),
    amount_cents: cents().nullish(),
    amount_currency: currency().nullish(),
    trial_period: trialDays().nullish(),
    tax_codes: taxCodes.nullish(),
    minimum_commitment: commitmentInput.nullish(),
    charges: z
      .array(z.object({ ...named, ...ownChargeFields }))
      .max(500)
      .nullish(),
    fixed_charges: z
      .array(z.object({ ...named, ...ownFixedChargeFields }))
      .max(500)
      .nullish(),
    usage_thresholds: notYet(),
  })
  .meta({ id: 'PlanOverridesInput' });

/** Of an edit of a plan: whether it reaches the subscriptions with terms of their own, where these are not customized. */
export const cascadeUpdates = { cascade_updates: z.boolean().nullish() };

/** The same of a deletion: in the query, or in a body, which many clients do not send. */
export const deletionQuery = z.object({ cascade_updates: booleanFilter() });
export const deletionBody = <Root extends string>(root: Root) => optionallyWrapped(root, z.object(cascadeUpdates));

export type Deletion = z.infer<typeof deletionQuery>;

/** Whether one of these places asks an edit to cascade. */
export function isCascading(
  ...places: ({ cascade_updates?: boolean | null | undefined } | null | undefined)[]
): boolean {
  return places.some((place) => place?.cascade_updates === true);
}

export const filterInput = z.object({ ...filterFields, ...cascadeUpdates }).meta({ id: 'ChargeFilterInput' });
export const filterChangeInput = z
  .object({ ...filterFields, ...cascadeUpdates })
  .partial()
  .meta({ id: 'ChargeFilterUpdateInput' });

export type FilterInput = z.infer<typeof filterInput>;
export type FilterChanges = z.infer<typeof filterChangeInput>;
export type OwnChargeInput = z.infer<typeof ownChargeInput>;
export type OwnFixedChargeInput = z.infer<typeof ownFixedChargeInput>;
export type PlanOverrides = z.infer<typeof planOverridesInput>;
