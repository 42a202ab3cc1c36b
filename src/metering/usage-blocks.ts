import { instant } from '../domain/calendar/instant.js';
import { partialOf } from '../domain/metering/aggregate.js';
import { dimensionsKey } from '../domain/metering/metered-event.js';
import { EMPTY_PARTIAL, type PartialAggregate } from '../domain/metering/partial-aggregate.js';
import { Decimal } from '../domain/money/decimal.js';
import type { EntityManager } from '../platform/database/database.js';
import { eventsWithin } from './event-rows.js';
import { HOUR_MS, hourOf } from './metered-row.js';
import { coveringBlocks, endOf, finerThan, type Grain, GRAINS, startOf, type TimeBlock } from './time-blocks.js';
import {
  BEGINNING,
  cutoffOf,
  idsOf,
  instantArray,
  isoInstant,
  type UsageRange,
  type UsageRequest,
} from './usage-range.js';

/** A range widened to whole blocks, in epoch milliseconds; the hours in `cut` are left to be read event by event. */
export interface Edges {
  readonly from: number;
  readonly to: number;
  /** The same for metrics that have hours only. */
  readonly fromHour: number;
  readonly toHour: number;
  readonly cut: readonly number[];
  readonly isCutBefore: boolean;
  readonly isCutAfter: boolean;
}

export const WITHOUT_CUTS: Edges = {
  from: 0,
  to: 0,
  fromHour: 0,
  toHour: 0,
  cut: [],
  isCutBefore: false,
  isCutAfter: false,
};

/** Takes what was read of a metric with the same dimensions, piece by piece. */
export interface UsageSink {
  /** Instants at which what is read is told apart, in epoch milliseconds, ascending. Without any it is all one part. */
  readonly bounds: readonly number[];
  /** `part`: how many of the bounds lie at or before it. */
  add(metricId: string, dimensions: string, partial: PartialAggregate, part: number): void;
}

/**
 * How far the range may be widened without taking in an event: to whole months, days or hours. An hour on whose other side
 * there are events is cut, and left to be read event by event.
 */
export async function freeEdges(em: EntityManager, range: UsageRange): Promise<Edges> {
  const { organizationId, externalSubscriptionId, from, to } = range;
  const outside = [
    ...GRAINS.map((grain) => (from === BEGINNING ? null : { first: startOf(grain, from), last: from as number })),
    ...GRAINS.map((grain) => ({ first: to as number, last: startOf(grain, to) === to ? to : endOf(grain, to) })),
  ];
  const asked = outside.filter((part) => part !== null && part.first < part.last) as {
    first: number;
    last: number;
  }[];
  const probe = `exists (select from events where organization_id = ? and external_subscription_id = ?
    and "timestamp" >= ?::timestamptz and "timestamp" < ?::timestamptz)`;
  const [row] =
    asked.length === 0
      ? [{}]
      : await em.execute<Record<string, boolean>[]>(
          `select ${asked.map((_, index) => `${probe} as found_${index}`).join(', ')}`,
          asked.flatMap(({ first, last }) => [
            organizationId,
            externalSubscriptionId,
            isoInstant(first),
            isoInstant(last),
          ]),
        );
  const isFree = (part: { first: number; last: number } | null) =>
    part === null || part.first >= part.last || row?.[`found_${asked.indexOf(part)}`] === false;
  const [monthBefore, dayBefore, hourBefore, monthAfter, dayAfter, hourAfter] = outside;
  const before = [monthBefore!, dayBefore!, hourBefore!].find(isFree);
  const after = [monthAfter!, dayAfter!, hourAfter!].find(isFree);
  const fromHour = startOf('hour', from);
  const toHour = startOf('hour', to);
  const cut: number[] = [];
  if (before === undefined) cut.push(fromHour);
  if (after === undefined && !cut.includes(toHour)) cut.push(toHour);
  const start = before === undefined ? fromHour + HOUR_MS : (before?.first ?? from);
  const end = after === undefined ? toHour : after.last;
  return {
    from: from === BEGINNING ? BEGINNING : start,
    to: end,
    fromHour: from === BEGINNING ? BEGINNING : before === undefined ? start : fromHour,
    toHour: after === undefined || toHour === to ? toHour : toHour + HOUR_MS,
    cut,
    isCutBefore: before === undefined,
    isCutAfter: after === undefined,
  };
}

/**
 * Adds what the blocks hold and returns the hours (since the epoch) of them that something was added to behind the cutoff.
 * Bounds of the sink must not lie within a block.
 */
