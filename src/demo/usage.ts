import type { CastSubscription, Model } from './cast.js';

export interface UsageEvent {
  transaction_id: string;
  external_subscription_id: string;
  code: string;
  /** Unix seconds with milliseconds. */
  timestamp: string;
  properties: Record<string, string | number>;
}

/** What one month sends, and when. */
export interface MonthOfUsage {
  firstHalf: UsageEvent[];
  secondHalf: UsageEvent[];
  /** Belongs into this month and arrives when the month has been billed. */
  late: UsageEvent[];
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/**
 * The usage of a year, about `total` events, shared out by the weights. The same arguments give the same events in every run,
 * so that two runs print the same invoices. Around the turn of a half month nothing is used, so that a stop there finds
 * everything sent whose period it closes, in all time zones.
 */
export function usageOfYear(
  year: number,
  total: number,
  subscriptions: readonly CastSubscription[],
  lateSubscription: CastSubscription,
  lateIn: readonly number[],
): MonthOfUsage[] {
  const weights = subscriptions.reduce((sum, { weight }) => sum + weight, 0);
  const perMs = total / (weights * 365 * DAY);
  return Array.from({ length: 12 }, (_, index) => {
    const first = Date.UTC(year, index, 1) + 12 * HOUR;
    const middle = Date.UTC(year, index, 15);
    const end = Date.UTC(year, index + 1, 1);
    const half = (from: number, to: number) =>
      subscriptions.flatMap((subscription) => {
        const since = Math.max(from, Date.parse(subscription.startsAt ?? '') || from);
        const until = Math.min(to, Date.parse(subscription.endsAt ?? '') || to);
        if (since >= until) return [];
        return [...seats(subscription, since, index + 1), ...tokens(subscription, since, until, perMs)];
      });
    return {
      firstHalf: half(first, middle - 13 * HOUR),
      secondHalf: half(middle + HOUR, end - 13 * HOUR),
      late: lateIn.includes(index + 1)
        ? tokens(lateSubscription, first + 5 * DAY, first + 11 * DAY, perMs, '-late')
        : [],
    };
  });
}

/** `salt` keeps two helpings for the same span apart. */
function tokens(subscription: CastSubscription, from: number, to: number, perMs: number, salt = ''): UsageEvent[] {
  const random = randomFrom(`${subscription.id} ${from} ${salt}`);
  return Array.from({ length: Math.round(subscription.weight * perMs * (to - from)) }, (_, index) => {
    const model = pickModel(random());
    const [least, most] = tokensPerCall[model];
    return {
      transaction_id: `${subscription.id}-${from / 1000}${salt}-${index}`,
      external_subscription_id: subscription.id,
      code: 'tokens_consumed',
      timestamp: seconds(from + Math.floor(random() * (to - from))),
      properties: { value: Math.floor(least + random() * (most - least)), model },
    };
  });
}

/** How many seats are in use from `at` on. Teams grow by a seat a quarter. */
function seats(subscription: CastSubscription, at: number, month: number): UsageEvent[] {
  if (subscription.seats === 0) return [];
  return [
    {
      transaction_id: `${subscription.id}-seats-${at / 1000}`,
      external_subscription_id: subscription.id,
      code: 'seats',
      timestamp: seconds(at),
      properties: { count: subscription.seats + Math.floor((month - 1) / 3) },
    },
  ];
}

const tokensPerCall: Record<Model, [number, number]> = {
  small: [500, 40_000],
  large: [800, 30_000],
  vision: [1_000, 12_000],
};

function pickModel(roll: number): Model {
  if (roll < 0.6) return 'small';
  return roll < 0.9 ? 'large' : 'vision';
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

/** Mulberry32, seeded by the text's FNV hash: enough for usage that looks alive. */
function randomFrom(text: string): () => number {
  let state = 0x811c9dc5;
  for (const character of text) state = Math.imul(state ^ character.charCodeAt(0), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
