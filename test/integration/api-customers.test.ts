import { aCatalog, anInvoice, ApiHarness, type Json, ok, type Tenant } from './api-harness.js';

let harness: ApiHarness;
let tenant: Tenant;

beforeAll(async () => {
  harness = await ApiHarness.start();
});
afterAll(() => harness.stop());
beforeEach(async () => {
  tenant = await harness.tenant({ document_number_prefix: 'acme', timezone: 'Europe/Paris' });
  harness.commands.calls.length = 0;
});

const upsert = (customer: Json) => tenant.post('/api/v1/customers', { customer: { external_id: 'cust', ...customer } });

describe('customers', () => {
  it('are created and changed by one request, which leaves alone what it does not name', async () => {
    const first = await ok(
      upsert({
        name: 'Acme',
        currency: 'EUR',
        country: 'fr',
        metadata: [{ key: 'a', value: '1', display_in_invoice: true }],
        billing_configuration: { payment_provider: 'stripe', provider_customer_id: 'cus_1', invoice_grace_period: 3 },
        shipping_address: { city: 'Paris' },
      }),
    );
    expect(first['customer']).toMatchObject({
      sequential_id: 1,
      slug: 'ACME-001',
      country: 'FR',
      applicable_timezone: 'Europe/Paris',
      timezone: null,
      metadata: [{ key: 'a', value: '1', display_in_invoice: true }],
      shipping_address: { city: 'Paris', country: null },
    });
    const second = await ok(
      upsert({ name: null, timezone: 'Asia/Tokyo', net_payment_term: 30, metadata: [{ key: 'a', value: '2' }] }),
    );
    expect(second['customer']).toEqual({
      ...first['customer'],
      name: null,
      timezone: 'Asia/Tokyo',
      applicable_timezone: 'Asia/Tokyo',
      net_payment_term: 30,
      metadata: [{ ...first['customer'].metadata[0], value: '2' }],
      updated_at: expect.any(String),
    });
  });

  it('are numbered without gaps or doubles when many come at once', async () => {
    const many = Array.from({ length: 8 }, (_, index) => ok(upsert({ external_id: `c${index}` })));
    const numbers = (await Promise.all(many)).map(({ customer }) => customer.sequential_id as number);
    expect(numbers.sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('of one external id are one, also when both requests come at once', async () => {
    const answers = await Promise.all([1, 2, 3, 4].map(() => upsert({ name: 'Acme' })));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const { meta } = await ok(tenant.get('/api/v1/customers'));
    expect(meta.total_count).toBe(1);
  });

  it.each<[Json, Json]>([
    [{ external_id: '' }, { external_id: ['value_is_mandatory'] }],
    [{ timezone: 'Mars/Base' }, { timezone: ['invalid_timezone'] }],
    [{ currency: 'XXX' }, { currency: ['value_is_invalid'] }],
    [{ country: 'France' }, { country: ['country_code_invalid'] }],
    [{ net_payment_term: -1 }, { net_payment_term: ['value_is_out_of_range'] }],
    [{ billing_configuration: { invoice_grace_period: 'x' } }, { invoice_grace_period: ['value_is_invalid'] }],
    [{ billing_configuration: { payment_provider: 'adyen' } }, { payment_provider: ['value_is_invalid'] }],
    [{ metadata: Array.from({ length: 6 }, () => ({ key: 'a', value: 'b' })) }, { metadata: ['value_is_too_long'] }],
    [{ metadata: 'a' }, { metadata: ['value_is_invalid'] }],
    [{ finalize_zero_amount_invoice: 'never' }, { finalize_zero_amount_invoice: ['value_is_invalid'] }],
    [{ integration_customers: [{}] }, { integration_customers: ['value_is_invalid'] }],
    [{ test_clock_id: 'x' }, { test_clock_id: ['value_is_invalid'] }],
  ])('refuse %j', async (fields, details) => {
    expect(await upsert(fields)).toMatchObject({ status: 422, body: { error_details: details } });
  });

  it('live on a test clock from birth, for ever', async () => {
    const clock = async (frozen_time: string) =>
      (await ok(tenant.post('/api/v1/test_clocks', { test_clock: { name: 'c', frozen_time } })))['test_clock']
        .lago_id as string;
    const id = await clock('2023-02-01T10:00:00Z');
    const { customer } = await ok(upsert({ test_clock_id: id }));
    expect(customer).toMatchObject({
      created_at: '2023-02-01T10:00:00Z',
      updated_at: '2023-02-01T10:00:00Z',
      test_clock_id: id,
    });
    const refused = { status: 422, body: { error_details: { test_clock_id: ['value_is_invalid'] } } };
    expect(await upsert({ test_clock_id: await clock('2024-01-01T00:00:00Z') })).toMatchObject(refused);
    expect((await upsert({ test_clock_id: id, name: 'Same' })).status).toBe(200);
    await ok(upsert({ external_id: 'wall' }));
    expect(await upsert({ external_id: 'wall', test_clock_id: id })).toMatchObject(refused);
  });

  it('keep the currency they were billed in', async () => {
    await aCatalog(tenant);
    expect((await upsert({ currency: 'USD' })).status).toBe(200);
    await ok(upsert({ currency: 'EUR' }));
    await ok(
      tenant.post('/api/v1/subscriptions', {
        subscription: { external_customer_id: 'cust', plan_code: 'pro', external_id: 's' },
      }),
    );
    expect(await upsert({ currency: 'USD' })).toMatchObject({
      status: 422,
      body: { error_details: { currency: ['currencies_does_not_match'] } },
    });
  });

  it('tell invoicing of another grace period, and of nothing else', async () => {
    const grace = (days: number | null) => upsert({ billing_configuration: { invoice_grace_period: days } });
    const { customer } = await ok(grace(3));
    await ok(grace(3));
    await ok(upsert({ name: 'x' }));
    expect(harness.commands.calls).toEqual([]);
    await ok(grace(1));
    await ok(grace(null));
    const call = ['graceChanged', tenant.organizationId, customer.lago_id];
    expect(harness.commands.calls).toEqual([call, call]);
  });

  it("follow the organization's grace period where they have none of their own", async () => {
    await aCatalog(tenant);
    const { invoiceId } = await anInvoice(harness, tenant.organizationId);
    await harness.database.system((em) => em.execute(`update invoices set status = 'draft' where id = ?`, [invoiceId]));
    const { customer } = await ok(tenant.get('/api/v1/customers/cust'));
    const change = { organization: { billing_configuration: { invoice_grace_period: 5 } } };
    await ok(tenant.put('/api/v1/organizations', change));
    await ok(tenant.put('/api/v1/organizations', change));
    expect(harness.commands.calls).toEqual([['graceChanged', tenant.organizationId, customer.lago_id]]);
  });

  it('end their subscriptions when they are deleted, keep their invoices, and free their external id', async () => {
    await aCatalog(tenant);
    await ok(
      tenant.post('/api/v1/subscriptions', {
        subscription: { external_customer_id: 'cust', plan_code: 'pro', external_id: 's' },
      }),
    );
    const { invoiceId } = await anInvoice(harness, tenant.organizationId);
    await ok(tenant.delete('/api/v1/customers/cust'));
    expect((await tenant.get('/api/v1/customers/cust')).status).toBe(404);
    expect((await tenant.get('/api/v1/subscriptions/s')).status).toBe(404);
    const { invoice } = await ok(tenant.get(`/api/v1/invoices/${invoiceId}`));
    expect(invoice.customer.external_id).toBe('cust');
    const { customer } = await ok(upsert({}));
    expect(customer.sequential_id).toBe(2);
  });
});

describe('organizations', () => {
  it('are made by the admin with their terms', async () => {
    const { organization } = await ok(tenant.get('/api/v1/organizations'));
    expect(organization).toMatchObject({
      document_number_prefix: 'ACME',
      timezone: 'Europe/Paris',
      default_currency: 'USD',
    });
  });

  it('take a number prefix of their name and id when none is given', async () => {
    const other = await harness.tenant({ name: 'Zoé & Co' });
    const { organization } = await ok(other.get('/api/v1/organizations'));
    expect(organization.document_number_prefix).toBe(`ZOÉ-${other.organizationId.slice(-4).toUpperCase()}`);
  });

  it('keep only the hash of a key', async () => {
    const rows = await harness.database.system((em) =>
      em.execute<{ row: string }[]>(`select k::text as row from api_keys k where organization_id = ?`, [
        tenant.organizationId,
      ]),
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]!.row).not.toContain(tenant.key.slice(4, 20));
    expect(tenant.key).toMatch(/^blw_[A-Za-z0-9_-]{43}$/);
  });

  it('show the taxes that hold everywhere, and change', async () => {
    await ok(
      tenant.post('/api/v1/taxes', { tax: { name: 'VAT', code: 'vat', rate: 20, applied_to_organization: true } }),
    );
    const change = { country: 'de', city: 'Berlin', net_payment_term: 14, document_numbering: 'per_customer' };
    const { organization } = await ok(tenant.put('/api/v1/organizations', { organization: change }));
    expect(organization).toMatchObject({
      country: 'DE',
      city: 'Berlin',
      net_payment_term: 14,
      taxes: [{ code: 'vat' }],
    });
    expect(
      await tenant.put('/api/v1/organizations', {
        organization: { document_numbering: 'per_organization', timezone: 'x' },
      }),
    ).toMatchObject({
      status: 422,
      body: { error_details: { document_numbering: ['value_is_invalid'], timezone: ['invalid_timezone'] } },
    });
  });

  it('are told that nobody will call or mail them, and may be sent back as they are', async () => {
    const { organization } = await ok(tenant.get('/api/v1/organizations'));
    const change = (fields: Json) => tenant.put('/api/v1/organizations', { organization: fields });
    for (const field of [{ webhook_url: 'https://example.com' }, { email_settings: ['invoice.finalized'] }]) {
      const answer = await change({ city: 'Paris', ...field });
      expect(answer).toMatchObject({ status: 422 });
      expect(answer.body['error_details']).toEqual({ [Object.keys(field)[0]!]: ['value_is_invalid'] });
    }
    expect(await ok(change(organization as Json))).toEqual({ organization });
    // Lago's update takes neither.
    expect(await ok(change({ name: 'Other', slug: 'other' }))).toEqual({ organization });
  });
});
