import type { MetricDefinition } from '../domain/catalog/billable-metric.js';
import type { Dimensions } from '../domain/catalog/charge-filter.js';
import { instant, type Instant } from '../domain/calendar/instant.js';
import type { TimeZone } from '../domain/calendar/time-zone.js';
import { partialOf } from '../domain/metering/aggregate.js';
import { dimensionsKey, type MeteredEvent, type Operation } from '../domain/metering/metered-event.js';
import { meteredUnits, type MeteredUnits, proratedMeteredUnits } from '../domain/metering/metered-units.js';
import { proratedSum } from '../domain/metering/prorated-sum.js';
import { proratedUniqueCount } from '../domain/metering/prorated-unique-count.js';
import {
  EMPTY_PARTIAL,
  type LatestOperation,
  mergeAll,
  type PartialAggregate,
} from '../domain/metering/partial-aggregate.js';
import { Decimal, ZERO } from '../domain/money/decimal.js';
import type { EntityManager } from '../platform/database/database.js';
import { plainArray, textArray } from './array-literal.js';
import { HOUR_MS, hourOf, meterForStore } from './metered-row.js';

/** Usage of one subscription over a half-open range of event time; with a cutoff, as it was known at that sequence. */
export interface UsageRange {
  readonly organizationId: string;
  readonly externalSubscriptionId: string;
  readonly from: Instant;
  readonly to: Instant;
  readonly cutoffSequence?: number;
}

export interface UsageRequest extends UsageRange {
  readonly metrics: readonly MetricDefinition[];
}

/** How far the single events of a slice are read. */
export interface TransactionBounds {
  /** At most so many. */
  readonly limit?: number;
  /** Ends behind the first value with which the running total is above this. */
  readonly enough?: Decimal;
}

/** What the per-event rules of one charge ask for: the slices whose events they look at. */
export interface TransactionsRequest {
  readonly metric: MetricDefinition;
  /** As in `SliceRequest`. */
  readonly sliceOf: (dimensions: Dimensions) => string;
  readonly slices: ReadonlyMap<string, TransactionBounds>;
}

export interface UsageGroup {
  readonly dimensions: Dimensions;
  readonly partial: PartialAggregate;
  /** Of all that came before the range; empty unless the metric recurs. */
  readonly carried: PartialAggregate;
}

/** A range with what weighs usage by time. */
export interface WeighedRange extends UsageRange {
  readonly zone: TimeZone;
  /** Days of the full period. */
  readonly periodDays: number;
}

/** What one charge asks for: the usage of its metric, cut into slices, each of which is rated by itself. */
export interface SliceRequest {
  readonly metric: MetricDefinition;
  /** Names the slice that usage with these dimensions belongs to: `chargeSlice(charge, dimensions).key`. */
  readonly sliceOf: (dimensions: Dimensions) => string;
  /** Weighs the units of a recurring metric by the days on which they are there. */
  readonly prorated?: boolean;
}

export interface UsageSlice {
  readonly slice: string;
  /** Of some usage in it: what all of a slice has in common can be read off. */
  readonly dimensions: Dimensions;
  readonly usage: MeteredUnits;
}

const FIRST_PAGE = 500;
const LARGEST_PAGE = 10_000;

/**
 * Reads usage from the hourly aggregates: what it costs depends on the hours of the range, not on the events in them.
 *
 * Single events are read only of hours that the aggregates cannot answer for: an hour which the range cuts while events lie
 * on the other side of the cut, and an hour to which something was added behind the cutoff.
 */
export class UsageReader {
  /**
   * The usage of charges, slice by slice, ready to be rated; the answers stand in the order of the requests. A slice without
   * usage is absent: nothing happened in the range and, for a recurring metric, nothing is carried into it.
   */
  async slices(em: EntityManager, range: WeighedRange, requests: readonly SliceRequest[]): Promise<UsageSlice[][]> {
    const metrics = [...new Map(requests.map(({ metric }) => [metric.id, metric])).values()];
    const groups = await this.read(em, { ...range, metrics });
    const prorated = requests.filter((request) => request.prorated === true);
    const events = await this.eventsOfMetrics(em, range, [...new Set(prorated.map(({ metric }) => metric))]);
    return requests.map((request) => {
      const slices = sliced(groups.get(request.metric.id) ?? [], request.sliceOf);
      const weighed = request.prorated === true ? bySlice(events.get(request.metric.id) ?? [], request.sliceOf) : null;
      return slices.map(({ slice, dimensions, partial, carried }) => {
        const history = { partial, carried };
        if (weighed === null) return { slice, dimensions, usage: meteredUnits(request.metric, history, range) };
        const weigh = request.metric.aggregation === 'unique_count_agg' ? proratedUniqueCount : proratedSum;
        const known = weighed.get(slice) ?? [];
        const units = weigh(request.metric.recurring ? known : known.filter(({ at }) => at >= range.from), range);
        return { slice, dimensions, usage: proratedMeteredUnits(request.metric, units, history) };
      });
    });
  }

