import { z } from 'zod';
import type { EntityManager } from '../platform/database/database.js';
import { anyContains, type Condition, listedIds, oneOf } from '../platform/database/listed-ids.js';
import { currency } from '../platform/http/fields.js';
import { pageQuery } from '../platform/http/pagination.js';
import {
  booleanFilter,
  centsFilter,
  dateFilter,
  listFilter,
  metadataFilter,
  textFilter,
} from '../platform/http/query-fields.js';

const status = z.enum(['draft', 'finalized', 'voided', 'failed', 'pending', 'closed']);
const paymentStatus = z.enum(['pending', 'succeeded', 'failed']);

export const invoiceListQuery = z.object({
  ...pageQuery,
  external_customer_id: textFilter(),
  amount_from: centsFilter(),
  amount_to: centsFilter(),
  issuing_date_from: dateFilter(),
  issuing_date_to: dateFilter(),
  statuses: listFilter(status),
  payment_statuses: listFilter(paymentStatus),
  // The list of one customer names them in the singular.
  status: listFilter(status),
  payment_status: listFilter(paymentStatus),
  payment_overdue: booleanFilter(),
  search_term: textFilter(),
  currency: currency().optional(),
  payment_dispute_lost: booleanFilter(),
  invoice_type: z
    .enum(['subscription', 'add_on', 'credit', 'one_off', 'advance_charges', 'progressive_billing'])
    .optional(),
  self_billed: booleanFilter(),
  billing_entity_codes: listFilter(z.string()),
  metadata: metadataFilter(),
});

export type InvoiceListQuery = z.infer<typeof invoiceListQuery>;

/**
 * The ids of a page of invoices, newest first by issuing date and then by creation, and how many the filters find in all.
 * Of two made at one instant the later number comes first.
 */
export async function listInvoiceIds(
  em: EntityManager,
  organizationId: string,
  query: InvoiceListQuery,
  customerId?: string,
): Promise<{ ids: string[]; totalCount: number }> {
  return listedIds(em, {
    from: 'invoices i join customers c on c.id = i.customer_id left join test_clocks t on t.id = c.test_clock_id',
    id: 'i.id',
    conditions: conditionsOf(organizationId, query, customerId),
    orderBy: 'i.issuing_date desc nulls first, i.created_at desc, i.sequential_id desc nulls first, i.id',
    page: query,
  });
}

function conditionsOf(organizationId: string, query: InvoiceListQuery, customerId: string | undefined): Condition[] {
  const statuses = query.statuses ?? query.status;
  const paymentStatuses = query.payment_statuses ?? query.payment_status;
  const conditions: Condition[] = [
    ['i.organization_id = ?', [organizationId]],
    // A closed one came to nothing and was never shown to anybody.
    statuses ? oneOf('i.status', statuses) : [`i.status <> 'closed'`, []],
  ];
  const equal = (sql: string, value: unknown) => {
    if (value !== undefined) conditions.push([sql, [value]]);
  };
  equal('i.customer_id = ?', customerId);
  equal('c.external_id = ?', query.external_customer_id);
  equal('i.total_amount_cents >= ?', query.amount_from);
  equal('i.total_amount_cents <= ?', query.amount_to);
  equal('i.issuing_date >= ?', query.issuing_date_from);
  equal('i.issuing_date <= ?', query.issuing_date_to);
  equal('i.currency = ?', query.currency);
  equal('i.invoice_type = ?', query.invoice_type);
  if (paymentStatuses) conditions.push(oneOf('i.payment_status', paymentStatuses));
  if (query.payment_overdue !== undefined) conditions.push([query.payment_overdue ? OVERDUE : `not (${OVERDUE})`, []]);
  if (query.search_term) conditions.push(anyContains(SEARCHED, query.search_term));
  if (!isPossible(query)) conditions.push(['false', []]);
  return conditions;
}

const SEARCHED = ['i.number', 'i.id::text', 'c.external_id', 'c.name', `c.profile->>'email'`];

const OVERDUE = `i.status = 'finalized' and i.payment_status <> 'succeeded' and i.payment_due_date is not null
  and i.payment_due_date < (coalesce(t.frozen_at, now()) at time zone 'UTC')::date`;

/** No invoice is disputed, self-billed or has metadata yet, and there is one billing entity, called default. */
function isPossible(query: InvoiceListQuery): boolean {
  const otherEntity = query.billing_entity_codes !== undefined && !query.billing_entity_codes.includes('default');
  const hasMetadata = Object.keys(query.metadata ?? {}).length > 0;
  return query.payment_dispute_lost !== true && query.self_billed !== true && !otherEntity && !hasMetadata;
}
