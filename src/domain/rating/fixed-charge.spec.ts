import { describe, expect, it } from '@jest/globals';
import { instant } from '../calendar/instant.js';
import type { GraduatedModel, StandardModel, VolumeModel } from '../catalog/charge.js';
import { Decimal, ZERO } from '../money/decimal.js';
import { fixedChargeUnitsAhead, unitsInForce } from '../proration/fixed-charge.js';
import { rateFixedCharge, rateFixedChargeIncrease } from './fixed-charge.js';

const d = (value: number | string) => new Decimal(value);
const standard: StandardModel = { kind: 'standard', amount: d(200) };
const ranges = [
  { fromValue: d(0), toValue: d(10), perUnitAmount: d(1), flatAmount: d(5) },
  { fromValue: d(11), toValue: null, perUnitAmount: d(2), flatAmount: d(7) },
];
const graduated: GraduatedModel = { kind: 'graduated', ranges };
const volume: VolumeModel = { kind: 'volume', ranges };
const units = (full: number | string, prorated: number | string = full) => ({
  fullUnits: d(full),
  proratedUnits: d(prorated),
});

describe('fixed charges', () => {
  it.each([
    ['standard', standard, false, units(10), '2000'],
    ['standard, prorated: 26 of 29 days', standard, true, units(10, '8.965517'), '1793.1034'],
    ['no units', standard, false, units(0), '0'],
    ['graduated', graduated, false, units(12), '26'],
    ['graduated, prorated: full units fill the tiers', graduated, true, units(12, 6), '19'],
    ['graduated without units: the first flat amount', graduated, false, units(0), '5'],
    ['volume: full units choose the tier', volume, true, units(12, 6), '19'],
  ] as const)('%s', (_, model, prorated, of, amount) => {
    expect(rateFixedCharge({ model, prorated }, of).amount.toFixed()).toBe(amount);
  });

  it.each([
    ['standard', standard, false, 10, units(5), '1000'],
    ['standard, prorated: only what is added is weighted', standard, true, 10, units(5, '2.5'), '500'],
    ['nothing added', graduated, false, 10, units(0), '0'],
    ['a tier is entered: its flat amount once', graduated, false, 10, units(4), '15'],
    ['inside a tier: no flat amount again', graduated, false, 12, units(1), '2'],
    ['nothing billed before', graduated, false, 0, units(4), '9'],
  ] as const)('added to what is billed: %s', (_, model, prorated, billed, added, amount) => {
    const increase = rateFixedChargeIncrease({ model, prorated }, d(billed), added);
    expect(increase.amount.toFixed()).toBe(amount);
    expect(increase.unitAmount.toFixed()).toBe(
      added.fullUnits.isZero() ? '0' : d(amount).div(added.fullUnits).toFixed(),
    );
  });

  it('one by one costs what all at once costs', () => {
    const whole = rateFixedCharge({ model: graduated, prorated: false }, units(14)).amount;
    let sum = rateFixedCharge({ model: graduated, prorated: false }, units(3)).amount;
    for (let billed = 3; billed < 14; billed += 1) {
      sum = sum.plus(rateFixedChargeIncrease({ model: graduated, prorated: false }, d(billed), units(1)).amount);
    }
    expect(sum.toFixed()).toBe(whole.toFixed());
  });

  it.each([
    ['before any change', '2024-02-28T00:00:00Z', '0'],
    ['on its instant', '2024-03-01T00:00:00Z', '10'],
    ['until the next', '2024-03-05T23:59:59Z', '10'],
    ['the last one of an instant', '2024-03-06T00:00:00Z', '20'],
  ])('units in force: %s', (_, at, expected) => {
    const changes = [
      { at: instant('2024-03-06T00:00:00Z'), units: d(15) },
      { at: instant('2024-03-01T00:00:00Z'), units: d(10) },
      { at: instant('2024-03-06T00:00:00Z'), units: d(20) },
    ];
    expect(unitsInForce(changes, instant(at)).toFixed()).toBe(expected);
  });

  it.each([
    ['prorated', true, '4.193548'],
    ['not prorated', false, '10'],
  ])('ahead, %s', (_, prorated, expected) => {
    const ahead = fixedChargeUnitsAhead({
      units: d(10),
      prorated,
      from: instant('2023-07-19T12:12:00Z'),
      to: instant('2023-08-01T00:00:00Z'),
      periodDays: 31,
      zone: 'UTC',
    });
    expect(ahead.fullUnits.toFixed()).toBe('10');
    expect(ahead.proratedUnits.toFixed()).toBe(expected);
    expect(unitsInForce([], instant(0))).toBe(ZERO);
  });
});
