import { z } from 'zod';
import { currency } from '../platform/http/fields.js';
import { type PageRequest, pageQuery } from '../platform/http/pagination.js';
import { booleanFilter, listFilter, metadataFilter, textFilter } from '../platform/http/query-fields.js';
import type { EntityManager } from '../platform/database/database.js';
import { anyContains, type Condition, listedIds, oneOf } from '../platform/database/listed-ids.js';

export const customerListQuery = z.object({
  ...pageQuery,
  search_term: textFilter(),
  account_type: listFilter(z.enum(['customer', 'partner'])),
  customer_type: z.enum(['company', 'individual']).optional(),
  has_customer_type: booleanFilter(),
  countries: listFilter(z.string()),
  states: listFilter(z.string()),
  zipcodes: listFilter(z.string()),
  currencies: listFilter(currency()),
  has_tax_identification_number: booleanFilter(),
  billing_entity_codes: listFilter(z.string()),
  metadata: metadataFilter(),
});

export type CustomerListQuery = z.infer<typeof customerListQuery>;

/** The ids of a page of customers, newest first, and how many the filters find in all. */
export async function listCustomerIds(
  em: EntityManager,
  organizationId: string,
  query: CustomerListQuery & PageRequest,
): Promise<{ ids: string[]; totalCount: number }> {
  const conditions: Condition[] = [
    ['organization_id = ?', [organizationId]],
    ['deleted_at is null', []],
    ...profileConditions(query),
  ];
  if (query.search_term) conditions.push(anyContains(SEARCHED, query.search_term));
  if (query.currencies) conditions.push(oneOf('currency', query.currencies));
  return listedIds(em, { from: 'customers', id: 'id', conditions, orderBy: 'created_at desc, id', page: query });
}

function profileConditions(query: CustomerListQuery): Condition[] {
  const conditions: Condition[] = [];
  if (query.countries)
    conditions.push(
      oneOf(
        `profile->>'country'`,
        query.countries.map((code) => code.toUpperCase()),
      ),
    );
  if (query.states) conditions.push(oneOf(`profile->>'state'`, query.states));
  if (query.zipcodes) conditions.push(oneOf(`profile->>'zipcode'`, query.zipcodes));
  if (query.account_type) conditions.push(oneOf(`coalesce(profile->>'account_type', 'customer')`, query.account_type));
  if (query.customer_type) conditions.push(oneOf(`profile->>'customer_type'`, [query.customer_type]));
  // There is one billing entity, and it is called default.
  if (query.billing_entity_codes) conditions.push(oneOf(`'default'`, query.billing_entity_codes));
  if (query.has_customer_type !== undefined) conditions.push(isGiven('customer_type', query.has_customer_type));
  if (query.has_tax_identification_number !== undefined) {
    conditions.push(isGiven('tax_identification_number', query.has_tax_identification_number));
  }
  for (const [key, value] of Object.entries(query.metadata ?? {})) {
    conditions.push([`profile->'metadata' @> ?::jsonb`, [JSON.stringify([{ key, value }])]]);
  }
  return conditions;
}

function isGiven(field: string, wanted: boolean): Condition {
  return [`coalesce(profile->>'${field}', '') ${wanted ? '<>' : '='} ''`, []];
}

const SEARCHED = ['external_id', 'name', `profile->>'firstname'`, `profile->>'lastname'`, `profile->>'email'`];
