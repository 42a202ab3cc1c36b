import { describe, expect, test } from '@jest/globals';
import { nextBoundaryAfter, type BillingCalendar } from '../calendar/billing-calendar.js';
import { instant } from '../calendar/instant.js';
import { type DueMoment, nextDueMoment, type SubscriptionFacts } from './due-moments.js';

const at = (iso: string) => instant(iso);

function facts(overrides: Partial<SubscriptionFacts> = {}): SubscriptionFacts {
  return {
    status: 'active',
    subscriptionAt: at('2024-03-05T10:00:00Z'),
    startedAt: at('2024-03-05T10:00:00Z'),
    createdAt: at('2024-03-05T10:00:00Z'),
    backdated: false,
    succeeds: false,
    endsAt: null,
    endedAt: null,
    nextPlan: null,
    pause: null,
    resumedAt: null,
    closedThrough: null,
    payInAdvance: false,
    fixedChargesInAdvance: false,
    unitsChangedAt: null,
    trialEndsAt: null,
    ...overrides,
  };
}

function canceled(more: Partial<SubscriptionFacts> = {}): SubscriptionFacts {
  return facts({ status: 'canceled', startedAt: null, endedAt: at('2024-03-04T00:00:00Z'), ...more });
}

function lifeOf(given: SubscriptionFacts, steps: number, calendar: Partial<BillingCalendar> = {}): string[] {
  const full: BillingCalendar = {
    interval: 'monthly',
    billingTime: 'calendar',
    subscriptionAt: instant(given.subscriptionAt),
    zone: 'UTC',
    ...calendar,
  };
  const life: string[] = [];
  let done: DueMoment | null = null;
  let state = given;
  while (life.length < steps) {
    const next = nextDueMoment(state, done, (after) => nextBoundaryAfter(full, instant(after)));
    if (next === null) break;
    life.push(`${next.kind} ${new Date(next.at).toISOString().slice(0, 16)}`);
    if (next.kind === 'activation') state = { ...state, status: 'active', startedAt: next.at };
    if (next.kind === 'resume') state = { ...state, pause: null, resumedAt: next.at };
    done = next;
  }
  return life;
}

