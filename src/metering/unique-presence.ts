import type { MetricDefinition } from '../domain/catalog/billable-metric.js';
import type { Dimensions } from '../domain/catalog/charge-filter.js';
import type { PartialAggregate } from '../domain/metering/partial-aggregate.js';
import type { EntityManager } from '../platform/database/database.js';
import { plainArray, textArray } from './array-literal.js';
import { endOf, startOf } from './time-blocks.js';
import type { Reading } from './usage-history.js';
import { idsOf, isoInstant, type UsageRange } from './usage-range.js';

/** Usage of one metric that is rated together. */
export interface SlicedUsage {
  readonly slice: string;
  /** Of one of the members. */
  readonly dimensions: Dimensions;
  /** The combinations of dimensions it consists of, as they are stored. */
  readonly members: readonly string[];
  readonly partial: PartialAggregate;
  readonly carried: PartialAggregate;
}

/**
 * Whether nothing is stored that the range does not see: then the last operations over all time are those of the range's
 * end, and unique counts need not look at values.
 */
export async function isCurrent(
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
export async function readPresence(
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
export async function presentIn(
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
