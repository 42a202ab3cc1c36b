import { readFileSync, writeFileSync } from 'node:fs';
import { Client } from 'lago-javascript-client';
import { z } from 'zod';
import { billableMetricAnswer } from '../../src/catalog/billable-metric.mapping.js';
import { planAnswer } from '../../src/catalog/plan.mapping.js';
import { customerAnswer } from '../../src/customers/customer.mapping.js';
import { feeAnswer } from '../../src/invoicing/fee.mapping.js';
import { invoiceAnswer, listedInvoiceAnswer } from '../../src/invoicing/invoice.mapping.js';
import { organizationAnswer } from '../../src/organizations/organization.mapping.js';
import { taxAnswer } from '../../src/organizations/tax.mapping.js';
import { subscriptionAnswer } from '../../src/subscriptions/subscription.mapping.js';
import { aCatalog, anInvoice, ApiHarness, type Json, ok, type Tenant } from './api-harness.js';
import { compatibilityLists, operationsOfClient, operationsOfDocument } from './lago-operations.js';

let harness: ApiHarness;
let tenant: Tenant;

beforeAll(async () => {
  harness = await ApiHarness.start();
  tenant = await harness.tenant();
  await aCatalog(tenant);
  await ok(
    tenant.post('/api/v1/taxes', { tax: { name: 'VAT', code: 'vat', rate: '9.3', applied_to_organization: true } }),
  );
  await ok(
    tenant.post('/api/v1/subscriptions', {
      subscription: { external_customer_id: 'cust', plan_code: 'pro', external_id: 'sub' },
    }),
  );
  await anInvoice(harness, tenant.organizationId);
});
afterAll(() => harness.stop());

describe('every answer is what its document says, with every field present', () => {
  it.each<[string, string, z.ZodType]>([
    ['/api/v1/organizations', 'organization', organizationAnswer],
    ['/api/v1/taxes', 'taxes', z.array(taxAnswer)],
    ['/api/v1/billable_metrics', 'billable_metrics', z.array(billableMetricAnswer)],
    ['/api/v1/plans', 'plans', z.array(planAnswer)],
    ['/api/v1/customers/cust', 'customer', customerAnswer],
    ['/api/v1/subscriptions/sub', 'subscription', subscriptionAnswer],
    ['/api/v1/invoices', 'invoices', z.array(listedInvoiceAnswer)],
    ['/api/v1/fees', 'fees', z.array(feeAnswer)],
  ])('%s', async (path, root, schema) => {
    const answer = (await ok(tenant.get(path)))[root] as unknown;
    // Parsing drops what the schema does not know, so an undocumented field shows as a difference.
    expect(schema.parse(answer)).toEqual(answer);
    if (Array.isArray(answer)) expect(answer).toHaveLength(1);
  });

  it('one invoice', async () => {
    const { invoices } = await ok(tenant.get('/api/v1/invoices'));
    const { invoice } = await ok(tenant.get(`/api/v1/invoices/${invoices[0].lago_id}`));
    expect(invoiceAnswer.parse(invoice)).toEqual(invoice);
  });
});

describe('/openapi.json', () => {
  let document: Json;

  beforeAll(async () => {
    document = (await harness.request('GET', '/openapi.json')).body;
  });

  it('is OpenAPI 3.1 and has every route, those beside Nest too', () => {
    expect(document['openapi']).toBe('3.1.0');
    const operations = Object.entries(document['paths'] as Json).flatMap(([path, item]) =>
      Object.keys(item as Json).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(operations).toEqual(
      expect.arrayContaining([
        'POST /admin/organizations',
        'POST /api/v1/events',
        'POST /api/v1/events/batch',
        'GET /api/v1/events/{transaction_id}',
        'POST /api/v1/plans',
        'PUT /api/v1/plans/{code}',
        'DELETE /api/v1/customers/{external_id}',
        'GET /api/v1/customers/{external_customer_id}/invoices',
        'PUT /api/v1/invoices/{lago_id}/finalize',
        'GET /health/ready',
      ]),
    );
  });

  it('refers to nothing that is not there', () => {
    const names = Object.keys(document['components'].schemas as Json);
    const referred = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, target]) => target);
    expect(referred.length).toBeGreaterThan(50);
    for (const target of new Set(referred))
      expect(names.map((name) => `#/components/schemas/${name}`)).toContain(target);
  });

  it('tells what goes in and what comes out', () => {
    const create = document['paths']['/api/v1/plans'].post;
    const body = create.requestBody.content['application/json'].schema;
    expect(body.properties.plan).toEqual({ $ref: '#/components/schemas/PlanCreateInput' });
    expect(document['components'].schemas.PlanCreateInput.required).toEqual(
      expect.arrayContaining(['name', 'code', 'interval', 'amount_cents', 'amount_currency']),
    );
    expect(create.responses['200'].content['application/json'].schema.properties.plan).toEqual({
      $ref: '#/components/schemas/Plan',
    });
    expect(create.responses['422'].content['application/json'].schema).toEqual({
      $ref: '#/components/schemas/Problem',
    });
    const list = document['paths']['/api/v1/invoices'].get;
    const parameters = (list.parameters as Json[]).map(({ name }) => name as string);
    expect(parameters).toEqual(expect.arrayContaining(['page', 'per_page', 'statuses[]', 'issuing_date_from']));
  });

  it('can be browsed', async () => {
    const page = await harness.app.inject({ method: 'GET', url: '/docs' });
    expect(page.statusCode).toBe(200);
    expect(page.body).toContain('swagger-ui');
    const script = await harness.app.inject({ method: 'GET', url: '/docs/swagger-ui-bundle.js' });
    expect(script.statusCode).toBe(200);
  });
});

describe('docs/lago-compatibility.md', () => {
  const file = 'docs/lago-compatibility.md';
  const mark = '<!-- From here on written by a test: UPDATE_DOCS=1 npm test -- test/integration/api-documents -->';

  it('tells which operations of Lago’s API there are, and which are ours alone', async () => {
    const document = (await harness.request('GET', '/openapi.json')).body as { paths: Record<string, object> };
    const lago = operationsOfClient(Client('unused'));
    expect(lago.length).toBeGreaterThan(200);
    const lists = compatibilityLists(lago, operationsOfDocument(document));
    const [byHand] = readFileSync(file, 'utf8').split(mark);
    const whole = `${byHand}${mark}\n\n${lists}\n`;
    if (process.env.UPDATE_DOCS) writeFileSync(file, whole);
    expect(readFileSync(file, 'utf8')).toBe(whole);
  });
});
