import { jest } from '@jest/globals';
import {
  aCharge,
  aCustomer,
  aMetric,
  aPlan,
  aProduct,
  aSubscription,
  given,
  type Product,
  type ProcessName,
  type Story,
} from '../builders/index.js';

/**
 * A month's usage under fire (design, invariants 1, 2 and 3): every process and server between an event and its aggregate is
 * killed while gateways post, and post again what was not answered. In the end there is exactly what was accepted.
 */
jest.setTimeout(240_000);

const POSTS = 200_000;
const BATCH = 100;
const SUBSCRIPTIONS = 16;
const GATEWAYS = 6;
const MONTH_AT = Date.parse('2024-01-01T00:00:00Z');
const MONTH_SECONDS = 31 * 86_400;

/** Who dies when this share of the batches has been answered. */
const DEATHS: readonly (readonly [number, ProcessName])[] = [
  [0.08, 'consumer'],
  [0.2, 'api'],
  [0.32, 'worker'],
  [0.44, 'nats'],
  [0.58, 'postgres'],
  [0.7, 'consumer'],
  [0.8, 'nats'],
  [0.9, 'api'],
];

let product: Product;

beforeAll(async () => {
  product = await aProduct({ own: ['postgres', 'nats'] });
});

afterAll(() => product?.stop());

/** Every twentieth post repeats an earlier event, out of its own batch or out of one long answered. */
function eventOfPost(post: number): number {
  if (post % 20 !== 19) return post;
  const earlier = post - 1 - ((post * 7919) % 5000);
  return earlier < 0 || earlier % 20 === 19 ? post - 1 : earlier;
}

const subscriptionOf = (event: number) => `sub-${event % SUBSCRIPTIONS}`;
/** In thousandths, so that sums are whole numbers here and decimals there. */
const quantityOf = (event: number) => 1 + ((event * 31) % 4999);
const isTokens = (event: number) => event % 8 !== 0;

function body(event: number) {
  return {
    transaction_id: `event-${event}`,
    external_subscription_id: subscriptionOf(event),
    code: isTokens(event) ? 'tokens' : 'users',
    timestamp: (MONTH_AT / 1000 + ((event * 13) % MONTH_SECONDS) + (event % 1000) / 1000).toFixed(3),
    properties: isTokens(event)
      ? { value: (quantityOf(event) / 1000).toFixed(3) }
      : { user_id: `user-${quantityOf(event) % 97}` },
  };
}

test('200,000 posts with 5 % repeats, and every process killed: each event is counted once', async () => {
  const customers = Array.from({ length: SUBSCRIPTIONS }, (_, i) => aCustomer(`cust-${i}`));
  const subscriptions = customers.map(({ externalId }, i) => aSubscription(`sub-${i}`).of(externalId));
  const story = await given(
    product,
    aMetric('tokens'),
    aMetric('users').countingUnique('user_id'),
    aPlan().withCharge(aCharge('tokens').standard('0.01')).withCharge(aCharge('users').standard('1')),
    ...customers,
    ...subscriptions,
  );
  const batches = POSTS / BATCH;
  let next = 0;
  let answered = 0;
  let asked = 0;
  const gateway = async () => {
    for (let batch = next++; batch < batches; batch = next++) {
      const events = Array.from({ length: BATCH }, (_, i) => body(eventOfPost(batch * BATCH + i)));
      const times = await story.api.postUntilAnswered('/api/v1/events/batch', JSON.stringify({ events }), 60_000);
      asked += times;
      answered += 1;
    }
  };
  const deaths: string[] = [];
  const executioner = async () => {
    for (const [share, name] of DEATHS) {
      while (answered < share * batches) await new Promise((resolve) => setTimeout(resolve, 10));
      const death = product.kill(name);
      deaths.push(name);
      await death.back();
    }
  };
  await Promise.all([executioner(), ...Array.from({ length: GATEWAYS }, gateway)]);
  expect(answered).toBe(batches);
  expect(deaths).toHaveLength(DEATHS.length);
  // Some batches had to be sent more than once, or nothing was under way when the servers died.
  expect(asked).toBeGreaterThan(batches);

  const accepted = new Set(Array.from({ length: POSTS }, (_, post) => eventOfPost(post)));
  expect(accepted.size).toBe(POSTS * 0.95);
  await story.advanceTo('2024-01-31T12:00:00Z');
  await expectStored(story, accepted);
  await expectUsage(story, accepted);

  const verified = await product.billow('verify', 'usage');
  expect(verified).toMatch(/: 0 differences/);

  await story.advanceTo('2024-02-01T00:00:00Z');
  await expectInvoices(story, accepted);
});

async function expectStored(story: Story, accepted: ReadonlySet<number>): Promise<void> {
  const stored = await product.query<{ transaction_id: string }>(
    'select transaction_id from events where organization_id = $1',
    [story.organizationId],
  );
  expect(stored).toHaveLength(accepted.size);
  const missing = new Set([...accepted].map((event) => `event-${event}`));
  for (const { transaction_id: id } of stored) missing.delete(id);
  expect([...missing]).toEqual([]);
  const [rejected] = await product.query<{ count: number }>('select count(*)::int as count from rejected_messages');
  expect(rejected).toEqual({ count: 0 });
}

interface Expected {
  /** In thousandths. */
  tokens: number;
  tokenEvents: number;
  users: Set<string>;
}

function expectedBySubscription(accepted: ReadonlySet<number>): Map<string, Expected> {
  const expected = new Map<string, Expected>();
  for (const event of accepted) {
    const subscription = subscriptionOf(event);
    const sums = expected.get(subscription) ?? { tokens: 0, tokenEvents: 0, users: new Set() };
    expected.set(subscription, sums);
    if (isTokens(event)) {
      sums.tokens += quantityOf(event);
      sums.tokenEvents += 1;
    } else {
      sums.users.add(`user-${quantityOf(event) % 97}`);
    }
  }
  return expected;
}

async function expectUsage(story: Story, accepted: ReadonlySet<number>): Promise<void> {
  for (const [subscription, expected] of expectedBySubscription(accepted)) {
    const path = `/api/v1/customers/${customerOf(subscription)}/current_usage?external_subscription_id=${subscription}`;
    const { customer_usage: usage } = await story.api.get<{
      customer_usage: { charges_usage: { units: string; events_count: number; billable_metric: { code: string } }[] };
    }>(path);
    const units = Object.fromEntries(
      usage.charges_usage.map((charge) => [charge.billable_metric.code, Number(charge.units)]),
    );
    expect({ subscription, ...units }).toEqual({
      subscription,
      tokens: expected.tokens / 1000,
      users: expected.users.size,
    });
    const tokens = usage.charges_usage.find((charge) => charge.billable_metric.code === 'tokens');
    expect(tokens?.events_count).toBe(expected.tokenEvents);
  }
}

async function expectInvoices(story: Story, accepted: ReadonlySet<number>): Promise<void> {
  const invoices = await story.invoices();
  const total = new Map(
    invoices.map((invoice) => [invoice.fees[0]!.external_subscription_id, invoice.total_amount_cents]),
  );
  const expected = [...expectedBySubscription(accepted)].map(([subscription, { tokens, users }]): [string, number] => [
    subscription,
    // A cent for each token, half-up, and a euro for each user.
    Math.floor((tokens + 500) / 1000) + 100 * users.size,
  ]);
  expect([...total].sort()).toEqual(expected.sort());
}

function customerOf(subscription: string): string {
  return subscription.replace('sub-', 'cust-');
}
