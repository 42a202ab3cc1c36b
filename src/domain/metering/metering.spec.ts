import { describe, expect, it } from '@jest/globals';
import { instant } from '../calendar/instant.js';
import type { AggregationKind, MetricDefinition } from '../catalog/billable-metric.js';
import { Decimal } from '../money/decimal.js';
import { aggregateEvents, unitsOf } from './aggregate.js';
import { dimensionsKey, meterEvent, type UsageEvent } from './metered-event.js';
import { EMPTY_PARTIAL, mergePartials } from './partial-aggregate.js';
import { proratedSum } from './prorated-sum.js';
import { proratedUniqueCount } from './prorated-unique-count.js';
import { roundUnits } from './rounding.js';
import { runningTotals, transactionValues } from './running-totals.js';

const metric = (aggregation: AggregationKind, more: Partial<MetricDefinition> = {}): MetricDefinition => ({
  id: 'm',
  code: 'calls',
  aggregation,
  fieldName: aggregation === 'count_agg' ? null : 'value',
  recurring: false,
  filters: [],
  ...more,
});

/** Events a second apart, in order; `{value, operation_type}` or just a value. */
const events = (...values: unknown[]): UsageEvent[] =>
  values.map((value, index) => ({
    timestamp: instant(1_700_000_000_000 + index * 1000),
    sequence: index,
    properties: typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : { value },
  }));
const add = (value: string) => ({ value });
const remove = (value: string) => ({ value, operation_type: 'remove' });

describe('aggregations', () => {
  it.each([
    ['count', 'count_agg', ['a', 'b', {}], '3', 3],
    ['count of nothing', 'count_agg', [], '0', 0],
    ['sum', 'sum_agg', ['10.5', 2, '-1'], '11.5', 3],
    ['sum skips what is no number', 'sum_agg', ['10', 'foo', '1e3', '1,000', null, ' 5', {}], '10', 1],
    ['a negative sum is nothing', 'sum_agg', ['1', '-5'], '0', 2],
    ['thirty decimals', 'sum_agg', ['0.000000000000000000000000000001', '1'], '1.000000000000000000000000000001', 2],
    ['max', 'max_agg', ['4', '9', '2'], '9', 3],
    ['max of nothing', 'max_agg', ['foo'], '0', 0],
    ['max below zero', 'max_agg', ['-4', '-9'], '0', 2],
    ['latest', 'latest_agg', ['5', '7', '3'], '3', 3],
    ['latest skips what is no number', 'latest_agg', ['5', 'foo'], '5', 1],
    ['latest below zero', 'latest_agg', ['5', '-3'], '0', 2],
    ['unique count', 'unique_count_agg', [add('a'), add('a'), add('b'), remove('a')], '1', 4],
    ['an orphan removal', 'unique_count_agg', [remove('a'), add('b')], '1', 2],
    ['removed and added again', 'unique_count_agg', [add('a'), remove('a'), add('a')], '1', 3],
    ['numbers and text are the same value', 'unique_count_agg', [add('1'), { value: 1 }], '1', 2],
    ['an event without the property', 'unique_count_agg', [{}, add('a')], '1', 1],
  ] as const)('%s', (_, aggregation, values, units, eventsCount) => {
    const aggregated = unitsOf(aggregation, aggregateEvents(metric(aggregation), events(...values)));
    expect([aggregated.units.toFixed(), aggregated.eventsCount]).toEqual([units, eventsCount]);
  });

  it('orders events of one millisecond by arrival', () => {
    const at = instant('2024-01-01T00:00:00Z');
    const twice = [
      { timestamp: at, sequence: 2, properties: { value: '2' } },
      { timestamp: at, sequence: 1, properties: { value: '1' } },
    ];
    const latest = unitsOf('latest_agg', aggregateEvents(metric('latest_agg'), twice));
    expect(latest.units.toNumber()).toBe(2);
  });

  it('rounds a period’s total as the metric says', () => {
    const rounding = { function: 'ceil', precision: 1 } as const;
    const partial = aggregateEvents(metric('sum_agg'), events('12.3', '0.045'));
    expect(unitsOf('sum_agg', partial, rounding).units.toFixed()).toBe('12.4');
  });

  it('weighs a level by time, whatever the order of events', () => {
    const from = instant('2023-08-01T00:00:00Z');
    const span = { from, to: instant('2023-09-01T00:00:00Z'), periodDays: 31 };
    const middle = { timestamp: instant('2023-08-16T12:00:00Z'), properties: { value: '10' } };
    const partial = aggregateEvents(metric('weighted_sum_agg'), [middle]);
    expect(unitsOf('weighted_sum_agg', partial, null, span).units.toNumber()).toBe(5);
    const carried = { ...span, carriedLevel: new Decimal(3) };
    expect(unitsOf('weighted_sum_agg', partial, null, carried).units.toNumber()).toBe(8);
    expect(() => unitsOf('weighted_sum_agg', partial)).toThrow('span');
  });

  it('an empty partial changes nothing', () => {
    const partial = aggregateEvents(metric('sum_agg'), events('1', '2'));
    expect(mergePartials(EMPTY_PARTIAL, partial, EMPTY_PARTIAL)).toEqual(partial);
    expect(mergePartials()).toEqual(EMPTY_PARTIAL);
  });
});