  /**
   * Per metric, the usage of every combination of dimensions that has any in the range or, if the metric recurs, before it.
   * A metric without usage is absent.
   */
  async read(em: EntityManager, request: UsageRequest): Promise<Map<string, UsageGroup[]>> {
    const inside = await this.readRange(em, request);
    const recurring = request.metrics.filter((metric) => metric.recurring);
    const history = { ...request, metrics: recurring, from: BEGINNING, to: request.from };
    const before = recurring.length === 0 ? new Groups() : await this.readRange(em, history);
    const found = new Map<string, UsageGroup[]>();
    for (const { metricId, dimensions } of [...inside.places(), ...before.places(inside)]) {
      const partial = inside.partialOf(metricId, dimensions);
      const group = { dimensions: parsed(dimensions), partial, carried: before.partialOf(metricId, dimensions) };
      const others = found.get(metricId);
      if (others === undefined) found.set(metricId, [group]);
      else others.push(group);
    }
    return found;
  }

  private async readRange(em: EntityManager, request: UsageRequest): Promise<Groups> {
    const groups = new Groups();
    if (request.metrics.length === 0 || request.from >= request.to) return groups;
    const rawHours = await this.readBuckets(em, request, groups);
    const uniqueMetrics = request.metrics.filter((metric) => metric.aggregation === 'unique_count_agg');
    if (uniqueMetrics.length > 0) await this.readUniqueValues(em, request, uniqueMetrics, rawHours, groups);
    if (rawHours.length > 0) await this.readEvents(em, request, rawHours, groups);
    return groups;
  }

  /** Per metric, all counted events up to the end of the range; of what recurs also those before it. One reading for all. */
  private async eventsOfMetrics(
    em: EntityManager,
    range: UsageRange,
    metrics: readonly MetricDefinition[],
  ): Promise<Map<string, MeteredEvent[]>> {
    const events = new Map<string, MeteredEvent[]>(metrics.map(({ id }) => [id, []]));
    if (metrics.length === 0) return events;
    const byCode = new Map(metrics.map((metric) => [metric.code, metric]));
    const rows = await em.execute<EventRow[]>(
      `select (extract(epoch from "timestamp") * 1000)::float8 as at_ms, ingest_sequence::text, code, properties,
              precise_total_amount_cents::text as precise
         from events
        where organization_id = ? and external_subscription_id = ? and "timestamp" >= ?::timestamptz
          and "timestamp" < ?::timestamptz and code = any(?::text[]) and ingest_sequence <= ?::bigint`,
      [
        range.organizationId,
        range.externalSubscriptionId,
        isoInstant(metrics.some(({ recurring }) => recurring) ? BEGINNING : range.from),
        isoInstant(range.to),
        textArray([...byCode.keys()]),
        cutoffOf(range),
      ],
    );
    for (const row of rows) {
      const metric = byCode.get(row.code)!;
      const event = eventOf(metric, row);
      if (event.counted) events.get(metric.id)!.push(event);
    }
    return events;
  }

  /**
   * The values of the counted events of each slice in billing order (time, then arrival), as the per-event rules of percentage
   * prices need them; the answers stand in the order of the requests. One reading serves all of them, page by page, and ends
   * when every slice has what it asked for.
   */
  async transactions(
    em: EntityManager,
    range: UsageRange,
    requests: readonly TransactionsRequest[],
  ): Promise<Map<string, Decimal[]>[]> {
    const wanted = requests.map((request) => new WantedTransactions(request));
    let after: { at: number; sequence: string } = { at: range.from, sequence: '-1' };
    let page = Math.max(FIRST_PAGE, ...wanted.map((each) => Math.min(LARGEST_PAGE, each.largestLimit)));
    for (;;) {
      const open = wanted.filter((each) => !each.isComplete());
      if (open.length === 0) break;
      const rows = await em.execute<EventRow[]>(
        `select (extract(epoch from "timestamp") * 1000)::float8 as at_ms, ingest_sequence::text, code, properties,
                precise_total_amount_cents::text as precise
           from events
          where organization_id = ? and external_subscription_id = ? and "timestamp" >= to_timestamp(?::float8 / 1000)
            and "timestamp" < to_timestamp(?::float8 / 1000)
            and ("timestamp", ingest_sequence) > (to_timestamp(?::float8 / 1000), ?::bigint)
            and code = any(?::text[]) and ingest_sequence <= ?::bigint
          order by "timestamp", ingest_sequence
          limit ?::int`,
        [
          range.organizationId,
          range.externalSubscriptionId,
          after.at,
          range.to,
          after.at,
          after.sequence,
          textArray([...new Set(open.map(({ metric }) => metric.code))]),
          cutoffOf(range),
          page,
        ],
      );
      for (const each of open) each.take(rows);
      const last = rows.at(-1);
      if (rows.length < page || last === undefined) break;
      after = { at: last.at_ms, sequence: last.ingest_sequence };
      page = Math.min(LARGEST_PAGE, page * 4);
    }
    return wanted.map(({ values }) => values);
  }

