import { z } from 'zod';
import { rateNumber } from '../platform/http/format.js';
import type { AppliedTaxRow } from './applied-tax.js';

export const appliedTaxAnswer = z
  .object({
    lago_id: z.uuid(),
    lago_invoice_id: z.uuid().optional(),
    lago_fee_id: z.uuid().optional(),
    lago_credit_note_id: z.uuid().optional(),
    lago_tax_id: z.string().nullable(),
    tax_name: z.string(),
    tax_code: z.string(),
    tax_rate: z.number(),
    tax_description: z.string().nullable(),
    amount_cents: z.int(),
    amount_currency: z.string(),
    fees_amount_cents: z.int().optional(),
    base_amount_cents: z.int().optional(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'AppliedTax' });

/** The tax as it was when it was applied, whatever has become of it since. */
export function appliedTaxJson(tax: AppliedTaxRow, currency: string, createdAt: string) {
  return {
    lago_id: tax.lagoId,
    lago_tax_id: tax.taxId || null,
    tax_name: tax.name,
    tax_code: tax.code,
    tax_rate: rateNumber(tax.rate),
    tax_description: tax.description,
    amount_cents: tax.amountCents,
    amount_currency: currency,
    created_at: createdAt,
  };
}
