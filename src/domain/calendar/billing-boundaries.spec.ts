import { describe, expect, it } from '@jest/globals';
import { billingBoundaries, isVoid, type BilledSpan, type BillingSituation } from './billing-boundaries.js';
import { instant, toIso } from './instant.js';

const situation = (changes: Partial<BillingSituation> = {}): BillingSituation => ({
  interval: 'monthly',
  billingTime: 'calendar',
  payInAdvance: false,
  zone: 'UTC',
  subscriptionAt: instant('2024-01-15T10:30:00Z'),
  startedAt: instant('2024-01-15T10:30:00Z'),
  billingAt: instant('2024-02-01T00:00:00Z'),
  ...changes,
});
const bounds = (span: BilledSpan | null) => span && [toIso(span.from), toIso(span.to), span.periodDays];

describe('billing boundaries', () => {
  it('first bill in arrears: the fee from the day of the start, usage from its instant', () => {
    const { subscription, charges } = billingBoundaries(situation());
    expect(bounds(subscription)).toEqual(['2024-01-15T00:00:00Z', '2024-02-01T00:00:00Z', 31]);
    expect(bounds(charges)).toEqual(['2024-01-15T10:30:00Z', '2024-02-01T00:00:00Z', 31]);
  });

  it('first bill in advance: the rest of the period, and no usage yet', () => {
    const at = instant('2024-01-15T10:30:00Z');
    const { subscription, charges } = billingBoundaries(situation({ payInAdvance: true, billingAt: at }));
    expect(bounds(subscription)).toEqual(['2024-01-15T00:00:00Z', '2024-02-01T00:00:00Z', 31]);
    expect(charges && isVoid(charges)).toBe(true);
  });

  it('later bills in advance: the period that starts, the usage of the one before', () => {
    const { subscription, charges } = billingBoundaries(situation({ payInAdvance: true }));
    expect(bounds(subscription)).toEqual(['2024-02-01T00:00:00Z', '2024-03-01T00:00:00Z', 29]);
    expect(bounds(charges)).toEqual(['2024-01-15T10:30:00Z', '2024-02-01T00:00:00Z', 31]);
  });

  it('a termination belongs to the time that is billed', () => {
    const terminatedAt = instant('2024-02-20T00:00:00.000Z');
    const { subscription } = billingBoundaries(situation({ terminatedAt, billingAt: terminatedAt }));
    expect(subscription?.from).toBe(instant('2024-02-01T00:00:00Z'));
    expect(subscription?.to).toBe(terminatedAt + 1);
  });

  it('a termination to come changes nothing yet', () => {
    const { subscription } = billingBoundaries(situation({ terminatedAt: instant('2024-02-20T00:00:00Z') }));
    expect(subscription?.to).toBe(instant('2024-02-01T00:00:00Z'));
  });

  it('before the start there is nothing to bill', () => {
    const { subscription, charges, fixedCharges } = billingBoundaries(situation({ startedAt: null }));
    expect([subscription, charges, fixedCharges]).toEqual([null, null, null]);
  });

  it('a change of zone of another period is no change of zone', () => {
    const previousInvoice = { zone: 'Asia/Tokyo', chargesTo: instant('2023-12-15T15:00:00Z') };
    const { charges } = billingBoundaries(situation({ previousInvoice, billingAt: instant('2024-03-01T00:00:00Z') }));
    expect(charges && toIso(charges.from)).toBe('2024-02-01T00:00:00Z');
  });

  it('usage continues over a change of zone without a gap', () => {
    const previousInvoice = { zone: 'Asia/Tokyo', chargesTo: instant('2024-01-31T15:00:00Z') };
    const { charges } = billingBoundaries(situation({ previousInvoice, billingAt: instant('2024-03-01T00:00:00Z') }));
    expect(charges && toIso(charges.from)).toBe('2024-01-31T15:00:00Z');
  });

  it('yearly with monthly charges: fixed charges only with the first month of the year', () => {
    const yearly = { interval: 'yearly', billChargesMonthly: true } as const;
    const march = billingBoundaries(situation({ ...yearly, billingAt: instant('2024-03-01T00:00:00Z') }));
    expect(bounds(march.charges)).toEqual(['2024-02-01T00:00:00Z', '2024-03-01T00:00:00Z', 29]);
    expect(march.fixedCharges).toBeNull();
    const january = billingBoundaries(situation({ ...yearly, billingAt: instant('2025-01-01T00:00:00Z') }));
    expect(bounds(january.fixedCharges)).toEqual(['2024-01-15T10:30:00Z', '2025-01-01T00:00:00Z', 366]);
  });
});
