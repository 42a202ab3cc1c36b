import type { MetricDefinition } from '../domain/catalog/billable-metric.js';
import type { Dimensions } from '../domain/catalog/charge-filter.js';
import { instant } from '../domain/calendar/instant.js';
import { partialOf } from '../domain/metering/aggregate.js';
import { dimensionsKey, type Operation } from '../domain/metering/metered-event.js';
import {
  EMPTY_PARTIAL,
  type LatestOperation,
  mergeAll,
  type PartialAggregate,
} from '../domain/metering/partial-aggregate.js';
import { Decimal } from '../domain/money/decimal.js';
import type { EntityManager } from '../platform/database/database.js';
import { plainArray, textArray } from './array-literal.js';
import { EVENT_COLUMNS, eventOf, type EventRow } from './event-rows.js';
import { HOUR_MS, hourOf, isRolled } from './metered-row.js';
import { coveringBlocks, endOf, finerThan, type Grain, GRAINS, startOf, type TimeBlock } from './time-blocks.js';
import {
  BEGINNING,
  cutoffOf,
  idsOf,
  instantArray,
  isoInstant,
  isUniqueCount,
  type UsageRange,
  type UsageRequest,
} from './usage-range.js';

export interface UsageGroup {
  readonly dimensions: Dimensions;
  readonly partial: PartialAggregate;
  /** Of all that came before the range; empty unless the metric recurs. */
  readonly carried: PartialAggregate;
}

/** What there is in a range and, of the metrics that recur, before it. */
export async function readHistory(em: EntityManager, request: UsageRequest, values: Values): Promise<Reading> {
  const recurring = { ...request, metrics: request.metrics.filter((metric) => metric.recurring) };
  const before = { ...recurring, from: BEGINNING, to: request.from };
  return new Reading(await readRange(em, request, values), await readRange(em, before, values));
}

export class Reading {
  constructor(
    readonly inside: RangeReading,
    readonly before: RangeReading,
  ) {}

  groups(metricId: string): UsageGroup[] {
    const inside = this.inside.groups;
    const before = this.before.groups;
    const places = new Set([...inside.dimensionsOf(metricId), ...before.dimensionsOf(metricId)]);
    return Array.from(places, (dimensions) => ({
      dimensions: JSON.parse(dimensions) as Dimensions,
      partial: inside.partialOf(metricId, dimensions),
      carried: before.partialOf(metricId, dimensions),
    }));
  }
}

async function readRange(em: EntityManager, request: UsageRequest, values: Values): Promise<RangeReading> {
  const groups = new Groups();
  const reading: RangeReading = { groups, edges: WITHOUT_CUTS, isBehindCutoff: false };
  if (request.metrics.length === 0 || request.from >= request.to) return reading;
  const edges = await freeEdges(em, request);
  const kinds = [request.metrics.filter(isRolled), request.metrics.filter((metric) => !isRolled(metric))];
  let isBehindCutoff = false;
  for (const [kind, metrics] of kinds.entries()) {
    if (metrics.length === 0) continue;
    const part = { ...request, metrics };
    const blocks =
      kind === 0
        ? coveringBlocks(edges.from, edges.to, GRAINS)
        : coveringBlocks(edges.fromHour, edges.toHour, ['hour']);
    const touched = await readBlocks(em, part, blocks, groups);
    if (touched.length > 0) isBehindCutoff = true;
    const rawHours = [...touched, ...edges.cut.map(hourOf)];
    const unique = metrics.filter(isUniqueCount);
    if (values === 'with values' && unique.length > 0) {
      await readUniqueValues(em, part, unique, rawHours, groups);
    }
    if (rawHours.length > 0) await readEvents(em, part, rawHours, groups);
  }
  return { groups, edges, isBehindCutoff };
}

/**
 * How far the range may be widened without taking in an event: to whole months, days or hours. An hour on whose other side
 * there are events is cut, and left to be read event by event.
 */
