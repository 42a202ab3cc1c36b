import { describe, expect, it } from '@jest/globals';
import { parseChargeProperties, type ChargeModel } from '../catalog/charge.js';
import { Decimal } from '../money/decimal.js';
import { rate } from './rate.js';
import type { MeteredUsage } from './rated-amount.js';

const model = (kind: string, properties: Record<string, unknown>): ChargeModel => {
  const parsed = parseChargeProperties(kind, properties);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.model;
};
const priced = (kind: ChargeModel, units: string, more: Partial<MeteredUsage> = {}) => {
  const rated = rate(kind, { units: new Decimal(units), eventsCount: 1, ...more });
  expect(rated.amount.isNegative()).toBe(false);
  return [rated.amount.toFixed(), rated.unitAmount.toFixed()];
};
const range = (from: number, to: number | null, perUnit: string, flat: string) => ({
  from_value: from,
  to_value: to,
  per_unit_amount: perUnit,
  flat_amount: flat,
});
const decimals = (...values: number[]) => values.map((value) => new Decimal(value));

describe('standard', () => {
  it.each([
    ['0', '0', '0'],
    ['10', '51.2345', '5.12345'],
    ['0.5', '2.561725', '5.12345'],
    ['-3', '0', '0'],
  ])('%s units', (units, ...expected) => {
    expect(priced(model('standard', { amount: '5.12345' }), units)).toEqual(expected);
  });
});

describe('graduated', () => {
  const byOne = model('graduated', {
    graduated_ranges: [range(0, 10, '10', '2'), range(11, 20, '5', '3'), range(21, null, '5', '3')],
  });
  it.each([
    ['the first flat amount at nothing', '0', '2'],
    ['the last unit of a tier', '10', '102'],
    ['a fraction above it enters the next tier', '10.5', '107.5'],
    ['the first unit of the next tier', '11', '110'],
    ['its last', '20', '155'],
    ['the open tier', '21', '163'],
    ['less than nothing is nothing', '-1', '2'],
  ])('%s', (_, units, amount) => expect(priced(byOne, units)[0]).toBe(amount));

  it.each([
    [
      'weighted units stay in the tiers of the full ones',
      '10.5',
      '3.1',
      '107',
      '34.51612903225806451612903225806451612903',
    ],
    ['and are spread over them', '8', '16', '70', '4.375'],
    ['full units that are gone leave the first flat amount', '4', '0', '2', '0'],
  ])('prorated: %s', (_, units, full, ...expected) => {
    expect(priced(byOne, units, { fullUnits: new Decimal(full) })).toEqual(expected);
  });

  it('prorated: a tier once reached keeps its flat amount when its units go', () => {
    const step = (units: number, prorated: number) => ({ units: new Decimal(units), prorated: new Decimal(prorated) });
    const proratedSteps = [step(15, 15), step(-10, -5)];
    // 10 × 10 + 5 × 5, minus half of 5 × 5 + 5 × 10, and the flat amounts of both tiers.
    expect(priced(byOne, '10', { proratedSteps })).toEqual(['92.5', '18.5']);
  });

  const touching = model('graduated', {
    graduated_ranges: [range(0, 0.1, '10', '0'), range(0.1, 1, '5', '1'), range(1, null, '2', '0')],
  });
  it.each([
    ['0.1', '1'],
    ['0.100000001', '2.000000005'],
    ['1', '6.5'],
    ['2', '8.5'],
  ])('touching tiers, %s units', (units, amount) => expect(priced(touching, units)[0]).toBe(amount));
});

describe('package', () => {
  const packages = model('package', { amount: '100', free_units: 10, package_size: 10 });
  it.each([
    ['0', '0', '0'],
    ['10', '0', '0'],
    ['10.01', '100', '10000'],
    ['20', '100', '10'],
    ['21', '200', '18.18181818181818181818181818181818181818'],
    ['121', '1200', '10.81081081081081081081081081081081081081'],
  ])('%s units', (units, ...expected) => expect(priced(packages, units)).toEqual(expected));
});

