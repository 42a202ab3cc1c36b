import { aCatalog, anInvoice, ApiHarness, type IssuedInvoice, type Json, ok, type Tenant } from './api-harness.js';

let harness: ApiHarness;
let tenant: Tenant;

beforeAll(async () => {
  harness = await ApiHarness.start();
  tenant = await harness.tenant();
  await aCatalog(tenant);
});
afterAll(() => harness.stop());

describe('pages', () => {
  beforeAll(async () => {
    for (let number = 1; number <= 5; number += 1) {
      await ok(tenant.post('/api/v1/taxes', { tax: { name: `T${number}`, code: `t${number}`, rate: number } }));
    }
  });

  it.each([
    ['', 5, [1, null, null, 1, 5]],
    ['?per_page=2', 2, [1, 2, null, 3, 5]],
    ['?per_page=2&page=2', 2, [2, 3, 1, 3, 5]],
    ['?per_page=2&page=3', 1, [3, null, 2, 3, 5]],
    ['?per_page=2&page=4', 0, [4, null, null, 3, 5]],
    ['?per_page=0&page=-1', 5, [1, null, null, 1, 5]],
    ['?per_page=x&page=y', 5, [1, null, null, 1, 5]],
    ['?per_page=999999999&page=1', 5, [1, null, null, 1, 5]],
    ['?page=999999999999999', 0, [1_000_000_000, null, null, 1, 5]],
  ])('taxes%s', async (query, items, [current, next, prev, pages, count]) => {
    const list = await ok(tenant.get(`/api/v1/taxes${query}`));
    expect(list['taxes']).toHaveLength(items);
    expect(list['meta']).toEqual({
      current_page: current,
      next_page: next,
      prev_page: prev,
      total_pages: pages,
      total_count: count,
    });
  });

  it('show every row once', async () => {
    const codes: string[] = [];
    for (let page = 1; page <= 3; page += 1) {
      const list = await ok(tenant.get(`/api/v1/taxes?per_page=2&page=${page}`));
      codes.push(...(list['taxes'] as Json[]).map((tax) => tax['code'] as string));
    }
    expect(codes.sort()).toEqual(['t1', 't2', 't3', 't4', 't5']);
  });

  it('of nothing', async () => {
    expect(await ok(tenant.get('/api/v1/fees?page=3'))).toEqual({
      fees: [],
      meta: { current_page: 0, next_page: null, prev_page: null, total_pages: 0, total_count: 0 },
    });
  });
});

