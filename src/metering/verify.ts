import { Decimal } from '../domain/money/decimal.js';
import type { Database, EntityManager } from '../platform/database/database.js';
import {
  AGGREGATE_TABLES,
  type Bucket,
  bucketKey,
  type Grain,
  insertAggregates,
  type LastOperation,
  type Presence,
  presenceKey,
  type Rebuilt,
  rebuildSubscription,
  rollupKey,
  type UniqueValue,
  valueKey,
} from './aggregate-rebuild.js';
import { meteringLockKey, partitionLockKey } from './locks.js';
import { hourOf } from './metered-row.js';
import {
  METRIC_DEFINITION_COLUMNS,
  metricDefinitionFromRow,
  type MetricDefinitionRow,
} from './metric-definition-row.js';

export interface UsageDifference {
  readonly organizationId: string;
  readonly externalSubscriptionId: string;
  readonly table: (typeof AGGREGATE_TABLES)[number] | 'unmetered_usage';
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
      for (const table of [...AGGREGATE_TABLES, 'unmetered_usage']) {
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
  const tables = ['events', ...AGGREGATE_TABLES, 'unmetered_usage'];
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
  const rollups = await storedRollups(em, organizationId, subscription);
  const values = await storedValues(em, organizationId, subscription);
  const presence = await storedPresence(em, organizationId, subscription);
  const codes = await storedCodes(em, organizationId, subscription);
  const found = (table: UsageDifference['table'], rows: readonly RowDifference[]) =>
    rows.map((row) => ({ ...place, table, ...row }));
  // A code that is listed although it is counted by now costs a look and nothing else; only a missing one is wrong.
  const unlisted = [...rebuilt.unmetered].filter((code) => !codes.has(code));
  return [
    ...found('usage_buckets', differing(buckets, rebuilt.buckets, bucketText)),
    ...found('usage_rollups', differing(rollups, rebuilt.rollups, bucketText)),
    ...found('usage_unique_values', differing(uniques, rebuilt.uniques, uniqueText)),
    ...found('usage_values', differing(values, rebuilt.values, operationText)),
    ...found(
      'usage_presence',
      differing(presence, rebuilt.presence, ({ present }) => `${present} present`),
    ),
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

type RowDifference = Pick<UsageDifference, 'row' | 'kind' | 'stored' | 'rebuilt'>;

interface PlacedRow {
  readonly metricId: string;
  readonly hour: number | null;
  readonly dimensions: string;
}

function differing<Row extends PlacedRow>(
  stored: ReadonlyMap<string, Row>,
  rebuilt: ReadonlyMap<string, Row>,
  text: (row: Row) => string,
): RowDifference[] {
  return [...new Set([...stored.keys(), ...rebuilt.keys()])].sort().flatMap((key) => {
    const is = stored.get(key);
    const should = rebuilt.get(key);
    const isText = is === undefined ? null : text(is);
    const shouldText = should === undefined ? null : text(should);
    if (isText === shouldText) return [];
    const kind = is === undefined ? 'missing' : should === undefined ? 'extra' : 'differing';
    const { metricId, hour, dimensions } = (is ?? should)!;
    const time = hour === null ? 'ever' : new Date(hour * 3_600_000).toISOString();
    const row = `${metricId} ${grainOf(is ?? should)}${time} ${dimensions}${valueOf(is ?? should)}`;
    return [{ row, kind, stored: isText, rebuilt: shouldText }];
  });
}

function grainOf(row: object | undefined): string {
  return row !== undefined && 'grain' in row ? `${String(row.grain)} ` : '';
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

function uniqueText(row: UniqueValue): string {
  return `${operationText(row)}${row.added ? ', added' : ''}, through ${row.maxSequence}`;
}

function operationText({ at, sequence, operation }: LastOperation): string {
  return `${operation} at ${at}/${sequence}`;
}

interface TotalsRow {
  readonly metric_id: string;
  readonly hour: number;
  readonly dimensions: string;
  readonly events_count: string;
  readonly sum: string;
  readonly moment: string;
  readonly precise: string;
  readonly max: string | null;
  readonly latest_value: string | null;
  readonly latest_ms: number | null;
  readonly latest_sequence: string | null;
  readonly max_sequence: string;
}

const TOTALS = `metric_id, (extract(epoch from bucket_at) / 3600)::float8 as hour, dimensions, events_count::text, sum::text,
  moment::text, precise_total_amount_cents::text as precise, max::text, latest_value::text,
  (extract(epoch from latest_at) * 1000)::float8 as latest_ms, latest_sequence::text, max_sequence::text`;

function bucketOf(row: TotalsRow): Bucket {
  return {
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
  };
}

async function storedBuckets(em: EntityManager, organizationId: string, subscription: string) {
  const rows = await em.execute<TotalsRow[]>(
    `select ${TOTALS} from usage_buckets where organization_id = ? and external_subscription_id = ?`,
    [organizationId, subscription],
  );
  return new Map(rows.map(bucketOf).map((row) => [bucketKey(row.metricId, row.hour, row.dimensions), row]));
}

async function storedRollups(em: EntityManager, organizationId: string, subscription: string) {
  const rows = await em.execute<(TotalsRow & { readonly grain: Grain })[]>(
    `select grain, ${TOTALS} from usage_rollups where organization_id = ? and external_subscription_id = ?`,
    [organizationId, subscription],
  );
  const rollups = rows.map((row) => ({ ...bucketOf(row), grain: row.grain }));
  return new Map(rollups.map((row) => [rollupKey(row.metricId, row.grain, row.hour, row.dimensions), row]));
}

async function storedValues(em: EntityManager, organizationId: string, subscription: string) {
  const rows = await em.execute<
    {
      metric_id: string;
      dimensions: string;
      value: string;
      at_ms: number;
      last_sequence: string;
      last_operation: 'add' | 'remove';
    }[]
  >(
    `select metric_id, dimensions, value, (extract(epoch from last_at) * 1000)::float8 as at_ms, last_sequence::text,
            last_operation
       from usage_values where organization_id = ? and external_subscription_id = ?`,
    [organizationId, subscription],
  );
  return new Map(
    rows.map((row): [string, LastOperation] => {
      const at = Math.round(row.at_ms);
      const { metric_id: metricId, dimensions, value } = row;
      const last = { at, hour: hourOf(at), sequence: Number(row.last_sequence), operation: row.last_operation };
      return [valueKey(metricId, dimensions, value), { metricId, dimensions, value, ...last }];
    }),
  );
}

/** An hour in which nobody is present any more may keep its row. */
async function storedPresence(em: EntityManager, organizationId: string, subscription: string) {
  const rows = await em.execute<{ metric_id: string; hour: number | null; dimensions: string; present: string }[]>(
    `select metric_id, case when isfinite(since_at) then (extract(epoch from since_at) / 3600)::float8 end as hour, dimensions,
            present::text
       from usage_presence where organization_id = ? and external_subscription_id = ? and present <> 0`,
    [organizationId, subscription],
  );
  return new Map(
    rows.map((row): [string, Presence] => {
      const hour = row.hour === null ? null : Math.round(row.hour);
      const { metric_id: metricId, dimensions } = row;
      return [presenceKey(metricId, hour, dimensions), { metricId, hour, dimensions, present: Number(row.present) }];
    }),
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
      added: boolean;
      max_sequence: string;
    }[]
  >(
    `select metric_id, (extract(epoch from bucket_at) / 3600)::float8 as hour, dimensions, value,
            (extract(epoch from last_at) * 1000)::float8 as at_ms, last_sequence::text, last_operation, added,
            max_sequence::text
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
        added: row.added,
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