export async function readBlocks(
  em: EntityManager,
  request: UsageRequest,
  blocks: readonly TimeBlock[],
  sink: UsageSink,
): Promise<number[]> {
  if (blocks.length === 0) return [];
  const { organizationId, externalSubscriptionId, metrics } = request;
  const parts = blocks.map(({ grain }) =>
    grain === 'hour'
      ? `select 'hour' as grain, ${BUCKET_COLUMNS} from usage_buckets
          where organization_id = ? and external_subscription_id = ? and metric_id = any(?::uuid[])
            and bucket_at >= ?::timestamptz and bucket_at < ?::timestamptz`
      : `select grain, ${BUCKET_COLUMNS} from usage_rollups
          where organization_id = ? and external_subscription_id = ? and metric_id = any(?::uuid[])
            and grain = '${grain}' and bucket_at >= ?::timestamptz and bucket_at < ?::timestamptz`,
  );
  const ids = idsOf(metrics);
  const isWhole = sink.bounds.length === 0;
  const part = isWhole ? '0' : 'width_bucket(bucket_at, ?::timestamptz[])';
  const rows = await em.execute<BucketRow[]>(
    `with bucket as (${parts.join(' union all ')}),
     touched as (select distinct grain, bucket_at from bucket where max_sequence > ?::bigint)
     select metric_id, dimensions, ${part} as part, sum(events_count)::text as events_count, sum(sum)::text as sum,
            sum(moment)::text as moment, sum(precise_total_amount_cents)::text as precise, max(max)::text as max,
            (array_agg(latest_value order by latest_at desc, latest_sequence desc)
              filter (where latest_at is not null))[1]::text as latest_value,
            (extract(epoch from max(latest_at)) * 1000)::float8 as latest_ms,
            (array_agg(latest_sequence order by latest_at desc, latest_sequence desc)
              filter (where latest_at is not null))[1]::text as latest_sequence,
            null as grain, null::float8 as touched_ms
       from bucket where (grain, bucket_at) not in (select grain, bucket_at from touched)
      group by metric_id, dimensions, part
     union all
     select null, null, null, null, null, null, null, null, null, null, null, grain,
            (extract(epoch from bucket_at) * 1000)::float8 from touched`,
    [
      ...blocks.flatMap(({ from, to }) => [
        organizationId,
        externalSubscriptionId,
        ids,
        isoInstant(from),
        isoInstant(to),
      ]),
      cutoffOf(request),
      ...(isWhole ? [] : [instantArray(sink.bounds)]),
    ],
  );
  const hours: number[] = [];
  const finer: TimeBlock[] = [];
  for (const row of rows) {
    if (row.metric_id !== null) sink.add(row.metric_id, row.dimensions, partialOfBucket(row), row.part);
    else if (row.grain === 'hour') hours.push(hourOf(Math.round(row.touched_ms)));
    else {
      const from = Math.round(row.touched_ms);
      finer.push(...coveringBlocks(from, endOf(row.grain, from), finerThan(row.grain)));
    }
  }
  return [...hours, ...(await readBlocks(em, request, finer, sink))];
}

/** Adds the events of these hours, one by one. */
export async function readEvents(
  em: EntityManager,
  request: UsageRequest,
  hours: readonly number[],
  sink: UsageSink,
): Promise<void> {
  const spans = hours.map((hour) => ({
    from: Math.max(hour * HOUR_MS, request.from),
    to: Math.min((hour + 1) * HOUR_MS, request.to),
  }));
  for (const { metric, event } of await eventsWithin(em, request, request.metrics, spans)) {
    const partial = partialOf(metric.aggregation, event);
    sink.add(metric.id, dimensionsKey(event.dimensions), partial, partOf(sink.bounds, event.at));
  }
}

/** How many of the ascending bounds lie at or before an instant. */
function partOf(bounds: readonly number[], at: number): number {
  const next = bounds.findIndex((bound) => bound > at);
  return next === -1 ? bounds.length : next;
}

interface BucketRow {
  readonly metric_id: string | null;
  readonly dimensions: string;
  readonly part: number;
  readonly events_count: string;
  readonly sum: string;
  readonly moment: string;
  readonly precise: string;
  readonly max: string | null;
  readonly latest_value: string | null;
  readonly latest_ms: number | null;
  readonly latest_sequence: string | null;
  readonly grain: Grain;
  readonly touched_ms: number;
}

const BUCKET_COLUMNS = `metric_id, bucket_at, dimensions, events_count, sum, moment, precise_total_amount_cents, max,
  latest_value, latest_at, latest_sequence, max_sequence`;

function partialOfBucket(row: BucketRow): PartialAggregate {
  return {
    ...EMPTY_PARTIAL,
    eventsCount: Number(row.events_count),
    sum: new Decimal(row.sum),
    moment: new Decimal(row.moment),
    preciseTotalAmountCents: new Decimal(row.precise),
    max: row.max === null ? null : new Decimal(row.max),
    latest:
      row.latest_value === null || row.latest_ms === null
        ? null
        : {
            value: new Decimal(row.latest_value),
            at: instant(row.latest_ms),
            sequence: Number(row.latest_sequence),
          },
  };
}
