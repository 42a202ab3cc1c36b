import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { instant } from '../../src/domain/calendar/instant.js';
import { Decimal } from '../../src/domain/money/decimal.js';
import { type BilledSlice, NOTHING_BILLED, rateInAdvance } from '../../src/domain/rating/in-advance.js';
import { rate } from '../../src/domain/rating/rate.js';
import { amount, anyTiers, decimalText, modelOf, units } from './prices.js';
import { RUNS } from './runs.js';

describe('paid in advance', () => {
  const percentage = fc
    .record({
      rate: decimalText(20, 3),
      fixed_amount: decimalText(5, 2),
      free_units_per_events: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined }),
      free_units_per_total_aggregation: fc.option(decimalText(2000, 2), { nil: undefined }),
      per_transaction_min_amount: fc.option(decimalText(3, 2), { nil: undefined }),
    })
    .map((properties) => ({ kind: 'percentage', properties: properties as Record<string, unknown> }));
  const price = fc.oneof(
    amount.map((text) => ({ kind: 'standard', properties: { amount: text } as Record<string, unknown> })),
    anyTiers.map((ranges) => ({ kind: 'graduated', properties: { graduated_ranges: ranges } })),
    fc.tuple(amount, fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 30 })).map(([text, size, free]) => ({
      kind: 'package',
      properties: { amount: text, package_size: size, free_units: free },
    })),
    percentage,
  );

  it('events that only add sum to the price of their total', () => {
    fc.assert(
      fc.property(price, fc.array(units, { minLength: 1, maxLength: 12 }), ({ kind, properties }, values) => {
        const model = modelOf(kind, properties);
        const decimals = values.map((value) => new Decimal(value));
        let slice: BilledSlice = NOTHING_BILLED;
        let sum = new Decimal(0);
        for (const change of decimals) {
          const event = { periodFrom: instant(0), change, preciseTotalAmountCents: new Decimal(0), share: null };
          const step = rateInAdvance({ model, recurring: false }, slice, event);
          slice = step.after;
          sum = sum.plus(step.rated.amount);
        }
        let running = new Decimal(0);
        const total = decimals.reduce((all, value) => all.plus(value), new Decimal(0));
        const arrears = rate(model, {
          units: total,
          eventsCount: values.length,
          transactionValues: decimals,
          runningTotals: decimals.map((value) => (running = running.plus(value))),
        });
        expect(sum.toFixed()).toBe(arrears.amount.toFixed());
      }),
      RUNS,
    );
  });
});