describe('due moments of a subscription', () => {
  test.each<[string, SubscriptionFacts, string[], Partial<BillingCalendar>?]>([
    ['in arrears: closes only', facts(), ['period_end 2024-04-01T00:00', 'period_end 2024-05-01T00:00']],
    [
      'in advance: billed at the start, then at each boundary',
      facts({ payInAdvance: true }),
      ['starting 2024-03-05T10:00', 'period_end 2024-04-01T00:00'],
    ],
    [
      'in advance with a trial: nothing until it ends, inside a period',
      facts({ payInAdvance: true, trialEndsAt: at('2024-03-15T10:00:00Z') }),
      ['trial_end 2024-03-15T10:00', 'period_end 2024-04-01T00:00'],
    ],
    [
      'a trial over a boundary: usage is closed in between',
      facts({ payInAdvance: true, trialEndsAt: at('2024-04-19T10:00:00Z') }),
      ['period_end 2024-04-01T00:00', 'trial_end 2024-04-19T10:00', 'period_end 2024-05-01T00:00'],
    ],
    [
      'a trial that ends on the boundary ends before the period that begins there is billed',
      facts({ payInAdvance: true, trialEndsAt: at('2024-04-01T00:00:00Z') }),
      ['trial_end 2024-04-01T00:00', 'period_end 2024-04-01T00:00', 'period_end 2024-05-01T00:00'],
    ],
    [
      'pending: activated first, then billed',
      facts({
        status: 'pending',
        startedAt: null,
        subscriptionAt: at('2024-03-20T00:00:00Z'),
        payInAdvance: true,
      }),
      ['activation 2024-03-20T00:00', 'starting 2024-03-20T00:00', 'period_end 2024-04-01T00:00'],
    ],
    [
      'an end inside a period',
      facts({ endsAt: at('2024-04-10T00:00:00Z') }),
      ['period_end 2024-04-01T00:00', 'ending 2024-04-10T00:00'],
    ],
    [
      'an end on a boundary closes that period itself',
      facts({ endsAt: at('2024-04-01T00:00:00Z') }),
      ['ending 2024-04-01T00:00'],
    ],
    [
      'backdated: past boundaries are not made up, and the running period counts as paid',
      facts({
        payInAdvance: true,
        backdated: true,
        subscriptionAt: at('2023-12-05T00:00:00Z'),
        startedAt: at('2023-12-05T00:00:00Z'),
      }),
      ['period_end 2024-04-01T00:00'],
    ],
    [
      'created on the boundary itself: the next one is a month away',
      facts({
        subscriptionAt: at('2024-03-01T00:00:00Z'),
        startedAt: at('2024-03-01T00:00:00Z'),
        createdAt: at('2024-03-01T00:00:00Z'),
      }),
      ['period_end 2024-04-01T00:00'],
    ],
    [
      'anniversary on the 31st',
      facts({
        subscriptionAt: at('2024-01-31T00:00:00Z'),
        startedAt: at('2024-01-31T00:00:00Z'),
        createdAt: at('2024-01-31T00:00:00Z'),
      }),
      ['period_end 2024-02-29T00:00', 'period_end 2024-03-31T00:00', 'period_end 2024-04-30T00:00'],
      { billingTime: 'anniversary' },
    ],
  ])('%s', (_, given, expected, calendar = {}) => {
    expect(lifeOf(given, expected.length, calendar)).toEqual(expected);
  });

  test('a subscription that is over has nothing due', () => {
    expect(lifeOf(facts({ endsAt: at('2024-04-01T00:00:00Z') }), 3)).toEqual(['ending 2024-04-01T00:00']);
    expect(lifeOf(canceled(), 3)).toEqual(['ending 2024-03-04T00:00']);
    expect(lifeOf(canceled({ succeeds: true }), 3)).toEqual([]);
  });

  test('one that waits to take over has nothing of its own due', () => {
    expect(lifeOf(facts({ status: 'pending', startedAt: null, succeeds: true }), 3)).toEqual([]);
  });

  describe('that ends by a command', () => {
    const ended = (iso: string, more: Partial<SubscriptionFacts> = {}) =>
      facts({ status: 'terminated', endedAt: at(iso), ...more });

    test.each<[string, SubscriptionFacts, string[]]>([
      ['inside a period', ended('2024-03-20T12:00:00Z'), ['ending 2024-03-20T12:00']],
      [
        'while the close before it is overdue: that comes first',
        ended('2024-04-01T00:10:00Z'),
        ['period_end 2024-04-01T00:00', 'ending 2024-04-01T00:10'],
      ],
      [
        'on the boundary: the period is closed first, whether that has been done or not',
        ended('2024-04-01T00:00:00Z'),
        ['period_end 2024-04-01T00:00', 'ending 2024-04-01T00:00'],
      ],
      [
        'at its first instant: the first invoice in advance comes before',
        ended('2024-03-05T10:00:00Z', { payInAdvance: true }),
        ['starting 2024-03-05T10:00', 'ending 2024-03-05T10:00'],
      ],
      [
        'in its trial: the trial does not end any more',
        ended('2024-03-08T00:00:00Z', { payInAdvance: true, trialEndsAt: at('2024-03-15T10:00:00Z') }),
        ['ending 2024-03-08T00:00'],
      ],
      [
        'after its own end, which nobody had performed',
        ended('2024-03-20T12:00:00Z', { endsAt: at('2024-03-20T00:00:00Z') }),
        ['ending 2024-03-20T00:00'],
      ],
      [
        'at its own end: that closes the period itself',
        ended('2024-04-01T00:00:00Z', { endsAt: at('2024-04-01T00:00:00Z') }),
        ['ending 2024-04-01T00:00'],
      ],
    ])('%s', (_, given, expected) => {
      expect(lifeOf(given, expected.length + 1)).toEqual(expected);
    });
  });

  describe('that another plan takes over', () => {
    const replaced = (iso: string, atOnce: boolean, more: Partial<SubscriptionFacts> = {}) =>
      facts({
        nextPlan: { at: at(iso), atOnce },
        ...(atOnce && { status: 'terminated', endedAt: at(iso) }),
        ...more,
      });

    test.each<[string, SubscriptionFacts, string[]]>([
      ['at once', replaced('2024-03-20T12:00:00Z', true), ['plan_change 2024-03-20T12:00']],
      [
        'at once on a boundary: after its close',
        replaced('2024-04-01T00:00:00Z', true),
        ['period_end 2024-04-01T00:00', 'plan_change 2024-04-01T00:00'],
      ],
      [
        'at the end of the period: the change closes it',
        replaced('2024-04-01T00:00:00Z', false),
        ['plan_change 2024-04-01T00:00'],
      ],
      [
        'at the end of a longer period than that of its charges',
        replaced('2024-06-01T00:00:00Z', false),
        ['period_end 2024-04-01T00:00', 'period_end 2024-05-01T00:00', 'plan_change 2024-06-01T00:00'],
      ],
      [
        'but which ends before',
        replaced('2024-04-01T00:00:00Z', false, { endsAt: at('2024-03-25T00:00:00Z') }),
        ['ending 2024-03-25T00:00'],
      ],
      [
        'but which ends just then',
        replaced('2024-04-01T00:00:00Z', false, { endsAt: at('2024-04-01T00:00:00Z') }),
        ['ending 2024-04-01T00:00'],
      ],
      [
        'in its trial, at the instant of its end: the trial ends first',
        replaced('2024-03-15T10:00:00Z', true, { payInAdvance: true, trialEndsAt: at('2024-03-15T10:00:00Z') }),
        ['trial_end 2024-03-15T10:00', 'plan_change 2024-03-15T10:00'],
      ],
    ])('%s', (_, given, expected) => {
      expect(lifeOf(given, expected.length + 1)).toEqual(expected);
    });
  });

  describe('that pauses', () => {
    const paused = (iso: string, resumes: string | null, more: Partial<SubscriptionFacts> = {}) =>
      facts({ pause: { at: at(iso), resumesAt: resumes === null ? null : at(resumes) }, ...more });

    test.each<[string, SubscriptionFacts, string[]]>([
      [
        'no period ends until it resumes',
        paused('2024-03-20T12:00:00Z', '2024-05-10T12:00:00Z'),
        ['pause 2024-03-20T12:00', 'resume 2024-05-10T12:00', 'period_end 2024-06-01T00:00'],
      ],
      [
        'while the close before it is overdue: that comes first',
        paused('2024-04-01T00:10:00Z', '2024-04-02T00:00:00Z'),
        [
          'period_end 2024-04-01T00:00',
          'pause 2024-04-01T00:10',
          'resume 2024-04-02T00:00',
          'period_end 2024-05-01T00:00',
        ],
      ],
      [
        'and resumes on a boundary: what begins there is billed once',
        paused('2024-03-20T12:00:00Z', '2024-04-01T00:00:00Z', { payInAdvance: true }),
        [
          'starting 2024-03-05T10:00',
          'pause 2024-03-20T12:00',
          'resume 2024-04-01T00:00',
          'period_end 2024-05-01T00:00',
        ],
      ],
      [
        'over the end of its trial',
        paused('2024-03-10T00:00:00Z', '2024-03-20T00:00:00Z', {
          payInAdvance: true,
          trialEndsAt: at('2024-03-15T10:00:00Z'),
        }),
        ['pause 2024-03-10T00:00', 'resume 2024-03-20T00:00', 'period_end 2024-04-01T00:00'],
      ],
      [
        'within its trial',
        paused('2024-03-10T00:00:00Z', '2024-03-12T00:00:00Z', {
          payInAdvance: true,
          trialEndsAt: at('2024-03-15T10:00:00Z'),
        }),
        [
          'pause 2024-03-10T00:00',
          'resume 2024-03-12T00:00',
          'trial_end 2024-03-15T10:00',
          'period_end 2024-04-01T00:00',
        ],
      ],
    ])('%s', (_, given, expected) => {
      expect(lifeOf(given, expected.length)).toEqual(expected);
    });

    test.each<[string, SubscriptionFacts, string[]]>([
      ['for good', paused('2024-03-20T12:00:00Z', null), ['pause 2024-03-20T12:00']],
      [
        'and ends by its own date before it resumes',
        paused('2024-03-20T12:00:00Z', '2024-05-10T12:00:00Z', { endsAt: at('2024-04-10T00:00:00Z') }),
        ['pause 2024-03-20T12:00', 'ending 2024-04-10T00:00'],
      ],
      [
        'and is ended by a command',
        paused('2024-03-20T12:00:00Z', null, { status: 'terminated', endedAt: at('2024-03-20T12:00:00Z') }),
        ['pause 2024-03-20T12:00', 'ending 2024-03-20T12:00'],
      ],
    ])('%s', (_, given, expected) => {
      expect(lifeOf(given, expected.length + 1)).toEqual(expected);
    });
  });

  test('what has resumed may pause again in the same instant', () => {
    const given = facts({
      pause: { at: at('2024-03-20T12:00:00Z'), resumesAt: null },
      resumedAt: at('2024-03-20T12:00:00Z'),
    });
    const done: DueMoment = { kind: 'resume', at: at('2024-03-20T12:00:00Z') };
    expect(nextDueMoment(given, done, () => at('2024-04-01T00:00:00Z'))?.kind).toBe('pause');
  });

  test('one that has taken over: its start was billed by the change', () => {
    const given = facts({ payInAdvance: true, fixedChargesInAdvance: true, succeeds: true });
    expect(lifeOf(given, 2)).toEqual(['period_end 2024-04-01T00:00', 'period_end 2024-05-01T00:00']);
  });

  test('fixed charges in advance are billed at the start, in arrears and in a trial too', () => {
    expect(lifeOf(facts({ fixedChargesInAdvance: true }), 1)).toEqual(['starting 2024-03-05T10:00']);
    const onTrial = facts({ fixedChargesInAdvance: true, payInAdvance: true, trialEndsAt: at('2024-03-15T10:00:00Z') });
    expect(lifeOf(onTrial, 2)).toEqual(['starting 2024-03-05T10:00', 'trial_end 2024-03-15T10:00']);
  });

  test('units that changed at once are billed after what was due before them, each change by itself', () => {
    const unitsChangedAt = at('2024-04-01T00:00:00Z');
    expect(lifeOf(facts({ unitsChangedAt }), 2)).toEqual([
      'period_end 2024-04-01T00:00',
      'units_change 2024-04-01T00:00',
    ]);
    const done: DueMoment = { kind: 'units_change', at: unitsChangedAt };
    const next = (changed: number | null) =>
      nextDueMoment(facts({ unitsChangedAt: changed }), done, () => at('2024-05-01T00:00:00Z'));
    expect(next(unitsChangedAt)?.kind).toBe('units_change');
    expect(next(null)).toEqual({ kind: 'period_end', at: at('2024-05-01T00:00:00Z') });
  });

  test('asked again after the same step, it answers the same', () => {
    const given = facts();
    const done: DueMoment = { kind: 'period_end', at: at('2024-04-01T00:00:00Z') };
    const ask = () => nextDueMoment(given, done, () => at('2024-05-01T00:00:00Z'));
    expect(ask()).toEqual(ask());
  });
});
