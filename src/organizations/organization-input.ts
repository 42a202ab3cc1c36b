import { z } from 'zod';
import {
  country,
  currency,
  integer,
  notYet,
  optionalLongText,
  optionalText,
  text,
  timezone,
} from '../platform/http/fields.js';
import { wrapped } from '../platform/http/request.pipe.js';
import type { OrganizationProfile } from './organization.mapping.js';
import type { OrganizationRow } from './organization.entity.js';

/** Ten years of days: more is a slip of the finger, and dates stay within what calendars hold. */
const MAX_DAYS = 3650;

export const graceDays = () => integer(0, MAX_DAYS);
export const paymentTermDays = () => integer(0, MAX_DAYS);

const fields = {
  country: country().nullish(),
  default_currency: currency().optional(),
  address_line1: optionalText(),
  address_line2: optionalText(),
  city: optionalText(),
  state: optionalText(),
  zipcode: optionalText(),
  email: optionalText(),
  legal_name: optionalText(),
  legal_number: optionalText(),
  tax_identification_number: optionalText(),
  net_payment_term: paymentTermDays().optional(),
  timezone: timezone().optional(),
  // Numbers are counted per customer; the other way of Lago is not here.
  document_numbering: z.literal('per_customer').nullish(),
  finalize_zero_amount_invoice: z.boolean().optional(),
  // There are no webhooks and no mails.
  webhook_url: notYet(''),
  email_settings: notYet(),
  document_number_prefix: z.string().min(1).max(10).optional(),
  billing_configuration: z
    .object({
      invoice_footer: optionalLongText(),
      invoice_grace_period: graceDays().optional(),
      document_locale: optionalText(),
    })
    .optional(),
};

export const createBody = wrapped(
  'organization',
  z.object({ name: text(), ...fields }).meta({ id: 'OrganizationCreateInput' }),
);
export const updateBody = wrapped('organization', z.object(fields).meta({ id: 'OrganizationUpdateInput' }));

export type OrganizationChanges = z.infer<typeof updateBody>['organization'];

/** Takes over what the request names and leaves the rest as it is. */
export function applyChanges(row: OrganizationRow, input: OrganizationChanges): void {
  const billing = input.billing_configuration ?? {};
  if (input.default_currency !== undefined) row.defaultCurrency = input.default_currency;
  if (input.timezone !== undefined) row.timezone = input.timezone;
  if (input.net_payment_term !== undefined) row.netPaymentTerm = input.net_payment_term;
  if (input.document_number_prefix !== undefined) row.documentNumberPrefix = input.document_number_prefix.toUpperCase();
  if (input.finalize_zero_amount_invoice !== undefined) {
    row.finalizeZeroAmountInvoice = input.finalize_zero_amount_invoice;
  }
  if (billing.invoice_grace_period !== undefined) row.invoiceGracePeriod = billing.invoice_grace_period;
  if (input.country !== undefined) row.country = input.country;
  if (input.email !== undefined) row.email = input.email;
  if (input.legal_name !== undefined) row.legalName = input.legal_name;
  const described: OrganizationProfile = {
    address_line1: input.address_line1,
    address_line2: input.address_line2,
    city: input.city,
    state: input.state,
    zipcode: input.zipcode,
    legal_number: input.legal_number,
    tax_identification_number: input.tax_identification_number,
    invoice_footer: billing.invoice_footer,
    document_locale: billing.document_locale,
  };
  const given = Object.entries(described).filter(([, value]) => value !== undefined);
  row.profile = { ...row.profile, ...Object.fromEntries(given) };
}

/** First three characters of the name and last four of the id: `ACM-1F3C`. */
export function defaultNumberPrefix(name: string, id: string): string {
  return `${Array.from(name).slice(0, 3).join('')}-${id.slice(-4)}`.toUpperCase();
}
