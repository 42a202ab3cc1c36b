import { z } from 'zod';
import { BILLING_TIMES } from '../domain/calendar/billing-calendar.js';
import { currency, dateTime, notYet, optionalText, text } from '../platform/http/fields.js';
import { pageQuery } from '../platform/http/pagination.js';
import { booleanFilter, listFilter, textFilter } from '../platform/http/query-fields.js';
import { wrapped } from '../platform/http/request.pipe.js';

/** Options of Lago that change what is billed and are not here yet: refused by name. */
const options = {
  plan_overrides: notYet(),
  progressive_billing_disabled: notYet(false),
  consolidate_invoice: notYet(true),
  purchase_order_number: notYet(''),
  invoice_custom_section: notYet(),
  activation_rules: notYet(),
  payment_method: notYet(),
  usage_thresholds: notYet(),
};

export const createBody = wrapped(
  'subscription',
  z
    .object({
      external_customer_id: text(),
      plan_code: text(),
      external_id: text(),
      name: optionalText(),
      billing_time: z.enum(BILLING_TIMES).nullish(),
      subscription_at: dateTime().nullish(),
      ending_at: dateTime().nullish(),
      billing_entity_code: notYet('default'),
      ...options,
    })
    .meta({ id: 'SubscriptionCreateInput' }),
);

export const updateBody = wrapped(
  'subscription',
  z
    .object({
      name: optionalText(),
      ending_at: dateTime().nullish(),
      subscription_at: notYet(),
      ...options,
    })
    .meta({ id: 'SubscriptionUpdateInput' }),
);

const status = z.enum(['pending', 'active', 'terminated', 'canceled']);

/** Which one of an external id is meant; the living one unless said otherwise. */
export const oneQuery = z.object({ status: status.default('active') });

const refused = (values: readonly [string, ...string[]]) => z.enum(values, 'invalid_value').optional();

export const terminateQuery = z.object({
  status: z.enum(['pending', 'active']).default('active'),
  on_termination_credit_note: refused(['credit', 'skip', 'refund', 'offset']),
  on_termination_invoice: refused(['generate', 'skip']),
});

export const subscriptionListQuery = z.object({
  ...pageQuery,
  external_customer_id: textFilter(),
  external_id: textFilter(),
  plan_code: textFilter(),
  status: listFilter(status),
  currency: currency().optional(),
  overridden: booleanFilter(),
  billing_entity_codes: listFilter(z.string()),
});

export type SubscriptionListQuery = z.infer<typeof subscriptionListQuery>;
