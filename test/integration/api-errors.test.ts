import { type Answer, ApiHarness, type Tenant } from './api-harness.js';
import { methodNotAllowed, unavailable } from '../../src/platform/http/errors.js';
import { aCatalog, anInvoice } from './api-harness.js';

let harness: ApiHarness;
let tenant: Tenant;
let headers: Record<string, string>;

beforeAll(async () => {
  harness = await ApiHarness.start((fastify) => {
    fastify.get('/broken', () => {
      throw new TypeError('secret insides');
    });
    fastify.get('/database-away', () => {
      throw Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:5432'), { code: 'ECONNREFUSED' });
    });
  });
  tenant = await harness.tenant();
  headers = { authorization: `Bearer ${tenant.key}` };
});
afterAll(() => harness.stop());

const badTax = { tax: { name: 'VAT' } };

describe('400', () => {
  it.each([
    ['a body without the root key', '{"other":{}}'],
    ['an empty root', '{"tax":{}}'],
    ['a root that is no object', '{"tax":"vat"}'],
    ['a list', '[1]'],
    ['null', 'null'],
    ['no body', ''],
  ])('%s', async (_, payload) => {
    expect(await harness.request('POST', '/api/v1/taxes', { payload, headers })).toMatchObject({
      status: 400,
      body: { status: 400, error: 'BadRequest: param is missing or the value is empty or invalid: tax' },
    });
  });

  it.each(['{"tax":', '{bad', '{"a":1}}', '{"__proto__":{"a":1}}', '"'])('malformed JSON: %s', async (payload) => {
    expect(await harness.request('POST', '/api/v1/taxes', { payload, headers })).toMatchObject({
      status: 400,
      body: { status: 400, error: 'BadRequest: the body is not valid JSON' },
    });
  });

  it('an address that cannot be decoded', async () => {
    const answer = await harness.request('GET', '/api/v1/plans/%zz', { headers });
    expect(answer).toMatchObject({ status: 400, body: { status: 400, error: expect.stringMatching(/^BadRequest: /) } });
  });

  it('nesting without end', async () => {
    const payload = `{"customer":{"external_id":"a","metadata":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`;
    expect(await harness.request('POST', '/api/v1/customers', { payload, headers })).toMatchObject({
      status: 400,
      body: { error: 'BadRequest: the body is nested too deeply' },
    });
  });
});

describe('401', () => {
  const unauthorized = { status: 401, body: { status: 401, error: 'Unauthorized' } };

  it.each([
    ['no key', {}],
    ['a wrong key', { authorization: 'Bearer blw_wrong' }],
    ['another scheme', { authorization: 'Basic blw_wrong' }],
    ["the admin's token", { authorization: 'Bearer billow-dev-admin' }],
  ])('%s', async (_, wrong) => {
    expect(await harness.request('GET', '/api/v1/plans', { headers: wrong as Record<string, string> })).toMatchObject(
      unauthorized,
    );
  });

  it('an organization cannot make another', async () => {
    const answer = await harness.request('POST', '/admin/organizations', {
      payload: { organization: { name: 'More' } },
      headers,
    });
    expect(answer).toMatchObject(unauthorized);
  });

  it('comes before anything is said about the body', async () => {
    expect(await harness.request('POST', '/api/v1/taxes', { payload: badTax })).toMatchObject(unauthorized);
  });
});

describe('404', () => {
  it.each([
    ['/api/v1/billable_metrics/none', 'billable_metric_not_found'],
    ['/api/v1/plans/none', 'plan_not_found'],
    ['/api/v1/customers/none', 'customer_not_found'],
    ['/api/v1/customers/none/invoices', 'customer_not_found'],
    ['/api/v1/customers/none/subscriptions', 'customer_not_found'],
    ['/api/v1/subscriptions/none', 'subscription_not_found'],
    ['/api/v1/taxes/none', 'tax_not_found'],
    ['/api/v1/invoices/not-a-uuid', 'invoice_not_found'],
    ['/api/v1/invoices/8f14e45f-ceea-4e7a-9c1d-000000000000', 'invoice_not_found'],
    ['/api/v1/fees/not-a-uuid', 'fee_not_found'],
    ['/api/v1/test_clocks/1', 'test_clock_not_found'],
    ['/api/v1/plans/%00', 'resource_not_found'],
    ['/api/v1/nowhere', 'resource_not_found'],
    ['/', 'resource_not_found'],
  ])('%s is %s', async (path, code) => {
    expect(await tenant.get(path)).toEqual({
      status: 404,
      body: { status: 404, error: 'Not Found', code },
      headers: expect.anything(),
    });
  });

  it('a method that a path does not have', async () => {
    const answer = await harness.request('PATCH', '/api/v1/plans', { payload: {}, headers });
    expect(answer).toMatchObject({ status: 404, body: { code: 'resource_not_found' } });
  });

  it('finds codes with dots, blanks and slashes that are escaped', async () => {
    for (const code of ['v1.2', 'a b', 'a/b', 'ü', 'x'.repeat(255)]) {
      await tenant.post('/api/v1/taxes', { tax: { name: code, code, rate: 1 } });
      expect(await tenant.get(`/api/v1/taxes/${encodeURIComponent(code)}`)).toMatchObject({ body: { tax: { code } } });
    }
  });
});

