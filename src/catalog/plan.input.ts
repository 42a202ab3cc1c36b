import { z } from 'zod';
import { BILLING_INTERVALS } from '../domain/calendar/billing-calendar.js';
import { cents, currency, notYet, optionalLongText, optionalText, text } from '../platform/http/fields.js';
import { wrapped } from '../platform/http/request.pipe.js';
import { cascadeUpdates, chargeInput, commitmentInput, fixedChargeInput, taxCodes, trialDays } from './charge.input.js';

const MAX_METADATA = 50;

export const metadata = z
  .record(z.string().min(1).max(100), z.string().max(255).nullable())
  .refine(isMetadata, 'value_is_too_long');

export function isMetadata(map: Record<string, unknown>): boolean {
  return Object.keys(map).length <= MAX_METADATA;
}

const fields = {
  name: text(),
  code: text(),
  invoice_display_name: optionalText(),
  description: optionalLongText(),
  interval: z.enum(BILLING_INTERVALS),
  amount_cents: cents(),
  amount_currency: currency(),
  trial_period: trialDays().nullish(),
  pay_in_advance: z.boolean().nullish(),
  bill_charges_monthly: z.boolean().nullish(),
  tax_codes: taxCodes.nullish(),
  metadata: metadata.nullish(),
  charges: z.array(chargeInput).max(500).nullish(),
  bill_fixed_charges_monthly: z.boolean().nullish(),
  fixed_charges: z.array(fixedChargeInput).max(500).nullish(),
  minimum_commitment: commitmentInput.nullish(),
  // Progressive billing is of another issue.
  usage_thresholds: notYet(),
};

export const createBody = wrapped('plan', z.object(fields).meta({ id: 'PlanCreateInput' }));
export const updateBody = wrapped(
  'plan',
  z.object(fields).partial().extend(cascadeUpdates).meta({ id: 'PlanUpdateInput' }),
);

export type PlanCreation = z.infer<typeof createBody>['plan'];
export type PlanChanges = z.infer<typeof updateBody>['plan'];
