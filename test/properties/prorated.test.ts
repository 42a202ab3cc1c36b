import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DAY, instant, plus as later, type Instant } from '../../src/domain/calendar/instant.js';
import { type AGGREGATIONS, type MetricDefinition } from '../../src/domain/catalog/billable-metric.js';
import { aggregateEvents, unitsOf } from '../../src/domain/metering/aggregate.js';
import { meterEvent, type UsageEvent } from '../../src/domain/metering/metered-event.js';
import { proratedSum } from '../../src/domain/metering/prorated-sum.js';
import { proratedUniqueCount } from '../../src/domain/metering/prorated-unique-count.js';
import { Decimal } from '../../src/domain/money/decimal.js';
import { fixedChargeUnitsInArrears } from '../../src/domain/proration/fixed-charge.js';
import { commitmentDue } from '../../src/domain/proration/minimum-commitment.js';
import { spendingMinimumTrueUp } from '../../src/domain/proration/true-up.js';
import type { MeteredUsage } from '../../src/domain/rating/rated-amount.js';
import { agrees, amount, anyTiers, decimalText, modelOf, units, usedTiers, type TierText } from './prices.js';
import {
  compare,
  larger,
  minus,
  over,
  plus,
  rational,
  roundHalfUp,
  roundUp,
  smaller,
  times,
  ZERO,
  type Rational,
} from './rational.js';
import { RUNS } from './runs.js';

/** March 2024 in UTC: days are whole numbers here, the calendars have properties of their own. */
const from = instant('2024-03-01T00:00:00Z');
const to = instant('2024-04-01T00:00:00Z');
const PERIOD_DAYS = 31;
const span = { from, to, periodDays: PERIOD_DAYS, zone: 'UTC' };
/** From forty days before the period to three after it, and often exactly on a midnight. */
const moment = fc.oneof(
  fc.integer({ min: -40 * DAY, max: 34 * DAY }),
  fc.integer({ min: -40, max: 34 }).map((days) => days * DAY),
);

const signed = fc.tuple(fc.boolean(), decimalText(50, 3)).map(([isNegative, text]) => (isNegative ? `-${text}` : text));
const changes = fc.array(fc.record({ after: moment, value: signed }), { maxLength: 12 });
const metricOf = (aggregation: (typeof AGGREGATIONS)[number]): MetricDefinition => ({
  id: 'm',
  code: 'm',
  aggregation,
  fieldName: 'value',
  recurring: true,
  filters: [],
});
const eventsOf = (rows: readonly { readonly after: number; readonly value: string; readonly operation?: string }[]) =>
  rows.map(({ after, value, operation }, sequence): UsageEvent => ({
    timestamp: later(from, after),
    sequence,
    properties: { value, operation_type: operation },
  }));

/** The day of the period, the first one being 0. */
const dayOf = (at: Instant) => Math.floor((at - from) / DAY);
const daysLeft = (at: Instant) => PERIOD_DAYS - Math.max(0, dayOf(at));

