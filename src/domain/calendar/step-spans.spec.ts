import { describe, expect, it } from '@jest/globals';
import type { BilledSpan } from './billing-boundaries.js';
import { instant, toIso } from './instant.js';
import { planPeriodDays, shownBoundaries, type StepSituation, type StepSpans, stepSpans } from './step-spans.js';

const step = (changes: Omit<Partial<StepSituation>, 'billingAt' | 'startedAt'> & { at: string; started?: string }) => {
  const { at, started = '2024-01-31T01:00:00Z', ...others } = changes;
  return {
    kind: 'period',
    interval: 'yearly',
    billingTime: 'anniversary',
    payInAdvance: false,
    zone: 'UTC',
    subscriptionAt: instant(started),
    startedAt: instant(started),
    billingAt: instant(at),
    billChargesMonthly: false,
    billFixedChargesMonthly: false,
    trialEndsAt: null,
    succeeds: false,
    ...others,
  } satisfies StepSituation;
};

const shortly = (span: BilledSpan) => `${toIso(span.from)} ${toIso(span.to)} ${span.periodDays}`;
/** What is billed, by kind; kinds without anything are left out. */
const billed = (situation: StepSituation) =>
  Object.fromEntries(
    (Object.entries(stepSpans(situation)) as [keyof StepSpans, BilledSpan | null][]).flatMap(([kind, span]) =>
      span === null ? [] : [[kind, shortly(span)]],
    ),
  );

