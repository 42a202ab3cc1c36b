import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DAY, instant, plus } from '../../src/domain/calendar/instant.js';
import { AGGREGATIONS, type AggregationKind, type MetricDefinition } from '../../src/domain/catalog/billable-metric.js';
import type { ChargeModel } from '../../src/domain/catalog/charge.js';
import { matchFilter } from '../../src/domain/catalog/charge-filter.js';
import { composeInvoice, type InvoiceTotals } from '../../src/domain/invoicing/compose-invoice.js';
import { applyCoupons, type AppliedCoupon } from '../../src/domain/invoicing/coupons.js';
import { chargeFee, type Fee } from '../../src/domain/invoicing/fee.js';
import { feeTaxes, type Tax } from '../../src/domain/invoicing/taxes.js';
import { partialOf, unitsOf } from '../../src/domain/metering/aggregate.js';
import { meterEvent, type MeteredEvent, type UsageEvent } from '../../src/domain/metering/metered-event.js';
import { mergeAll } from '../../src/domain/metering/partial-aggregate.js';
import { proratedSum } from '../../src/domain/metering/prorated-sum.js';
import { proratedUniqueCount } from '../../src/domain/metering/prorated-unique-count.js';
import { runningTotals, transactionValues } from '../../src/domain/metering/running-totals.js';
import { Decimal, sumDecimals } from '../../src/domain/money/decimal.js';
import { spendingMinimumTrueUp } from '../../src/domain/proration/true-up.js';
import { rate } from '../../src/domain/rating/rate.js';
import type { MeteredUsage } from '../../src/domain/rating/rated-amount.js';
import { amount, anyTiers, decimalText, flat, modelOf } from './prices.js';
import { RUNS } from './runs.js';

const from = instant('2024-03-01T00:00:00Z');
const to = instant('2024-04-01T00:00:00Z');
const span = { from, to, periodDays: 31, zone: 'UTC' };
const CURRENCY = 'EUR';

/** A charge with one filter beside its own price, a minimum and taxes. */
interface PricedCharge {
  readonly metric: MetricDefinition;
  readonly isProrated: boolean;
  readonly models: readonly [ofFilter: ChargeModel, rest: ChargeModel];
  readonly minAmountMinor: number;
  readonly taxes: readonly Tax[];
}

const model: fc.Arbitrary<ChargeModel> = fc.oneof(
  amount.map((price) => modelOf('standard', { amount: price })),
  anyTiers.map((ranges) => modelOf('graduated', { graduated_ranges: ranges })),
  anyTiers.map((ranges) => modelOf('volume', { volume_ranges: ranges })),
  anyTiers.map((ranges) =>
    modelOf('graduated_percentage', {
      graduated_percentage_ranges: ranges.map(({ per_unit_amount, ...range }) => ({ ...range, rate: per_unit_amount })),
    }),
  ),
  fc
    .record({ amount, free_units: fc.integer({ min: 0, max: 20 }), package_size: fc.integer({ min: 1, max: 9 }) })
    .map((properties) => modelOf('package', properties)),
  fc
    .record({
      rate: decimalText(20, 3),
      fixed_amount: flat,
      free_units_per_events: fc.option(fc.integer({ min: 1, max: 5 })),
      free_units_per_total_aggregation: fc.option(decimalText(100, 1)),
      per_transaction_min_amount: fc.option(decimalText(2, 2)),
      per_transaction_max_amount: fc.option(decimalText(9, 2).map((text) => `1${text}`)),
    })
    .map((properties) => modelOf('percentage', properties)),
  fc.constant(modelOf('dynamic', {})),
);

const tax = fc.integer({ min: 0, max: 3000 }).map((hundredths): Tax => {
  const rate = (hundredths / 100).toFixed(2);
  return { code: rate, name: rate, rate: new Decimal(rate) };
});
const metricOf = (aggregation: AggregationKind): MetricDefinition => ({
  id: 'm',
  code: 'm',
  aggregation,
  fieldName: 'value',
  recurring: true,
  filters: [{ key: 'region', values: ['eu'] }],
});
const charge: fc.Arbitrary<PricedCharge> = fc.record({
  metric: fc.constantFrom(...AGGREGATIONS).map(metricOf),
  isProrated: fc.boolean(),
  models: fc.tuple(model, model),
  minAmountMinor: fc.constantFrom(0, 0, 5_000, 1_000_000),
  taxes: fc.uniqueArray(tax, { maxLength: 2, selector: ({ code }) => code }),
});
const charges = fc.array(charge, { minLength: 1, maxLength: 3 });

