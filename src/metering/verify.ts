import { Decimal } from '../domain/money/decimal.js';
import type { Database, EntityManager } from '../platform/database/database.js';
import {
  type Bucket,
  bucketKey,
  insertAggregates,
  type Rebuilt,
  rebuildSubscription,
  type UniqueValue,
} from './aggregate-rebuild.js';
import { meteringLockKey, partitionLockKey } from './locks.js';
import {
  METRIC_DEFINITION_COLUMNS,
  metricDefinitionFromRow,
  type MetricDefinitionRow,
} from './metric-definition-row.js';

export interface UsageDifference {
  readonly organizationId: string;
  readonly externalSubscriptionId: string;
  readonly table: 'usage_buckets' | 'usage_unique_values' | 'unmetered_usage';
  /** Which row: metric, hour (ISO), dimensions, and the value of a unique count; or the code nobody counts. */
  readonly row: string;
  readonly kind: 'missing' | 'extra' | 'differing';
  readonly stored: string | null;
  readonly rebuilt: string | null;
}

export interface UsageVerification {
  readonly organizations: number;
  readonly subscriptions: number;
  readonly buckets: number;
  /** The first of them; `differenceCount` counts all. */
  readonly differences: readonly UsageDifference[];
  readonly differenceCount: number;
  readonly repairedSubscriptions: number;
}

export interface VerifyUsageOptions {
  readonly organizationId?: string;
  /** Writes the rebuilt aggregates of every subscription that differs. */
  readonly repair?: boolean;
}

const DIFFERENCES_SHOWN = 100;

/**
 * Rebuilds all aggregates from the stored events and compares (design, invariant 3). Each organization is looked at in one
 * snapshot: events and aggregates move in one transaction, so no lock is needed and the consumer goes on meanwhile. Only a
 * repair holds the consumer back.
 */
export async function verifyUsage(database: Database, options: VerifyUsageOptions = {}): Promise<UsageVerification> {
  const organizations = await organizationIds(database, options.organizationId);
  const differences: UsageDifference[] = [];
  let subscriptions = 0;
  let buckets = 0;
  let differenceCount = 0;
  let repairedSubscriptions = 0;
  for (const organizationId of organizations) {
    const wrong: string[] = [];
    await database.system(async (em) => {
      await em.execute('set transaction isolation level repeatable read, read only');
      const metrics = await metricsOf(em, organizationId);
      for (const subscription of await subscriptionsOf(em, organizationId)) {
        const rebuilt = await rebuildSubscription(em, organizationId, subscription, metrics);
        const found = await compare(em, organizationId, subscription, rebuilt);
        subscriptions += 1;
        buckets += rebuilt.buckets.size;
        differenceCount += found.length;
        differences.push(...found.slice(0, DIFFERENCES_SHOWN - differences.length));
        if (found.length > 0) wrong.push(subscription);
      }
    });
    if (options.repair && wrong.length > 0) {
      await repair(database, organizationId, wrong);
      repairedSubscriptions += wrong.length;
    }
  }
  const counts = { organizations: organizations.length, subscriptions, buckets };
  return { ...counts, differences, differenceCount, repairedSubscriptions };
}

async function repair(database: Database, organizationId: string, subscriptions: readonly string[]): Promise<void> {
  await database.system(async (em) => {
    const partitions = await em.execute<{ partition: number }[]>(
      'select partition from partition_watermarks order by partition',
    );
    for (const { partition } of partitions) await lock(em, partitionLockKey(partition));
    await lock(em, meteringLockKey(organizationId));
    const metrics = await metricsOf(em, organizationId);
    for (const subscription of subscriptions) {
      for (const table of ['usage_buckets', 'usage_unique_values', 'unmetered_usage']) {
        await em.execute(`delete from ${table} where organization_id = ? and external_subscription_id = ?`, [
          organizationId,
          subscription,
        ]);
      }
      const rebuilt = await rebuildSubscription(em, organizationId, subscription, metrics);
      await insertAggregates(em, organizationId, subscription, rebuilt);
    }
  });
}

