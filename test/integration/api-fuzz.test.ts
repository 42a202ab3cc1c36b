import fc from 'fast-check';
import { aCatalog, anInvoice, ApiHarness, type Json, type Tenant } from './api-harness.js';

/** Whatever is sent: an answer in Lago's shape, and never a 500. */
let harness: ApiHarness;
let tenant: Tenant;
let ids: { metricId: string; chargeId: string; invoiceId: string };

beforeAll(async () => {
  harness = await ApiHarness.start();
  tenant = await harness.tenant();
  ids = { ...(await aCatalog(tenant)), ...(await anInvoice(harness, tenant.organizationId)) };
});
afterAll(() => harness.stop());

const RUNS = 60;

const awkward = fc.oneof(
  fc.constantFrom<unknown>(
    ...[
      null,
      true,
      false,
      0,
      -1,
      1.5,
      1e308,
      -1e308,
      2 ** 53 + 2,
      '',
      ' ',
      '0',
      '-1',
      '1e5',
      'NaN',
      '\u0000',
      '\ud800',
    ],
    ...[
      '2024-02-30',
      '2024-01-01T25:00:00Z',
      '9999-12-31T23:59:59Z',
      '0001-01-01',
      '١٢',
      'EUR',
      'standard',
      'active',
      'vat',
      'pro',
    ],
    ...[[], {}, [[]], [null], [{}], { '': '' }, { constructor: 1 }, 'x'.repeat(300), '9'.repeat(400)],
  ),
  fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<unknown>,
);

/** A valid body with some of its values, anywhere inside, exchanged for awkward ones. */
function spoiled(valid: () => unknown): fc.Arbitrary<unknown> {
  return fc.array(fc.tuple(fc.nat(), awkward), { minLength: 1, maxLength: 3 }).map((changes) => {
    let body = structuredClone(valid());
    for (const [position, value] of changes) body = replaced(body, position % placesIn(body), value);
    return body;
  });
}

function placesIn(value: unknown): number {
  const inner = typeof value === 'object' && value !== null ? Object.values(value) : [];
  return 1 + inner.reduce<number>((sum, one) => sum + placesIn(one), 0);
}

function replaced(value: unknown, place: number, by: unknown): unknown {
  if (place === 0) return by;
  let left = place - 1;
  const entries = Object.entries(value as Json).map(([key, inner]): [string, unknown] => {
    const size = placesIn(inner);
    const isHere = left >= 0 && left < size;
    const next = isHere ? replaced(inner, left, by) : inner;
    left -= size;
    return [key, next];
  });
  return Array.isArray(value) ? entries.map(([, inner]) => inner) : Object.fromEntries(entries);
}

const ranges = (key: string) => ({
  [key]: [
    { from_value: 0, to_value: 10, per_unit_amount: '1', flat_amount: '0' },
    { from_value: 11, to_value: null, per_unit_amount: '1', flat_amount: '0' },
  ],
});
const plan = () => ({
  name: 'Fuzz',
  code: 'fuzz',
  interval: 'yearly',
  amount_cents: 1,
  amount_currency: 'EUR',
  trial_period: 3,
  bill_charges_monthly: true,
  tax_codes: [],
  metadata: { a: 'b' },
  charges: [
    {
      billable_metric_id: ids.metricId,
      charge_model: 'graduated',
      properties: ranges('graduated_ranges'),
      filters: [],
    },
    {
      billable_metric_id: ids.metricId,
      charge_model: 'percentage',
      properties: { rate: '1', free_units_per_events: 3 },
    },
    { billable_metric_id: ids.metricId, charge_model: 'volume', properties: ranges('volume_ranges'), code: 'c' },
  ],
});

