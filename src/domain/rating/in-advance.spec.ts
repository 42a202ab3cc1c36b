import { describe, expect, it } from '@jest/globals';
import { instant } from '../calendar/instant.js';
import { parseChargeProperties, type ChargeModel } from '../catalog/charge.js';
import { Decimal } from '../money/decimal.js';
import { type BilledSlice, changeOf, NOTHING_BILLED, paidUnits, rateInAdvance } from './in-advance.js';

const model = (kind: string, properties: Record<string, unknown>): ChargeModel => {
  const parsed = parseChargeProperties(kind, properties);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.model;
};
const range = (from: number, to: number | null, perUnit: string, flat: string) => ({
  from_value: from,
  to_value: to,
  per_unit_amount: perUnit,
  flat_amount: flat,
});
const MARCH = instant('2024-03-01T00:00:00Z');
const APRIL = instant('2024-04-01T00:00:00Z');

interface Given {
  readonly change: string;
  readonly period?: typeof MARCH;
  readonly share?: string;
  readonly cents?: string;
}

/** Bills the changes in order; answers units and amount of each. */
function billed(price: ChargeModel, changes: readonly (string | Given)[], recurring = false): [string, string][] {
  let slice: BilledSlice = NOTHING_BILLED;
  return changes.map((given) => {
    const { change, period = MARCH, share, cents = '0' } = typeof given === 'string' ? { change: given } : given;
    const step = rateInAdvance({ model: price, recurring }, slice, {
      periodFrom: period,
      change: new Decimal(change),
      preciseTotalAmountCents: new Decimal(cents),
      share: share === undefined ? null : new Decimal(share),
    });
    slice = step.after;
    expect(step.rated.amount.isNegative()).toBe(false);
    return [step.rated.units.toFixed(), step.rated.amount.toFixed()];
  });
}

describe('an event paid in advance', () => {
  const one = model('standard', { amount: '1' });
  const byTen = model('package', { amount: '5', package_size: 10, free_units: 2 });
  const tiers = model('graduated', { graduated_ranges: [range(0, 10, '10', '2'), range(11, null, '5', '3')] });
  const freeEvents = model('percentage', { rate: '5', fixed_amount: '1', free_units_per_events: 2 });
  const freeTotal = model('percentage', { rate: '5', fixed_amount: '1', free_units_per_total_aggregation: '3.0' });
  const bounded = model('percentage', {
    ...{ rate: '1', fixed_amount: '0.5' },
    ...{ per_transaction_min_amount: '1.75', per_transaction_max_amount: '2' },
  });

  it.each<[string, ChargeModel, (string | Given)[], string[], string[]]>([
    ['pays for what it adds', one, ['10', '2.5'], ['10', '2.5'], ['10', '2.5']],
    ['pays for nothing that was paid already', one, ['10', '-4', '8'], ['10', '0', '4'], ['10', '0', '4']],
    ['makes up for what is below nothing', one, ['-5', '3', '4'], ['0', '0', '2'], ['0', '0', '2']],
    [
      'starts anew in another period',
      one,
      ['10', { change: '-4', period: APRIL }, '1'],
      ['10', '0', '1'],
      ['10', '0', '1'],
    ],
    ['pays when it opens a package', byTen, ['2', '1', '9', '1'], ['2', '1', '9', '1'], ['0', '5', '0', '5']],
    [
      'pays the flat amount of a tier that it enters',
      tiers,
      ['9', '1', '1', '1'],
      ['9', '1', '1', '1'],
      ['92', '10', '8', '5'],
    ],
    ['pays nothing for taking back what never was', tiers, ['-1', '3'], ['0', '2'], ['0', '22']],
    ['is free while events are free', freeEvents, ['8', '5', '3'], ['8', '5', '3'], ['0', '0', '1.15']],
    ['pays for what is above the free total', freeTotal, ['5', '1'], ['5', '1'], ['1.1', '1.05']],
    ['is free up to the free total', freeTotal, ['3', '1'], ['3', '1'], ['0', '1.05']],
    [
      'is clamped for itself',
      bounded,
      ['100', '1000', '10000', '-5'],
      ['100', '1000', '10000', '0'],
      ['1.75', '2', '2', '0'],
    ],
    [
      'costs what its sender says',
      model('dynamic', {}),
      [
        { change: '5', cents: '1234.56' },
        { change: '1', cents: '2.1' },
      ],
      ['5', '1'],
      ['12.3456', '0.021'],
    ],
    [
      'pays for the days that are left, rounded up',
      model('standard', { amount: '30' }),
      [
        { change: '1', share: new Decimal(20).div(30).toFixed() },
        { change: '-1', share: '0.5' },
        { change: '1', share: '0.1' },
      ],
      ['0.66667', '0', '0'],
      ['20.0001', '0', '0'],
    ],
  ])('%s', (_, price, changes, units, amounts) => {
    expect(billed(price, changes)).toEqual(units.map((unit, index) => [unit, amounts[index]]));
  });

  it('of a graduated percentage shows what it adds to each range', () => {
    const percentages = model('graduated_percentage', {
      graduated_percentage_ranges: [
        { from_value: 0, to_value: 10, rate: '1', flat_amount: '2' },
        { from_value: 11, to_value: null, rate: '2', flat_amount: '3' },
      ],
    });
    const step = (slice: BilledSlice, change: string) =>
      rateInAdvance({ model: percentages, recurring: false }, slice, {
        ...{ periodFrom: MARCH, change: new Decimal(change), preciseTotalAmountCents: new Decimal(0), share: null },
      });
    const first = step(NOTHING_BILLED, '8');
    expect(first.rated.amountDetails).toEqual({
      graduated_percentage_ranges: [
        {
          ...{ from_value: 0, to_value: 10, flat_unit_amount: '2.0', rate: '1.0', units: '8.0' },
          ...{ per_unit_total_amount: '0.08', total_with_flat_amount: '2.08' },
        },
      ],
    });
    expect(step(first.after, '5').rated.amountDetails).toEqual({
      graduated_percentage_ranges: [
        {
          ...{ from_value: 0, to_value: 10, flat_unit_amount: '2.0', rate: '1.0', units: '2.0' },
          ...{ per_unit_total_amount: '0.02', total_with_flat_amount: '0.02' },
        },
        {
          ...{ from_value: 11, to_value: null, flat_unit_amount: '3.0', rate: '2.0', units: '3.0' },
          ...{ per_unit_total_amount: '0.06', total_with_flat_amount: '3.06' },
        },
      ],
    });
  });

  it('of a recurring metric finds what there is paid by the renewal', () => {
    const rows = billed(tiers, ['10', { change: '-2', period: APRIL }, { change: '3', period: APRIL }], true);
    expect(rows).toEqual([
      ['10', '102'],
      ['0', '0'],
      ['1', '8'],
    ]);
  });
});

