import type { MetricDefinition } from '../domain/catalog/billable-metric.js';
import { instant } from '../domain/calendar/instant.js';
import { dimensionsKey, type Operation } from '../domain/metering/metered-event.js';
import { comparePositions } from '../domain/metering/partial-aggregate.js';
import { Decimal, ZERO } from '../domain/money/decimal.js';
import type { EntityManager } from '../platform/database/database.js';
import { plainArray, textArray } from './array-literal.js';
import { HOUR_MS, hourOf, isRolled, meterForStore } from './metered-row.js';

/** A row of `usage_buckets` of one subscription, in values that compare as texts. */
export interface Bucket {
  readonly metricId: string;
  readonly hour: number;
  readonly dimensions: string;
  eventsCount: number;
  sum: Decimal;
  moment: Decimal;
  preciseTotalAmountCents: Decimal;
  max: Decimal | null;
  latest: { value: Decimal; at: number; sequence: number } | null;
  maxSequence: number;
}

/** A row of `usage_unique_values` of one subscription. */
export interface UniqueValue {
  readonly metricId: string;
  readonly hour: number;
  readonly dimensions: string;
  readonly value: string;
  at: number;
  sequence: number;
  operation: Operation;
  added: boolean;
  maxSequence: number;
}

/** A row of `usage_rollups`: the hours of a day or month of UTC, which begins at `hour`. */
export interface Rollup extends Bucket {
  readonly grain: Grain;
}

export type Grain = 'day' | 'month';

/** A row of `usage_values`: the last operation on a value, over all time. */
export type LastOperation = Omit<UniqueValue, 'added' | 'maxSequence'>;

/** A row of `usage_presence`; `hour` null is the one that has them all. */
export interface Presence {
  readonly metricId: string;
  readonly hour: number | null;
  readonly dimensions: string;
  present: number;
}

/** The aggregates of one subscription, as they follow from its stored events. */
export interface Rebuilt {
  readonly buckets: ReadonlyMap<string, Bucket>;
  readonly rollups: ReadonlyMap<string, Rollup>;
  readonly uniques: ReadonlyMap<string, UniqueValue>;
  readonly values: ReadonlyMap<string, LastOperation>;
  readonly presence: ReadonlyMap<string, Presence>;
  /** Codes of events that no metric counted. */
  readonly unmetered: ReadonlySet<string>;
}

const PAGE = 10_000;

export const bucketKey = (metricId: string, hour: number, dimensions: string): string =>
  `${metricId}/${hour}/${dimensions}`;

/**
 * Folds the stored events of a subscription, one by one and outside of Postgres: the other road to the same aggregates,
 * by which the consumer's statement is checked and a changed metric is counted anew. Holds one page of events and the
 * buckets in memory.
 */
export async function rebuildSubscription(
  em: EntityManager,
  organizationId: string,
  externalSubscriptionId: string,
  metrics: readonly MetricDefinition[],
): Promise<Rebuilt> {
  const byCode = new Map(metrics.map((metric) => [metric.code, metric]));
  const buckets = new Map<string, Bucket>();
  const uniques = new Map<string, UniqueValue>();
  const unmetered = new Set<string>();
  let after = { at: '-infinity', sequence: '-1' };
  for (;;) {
    const rows = await em.execute<EventRow[]>(
      `select "timestamp"::text as at_text, (extract(epoch from "timestamp") * 1000)::float8 as at_ms,
              ingest_sequence::text, code, properties, precise_total_amount_cents::text as precise
         from events
        where organization_id = ? and external_subscription_id = ?
          and "timestamp" >= ?::timestamptz and ("timestamp", ingest_sequence) > (?::timestamptz, ?::bigint)
        order by "timestamp", ingest_sequence limit ${PAGE}`,
      [organizationId, externalSubscriptionId, after.at, after.at, after.sequence],
    );
    for (const row of rows) fold(row, byCode.get(row.code), buckets, uniques, unmetered);
    const last = rows.at(-1);
    if (rows.length < PAGE || last === undefined) {
      const rolled = new Set(metrics.filter(isRolled).map(({ id }) => id));
      const values = lastOperations(uniques.values());
      const rollups = rolledUp([...buckets.values()].filter(({ metricId }) => rolled.has(metricId)));
      return { buckets, rollups, uniques, values, presence: presenceOf(values.values()), unmetered };
    }
    after = { at: last.at_text, sequence: last.ingest_sequence };
  }
}

