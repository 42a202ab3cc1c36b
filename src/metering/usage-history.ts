import type { MetricDefinition } from '../domain/catalog/billable-metric.js';
import type { Dimensions } from '../domain/catalog/charge-filter.js';
import { instant } from '../domain/calendar/instant.js';
import type { Operation } from '../domain/metering/metered-event.js';
import {
  EMPTY_PARTIAL,
  type LatestOperation,
  mergeAll,
  type PartialAggregate,
} from '../domain/metering/partial-aggregate.js';
import type { EntityManager } from '../platform/database/database.js';
import { plainArray } from './array-literal.js';
import { HOUR_MS, hourOf, isRolled } from './metered-row.js';
import { coveringBlocks, GRAINS } from './time-blocks.js';
import { type Edges, freeEdges, readBlocks, readEvents, type UsageSink, WITHOUT_CUTS } from './usage-blocks.js';
import { BEGINNING, instantArray, isUniqueCount, type UsageRequest } from './usage-range.js';

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

/** Whether the values of unique counts come along: there may be as many as there are events. */
export type Values = 'with values' | 'without values';

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
class Groups implements UsageSink {
  readonly bounds = [];
  private readonly byMetric = new Map<string, Map<string, PartialAggregate[]>>();

  add(metricId: string, dimensions: string, partial: PartialAggregate): void {
    let places = this.byMetric.get(metricId);
    if (places === undefined) this.byMetric.set(metricId, (places = new Map<string, PartialAggregate[]>()));
    const partials = places.get(dimensions);
    if (partials === undefined) places.set(dimensions, [partial]);
    else partials.push(partial);
  }

  /** The combinations of dimensions in which a metric has usage. */
  dimensionsOf(metricId: string): Iterable<string> {
    return this.byMetric.get(metricId)?.keys() ?? [];
  }

  /** Forgets what is known of a metric and takes what another reading knows. */
  replace(metricId: string, other: Groups): void {
    this.byMetric.set(metricId, other.byMetric.get(metricId) ?? new Map<string, PartialAggregate[]>());
  }

  partialOf(metricId: string, dimensions: string): PartialAggregate {
    const partials = this.byMetric.get(metricId)?.get(dimensions);
    return partials === undefined ? EMPTY_PARTIAL : mergeAll(partials);
  }
}