describe('invoices', () => {
  let oldest: IssuedInvoice;
  let older: IssuedInvoice;
  let newest: IssuedInvoice;

  beforeAll(async () => {
    const make = (fields: Parameters<typeof anInvoice>[2]) => anInvoice(harness, tenant.organizationId, fields);
    newest = await make({
      issuingDate: '2024-05-01',
      createdAt: '2024-04-28T00:00:00Z',
      totalCents: 5000,
      dueDate: '2999-01-01',
    });
    oldest = await make({ issuingDate: '2024-03-01', createdAt: '2024-03-01T00:00:00Z', totalCents: 1000 });
    older = await make({ issuingDate: '2024-03-01', createdAt: '2024-03-01T00:00:01Z', totalCents: 3000 });
  });

  const listed = async (query: string) => {
    const { invoices } = await ok(tenant.get(`/api/v1/invoices${query}`));
    return (invoices as Json[]).map(({ lago_id }) => lago_id as string);
  };

  it('come newest first, by issuing date and then by creation', async () => {
    expect(await listed('')).toEqual([newest, older, oldest].map(({ invoiceId }) => invoiceId));
    expect(await listed('?per_page=1&page=2')).toEqual([older.invoiceId]);
  });

  it('are found by every filter', async () => {
    const all = [newest, older, oldest].map(({ invoiceId }) => invoiceId);
    const found: [string, string[]][] = [
      ['?external_customer_id=cust', all],
      ['?external_customer_id=other', []],
      ['?amount_from=3000', all.slice(0, 2)],
      ['?amount_to=3000', all.slice(1)],
      ['?issuing_date_from=2024-04-01', all.slice(0, 1)],
      ['?issuing_date_to=2024-04-01', all.slice(1)],
      ['?statuses[]=finalized&statuses[]=draft', all],
      ['?statuses[]=voided', []],
      ['?payment_statuses[]=pending', all],
      ['?payment_statuses[]=succeeded', []],
      ['?payment_overdue=true', all.slice(1)],
      ['?payment_overdue=false', all.slice(0, 1)],
      ['?search_term=acme', all],
      ['?search_term=100%25', []],
      ['?currency=EUR', all],
      ['?currency=USD', []],
      ['?invoice_type=subscription', all],
      ['?invoice_type=one_off', []],
      ['?self_billed=true', []],
      ['?metadata[a]=b', []],
      ['?billing_entity_codes[]=default', all],
    ];
    for (const [query, ids] of found) expect([query, await listed(query)]).toEqual([query, ids]);
  });

  it('of one customer, with the filters in the singular', async () => {
    const { meta } = await ok(tenant.get('/api/v1/customers/cust/invoices?status=finalized&payment_status=pending'));
    expect(meta.total_count).toBe(3);
    const none = await ok(tenant.get('/api/v1/customers/cust/invoices?status=draft'));
    expect(none['meta'].total_count).toBe(0);
  });

  it('show their lines, their taxes and their money', async () => {
    const { invoice } = await ok(tenant.get(`/api/v1/invoices/${older.invoiceId}`));
    expect(invoice).toMatchObject({
      issuing_date: '2024-03-01',
      payment_overdue: true,
      total_amount_cents: 3000,
      total_due_amount_cents: 3000,
      customer: { external_id: 'cust' },
      applied_taxes: [{ tax_code: 'vat', tax_rate: 20, amount_cents: 200, fees_amount_cents: 1000 }],
    });
    expect(invoice.fees).toEqual([
      expect.objectContaining({
        lago_id: older.feeId,
        units: '20.0',
        precise_unit_amount: '0.5',
        precise_amount: '10.0',
        taxes_rate: 20,
        total_amount_cents: 1200,
        from_date: '2024-02-01T00:00:00+00:00',
        to_date: '2024-02-29T23:59:59+00:00',
      }),
    ]);
  });

  it('fees come in the order in which they were made', async () => {
    const { fees } = await ok(tenant.get('/api/v1/fees'));
    expect((fees as Json[]).map(({ lago_id }) => lago_id)).toEqual([oldest, older, newest].map(({ feeId }) => feeId));
    for (const [query, count] of [
      ['?created_at_from=2024-04-01', 1],
      ['?created_at_to=2024-03-01', 2],
      ['?created_at_to=2024-03-01T00:00:00Z', 1],
      ['?created_at_from=2024-03-01T01:00:00+01:00', 3],
      ['?fee_type=charge&billable_metric_code=calls&currency=EUR&payment_status=pending', 3],
      ['?fee_type=subscription', 0],
      ['?external_customer_id=cust', 3],
      ['?external_subscription_id=none', 0],
      ['?event_transaction_id=t', 0],
    ] as const) {
      const { meta } = await ok(tenant.get(`/api/v1/fees${query}`));
      expect([query, meta.total_count]).toEqual([query, count]);
    }
    expect((await ok(tenant.get(`/api/v1/fees/${oldest.feeId}`)))['fee'].lago_id).toBe(oldest.feeId);
  });
});