interface EventRow {
  readonly at_text: string;
  readonly at_ms: number;
  readonly ingest_sequence: string;
  readonly code: string;
  readonly properties: Record<string, unknown>;
  readonly precise: string | null;
}

function fold(
  row: EventRow,
  metric: MetricDefinition | undefined,
  buckets: Map<string, Bucket>,
  uniques: Map<string, UniqueValue>,
  unmetered: Set<string>,
): void {
  const sequence = Number(row.ingest_sequence);
  const timestamp = instant(Math.round(row.at_ms));
  const preciseTotalAmountCents = row.precise === null ? null : new Decimal(row.precise);
  const event =
    metric && meterForStore(metric, { timestamp, properties: row.properties, preciseTotalAmountCents, sequence });
  if (metric === undefined || event === undefined || !event.counted) {
    unmetered.add(row.code);
    return;
  }
  const hour = hourOf(timestamp);
  const dimensions = dimensionsKey(event.dimensions);
  const key = bucketKey(metric.id, hour, dimensions);
  const bucket = buckets.get(key) ?? emptyBucket(metric.id, hour, dimensions);
  buckets.set(key, bucket);
  bucket.eventsCount += 1;
  bucket.maxSequence = Math.max(bucket.maxSequence, sequence);
  const value = event.value ?? ZERO;
  switch (metric.aggregation) {
    case 'count_agg':
      break;
    case 'sum_agg':
      bucket.sum = bucket.sum.plus(value);
      bucket.preciseTotalAmountCents = bucket.preciseTotalAmountCents.plus(event.preciseTotalAmountCents);
      break;
    case 'weighted_sum_agg':
      bucket.sum = bucket.sum.plus(value);
      bucket.moment = bucket.moment.plus(value.times(timestamp));
      break;
    case 'max_agg':
      bucket.max = bucket.max === null ? value : Decimal.max(bucket.max, value);
      break;
    case 'latest_agg':
      // Events come in billing order.
      bucket.latest = { value, at: timestamp, sequence };
      break;
    case 'unique_count_agg': {
      const uniqueKey = `${key}/${event.uniqueValue}`;
      const known = uniques.get(uniqueKey);
      const { operation } = event;
      const added = operation === 'add';
      if (known === undefined) {
        const place = { metricId: metric.id, hour, dimensions, value: event.uniqueValue! };
        uniques.set(uniqueKey, { ...place, at: timestamp, sequence, operation, added, maxSequence: sequence });
      } else {
        known.maxSequence = Math.max(known.maxSequence, sequence);
        known.added ||= added;
        if (comparePositions({ at: timestamp, sequence }, { at: instant(known.at), sequence: known.sequence }) > 0) {
          Object.assign(known, { at: timestamp, sequence, operation });
        }
      }
      break;
    }
    default:
      metric.aggregation satisfies never;
  }
}

export const rollupKey = (metricId: string, grain: Grain, hour: number, dimensions: string): string =>
  `${metricId}/${grain}/${hour}/${dimensions}`;
export const valueKey = (metricId: string, dimensions: string, value: string): string =>
  `${metricId}/${dimensions}/${value}`;
export const presenceKey = (metricId: string, hour: number | null, dimensions: string): string =>
  `${metricId}/${hour}/${dimensions}`;

function rolledUp(buckets: readonly Bucket[]): Map<string, Rollup> {
  const rollups = new Map<string, Rollup>();
  for (const bucket of buckets) {
    for (const grain of ['day', 'month'] as const) {
      const { metricId, dimensions } = bucket;
      const hour = startOf(grain, bucket.hour);
      const key = rollupKey(metricId, grain, hour, dimensions);
      const rollup = rollups.get(key) ?? { ...emptyBucket(metricId, hour, dimensions), grain };
      rollups.set(key, rollup);
      addBucket(rollup, bucket);
    }
  }
  return rollups;
}

function startOf(grain: Grain, hour: number): number {
  if (grain === 'day') return Math.floor(hour / 24) * 24;
  const start = new Date(hour * HOUR_MS);
  start.setUTCHours(0);
  return hourOf(start.setUTCDate(1));
}