async function freeEdges(em: EntityManager, range: UsageRange): Promise<Edges> {
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

/** Adds what the blocks hold and returns the hours (since the epoch) of them that something was added to behind the cutoff. */
async function readBlocks(
  em: EntityManager,
  request: UsageRequest,
  blocks: readonly TimeBlock[],
  groups: Groups,
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
  const rows = await em.execute<BucketRow[]>(
    `with bucket as (${parts.join(' union all ')}),
     touched as (select distinct grain, bucket_at from bucket where max_sequence > ?::bigint)
     select metric_id, dimensions, sum(events_count)::text as events_count, sum(sum)::text as sum,
            sum(moment)::text as moment, sum(precise_total_amount_cents)::text as precise, max(max)::text as max,
            (array_agg(latest_value order by latest_at desc, latest_sequence desc)
              filter (where latest_at is not null))[1]::text as latest_value,
            (extract(epoch from max(latest_at)) * 1000)::float8 as latest_ms,
            (array_agg(latest_sequence order by latest_at desc, latest_sequence desc)
              filter (where latest_at is not null))[1]::text as latest_sequence,
            null as grain, null::float8 as touched_ms
       from bucket where (grain, bucket_at) not in (select grain, bucket_at from touched)
      group by metric_id, dimensions
     union all
     select null, null, null, null, null, null, null, null, null, null, grain,
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
    ],
  );
  const hours: number[] = [];
  const finer: TimeBlock[] = [];
  for (const row of rows) {
    if (row.metric_id !== null) groups.add(row.metric_id, row.dimensions, partialOfBucket(row));
    else if (row.grain === 'hour') hours.push(hourOf(Math.round(row.touched_ms)));
    else {
      const from = Math.round(row.touched_ms);
      finer.push(...coveringBlocks(from, endOf(row.grain, from), finerThan(row.grain)));
    }
  }
  return [...hours, ...(await readBlocks(em, request, finer, groups))];
}

async function readUniqueValues(
  em: EntityManager,
  request: UsageRequest,
  metrics: readonly MetricDefinition[],
  rawHours: readonly number[],
  groups: Groups,
): Promise<void> {
  const rows = await em.execute<UniqueRow[]>(
    `select distinct on (metric_id, dimensions, value) metric_id, dimensions, value,
            (extract(epoch from last_at) * 1000)::float8 as at_ms, last_sequence::text, last_operation
       from usage_unique_values
      where organization_id = ? and external_subscription_id = ? and metric_id = any(?::uuid[])
        and bucket_at >= to_timestamp(?::float8 * 3600) and bucket_at < to_timestamp(?::float8 / 1000)
        and bucket_at <> all(?::timestamptz[])
      order by metric_id, dimensions, value, last_at desc, last_sequence desc`,
    [
      request.organizationId,
      request.externalSubscriptionId,
      plainArray(metrics.map((metric) => metric.id)),
      hourOf(request.from),
      request.to,
      instantArray(rawHours.map((hour) => hour * HOUR_MS)),
    ],
  );
  const uniques = new Map<string, { metricId: string; dimensions: string; values: Map<string, LatestOperation> }>();
  for (const row of rows) {
    const key = `${row.metric_id}${row.dimensions}`;
    let group = uniques.get(key);
    if (group === undefined) {
      group = { metricId: row.metric_id, dimensions: row.dimensions, values: new Map() };
      uniques.set(key, group);
    }
    const operation = { at: instant(row.at_ms), sequence: Number(row.last_sequence), operation: row.last_operation };
    group.values.set(row.value, operation);
  }
  for (const { metricId, dimensions, values } of uniques.values()) {
    groups.add(metricId, dimensions, { ...EMPTY_PARTIAL, uniques: values });
  }
}

async function readEvents(
  em: EntityManager,
  request: UsageRequest,
  hours: readonly number[],
  groups: Groups,
): Promise<void> {
  const metrics = new Map(request.metrics.map((metric) => [metric.code, metric]));
  const rows = await em.execute<EventRow[]>(
    `select ${EVENT_COLUMNS}
       from unnest(?::timestamptz[], ?::timestamptz[]) as hour (first, last)
       join events on organization_id = ? and external_subscription_id = ?
        and "timestamp" >= first and "timestamp" < last
      where code = any(?::text[]) and ingest_sequence <= ?::bigint`,
    [
      instantArray(hours.map((hour) => Math.max(hour * HOUR_MS, request.from))),
      instantArray(hours.map((hour) => Math.min((hour + 1) * HOUR_MS, request.to))),
      request.organizationId,
      request.externalSubscriptionId,
      textArray([...metrics.keys()]),
      cutoffOf(request),
    ],
  );
  for (const row of rows) {
    const metric = metrics.get(row.code)!;
    const event = eventOf(metric, row);
    if (event.counted) groups.add(metric.id, dimensionsKey(event.dimensions), partialOf(metric.aggregation, event));
  }
}

interface BucketRow {
  readonly metric_id: string | null;
  readonly dimensions: string;
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

/** Whether the values of unique counts come along: there may be as many as there are events. */
export type Values = 'with values' | 'without values';

/** A range widened to whole blocks, in epoch milliseconds; the hours in `cut` are left to be read event by event. */
interface Edges {
  readonly from: number;
  readonly to: number;
  /** The same for metrics that have hours only. */
  readonly fromHour: number;
  readonly toHour: number;
  readonly cut: readonly number[];
  readonly isCutBefore: boolean;
  readonly isCutAfter: boolean;
}

const WITHOUT_CUTS: Edges = {
  from: 0,
  to: 0,
  fromHour: 0,
  toHour: 0,
  cut: [],
  isCutBefore: false,
  isCutAfter: false,
};

interface RangeReading {
  readonly groups: Groups;
  readonly edges: Edges;
  /** Something was stored in the range behind the cutoff. */
  readonly isBehindCutoff: boolean;
}

interface UniqueRow {
  readonly metric_id: string;
  readonly dimensions: string;
  readonly value: string;
  readonly at_ms: number;
  readonly last_sequence: string;
  readonly last_operation: Operation;
}

/** Partials by metric and dimensions, merged once at the end. */
class Groups {
  private readonly partials = new Map<string, { metricId: string; dimensions: string; partials: PartialAggregate[] }>();

  add(metricId: string, dimensions: string, partial: PartialAggregate): void {
    const key = `${metricId}${dimensions}`;
    const group = this.partials.get(key);
    if (group === undefined) this.partials.set(key, { metricId, dimensions, partials: [partial] });
    else group.partials.push(partial);
  }

  /** The combinations of dimensions in which a metric has usage. */
  dimensionsOf(metricId: string): string[] {
    return [...this.partials.values()].filter((place) => place.metricId === metricId).map((place) => place.dimensions);
  }

  /** Forgets what is known of a metric and takes what another reading knows. */
  replace(metricId: string, other: Groups): void {
    for (const [key, place] of this.partials) if (place.metricId === metricId) this.partials.delete(key);
    for (const [key, place] of other.partials) if (place.metricId === metricId) this.partials.set(key, place);
  }

  partialOf(metricId: string, dimensions: string): PartialAggregate {
    const group = this.partials.get(`${metricId}${dimensions}`);
    return group === undefined ? EMPTY_PARTIAL : mergeAll(group.partials);
  }
}

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