describe('413 and 415', () => {
  it('a huge body', async () => {
    const payload = JSON.stringify({ tax: { name: 'x'.repeat(6 << 20) } });
    expect(await harness.request('POST', '/api/v1/taxes', { payload, headers })).toMatchObject({
      status: 413,
      body: { status: 413, error: 'Payload Too Large', code: 'payload_too_large' },
    });
  });

  it('a body that is no JSON by its own word', async () => {
    for (const type of ['text/plain', 'application/xml', 'application/x-www-form-urlencoded']) {
      const answer = await harness.request('POST', '/api/v1/taxes', {
        payload: 'tax=1',
        headers: { ...headers, 'content-type': type },
      });
      expect(answer).toMatchObject({
        status: 415,
        body: { status: 415, error: 'Unsupported Media Type', code: 'invalid_content_type' },
      });
    }
  });
});

describe('422', () => {
  const refused = (answer: Answer) => {
    expect(answer).toMatchObject({
      status: 422,
      body: { status: 422, error: 'Unprocessable Entity', code: 'validation_errors' },
    });
    return answer.body['error_details'] as unknown;
  };

  it.each([
    [{}, { code: ['value_is_mandatory'], rate: ['value_is_mandatory'] }],
    [
      { code: null, rate: null },
      { code: ['value_is_mandatory'], rate: ['value_is_mandatory'] },
    ],
    [
      { code: '', rate: '' },
      { code: ['value_is_mandatory'], rate: ['value_is_invalid'] },
    ],
    [
      { code: 7, rate: {} },
      { code: ['value_is_invalid'], rate: ['value_is_invalid'] },
    ],
    [
      { code: 'x'.repeat(256), rate: -1 },
      { code: ['value_is_too_long'], rate: ['value_is_out_of_range'] },
    ],
    [{ code: 'a\u0000b', rate: 1 }, { code: ['value_is_invalid'] }],
    [{ code: 'a\ud800b', rate: 1 }, { code: ['value_is_invalid'] }],
    [{ code: 'a', rate: '1e3' }, { rate: ['value_is_invalid'] }],
    [{ code: 'a', rate: '1', applied_to_organization: 'yes' }, { applied_to_organization: ['value_is_invalid'] }],
  ])('%j', async (fields, details) => {
    expect(refused(await tenant.post('/api/v1/taxes', { tax: { name: 'VAT', ...fields } }))).toEqual(details);
  });

  it('a code that is taken, also when both come at once', async () => {
    const tax = { name: 'VAT', code: 'twice', rate: 20 };
    const answers = await Promise.all([1, 2, 3].map(() => tenant.post('/api/v1/taxes', { tax })));
    const failed = answers.filter(({ status }) => status !== 200);
    expect(failed).toHaveLength(2);
    for (const answer of failed) expect(refused(answer)).toEqual({ code: ['value_already_exist'] });
  });

  it('unknown keys are no matter', async () => {
    const answer = await tenant.post('/api/v1/taxes', {
      tax: { name: 'V', code: 'odd', rate: 1, color: 'red' },
      more: 1,
    });
    expect(answer.status).toBe(200);
  });

  it.each([
    ['/api/v1/invoices?issuing_date_from=2024-02-30', { issuing_date_from: ['invalid_date'] }],
    ['/api/v1/invoices?statuses[]=odd', { statuses: ['value_is_invalid'] }],
    ['/api/v1/invoices?currency=EURO', { currency: ['value_is_invalid'] }],
    ['/api/v1/fees?created_at_from=yesterday', { created_at_from: ['invalid_date'] }],
    ['/api/v1/customers?search_term=%00', { search_term: ['value_is_invalid'] }],
    ['/api/v1/subscriptions?status[]=dead', { status: ['value_is_invalid'] }],
  ])('%s', async (path, details) => {
    expect(refused(await tenant.get(path))).toEqual(details);
  });

  it('options of a termination', async () => {
    const answer = await tenant.delete(
      '/api/v1/subscriptions/none?on_termination_invoice=x&on_termination_credit_note=y',
    );
    expect(refused(answer)).toEqual({
      on_termination_invoice: ['invalid_value'],
      on_termination_credit_note: ['invalid_value'],
    });
  });
});

describe('405, 500 and 503', () => {
  it('passes on what a command refuses, and that its server is away', async () => {
    await aCatalog(tenant);
    const { invoiceId } = await anInvoice(harness, tenant.organizationId);
    harness.commands.failure = methodNotAllowed('not_voidable');
    expect(await tenant.post(`/api/v1/invoices/${invoiceId}/void`, undefined)).toMatchObject({
      status: 405,
      body: { status: 405, error: 'Method Not Allowed', code: 'not_voidable' },
    });
    harness.commands.failure = unavailable('Temporal cannot be reached', 3);
    expect(await tenant.put(`/api/v1/invoices/${invoiceId}/refresh`, '')).toMatchObject({
      status: 503,
      headers: { 'retry-after': '3' },
      body: { status: 503, error: 'Service Unavailable: Temporal cannot be reached', code: 'service_unavailable' },
    });
    harness.commands.failure = null;
  });

  it('a defect says nothing of its insides', async () => {
    expect(await harness.request('GET', '/broken')).toMatchObject({
      status: 500,
      body: { status: 500, error: 'Internal Server Error', code: 'internal_error' },
    });
  });

  it('a lost connection is an outage', async () => {
    const answer = await harness.request('GET', '/database-away');
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    expect(JSON.stringify(answer.body)).not.toContain('10.0.0.7');
  });
});