/** Every event has a millisecond of its own: between events of one millisecond arrival decides, by design. */
const history: fc.Arbitrary<UsageEvent[]> = fc
  .uniqueArray(
    fc.record({
      after: fc.integer({ min: -40 * DAY, max: 31 * DAY - 1 }),
      value: fc.constantFrom('1', '2.5', '-3', '0', '17', 'a', 'b', '', null, 7),
      operation: fc.constantFrom('add', 'remove', undefined),
      region: fc.constantFrom('eu', 'us', undefined),
      cents: fc.constantFrom('12.345', '0', '7'),
    }),
    { maxLength: 25, selector: ({ after }) => after },
  )
  .map((rows) =>
    rows.map(({ after, value, operation, region, cents }, sequence): UsageEvent => ({
      timestamp: plus(from, after),
      sequence,
      properties: { value, operation_type: operation, region, cents },
    })),
  );

/** Numbers the same events anew, in another order of arrival. */
const arrivingTwice = history.chain((events) =>
  fc
    .shuffledSubarray(events, { minLength: events.length })
    .map((again) => [events, again.map((event, sequence): UsageEvent => ({ ...event, sequence }))] as const),
);

function bill(plan: readonly PricedCharge[], events: readonly UsageEvent[]): { fees: Fee[]; totals: InvoiceTotals } {
  const fees = plan.flatMap((priced) => feesOf(priced, events));
  return { fees, totals: composeInvoice({ currency: CURRENCY, fees }) };
}

/** The fees of a charge: its filter's, the rest's, and what is missing to its minimum. */
function feesOf(priced: PricedCharge, events: readonly UsageEvent[]): Fee[] {
  const filters = [{ id: 'eu', values: { region: ['eu'] } }];
  const usage = priced.models.map((price, index) => {
    const belongs = ({ dimensions }: MeteredEvent) => (matchFilter(filters, dimensions) !== null) === (index === 0);
    const own = events.filter((event) => belongs(meterEvent(priced.metric, event)));
    const metered = meteredUsage(priced, price, own);
    const context = { currency: CURRENCY, eventsCount: metered.eventsCount, taxes: priced.taxes };
    return chargeFee(rate(price, metered), context);
  });
  const used = usage.reduce((sum, fee) => sum + fee.amountMinor, 0);
  const trueUp = spendingMinimumTrueUp({
    minAmountMinor: priced.minAmountMinor,
    usedAmountMinor: used,
    billedDays: 31,
    periodDays: 31,
  });
  const [first] = usage;
  if (trueUp === null || first === undefined) return usage;
  return [...usage, { ...first, kind: 'true_up', amountMinor: trueUp.amountMinor }];
}

function meteredUsage(priced: PricedCharge, price: ChargeModel, own: readonly UsageEvent[]): MeteredUsage {
  const { metric } = priced;
  const events = own.map((event) => meterEvent(metric, event));
  if (priced.isProrated && metric.aggregation === 'sum_agg') return withSteps(proratedSum(events, span));
  if (priced.isProrated && metric.aggregation === 'unique_count_agg')
    return withSteps(proratedUniqueCount(events, span));
  const partial = mergeAll(events.map((event) => partialOf(metric.aggregation, event)));
  const { units, eventsCount } = unitsOf(metric.aggregation, partial, null, span);
  const values = transactionValues(events);
  const bounded =
    price.kind === 'percentage' && (price.perTransactionMinAmount !== null || price.perTransactionMaxAmount !== null);
  return {
    units,
    eventsCount,
    runningTotals: runningTotals(values),
    ...(bounded ? { transactionValues: values } : {}),
    preciseTotalAmountCents: sumDecimals(own.map(({ properties }) => new Decimal(String(properties['cents'])))),
  };
}

const withSteps = ({ steps, ...prorated }: ReturnType<typeof proratedSum>): MeteredUsage => ({
  ...prorated,
  proratedSteps: steps,
});

