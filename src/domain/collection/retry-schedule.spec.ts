import { describe, expect, it } from '@jest/globals';
import { instant, toIso } from '../calendar/instant.js';
import type { PaymentOutcome } from './payment-outcome.js';
import { retrySchedule } from './retry-schedule.js';

const declined = (hardness: 'soft' | 'hard'): PaymentOutcome => ({
  kind: 'declined',
  paymentId: null,
  declineCode: 'a_code',
  hardness,
  message: '',
  networkDeclineCode: null,
  networkAdviceCode: null,
  adviceCode: null,
});
const unknown: PaymentOutcome = { kind: 'unknown', reason: '' };
const processing: PaymentOutcome = { kind: 'processing', paymentId: 'p' };
const authentication: PaymentOutcome = {
  kind: 'action_required',
  paymentId: 'p',
  nextAction: { type: 'authenticate' },
};

interface Row {
  readonly name: string;
  readonly outcome: PaymentOutcome;
  readonly declines?: number;
  readonly days?: number[];
  readonly askedAt?: string;
  readonly answeredAt: string;
  readonly next: string | null;
}

const at = '2024-02-28T10:00:00Z';

const rows: Row[] = [
  { name: 'paid', outcome: { kind: 'paid', paymentId: 'p' }, answeredAt: at, next: null },
  {
    name: 'first decline, over a leap day',
    outcome: declined('soft'),
    declines: 1,
    answeredAt: at,
    next: '2024-03-02T10:00:00Z',
  },
  {
    name: 'second decline, from the decline',
    outcome: declined('soft'),
    declines: 2,
    answeredAt: '2024-03-02T10:00:07Z',
    next: '2024-03-07T10:00:07Z',
  },
  { name: 'last decline', outcome: declined('soft'), declines: 4, answeredAt: at, next: null },
  { name: 'no schedule at all', outcome: declined('soft'), declines: 1, days: [], answeredAt: at, next: null },
  {
    name: 'parts of days',
    outcome: declined('soft'),
    declines: 1,
    days: [0.5],
    answeredAt: at,
    next: '2024-02-28T22:00:00Z',
  },
  { name: 'hard decline with tries left', outcome: declined('hard'), declines: 1, answeredAt: at, next: null },
  { name: 'unknown: five minutes', outcome: unknown, answeredAt: at, next: '2024-02-28T10:05:00Z' },
  {
    name: 'unknown at the first question: an hour',
    outcome: unknown,
    answeredAt: '2024-02-28T10:05:00Z',
    next: '2024-02-28T11:00:00Z',
  },
  {
    name: 'unknown after an hour: a day',
    outcome: unknown,
    answeredAt: '2024-02-28T11:00:00Z',
    next: '2024-02-29T10:00:00Z',
  },
  {
    name: 'unknown after a day: the next day',
    outcome: unknown,
    answeredAt: '2024-02-29T10:00:00Z',
    next: '2024-03-01T10:00:00Z',
  },
  {
    name: 'unknown after weeks: never given up',
    outcome: unknown,
    answeredAt: '2024-04-01T09:59:59Z',
    next: '2024-04-01T10:00:00Z',
  },
  {
    name: 'unknown does not count declines',
    outcome: unknown,
    declines: 9,
    answeredAt: at,
    next: '2024-02-28T10:05:00Z',
  },
  { name: 'processing: an hour', outcome: processing, answeredAt: at, next: '2024-02-28T11:00:00Z' },
  {
    name: 'processing: then daily',
    outcome: processing,
    answeredAt: '2024-02-28T11:00:00Z',
    next: '2024-02-29T10:00:00Z',
  },
  { name: 'authentication: daily', outcome: authentication, answeredAt: at, next: '2024-02-29T10:00:00Z' },
];

describe('The next move of collection', () => {
  it.each(rows)('$name', ({ outcome, declines = 0, days = [3, 5, 7], askedAt = at, answeredAt, next }) => {
    const history = { declines, askedAt: instant(askedAt), answeredAt: instant(answeredAt) };
    const result = retrySchedule({ days }, history, outcome);
    expect(result === null ? null : toIso(result)).toBe(next);
    // Whatever comes next lies ahead: a moment that is already due again would spin.
    if (result !== null) expect(result).toBeGreaterThan(history.answeredAt);
  });

  it('insists on counted declines', () => {
    const history = { declines: 0, askedAt: instant(at), answeredAt: instant(at) };
    expect(() => retrySchedule({ days: [3] }, history, declined('soft'))).toThrow('at least one decline');
  });
});
