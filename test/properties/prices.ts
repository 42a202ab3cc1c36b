import { expect } from '@jest/globals';
import fc from 'fast-check';
import { parseChargeProperties, type ChargeModel } from '../../src/domain/catalog/charge.js';
import { Decimal } from '../../src/domain/money/decimal.js';
import { roundToMinorUnits } from '../../src/domain/money/money.js';
import { rate } from '../../src/domain/rating/rate.js';
import type { MeteredUsage } from '../../src/domain/rating/rated-amount.js';
import { roundHalfUp, type Rational } from './rational.js';

/** Decimal text with at most `digits` after the point, without trailing zeros to worry about. */
export const decimalText = (max: number, digits: number) =>
  fc.tuple(fc.integer({ min: 0, max }), fc.integer({ min: 0, max: 10 ** digits - 1 })).map(([whole, fraction]) => {
    const text = String(fraction).padStart(digits, '0');
    return digits === 0 ? String(whole) : `${whole}.${text}`;
  });
export const units = decimalText(2000, 4);
export const amount = decimalText(500, 6);
export const flat = decimalText(50, 2);

export interface TierText {
  readonly from_value: number;
  readonly to_value: number | null;
  readonly per_unit_amount: string;
  readonly flat_amount: string;
}

/** Ranges by one (0-10, 11-...) or touching (0-10, 10-...). */
export const tiers = (touching: boolean) =>
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
export const anyTiers = fc.boolean().chain((touching) => tiers(touching));

/** Tiers with some usage: any, or what exactly fills a tier, or a little more or less than that. */
export const usedTiers = anyTiers.chain((ranges) => {
  const bounds = ranges.flatMap(({ to_value }) => (to_value === null ? [] : [to_value]));
  const atBound = fc.constantFrom(0, ...bounds);
  return fc.tuple(
    fc.constant(ranges),
    fc.oneof(
      units,
      atBound.map(String),
      atBound.map((bound) => `${bound}.0001`),
      atBound.map((bound) => `${bound}.5`),
    ),
  );
});

export function modelOf(kind: string, properties: Record<string, unknown>): ChargeModel {
  const parsed = parseChargeProperties(kind, properties);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.model;
}

/** Same amount as the fraction says, to the digits that are kept, and the same cents. */
export function agrees(model: ChargeModel, usage: MeteredUsage, expected: Rational): void {
  const { amount: rated } = rate(model, usage);
  expect(BigInt(rated.times('1e25').toFixed(0))).toBe(roundHalfUp(expected, 25));
  expect(BigInt(roundToMinorUnits(rated, 'EUR'))).toBe(roundHalfUp(expected, 2));
}

export const usageOf = (text: string, more: Partial<MeteredUsage> = {}): MeteredUsage => ({
  units: new Decimal(text),
  eventsCount: 1,
  ...more,
});

/** A fraction whose decimals end. */
export function decimalOf(value: Rational): Decimal {
  return new Decimal(value.numerator.toString()).div(value.denominator.toString());
}
