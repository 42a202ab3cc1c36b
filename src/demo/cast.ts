/**
 * Nimbus AI and its customers: an AI company that sells seats and tokens. Every customer is there for something a person
 * wants to see happen; the comment says what.
 */

export const models = ['small', 'large', 'vision'] as const;
export type Model = (typeof models)[number];

export const year = 2025;

export const tax = { name: 'VAT', code: 'vat', rate: 20, applied_to_organization: true };

export const tokenMetric = {
  name: 'Tokens',
  code: 'tokens_consumed',
  aggregation_type: 'sum_agg',
  field_name: 'value',
  filters: [{ key: 'model', values: models }],
};

export const seatMetric = { name: 'Seats', code: 'seats', aggregation_type: 'latest_agg', field_name: 'count' };

interface TokenPrice {
  /** Tokens that cost the first price; those above cost the second. */
  upTo: number;
  perToken: readonly [string, string];
}

interface PriceList {
  currency: string;
  /** Of the smallest unit of the currency. */
  monthly: number;
  perSeat: string;
  tokens: Record<Model, TokenPrice>;
}

const dollars: PriceList = {
  currency: 'USD',
  monthly: 99_00,
  perSeat: '25',
  tokens: {
    small: { upTo: 5_000_000, perToken: ['0.000002', '0.0000015'] },
    large: { upTo: 2_000_000, perToken: ['0.00001', '0.000008'] },
    vision: { upTo: 500_000, perToken: ['0.00002', '0.000015'] },
  },
};
const euros: PriceList = { ...dollars, currency: 'EUR', monthly: 89_00, perSeat: '23' };
const yen: PriceList = {
  currency: 'JPY',
  monthly: 14_800,
  perSeat: '3800',
  tokens: {
    small: { upTo: 5_000_000, perToken: ['0.0003', '0.00023'] },
    large: { upTo: 2_000_000, perToken: ['0.0015', '0.0012'] },
    vision: { upTo: 500_000, perToken: ['0.003', '0.0023'] },
  },
};

/** The hybrid plan: a base fee, seats, and tokens graduated, priced per model by a filter each. */
function teamPlan(prices: PriceList) {
  return {
    code: teamCode(prices.currency),
    name: 'Team',
    interval: 'monthly',
    amount_cents: prices.monthly,
    amount_currency: prices.currency,
    trial_period: 14,
    charges: [
      { metric: seatMetric.code, charge_model: 'standard', properties: { amount: prices.perSeat } },
      {
        metric: tokenMetric.code,
        charge_model: 'graduated',
        // Tokens of a model nobody has a price for yet.
        properties: graduated(prices.tokens.small),
        filters: models.map((model) => ({
          invoice_display_name: `${model} model`,
          values: { model: [model] },
          properties: graduated(prices.tokens[model]),
        })),
      },
    ],
  };
}

/** Usage only, in packages: a second subscription that shares its customer's invoice. */
const batchPlan = {
  code: 'vision_batch',
  name: 'Vision batch',
  interval: 'monthly',
  amount_cents: 0,
  amount_currency: 'USD',
  charges: [
    {
      metric: tokenMetric.code,
      charge_model: 'package',
      properties: { amount: '9', package_size: 1_000_000, free_units: 0 },
      filters: [],
    },
  ],
};

export const plans = [teamPlan(dollars), teamPlan(euros), teamPlan(yen), batchPlan];

function teamCode(currency: string): string {
  return `team_${currency.toLowerCase()}`;
}

function graduated({ upTo, perToken: [first, beyond] }: TokenPrice) {
  return {
    graduated_ranges: [
      { from_value: 0, to_value: upTo, per_unit_amount: first, flat_amount: '0' },
      { from_value: upTo + 1, to_value: null, per_unit_amount: beyond, flat_amount: '0' },
    ],
  };
}

/** In which months usage of Polyglot News arrives late. */
export const lateMonths = [2, 6, 10];

export const cards = {
  good: 'pm_card_visa',
  empty: 'pm_card_chargeDeclinedInsufficientFunds',
};