async function lock(em: EntityManager, key: string): Promise<void> {
  await em.execute('select pg_advisory_xact_lock(hashtextextended(?, 0))', [key]);
}

async function organizationIds(database: Database, only: string | undefined): Promise<string[]> {
  if (only !== undefined) return [only];
  // Also of organizations that are gone: what is stored is looked at.
  const rows = await database.system((em) =>
    em.execute<{ id: string }[]>(
      'select id from organizations union select distinct organization_id from usage_buckets order by id',
    ),
  );
  return rows.map(({ id }) => id);
}

async function metricsOf(em: EntityManager, organizationId: string) {
  const rows = await em.execute<MetricDefinitionRow[]>(
    `select ${METRIC_DEFINITION_COLUMNS} from billable_metrics where organization_id = ? and deleted_at is null`,
    [organizationId],
  );
  return rows.map(metricDefinitionFromRow);
}

async function subscriptionsOf(em: EntityManager, organizationId: string): Promise<string[]> {
  const tables = ['events', 'usage_buckets', 'usage_unique_values', 'unmetered_usage'];
  const rows = await em.execute<{ external_subscription_id: string }[]>(
    tables.map((table) => `select external_subscription_id from ${table} where organization_id = ?`).join(' union '),
    tables.map(() => organizationId),
  );
  return rows.map((row) => row.external_subscription_id);
}

async function compare(
  em: EntityManager,
  organizationId: string,
  subscription: string,
  rebuilt: Rebuilt,
): Promise<UsageDifference[]> {
  const place = { organizationId, externalSubscriptionId: subscription };
  const buckets = await storedBuckets(em, organizationId, subscription);
  const uniques = await storedUniques(em, organizationId, subscription);
  const codes = await storedCodes(em, organizationId, subscription);
  // A code that is listed although it is counted by now costs a look and nothing else; only a missing one is wrong.
  const unlisted = [...rebuilt.unmetered].filter((code) => !codes.has(code));
  return [
    ...differing(buckets, rebuilt.buckets, bucketText).map((found) => ({
      ...place,
      table: 'usage_buckets' as const,
      ...found,
    })),
    ...differing(uniques, rebuilt.uniques, uniqueText).map((found) => ({
      ...place,
      table: 'usage_unique_values' as const,
      ...found,
    })),
    ...unlisted.map((code) => ({
      ...place,
      table: 'unmetered_usage' as const,
      row: code,
      kind: 'missing' as const,
      stored: null,
      rebuilt: code,
    })),
  ];
}

function differing<Row extends { metricId: string; hour: number; dimensions: string }>(
  stored: ReadonlyMap<string, Row>,
  rebuilt: ReadonlyMap<string, Row>,
  text: (row: Row) => string,
): Pick<UsageDifference, 'row' | 'kind' | 'stored' | 'rebuilt'>[] {
  return [...new Set([...stored.keys(), ...rebuilt.keys()])].sort().flatMap((key) => {
    const is = stored.get(key);
    const should = rebuilt.get(key);
    const isText = is === undefined ? null : text(is);
    const shouldText = should === undefined ? null : text(should);
    if (isText === shouldText) return [];
    const kind = is === undefined ? 'missing' : should === undefined ? 'extra' : 'differing';
    const { metricId, hour, dimensions } = (is ?? should)!;
    const row = `${metricId} ${new Date(hour * 3_600_000).toISOString()} ${dimensions}${valueOf(is ?? should)}`;
    return [{ row, kind, stored: isText, rebuilt: shouldText }];
  });
}

function valueOf(row: object | undefined): string {
  return row !== undefined && 'value' in row ? ` ${String(row.value)}` : '';
}

