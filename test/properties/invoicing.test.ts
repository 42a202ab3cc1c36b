import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { composeInvoice } from '../../src/domain/invoicing/compose-invoice.js';
import { applyCoupons, type AppliedCoupon } from '../../src/domain/invoicing/coupons.js';
import { feeTaxes, type Tax } from '../../src/domain/invoicing/taxes.js';
import { allocate } from '../../src/domain/money/allocate.js';
import { Decimal, sumDecimals } from '../../src/domain/money/decimal.js';
import { compare, minus, plus, rational, roundHalfUp, times, over, ZERO } from './rational.js';
import { RUNS } from './runs.js';

const rateText = fc.integer({ min: 0, max: 3000 }).map((hundredths) => (hundredths / 100).toFixed(2));
const amounts = fc.array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: 1, maxLength: 8 });
const taxOf = (rate: string): Tax => ({ code: rate, name: rate, rate: new Decimal(rate) });
const fees = fc.array(
  fc.record({
    currency: fc.constant('EUR'),
    amountMinor: fc.integer({ min: 0, max: 1_000_000 }),
    couponShareMinor: fc.constant(new Decimal(0)),
    taxes: fc.uniqueArray(rateText, { maxLength: 3 }).map((rates) => rates.map(taxOf)),
  }),
  { maxLength: 8 },
);
const coupons = fc.array(
  fc.oneof(
    fc.integer({ min: 1, max: 500_000 }).map((amountMinor): AppliedCoupon => ({
      discount: { kind: 'fixed_amount', amountMinor, currency: 'EUR', alreadyUsedMinor: 0 },
      frequency: { kind: 'forever' },
    })),
    rateText.map((rate): AppliedCoupon => ({
      discount: { kind: 'percentage', rate: new Decimal(rate) },
      frequency: { kind: 'once' },
    })),
  ),
  { maxLength: 4 },
);

describe('an invoice', () => {
  it('has lines that sum to its total', () =>
    fc.assert(
      fc.property(fees, (lines) => {
        const totals = composeInvoice({ currency: 'EUR', fees: lines });
        const feesSum = lines.reduce((sum, fee) => sum + fee.amountMinor, 0);
        const taxSum = totals.taxes.reduce((sum, tax) => sum + tax.amountMinor, 0);
        expect(totals.totalMinor).toBe(feesSum + taxSum);
        expect(composeInvoice({ currency: 'EUR', fees: lines })).toEqual(totals);
      }),
      RUNS,
    ));

  it('taxes as exact fractions do, each tax rounded once', () =>
    fc.assert(
      fc.property(fees, (lines) => {
        const totals = composeInvoice({ currency: 'EUR', fees: lines });
        for (const { tax, amountMinor } of totals.taxes) {
          const exact = lines
            .filter((fee) => fee.taxes.some((each) => each.code === tax.code))
            .reduce(
              (sum, fee) => plus(sum, over(times(rational(fee.amountMinor), rational(tax.code)), rational(100))),
              ZERO,
            );
          expect(BigInt(amountMinor)).toBe(roundHalfUp(exact, 0));
        }
        const feeTaxSum = lines.reduce((sum, fee) => sum + feeTaxes(fee).amountMinor, 0);
        const halves = totals.taxes.length + lines.length;
        expect(Math.abs(feeTaxSum - totals.taxesAmountMinor)).toBeLessThanOrEqual(Math.ceil(halves / 2));
      }),
      RUNS,
    ));
});

describe('coupons', () => {
  it('never take more than a fee has, and their shares sum to what they took', () =>
    fc.assert(
      fc.property(amounts, coupons, (lines, applied) => {
        const { feeShares, totalMinor } = applyCoupons(lines, applied, 'EUR');
        lines.forEach((fee, index) => {
          expect(feeShares[index]?.lessThanOrEqualTo(fee)).toBe(true);
          expect(feeShares[index]?.isNegative()).toBe(false);
        });
        const gap = sumDecimals(feeShares).minus(totalMinor).abs();
        expect(gap.lessThanOrEqualTo(new Decimal('0.00001').times(lines.length * applied.length))).toBe(true);
      }),
      RUNS,
    ));
});

describe('allocation', () => {
  it('conserves the whole and is within one unit of the exact share', () =>
    fc.assert(
      fc.property(fc.integer({ min: -1_000_000, max: 1_000_000 }), amounts, (total, weights) => {
        const parts = allocate(
          total,
          weights.map((weight) => new Decimal(weight)),
        );
        expect(parts.reduce((sum, part) => sum + part, 0)).toBe(total);
        const weightSum = weights.reduce((sum, weight) => sum + weight, 0);
        fc.pre(weightSum > 0);
        parts.forEach((part, index) => {
          const exact = over(times(rational(total), rational(weights[index] ?? 0)), rational(weightSum));
          const gap = minus(rational(part), exact);
          expect(compare(gap, rational(1)) < 0 && compare(gap, rational(-1)) > 0).toBe(true);
        });
      }),
      RUNS,
    ));
});
