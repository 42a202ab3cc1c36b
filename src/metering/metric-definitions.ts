import type { MetricDefinition } from '../domain/catalog/billable-metric.js';
import type { EntityManager } from '../platform/database/database.js';
import { textArray } from './array-literal.js';
import { AGGREGATE_TABLES, insertAggregates, rebuildSubscription } from './aggregate-rebuild.js';
import { meteringLockKey } from './locks.js';
import {
  METRIC_DEFINITION_COLUMNS,
  metricDefinitionFromRow,
  type MetricDefinitionRow,
} from './metric-definition-row.js';

/** Keeps the aggregates true to the definitions of the metrics. */
export class MetricDefinitions {
  /**
   * To be called in the transaction that created, changed or deleted a metric, after its row is written. Holds back the
   * consumer's writing for this organization until the commit, makes it read the definitions anew, and counts the metric's
   * stored events again: usage that came before its metric is billed as well.
   *
   * Costs nothing for a metric whose code nobody has used yet; else as much as there are events of the subscriptions that
   * used it.
   */
  async changed(em: EntityManager, organizationId: string, metricId: string): Promise<void> {
    await em.execute('select pg_advisory_xact_lock(hashtextextended(?, 0))', [meteringLockKey(organizationId)]);
    await em.execute('update organizations set metering_version = metering_version + 1 where id = ?', [organizationId]);
    const metric = await loadMetric(em, organizationId, metricId);
    for (const subscription of await subscriptionsOf(em, organizationId, metricId, metric?.code ?? null)) {
      await recount(em, organizationId, subscription, metricId, metric);
    }
  }

  /**
   * To be called in the transaction that writes a price which is grouped or presented by these properties: usage of the
   * metric, the stored one too, is told apart by their values. Keys are only ever added, as a bill of the past may be
   * computed again.
   */
  async groupedBy(em: EntityManager, organizationId: string, metricId: string, keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const extended = await em.execute<{ id: string }[]>(
      `update billable_metrics
          set group_keys = array(select distinct key from unnest(group_keys || ?::text[]) as key order by key)
        where organization_id = ? and id = ? and not group_keys @> ?::text[]
       returning id`,
      [textArray(keys), organizationId, metricId, textArray(keys)],
    );
    if (extended.length > 0) await this.changed(em, organizationId, metricId);
  }
}

/** Null when it is deleted. */
async function loadMetric(
  em: EntityManager,
  organizationId: string,
  metricId: string,
): Promise<MetricDefinition | null> {
  const [row] = await em.execute<MetricDefinitionRow[]>(
    `select ${METRIC_DEFINITION_COLUMNS} from billable_metrics where organization_id = ? and id = ? and deleted_at is null`,
    [organizationId, metricId],
  );
  return row === undefined ? null : metricDefinitionFromRow(row);
}

/** Subscriptions whose aggregates can move: they have some of this metric, or have used its code without being counted. */
async function subscriptionsOf(em: EntityManager, organizationId: string, metricId: string, code: string | null) {
  const rows = await em.execute<{ external_subscription_id: string }[]>(
    `select external_subscription_id from usage_buckets where organization_id = ? and metric_id = ?
      union
     select external_subscription_id from unmetered_usage where organization_id = ? and code = ?`,
    [organizationId, metricId, organizationId, code],
  );
  return rows.map((row) => row.external_subscription_id);
}

async function recount(
  em: EntityManager,
  organizationId: string,
  subscription: string,
  metricId: string,
  metric: MetricDefinition | null,
): Promise<void> {
  const place = [organizationId, subscription, metricId];
  for (const table of AGGREGATE_TABLES) {
    await em.execute(
      `delete from ${table} where organization_id = ? and external_subscription_id = ? and metric_id = ?`,
      place,
    );
  }
  const rebuilt = await rebuildSubscription(em, organizationId, subscription, metric === null ? [] : [metric]);
  // Of the codes that this metric did not count, some are counted by others.
  const metered = await em.execute<{ code: string }[]>(
    `select code from billable_metrics where organization_id = ? and deleted_at is null and id <> ?`,
    [organizationId, metricId],
  );
  const others = new Set(metered.map(({ code }) => code));
  const unmetered = new Set([...rebuilt.unmetered].filter((code) => !others.has(code)));
  await insertAggregates(em, organizationId, subscription, { ...rebuilt, unmetered });
}