export interface CastSubscription {
  id: string;
  plan: string;
  /** How busy it is, against the others. */
  weight: number;
  /** 0: it sends no seats. */
  seats: number;
  billingTime?: 'calendar' | 'anniversary';
  /** Later than the year's first morning. */
  startsAt?: string;
  endsAt?: string;
}

export interface CastCustomer {
  id: string;
  name: string;
  timezone: string;
  currency: string;
  graceDays: number;
  card: string;
  subscriptions: CastSubscription[];
}

const plain = { timezone: 'America/New_York', currency: 'USD', graceDays: 3, card: cards.good };

export const customers = {
  /** Nothing happens to it: what every month looks like. */
  acme: {
    ...plain,
    id: 'acme',
    name: 'Acme Robotics',
    subscriptions: [{ id: 'acme-team', plan: teamCode('USD'), weight: 16, seats: 12 }],
  },
  /** Another currency and a grace period of ten days: its last invoice is still a draft when the year is over. */
  lumen: {
    ...plain,
    id: 'lumen',
    name: 'Lumen Health',
    timezone: 'Europe/Berlin',
    currency: 'EUR',
    graceDays: 10,
    subscriptions: [{ id: 'lumen-team', plan: teamCode('EUR'), weight: 11, seats: 8 }],
  },
  /** A currency without decimals, and midnight nine hours before everybody else's. */
  sakura: {
    ...plain,
    id: 'sakura',
    name: 'Sakura Soft',
    timezone: 'Asia/Tokyo',
    currency: 'JPY',
    subscriptions: [{ id: 'sakura-team', plan: teamCode('JPY'), weight: 12, seats: 9 }],
  },
  /** Its card has no money in spring; a new card saves the invoice before the last try. */
  orbit: {
    ...plain,
    id: 'orbit',
    name: 'Orbit Games',
    timezone: 'America/Los_Angeles',
    subscriptions: [{ id: 'orbit-team', plan: teamCode('USD'), weight: 9, seats: 5 }],
  },
  /** Its gateway buffers: in some months part of the usage arrives when the month has been billed. */
  polyglot: {
    ...plain,
    id: 'polyglot',
    name: 'Polyglot News',
    timezone: 'Europe/Paris',
    subscriptions: [{ id: 'polyglot-team', plan: teamCode('USD'), weight: 13, seats: 7 }],
  },
  /** Two subscriptions, one invoice; the second ends in autumn. */
  atlas: {
    ...plain,
    id: 'atlas',
    name: 'Atlas Mining',
    timezone: 'Australia/Perth',
    subscriptions: [
      { id: 'atlas-team', plan: teamCode('USD'), weight: 10, seats: 6 },
      { id: 'atlas-batch', plan: batchPlan.code, weight: 9, seats: 0, endsAt: `${year}-09-30T12:00:00Z` },
    ],
  },
  /** Billed on the day it joined, the 15th. */
  drift: {
    ...plain,
    id: 'drift',
    name: 'Drift Studio',
    timezone: 'Europe/London',
    subscriptions: [
      {
        id: 'drift-team',
        plan: teamCode('USD'),
        weight: 8,
        seats: 4,
        billingTime: 'anniversary',
        startsAt: `${year}-01-15T09:00:00Z`,
      },
    ],
  },
  /** Its card has no money since December: one invoice nobody tries to collect any more, one that is being retried. */
  northwind: {
    ...plain,
    id: 'northwind',
    name: 'Northwind Freight',
    timezone: 'America/Chicago',
    subscriptions: [{ id: 'northwind-team', plan: teamCode('USD'), weight: 12, seats: 10 }],
  },
  /** Joins when the year is over, and is in its trial when you look. */
  kiwi: {
    ...plain,
    id: 'kiwi',
    name: 'Kiwi Farms',
    timezone: 'Pacific/Auckland',
    subscriptions: [{ id: 'kiwi-team', plan: teamCode('USD'), weight: 0, seats: 3 }],
  },
} satisfies Record<string, CastCustomer>;
