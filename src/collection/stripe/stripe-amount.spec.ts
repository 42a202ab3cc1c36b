import { describe, expect, it } from '@jest/globals';
import { toStripeAmount } from './stripe-amount.js';

describe("Stripe's way of counting", () => {
  it.each([
    ['EUR', 1116, 1116],
    ['JPY', 500, 500],
    ['KRW', 1, 1],
    // ISO has no minor unit, Stripe keeps two digits.
    ['ISK', 500, 50_000],
    ['UGX', 7, 700],
    // The other way round.
    ['MGA', 500, 5],
    ['KWD', 1230, 1230],
    ['CLP', 990, 990],
  ])('%s %d → %d', (currency, minor, expected) => {
    expect(toStripeAmount(minor, currency)).toBe(expected);
  });

  it.each([
    ['KWD', 1235],
    ['MGA', 501],
  ])('refuses what it cannot express, instead of rounding: %s %d', (currency, minor) => {
    expect(() => toStripeAmount(minor, currency)).toThrow('does not count that finely');
  });
});