describe('exact fractions agree with', () => {
  it('a prorated sum', () =>
    fc.assert(
      fc.property(changes, (rows) => {
        const events = eventsOf(rows);
        const metered = events.map((event) => meterEvent(metricOf('sum_agg'), event));
        const { units: weighted, fullUnits } = proratedSum(metered, span);
        let [full, unitDays] = [ZERO, ZERO];
        for (const [index, { timestamp }] of events.entries()) {
          if (timestamp >= to) continue;
          const value = rational(rows[index]?.value ?? '0');
          full = plus(full, value);
          unitDays = plus(unitDays, times(value, rational(daysLeft(timestamp))));
        }
        expect(fullUnits.toFixed()).toBe(inDecimals(full));
        expect(BigInt(weighted.times('1e5').toFixed())).toBe(roundUp(over(unitDays, rational(PERIOD_DAYS)), 5));
      }),
      RUNS,
    ));

  it('a prorated unique count', () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            after: moment,
            value: fc.constantFrom('a', 'b', 'c'),
            operation: fc.constantFrom('add', 'remove'),
          }),
          { maxLength: 12 },
        ),
        (rows) => {
          const events = eventsOf(rows);
          const metered = events.map((event) => meterEvent(metricOf('unique_count_agg'), event));
          const { units: weighted } = proratedUniqueCount(metered, span);
          let days = 0;
          for (const thing of ['a', 'b', 'c']) {
            const own = events
              .filter(({ properties, timestamp }) => properties['value'] === thing && timestamp < to)
              .sort((a, b) => a.timestamp - b.timestamp || (a.sequence ?? 0) - (b.sequence ?? 0));
            for (let day = 0; day < PERIOD_DAYS; day += 1) days += wasThere(own, day) ? 1 : 0;
          }
          const exact = over(rational(days), rational(PERIOD_DAYS));
          expect(BigInt(weighted.times('1e5').toFixed())).toBe(roundUp(exact, 5));
        },
      ),
      RUNS,
    ));

  it('a weighted sum', () =>
    fc.assert(
      fc.property(changes, signed, (rows, carried) => {
        const inside = eventsOf(rows).filter(({ timestamp }) => timestamp >= from && timestamp < to);
        const partial = aggregateEvents(metricOf('weighted_sum_agg'), inside);
        const { units: weighted } = unitsOf('weighted_sum_agg', partial, null, {
          ...span,
          carriedLevel: new Decimal(carried),
        });
        // The level after each event, for as long as it lasts.
        const ordered = [...inside].sort((a, b) => a.timestamp - b.timestamp);
        let [level, since, area] = [rational(carried), from, ZERO];
        for (const { timestamp, properties } of ordered) {
          area = plus(area, times(level, rational(timestamp - since)));
          level = plus(level, rational(String(properties['value'])));
          since = timestamp;
        }
        area = plus(area, times(level, rational(to - since)));
        const exact = larger(over(area, rational(PERIOD_DAYS * DAY)), ZERO);
        // A quotient keeps sixteen digits that count.
        const gap = minus(rational(weighted.toFixed()), exact);
        expect(
          compare(times(gap, gap), times(exact, times(exact, rational(`0.${'0'.repeat(29)}1`)))),
        ).toBeLessThanOrEqual(0);
      }),
      RUNS,
    ));

  it('prorated graduated, where removals leave from the top', () =>
    fc.assert(
      fc.property(anyTiers, fc.array(step, { maxLength: 8 }), (ranges, steps) => {
        const model = modelOf('graduated', { graduated_ranges: ranges });
        agrees(model, usageOfSteps(steps), proratedGraduatedByFractions(ranges, steps));
      }),
      RUNS,
    ));

  // Few tiers, few units and amounts in half cents: parts that have no last decimal often sum to half a cent.
  it('prorated graduated where an event that spans tiers comes to half a cent', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.tuple(halfCents, halfCents),
        fc.integer({ min: 0, max: 12 }),
        fc.integer({ min: 1, max: 13 }),
        fc.integer({ min: 1, max: 40 }),
        (bound, [lower, upper], before, added, eighths) => {
          const ranges = [
            { from_value: 0, to_value: bound, per_unit_amount: lower, flat_amount: '0' },
            { from_value: bound, to_value: null, per_unit_amount: upper, flat_amount: '0' },
          ];
          const steps = [
            { units: String(before), prorated: String(before) },
            { units: String(added), prorated: (eighths / 8).toFixed(3) },
          ];
          agrees(
            modelOf('graduated', { graduated_ranges: ranges }),
            usageOfSteps(steps),
            proratedGraduatedByFractions(ranges, steps),
          );
        },
      ),
      RUNS,
    ));

  it('prorated standard and volume', () =>
    fc.assert(
      fc.property(usedTiers, units, amount, ([ranges, full], weighted, price) => {
        const usage = { units: new Decimal(weighted), fullUnits: new Decimal(full), eventsCount: 1 };
        agrees(modelOf('standard', { amount: price }), usage, times(rational(weighted), rational(price)));
        // What lies between two tiers by one is in the upper one.
        const hit = ranges.find(
          ({ to_value }) => to_value === null || compare(rational(full), rational(to_value)) <= 0,
        );
        const priced = times(rational(weighted), rational(hit?.per_unit_amount ?? 0));
        agrees(modelOf('volume', { volume_ranges: ranges }), usage, plus(priced, rational(hit?.flat_amount ?? 0)));
      }),
      RUNS,
    ));

  it('dynamic', () =>
    fc.assert(
      fc.property(units, fc.array(decimalText(5000, 9), { maxLength: 10 }), (used, cents) => {
        const sum = cents.reduce((total, each) => total.plus(each), new Decimal(0));
        const usage = { units: new Decimal(used), eventsCount: cents.length, preciseTotalAmountCents: sum };
        agrees(modelOf('dynamic', {}), usage, over(cents.map(rational).reduce(plus, ZERO), rational(100)));
      }),
      RUNS,
    ));

  it('the units of a fixed charge', () =>
    fc.assert(
      fc.property(
        fc.array(fc.record({ after: moment, value: decimalText(50, 2) }), { maxLength: 8 }),
        fc.integer({ min: 0, max: 30 }),
        fc.integer({ min: 0, max: 30 }),
        (rows, one, other) => {
          const [first, last] = [Math.min(one, other), Math.max(one, other)];
          const billed = { ...span, from: later(from, first * DAY), to: later(from, (last + 1) * DAY) };
          const inOrder = [...rows].sort((a, b) => a.after - b.after);
          const computed = fixedChargeUnitsInArrears({
            ...billed,
            changes: inOrder.map(({ after, value }) => ({ at: later(from, after), units: new Decimal(value) })),
          });
          let unitDays = ZERO;
          for (let day = first; day <= last; day += 1) {
            const inForce = inOrder.filter(({ after }) => Math.floor(after / DAY) <= day).at(-1);
            unitDays = plus(unitDays, rational(inForce?.value ?? '0'));
          }
          const atEnd = inOrder.filter(({ after }) => after < (last + 1) * DAY).at(-1);
          expect(computed.fullUnits.toFixed()).toBe(new Decimal(atEnd?.value ?? 0).toFixed());
          const exact = roundHalfUp(over(unitDays, rational(PERIOD_DAYS)), 6);
          expect(BigInt(computed.proratedUnits.times('1e6').toFixed())).toBe(exact);
        },
      ),
      RUNS,
    ));

  it('minimums and commitments', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10_000_000 }),
        fc.integer({ min: 1, max: 366 }),
        fc.integer({ min: 0, max: 366 }),
        // Used amounts may have decimals: precise amounts are what a minimum is compared with.
        decimalText(100_000, 2),
        (wholeMinor, periodDays, days, usedMinor) => {
          const billedDays = Math.min(days, periodDays);
          const due = over(times(rational(wholeMinor), rational(billedDays)), rational(periodDays));
          expect(BigInt(commitmentDue(wholeMinor, billedDays, periodDays))).toBe(roundHalfUp(due, 0));
          const missing = larger(minus(due, rational(usedMinor)), ZERO);
          const trueUp = spendingMinimumTrueUp({
            minAmountMinor: wholeMinor,
            usedAmountMinor: new Decimal(usedMinor),
            billedDays,
            periodDays,
          });
          expect(BigInt(trueUp?.amountMinor ?? 0)).toBe(roundHalfUp(missing, 0));
        },
      ),
      RUNS,
    ));
});

