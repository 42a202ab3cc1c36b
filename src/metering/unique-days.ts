import type { MetricDefinition } from '../domain/catalog/billable-metric.js';
import { dimensionsKey } from '../domain/metering/metered-event.js';
import { roundProrated, type ProratedUnits } from '../domain/metering/prorated-sum.js';
import { Decimal } from '../domain/money/decimal.js';
import type { EntityManager } from '../platform/database/database.js';
import { plainArray, textArray } from './array-literal.js';
import { eventsWithin } from './event-rows.js';
import { HOUR_MS } from './metered-row.js';
import { startOf } from './time-blocks.js';
import type { SlicedUsage } from './unique-presence.js';
import { midnightsWithin } from './usage-days.js';
import { cutoffOf, idsOf, instantArray, isoInstant, type WeighedRange } from './usage-range.js';

interface AskedSlice {
  readonly metric: MetricDefinition;
  readonly slice: SlicedUsage;
}

/**
 * The unique values of recurring metrics weighed by the days on which they are there (reference 2.3), counted in Postgres
 * from the hours in which something happened to a value: whatever there was of it in an hour, all that matters is how it left
 * the hour and whether it was added in it. As many rows are read as there are values in hours, and no event but those of
 * hours that a day or the range begins or ends in, or to which something was added behind the cutoff.
 *
 * A value that several combinations of dimensions of a slice have is one.
 */
export async function readUniqueDays(
  em: EntityManager,
  range: WeighedRange,
  asked: readonly AskedSlice[],
): Promise<ReadonlyMap<SlicedUsage, ProratedUnits>> {
  if (asked.length === 0) return new Map();
  const metrics = [...new Map(asked.map(({ metric }) => [metric.id, metric])).values()];
  const bounds = [range.from as number, ...midnightsWithin(range)];
  const cut = [...bounds, range.to].filter((at) => startOf('hour', at) !== at).map((at) => startOf('hour', at));
  const raw = [...new Set([...cut, ...(await hoursBehindCutoff(em, range, metrics))])];
  const spans = raw.map((hour) => ({ from: hour, to: Math.min(hour + HOUR_MS, range.to) }));
  const events = (await eventsWithin(em, range, metrics, spans)).map(({ metric, event }) => ({
    ...event,
    metricId: metric.id,
    dimensions: dimensionsKey(event.dimensions),
  }));
  const members = asked.flatMap(({ metric, slice }, place) =>
    slice.members.map((dimensions) => ({ place, metric, dimensions })),
  );
  const rows = await em.execute<{ place: number; days: string; present: string }[]>(
    `with member as materialized (
       select * from unnest(?::int[], ?::uuid[], ?::text[]) as member (place, metric_id, dimensions)
     ),
     happened as (
       select place, value, bucket_at as at, last_at, last_sequence, last_operation, added
         from member join usage_unique_values using (metric_id, dimensions)
        where organization_id = ? and external_subscription_id = ?
          and bucket_at < ?::timestamptz and bucket_at <> all(?::timestamptz[])
       union all
       select place, value, at, at, sequence, operation, operation = 'add'
         from member join unnest(?::uuid[], ?::text[], ?::text[], ?::timestamptz[], ?::bigint[], ?::text[])
           as event (metric_id, dimensions, value, at, sequence, operation) using (metric_id, dimensions)
     ),
     moment as (
       select place, value, at, width_bucket(at, ?::timestamptz[]) as day, bool_or(added) as added,
              (array_agg(last_operation order by last_at desc, last_sequence desc))[1] as operation
         from happened group by place, value, at
     ),
     chain as (
       select place, value, at, day, added, operation,
              lag(operation) over in_time as operation_before, lead(day) over in_time as day_after
         from moment window in_time as (partition by place, value order by at)
     ),
     daily as (
       select place, value, day, bool_or(added) as added,
              (array_agg(operation_before order by at))[1] as operation_before,
              sum(coalesce(day_after, ?::int) - day) filter (where operation = 'add') as days_after,
              count(*) filter (where operation = 'add' and day_after is null) as present
         from chain group by place, value, day
     )
     select place,
            /* On the days that begin with it there, and on that on which it came. */
            (coalesce(sum(days_after), 0)
              + count(*) filter (where day > 0 and added and operation_before is distinct from 'add'))::text as days,
            sum(present)::text as present
       from daily group by place`,
    [
      plainArray(members.map(({ place }) => place)),
      plainArray(members.map(({ metric }) => metric.id)),
      textArray(members.map(({ dimensions }) => dimensions)),
      range.organizationId,
      range.externalSubscriptionId,
      isoInstant(range.to),
      instantArray(raw),
      plainArray(events.map(({ metricId }) => metricId)),
      textArray(events.map(({ dimensions }) => dimensions)),
      textArray(events.map(({ uniqueValue }) => uniqueValue)),
      instantArray(events.map(({ at }) => at)),
      plainArray(events.map(({ sequence }) => sequence)),
      textArray(events.map(({ operation }) => operation)),
      instantArray(bounds),
      bounds.length,
    ],
  );
  const found = new Map(rows.map((row) => [row.place, row]));
  return new Map(
    asked.map(({ slice }, place) => {
      const { days = '0', present = '0' } = found.get(place) ?? {};
      const units = roundProrated(new Decimal(days).div(range.periodDays));
      const fullUnits = new Decimal(present);
      const eventsCount = slice.carried.eventsCount + slice.partial.eventsCount;
      const steps = [{ units: fullUnits, prorated: units }];
      return [slice, { kind: 'prorated-units', units, fullUnits, eventsCount, steps }];
    }),
  );
}

async function hoursBehindCutoff(
  em: EntityManager,
  range: WeighedRange,
  metrics: readonly MetricDefinition[],
): Promise<number[]> {
  if (range.cutoffSequence === undefined) return [];
  const rows = await em.execute<{ hour_ms: number }[]>(
    `select distinct (extract(epoch from bucket_at) * 1000)::float8 as hour_ms from usage_buckets
      where organization_id = ? and external_subscription_id = ? and metric_id = any(?::uuid[])
        and bucket_at < ?::timestamptz and max_sequence > ?::bigint`,
    [range.organizationId, range.externalSubscriptionId, idsOf(metrics), isoInstant(range.to), cutoffOf(range)],
  );
  return rows.map((row) => Math.round(row.hour_ms));
}