  /** Adds what whole hours hold and returns the hours (since the epoch) that have to be read event by event. */
  private async readBuckets(em: EntityManager, request: UsageRequest, groups: Groups): Promise<number[]> {
    const { organizationId, externalSubscriptionId } = request;
    const outside = cutOff(request);
    const rows = await em.execute<BucketRow[]>(
      `with bucket as (
         select * from usage_buckets
          where organization_id = ? and external_subscription_id = ? and metric_id = any(?::uuid[])
            and bucket_at >= to_timestamp(?::float8 * 3600) and bucket_at < to_timestamp(?::float8 / 1000)
       ), raw as (
         select bucket_at as raw_at from bucket where max_sequence > ?::bigint
         union
         select hour from unnest(?::timestamptz[], ?::timestamptz[], ?::timestamptz[]) as edge (hour, first, last)
          where exists (
            select 1 from events where organization_id = ? and external_subscription_id = ?
               and "timestamp" >= first and "timestamp" < last
          )
       )
       select metric_id, dimensions, sum(events_count)::text as events_count, sum(sum)::text as sum,
              sum(moment)::text as moment, sum(precise_total_amount_cents)::text as precise, max(max)::text as max,
              (array_agg(latest_value order by latest_at desc, latest_sequence desc)
                filter (where latest_at is not null))[1]::text as latest_value,
              (extract(epoch from max(latest_at)) * 1000)::float8 as latest_ms,
              (array_agg(latest_sequence order by latest_at desc, latest_sequence desc)
                filter (where latest_at is not null))[1]::text as latest_sequence,
              null::float8 as raw_hour
         from bucket where bucket_at not in (select raw_at from raw)
        group by metric_id, dimensions
       union all
       select null, null, null, null, null, null, null, null, null, null, extract(epoch from raw_at)::float8 / 3600 from raw`,
      [
        organizationId,
        externalSubscriptionId,
        plainArray(request.metrics.map((metric) => metric.id)),
        hourOf(request.from),
        request.to,
        cutoffOf(request),
        instantArray(outside.map(({ hour }) => hour * HOUR_MS)),
        instantArray(outside.map(({ from }) => from)),
        instantArray(outside.map(({ to }) => to)),
        organizationId,
        externalSubscriptionId,
      ],
    );
    const rawHours: number[] = [];
    for (const row of rows) {
      if (row.metric_id === null) rawHours.push(Math.round(row.raw_hour));
      else groups.add(row.metric_id, row.dimensions, partialOfBucket(row));
    }
    return rawHours;
  }

