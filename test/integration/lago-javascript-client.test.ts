import { type Api as LagoApi, Client, getLagoError } from 'lago-javascript-client';
import { setTimeout as sleep } from 'node:timers/promises';
import { Api } from '../builders/api.js';
import { type Product, startProduct } from '../system/product.js';
import { type TestServers, testServers } from '../system/servers.js';

/** Lago's official JavaScript client, as it is published, on the road that every user of the API takes first. */
let servers: TestServers;
let product: Product;
let client: LagoApi<unknown>;
/** Test clocks are ours alone: no client knows them. */
let clock: { readonly id: string; moveTo(at: string): Promise<void> };

/** The metric that the first test makes. */
let tokens: string;

beforeAll(async () => {
  servers = await testServers();
  product = await startProduct(servers);
  const admin = new Api(product.url, product.adminToken);
  const made = await admin.post<{ api_key: string }>('/admin/organizations', { organization: { name: 'Hooli' } });
  client = Client(made.api_key, { baseUrl: `${product.url}/api/v1` });
  clock = await aClock(new Api(product.url, made.api_key), '2024-03-01T00:00:00Z');
}, 120_000);

afterAll(async () => {
  await product?.stop();
  await servers?.stop();
});

test('the road from a metric to a paid-for month', async () => {
  const { tax } = (
    await client.taxes.createTax({ tax: { name: 'VAT', code: 'vat', rate: '20', applied_to_organization: true } })
  ).data;
  expect(tax).toMatchObject({ code: 'vat', rate: 20, applied_to_organization: true });

  const { billable_metric: metric } = (
    await client.billableMetrics.createBillableMetric({
      billable_metric: {
        name: 'Tokens',
        code: 'tokens',
        aggregation_type: 'sum_agg',
        field_name: 'value',
        filters: [{ key: 'model', values: ['small', 'large'] }],
      },
    })
  ).data;
  tokens = metric.lago_id;
  expect(metric).toMatchObject({ code: 'tokens', aggregation_type: 'sum_agg', recurring: false });

  const { plan } = (
    await client.plans.createPlan({
      plan: {
        name: 'Team',
        code: 'team',
        interval: 'monthly',
        amount_cents: 4900,
        amount_currency: 'EUR',
        pay_in_advance: false,
        charges: [
          {
            billable_metric_id: metric.lago_id,
            charge_model: 'standard',
            properties: { amount: '0.10' },
            filters: [{ values: { model: ['large'] }, properties: { amount: '0.50' }, invoice_display_name: 'Large' }],
          },
        ],
      },
    })
  ).data;
  expect(plan.charges).toHaveLength(1);
  expect(plan.charges?.[0]).toMatchObject({
    billable_metric_code: 'tokens',
    filters: [{ values: { model: ['large'] } }],
  });

  const customer = { external_id: 'acme', name: 'Acme', currency: 'EUR' as const, test_clock_id: clock.id };
  expect((await client.customers.createCustomer({ customer })).data.customer).toMatchObject({
    external_id: 'acme',
    currency: 'EUR',
  });

  const { subscription } = (
    await client.subscriptions.createSubscription({
      subscription: {
        external_customer_id: 'acme',
        external_id: 'acme-team',
        plan_code: 'team',
        billing_time: 'calendar',
        subscription_at: '2024-03-01T00:00:00Z',
      },
    })
  ).data;
  expect(subscription).toMatchObject({ external_id: 'acme-team', status: 'active', plan_code: 'team' });

  const event = (id: string, timestamp: string, properties: Record<string, string | number>) => ({
    transaction_id: id,
    external_subscription_id: 'acme-team',
    code: 'tokens',
    timestamp: Date.parse(timestamp) / 1000,
    properties,
  });
  const sent = await client.events.createEvent({ event: event('e-1', '2024-03-05T10:00:00Z', { value: 100 }) });
  expect(sent.data.event).toMatchObject({ transaction_id: 'e-1', code: 'tokens' });
  const batch = await client.events.createBatchEvents({
    events: [
      event('e-2', '2024-03-10T10:00:00Z', { value: '20.5', model: 'large' }),
      event('e-3', '2024-03-31T23:59:59Z', { value: 9.5, model: 'small' }),
    ],
  });
  expect(batch.data.events).toHaveLength(2);

  await clock.moveTo('2024-03-31T23:59:59Z');
  expect((await client.events.findEvent('e-2')).data.event).toMatchObject({ transaction_id: 'e-2' });
  const { customer_usage: usage } = (
    await client.customers.findCustomerCurrentUsage('acme', { external_subscription_id: 'acme-team' })
  ).data;
  // 109.5 × 0.10 + 20.5 × 0.50
  expect(usage).toMatchObject({ amount_cents: 2120, taxes_amount_cents: 424, total_amount_cents: 2544 });
  expect(usage.charges_usage).toMatchObject([
    { units: '130.0', amount_cents: 2120, filters: [{ units: '20.5', amount_cents: 1025 }, { units: '109.5' }] },
  ]);

  await clock.moveTo('2024-04-10T12:00:00Z');
  const listed = (await client.invoices.findAllInvoices({ external_customer_id: 'acme', 'statuses[]': ['finalized'] }))
    .data;
  expect(listed.meta).toMatchObject({ total_count: 1, current_page: 1 });
  const { invoice } = (await client.invoices.findInvoice(listed.invoices[0]!.lago_id)).data;
  expect(invoice).toMatchObject({
    status: 'finalized',
    number: expect.stringMatching(/^HOO-[0-9A-F]{4}-001-001$/),
    issuing_date: '2024-04-01',
    fees_amount_cents: 7020,
    taxes_amount_cents: 1404,
    total_amount_cents: 8424,
  });

  const past = (await client.customers.findAllCustomerPastUsage('acme', { external_subscription_id: 'acme-team' }))
    .data;
  expect(past.usage_periods).toMatchObject([{ charges_usage: [{ units: '130.0', amount_cents: 2120 }] }]);
  const preview = (
    await client.invoices.invoicePreview({
      customer: { external_id: 'acme' },
      plan_code: 'team',
      billing_time: 'anniversary',
    })
  ).data;
  expect(preview.invoice).toMatchObject({ fees_amount_cents: 4900, total_amount_cents: 5880 });

  const fees = (await client.fees.findAllFees({ external_subscription_id: 'acme-team', fee_type: 'charge' })).data;
  expect(fees.fees.map(({ units, amount_cents }) => [units, amount_cents])).toEqual(
    expect.arrayContaining([
      ['20.5', 1025],
      ['109.5', 1095],
    ]),
  );
  const [fee] = fees.fees;
  expect((await client.fees.findFee(fee!.lago_id as string)).data.fee).toMatchObject({
    lago_invoice_id: invoice.lago_id,
  });

  const ended = await client.subscriptions.destroySubscription('acme-team');
  expect(ended.data.subscription).toMatchObject({ status: 'terminated', external_id: 'acme-team' });
  await clock.moveTo('2024-04-10T12:00:00Z');
  const all = (await client.invoices.findAllInvoices({ external_customer_id: 'acme' })).data.invoices;
  // 10 of 30 days, with the day of the termination.
  expect(all.map(({ fees_amount_cents }) => fees_amount_cents).sort()).toEqual([1633, 7020]);
});

