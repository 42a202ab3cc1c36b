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
    endsAt: null,
    payInAdvance: false,
    trialEndsAt: null,
    ...overrides,
  };
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
    if (next.kind === 'ending') state = { ...state, status: 'terminated' };
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
    expect(lifeOf(facts({ status: 'terminated' }), 3)).toEqual([]);
    expect(lifeOf(facts({ status: 'canceled' }), 3)).toEqual([]);
    expect(lifeOf(facts({ endsAt: at('2024-04-01T00:00:00Z') }), 3)).toEqual(['ending 2024-04-01T00:00']);
  });

  test('asked again after the same step, it answers the same', () => {
    const given = facts();
    const done: DueMoment = { kind: 'period_end', at: at('2024-04-01T00:00:00Z') };
    const ask = () => nextDueMoment(given, done, () => at('2024-05-01T00:00:00Z'));
    expect(ask()).toEqual(ask());
  });
});
