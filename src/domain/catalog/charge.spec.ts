import { describe, expect, it } from '@jest/globals';
import { CHARGE_MODELS, defaultChargeProperties, parseChargeProperties } from './charge.js';
import { ALL_FILTER_VALUES, type ChargeFilter, matchFilter } from './charge-filter.js';
import { mayRecur } from './billable-metric.js';
import { isUpgrade } from './plan.js';

const range = (from: unknown, to: unknown, extra: object = {}) => ({
  from_value: from,
  to_value: to,
  per_unit_amount: '1',
  flat_amount: '0',
  ...extra,
});
const rated = (from: unknown, to: unknown, rate: unknown) => ({
  from_value: from,
  to_value: to,
  rate,
  flat_amount: '0',
});

describe('charge properties', () => {
  it.each([
    ['standard', { amount: '12.5' }],
    ['standard', { amount: '0' }],
    ['package', { amount: '1', free_units: 0, package_size: 10 }],
    ['percentage', { rate: '1.3' }],
    [
      'percentage',
      { rate: '1.3', fixed_amount: '2', free_units_per_events: 3, free_units_per_total_aggregation: '250' },
    ],
    ['percentage', { rate: '1', per_transaction_min_amount: '5', per_transaction_max_amount: '5' }],
    ['graduated', { graduated_ranges: [range(0, 10), range(11, 20), range(21, null)] }],
    ['graduated', { graduated_ranges: [range(0, 0.5), range(0.5, 1), range(1, null)] }],
    ['graduated', { graduated_ranges: [range(0, 1), range(2, 2), range(3, null)] }],
    ['volume', { volume_ranges: [range(0, null)] }],
    ['graduated_percentage', { graduated_percentage_ranges: [rated(0, 10, '1'), rated(11, null, '0')] }],
    ['dynamic', {}],
  ])('%s accepts %j', (kind, properties) => expect(parseChargeProperties(kind, properties).ok).toBe(true));

  it.each([
    ['standard', {}, ['invalid_amount']],
    ['standard', { amount: 12 }, ['invalid_amount']],
    ['standard', { amount: '-1' }, ['invalid_amount']],
    ['standard', { amount: '1e3' }, ['invalid_amount']],
    ['standard', null, ['invalid_amount']],
    [
      'package',
      { amount: 'x', free_units: -1, package_size: 0 },
      ['invalid_amount', 'invalid_free_units', 'invalid_package_size'],
    ],
    ['package', { amount: '1', free_units: 0.5, package_size: 1.5 }, ['invalid_free_units', 'invalid_package_size']],
    ['percentage', {}, ['invalid_rate']],
    ['percentage', { rate: '1', fixed_amount: 'x' }, ['invalid_fixed_amount']],
    ['percentage', { rate: '1', free_units_per_events: 'x' }, ['invalid_free_units_per_events']],
    ['percentage', { rate: '1', free_units_per_total_aggregation: '-1' }, ['invalid_free_units_per_total_aggregation']],
    [
      'percentage',
      { rate: '1', per_transaction_min_amount: '6', per_transaction_max_amount: '5' },
      ['per_transaction_max_lower_than_per_transaction_min'],
    ],
    ['graduated', {}, ['missing_graduated_ranges']],
    ['graduated', { graduated_ranges: [] }, ['missing_graduated_ranges']],
    ['graduated', { graduated_ranges: [range(1, null)] }, ['invalid_graduated_ranges']],
    ['graduated', { graduated_ranges: [range(0, 10)] }, ['invalid_graduated_ranges']],
    ['graduated', { graduated_ranges: [range(0, 10), range(12, null)] }, ['invalid_graduated_ranges']],
    ['graduated', { graduated_ranges: [range(0, null), range(11, null)] }, ['invalid_graduated_ranges']],
    ['graduated', { graduated_ranges: [range(0, null, { per_unit_amount: 1 })] }, ['invalid_amount']],
    ['graduated', { graduated_ranges: ['x'] }, ['invalid_graduated_ranges', 'invalid_amount']],
    ['volume', { volume_ranges: [range(0, 10), range(9, null)] }, ['invalid_volume_ranges']],
    ['graduated_percentage', { graduated_percentage_ranges: [rated(0, null, 'x')] }, ['invalid_rate']],
    ['graduated_percentage', {}, ['missing_graduated_percentage_ranges']],
  ])('%s refuses %j: %p', (kind, properties, codes) => {
    expect(parseChargeProperties(kind, properties)).toEqual({ ok: false, errors: { properties: codes } });
  });

  it('refuses an unknown model', () => {
    expect(parseChargeProperties('free', {})).toEqual({ ok: false, errors: { charge_model: ['value_is_invalid'] } });
  });

  it.each(CHARGE_MODELS.map((kind) => [kind]))('%s has defaults that it accepts', (kind) => {
    expect(parseChargeProperties(kind, defaultChargeProperties(kind)).ok).toBe(true);
  });
});

describe('filters', () => {
  const filters: Pick<ChargeFilter, 'id' | 'values'>[] = [
    { id: 'aws', values: { cloud: ['aws'] } },
    { id: 'aws europe', values: { cloud: ['aws'], region: ['eu', 'uk'] } },
    { id: 'any cloud in asia', values: { cloud: [ALL_FILTER_VALUES], region: ['asia'] } },
    { id: 'gcp or azure', values: { cloud: ['gcp', 'azure'] } },
  ];

  it.each([
    ['the one with most keys', { cloud: 'aws', region: 'uk' }, 'aws europe'],
    ['the parent for what the child leaves', { cloud: 'aws', region: 'us' }, 'aws'],
    ['any declared value', { cloud: 'gcp', region: 'asia' }, 'any cloud in asia'],
    ['one of several values', { cloud: 'azure', region: null }, 'gcp or azure'],
    ['no value is not any value', { cloud: null, region: 'asia' }, null],
    ['nothing matches', { cloud: 'other', region: 'eu' }, null],
    ['no dimensions', {}, null],
  ])('%s', (_, dimensions, id) => expect(matchFilter(filters, dimensions)?.id ?? null).toBe(id));

  it('takes the first of equals', () => {
    const equals = [
      { id: 1, values: { a: ['x'] } },
      { id: 2, values: { a: ['x'] } },
    ];
    expect(matchFilter(equals, { a: 'x' })?.id).toBe(1);
  });
});

describe('plans and metrics', () => {
  it.each([
    [5000, 'monthly', 60_000, 'yearly', true],
    [5000, 'monthly', 59_999, 'yearly', false],
    [1000, 'weekly', 13_000, 'quarterly', true],
    [1000, 'weekly', 25_999, 'semiannual', false],
  ] as const)('from %i %s to %i %s: upgrade %p', (from, interval, to, toInterval, expected) => {
    expect(isUpgrade({ amountMinor: from, interval }, { amountMinor: to, interval: toInterval })).toBe(expected);
  });

  it('only sums and unique counts recur', () => {
    const kinds = ['sum_agg', 'unique_count_agg', 'weighted_sum_agg', 'count_agg', 'max_agg', 'latest_agg'] as const;
    expect(kinds.map(mayRecur)).toEqual([true, true, true, false, false, false]);
  });
});
