import { describe, expect, it } from '@jest/globals';
import { instant } from '../calendar/instant.js';
import { Decimal } from '../money/decimal.js';
import type { MeteredEvent, Operation } from './metered-event.js';
import { proratedSum, type ProratedUnits } from './prorated-sum.js';
import { proratedUniqueCount } from './prorated-unique-count.js';

const span = (to = '2024-11-01T00:00:00Z') => ({
  from: instant('2024-10-01T00:00:00Z'),
  to: instant(to),
  periodDays: 31,
  zone: 'UTC',
});
const event = (at: string, changes: Partial<MeteredEvent>): MeteredEvent => ({
  kind: 'metered-event',
  at: instant(at),
  sequence: 0,
  counted: true,
  value: null,
  preciseTotalAmountCents: new Decimal(0),
  uniqueValue: null,
  operation: 'add',
  dimensions: {},
  ...changes,
});
const seat = (at: string, uniqueValue: string, operation: Operation = 'add') => event(at, { uniqueValue, operation });
const amount = (at: string, value: number) => event(at, { value: new Decimal(value) });
/** Days of 31, so that they read as whole numbers. */
const days = (units: ProratedUnits) =>
  units.steps.map((step) => `${step.units.toFixed()} ${step.prorated.times(31).toDecimalPlaces(6).toFixed()}`);

describe('steps of prorated usage', () => {
  it.each([
    ['an addition', [seat('2024-10-05T10:00:00Z', 'a')], ['1 27']],
    [
      'removed: the days after it are given back',
      [seat('2024-10-05T10:00:00Z', 'a'), seat('2024-10-25T00:00:00Z', 'a', 'remove')],
      ['1 27', '-1 -6'],
    ],
    [
      'removed and added on one day: that day counts once',
      [
        seat('2024-10-05T10:00:00Z', 'a'),
        seat('2024-10-25T01:00:00Z', 'a', 'remove'),
        seat('2024-10-25T02:00:00Z', 'a'),
      ],
      ['1 27', '-1 -6', '1 6'],
    ],
    [
      'what is there before the period is one step',
      [seat('2024-09-01T00:00:00Z', 'a'), seat('2024-09-02T00:00:00Z', 'b'), seat('2024-10-31T00:00:00Z', 'c')],
      ['2 62', '1 1'],
    ],
    [
      'removed before the period: nothing of it',
      [seat('2024-09-01T00:00:00Z', 'a'), seat('2024-09-02T00:00:00Z', 'a', 'remove')],
      [],
    ],
    [
      'added twice, removed what was never there',
      [
        seat('2024-10-05T00:00:00Z', 'a'),
        seat('2024-10-06T00:00:00Z', 'a'),
        seat('2024-10-07T00:00:00Z', 'x', 'remove'),
      ],
      ['1 27'],
    ],
  ])('unique count: %s', (_, events, expected) => {
    const units = proratedUniqueCount(events, span());
    expect(days(units)).toEqual(expected);
    // The steps add up to the total, whatever their order.
    const sum = units.steps.reduce((total, step) => total.plus(step.prorated), new Decimal(0));
    expect(sum.toDecimalPlaces(5, Decimal.ROUND_CEIL).toFixed()).toBe(units.units.toFixed());
  });

  it.each([
    ['from its day to the end', [amount('2024-10-22T23:00:00Z', 3)], '2024-11-01T00:00:00Z', ['3 30']],
    [
      'ended at an earlier hour than that of the event: its day counts in full',
      [amount('2024-10-16T10:12:00Z', 10)],
      '2024-10-20T06:00:00.001Z',
      ['10 50'],
    ],
    [
      'what came before counts for all days',
      [amount('2024-09-16T10:12:00Z', 2), amount('2024-10-31T00:00:00Z', -1)],
      '2024-11-01T00:00:00Z',
      ['2 62', '-1 -1'],
    ],
  ])('sum: %s', (_, events, to, expected) => {
    expect(days(proratedSum(events, span(to)))).toEqual(expected);
  });
});