test('what is paid in advance and not used comes back as a credit', async () => {
  await client.plans.createPlan({
    plan: {
      name: 'Advance',
      code: 'advance',
      interval: 'monthly',
      amount_cents: 3000,
      amount_currency: 'EUR',
      pay_in_advance: true,
    },
  });
  const added = await client.plans.createPlanCharge('advance', {
    charge: { billable_metric_id: tokens, charge_model: 'standard', code: 'tokens', properties: { amount: '1' } },
  });
  expect(added.data.charge).toMatchObject({ code: 'tokens', charge_model: 'standard' });
  expect((await client.plans.findAllPlanCharges('advance')).data.charges).toHaveLength(1);

  const customer = { external_id: 'bolt', name: 'Bolt', currency: 'EUR' as const, test_clock_id: clock.id };
  await client.customers.createCustomer({ customer });
  await client.subscriptions.createSubscription({
    subscription: {
      external_customer_id: 'bolt',
      external_id: 'bolt',
      plan_code: 'advance',
      billing_time: 'anniversary',
    },
  });
  await clock.moveTo('2024-04-24T12:00:00Z');
  await client.subscriptions.destroySubscription('bolt', { on_termination_credit_note: 'credit' });
  await clock.moveTo('2024-04-24T12:00:00Z');

  const { credit_notes: notes } = (await client.creditNotes.findAllCreditNotes({ external_customer_id: 'bolt' })).data;
  // From 10 April to 9 May; 15 of 30 days were used, and 20 % tax was paid.
  expect(notes).toMatchObject([{ credit_amount_cents: 1800, credit_status: 'available', currency: 'EUR' }]);
  const { credit_note: note } = (await client.creditNotes.findCreditNote(notes[0]!.lago_id)).data;
  expect(note).toMatchObject({ taxes_amount_cents: 300, items: [{ amount_cents: 1500 }] });
});

test('errors are read by the client’s own means', async () => {
  const nobody = await client.customers.findCustomer('nobody').catch((problem: unknown) => problem);
  expect(await getLagoError(nobody)).toEqual({ status: 404, error: 'Not Found', code: 'customer_not_found' });

  const incomplete = await client.plans
    .createPlan({ plan: { name: 'x' } as never })
    .catch((problem: unknown) => problem);
  expect(await getLagoError(incomplete)).toMatchObject({
    status: 422,
    code: 'validation_errors',
    error_details: { code: ['value_is_mandatory'] },
  });

  const stranger = Client('no-such-key', { baseUrl: `${product.url}/api/v1` });
  const refused = await stranger.plans.findAllPlans().catch((problem: unknown) => problem);
  expect(await getLagoError(refused)).toEqual({ status: 401, error: 'Unauthorized' });
});

async function aClock(api: Api, at: string): Promise<typeof clock> {
  interface Clock {
    readonly test_clock: { readonly lago_id: string; readonly status: string };
  }
  const { test_clock: made } = await api.post<Clock>('/api/v1/test_clocks', {
    test_clock: { name: 'March', frozen_time: at },
  });
  const path = `/api/v1/test_clocks/${made.lago_id}`;
  return {
    id: made.lago_id,
    async moveTo(to) {
      await api.post(`${path}/advance`, { test_clock: { frozen_time: to } });
      while ((await api.get<Clock>(path)).test_clock.status === 'advancing') await sleep(25);
      expect((await api.get<Clock>(path)).test_clock.status).toBe('ready');
    },
  };
}