function addBucket(to: Bucket, from: Bucket): void {
  to.eventsCount += from.eventsCount;
  to.sum = to.sum.plus(from.sum);
  to.moment = to.moment.plus(from.moment);
  to.preciseTotalAmountCents = to.preciseTotalAmountCents.plus(from.preciseTotalAmountCents);
  if (from.max !== null) to.max = to.max === null ? from.max : Decimal.max(to.max, from.max);
  if (from.latest !== null && (to.latest === null || comparePositions(placed(from.latest), placed(to.latest)) > 0)) {
    to.latest = from.latest;
  }
  to.maxSequence = Math.max(to.maxSequence, from.maxSequence);
}

const placed = ({ at, sequence }: { at: number; sequence: number }) => ({ at: instant(at), sequence });

function lastOperations(uniques: Iterable<UniqueValue>): Map<string, LastOperation> {
  const values = new Map<string, LastOperation>();
  for (const { maxSequence: _, added: __, ...operation } of uniques) {
    const key = valueKey(operation.metricId, operation.dimensions, operation.value);
    const known = values.get(key);
    if (known === undefined || comparePositions(placed(operation), placed(known)) > 0) values.set(key, operation);
  }
  return values;
}

function presenceOf(values: Iterable<LastOperation>): Map<string, Presence> {
  const presence = new Map<string, Presence>();
  for (const { metricId, dimensions, hour: lastHour, operation } of values) {
    if (operation !== 'add') continue;
    for (const hour of [lastHour, null]) {
      const key = presenceKey(metricId, hour, dimensions);
      const row = presence.get(key) ?? { metricId, hour, dimensions, present: 0 };
      presence.set(key, row);
      row.present += 1;
    }
  }
  return presence;
}

function emptyBucket(metricId: string, hour: number, dimensions: string): Bucket {
  const zero = {
    eventsCount: 0,
    sum: ZERO,
    moment: ZERO,
    preciseTotalAmountCents: ZERO,
    max: null,
    latest: null,
    maxSequence: 0,
  };
  return { metricId, hour, dimensions, ...zero };
}

/** The tables that a rebuild of a subscription replaces. */
export const AGGREGATE_TABLES = [
  'usage_buckets',
  'usage_rollups',
  'usage_unique_values',
  'usage_values',
  'usage_presence',
] as const;