describe('rounding of units', () => {
  it.each([
    ['12.345', 'ceil', 1, '12.4'],
    ['12.345', 'round', -1, '10'],
    ['15', 'round', -1, '20'],
    ['12.345', 'floor', null, '12'],
    ['0', 'ceil', 2, '0'],
    ['-1.5', 'round', 0, '-2'],
  ] as const)('%s %s at %p -> %s', (units, name, precision, expected) => {
    expect(roundUnits(new Decimal(units), { function: name, precision }).toFixed()).toBe(expected);
  });

  it('changes nothing without a rule', () => {
    expect(roundUnits(new Decimal('1.23456'), null).toFixed()).toBe('1.23456');
  });
});

describe('dimensions', () => {
  const filters = [
    { key: 'region', values: ['eu', 'us', '1', 'true'] },
    { key: 'cloud', values: ['aws'] },
  ];
  const dimensionsOf = (properties: Record<string, unknown>) =>
    meterEvent(metric('count_agg', { filters }), { timestamp: instant(0), properties }).dimensions;

  it.each([
    [
      { region: 'eu', cloud: 'aws', other: 'x' },
      { region: 'eu', cloud: 'aws' },
    ],
    [{ region: 'asia' }, { region: null, cloud: null }],
    [{ region: 1 }, { region: '1', cloud: null }],
    [{ region: true }, { region: 'true', cloud: null }],
    [{ region: { name: 'eu' } }, { region: null, cloud: null }],
  ])('%j -> %j', (properties, expected) => expect(dimensionsOf(properties)).toEqual(expected));

  it('has one text for equal dimensions', () => {
    expect(dimensionsKey({ b: 'x', a: null })).toBe('{"a":null,"b":"x"}');
    expect(dimensionsKey({ a: null, b: 'x' })).toBe('{"a":null,"b":"x"}');
    expect(dimensionsKey({})).toBe('{}');
  });
});

describe('transactions of percentage charges', () => {
  const values = transactionValues(
    events('50', 'foo', '100', '250', '400').map((event) => meterEvent(metric('sum_agg'), event)),
  );

  it.each([
    [{ limit: 3 }, [50, 150, 400]],
    [{ enough: new Decimal(250) }, [50, 150, 400]],
    [{ limit: 2, enough: new Decimal(250) }, [50, 150]],
    [{ limit: 0 }, []],
    [{}, [50, 150, 400, 800]],
  ])('%j', (bounds, totals) => expect(runningTotals(values, bounds).map(Number)).toEqual(totals));
});

describe('proration of recurring units', () => {
  const span = {
    from: instant('2023-05-01T00:00:00Z'),
    to: instant('2023-06-01T00:00:00Z'),
    periodDays: 31,
    zone: 'UTC',
  };
  const at = (timestamp: string, properties: Record<string, unknown>) => ({
    timestamp: instant(timestamp),
    properties,
  });

  it('keeps the full units beside the weighted ones', () => {
    const sum = metric('sum_agg', { recurring: true });
    const history = [at('2023-03-01T00:00:00Z', { value: '5' }), at('2023-05-26T00:00:00Z', { value: '24' })];
    const prorated = proratedSum(
      history.map((event) => meterEvent(sum, event)),
      span,
    );
    expect([prorated.units.toFixed(), prorated.fullUnits.toFixed(), prorated.eventsCount]).toEqual([
      '9.64517',
      '29',
      2,
    ]);
  });

  it('counts a day once, however often a value comes and goes in it', () => {
    const seats = metric('unique_count_agg', { recurring: true });
    const history = [
      at('2023-05-10T01:00:00Z', { value: 'a' }),
      at('2023-05-10T02:00:00Z', { value: 'a', operation_type: 'remove' }),
      at('2023-05-10T03:00:00Z', { value: 'a' }),
      at('2023-05-10T04:00:00Z', { value: 'a', operation_type: 'remove' }),
    ];
    const prorated = proratedUniqueCount(
      history.map((event) => meterEvent(seats, event)),
      span,
    );
    expect([prorated.units.toFixed(), prorated.fullUnits.toFixed()]).toEqual(['0.03226', '0']);
  });
});
