import { aCatalog, anInvoice, ApiHarness, type Json, ok, type Tenant } from './api-harness.js';

/** Design, invariant 10: one organization never sees another. Both have the same codes, only the owner has the rows. */
let harness: ApiHarness;
let owner: Tenant;
let stranger: Tenant;
let ids: { metricId: string; chargeId: string; invoiceId: string; feeId: string; clockId: string };

beforeAll(async () => {
  harness = await ApiHarness.start();
  owner = await harness.tenant();
  stranger = await harness.tenant();
  const catalog = await aCatalog(owner);
  await ok(owner.post('/api/v1/taxes', { tax: { name: 'VAT', code: 'vat', rate: 20 } }));
  const { test_clock: clock } = await ok(
    owner.post('/api/v1/test_clocks', { test_clock: { name: 'clock', frozen_time: '2024-01-01T00:00:00Z' } }),
  );
  await ok(
    owner.post('/api/v1/subscriptions', {
      subscription: { external_customer_id: 'cust', plan_code: 'pro', external_id: 'sub' },
    }),
  );
  ids = { ...catalog, ...(await anInvoice(harness, owner.organizationId)), clockId: clock.lago_id as string };
});
afterAll(() => harness.stop());

const name = { name: 'changed' };

const requests: [method: 'get' | 'put' | 'post' | 'delete', path: () => string, body?: unknown][] = [
  ['get', () => '/api/v1/billable_metrics/calls'],
  ['put', () => '/api/v1/billable_metrics/calls', { billable_metric: name }],
  ['delete', () => '/api/v1/billable_metrics/calls'],
  ['get', () => '/api/v1/plans/pro'],
  ['put', () => '/api/v1/plans/pro', { plan: name }],
  ['delete', () => '/api/v1/plans/pro'],
  ['get', () => '/api/v1/taxes/vat'],
  ['put', () => '/api/v1/taxes/vat', { tax: name }],
  ['delete', () => '/api/v1/taxes/vat'],
  ['get', () => '/api/v1/customers/cust'],
  ['delete', () => '/api/v1/customers/cust'],
  ['get', () => '/api/v1/customers/cust/invoices'],
  ['get', () => '/api/v1/customers/cust/subscriptions'],
  ['get', () => '/api/v1/customers/cust/current_usage?external_subscription_id=sub'],
  ['get', () => '/api/v1/subscriptions/sub'],
  ['put', () => '/api/v1/subscriptions/sub', { subscription: name }],
  ['delete', () => '/api/v1/subscriptions/sub'],
  ['get', () => `/api/v1/invoices/${ids.invoiceId}`],
  ['put', () => `/api/v1/invoices/${ids.invoiceId}/refresh`],
  ['put', () => `/api/v1/invoices/${ids.invoiceId}/finalize`],
  ['post', () => `/api/v1/invoices/${ids.invoiceId}/void`],
  ['post', () => `/api/v1/invoices/${ids.invoiceId}/retry_payment`],
  ['get', () => `/api/v1/fees/${ids.feeId}`],
  ['get', () => `/api/v1/test_clocks/${ids.clockId}`],
  ['post', () => `/api/v1/test_clocks/${ids.clockId}/advance`, { test_clock: { frozen_time: '2025-01-01T00:00:00Z' } }],
];

const named = requests.map((request) => ({
  request,
  name: `${request[0]} ${request[1].toString().replace(/^.*api/, '')}`,
}));

it.each(named)('$name is not there for a stranger', async ({ request: [method, path, body] }) => {
  const answer =
    method === 'get' || method === 'delete' ? await stranger[method](path()) : await stranger[method](path(), body);
  expect(answer).toMatchObject({ status: 404, body: { status: 404, error: 'Not Found' } });
  expect(harness.commands.calls).toEqual([]);
});

it.each(['billable_metrics', 'plans', 'taxes', 'customers', 'subscriptions', 'invoices', 'fees', 'events'])(
  'a list of %s shows a stranger nothing, and the owner its own',
  async (resource) => {
    expect(await stranger.get(`/api/v1/${resource}`)).toMatchObject({
      status: 200,
      body: { [resource]: [], meta: { total_count: 0 } },
    });
    if (resource === 'events') return;
    const owned = await ok(owner.get(`/api/v1/${resource}`));
    expect(owned[resource]).toHaveLength(1);
  },
);

it('filters do not reach across either', async () => {
  const mine = await ok(stranger.get('/api/v1/invoices?external_customer_id=cust'));
  expect(mine['invoices']).toEqual([]);
});

it('a plan cannot price the metric of another organization, nor a customer live on its clock', async () => {
  const charges = [{ billable_metric_id: ids.metricId, charge_model: 'standard', properties: { amount: '1' } }];
  const plan: Json = { name: 'x', code: 'x', interval: 'monthly', amount_cents: 1, amount_currency: 'EUR', charges };
  expect(await stranger.post('/api/v1/plans', { plan })).toMatchObject({
    status: 404,
    body: { code: 'billable_metrics_not_found' },
  });
  const customer = { external_id: 'c', test_clock_id: ids.clockId };
  expect(await stranger.post('/api/v1/customers', { customer })).toMatchObject({
    status: 422,
    body: { error_details: { test_clock_id: ['value_is_invalid'] } },
  });
  expect(
    await stranger.post('/api/v1/customers', { customer: { external_id: 'c', tax_codes: ['vat'] } }),
  ).toMatchObject({
    status: 404,
    body: { code: 'tax_not_found' },
  });
});

it('the same codes are free for everybody', async () => {
  const other = await harness.tenant();
  const catalog = await aCatalog(other);
  expect(catalog.metricId).not.toBe(ids.metricId);
});

it('nothing of the owner has changed', async () => {
  const plan = await ok(owner.get('/api/v1/plans/pro'));
  expect(plan['plan'].name).toBe('Pro');
  const subscription = await ok(owner.get('/api/v1/subscriptions/sub'));
  expect(subscription['subscription']).toMatchObject({ status: 'active', name: null });
});
