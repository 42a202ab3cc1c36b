import { describe, expect, it } from '@jest/globals';
import { instant } from '../calendar/instant.js';
import { Decimal } from '../money/decimal.js';
import { billedDays } from './day-count.js';
import { fixedChargeUnitsInAdvance, fixedChargeUnitsInArrears, remainingShare } from './fixed-charge.js';
import { commitmentDue, commitmentTrueUp } from './minimum-commitment.js';
import { subscriptionFee, type SubscriptionFeeInput } from './subscription-fee.js';
import { spendingMinimumTrueUp } from './true-up.js';

describe('billed days', () => {
  it.each([
    ['a day', '2024-01-01T00:00:00Z', '2024-01-02T00:00:00Z', 'UTC', 1],
    ['a started day counts in full', '2024-01-01T00:00:00Z', '2024-01-02T00:00:00.001Z', 'UTC', 2],
    ['a millisecond is a day', '2024-01-01T00:00:00Z', '2024-01-01T00:00:00.001Z', 'UTC', 1],
    ['no time, no day', '2024-01-01T00:00:00Z', '2024-01-01T00:00:00Z', 'UTC', 0],
    ['a void span', '2024-01-02T00:00:00Z', '2024-01-01T00:00:00Z', 'UTC', 0],
    ['29 February', '2024-02-01T00:00:00Z', '2024-03-01T00:00:00Z', 'UTC', 29],
    ['an hour less', '2024-02-29T23:00:00Z', '2024-03-31T22:00:00Z', 'Europe/Paris', 31],
    ['an hour more', '2024-09-30T22:00:00Z', '2024-10-31T23:00:00Z', 'Europe/Paris', 31],
    ['the day of 23 hours', '2024-03-30T23:00:00Z', '2024-03-31T22:00:00Z', 'Europe/Paris', 1],
    ['until a day that starts at 01:00', '2010-10-16T03:00:00Z', '2010-10-17T03:00:00Z', 'America/Sao_Paulo', 1],
    ['a day that starts at 01:00', '2010-10-17T03:00:00Z', '2010-10-18T02:00:00Z', 'America/Sao_Paulo', 1],
    ['the day of 25 hours', '2024-10-26T22:00:00Z', '2024-10-27T23:00:00Z', 'Europe/Paris', 1],
  ])('%s', (_, from, to, zone, days) => {
    expect(billedDays({ from: instant(from), to: instant(to) }, zone)).toBe(days);
  });
});

describe('subscription fee', () => {
  const fee = (input: Partial<SubscriptionFeeInput>) =>
    subscriptionFee({
      planAmountMinor: 5000,
      currency: 'EUR',
      periodDays: 28,
      from: instant('2023-02-01T00:00:00Z'),
      to: instant('2023-03-01T00:00:00Z'),
      zone: 'UTC',
      ...input,
    });

  it.each([
    ['a whole period', {}, 28, 5000],
    ['from 8 February', { from: instant('2023-02-08T00:00:00Z') }, 21, 3750],
    ['ended on 7 February, the day included', { to: instant('2023-02-07T00:00:00.001Z') }, 7, 1250],
    [
      'the day of the upgrade is not its own',
      { to: instant('2023-02-07T00:00:00.001Z'), endedByUpgrade: true },
      6,
      1071,
    ],
    ['upgraded on the day it started', { to: instant('2023-02-01T12:00:00Z'), endedByUpgrade: true }, 0, 0],
    ['trial through the 14th', { trialEndsAt: instant('2023-02-15T00:00:00Z') }, 14, 2500],
    ['trial ends within a day: that day is billed', { trialEndsAt: instant('2023-02-15T18:00:00Z') }, 14, 2500],
    ['trial ended before', { trialEndsAt: instant('2023-01-15T00:00:00Z') }, 28, 5000],
    ['trial longer than the period', { trialEndsAt: instant('2023-03-15T00:00:00Z') }, 0, 0],
    ['no price', { planAmountMinor: 0 }, 28, 0],
    ['yen', { planAmountMinor: 1000, currency: 'JPY', from: instant('2023-02-20T00:00:00Z') }, 9, 321],
    ['fils', { planAmountMinor: 1000, currency: 'KWD', from: instant('2023-02-20T00:00:00Z') }, 9, 321],
  ] as const)('%s', (_, input, days, amount) => {
    const computed = fee(input);
    expect([computed.billedDays, computed.amountMinor]).toEqual([days, amount]);
  });

  it('keeps the reference’s trial in arrears: (31 − 4 − 10) ÷ 31 of 5,000,000', () => {
    const computed = fee({
      planAmountMinor: 5_000_000,
      periodDays: 31,
      from: instant('2023-03-05T00:00:00Z'),
      to: instant('2023-04-01T00:00:00Z'),
      trialEndsAt: instant('2023-03-15T00:00:00Z'),
    });
    expect(computed.amountMinor).toBe(2_741_935);
  });

  it('prices in currency units and as a share', () => {
    const computed = fee({ from: instant('2023-02-08T00:00:00Z') });
    expect([computed.preciseAmount.toFixed(), computed.share.toFixed()]).toEqual(['37.5', '0.75']);
  });
});