  private async readUniqueValues(
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

  private async readEvents(
    em: EntityManager,
    request: UsageRequest,
    hours: readonly number[],
    groups: Groups,
  ): Promise<void> {
    const metrics = new Map(request.metrics.map((metric) => [metric.code, metric]));
    const rows = await em.execute<EventRow[]>(
      `select (extract(epoch from "timestamp") * 1000)::float8 as at_ms, ingest_sequence::text, code, properties,
              precise_total_amount_cents::text as precise
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
  readonly raw_hour: number;
}

interface UniqueRow {
  readonly metric_id: string;
  readonly dimensions: string;
  readonly value: string;
  readonly at_ms: number;
  readonly last_sequence: string;
  readonly last_operation: Operation;
}

interface EventRow {
  readonly at_ms: number;
  readonly ingest_sequence: string;
  readonly code: string;
  readonly properties: Record<string, unknown>;
  readonly precise: string | null;
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

  /** Where there is any usage; without the places that the other one has. */
  places(except?: Groups): { metricId: string; dimensions: string }[] {
    return [...this.partials].filter(([key]) => !except?.partials.has(key)).map(([, place]) => place);
  }

  partialOf(metricId: string, dimensions: string): PartialAggregate {
    const group = this.partials.get(`${metricId}${dimensions}`);
    return group === undefined ? EMPTY_PARTIAL : mergeAll(group.partials);
  }
}

/** Collects the transactions of one charge, slice by slice, until each has what it asked for. */
class WantedTransactions {
  readonly metric: MetricDefinition;
  readonly values = new Map<string, Decimal[]>();
  /** The total so far of each slice that asks for more. */
  private readonly open = new Map<string, Decimal>();
  private readonly slices: (event: MeteredEvent) => string;

  constructor(private readonly request: TransactionsRequest) {
    this.metric = request.metric;
    this.slices = remembered(request.sliceOf);
    for (const [slice, { limit }] of request.slices) {
      this.values.set(slice, []);
      if (limit !== 0) this.open.set(slice, ZERO);
    }
  }

  get largestLimit(): number {
    return Math.max(0, ...Array.from(this.request.slices.values(), ({ limit }) => limit ?? 0));
  }

  isComplete(): boolean {
    return this.open.size === 0;
  }

  take(rows: readonly EventRow[]): void {
    for (const row of rows) {
      if (this.isComplete()) return;
      if (row.code !== this.metric.code) continue;
      const event = eventOf(this.metric, row);
      if (event.counted) this.add(this.slices(event), event.value ?? ZERO);
    }
  }

  private add(slice: string, value: Decimal): void {
    const before = this.open.get(slice);
    if (before === undefined) return;
    const { limit, enough } = this.request.slices.get(slice)!;
    const values = this.values.get(slice)!;
    const total = before.plus(value);
    values.push(value);
    if (values.length === limit || (enough !== undefined && total.greaterThan(enough))) this.open.delete(slice);
    else this.open.set(slice, total);
  }
}

function bySlice(events: readonly MeteredEvent[], sliceOf: SliceRequest['sliceOf']): Map<string, MeteredEvent[]> {
  const nameOf = remembered(sliceOf);
  const slices = new Map<string, MeteredEvent[]>();
  for (const event of events) {
    const slice = nameOf(event);
    const others = slices.get(slice);
    if (others === undefined) slices.set(slice, [event]);
    else others.push(event);
  }
  return slices;
}

/** Events are many and their dimensions few: a slice is looked for once per dimensions. */
function remembered(sliceOf: SliceRequest['sliceOf']): (event: MeteredEvent) => string {
  const known = new Map<string, string>();
  return ({ dimensions }) => {
    const key = dimensionsKey(dimensions);
    const slice = known.get(key) ?? sliceOf(dimensions);
    known.set(key, slice);
    return slice;
  };
}

function parsed(dimensions: string): Dimensions {
  return JSON.parse(dimensions) as Dimensions;
}

function sliced(groups: readonly UsageGroup[], sliceOf: SliceRequest['sliceOf']) {
  const slices = new Map<string, UsageGroup[]>();
  for (const group of groups) {
    const slice = sliceOf(group.dimensions);
    const others = slices.get(slice);
    if (others === undefined) slices.set(slice, [group]);
    else others.push(group);
  }
  return Array.from(slices, ([slice, members]) => ({
    slice,
    dimensions: members[0]!.dimensions,
    partial: mergeAll(members.map(({ partial }) => partial)),
    carried: mergeAll(members.map(({ carried }) => carried)),
  }));
}

/**
 * An array of timestamps. Computing them in SQL from the rows of `unnest` would cost the index: under row-level security
 * only comparisons known to leak nothing are let near the rows of `events`, and `to_timestamp` is not one of them.
 */
function instantArray(milliseconds: readonly number[]): string {
  return plainArray(milliseconds.map(isoInstant));
}

const isoInstant = (at: number): string => new Date(at).toISOString().replace(/^\+0*/, '');

/** Nothing can have happened before: the earliest time that an event may have. */
const BEGINNING = instant(-62_135_596_800_000);

/** The parts of the first and the last hour that lie outside of the range. */
function cutOff({ from, to }: UsageRange): { hour: number; from: number; to: number }[] {
  const first = hourOf(from);
  const last = hourOf(to);
  return [
    { hour: first, from: first * HOUR_MS, to: from as number },
    { hour: last, from: to as number, to: (last + 1) * HOUR_MS },
  ].filter((outside) => outside.from < outside.to && outside.to - outside.from < HOUR_MS);
}

/** Without a cutoff everything counts: no sequence is beyond the largest. */
function cutoffOf({ cutoffSequence }: UsageRange): string {
  return cutoffSequence === undefined ? '9223372036854775807' : String(cutoffSequence);
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

function eventOf(metric: MetricDefinition, row: EventRow): MeteredEvent {
  return meterForStore(metric, {
    timestamp: instant(Math.round(row.at_ms)),
    properties: row.properties,
    preciseTotalAmountCents: row.precise === null ? null : new Decimal(row.precise),
    sequence: Number(row.ingest_sequence),
  });
}
