import { jest } from '@jest/globals';
import { entities } from '../../src/entities.js';
import { CurrentUsageService } from '../../src/invoicing/current-usage.service.js';
import { UsageReader } from '../../src/metering/index.js';
import { Database } from '../../src/platform/database/database.js';
import { Api } from '../builders/api.js';
import { type Product, startProduct } from '../system/product.js';
import { type TestServers, testServers } from '../system/servers.js';

/** What rating asks of the database depends on the kinds of prices on a plan, never on how many there are. */
let servers: TestServers;
let product: Product;
let api: Api;
let organizationId: string;
let clock: string;
let database: Database;

const METRICS = [
  { name: 'Calls', code: 'calls', aggregation_type: 'count_agg' },
  { name: 'Tokens', code: 'tokens', aggregation_type: 'sum_agg', field_name: 'value' },
  { name: 'Users', code: 'users', aggregation_type: 'unique_count_agg', field_name: 'value' },
  { name: 'Seats', code: 'seats', aggregation_type: 'sum_agg', field_name: 'value', recurring: true },
];
/** More than any plan has filters for: what no filter takes is of several models. */
const MODELS = Array.from({ length: 22 }, (_, index) => `model-${index}`);
const metricIds = new Map<string, string>();

beforeAll(async () => {
  servers = await testServers();
  product = await startProduct(servers);
  database = await Database.connect(servers.databaseUrl, entities);
  const made = await new Api(product.url, product.adminToken).post<{
    organization: { lago_id: string };
    api_key: string;
  }>('/admin/organizations', { organization: { name: 'Large' } });
  organizationId = made.organization.lago_id;
  api = new Api(product.url, made.api_key);
  for (const metric of METRICS) {
    const filters = [{ key: 'model', values: MODELS }];
    const { billable_metric: created } = await api.post<{ billable_metric: { lago_id: string } }>(
      '/api/v1/billable_metrics',
      { billable_metric: { ...metric, filters } },
    );
    metricIds.set(metric.code, created.lago_id);
  }
  const { test_clock: created } = await api.post<{ test_clock: { lago_id: string } }>('/api/v1/test_clocks', {
    test_clock: { name: 'March', frozen_time: '2024-03-01T00:00:00Z' },
  });
  clock = created.lago_id;
}, 120_000);

afterAll(async () => {
  await database?.close();
  await product?.stop();
  await servers?.stop();
});

/** One of each kind of price, in this order, as often as the plan is large. */
const KINDS = [
  { metric: 'calls', charge_model: 'standard', properties: { amount: '0.01', presentation_group_keys: ['team'] } },
  { metric: 'tokens', charge_model: 'percentage', properties: { rate: '1', free_units_per_events: 2 } },
  {
    metric: 'tokens',
    charge_model: 'percentage',
    properties: { rate: '1', per_transaction_min_amount: '0.5', per_transaction_max_amount: '9' },
  },
  {
    metric: 'users',
    charge_model: 'package',
    properties: { amount: '1', free_units: 0, package_size: 3, presentation_group_keys: ['team'] },
  },
  { metric: 'seats', charge_model: 'standard', prorated: true, properties: { amount: '3.1' } },
];

async function subscribe(code: string, charges: number, filters: number): Promise<void> {
  const plan = {
    name: code,
    code,
    interval: 'monthly',
    amount_cents: 0,
    amount_currency: 'EUR',
    charges: Array.from({ length: charges }, (_, index) => {
      const { metric, ...kind } = KINDS[index % KINDS.length]!;
      return {
        ...kind,
        billable_metric_id: metricIds.get(metric),
        filters: MODELS.slice(0, filters).map((model) => ({
          values: { model: [model] },
          properties: kind.properties,
        })),
      };
    }),
  };
  await api.post('/api/v1/plans', { plan });
  await api.post('/api/v1/customers', { customer: { external_id: code, currency: 'EUR', test_clock_id: clock } });
  await api.post('/api/v1/subscriptions', {
    subscription: { external_id: code, external_customer_id: code, plan_code: code },
  });
  const events = METRICS.flatMap(({ code: metric }) =>
    MODELS.map((model, index) => ({
      transaction_id: `${metric}-${model}`,
      external_subscription_id: code,
      code: metric,
      timestamp: Date.parse('2024-03-10T00:00:00Z') / 1000 + index,
      properties: { value: index + 1, model, team: `team-${index % 3}` },
    })),
  );
  await api.post('/api/v1/events/batch', { events });
}

async function moveClockTo(at: string): Promise<void> {
  await api.post(`/api/v1/test_clocks/${clock}/advance`, { test_clock: { frozen_time: at } });
  for (;;) {
    const { test_clock: moved } = await api.get<{ test_clock: { status: string } }>(`/api/v1/test_clocks/${clock}`);
    if (moved.status === 'ready') return;
    expect(moved.status).toBe('advancing');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The statements that reading the current usage sends. */
async function statementsOf(subscription: string): Promise<{ statements: string[]; amountMinor: number }> {
  const service = new CurrentUsageService(database, new UsageReader());
  const sent = jest.spyOn(database.orm.config.getLogger(), 'logQuery');
  try {
    const { amountMinor } = await service.read(organizationId, subscription, subscription, { applyTaxes: true });
    return { statements: sent.mock.calls.map(([{ query }]) => query ?? ''), amountMinor };
  } finally {
    sent.mockRestore();
  }
}

test('200 charges of 20 filters are rated with as many statements as 5 charges of one', async () => {
  await subscribe('small', KINDS.length, 1);
  await subscribe('large', 200, 20);
  await moveClockTo('2024-03-20T00:00:00Z');
  // The first connection asks a question of its own.
  await statementsOf('small');

  const small = await statementsOf('small');
  const large = await statementsOf('large');
  // The larger plan is read for the first time, and with it every one of its rows.
  expect(large.statements.filter((text) => !loadsPlan(text))).toEqual(
    small.statements.filter((text) => !loadsPlan(text)),
  );
  expect(large.statements.filter(loadsPlan).length).toBeLessThan(10);
  expect((await statementsOf('large')).statements).toEqual(small.statements);

  // Of model-0 and of the rest: calls 1 + 21, tokens 0 + 247 and 50 + 1,050, users 100 + 700, seats 220 + 55,440 cents.
  expect(small.amountMinor).toBe(22 + 247 + 1100 + 800 + 55_660);
  // 40 of each kind: calls 22 × 1, tokens 0 and 22 × 50, users 20 × 100 and 100, seats (1 + … + 22) × 220 cents.
  expect(large.amountMinor).toBe(40 * (22 + 0 + 1100 + 2100 + 55_660));
}, 120_000);

/** Only what has changed since a plan was read last is read again. */
const loadsPlan = (text: string) =>
  /from "(plans|charges|charge_filters|fixed_charges|minimum_commitments|billable_metrics|subscription_terms)"/.test(
    text,
  );
