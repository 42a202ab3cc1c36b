import { z } from 'zod';
import type { EntityManager } from '../platform/database/database.js';
import { anyContains, type Condition, listedIds, oneOf } from '../platform/database/listed-ids.js';
import { currency } from '../platform/http/fields.js';
import { pageQuery } from '../platform/http/pagination.js';
import { booleanFilter, centsFilter, dateFilter, listFilter, textFilter } from '../platform/http/query-fields.js';

export const CREDIT_NOTE_REASONS = [
  'duplicated_charge',
  'product_unsatisfactory',
  'order_change',
  'order_cancellation',
  'fraudulent_charge',
  'other',
] as const;

export const creditNoteListQuery = z.object({
  ...pageQuery,
  external_customer_id: textFilter(),
  issuing_date_from: dateFilter(),
  issuing_date_to: dateFilter(),
  search_term: textFilter(),
  currency: currency().optional(),
  reason: listFilter(z.enum(CREDIT_NOTE_REASONS)),
  credit_status: listFilter(z.enum(['available', 'consumed', 'voided'])),
  refund_status: listFilter(z.enum(['pending', 'succeeded', 'failed'])),
  invoice_number: textFilter(),
  amount_from: centsFilter(),
  amount_to: centsFilter(),
  self_billed: booleanFilter(),
  billing_entity_codes: listFilter(z.string()),
});

export type CreditNoteListQuery = z.infer<typeof creditNoteListQuery>;

/**
 * The ids of a page of credit notes, newest first, and how many the filters find in all. Those of draft invoices are not
 * issued yet and not shown.
 */
export async function listCreditNoteIds(
  em: EntityManager,
  organizationId: string,
  query: CreditNoteListQuery,
  customerId?: string,
): Promise<{ ids: string[]; totalCount: number }> {
  return listedIds(em, {
    from: 'credit_notes n join customers c on c.id = n.customer_id join invoices i on i.id = n.invoice_id',
    id: 'n.id',
    conditions: conditionsOf(organizationId, query, customerId),
    orderBy: 'n.issuing_date desc, n.created_at desc, n.sequential_id desc, n.id',
    page: query,
  });
}

function conditionsOf(organizationId: string, query: CreditNoteListQuery, customerId?: string): Condition[] {
  const conditions: Condition[] = [
    ['n.organization_id = ?', [organizationId]],
    [`n.status = 'finalized'`, []],
  ];
  const equal = (sql: string, value: unknown) => {
    if (value !== undefined) conditions.push([sql, [value]]);
  };
  equal('n.customer_id = ?', customerId);
  equal('c.external_id = ?', query.external_customer_id);
  equal('n.issuing_date >= ?', query.issuing_date_from);
  equal('n.issuing_date <= ?', query.issuing_date_to);
  equal('n.currency = ?', query.currency);
  equal('i.number = ?', query.invoice_number);
  equal('n.total_amount_cents >= ?', query.amount_from);
  equal('n.total_amount_cents <= ?', query.amount_to);
  if (query.reason) conditions.push(oneOf('n.reason', query.reason));
  if (query.credit_status) conditions.push(oneOf('n.credit_status', query.credit_status));
  if (query.refund_status) conditions.push(oneOf('n.refund_status', query.refund_status));
  if (query.search_term) conditions.push(anyContains(SEARCHED, query.search_term));
  // There is one billing entity, called default, and nobody bills himself.
  const otherEntity = query.billing_entity_codes !== undefined && !query.billing_entity_codes.includes('default');
  if (otherEntity || query.self_billed === true) conditions.push(['false', []]);
  return conditions;
}

const SEARCHED = ['n.number', 'n.id::text', 'c.external_id', 'c.name', `c.profile->>'email'`];