describe('true-ups and commitments', () => {
  it.each([
    [1000, 800, 25, 28, 93],
    [1000, 700, 31, 31, 300],
    [1000, 1000, 31, 31, null],
    [1000, 1500, 31, 31, null],
    [0, 0, 31, 31, null],
  ])('minimum %i, used %i, %i of %i days -> %p', (minAmountMinor, usedAmountMinor, days, periodDays, expected) => {
    const trueUp = spendingMinimumTrueUp({ minAmountMinor, usedAmountMinor, billedDays: days, periodDays });
    expect(trueUp?.amountMinor ?? null).toBe(expected);
  });

  it('a commitment is prorated and reduced by the fees', () => {
    expect(commitmentDue(200_000, 352, 366)).toBe(192_350);
    expect(commitmentTrueUp(192_350, 150_000)).toBe(42_350);
    expect(commitmentTrueUp(192_350, 200_000)).toBe(0);
  });
});

describe('fixed charges', () => {
  const span = {
    from: instant('2022-03-01T00:00:00Z'),
    to: instant('2022-04-01T00:00:00Z'),
    periodDays: 31,
    zone: 'UTC',
  };
  const change = (at: string, units: string) => ({ at: instant(at), units: new Decimal(units) });

  it.each([
    ['none', [], '0', '0'],
    ['from before', [change('2022-01-01T00:00:00Z', '10')], '10', '10'],
    ['half way', [change('2022-01-01T00:00:00Z', '10'), change('2022-03-17T12:00:00Z', '0')], '0', '5.16129'],
    ['twice on a day', [change('2022-03-31T01:00:00Z', '5'), change('2022-03-31T02:00:00Z', '31')], '31', '1'],
    ['after the end', [change('2022-04-01T00:00:00Z', '10')], '0', '0'],
  ])('in arrears: %s', (_, changes, full, prorated) => {
    const units = fixedChargeUnitsInArrears({ changes, ...span });
    expect([units.fullUnits.toFixed(), units.proratedUnits.toFixed()]).toEqual([full, prorated]);
  });

  it('in advance: only what was not billed', () => {
    const units = (now: number, ...billed: number[]) =>
      fixedChargeUnitsInAdvance(
        new Decimal(now),
        billed.map((amount) => new Decimal(amount)),
      ).toNumber();
    expect([units(10), units(5, 10), units(20, 10, 5)]).toEqual([10, 0, 5]);
  });

  it('the rest of the period includes the day of the change', () => {
    const share = remainingShare({ ...span, at: instant('2022-03-31T15:00:00Z') });
    expect(share.times(31).toNumber()).toBe(1);
  });
});
