import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  BILLING_INTERVALS,
  BILLING_TIMES,
  daysOf,
  monthly,
  nextPeriod,
  periodContaining,
  previousPeriod,
  type BillingCalendar,
} from '../../src/domain/calendar/billing-calendar.js';
import { billingBoundaries } from '../../src/domain/calendar/billing-boundaries.js';
import { instant, plus, type Instant } from '../../src/domain/calendar/instant.js';
import { contains, lastInstant } from '../../src/domain/calendar/period.js';
import { localDate, startOfLocalDay } from '../../src/domain/calendar/time-zone.js';
import { toIsoDate } from '../../src/domain/calendar/local-date.js';
import { billedDays } from '../../src/domain/proration/day-count.js';
import { subscriptionFee } from '../../src/domain/proration/subscription-fee.js';
import { RUNS } from './runs.js';

/** Zones whose clocks do something at or near midnight, or skip days, beside ordinary ones. */
const zone = fc.constantFrom(
  'UTC',
  'Europe/Paris',
  'America/New_York',
  'America/Sao_Paulo',
  'America/Havana',
  'America/St_Johns',
  'Asia/Kolkata',
  'Asia/Beirut',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'Pacific/Kiritimati',
  'Pacific/Pago_Pago',
);
const at = fc
  .integer({ min: instant('1996-01-01T00:00:00Z'), max: instant('2040-01-01T00:00:00Z') })
  .map((milliseconds) => instant(milliseconds));
const calendar: fc.Arbitrary<BillingCalendar> = fc.record({
  interval: fc.constantFrom(...BILLING_INTERVALS),
  billingTime: fc.constantFrom(...BILLING_TIMES),
  subscriptionAt: at,
  zone,
});

const fraction = fc.double({ min: 0, max: 1, noNaN: true });

describe('the sequence of billing periods', () => {
  it('covers time without gap or overlap', () =>
    fc.assert(
      fc.property(calendar, at, (sequence, moment) => {
        const found = periodContaining(sequence, moment);
        expect(contains(found, moment)).toBe(true);
        expect(periodContaining(sequence, found.from)).toEqual(found);
        expect(periodContaining(sequence, lastInstant(found))).toEqual(found);
        const next = nextPeriod(sequence, found);
        expect(next.from).toBe(found.to);
        expect(previousPeriod(sequence, next)).toEqual(found);
        expect(previousPeriod(sequence, found).to).toBe(found.from);
      }),
      RUNS,
    ));

  it('starts each period with a local day, of the anchor’s number where the month has one', () =>
    fc.assert(
      fc.property(calendar, at, (sequence, moment) => {
        const found = periodContaining(sequence, moment);
        const start = localDate(found.from, sequence.zone);
        expect(startOfLocalDay(start, sequence.zone)).toBe(found.from);
        const anchor = localDate(sequence.subscriptionAt, sequence.zone);
        // A skipped day (Apia) moves a start by one.
        if (sequence.interval === 'weekly' || sequence.zone === 'Pacific/Apia') return;
        const wanted = sequence.billingTime === 'calendar' ? 1 : anchor.day;
        const length = new Date(Date.UTC(start.year, start.month, 0)).getUTCDate();
        expect(start.day).toBe(Math.min(wanted, length));
      }),
      RUNS,
    ));

  it('is refined by its months', () =>
    fc.assert(
      fc.property(calendar, at, (sequence, moment) => {
        fc.pre(sequence.interval !== 'weekly');
        const whole = periodContaining(sequence, moment);
        let month = periodContaining(monthly(sequence), whole.from);
        expect(month.from).toBe(whole.from);
        for (let count = 0; month.to < whole.to && count < 12; count += 1) month = nextPeriod(monthly(sequence), month);
        expect(month.to).toBe(whole.to);
      }),
      RUNS,
    ));
});

describe('billing in arrears', () => {
  it('bills every instant of a subscription’s life once, from start to termination', () =>
    fc.assert(
      fc.property(
        calendar,
        fc.integer({ min: 0, max: 400 * 86_400_000 }),
        fc.integer({ min: 0, max: 400 * 86_400_000 }),
        (sequence, startsAfter, lives) => {
          const startedAt = plus(sequence.subscriptionAt, startsAfter);
          const terminatedAt = plus(startedAt, lives);
          const situation = { ...sequence, payInAdvance: false, startedAt };
          let covered: Instant = startedAt;
          let billingAt = periodContaining(sequence, startedAt).to;
          for (; billingAt <= terminatedAt; billingAt = periodContaining(sequence, billingAt).to) {
            const { charges } = billingBoundaries({ ...situation, billingAt });
            expect(charges?.from).toBe(covered);
            covered = charges?.to ?? covered;
          }
          const { charges } = billingBoundaries({ ...situation, terminatedAt, billingAt: terminatedAt });
          expect(charges?.from).toBe(covered);
          expect(charges?.to).toBe(terminatedAt + 1);
        },
      ),
      { numRuns: Math.ceil(RUNS.numRuns / 5) },
    ));
});

