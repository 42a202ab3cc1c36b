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
import { HOUR_MS, hourOf, isRolled, meterForStore } from './metered-row.js';
import { coveringBlocks, endOf, finerThan, type Grain, GRAINS, startOf, type TimeBlock } from './time-blocks.js';

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
 * Reads usage from the aggregates: what it costs depends on the hours of the range, or for metrics with groups or a history
 * on its months, days and hours, and not on the events in them.
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
    const reading = await this.readHistory(em, { ...range, metrics }, 'without values');
    const uncounted = metrics.filter(isUniqueCount);
    const current = uncounted.length > 0 && (await this.isCurrent(em, range, uncounted, reading));
    if (uncounted.length > 0 && !current) await this.addValues(em, range, uncounted, reading);
    const presence = current ? await this.presence(em, range, uncounted, reading) : null;
    const weighed = requests.filter((request) => request.prorated === true);
    const events = await this.eventsOfMetrics(em, range, [...new Set(weighed.map(({ metric }) => metric))]);
    const slicings = requests.map((request) => sliced(reading.groups(request.metric.id), request.sliceOf));
    // Weighed ones are counted from their events.
    const counted = slicings
      .map((slices, index) => ({ metric: requests[index]!.metric, slices }))
      .filter(({ metric }, index) => isUniqueCount(metric) && requests[index]!.prorated !== true);
    const present = presence === null ? null : await this.presentIn(em, range, counted, presence);
    return requests.map((request, index) => {
      const { metric } = request;
      const prorated = request.prorated === true ? bySlice(events.get(metric.id) ?? [], request.sliceOf) : null;
      return slicings[index]!.map((one) => {
        const { slice, dimensions, partial, carried } = one;
        const known = present?.get(one);
        const history = { partial, carried, ...(known === undefined ? {} : { present: known }) };
        if (prorated === null) return { slice, dimensions, usage: meteredUnits(metric, history, range) };
        const weigh = isUniqueCount(metric) ? proratedUniqueCount : proratedSum;
        const weighable = prorated.get(slice) ?? [];
        const units = weigh(metric.recurring ? weighable : weighable.filter((event) => event.at >= range.from), range);
        return { slice, dimensions, usage: proratedMeteredUnits(metric, units, history) };
      });
    });
  }

  /**
   * Per metric, the usage of every combination of dimensions that has any in the range or, if the metric recurs, before it.
   * A metric without usage is absent.
   */
  async read(em: EntityManager, request: UsageRequest): Promise<Map<string, UsageGroup[]>> {
    const reading = await this.readHistory(em, request, 'with values');
    const found = new Map<string, UsageGroup[]>();
    for (const metric of request.metrics) {
      const groups = reading.groups(metric.id);
      if (groups.length > 0) found.set(metric.id, groups);
    }
    return found;
  }

  private async readHistory(em: EntityManager, request: UsageRequest, values: Values): Promise<Reading> {
    const recurring = { ...request, metrics: request.metrics.filter((metric) => metric.recurring) };
    const before = { ...recurring, from: BEGINNING, to: request.from };
    return new Reading(await this.readRange(em, request, values), await this.readRange(em, before, values));
  }

  private async readRange(em: EntityManager, request: UsageRequest, values: Values): Promise<RangeReading> {
    const groups = new Groups();
    const reading: RangeReading = { groups, edges: WITHOUT_CUTS, isBehindCutoff: false };
    if (request.metrics.length === 0 || request.from >= request.to) return reading;
    const edges = await this.edges(em, request);
    const kinds = [request.metrics.filter(isRolled), request.metrics.filter((metric) => !isRolled(metric))];
    let isBehindCutoff = false;
    for (const [kind, metrics] of kinds.entries()) {
      if (metrics.length === 0) continue;
      const part = { ...request, metrics };
      const blocks =
        kind === 0
          ? coveringBlocks(edges.from, edges.to, GRAINS)
          : coveringBlocks(edges.fromHour, edges.toHour, ['hour']);
      const touched = await this.readBlocks(em, part, blocks, groups);
      if (touched.length > 0) isBehindCutoff = true;
      const rawHours = [...touched, ...edges.cut.map(hourOf)];
      const unique = metrics.filter(isUniqueCount);
      if (values === 'with values' && unique.length > 0) {
        await this.readUniqueValues(em, part, unique, rawHours, groups);
      }
      if (rawHours.length > 0) await this.readEvents(em, part, rawHours, groups);
    }
    return { groups, edges, isBehindCutoff };
  }

  /**
   * How far the range may be widened without taking in an event: to whole months, days or hours. An hour on whose other side
   * there are events is cut, and left to be read event by event.
   */
  private async edges(em: EntityManager, range: UsageRange): Promise<Edges> {
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
   * Whether nothing is stored that the range does not see: then the last operations over all time are those of the range's
   * end, and unique counts need not look at values.
   */
  private async isCurrent(
    em: EntityManager,
    range: UsageRange,
    metrics: readonly MetricDefinition[],
    { inside, before }: Reading,
  ): Promise<boolean> {
    if (inside.isBehindCutoff || before.isBehindCutoff || inside.edges.isCutAfter) return false;
    // Whether a cut hour holds something behind the cutoff is not known.
    if (range.cutoffSequence !== undefined && inside.edges.isCutBefore) return false;
    const { organizationId, externalSubscriptionId } = range;
    const [row] = await em.execute<{ later: boolean }[]>(
      `select exists (select from usage_buckets where organization_id = ? and external_subscription_id = ?
         and metric_id = any(?::uuid[]) and bucket_at >= ?::timestamptz) as later`,
      [organizationId, externalSubscriptionId, idsOf(metrics), isoInstant(inside.edges.toHour)],
    );
    return row?.later === false;
  }

  /** Values present at the end of a current range, by metric and dimensions. */
  private async presence(
    em: EntityManager,
    range: UsageRange,
    metrics: readonly MetricDefinition[],
    { inside: { edges } }: Reading,
  ): Promise<ReadonlyMap<string, number>> {
    const { organizationId, externalSubscriptionId, from } = range;
    const place = [organizationId, externalSubscriptionId];
    const recurring = idsOf(metrics.filter((metric) => metric.recurring));
    const others = idsOf(metrics.filter((metric) => !metric.recurring));
    const rows = await em.execute<{ metric_id: string; dimensions: string; present: string }[]>(
      `select metric_id, dimensions, present::text from usage_presence
        where organization_id = ? and external_subscription_id = ? and metric_id = any(?::uuid[]) and since_at = '-infinity'
       union all
       select metric_id, dimensions, sum(present)::text from usage_presence
        where organization_id = ? and external_subscription_id = ? and metric_id = any(?::uuid[])
          and since_at >= ?::timestamptz
        group by metric_id, dimensions`,
      [...place, recurring, ...place, others, isoInstant(edges.fromHour)],
    );
    if (edges.isCutBefore) {
      // Of the hour that the start cuts, the values that came to be present behind the cut.
      const cut = await em.execute<{ metric_id: string; dimensions: string; present: string }[]>(
        `select last.metric_id, last.dimensions, count(*)::text as present
           from usage_unique_values as touched
           join usage_values as last using (organization_id, external_subscription_id, metric_id, dimensions, value)
          where touched.organization_id = ? and touched.external_subscription_id = ?
            and touched.metric_id = any(?::uuid[]) and touched.bucket_at = ?::timestamptz
            and last.last_operation = 'add' and last.last_at >= ?::timestamptz and last.last_at < ?::timestamptz
          group by last.metric_id, last.dimensions`,
        [...place, others, isoInstant(startOf('hour', from)), isoInstant(from), isoInstant(endOf('hour', from))],
      );
      rows.push(...cut);
    }
    const presence = new Map<string, number>();
    for (const { metric_id: metricId, dimensions, present } of rows) {
      const key = `${metricId}${dimensions}`;
      presence.set(key, (presence.get(key) ?? 0) + Number(present));
    }
    return presence;
  }

  /**
   * How many values are present in each slice. A value counts once in a slice, in however many combinations of dimensions it
   * was seen; the last operation decides. One statement for all slices of several combinations.
   */
  private async presentIn(
    em: EntityManager,
    { organizationId, externalSubscriptionId, from }: UsageRange,
    asked: readonly { readonly metric: MetricDefinition; readonly slices: readonly SlicedUsage[] }[],
    presence: ReadonlyMap<string, number>,
  ): Promise<ReadonlyMap<SlicedUsage, number>> {
    const present = new Map<SlicedUsage, number>();
    // Slices of the same combinations hold the same values, whichever charge asks.
    const mixed = new Map<string, { metric: MetricDefinition; alike: SlicedUsage[] }>();
    for (const { metric, slices } of asked) {
      for (const slice of slices) {
        const [only] = slice.members;
        if (slice.members.length === 1) present.set(slice, presence.get(`${metric.id}${only!}`) ?? 0);
        else {
          const key = JSON.stringify([metric.id, ...slice.members]);
          const known = mixed.get(key);
          if (known === undefined) mixed.set(key, { metric, alike: [slice] });
          else known.alike.push(slice);
        }
      }
    }
    if (mixed.size === 0) return present;
    const kinds = [...mixed.values()];
    const places = kinds.flatMap(({ metric, alike }, index) =>
      alike[0]!.members.map((dimensions) => ({ index, metric, dimensions })),
    );
    const rows = await em.execute<{ place: number; present: string }[]>(
      `select place, count(*)::text as present from (
         select distinct on (place, value) place, since, last_operation, last_at
           from unnest(?::int[], ?::uuid[], ?::text[], ?::timestamptz[]) as member (place, metric_id, dimensions, since)
           join usage_values using (metric_id, dimensions)
          where organization_id = ? and external_subscription_id = ?
          order by place, value, last_at desc, last_sequence desc
       ) as last where last_operation = 'add' and last_at >= since group by place`,
      [
        plainArray(places.map(({ index }) => index)),
        plainArray(places.map(({ metric }) => metric.id)),
        textArray(places.map(({ dimensions }) => dimensions)),
        plainArray(places.map(({ metric }) => (metric.recurring ? '-infinity' : isoInstant(from)))),
        organizationId,
        externalSubscriptionId,
      ],
    );
    const counts = new Map(rows.map((row) => [row.place, Number(row.present)]));
    for (const [place, { alike }] of kinds.entries()) {
      for (const slice of alike) present.set(slice, counts.get(place) ?? 0);
    }
    return present;
  }

  /** For a range that is not current: the values themselves, in place of what was read without them. */
  private async addValues(
    em: EntityManager,
    range: UsageRange,
    metrics: readonly MetricDefinition[],
    reading: Reading,
  ): Promise<void> {
    const { inside, before } = await this.readHistory(em, { ...range, metrics }, 'with values');
    for (const { id } of metrics) {
      reading.inside.groups.replace(id, inside.groups);
      reading.before.groups.replace(id, before.groups);
    }
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

  /** Adds what the blocks hold and returns the hours (since the epoch) of them that something was added to behind the cutoff. */
  private async readBlocks(
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
    return [...hours, ...(await this.readBlocks(em, request, finer, groups))];
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
  readonly grain: Grain;
  readonly touched_ms: number;
}

const BUCKET_COLUMNS = `metric_id, bucket_at, dimensions, events_count, sum, moment, precise_total_amount_cents, max,
  latest_value, latest_at, latest_sequence, max_sequence`;

/** Whether the values of unique counts come along: there may be as many as there are events. */
type Values = 'with values' | 'without values';

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

/** What there is in a range, and before it of the metrics that recur. */
class Reading {
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

interface SlicedUsage {
  readonly slice: string;
  /** Of one of the members. */
  readonly dimensions: Dimensions;
  /** The combinations of dimensions it consists of, as they are stored. */
  readonly members: readonly string[];
  readonly partial: PartialAggregate;
  readonly carried: PartialAggregate;
}

function sliced(groups: readonly UsageGroup[], sliceOf: SliceRequest['sliceOf']): SlicedUsage[] {
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
    members: members.map(({ dimensions }) => dimensionsKey(dimensions)),
    partial: mergeAll(members.map(({ partial }) => partial)),
    carried: mergeAll(members.map(({ carried }) => carried)),
  }));
}

const isUniqueCount = (metric: MetricDefinition): boolean => metric.aggregation === 'unique_count_agg';

function idsOf(metrics: readonly MetricDefinition[]): string {
  return plainArray(metrics.map((metric) => metric.id));
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
