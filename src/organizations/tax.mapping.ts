import { z } from 'zod';
import { isoSeconds, rateNumber } from '../platform/http/format.js';
import type { TaxRow } from './tax.entity.js';

export const taxAnswer = z
  .object({
    lago_id: z.uuid(),
    name: z.string(),
    code: z.string(),
    rate: z.number().meta({ description: 'Percent' }),
    description: z.string().nullable(),
    applied_to_organization: z.boolean(),
    applied_to_billing_entities_codes: z.array(z.string()),
    add_ons_count: z.int(),
    charges_count: z.int(),
    commitments_count: z.int(),
    customers_count: z.int(),
    plans_count: z.int(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Tax' });

/** The counters are kept for old clients and are always 0, as with Lago. */
export function taxJson(row: TaxRow): z.infer<typeof taxAnswer> {
  return {
    lago_id: row.id,
    name: row.name,
    code: row.code,
    rate: rateNumber(row.rate),
    description: row.description ?? null,
    applied_to_organization: row.appliedToOrganization,
    applied_to_billing_entities_codes: row.appliedToOrganization ? ['default'] : [],
    add_ons_count: 0,
    charges_count: 0,
    commitments_count: 0,
    customers_count: 0,
    plans_count: 0,
    created_at: isoSeconds(row.createdAt),
  };
}
