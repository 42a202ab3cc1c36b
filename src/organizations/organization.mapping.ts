import { z } from 'zod';
import { isoSeconds } from '../platform/http/format.js';
import type { OrganizationRow } from './organization.entity.js';
import { taxAnswer, taxJson } from './tax.mapping.js';
import type { TaxRow } from './tax.entity.js';

export const organizationAnswer = z
  .object({
    lago_id: z.uuid(),
    name: z.string(),
    slug: z.string().nullable(),
    default_currency: z.string(),
    created_at: z.iso.datetime(),
    webhook_url: z.string().nullable(),
    webhook_urls: z.array(z.string()),
    country: z.string().nullable(),
    address_line1: z.string().nullable(),
    address_line2: z.string().nullable(),
    state: z.string().nullable(),
    zipcode: z.string().nullable(),
    email: z.string().nullable(),
    city: z.string().nullable(),
    legal_name: z.string().nullable(),
    legal_number: z.string().nullable(),
    timezone: z.string(),
    net_payment_term: z.int(),
    email_settings: z.array(z.string()),
    document_numbering: z.string(),
    document_number_prefix: z.string(),
    tax_identification_number: z.string().nullable(),
    finalize_zero_amount_invoice: z.boolean(),
    billing_configuration: z.object({
      invoice_footer: z.string().nullable(),
      invoice_grace_period: z.int(),
      document_locale: z.string().nullable(),
    }),
    taxes: z.array(taxAnswer),
  })
  .meta({ id: 'Organization' });

/** Descriptive fields that no rule reads. */
export interface OrganizationProfile {
  address_line1?: string | null;
  address_line2?: string | null;
  city?: string | null;
  state?: string | null;
  zipcode?: string | null;
  legal_number?: string | null;
  tax_identification_number?: string | null;
  invoice_footer?: string | null;
  document_locale?: string | null;
}

export function organizationJson(row: OrganizationRow, taxes: readonly TaxRow[]): z.infer<typeof organizationAnswer> {
  const profile = row.profile as OrganizationProfile;
  return {
    lago_id: row.id,
    name: row.name,
    slug: null,
    default_currency: row.defaultCurrency,
    created_at: isoSeconds(row.createdAt),
    webhook_url: null,
    webhook_urls: [],
    country: row.country ?? null,
    address_line1: profile.address_line1 ?? null,
    address_line2: profile.address_line2 ?? null,
    state: profile.state ?? null,
    zipcode: profile.zipcode ?? null,
    email: row.email ?? null,
    city: profile.city ?? null,
    legal_name: row.legalName ?? null,
    legal_number: profile.legal_number ?? null,
    timezone: row.timezone,
    net_payment_term: row.netPaymentTerm,
    email_settings: [],
    document_numbering: 'per_customer',
    document_number_prefix: row.documentNumberPrefix,
    tax_identification_number: profile.tax_identification_number ?? null,
    finalize_zero_amount_invoice: row.finalizeZeroAmountInvoice,
    billing_configuration: {
      invoice_footer: profile.invoice_footer ?? null,
      invoice_grace_period: row.invoiceGracePeriod,
      document_locale: profile.document_locale ?? 'en',
    },
    taxes: taxes.map(taxJson),
  };
}