/** A bill as it is read: every line with what it says. */
const asText = ({ fees, totals }: ReturnType<typeof bill>) => ({
  fees: fees.map((fee) => ({
    kind: fee.kind,
    units: fee.units.toFixed(),
    eventsCount: fee.eventsCount,
    amountMinor: fee.amountMinor,
    preciseAmount: fee.preciseAmount.toFixed(),
    unitAmount: fee.unitAmount.toFixed(),
    amountDetails: fee.amountDetails,
  })),
  taxes: totals.taxes.map(({ tax: { code }, amountMinor }) => [code, amountMinor]),
  totalMinor: totals.totalMinor,
});

describe('a bill', () => {
  it('does not depend on the order in which its events arrived', () =>
    fc.assert(
      fc.property(charges, arrivingTwice, (plan, [events, again]) => {
        expect(asText(bill(plan, again))).toEqual(asText(bill(plan, events)));
      }),
      RUNS,
    ));

  it('has lines that sum to its total, with taxes, minimums, coupons and credits', () =>
    fc.assert(
      fc.property(
        charges,
        history,
        fc.array(coupon, { maxLength: 3 }),
        fc.tuple(fc.nat(100), fc.nat(100)),
        (plan, events, coupons, [creditPercent, prepaidPercent]) => {
          const priced = bill(plan, events).fees;
          const amounts = priced.map((fee) => fee.amountMinor);
          const { feeShares, totalMinor: discountMinor } = applyCoupons(amounts, coupons, CURRENCY);
          const fees = priced.map((fee, index) => ({ ...fee, couponShareMinor: feeShares[index] ?? new Decimal(0) }));
          const due = composeInvoice({ currency: CURRENCY, fees }).totalMinor;
          const creditNotesAmountMinor = Math.floor((due * creditPercent) / 100);
          const prepaidCreditAmountMinor = Math.floor(((due - creditNotesAmountMinor) * prepaidPercent) / 100);
          const totals = composeInvoice({ currency: CURRENCY, fees, creditNotesAmountMinor, prepaidCreditAmountMinor });

          const sum = (parts: readonly number[]) => parts.reduce((total, part) => total + part, 0);
          const taxLines = totals.taxes.map((line) => line.amountMinor);
          expect(totals.feesAmountMinor).toBe(sum(amounts));
          expect(totals.couponsAmountMinor).toBe(discountMinor);
          expect(totals.totalMinor).toBe(
            sum(amounts) + sum(taxLines) - discountMinor - creditNotesAmountMinor - prepaidCreditAmountMinor,
          );
          // Taxes of fees are each rounded: half a cent for every line of them, half a cent for every tax of the invoice.
          const lines = sum(fees.map((fee) => 1 + fee.taxes.length)) + taxLines.length;
          const ofFees = sum(fees.map((fee) => feeTaxes(fee).amountMinor));
          expect(Math.abs(ofFees - totals.taxesAmountMinor)).toBeLessThanOrEqual(Math.ceil(lines / 2));
        },
      ),
      RUNS,
    ));

  it('meets the minimum of every charge, and exceeds it by usage only', () =>
    fc.assert(
      fc.property(charges, history, (plan, events) => {
        for (const priced of plan) {
          const fees = feesOf(priced, events);
          const used = fees.filter(({ kind }) => kind === 'charge').reduce((sum, fee) => sum + fee.amountMinor, 0);
          const whole = fees.reduce((sum, fee) => sum + fee.amountMinor, 0);
          expect(whole).toBe(Math.max(used, priced.minAmountMinor));
        }
      }),
      RUNS,
    ));
});

const coupon: fc.Arbitrary<AppliedCoupon> = fc.oneof(
  fc.integer({ min: 1, max: 500_000 }).map((amountMinor): AppliedCoupon => ({
    discount: { kind: 'fixed_amount', amountMinor, currency: CURRENCY, alreadyUsedMinor: 0 },
    frequency: { kind: 'forever' },
  })),
  fc.integer({ min: 1, max: 10_000 }).map((hundredths): AppliedCoupon => ({
    discount: { kind: 'percentage', rate: new Decimal(hundredths).div(100) },
    frequency: { kind: 'once' },
  })),
);