describe('customers and subscriptions', () => {
  beforeAll(async () => {
    const french = { external_id: 'fr_1', name: 'Zoé', country: 'fr', state: 'IDF', zipcode: '75001', currency: 'EUR' };
    await ok(
      tenant.post('/api/v1/customers', {
        customer: {
          ...french,
          tax_identification_number: 'FR1',
          customer_type: 'company',
          metadata: [{ key: 'tier', value: 'gold' }],
        },
      }),
    );
    for (const [external_id, external_customer_id] of [
      ['s1', 'cust'],
      ['s2', 'fr_1'],
    ]) {
      await ok(
        tenant.post('/api/v1/subscriptions', { subscription: { external_id, external_customer_id, plan_code: 'pro' } }),
      );
    }
    await ok(tenant.delete('/api/v1/subscriptions/s2'));
  });

  it.each([
    ['', ['cust', 'fr_1']],
    ['?search_term=zo', ['fr_1']],
    ['?search_term=_1', ['fr_1']],
    ['?search_term=%25', []],
    ['?countries[]=FR', ['fr_1']],
    ['?countries[]=fr&states[]=IDF&zipcodes[]=75001', ['fr_1']],
    ['?currencies[]=USD', []],
    ['?has_tax_identification_number=true', ['fr_1']],
    ['?has_tax_identification_number=false', ['cust']],
    ['?has_customer_type=false', ['cust']],
    ['?customer_type=company', ['fr_1']],
    ['?account_type[]=customer', ['cust', 'fr_1']],
    ['?account_type[]=partner', []],
    ['?metadata[tier]=gold', ['fr_1']],
    ['?metadata[tier]=silver', []],
  ])('customers%s', async (query, expected) => {
    const { customers } = await ok(tenant.get(`/api/v1/customers${query}`));
    expect((customers as Json[]).map(({ external_id }) => external_id as string).sort()).toEqual(expected);
  });

  it.each([
    ['/api/v1/subscriptions', ['s1']],
    ['/api/v1/subscriptions?status[]=terminated', ['s2']],
    ['/api/v1/subscriptions?status[]=terminated&status[]=active&plan_code=pro&currency=EUR', ['s1', 's2']],
    ['/api/v1/subscriptions?status=terminated&external_customer_id=cust', []],
    ['/api/v1/subscriptions?status[]=incomplete', []],
    ['/api/v1/subscriptions?status[]=incomplete&status[]=active', ['s1']],
    ['/api/v1/subscriptions?external_id=s1', ['s1']],
    ['/api/v1/subscriptions?overridden=true', []],
    ['/api/v1/customers/cust/subscriptions', ['s1']],
    ['/api/v1/customers/fr_1/subscriptions', []],
  ])('%s', async (path, expected) => {
    const { subscriptions } = await ok(tenant.get(path));
    expect((subscriptions as Json[]).map(({ external_id }) => external_id as string).sort()).toEqual(expected);
  });

  it('one subscription is the living one unless asked otherwise', async () => {
    expect((await tenant.get('/api/v1/subscriptions/s2')).status).toBe(404);
    expect((await tenant.get('/api/v1/subscriptions/s1?status=incomplete')).body).toMatchObject({
      code: 'subscription_not_found',
    });
    const { subscription } = await ok(tenant.get('/api/v1/subscriptions/s2?status=terminated'));
    expect(subscription).toMatchObject({ status: 'terminated', on_termination_invoice: 'generate' });
  });

  it('of two on one external id, an update names the waiting one in its query or its body', async () => {
    const plan = { name: 'Small', code: 'small', interval: 'monthly', amount_cents: 100, amount_currency: 'EUR' };
    await ok(tenant.post('/api/v1/plans', { plan }));
    const subscription = { external_customer_id: 'cust', external_id: 's1', plan_code: 'small' };
    await ok(tenant.post('/api/v1/subscriptions', { subscription }));
    const update = async (query: string, body: Json) =>
      (await ok(tenant.put(`/api/v1/subscriptions/s1${query}`, body)))['subscription'] as Json;
    const named = (name: string) => ({ subscription: { name } });

    expect(await update('', { status: 'pending', ...named('A') })).toMatchObject({ status: 'pending', name: 'A' });
    expect(await update('?status=pending', named('B'))).toMatchObject({ status: 'pending', name: 'B' });
    expect(await update('?status=pending', { status: 'active', ...named('C') })).toMatchObject({ status: 'active' });
    expect(await update('', { status: null, ...named('D') })).toMatchObject({ status: 'active', name: 'D' });
    const one = async (status: string) =>
      (await ok(tenant.get(`/api/v1/subscriptions/s1?status=${status}`)))['subscription'].name as string;
    expect([await one('active'), await one('pending')]).toEqual(['D', 'B']);
    const unknown = await tenant.put('/api/v1/subscriptions/s1', { status: 'asleep', ...named('E') });
    expect(unknown.body['error_details']).toEqual({ status: ['value_is_invalid'] });
  });
});
