import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { instant } from '../../src/domain/calendar/instant.js';
import { AGGREGATIONS, type MetricDefinition } from '../../src/domain/catalog/billable-metric.js';
import { aggregateEvents, unitsOf } from '../../src/domain/metering/aggregate.js';
import type { UsageEvent } from '../../src/domain/metering/metered-event.js';
import { mergePartials } from '../../src/domain/metering/partial-aggregate.js';
import { RUNS } from './runs.js';

const from = instant('2024-03-01T00:00:00Z');
const to = instant('2024-04-01T00:00:00Z');
const span = { from, to, periodDays: 31 };

/** Few instants and few values, so that ties and repetitions are common; the sequence is the order of arrival. */
const history = fc
  .array(
    fc.record({
      second: fc.integer({ min: 0, max: 50 }),
      value: fc.constantFrom('1', '2.5', '-3', '0', 'a', 'b', '1e3', '', null, 7),
      operation: fc.constantFrom('add', 'remove', undefined),
    }),
    { maxLength: 30 },
  )
  .map((rows): UsageEvent[] =>
    rows.map(({ second, value, operation }, sequence) => ({
      timestamp: instant(from + second * 1000),
      sequence,
      properties: { value, operation_type: operation },
    })),
  );
const aggregation = fc.constantFrom(...AGGREGATIONS);
const metricOf = (kind: (typeof AGGREGATIONS)[number]): MetricDefinition => ({
  id: 'm',
  code: 'm',
  aggregation: kind,
  fieldName: 'value',
  recurring: false,
  filters: [],
});
const totals = (kind: (typeof AGGREGATIONS)[number], partial: ReturnType<typeof aggregateEvents>) => {
  const { units, eventsCount } = unitsOf(kind, partial, null, span);
  return [units.toFixed(), eventsCount];
};

describe('aggregation', () => {
  it('does not depend on the order in which events are read', () =>
    fc.assert(
      fc.property(
        aggregation,
        history.chain((events) =>
          fc.tuple(fc.constant(events), fc.shuffledSubarray(events, { minLength: events.length })),
        ),
        (kind, [events, shuffled]) => {
          const metric = metricOf(kind);
          expect(totals(kind, aggregateEvents(metric, shuffled))).toEqual(
            totals(kind, aggregateEvents(metric, events)),
          );
        },
      ),
      RUNS,
    ));

  it('of buckets merged in any split is that of all events', () =>
    fc.assert(
      fc.property(aggregation, history, fc.array(fc.nat(4), { maxLength: 30 }), (kind, events, buckets) => {
        const metric = metricOf(kind);
        const parts = [0, 1, 2, 3, 4].map((bucket) =>
          aggregateEvents(
            metric,
            events.filter((_, index) => (buckets[index] ?? 0) === bucket),
          ),
        );
        const [a, b, c, d, e] = parts as [
          (typeof parts)[0],
          (typeof parts)[0],
          (typeof parts)[0],
          (typeof parts)[0],
          (typeof parts)[0],
        ];
        const whole = totals(kind, aggregateEvents(metric, events));
        expect(totals(kind, mergePartials(...parts))).toEqual(whole);
        expect(totals(kind, mergePartials(e, mergePartials(d, b), mergePartials(c, a)))).toEqual(whole);
      }),
      RUNS,
    ));

  it('of unique values equals running the operations in order', () =>
    fc.assert(
      fc.property(history, (events) => {
        const present = new Set<string>();
        const ordered = [...events].sort((a, b) => a.timestamp - b.timestamp || (a.sequence ?? 0) - (b.sequence ?? 0));
        for (const { properties } of ordered) {
          const value = properties['value'];
          if (value === null || value === '') continue;
          if (properties['operation_type'] === 'remove') present.delete(String(value));
          else present.add(String(value));
        }
        const { units } = unitsOf('unique_count_agg', aggregateEvents(metricOf('unique_count_agg'), events));
        expect(units.toNumber()).toBe(present.size);
      }),
      RUNS,
    ));
});
