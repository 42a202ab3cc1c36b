import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { runningTotals } from '../../src/domain/metering/running-totals.js';
import { railsDecimal } from '../../src/domain/money/decimal-string.js';
import { Decimal } from '../../src/domain/money/decimal.js';
import { extendAllowance, NOTHING_FREE } from '../../src/domain/rating/percentage.js';
import { rate } from '../../src/domain/rating/rate.js';
import type { MeteredUsage } from '../../src/domain/rating/rated-amount.js';
import { agrees, decimalOf, decimalText, flat, modelOf } from './prices.js';
import { compare, larger, minus, over, plus, rational, smaller, times, ZERO, type Rational } from './rational.js';
import { RUNS } from './runs.js';

interface Percentage {
  readonly rate: string;
  readonly fixed: string;
  /** 0 is no allowance, as null is. */
  readonly freeEvents: number | null;
  readonly freeTotal: number | null;
  readonly least: string | null;
  readonly most: string | null;
}

/** So that the free total is often met exactly. */
const fifties = (count: number) => count * 50;

const allowance = {
  freeEvents: fc.option(fc.integer({ min: 0, max: 8 })),
  freeTotal: fc.option(fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 0, max: 6 }).map(fifties))),
};
const price = { rate: decimalText(20, 3), fixed: flat, ...allowance };
const unbounded: fc.Arbitrary<Percentage> = fc.record({ ...price, least: fc.constant(null), most: fc.constant(null) });
/** At least one bound; the upper one is not below the lower one. */
const bounded: fc.Arbitrary<Percentage> = fc
  .record({ ...price, least: fc.option(flat), more: fc.option(flat) })
  .map(({ least, more, ...rest }) => {
    if (more === null) return { ...rest, least: least ?? '1.75', most: null };
    return { ...rest, least, most: new Decimal(least ?? 0).plus(more).toFixed() };
  });
const transactions = fc.array(fc.oneof(decimalText(300, 2), fc.integer({ min: 0, max: 4 }).map(fifties).map(String)), {
  maxLength: 10,
});

const percentageModel = (given: Percentage) =>
  modelOf('percentage', {
    rate: given.rate,
    fixed_amount: given.fixed,
    free_units_per_events: given.freeEvents,
    free_units_per_total_aggregation: given.freeTotal === null ? null : String(given.freeTotal),
    per_transaction_min_amount: given.least,
    per_transaction_max_amount: given.most,
  });

/** Usage as metering gives it to a price without bounds: running totals, no more of them than the allowance asks for. */
function cumulated(given: Percentage, values: readonly string[]): MeteredUsage {
  const bounds = {
    limit: given.freeEvents || null,
    enough: given.freeTotal ? new Decimal(given.freeTotal) : null,
  };
  const decimals = values.map((value) => new Decimal(value));
  return { ...totalOf(values), runningTotals: runningTotals(decimals, bounds) };
}

/** Usage as metering gives it to a price with bounds: every transaction. */
const oneByOne = (values: readonly string[]): MeteredUsage => ({
  ...totalOf(values),
  transactionValues: values.map((value) => new Decimal(value)),
});

const totalOf = (values: readonly string[]) => ({
  units: decimalOf(values.map(rational).reduce(plus, ZERO)),
  eventsCount: values.length,
});

/** Each event in turn: free while events and total last, the crossing one for a part. What is not free, is clamped. */
function percentageByFractions(given: Percentage, values: readonly Rational[]): Rational {
  const freeEvents = given.freeEvents || null;
  const freeTotal = given.freeTotal || null;
  let sum = ZERO;
  let due = ZERO;
  let isOver = freeEvents === null && freeTotal === null;
  values.forEach((value, index) => {
    const before = sum;
    let paid = value;
    sum = plus(sum, value);
    if (!isOver) {
      if (freeEvents !== null && index >= freeEvents) isOver = true;
      else if (freeTotal !== null && compare(sum, rational(freeTotal)) > 0) {
        isOver = true;
        paid = minus(value, minus(rational(freeTotal), before));
      } else return;
    }
    const amount = plus(times(paid, over(rational(given.rate), rational(100))), rational(given.fixed));
    due = plus(due, clamped(amount, given));
  });
  return due;
}

function clamped(amount: Rational, { least, most }: Percentage): Rational {
  const raised = least === null ? amount : larger(amount, rational(least));
  return most === null ? raised : smaller(raised, rational(most));
}

describe('exact fractions agree with percentage', () => {
  it('and its free allowance', () =>
    fc.assert(
      fc.property(unbounded, transactions, (given, values) => {
        const exact = values.map(rational);
        // Nothing used, nothing to pay, however often.
        const isNothing = compare(exact.reduce(plus, ZERO), ZERO) === 0;
        agrees(
          percentageModel(given),
          cumulated(given, values),
          isNothing ? ZERO : percentageByFractions(given, exact),
        );
      }),
      RUNS,
    ));

  it('with every transaction between its bounds', () =>
    fc.assert(
      fc.property(bounded, transactions, (given, values) =>
        agrees(percentageModel(given), oneByOne(values), percentageByFractions(given, values.map(rational))),
      ),
      RUNS,
    ));
});

describe('percentage', () => {
  it('with bounds that never bite costs what it costs without', () =>
    fc.assert(
      fc.property(unbounded, transactions, (given, values) => {
        fc.pre(values.some((value) => !new Decimal(value).isZero()));
        const wide = { ...given, least: '0', most: '1000000' };
        const plain = rate(percentageModel(given), cumulated(given, values));
        const wrapped = rate(percentageModel(wide), oneByOne(values));
        expect(wrapped.amount.toFixed()).toBe(plain.amount.toFixed());
        expect(wrapped.amountDetails).toEqual(plain.amountDetails);
      }),
      RUNS,
    ));

  it('frees event by event what it frees of all events at once', () =>
    fc.assert(
      fc.property(unbounded, transactions, (given, values) => {
        const model = percentageModel(given);
        if (model.kind !== 'percentage') throw new Error('Not a percentage');
        const decimals = values.map((value) => new Decimal(value));
        const free = runningTotals(decimals).reduce(
          (allowance, total) => extendAllowance(model, allowance, total),
          NOTHING_FREE,
        );
        const { amountDetails } = rate(model, cumulated(given, values));
        expect([railsDecimal(free.units), free.events]).toEqual([
          amountDetails['free_units'],
          amountDetails['free_events'],
        ]);
      }),
      RUNS,
    ));

  it('is its details: priced part, fixed part and adjustment sum to the amount', () =>
    fc.assert(
      fc.property(fc.oneof(unbounded, bounded), transactions, (given, values) => {
        const isBounded = given.least !== null || given.most !== null;
        const { amount, amountDetails } = rate(
          percentageModel(given),
          isBounded ? oneByOne(values) : cumulated(given, values),
        );
        const parts = ['per_unit_total_amount', 'fixed_fee_total_amount', 'min_max_adjustment_total_amount'];
        const sum = parts.reduce((total, part) => total.plus(String(amountDetails[part])), new Decimal(0));
        expect(sum.toFixed()).toBe(amount.toFixed());
      }),
      RUNS,
    ));
});