const halfCents = fc.integer({ min: 1, max: 40 }).map((count) => (count / 200).toFixed(3));

interface StepText {
  readonly units: string;
  readonly prorated: string;
}

const usageOfSteps = (steps: readonly StepText[]): MeteredUsage => ({
  units: new Decimal(0),
  eventsCount: steps.length,
  proratedSteps: steps.map((each) => ({ units: new Decimal(each.units), prorated: new Decimal(each.prorated) })),
});

/** An event of a prorated charge: a whole number of days of the period is left to it. */
const step = fc.record({ value: signed, days: fc.integer({ min: 1, max: 31 }) }).map(({ value, days }) => ({
  units: value,
  // At five decimals, as metering rounds: the weighted units of a step are its own input here.
  prorated: new Decimal(value).times(days).div(PERIOD_DAYS).toDecimalPlaces(5).toFixed(),
}));

/** Tiers as vessels: units are poured in from below and taken out from above, and each part carries its share of weight. */
function proratedGraduatedByFractions(ranges: readonly TierText[], steps: readonly StepText[]): Rational {
  const capacity = ranges.map(({ to_value }, index) =>
    to_value === null
      ? null
      : minus(rational(to_value), rational(index === 0 ? 0 : (ranges[index - 1]?.to_value ?? 0))),
  );
  const held = ranges.map(() => ZERO);
  const wasEntered = ranges.map((_, index) => index === 0);
  let due = ZERO;
  const price = (tier: number, moved: Rational, each: StepText) => {
    const weight = over(times(rational(each.prorated), moved), rational(each.units));
    due = plus(due, times(weight, rational(ranges[tier]?.per_unit_amount ?? 0)));
  };
  for (const each of steps) {
    let left = rational(each.units);
    for (let tier = 0; compare(left, ZERO) > 0; tier += 1) {
      const room = capacity[tier];
      const moved = room == null ? left : smaller(left, minus(room, held[tier] ?? ZERO));
      if (compare(moved, ZERO) <= 0) continue;
      held[tier] = plus(held[tier] ?? ZERO, moved);
      wasEntered[tier] = true;
      price(tier, moved, each);
      left = minus(left, moved);
    }
    for (let tier = ranges.length - 1; compare(left, ZERO) < 0; tier -= 1) {
      // More than there is can only be taken out of the first tier, which goes below zero.
      const taken = tier === 0 ? left : larger(left, minus(ZERO, held[tier] ?? ZERO));
      if (compare(taken, ZERO) === 0) continue;
      held[tier] = plus(held[tier] ?? ZERO, taken);
      price(tier, taken, each);
      left = minus(left, taken);
    }
  }
  const flats = ranges.filter((_, tier) => wasEntered[tier]).map((range) => rational(range.flat_amount));
  return larger(plus(due, flats.reduce(plus, ZERO)), ZERO);
}

/** Whether a thing was there at any time of a day: from its first addition through the day of its removal. */
function wasThere(operations: readonly UsageEvent[], day: number): boolean {
  let isThere = false;
  for (const { timestamp, properties } of operations) {
    if (dayOf(timestamp) > day) break;
    const isAdded = properties['operation_type'] === 'add';
    if (dayOf(timestamp) === day && (isAdded || isThere)) return true;
    isThere = isAdded;
  }
  return isThere;
}

/** A fraction of at most three decimals, as text. */
function inDecimals(value: Rational): string {
  return new Decimal(value.numerator.toString()).div(value.denominator.toString()).toFixed();
}