describe('the spans of a step', () => {
  const year = '2024-01-31T00:00:00Z 2025-01-31T00:00:00Z 366';
  const nextYear = '2025-01-31T00:00:00Z 2026-01-31T00:00:00Z 365';
  const usedYear = '2024-01-31T01:00:00Z 2025-01-31T00:00:00Z 366';
  const usedMonth = '2024-01-31T01:00:00Z 2024-02-29T00:00:00Z 29';
  const nextMonth = '2024-02-29T00:00:00Z 2024-03-31T00:00:00Z 31';
  const lastMonth = '2024-12-31T00:00:00Z 2025-01-31T00:00:00Z 31';
  const thirteenthMonth = '2025-01-31T00:00:00Z 2025-02-28T00:00:00Z 28';

  it.each([
    [
      'a year in arrears ends: everything of it, and what is paid in advance of the next',
      { at: '2025-01-31T00:00:00Z' },
      {
        fee: year,
        charges: usedYear,
        renewal: nextYear,
        fixedCharges: usedYear,
        fixedChargesAhead: nextYear,
        commitment: year,
      },
    ],
    [
      'a month of a year with monthly charges: usage only',
      { at: '2024-02-29T00:00:00Z', billChargesMonthly: true },
      { charges: usedMonth, renewal: nextMonth },
    ],
    [
      'a month of a year with monthly fixed charges: fixed charges only',
      { at: '2024-02-29T00:00:00Z', billFixedChargesMonthly: true },
      { fixedCharges: usedMonth, fixedChargesAhead: nextMonth },
    ],
    [
      'the year ends with monthly charges, in advance: the next year, the last month, the commitment of the past year',
      { at: '2025-01-31T00:00:00Z', payInAdvance: true, billChargesMonthly: true },
      {
        fee: nextYear,
        charges: lastMonth,
        renewal: thirteenthMonth,
        fixedCharges: usedYear,
        fixedChargesAhead: nextYear,
        commitment: year,
      },
    ],
    [
      'a start in arrears: only fixed charges paid in advance, from the instant of the start',
      { kind: 'start', at: '2024-01-31T01:00:00Z' },
      { fixedChargesAhead: usedYear },
    ],
    [
      'a start in advance',
      { kind: 'start', at: '2024-01-31T01:00:00Z', payInAdvance: true },
      { fee: year, fixedChargesAhead: usedYear },
    ],
    [
      'a start in advance in a trial: the fee waits',
      { kind: 'start', at: '2024-01-31T01:00:00Z', payInAdvance: true, trialEndsAt: instant('2024-02-10T01:00:00Z') },
      { fixedChargesAhead: usedYear },
    ],
    [
      'the end of that trial',
      {
        kind: 'trial_end',
        at: '2024-02-10T01:00:00Z',
        payInAdvance: true,
        trialEndsAt: instant('2024-02-10T01:00:00Z'),
      },
      { fee: year },
    ],
    [
      'a plan that takes over on a bound renews recurring usage',
      {
        kind: 'start',
        at: '2024-07-04T00:00:00Z',
        started: '2024-07-04T00:00:00Z',
        interval: 'monthly',
        subscriptionAt: instant('2024-06-04T00:00:00Z'),
        payInAdvance: true,
        succeeds: true,
      },
      {
        fee: '2024-07-04T00:00:00Z 2024-08-04T00:00:00Z 31',
        renewal: '2024-07-04T00:00:00Z 2024-08-04T00:00:00Z 31',
        fixedChargesAhead: '2024-07-04T00:00:00Z 2024-08-04T00:00:00Z 31',
      },
    ],
    [
      'a plan that takes over inside a period does not',
      {
        kind: 'start',
        at: '2024-06-15T10:06:00Z',
        started: '2024-06-15T10:06:00Z',
        interval: 'monthly',
        billingTime: 'calendar',
        succeeds: true,
      },
      { fixedChargesAhead: '2024-06-15T10:06:00Z 2024-07-01T00:00:00Z 30' },
    ],
    [
      'an end inside a period: its instant belongs to it, and its commitment counts that day',
      { kind: 'end', at: '2024-03-10T06:00:00Z', billChargesMonthly: true },
      {
        fee: '2024-01-31T00:00:00Z 2024-03-10T06:00:00Z 366',
        charges: '2024-02-29T00:00:00Z 2024-03-10T06:00:00Z 31',
        fixedCharges: '2024-01-31T01:00:00Z 2024-03-10T06:00:00Z 366',
        commitment: '2024-01-31T00:00:00Z 2024-03-10T06:00:00Z 366',
      },
    ],
    [
      'an end in advance: the fee was paid',
      { kind: 'end', at: '2024-03-10T06:00:00Z', payInAdvance: true },
      {
        charges: '2024-01-31T01:00:00Z 2024-03-10T06:00:00Z 366',
        fixedCharges: '2024-01-31T01:00:00Z 2024-03-10T06:00:00Z 366',
        commitment: '2024-01-31T00:00:00Z 2024-03-10T06:00:00Z 366',
      },
    ],
    [
      'an end on the bound of the plan: whole periods, nothing of the next',
      { kind: 'end_on_boundary', at: '2025-01-31T00:00:00Z' },
      { fee: year, charges: usedYear, fixedCharges: usedYear, commitment: year },
    ],
    [
      'an end on the bound of a month: that month, and the year so far',
      { kind: 'end_on_boundary', at: '2024-02-29T00:00:00Z', billChargesMonthly: true },
      {
        fee: '2024-01-31T00:00:00Z 2024-02-29T00:00:00Z 366',
        charges: usedMonth,
        fixedCharges: '2024-01-31T01:00:00Z 2024-02-29T00:00:00Z 366',
        commitment: '2024-01-31T00:00:00Z 2024-02-29T00:00:00Z 366',
      },
    ],
    [
      'the end of a pause in a later period: the rest of it',
      {
        kind: 'resume',
        at: '2024-03-10T06:00:00Z',
        started: '2024-03-10T06:00:00Z',
        payInAdvance: true,
        interval: 'monthly',
        billingTime: 'calendar',
        pausedAt: instant('2024-02-20T00:00:00Z'),
      },
      {
        fee: '2024-03-10T00:00:00Z 2024-04-01T00:00:00Z 31',
        renewal: '2024-03-10T06:00:00Z 2024-04-01T00:00:00Z 31',
        fixedChargesAhead: '2024-03-10T06:00:00Z 2024-04-01T00:00:00Z 31',
      },
    ],
    [
      'the end of a pause of the same period: usage and fixed charges are paid for it',
      {
        kind: 'resume',
        at: '2024-03-10T06:00:00Z',
        started: '2024-03-10T06:00:00Z',
        payInAdvance: true,
        interval: 'monthly',
        billingTime: 'calendar',
        pausedAt: instant('2024-03-01T00:00:00Z'),
      },
      { fee: '2024-03-10T00:00:00Z 2024-04-01T00:00:00Z 31' },
    ],
    [
      'the end of a pause of the same year, in a later month of its charges',
      {
        kind: 'resume',
        at: '2024-03-10T06:00:00Z',
        started: '2024-03-10T06:00:00Z',
        billingTime: 'calendar',
        billChargesMonthly: true,
        pausedAt: instant('2024-02-20T00:00:00Z'),
      },
      { renewal: '2024-03-10T06:00:00Z 2024-04-01T00:00:00Z 31' },
    ],
    [
      'units added inside a period: the rest of it',
      { kind: 'units_change', at: '2024-02-10T00:00:00Z', billFixedChargesMonthly: true },
      { unitsChange: '2024-02-10T00:00:00Z 2024-02-29T00:00:00Z 29' },
    ],
  ] as const)('%s', (_, changes, expected) => {
    expect(billed(step(changes))).toEqual(expected);
  });

  it('after a change of zone usage goes on where it stopped, also at an end', () => {
    const previousInvoice = { zone: 'Asia/Tokyo', chargesTo: instant('2024-02-28T15:00:00Z') };
    const moved = { interval: 'monthly', previousInvoice } as const;
    expect(billed(step({ ...moved, at: '2024-03-31T00:00:00Z' })).charges).toMatch(/^2024-02-28T15:00:00Z /);
    expect(billed(step({ ...moved, kind: 'end', at: '2024-03-10T00:00:00Z' })).charges).toMatch(/^2024-02-28T15/);
  });

  it.each(['monthly', 'quarterly', 'semiannual', 'yearly', 'weekly'] as const)(
    '%s: the fees of a life cover it once, without gap or overlap, in arrears and in advance',
    (interval) => {
      for (const payInAdvance of [false, true]) {
        for (const months of [false, true]) {
          const terms = { interval, payInAdvance, billChargesMonthly: months, billFixedChargesMonthly: months };
          const covered = lifeOf(terms);
          expect(covered.charges).toEqual(['2024-01-31T01:00:00.000Z 2026-05-10T12:00:00.001Z']);
          expect(covered.fixedCharges).toEqual(['2024-01-31T01:00:00.000Z 2026-05-10T12:00:00.001Z']);
          expect(covered.commitment).toEqual(['2024-01-31T00:00:00.000Z 2026-05-10T12:00:00.001Z']);
          if (!payInAdvance) expect(covered.fee).toEqual(covered.commitment);
          expect(covered.fixedChargesAhead).toHaveLength(1);
        }
      }
    },
  );
});