function bucketText(bucket: Bucket): string {
  const { eventsCount, sum, moment, preciseTotalAmountCents, max, latest, maxSequence } = bucket;
  const last = latest === null ? 'none' : `${latest.value.toFixed()} at ${latest.at}/${latest.sequence}`;
  return (
    `${eventsCount} events, sum ${sum.toFixed()}, moment ${moment.toFixed()}, cents ${preciseTotalAmountCents.toFixed()}, max ${max?.toFixed() ?? 'none'}, ` +
    `latest ${last}, through ${maxSequence}`
  );
}

function uniqueText({ at, sequence, operation, maxSequence }: UniqueValue): string {
  return `${operation} at ${at}/${sequence}, through ${maxSequence}`;
}

async function storedBuckets(em: EntityManager, organizationId: string, subscription: string) {
  const rows = await em.execute<
    {
      metric_id: string;
      hour: number;
      dimensions: string;
      events_count: string;
      sum: string;
      moment: string;
      precise: string;
      max: string | null;
      latest_value: string | null;
      latest_ms: number | null;
      latest_sequence: string | null;
      max_sequence: string;
    }[]
  >(
    `select metric_id, (extract(epoch from bucket_at) / 3600)::float8 as hour, dimensions, events_count::text, sum::text,
            moment::text, precise_total_amount_cents::text as precise, max::text, latest_value::text, (extract(epoch from latest_at) * 1000)::float8 as latest_ms,
            latest_sequence::text, max_sequence::text
       from usage_buckets where organization_id = ? and external_subscription_id = ?`,
    [organizationId, subscription],
  );
  return new Map(
    rows.map((row): [string, Bucket] => [
      bucketKey(row.metric_id, Math.round(row.hour), row.dimensions),
      {
        metricId: row.metric_id,
        hour: Math.round(row.hour),
        dimensions: row.dimensions,
        eventsCount: Number(row.events_count),
        sum: new Decimal(row.sum),
        moment: new Decimal(row.moment),
        preciseTotalAmountCents: new Decimal(row.precise),
        max: row.max === null ? null : new Decimal(row.max),
        latest:
          row.latest_value === null
            ? null
            : {
                value: new Decimal(row.latest_value),
                at: Math.round(row.latest_ms ?? 0),
                sequence: Number(row.latest_sequence),
              },
        maxSequence: Number(row.max_sequence),
      },
    ]),
  );
}

async function storedUniques(em: EntityManager, organizationId: string, subscription: string) {
  const rows = await em.execute<
    {
      metric_id: string;
      hour: number;
      dimensions: string;
      value: string;
      at_ms: number;
      last_sequence: string;
      last_operation: 'add' | 'remove';
      max_sequence: string;
    }[]
  >(
    `select metric_id, (extract(epoch from bucket_at) / 3600)::float8 as hour, dimensions, value,
            (extract(epoch from last_at) * 1000)::float8 as at_ms, last_sequence::text, last_operation, max_sequence::text
       from usage_unique_values where organization_id = ? and external_subscription_id = ?`,
    [organizationId, subscription],
  );
  return new Map(
    rows.map((row): [string, UniqueValue] => [
      `${bucketKey(row.metric_id, Math.round(row.hour), row.dimensions)}/${row.value}`,
      {
        metricId: row.metric_id,
        hour: Math.round(row.hour),
        dimensions: row.dimensions,
        value: row.value,
        at: Math.round(row.at_ms),
        sequence: Number(row.last_sequence),
        operation: row.last_operation,
        maxSequence: Number(row.max_sequence),
      },
    ]),
  );
}

async function storedCodes(em: EntityManager, organizationId: string, subscription: string): Promise<Set<string>> {
  const rows = await em.execute<{ code: string }[]>(
    'select code from unmetered_usage where organization_id = ? and external_subscription_id = ?',
    [organizationId, subscription],
  );
  return new Set(rows.map(({ code }) => code));
}
