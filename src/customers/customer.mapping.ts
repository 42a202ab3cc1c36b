import { z } from 'zod';
import { taxAnswer, taxesOf, taxJson } from '../organizations/index.js';
import { isoSeconds } from '../platform/http/format.js';
import type { CustomerProfile } from './customer-profile.js';
import type { CustomerView } from './customer-view.js';

const text = z.string().nullable();

const address = z.object({
  address_line1: text,
  address_line2: text,
  city: text,
  zipcode: text,
  state: text,
  country: text,
});

export const customerAnswer = z
  .object({
    lago_id: z.uuid(),
    billing_entity_code: z.string(),
    external_id: z.string(),
    account_type: z.string(),
    name: text,
    firstname: text,
    lastname: text,
    customer_type: text,
    sequential_id: z.int(),
    slug: z.string(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
    ...address.shape,
    email: text,
    url: text,
    phone: text,
    logo_url: text,
    legal_name: text,
    legal_number: text,
    currency: text,
    tax_identification_number: text,
    timezone: text,
    applicable_timezone: z.string(),
    net_payment_term: z.int().nullable(),
    external_salesforce_id: text,
    finalize_zero_amount_invoice: z.string(),
    billing_configuration: z.object({
      invoice_grace_period: z.int().nullable(),
      payment_provider: text,
      payment_provider_code: text,
      document_locale: text,
      subscription_invoice_issuing_date_anchor: text,
      subscription_invoice_issuing_date_adjustment: text,
      provider_customer_id: text,
      provider_payment_method_id: text,
      provider_payment_methods: z.array(z.string()).nullable(),
      sync_with_provider: z.boolean().nullable(),
    }),
    shipping_address: address,
    skip_invoice_custom_sections: z.boolean(),
    metadata: z.array(
      z.object({
        lago_id: z.uuid(),
        key: z.string(),
        value: z.string(),
        display_in_invoice: z.boolean(),
        created_at: z.iso.datetime(),
      }),
    ),
    taxes: z.array(taxAnswer),
    integration_customers: z.array(z.unknown()),
    applicable_invoice_custom_sections: z.array(z.unknown()),
    error_details: z.array(z.unknown()),
    test_clock_id: z.uuid().nullable(),
  })
  .meta({ id: 'Customer' });

/** `PREFIX-007`: what an invoice's number begins with. */
export function customerSlug({ customer, organization }: CustomerView): string {
  return `${organization.documentNumberPrefix}-${String(customer.sequentialId).padStart(3, '0')}`;
}

export function customerJson(view: CustomerView): z.infer<typeof customerAnswer> {
  const { customer, organization, taxes } = view;
  const profile = customer.profile as CustomerProfile;
  return {
    lago_id: customer.id,
    billing_entity_code: 'default',
    external_id: customer.externalId,
    account_type: profile.account_type ?? 'customer',
    name: customer.name ?? null,
    firstname: profile.firstname ?? null,
    lastname: profile.lastname ?? null,
    customer_type: profile.customer_type ?? null,
    sequential_id: customer.sequentialId,
    slug: customerSlug(view),
    created_at: isoSeconds(customer.createdAt),
    updated_at: isoSeconds(customer.updatedAt),
    ...addressJson(profile),
    email: profile.email ?? null,
    url: profile.url ?? null,
    phone: profile.phone ?? null,
    logo_url: profile.logo_url ?? null,
    legal_name: profile.legal_name ?? null,
    legal_number: profile.legal_number ?? null,
    currency: customer.currency ?? null,
    tax_identification_number: profile.tax_identification_number ?? null,
    timezone: customer.timezone ?? null,
    applicable_timezone: customer.timezone ?? organization.timezone,
    net_payment_term: customer.netPaymentTerm ?? null,
    external_salesforce_id: profile.external_salesforce_id ?? null,
    finalize_zero_amount_invoice: profile.finalize_zero_amount_invoice ?? 'inherit',
    billing_configuration: billingConfigurationJson(view, profile),
    shipping_address: addressJson(profile.shipping_address ?? {}),
    skip_invoice_custom_sections: profile.skip_invoice_custom_sections ?? false,
    metadata: (profile.metadata ?? []).map((entry) => ({
      ...entry,
      created_at: isoSeconds(new Date(entry.created_at)),
    })),
    taxes: taxesOf(customer.taxCodes, taxes).map(taxJson),
    integration_customers: [],
    applicable_invoice_custom_sections: [],
    error_details: [],
    test_clock_id: customer.testClockId ?? null,
  };
}

function billingConfigurationJson({ customer, organization }: CustomerView, profile: CustomerProfile) {
  return {
    invoice_grace_period: customer.invoiceGracePeriod ?? null,
    payment_provider: customer.paymentProvider ?? null,
    payment_provider_code: customer.paymentProviderCode ?? null,
    document_locale:
      profile.document_locale ?? (organization.profile as { document_locale?: string }).document_locale ?? null,
    subscription_invoice_issuing_date_anchor: null,
    subscription_invoice_issuing_date_adjustment: null,
    provider_customer_id: customer.providerCustomerId ?? null,
    provider_payment_method_id: customer.providerPaymentMethodId ?? null,
    provider_payment_methods: profile.provider_payment_methods ? [...profile.provider_payment_methods] : null,
    sync_with_provider: profile.sync_with_provider ?? null,
  };
}

type Address = Partial<Record<keyof z.infer<typeof address>, string | null>>;

function addressJson(of: Address): z.infer<typeof address> {
  return {
    address_line1: of.address_line1 ?? null,
    address_line2: of.address_line2 ?? null,
    city: of.city ?? null,
    zipcode: of.zipcode ?? null,
    state: of.state ?? null,
    country: of.country ?? null,
  };
}
