import type { EntityManager } from '../platform/database/database.js';
import { type Condition, listedIds, oneOf } from '../platform/database/listed-ids.js';
import type { SubscriptionListQuery } from './subscription.input.js';

/** The ids of a page of subscriptions, latest start first, and how many the filters find in all. */
export async function listSubscriptionIds(
  em: EntityManager,
  organizationId: string,
  query: SubscriptionListQuery,
  customerId?: string,
): Promise<{ ids: string[]; totalCount: number }> {
  const conditions: Condition[] = [['s.organization_id = ?', [organizationId]]];
  const statuses = query.status ?? ['active'];
  conditions.push(oneOf('s.status', statuses));
  if (customerId !== undefined) conditions.push(['s.customer_id = ?', [customerId]]);
  if (query.external_customer_id !== undefined) conditions.push(['c.external_id = ?', [query.external_customer_id]]);
  if (query.external_id !== undefined) conditions.push(['s.external_id = ?', [query.external_id]]);
  if (query.plan_code !== undefined) conditions.push(['p.code = ?', [query.plan_code]]);
  if (query.currency !== undefined)
    conditions.push([`coalesce(t.difference->'plan'->>'amountCurrency', p.amount_currency) = ?`, [query.currency]]);
  if (query.overridden !== undefined) {
    conditions.push([`t.subscription_id is ${query.overridden ? 'not null' : 'null'}`, []]);
  }
  // There is one billing entity, called default.
  if (query.billing_entity_codes !== undefined && !query.billing_entity_codes.includes('default')) {
    conditions.push(['false', []]);
  }
  return listedIds(em, {
    from: `subscriptions s join customers c on c.id = s.customer_id join plans p on p.id = s.plan_id
      left join subscription_terms t on t.subscription_id = s.id`,
    id: 's.id',
    conditions,
    orderBy: 's.started_at desc nulls last, s.created_at desc, s.id',
    page: query,
  });
}
