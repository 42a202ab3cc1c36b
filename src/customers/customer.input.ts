import { z } from 'zod';
import { graceDays, paymentTermDays } from '../organizations/index.js';
import { country, currency, notYet, optionalText, text, timezone } from '../platform/http/fields.js';
import { wrapped } from '../platform/http/request.pipe.js';

const address = {
  address_line1: optionalText(),
  address_line2: optionalText(),
  city: optionalText(),
  zipcode: optionalText(),
  state: optionalText(),
  country: country().nullish(),
};

/** What is shown and searched and read by no rule; kept as it comes. */
export const profileFields = {
  ...address,
  firstname: optionalText(),
  lastname: optionalText(),
  customer_type: z.enum(['company', 'individual']).nullish(),
  account_type: z.enum(['customer']).nullish(),
  email: optionalText(),
  phone: optionalText(),
  url: optionalText(),
  logo_url: optionalText(),
  legal_name: optionalText(),
  legal_number: optionalText(),
  tax_identification_number: optionalText(),
  external_salesforce_id: optionalText(),
  skip_invoice_custom_sections: z.boolean().nullish(),
  shipping_address: z.object(address).nullish(),
};

const metadata = z
  .array(
    z.object({
      id: z.string().nullish(),
      key: z.string().min(1).max(100),
      value: z.string().max(255),
      display_in_invoice: z.boolean().nullish(),
    }),
  )
  .max(5);

export const PAYMENT_PROVIDERS = ['stripe', 'sandbox'] as const;

const billingConfiguration = z.object({
  invoice_grace_period: graceDays().nullish(),
  payment_provider: z.enum(PAYMENT_PROVIDERS).nullish(),
  payment_provider_code: optionalText(),
  provider_customer_id: optionalText(),
  provider_payment_method_id: optionalText().meta({
    description: "The gateway's payment method that is charged, such as pm_card_visa. An addition to Lago.",
  }),
  provider_payment_methods: z.array(text()).max(20).nullish(),
  sync: z.boolean().nullish(),
  sync_with_provider: z.boolean().nullish(),
  document_locale: z.string().min(2).max(10).nullish(),
  subscription_invoice_issuing_date_anchor: notYet('next_period_start'),
  subscription_invoice_issuing_date_adjustment: notYet('align_with_finalization_date'),
});

export const upsertBody = wrapped(
  'customer',
  z
    .object({
      external_id: text(),
      name: optionalText(),
      currency: currency().nullish(),
      timezone: timezone().nullish(),
      net_payment_term: paymentTermDays().nullish(),
      tax_codes: z.array(text()).max(50).nullish(),
      metadata: metadata.nullish(),
      billing_configuration: billingConfiguration.nullish(),
      test_clock_id: z.string().nullish().meta({
        description: 'The test clock the customer lives on; only at creation. An addition to Lago.',
      }),
      ...profileFields,
      finalize_zero_amount_invoice: z.enum(['inherit', 'skip', 'finalize']).nullish(),
      integration_customers: notYet(),
      invoice_custom_section_codes: notYet(),
      billing_entity_code: notYet('default'),
    })
    .meta({ id: 'CustomerInput' }),
);

export type CustomerInput = z.infer<typeof upsertBody>['customer'];
