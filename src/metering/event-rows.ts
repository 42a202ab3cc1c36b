import type { MetricDefinition } from '../domain/catalog/billable-metric.js';
import { instant } from '../domain/calendar/instant.js';
import type { MeteredEvent } from '../domain/metering/metered-event.js';
import { Decimal } from '../domain/money/decimal.js';
import type { EntityManager } from '../platform/database/database.js';
import { textArray } from './array-literal.js';
import { meterForStore } from './metered-row.js';
import { BEGINNING, cutoffOf, instantArray, isoInstant, type UsageRange } from './usage-range.js';

/** A stored event, as the statements that look at single events read it. */
export interface EventRow {
  readonly at_ms: number;
  readonly ingest_sequence: string;
  readonly code: string;
  readonly properties: Record<string, unknown>;
  readonly precise: string | null;
}
/** The columns of an `EventRow`. */
export const EVENT_COLUMNS = `(extract(epoch from "timestamp") * 1000)::float8 as at_ms, ingest_sequence::text, code,
  properties, precise_total_amount_cents::text as precise`;

export function eventOf(metric: MetricDefinition, row: EventRow): MeteredEvent {
  return meterForStore(metric, {
    timestamp: instant(Math.round(row.at_ms)),
    properties: row.properties,
    preciseTotalAmountCents: row.precise === null ? null : new Decimal(row.precise),
    sequence: Number(row.ingest_sequence),
  });
}

/** Per metric, all counted events up to the end of the range; of what recurs also those before it. One reading for all. */
export async function eventsOfMetrics(
  em: EntityManager,
  range: UsageRange,
  metrics: readonly MetricDefinition[],
): Promise<Map<string, MeteredEvent[]>> {
  const events = new Map<string, MeteredEvent[]>(metrics.map(({ id }) => [id, []]));
  if (metrics.length === 0) return events;
  const byCode = new Map(metrics.map((metric) => [metric.code, metric]));
  const rows = await em.execute<EventRow[]>(
    `select ${EVENT_COLUMNS}
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

/** The counted events of some metrics within spans of time, as they were known at the cutoff; in no order. */
export async function eventsWithin(
  em: EntityManager,
  range: Pick<UsageRange, 'organizationId' | 'externalSubscriptionId' | 'cutoffSequence'>,
  metrics: readonly MetricDefinition[],
  spans: readonly { readonly from: number; readonly to: number }[],
): Promise<{ metric: MetricDefinition; event: MeteredEvent }[]> {
  if (spans.length === 0) return [];
  const byCode = new Map(metrics.map((metric) => [metric.code, metric]));
  const rows = await em.execute<EventRow[]>(
    `select ${EVENT_COLUMNS}
       from unnest(?::timestamptz[], ?::timestamptz[]) as span (first, last)
       join events on organization_id = ? and external_subscription_id = ?
        and "timestamp" >= first and "timestamp" < last
      where code = any(?::text[]) and ingest_sequence <= ?::bigint`,
    [
      instantArray(spans.map(({ from }) => from)),
      instantArray(spans.map(({ to }) => to)),
      range.organizationId,
      range.externalSubscriptionId,
      textArray([...byCode.keys()]),
      cutoffOf(range),
    ],
  );
  return rows.flatMap((row) => {
    const metric = byCode.get(row.code)!;
    const event = eventOf(metric, row);
    return event.counted ? [{ metric, event }] : [];
  });
}