const bodies: [method: 'post' | 'put', path: string, valid: () => Json][] = [
  [
    'post',
    '/api/v1/billable_metrics',
    () => ({
      billable_metric: {
        name: 'Fuzz',
        code: 'fuzz',
        aggregation_type: 'sum_agg',
        field_name: 'v',
        rounding_function: 'ceil',
        rounding_precision: 2,
        filters: [{ key: 'a', values: ['b'] }],
      },
    }),
  ],
  [
    'put',
    '/api/v1/billable_metrics/calls',
    () => ({ billable_metric: { name: 'Calls', description: 'd', filters: [{ key: 'a', values: ['b'] }] } }),
  ],
  ['post', '/api/v1/plans', () => ({ plan: plan() })],
  ['put', '/api/v1/plans/pro', () => ({ plan: { ...plan(), code: 'pro' } })],
  [
    'post',
    '/api/v1/customers',
    () => ({
      customer: {
        external_id: 'fuzz',
        name: 'F',
        currency: 'EUR',
        timezone: 'UTC',
        net_payment_term: 1,
        tax_codes: [],
        metadata: [{ key: 'a', value: 'b' }],
        shipping_address: { city: 'c' },
        country: 'FR',
        billing_configuration: {
          invoice_grace_period: 1,
          payment_provider: 'sandbox',
          provider_payment_methods: ['card'],
        },
      },
    }),
  ],
  [
    'post',
    '/api/v1/subscriptions',
    () => ({
      subscription: {
        external_customer_id: 'cust',
        plan_code: 'pro',
        external_id: 'fuzz',
        name: 'n',
        billing_time: 'anniversary',
        subscription_at: '2024-01-31T00:00:00Z',
        ending_at: '2030-01-01T00:00:00Z',
      },
    }),
  ],
  ['put', '/api/v1/subscriptions/fuzz', () => ({ subscription: { name: 'n', ending_at: '2031-01-01T00:00:00Z' } })],
  [
    'post',
    '/api/v1/taxes',
    () => ({ tax: { name: 'V', code: 'fuzz', rate: '20', applied_to_organization: true, description: 'd' } }),
  ],
  [
    'put',
    '/api/v1/organizations',
    () => ({
      organization: {
        timezone: 'UTC',
        net_payment_term: 1,
        document_number_prefix: 'ABC',
        country: 'FR',
        billing_configuration: { invoice_grace_period: 1, invoice_footer: 'f' },
      },
    }),
  ],
  ['post', '/api/v1/test_clocks', () => ({ test_clock: { name: 'c', frozen_time: '2024-01-01T00:00:00Z' } })],
];

it.each(bodies)(
  '%s %s',
  async (method, path, valid) => {
    await fc.assert(
      fc.asyncProperty(spoiled(valid), async (body) => {
        const answer = await tenant[method](path, body);
        expect([200, 400, 404, 405, 422]).toContain(answer.status);
        if (answer.status !== 200)
          expect(answer.body).toMatchObject({ status: answer.status, error: expect.any(String) });
        if (answer.status === 422) {
          const codes = Object.values(answer.body['error_details'] as Record<string, string[]>);
          expect(codes.flat().every((code) => /^[a-z_]+$/.test(code))).toBe(true);
        }
        // What was written can be read again.
        expect((await tenant.get('/api/v1/plans')).status).toBe(200);
      }),
      { numRuns: RUNS },
    );
  },
  120_000,
);

/** Half a surrogate pair cannot be written into an address at all. */
const wellFormed = (text: string) => text.replace(/\p{Surrogate}/gu, '');

const lists = [
  'billable_metrics',
  'plans',
  'customers',
  'subscriptions',
  'invoices',
  'fees',
  'taxes',
  'events',
  'customers/cust/invoices',
];
const filters = [
  'page',
  'per_page',
  'search_term',
  'status[]',
  'statuses',
  'currency',
  'amount_from',
  'issuing_date_from',
  'created_at_to',
  'metadata[a]',
  'metadata',
  'payment_overdue',
  'countries[]',
  'timestamp_from',
  'code',
  'status[a][b]',
];

it('queries', async () => {
  const text = fc.oneof(
    awkward.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))),
    fc.string(),
  );
  const query = fc.array(fc.tuple(fc.constantFrom(...filters), text), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...lists), query, async (list, pairs) => {
      const search = pairs.map(([key, value]) => `${key}=${encodeURIComponent(wellFormed(value))}`).join('&');
      const answer = await tenant.get(`/api/v1/${list}?${search}`);
      expect([200, 422]).toContain(answer.status);
    }),
    { numRuns: 200 },
  );
}, 120_000);

it('paths', async () => {
  const resources = [
    'billable_metrics',
    'plans',
    'customers',
    'subscriptions',
    'invoices',
    'fees',
    'taxes',
    'events',
    'test_clocks',
  ];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...resources), fc.string({ minLength: 1 }), async (resource, name) => {
      const answer = await tenant.get(`/api/v1/${resource}/${encodeURIComponent(wellFormed(name))}`);
      expect([200, 404]).toContain(answer.status);
    }),
    { numRuns: 200 },
  );
}, 120_000);

it('bodies that are no JSON at all', async () => {
  const headers = { authorization: `Bearer ${tenant.key}` };
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...bodies), fc.string(), async ([method, path], payload) => {
      const answer = await harness.request(method === 'post' ? 'POST' : 'PUT', path, { payload, headers });
      expect(answer.status).toBe(400);
    }),
    { numRuns: 100 },
  );
}, 120_000);
