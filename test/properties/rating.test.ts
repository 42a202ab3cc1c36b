import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseChargeProperties, type ChargeModel } from '../../src/domain/catalog/charge.js';
import { Decimal } from '../../src/domain/money/decimal.js';
import { roundToMinorUnits } from '../../src/domain/money/money.js';
import { rate } from '../../src/domain/rating/rate.js';
import type { MeteredUsage } from '../../src/domain/rating/rated-amount.js';
import {
  ceiling,
  compare,
  larger,
  minus,
  over,
  plus,
  rational,
  roundHalfUp,
  smaller,
  times,
  ZERO,
  type Rational,
} from './rational.js';
import { RUNS } from './runs.js';

/** Decimal text with at most `digits` after the point, without trailing zeros to worry about. */
const decimalText = (max: number, digits: number) =>
  fc.tuple(fc.integer({ min: 0, max }), fc.integer({ min: 0, max: 10 ** digits - 1 })).map(([whole, fraction]) => {
    const text = String(fraction).padStart(digits, '0');
    return digits === 0 ? String(whole) : `${whole}.${text}`;
  });
const units = decimalText(2000, 4);
const amount = decimalText(500, 6);
const flat = decimalText(50, 2);

interface TierText {
  readonly from_value: number;
  readonly to_value: number | null;
  readonly per_unit_amount: string;
  readonly flat_amount: string;
}

/** Ranges by one (0-10, 11-...) or touching (0-10, 10-...). */
const tiers = (touching: boolean) =>
  fc
    .array(fc.tuple(fc.integer({ min: 1, max: 300 }), amount, flat), { minLength: 1, maxLength: 5 })
    .map((widths): TierText[] => {
      let floor = 0;
      return widths.map(([width, perUnit, flatAmount], index) => {
        const from = index === 0 || touching ? floor : floor + 1;
        floor += width;
        const to = index === widths.length - 1 ? null : floor;
        return { from_value: from, to_value: to, per_unit_amount: perUnit, flat_amount: flatAmount };
      });
    });
const anyTiers = fc.boolean().chain((touching) => tiers(touching));

function modelOf(kind: string, properties: Record<string, unknown>): ChargeModel {
  const parsed = parseChargeProperties(kind, properties);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.model;
}

/** Same amount as the fraction says, to the digits that are kept, and the same cents. */
function agrees(model: ChargeModel, usage: MeteredUsage, expected: Rational): void {
  const { amount: rated } = rate(model, usage);
  expect(BigInt(rated.times('1e25').toFixed(0))).toBe(roundHalfUp(expected, 25));
  expect(BigInt(roundToMinorUnits(rated, 'EUR'))).toBe(roundHalfUp(expected, 2));
}

const usageOf = (text: string, more: Partial<MeteredUsage> = {}): MeteredUsage => ({
  units: new Decimal(text),
  eventsCount: 1,
  ...more,
});

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
      fc.property(units, anyTiers, (used, ranges) =>
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
      fc.property(units, anyTiers, (used, ranges) => {
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
      fc.property(units, anyTiers, (used, ranges) => {
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

  it('percentage with its free allowance', () =>
    fc.assert(
      fc.property(
        fc.array(decimalText(300, 2), { maxLength: 8 }),
        decimalText(20, 3),
        flat,
        fc.option(fc.integer({ min: 1, max: 10 })),
        fc.option(fc.integer({ min: 1, max: 1000 })),
        (values, percent, fixed, freeEvents, freeTotal) => {
          const exact = values.map(rational);
          const total = exact.reduce(plus, ZERO);
          const running = exact.map((_, index) => exact.slice(0, index + 1).reduce(plus, ZERO));
          const expected = percentageByFractions(exact, rational(percent), rational(fixed), freeEvents, freeTotal);
          agrees(
            modelOf('percentage', {
              rate: percent,
              fixed_amount: fixed,
              free_units_per_events: freeEvents,
              free_units_per_total_aggregation: freeTotal === null ? null : String(freeTotal),
            }),
            {
              units: decimalOf(total),
              eventsCount: values.length,
              runningTotals: running.map(decimalOf),
            },
            compare(total, ZERO) === 0 ? ZERO : expected,
          );
        },
      ),
      RUNS,
    ));
});

/** Each event in turn: free while events and total last, the crossing one for a part. */
function percentageByFractions(
  values: readonly Rational[],
  percent: Rational,
  fixed: Rational,
  freeEvents: number | null,
  freeTotal: number | null,
): Rational {
  let sum = ZERO;
  let amountDue = ZERO;
  let isOver = freeEvents === null && freeTotal === null;
  values.forEach((value, index) => {
    const before = sum;
    sum = plus(sum, value);
    if (freeEvents !== null && index >= freeEvents) isOver = true;
    if (isOver) {
      amountDue = plus(amountDue, plus(times(value, over(percent, rational(100))), fixed));
    } else if (freeTotal !== null && compare(sum, rational(freeTotal)) > 0) {
      isOver = true;
      const paid = minus(value, minus(rational(freeTotal), before));
      amountDue = plus(amountDue, plus(times(paid, over(percent, rational(100))), fixed));
    }
  });
  return amountDue;
}

function decimalOf(value: Rational): Decimal {
  return new Decimal(value.numerator.toString()).div(value.denominator.toString());
}

describe('graduated tiers', () => {
  it('are continuous where they touch: a little more usage costs a little more', () =>
    fc.assert(
      fc.property(anyTiers, fc.nat(), (ranges, pick) => {
        const bounds = ranges.filter((range) => range.to_value !== null);
        const bound = bounds[pick % Math.max(1, bounds.length)];
        fc.pre(bound !== undefined);
        const free = ranges.map((range) => ({ ...range, flat_amount: '0' }));
        const model = modelOf('graduated', { graduated_ranges: free });
        const step = new Decimal('1e-12');
        const at = rate(model, usageOf(String(bound?.to_value))).amount;
        const after = rate(model, { units: new Decimal(bound?.to_value ?? 0).plus(step), eventsCount: 1 }).amount;
        expect(after.minus(at).lessThanOrEqualTo(step.times(501))).toBe(true);
        expect(after.greaterThanOrEqualTo(at)).toBe(true);
      }),
      RUNS,
    ));

  it('their units sum to the usage', () =>
    fc.assert(
      fc.property(anyTiers, units, (ranges, used) => {
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
