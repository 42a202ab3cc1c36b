import { expect, it } from '@jest/globals';
import { instant } from '../calendar/instant.js';
import { unusedAmount } from './unused-time.js';

const at = (text: string) => instant(Date.parse(text));
const month = (planAmountMinor: number, from: string, to: string, periodDays: number, zone = 'UTC') => ({
  planAmountMinor,
  currency: 'EUR' as const,
  periodDays,
  from: at(from),
  to: at(to),
  zone,
});
const FEBRUARY = month(5000, '2023-02-01T00:00:00Z', '2023-03-01T00:00:00Z', 28);
const FROM_THE_EIGHTH = month(5000, '2023-02-08T00:00:00Z', '2023-03-01T00:00:00Z', 28);

it.each([
  ['days after a termination', FROM_THE_EIGHTH, '2023-02-08T00:00:00Z', false, 3571],
  ['the termination is on the last day', FEBRUARY, '2023-02-28T10:00:00Z', false, 0],
  ['in the last millisecond', FEBRUARY, '2023-02-28T23:59:59.999Z', false, 0],
  ['after the span', FEBRUARY, '2023-03-01T00:00:00Z', false, 0],
  ['before the span: all of it', FEBRUARY, '2023-01-15T00:00:00Z', false, 5000],
  ['a plan change credits its own day', FROM_THE_EIGHTH, '2023-02-08T10:00:00Z', true, 3750],
  ['1 of 31 days', month(1000, '2023-08-29T00:00:00Z', '2023-09-29T00:00:00Z', 31), '2023-09-28T05:00:00Z', true, 32],
  ['20 of 31 days', month(1000, '2024-03-05T12:12:00Z', '2024-04-01T00:00:00Z', 31), '2024-03-12T12:12:00Z', true, 645],
  // 29 October has 25 hours in Paris; 22:30 UTC of the 28th is the 29th there.
  [
    'days are local, whatever clocks do',
    month(3100, '2023-09-30T22:00:00Z', '2023-10-31T23:00:00Z', 31, 'Europe/Paris'),
    '2023-10-28T22:30:00Z',
    false,
    200,
  ],
] as const)('unused time: %s', (_, span, endedAt, endedByUpgrade, expected) => {
  expect(unusedAmount({ ...span, endedAt: at(endedAt), endedByUpgrade })).toBe(expected);
});

it('unused time in a trial was free', () => {
  const trialEndsAt = at('2023-02-20T00:00:00Z');
  expect(unusedAmount({ ...FEBRUARY, trialEndsAt, endedAt: at('2023-02-10T00:00:00Z'), endedByUpgrade: false })).toBe(
    1607,
  );
});