describe('proration', () => {
  it('of two parts that meet at a local midnight sums to the whole', () =>
    fc.assert(
      fc.property(
        calendar,
        at,
        fc.integer({ min: 0, max: 400 }),
        fc.integer({ min: 0, max: 10_000_000 }),
        (sequence, moment, cut, planAmountMinor) => {
          fc.pre(sequence.zone !== 'Pacific/Apia');
          const whole = periodContaining(sequence, moment);
          const days = daysOf(sequence, whole);
          const middle = startOfLocalDay(
            localDate(plus(whole.from, (cut % days) * 86_400_000 + 43_200_000), sequence.zone),
            sequence.zone,
          );
          const fee = (from: Instant, to: Instant) =>
            subscriptionFee({ planAmountMinor, currency: 'EUR', periodDays: days, from, to, zone: sequence.zone });
          const [left, right] = [fee(whole.from, middle), fee(middle, whole.to)];
          expect(left.billedDays + right.billedDays).toBe(days);
          expect(fee(whole.from, whole.to).amountMinor).toBe(planAmountMinor);
          expect(Math.abs(left.amountMinor + right.amountMinor - planAmountMinor)).toBeLessThanOrEqual(1);
        },
      ),
      RUNS,
    ));

  it('of a period split by a change of plan and back conserves the fee', () =>
    fc.assert(
      fc.property(
        calendar,
        at,
        fc.tuple(fraction, fraction),
        fc.tuple(fc.integer({ min: 0, max: 10_000_000 }), fc.integer({ min: 0, max: 10_000_000 })),
        (sequence, moment, cuts, [amountMinor, otherMinor]) => {
          fc.pre(sequence.zone !== 'Pacific/Apia');
          const whole = periodContaining(sequence, moment);
          const [changedAt, backAt] = cuts
            .map((cut) => instant(whole.from + Math.floor((whole.to - whole.from - 1) * cut)))
            .sort((a, b) => a - b) as [Instant, Instant];
          // Three subscriptions one after the other; each one's day of change belongs to the next.
          const lives = [
            { startedAt: whole.from, terminatedAt: changedAt, billingAt: changedAt, planAmountMinor: amountMinor },
            { startedAt: changedAt, terminatedAt: backAt, billingAt: backAt, planAmountMinor: otherMinor },
            { startedAt: backAt, terminatedAt: null, billingAt: whole.to, planAmountMinor: amountMinor },
          ];
          const fees = lives.map(({ planAmountMinor, ...life }) => {
            const { subscription: billed } = billingBoundaries({ ...sequence, ...life, payInAdvance: false });
            if (billed === null) throw new Error('A started subscription is billed');
            const { from, to, periodDays } = billed;
            const endedByUpgrade = life.terminatedAt !== null;
            return subscriptionFee({
              planAmountMinor,
              currency: 'EUR',
              periodDays,
              from,
              to,
              zone: sequence.zone,
              endedByUpgrade,
            });
          });
          const days = daysOf(sequence, whole);
          const [before, between, after] = fees.map((fee) => fee.billedDays) as [number, number, number];
          expect(before + between + after).toBe(days);
          const due = (amountMinor * (before + after) + otherMinor * between) / days;
          const billedMinor = fees.reduce((sum, fee) => sum + fee.amountMinor, 0);
          // Each of the three fees is rounded once.
          expect(Math.abs(billedMinor - due)).toBeLessThanOrEqual(1.5 + 1e-6);
        },
      ),
      RUNS,
    ));

  it('counts a local day as one day, however long', () =>
    fc.assert(
      fc.property(zone, at, (place, moment) => {
        const date = localDate(moment, place);
        const from = startOfLocalDay(date, place);
        const next = startOfLocalDay(localDate(plus(from, 36 * 3_600_000), place), place);
        fc.pre(toIsoDate(localDate(from, place)) === toIsoDate(date));
        expect(billedDays({ from, to: next }, place)).toBe(1);
      }),
      RUNS,
    ));
});
