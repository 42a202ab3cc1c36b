import type { Instant } from '../calendar/instant.js';
import type { MetricDefinition } from '../catalog/billable-metric.js';
import type { Dimensions } from '../catalog/charge-filter.js';
import { parsePlainDecimal } from '../money/decimal-string.js';
import { type Decimal, ZERO } from '../money/decimal.js';

/** What of an event matters to metering. */
export interface UsageEvent {
  readonly timestamp: Instant;
  readonly properties: Readonly<Record<string, unknown>>;
  /** What the sender says the event costs, in hundredths of the currency unit: the price of dynamic charges. */
  readonly preciseTotalAmountCents?: Decimal | null;
  /** Order of arrival: decides between events of one millisecond. */
  readonly sequence?: number;
}

export type Operation = 'add' | 'remove';

/** An event as one metric sees it: the only form in which usage is stored and aggregated. */
export interface MeteredEvent {
  readonly kind: 'metered-event';
  readonly at: Instant;
  readonly sequence: number;
  /** Whether the event is usage at all: false when the property it is measured by is absent or not a number. */
  readonly counted: boolean;
  readonly value: Decimal | null;
  readonly preciseTotalAmountCents: Decimal;
  /** Only unique counts: which thing, and what happened to it. */
  readonly uniqueValue: string | null;
  readonly operation: Operation;
  readonly dimensions: Dimensions;
}

/**
 * Reads an event with the eyes of a metric (reference 2.1 and 2.3). Never fails: an event that cannot be measured is
 * kept, with `counted: false`, and takes part in no total.
 */
export function meterEvent(metric: MetricDefinition, event: UsageEvent): MeteredEvent {
  const property = metric.fieldName === null ? undefined : event.properties[metric.fieldName];
  const common = {
    kind: 'metered-event' as const,
    at: event.timestamp,
    sequence: event.sequence ?? 0,
    preciseTotalAmountCents: event.preciseTotalAmountCents ?? ZERO,
    uniqueValue: null,
    operation: 'add' as const,
    dimensions: dimensionsOf(metric, event.properties),
  };
  switch (metric.aggregation) {
    case 'count_agg':
      return { ...common, counted: true, value: null };
    case 'unique_count_agg': {
      const uniqueValue = textOf(property);
      const operation = event.properties['operation_type'] === 'remove' ? 'remove' : 'add';
      return { ...common, counted: uniqueValue !== null, value: null, uniqueValue, operation };
    }
    case 'sum_agg':
    case 'max_agg':
    case 'latest_agg':
    case 'weighted_sum_agg': {
      const value = parsePlainDecimal(property);
      return { ...common, counted: value !== null, value };
    }
    default:
      return metric.aggregation satisfies never;
  }
}

/**
 * The event's value for each declared filter key, `null` when it is absent or not a declared one; and for each grouping key,
 * `null` when it is absent.
 */
function dimensionsOf(metric: MetricDefinition, properties: UsageEvent['properties']): Dimensions {
  const dimensions: Record<string, string | null> = {};
  for (const { key, values } of metric.filters) {
    const value = textOf(properties[key]);
    dimensions[key] = value !== null && values.includes(value) ? value : null;
  }
  for (const key of metric.groupKeys ?? []) dimensions[key] = textOf(properties[key]);
  return dimensions;
}

/** Dimensions as canonical text: JSON with sorted keys. Equal dimensions give equal text, whatever their order. */
export function dimensionsKey(dimensions: Dimensions): string {
  const keys = Object.keys(dimensions).sort();
  return JSON.stringify(Object.fromEntries(keys.map((key) => [key, dimensions[key] ?? null])));
}

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value === '' ? null : value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return null;
}
