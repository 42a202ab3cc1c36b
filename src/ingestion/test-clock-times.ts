import type { Database } from '../platform/database/database.js';

/**
 * The frozen times of the test clocks that subscriptions live on, by external subscription id; those on wall time are
 * absent. One query for all ids of a request.
 */
export async function frozenTimes(
  database: Database,
  organizationId: string,
  externalSubscriptionIds: readonly string[],
): Promise<Map<string, number>> {
  const rows = await database.tenant(organizationId, (em) =>
    em.execute<{ external_id: string; frozen_at: Date | string }[]>(
      `select distinct on (subscription.external_id) subscription.external_id, clock.frozen_at
         from subscriptions subscription
         join customers customer on customer.id = subscription.customer_id
         left join test_clocks clock on clock.id = customer.test_clock_id
        where subscription.organization_id = ?
          and subscription.external_id in (select jsonb_array_elements_text(?::jsonb))
        order by subscription.external_id, subscription.ordinal desc`,
      [organizationId, JSON.stringify(externalSubscriptionIds)],
    ),
  );
  return new Map(
    rows.filter((row) => row.frozen_at !== null).map((row) => [row.external_id, new Date(row.frozen_at).getTime()]),
  );
}
