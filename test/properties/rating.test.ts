import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Decimal } from '../../src/domain/money/decimal.js';
import { rate } from '../../src/domain/rating/rate.js';
import { agrees, amount, anyTiers, modelOf, units, usageOf, usedTiers, type TierText } from './prices.js';
import {
  ceiling,
  compare,
  larger,
  minus,
  over,
  plus,
  rational,
  smaller,
  times,
  ZERO,
  type Rational,
} from './rational.js';
import { RUNS } from './runs.js';

/** The tier's floor: where the one before it ended. */
const floors = (ranges: readonly TierText[]) =>
  ranges.map((_, index) => rational(index === 0 ? 0 : (ranges[index - 1]?.to_value ?? 0)));

function graduatedByFractions(ranges: readonly TierText[], used: Rational, percent = false): Rational {
  const bottoms = floors(ranges);
  return ranges.reduce((sum, range, index) => {
    const bottom = bottoms[index] ?? ZERO;
    if (index > 0 && compare(used, bottom) <= 0) return sum;
    const top = range.to_value === null ? used : smaller(used, rational(range.to_value));
    const price = percent ? over(rational(range.per_unit_amount), rational(100)) : rational(range.per_unit_amount);
    return plus(sum, plus(times(larger(minus(top, bottom), ZERO), price), rational(range.flat_amount)));
  }, ZERO);
}

describe('exact fractions agree with', () => {
  it('standard', () =>
    fc.assert(
      fc.property(units, amount, (used, price) =>
        agrees(modelOf('standard', { amount: price }), usageOf(used), times(rational(used), rational(price))),
      ),
      RUNS,
    ));

  it('graduated', () =>
    fc.assert(
      fc.property(usedTiers, ([ranges, used]) =>
        agrees(
          modelOf('graduated', { graduated_ranges: ranges }),
          usageOf(used),
          graduatedByFractions(ranges, rational(used)),
        ),
      ),
      RUNS,
    ));

  it('graduated percentage', () =>
    fc.assert(
      fc.property(usedTiers, ([ranges, used]) => {
        const rated = ranges.map(({ per_unit_amount: rate, ...range }) => ({ ...range, rate }));
        agrees(
          modelOf('graduated_percentage', { graduated_percentage_ranges: rated }),
          usageOf(used),
          graduatedByFractions(ranges, rational(used), true),
        );
      }),
      RUNS,
    ));

  it('package', () =>
    fc.assert(
      fc.property(
        units,
        amount,
        fc.integer({ min: 0, max: 500 }),
        fc.integer({ min: 1, max: 50 }),
        (used, price, free, size) => {
          const paid = larger(minus(rational(used), rational(free)), ZERO);
          const packages = ceiling(over(paid, rational(size)));
          agrees(
            modelOf('package', { amount: price, free_units: free, package_size: size }),
            usageOf(used),
            times(packages, rational(price)),
          );
        },
      ),
      RUNS,
    ));

  it('volume', () =>
    fc.assert(
      fc.property(usedTiers, ([ranges, used]) => {
        const touching = ranges.some((range, index) => index > 0 && range.from_value === ranges[index - 1]?.to_value);
        const position = touching ? rational(used) : ceiling(rational(used));
        const hit = ranges.find((range) => range.to_value === null || compare(position, rational(range.to_value)) <= 0);
        const priced = times(rational(used), rational(hit?.per_unit_amount ?? 0));
        agrees(
          modelOf('volume', { volume_ranges: ranges }),
          usageOf(used),
          plus(priced, rational(hit?.flat_amount ?? 0)),
        );
      }),
      RUNS,
    ));
});

describe('graduated tiers', () => {
  it.each([
    ['graduated', 'graduated_ranges', 'per_unit_amount'],
    ['graduated_percentage', 'graduated_percentage_ranges', 'rate'],
  ])('of %s are continuous where they touch: a little more usage costs a little more', (kind, key, price) =>
    fc.assert(
      fc.property(anyTiers, fc.nat(), (ranges, pick) => {
        const bounds = ranges.filter((range) => range.to_value !== null);
        const bound = bounds[pick % Math.max(1, bounds.length)];
        fc.pre(bound !== undefined);
        const free = ranges.map(({ per_unit_amount, ...range }) => ({
          ...range,
          flat_amount: '0',
          [price]: per_unit_amount,
        }));
        const model = modelOf(kind, { [key]: free });
        const step = new Decimal('1e-12');
        const amountOf = (used: Decimal) => rate(model, { units: used, eventsCount: 1 }).amount;
        const met = new Decimal(bound?.to_value ?? 0);
        const [below, at, above] = [met.minus(step), met, met.plus(step)].map(amountOf) as [Decimal, Decimal, Decimal];
        for (const more of [at.minus(below), above.minus(at)]) {
          expect(more.lessThanOrEqualTo(step.times(501))).toBe(true);
          expect(more.greaterThanOrEqualTo(0)).toBe(true);
        }
      }),
      RUNS,
    ),
  );

  it('their units sum to the usage', () =>
    fc.assert(
      fc.property(usedTiers, ([ranges, used]) => {
        const { amountDetails } = rate(modelOf('graduated', { graduated_ranges: ranges }), usageOf(used));
        const shares = amountDetails['graduated_ranges'] as readonly { readonly units: string }[];
        const sum = shares.reduce((total, share) => total.plus(share.units), new Decimal(0));
        expect(sum.toFixed()).toBe(new Decimal(used).toFixed());
      }),
      RUNS,
    ));

  it('weighing every event by the whole period changes nothing', () =>
    fc.assert(
      fc.property(anyTiers, fc.array(units, { minLength: 1, maxLength: 6 }), (ranges, values) => {
        const model = modelOf('graduated', { graduated_ranges: ranges });
        const steps = values.map((value) => ({ units: new Decimal(value), prorated: new Decimal(value) }));
        const total = steps.reduce((sum, step) => sum.plus(step.units), new Decimal(0));
        const prorated = rate(model, { units: total, eventsCount: values.length, proratedSteps: steps });
        const plain = rate(model, { units: total, eventsCount: values.length });
        expect(prorated.amount.toDecimalPlaces(20).toFixed()).toBe(plain.amount.toDecimalPlaces(20).toFixed());
      }),
      RUNS,
    ));
});

describe('every model', () => {
  it('asks for no negative amount, whatever the units', () =>
    fc.assert(
      fc.property(anyTiers, amount, fc.integer({ min: -1000, max: 1000 }), (ranges, price, used) => {
        const models = [
          modelOf('standard', { amount: price }),
          modelOf('graduated', { graduated_ranges: ranges }),
          modelOf('volume', { volume_ranges: ranges }),
          modelOf('package', { amount: price, free_units: 3, package_size: 7 }),
          modelOf('percentage', { rate: price, fixed_amount: price }),
        ];
        for (const model of models) {
          const rated = rate(model, usageOf(String(used)));
          expect(rated.amount.isNegative() && !rated.amount.isZero()).toBe(false);
          expect(rate(model, usageOf(String(used)))).toEqual(rated);
        }
      }),
      RUNS,
    ));
});