/** Writes rebuilt aggregates; what stood there before has to be gone. */
export async function insertAggregates(
  em: EntityManager,
  organizationId: string,
  externalSubscriptionId: string,
  { buckets, rollups, uniques, values, presence, unmetered }: Rebuilt,
): Promise<void> {
  const place = [organizationId, externalSubscriptionId];
  for (const page of pagesOf(buckets.values())) {
    await em.execute(
      `insert into usage_buckets (organization_id, external_subscription_id, metric_id, bucket_at, dimensions, ${TOTALS})
       select ?::uuid, ?::text, metric_id, to_timestamp(hour * 3600), dimensions, ${READ_TOTALS}
         from unnest(?::uuid[], ?::float8[], ?::text[], ${TOTAL_ARRAYS})
           as rebuilt (metric_id, hour, dimensions, ${GIVEN_TOTALS})`,
      [...place, ...placesOf(page), ...totalsOf(page)],
    );
  }
  for (const page of pagesOf(rollups.values())) {
    await em.execute(
      `insert into usage_rollups (organization_id, external_subscription_id, grain, metric_id, bucket_at, dimensions, ${TOTALS})
       select ?::uuid, ?::text, grain, metric_id, to_timestamp(hour * 3600), dimensions, ${READ_TOTALS}
         from unnest(?::text[], ?::uuid[], ?::float8[], ?::text[], ${TOTAL_ARRAYS})
           as rebuilt (grain, metric_id, hour, dimensions, ${GIVEN_TOTALS})`,
      [...place, plainArray(page.map(({ grain }) => grain)), ...placesOf(page), ...totalsOf(page)],
    );
  }
  for (const page of pagesOf(uniques.values())) {
    await em.execute(
      `insert into usage_unique_values (organization_id, external_subscription_id, metric_id, bucket_at, dimensions,
         value, last_at, last_sequence, last_operation, added, max_sequence)
       select ?::uuid, ?::text, metric_id, to_timestamp(hour * 3600), dimensions, value, to_timestamp(at_ms / 1000),
         last_sequence, last_operation, added, max_sequence
       from unnest(?::uuid[], ?::float8[], ?::text[], ?::text[], ?::float8[], ?::bigint[], ?::text[], ?::boolean[],
           ?::bigint[])
         as rebuilt (metric_id, hour, dimensions, value, at_ms, last_sequence, last_operation, added, max_sequence)`,
      [
        ...place,
        ...placesOf(page),
        ...operationsOf(page),
        plainArray(page.map((row) => String(row.added))),
        plainArray(page.map((row) => row.maxSequence)),
      ],
    );
  }
  for (const page of pagesOf(values.values())) {
    const [metricIds, , dimensions] = placesOf(page);
    await em.execute(
      `insert into usage_values (organization_id, external_subscription_id, metric_id, dimensions, value, last_at,
         last_sequence, last_operation)
       select ?::uuid, ?::text, metric_id, dimensions, value, to_timestamp(at_ms / 1000), last_sequence, last_operation
       from unnest(?::uuid[], ?::text[], ?::text[], ?::float8[], ?::bigint[], ?::text[])
         as rebuilt (metric_id, dimensions, value, at_ms, last_sequence, last_operation)`,
      [...place, metricIds, dimensions, ...operationsOf(page)],
    );
  }
  for (const page of pagesOf(presence.values())) {
    await em.execute(
      `insert into usage_presence (organization_id, external_subscription_id, metric_id, since_at, dimensions, present)
       select ?::uuid, ?::text, metric_id, coalesce(to_timestamp(hour * 3600), '-infinity'), dimensions, present
       from unnest(?::uuid[], ?::float8[], ?::text[], ?::bigint[]) as rebuilt (metric_id, hour, dimensions, present)`,
      [...place, ...placesOf(page), plainArray(page.map((row) => row.present))],
    );
  }
  if (unmetered.size === 0) return;
  await em.execute(
    `insert into unmetered_usage (organization_id, external_subscription_id, code)
     select ?::uuid, ?::text, code from unnest(?::text[]) as code on conflict do nothing`,
    [...place, textArray([...unmetered])],
  );
}

const TOTALS = `events_count, sum, moment, precise_total_amount_cents, max, latest_value, latest_at, latest_sequence,
  max_sequence`;
const GIVEN_TOTALS = `events_count, sum, moment, precise, max, latest_value, latest_ms, latest_sequence, max_sequence`;
const READ_TOTALS = `events_count, sum, moment, precise, max, latest_value, to_timestamp(latest_ms / 1000), latest_sequence,
  max_sequence`;
const TOTAL_ARRAYS = `?::bigint[], ?::numeric[], ?::numeric[], ?::numeric[], ?::numeric[], ?::numeric[], ?::float8[],
  ?::bigint[], ?::bigint[]`;

function totalsOf(page: readonly Bucket[]): string[] {
  return [
    plainArray(page.map((row) => row.eventsCount)),
    plainArray(page.map((row) => row.sum.toFixed())),
    plainArray(page.map((row) => row.moment.toFixed())),
    plainArray(page.map((row) => row.preciseTotalAmountCents.toFixed())),
    plainArray(page.map((row) => row.max?.toFixed() ?? null)),
    plainArray(page.map((row) => row.latest?.value.toFixed() ?? null)),
    plainArray(page.map((row) => row.latest?.at ?? null)),
    plainArray(page.map((row) => row.latest?.sequence ?? null)),
    plainArray(page.map((row) => row.maxSequence)),
  ];
}

function placesOf(page: readonly { metricId: string; hour: number | null; dimensions: string }[]): string[] {
  return [
    plainArray(page.map((row) => row.metricId)),
    plainArray(page.map((row) => row.hour)),
    textArray(page.map((row) => row.dimensions)),
  ];
}

function operationsOf(page: readonly LastOperation[]): string[] {
  return [
    textArray(page.map((row) => row.value)),
    plainArray(page.map((row) => row.at)),
    plainArray(page.map((row) => row.sequence)),
    plainArray(page.map((row) => row.operation)),
  ];
}

function* pagesOf<Row>(rows: Iterable<Row>): Iterable<Row[]> {
  const all = [...rows];
  for (let start = 0; start < all.length; start += PAGE) yield all.slice(start, start + PAGE);
}
