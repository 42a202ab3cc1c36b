import { z } from 'zod';
import { planOverridesInput } from '../catalog/charge.input.js';
import { BILLING_TIMES } from '../domain/calendar/billing-calendar.js';
import { currency, dateTime, notYet, optionalText, text } from '../platform/http/fields.js';
import { pageQuery } from '../platform/http/pagination.js';
import { booleanFilter, listFilter, textFilter } from '../platform/http/query-fields.js';
import { rooted, wrapped } from '../platform/http/request.pipe.js';

const TERMINATION_CREDITS = ['credit', 'skip', 'refund', 'offset'] as const;
const TERMINATION_INVOICES = ['generate', 'skip'] as const;

/** Options of Lago that change what is billed and are not here yet: refused by name. */
const options = {
  plan_overrides: planOverridesInput.nullish(),
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

/** No subscription is ever incomplete: that is one whose activation waits for a payment. Who asks for one finds none. */
const status = z.enum(['pending', 'active', 'terminated', 'canceled', 'incomplete']);

export const updateBody = rooted(
  'subscription',
  z.object({
    /** Which one of the external id is meant, as in the query. */
    status: status.nullish(),
    subscription: z
      .object({
        name: optionalText(),
        ending_at: dateTime().nullish(),
        /** Only of one that has not started. */
        subscription_at: dateTime().nullish(),
        on_termination_credit_note: z.enum(TERMINATION_CREDITS, 'invalid_value').nullish(),
        on_termination_invoice: z.enum(TERMINATION_INVOICES, 'invalid_value').nullish(),
        ...options,
      })
      .meta({ id: 'SubscriptionUpdateInput' }),
  }),
);

/** May be empty. */
export const pauseBody = z.preprocess(
  (body) => body ?? {},
  z.object({
    subscription: z
      .object({
        /** When it goes on by itself. */
        resume_at: dateTime().nullish(),
      })
      .meta({ id: 'SubscriptionPauseInput' })
      .default({}),
  }),
);

export const trialBody = wrapped(
  'subscription',
  z.object({ trial_ends_at: dateTime() }).meta({ id: 'SubscriptionTrialInput' }),
);

/** Which one of an external id is meant; the living one unless said otherwise. */
export const oneQuery = z.object({ status: status.default('active') });

/** The same of an update, whose body may say it too and then is right. */
export const updateQuery = z.object({ status: status.optional() });

export const terminateQuery = z.object({
  status: z.enum(['pending', 'active']).default('active'),
  on_termination_credit_note: z.enum(TERMINATION_CREDITS, 'invalid_value').optional(),
  on_termination_invoice: z.enum(TERMINATION_INVOICES, 'invalid_value').optional(),
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