describe('what was paid in advance', () => {
  const one = model('standard', { amount: '1' });
  const paidFor = (changes: readonly Given[], period: { from?: typeof MARCH; share?: string; recurring?: boolean }) => {
    const { from = MARCH, share = '1', recurring = false } = period;
    let slice: BilledSlice = NOTHING_BILLED;
    for (const { change, period: periodFrom = MARCH, share: ofPeriod } of changes) {
      slice = rateInAdvance({ model: one, recurring }, slice, {
        ...{ periodFrom, change: new Decimal(change), preciseTotalAmountCents: new Decimal(0) },
        share: ofPeriod === undefined ? null : new Decimal(ofPeriod),
      }).after;
    }
    const paid = paidUnits(slice, { from, share: new Decimal(share), recurring });
    return [paid.units.toFixed(), paid.proratedUnits.toFixed()];
  };
  const steps = (...pairs: [string, string][]): Given[] => pairs.map(([change, share]) => ({ change, share }));
  const recurring = { from: APRIL, recurring: true };

  it.each<[string, Given[], Parameters<typeof paidFor>[1], string, string]>([
    ['nothing', [], {}, '0', '0'],
    ['only additions: all of them', steps(['5', '1'], ['10', '0.4']), {}, '15', '9'],
    ['taken away and added again below the peak', steps(['10', '0.8'], ['-5', '0.8'], ['2', '0.5']), {}, '10', '8'],
    ['above the peak, what lies above', steps(['10', '0.8'], ['-5', '0.8'], ['7', '0.5']), {}, '12', '9'],
    ['never above nothing', steps(['-3', '0.5'], ['2', '0.5']), {}, '0', '0'],
    ['from below nothing', steps(['-3', '0.5'], ['5', '0.5']), {}, '2', '1'],
    ['rounded up', steps(['1', '0.123451']), {}, '1', '0.12346'],
    ['not weighted', [{ change: '4' }, { change: '-1' }], {}, '4', '4'],
    ['of another period: nothing of it', steps(['10', '1']), { from: APRIL }, '0', '0'],
    [
      'carried into the period, for the part that is billed',
      steps(['10', '0.4']),
      { ...recurring, share: '0.5' },
      '10',
      '5',
    ],
    [
      'carried, and more',
      [
        ...steps(['10', '0.4']),
        { change: '-4', period: APRIL, share: '0.9' },
        { change: '6', period: APRIL, share: '0.5' },
      ],
      recurring,
      '12',
      '11',
    ],
  ])('%s', (_, changes, period, units, proratedUnits) =>
    expect(paidFor(changes, period)).toEqual([units, proratedUnits]),
  );
});

describe('what an event changes', () => {
  const event = (uniqueValue: string | null, operation: 'add' | 'remove', value: string | null = null) => ({
    ...{ kind: 'metered-event' as const, at: MARCH, sequence: 0, counted: true, dimensions: {} },
    ...{
      preciseTotalAmountCents: new Decimal(0),
      value: value === null ? null : new Decimal(value),
      uniqueValue,
      operation,
    },
  });
  it.each([
    ['a count', event(null, 'add'), false, '1'],
    ['a sum', event(null, 'add', '-2.5'), false, '-2.5'],
    ['a new value', event('a', 'add'), false, '1'],
    ['a value that is there', event('a', 'add'), true, '0'],
    ['a value that goes', event('a', 'remove'), true, '-1'],
    ['a value that never came', event('a', 'remove'), false, '0'],
  ])('%s', (_, metered, present, change) => expect(changeOf(metered, present).toFixed()).toBe(change));
});
