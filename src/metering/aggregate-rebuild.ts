import type { MetricDefinition } from '../domain/catalog/billable-metric.js';
import { instant } from '../domain/calendar/instant.js';
import { dimensionsKey, type Operation } from '../domain/metering/metered-event.js';
import { comparePositions } from '../domain/metering/partial-aggregate.js';
import { Decimal, ZERO } from '../domain/money/decimal.js';
import type { EntityManager } from '../platform/database/database.js';
import { plainArray, textArray } from './array-literal.js';
import { hourOf, meterForStore } from './metered-row.js';

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
  maxSequence: number;
}

/** The aggregates of one subscription, as they follow from its stored events. */
export interface Rebuilt {
  readonly buckets: ReadonlyMap<string, Bucket>;
  readonly uniques: ReadonlyMap<string, UniqueValue>;
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
    if (rows.length < PAGE || last === undefined) return { buckets, uniques, unmetered };
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
      if (known === undefined) {
        const place = { metricId: metric.id, hour, dimensions, value: event.uniqueValue! };
        uniques.set(uniqueKey, { ...place, at: timestamp, sequence, operation, maxSequence: sequence });
      } else {
        known.maxSequence = Math.max(known.maxSequence, sequence);
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

/** Writes rebuilt aggregates; what stood there before has to be gone. */
export async function insertAggregates(
  em: EntityManager,
  organizationId: string,
  externalSubscriptionId: string,
  { buckets, uniques, unmetered }: Rebuilt,
): Promise<void> {
  const rows = [...buckets.values()];
  for (let start = 0; start < rows.length; start += PAGE) {
    const page = rows.slice(start, start + PAGE);
    await em.execute(
      `insert into usage_buckets (organization_id, external_subscription_id, metric_id, bucket_at, dimensions,
         events_count, sum, moment, precise_total_amount_cents, max, latest_value, latest_at, latest_sequence, max_sequence)
       select ?::uuid, ?::text, metric_id, to_timestamp(hour * 3600), dimensions, events_count, sum, moment, precise,
         max, latest_value, to_timestamp(latest_ms / 1000), latest_sequence, max_sequence
       from unnest(?::uuid[], ?::float8[], ?::text[], ?::bigint[], ?::numeric[], ?::numeric[], ?::numeric[],
         ?::numeric[], ?::numeric[], ?::float8[], ?::bigint[], ?::bigint[])
         as rebuilt (metric_id, hour, dimensions, events_count, sum, moment, precise, max, latest_value, latest_ms,
           latest_sequence, max_sequence)`,
      [
        organizationId,
        externalSubscriptionId,
        plainArray(page.map((row) => row.metricId)),
        plainArray(page.map((row) => row.hour)),
        textArray(page.map((row) => row.dimensions)),
        plainArray(page.map((row) => row.eventsCount)),
        plainArray(page.map((row) => row.sum.toFixed())),
        plainArray(page.map((row) => row.moment.toFixed())),
        plainArray(page.map((row) => row.preciseTotalAmountCents.toFixed())),
        plainArray(page.map((row) => row.max?.toFixed() ?? null)),
        plainArray(page.map((row) => row.latest?.value.toFixed() ?? null)),
        plainArray(page.map((row) => row.latest?.at ?? null)),
        plainArray(page.map((row) => row.latest?.sequence ?? null)),
        plainArray(page.map((row) => row.maxSequence)),
      ],
    );
  }
  const values = [...uniques.values()];
  for (let start = 0; start < values.length; start += PAGE) {
    const page = values.slice(start, start + PAGE);
    await em.execute(
      `insert into usage_unique_values (organization_id, external_subscription_id, metric_id, bucket_at, dimensions,
         value, last_at, last_sequence, last_operation, max_sequence)
       select ?::uuid, ?::text, metric_id, to_timestamp(hour * 3600), dimensions, value, to_timestamp(at_ms / 1000),
         last_sequence, last_operation, max_sequence
       from unnest(?::uuid[], ?::float8[], ?::text[], ?::text[], ?::float8[], ?::bigint[], ?::text[], ?::bigint[])
         as rebuilt (metric_id, hour, dimensions, value, at_ms, last_sequence, last_operation, max_sequence)`,
      [
        organizationId,
        externalSubscriptionId,
        plainArray(page.map((row) => row.metricId)),
        plainArray(page.map((row) => row.hour)),
        textArray(page.map((row) => row.dimensions)),
        textArray(page.map((row) => row.value)),
        plainArray(page.map((row) => row.at)),
        plainArray(page.map((row) => row.sequence)),
        plainArray(page.map((row) => row.operation)),
        plainArray(page.map((row) => row.maxSequence)),
      ],
    );
  }
  if (unmetered.size === 0) return;
  await em.execute(
    `insert into unmetered_usage (organization_id, external_subscription_id, code)
     select ?::uuid, ?::text, code from unnest(?::text[]) as code on conflict do nothing`,
    [organizationId, externalSubscriptionId, textArray([...unmetered])],
  );
}