/** The spans of every step of a life, those that touch joined. */
function lifeOf(terms: Partial<StepSituation>): Record<keyof StepSpans, string[]> {
  const started = '2024-01-31T01:00:00Z';
  const end = '2026-05-10T12:00:00Z';
  const steps: StepSpans[] = [stepSpans(step({ ...terms, kind: 'start', at: started }))];
  let at = instant(started);
  for (;;) {
    const next = nextBound(terms, at);
    if (next >= instant(end)) break;
    steps.push(stepSpans(step({ ...terms, at: toIso(next) })));
    at = next;
  }
  steps.push(stepSpans(step({ ...terms, kind: 'end', at: end })));
  const joined = (kind: keyof StepSpans): string[] => {
    const parts: { from: number; to: number }[] = [];
    for (const spans of steps) {
      const span = spans[kind];
      if (span === null) continue;
      const last = parts.at(-1);
      if (last !== undefined && last.to === span.from) last.to = span.to;
      else parts.push({ from: span.from, to: span.to });
    }
    return parts.map(({ from, to }) => `${new Date(from).toISOString()} ${new Date(to).toISOString()}`);
  };
  const kinds = Object.keys(steps[0]!) as (keyof StepSpans)[];
  return Object.fromEntries(kinds.map((kind) => [kind, joined(kind)])) as Record<keyof StepSpans, string[]>;
}

// The first instant after `at` at which anything of the plan is due.
function nextBound(terms: Partial<StepSituation>, at: number) {
  const probe = stepSpans(step({ ...terms, kind: 'units_change', at: new Date(at).toISOString() }));
  return probe.unitsChange!.to;
}

describe('what documents show', () => {
  const shown = (changes: Parameters<typeof step>[0]) =>
    Object.values(shownBoundaries(step(changes))).map((span) => span && `${toIso(span.from)} ${toIso(span.to)}`);

  it.each([
    [
      'before any time has passed, the start itself',
      { kind: 'start', at: '2024-01-31T01:00:00Z' },
      [
        '2024-01-31T00:00:00Z 2024-01-31T01:00:00Z',
        '2024-01-31T01:00:00Z 2024-01-31T01:00:00Z',
        '2024-01-31T01:00:00Z 2024-01-31T01:00:00Z',
      ],
    ],
    [
      'in a month of a year in arrears, the year has not begun to be billed',
      { at: '2024-02-29T00:00:00Z', billChargesMonthly: true },
      ['2024-01-31T00:00:00Z 2024-01-31T01:00:00Z', '2024-01-31T01:00:00Z 2024-02-28T23:59:59Z', null],
    ],
    [
      'in a month of a year in advance, the running year',
      { at: '2024-02-29T00:00:00Z', billChargesMonthly: true, payInAdvance: true },
      ['2024-01-31T00:00:00Z 2025-01-30T23:59:59Z', '2024-01-31T01:00:00Z 2024-02-28T23:59:59Z', null],
    ],
    [
      'at an end, its own second',
      { kind: 'end', at: '2024-08-21T12:00:00Z' },
      [
        '2024-01-31T00:00:00Z 2024-08-21T12:00:00Z',
        '2024-01-31T01:00:00Z 2024-08-21T12:00:00Z',
        '2024-01-31T01:00:00Z 2024-08-21T12:00:00Z',
      ],
    ],
  ] as const)('%s', (_, changes, expected) => expect(shown(changes)).toEqual(expected));

  it('an end on a bound shows the period before it', () => {
    const [subscription] = shown({ kind: 'end_on_boundary', at: '2025-01-31T00:00:00Z' });
    expect(subscription).toBe('2024-01-31T00:00:00Z 2025-01-30T23:59:59Z');
  });

  it('days of the full period', () => {
    expect(planPeriodDays(step({ at: '2025-01-31T00:00:00Z' }))).toBe(365);
    expect(planPeriodDays(step({ kind: 'end_on_boundary', at: '2025-01-31T00:00:00Z' }))).toBe(366);
  });
});