describe('volume', () => {
  const volume = model('volume', {
    volume_ranges: [range(0, 100, '2', '10'), range(101, 200, '1', '0'), range(201, null, '0.5', '50')],
  });
  it.each([
    ['0', '10'],
    ['1', '12'],
    ['100', '210'],
    ['100.5', '100.5'],
    ['101', '101'],
    ['200', '200'],
    ['201', '150.5'],
  ])('%s units -> %s', (units, amount) => expect(priced(volume, units)[0]).toBe(amount));

  const touching = model('volume', { volume_ranges: [range(0, 0.5, '2', '0'), range(0.5, null, '1', '0')] });
  it.each([
    ['0.4', '0.8'],
    ['0.5', '1'],
    ['0.6', '0.6'],
  ])('touching tiers, %s units -> %s', (units, amount) => expect(priced(touching, units)[0]).toBe(amount));
});

describe('percentage', () => {
  const properties = { rate: '1.3', fixed_amount: '2' };
  const four = { eventsCount: 4, runningTotals: decimals(50, 150, 400, 800) };
  it.each([
    ['no allowance', {}, '800', { eventsCount: 4 }, '18.4'],
    ['nothing used', {}, '0', { eventsCount: 0 }, '0'],
    ['250 units free', { free_units_per_total_aggregation: '250' }, '800', four, '11.15'],
    ['3 events free', { free_units_per_events: 3 }, '800', four, '7.2'],
    [
      '250 units come first',
      { free_units_per_events: 3, free_units_per_total_aggregation: '250' },
      '800',
      four,
      '11.15',
    ],
    ['3 events come first', { free_units_per_events: 3, free_units_per_total_aggregation: '500' }, '800', four, '7.2'],
    ['the total reached exactly', { free_units_per_total_aggregation: '150' }, '800', four, '12.45'],
    ['more events free than there are', { free_units_per_events: 5 }, '800', four, '0'],
    [
      'an allowance of nothing',
      { free_units_per_events: 0, free_units_per_total_aggregation: '0' },
      '800',
      four,
      '18.4',
    ],
    [
      'the first event is over the total',
      { free_units_per_events: 3, free_units_per_total_aggregation: '20' },
      '800',
      four,
      '18.14',
    ],
  ])('%s', (_, more, units, usage, amount) => {
    expect(priced(model('percentage', { ...properties, ...more }), units, usage)[0]).toBe(amount);
  });

  const bounded = { rate: '2.99', per_transaction_min_amount: '1.75', per_transaction_max_amount: '12' };
  const three = { eventsCount: 3, transactionValues: decimals(10, 80, 10_000) };
  it.each([
    ['each within bounds', { fixed_amount: '2' }, three, '18.691'],
    ['a free transaction has no minimum', { free_units_per_total_aggregation: '30' }, three, '13.794'],
    ['a free event', { free_units_per_events: 2 }, three, '12'],
    ['a transaction of nothing costs the minimum', {}, { eventsCount: 1, transactionValues: decimals(0) }, '1.75'],
  ])('%s', (_, more, usage, amount) => {
    expect(priced(model('percentage', { ...bounded, ...more }), '10090', usage)[0]).toBe(amount);
  });

  it('explains what the bounds changed', () => {
    const rated = rate(model('percentage', { ...bounded, fixed_amount: '2' }), {
      units: new Decimal(10_090),
      ...three,
    });
    expect(rated.amountDetails).toMatchObject({
      per_unit_total_amount: '301.691',
      fixed_fee_total_amount: '6.0',
      min_max_adjustment_total_amount: '-289.0',
    });
  });
});

describe('graduated percentage and dynamic', () => {
  const graduated = model('graduated_percentage', {
    graduated_percentage_ranges: [
      { from_value: 0, to_value: 10, rate: '1', flat_amount: '200' },
      { from_value: 11, to_value: null, rate: '2', flat_amount: '300' },
    ],
  });
  it.each([
    ['0', '200'],
    ['1', '200.01'],
    ['10', '200.1'],
    ['11', '500.12'],
    ['12', '500.14'],
  ])('%s units -> %s', (units, amount) => expect(priced(graduated, units)[0]).toBe(amount));

  it('sums what the events carry', () => {
    expect(priced(model('dynamic', {}), '20', { preciseTotalAmountCents: new Decimal('40.2') })).toEqual([
      '0.402',
      '0.0201',
    ]);
    expect(priced(model('dynamic', {}), '0')).toEqual(['0', '0']);
  });
});
