import { randomUUID } from 'node:crypto';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { pino } from 'pino';
import { createApi, type RawRoutes } from '../../src/api.main.js';
import { entities } from '../../src/entities.js';
import { CurrentUsageService } from '../../src/invoicing/current-usage.service.js';
import { InvoiceCommands } from '../../src/invoicing/ports.js';
import { Waker } from '../../src/due-moments/due-moments.js';
import { EventExpressions } from '../../src/ingestion/index.js';
import { MetricDefinitions, UsageReader } from '../../src/metering/index.js';
import { ApiKeys } from '../../src/organizations/index.js';
import { loadConfig } from '../../src/platform/config.js';
import { Database } from '../../src/platform/database/database.js';
import { SubscriptionTerms } from '../../src/catalog/subscription-terms.js';
import { FixedChargeUnitsOfSubscriptions } from '../../src/subscriptions/fixed-charge-units.js';
import { SubscriptionCommands } from '../../src/subscriptions/subscription-commands.js';
import { ClockStarter, TestClocks } from '../../src/test-clocks/test-clocks.service.js';
import { testDatabase } from '../system/servers.js';

export type Json = Record<string, unknown> & { [key: string]: any }; // eslint-disable-line @typescript-eslint/no-explicit-any

export interface Answer {
  readonly status: number;
  readonly body: Json;
  readonly headers: Record<string, unknown>;
}

/** One organization's side of the API. */
export interface Tenant {
  readonly organizationId: string;
  readonly key: string;
  get(path: string): Promise<Answer>;
  delete(path: string, body?: unknown): Promise<Answer>;
  post(path: string, body: unknown): Promise<Answer>;
  put(path: string, body: unknown): Promise<Answer>;
  patch(path: string, body: unknown): Promise<Answer>;
}

/** What the invoice commands were asked; the workflows behind them are not part of these tests. */
export class RecordedInvoiceCommands extends InvoiceCommands {
  readonly calls: [command: string, organizationId: string, id: string][] = [];
  failure: Error | null = null;

  refresh = (organizationId: string, id: string) => this.record('refresh', organizationId, id);
  finalize = (organizationId: string, id: string) => this.record('finalize', organizationId, id);
  void = (organizationId: string, id: string) => this.record('void', organizationId, id);
  retryPayment = (organizationId: string, id: string) => this.record('retryPayment', organizationId, id);
  setPaymentStatus = (organizationId: string, id: string) => this.record('setPaymentStatus', organizationId, id);
  graceChanged = (organizationId: string, id: string) => this.record('graceChanged', organizationId, id);
  refreshDraftsOfPlan = (organizationId: string, id: string) => this.record('refreshDraftsOfPlan', organizationId, id);
  refreshDraftsTaxed = (organizationId: string, id: string | null) =>
    this.record('refreshDraftsTaxed', organizationId, id ?? 'all');
  finalizeDraftsOfPlan = (organizationId: string, id: string) =>
    this.record('finalizeDraftsOfPlan', organizationId, id);

  private record(command: string, organizationId: string, id: string): Promise<void> {
    this.calls.push([command, organizationId, id]);
    return this.failure ? Promise.reject(this.failure) : Promise.resolve();
  }
}

class SilentWaker extends Waker {
  wake = () => Promise.resolve();
}

class SilentClockStarter extends ClockStarter {
  start = () => Promise.resolve();
}

/** The API on a real database of its own. What would reach Temporal is recorded or silent. */
export class ApiHarness {
  private constructor(
    readonly app: NestFastifyApplication,
    readonly database: Database,
    readonly commands: RecordedInvoiceCommands,
    private readonly drop: () => Promise<void>,
  ) {}

  static async start(rawRoutes?: RawRoutes): Promise<ApiHarness> {
    const { url, drop } = await testDatabase();
    const database = await Database.connect(url, entities);
    const config = loadConfig({ DATABASE_URL: url, NATS_URL: 'nats://unused', TEMPORAL_ADDRESS: 'unused' });
    const commands = new RecordedInvoiceCommands();
    const [definitions, waker] = [new MetricDefinitions(), new SilentWaker()];
    const app = await createApi(
      {
        config,
        logger: pino({ level: 'silent' }),
        database,
        apiKeys: new ApiKeys(database),
        probes: [],
        metricDefinitions: definitions,
        subscriptions: new SubscriptionCommands(database, waker, new SubscriptionTerms(definitions)),
        fixedChargeUnits: new FixedChargeUnitsOfSubscriptions(waker),
        expressions: new EventExpressions(database),
        invoiceCommands: commands,
        currentUsage: new CurrentUsageService(database, new UsageReader()),
        testClocks: new TestClocks(database, new SilentClockStarter()),
      },
      rawRoutes,
    );
    return new ApiHarness(app, database, commands, drop);
  }

  async stop(): Promise<void> {
    await this.app.close();
    await this.database.close();
    await this.drop();
  }

  /** `payload` as text is sent as it is. */
  async request(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH',
    url: string,
    options: { payload?: unknown; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const { payload } = options;
    const response = await this.app.inject({
      method,
      url,
      headers: { ...(payload !== undefined && { 'content-type': 'application/json' }), ...options.headers },
      ...(payload !== undefined && { payload: typeof payload === 'string' ? payload : JSON.stringify(payload) }),
    });
    const body = response.body === '' ? {} : (JSON.parse(response.body) as Json);
    return { status: response.statusCode, body, headers: response.headers };
  }

  async tenant(organization: Json = {}): Promise<Tenant> {
    const created = await this.request('POST', '/admin/organizations', {
      payload: { organization: { name: `Tenant ${randomUUID().slice(0, 8)}`, ...organization } },
      headers: { authorization: 'Bearer billow-dev-admin' },
    });
    if (created.status !== 200) throw new Error(`No organization: ${JSON.stringify(created.body)}`);
    const key = created.body['api_key'] as string;
    const headers = { authorization: `Bearer ${key}` };
    return {
      organizationId: created.body['organization'].lago_id as string,
      key,
      get: (path) => this.request('GET', path, { headers }),
      delete: (path, payload) => this.request('DELETE', path, { payload, headers }),
      post: (path, payload) => this.request('POST', path, { payload, headers }),
      patch: (path, payload) => this.request('PATCH', path, { payload, headers }),
      put: (path, payload) => this.request('PUT', path, { payload, headers }),
    };
  }
}

/** The answer of a request that has to succeed. */
export async function ok(answer: Promise<Answer>): Promise<Json> {
  const { status, body } = await answer;
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body;
}

/** A metric, a plan with one standard charge on it, and a customer, all with valid defaults. */
export async function aCatalog(tenant: Tenant): Promise<{ metricId: string; chargeId: string }> {
  const { billable_metric: metric } = await ok(
    tenant.post('/api/v1/billable_metrics', {
      billable_metric: { name: 'Calls', code: 'calls', aggregation_type: 'count_agg' },
    }),
  );
  const { plan } = await ok(
    tenant.post('/api/v1/plans', {
      plan: {
        name: 'Pro',
        code: 'pro',
        interval: 'monthly',
        amount_cents: 4900,
        amount_currency: 'EUR',
        charges: [{ billable_metric_id: metric.lago_id, charge_model: 'standard', properties: { amount: '0.5' } }],
      },
    }),
  );
  await ok(tenant.post('/api/v1/customers', { customer: { external_id: 'cust', name: 'Acme', currency: 'EUR' } }));
  return { metricId: metric.lago_id as string, chargeId: plan.charges[0].lago_id as string };
}

export interface IssuedInvoice {
  readonly invoiceId: string;
  readonly feeId: string;
}

/** An invoice with one fee, written straight into the tables: what the workflows would have left there. */
export async function anInvoice(
  harness: ApiHarness,
  organizationId: string,
  fields: { customer?: string; issuingDate?: string; createdAt?: string; dueDate?: string; totalCents?: number } = {},
): Promise<IssuedInvoice> {
  const invoiceId = randomUUID();
  const feeId = randomUUID();
  const issuingDate = fields.issuingDate ?? '2024-03-01';
  const createdAt = fields.createdAt ?? `${issuingDate}T00:00:00Z`;
  const total = fields.totalCents ?? 1200;
  const tax = { lagoId: randomUUID(), taxId: randomUUID(), code: 'vat', name: 'VAT', description: null, rate: '20' };
  const applied = JSON.stringify([{ ...tax, amountCents: 200, feesAmountCents: 1000 }]);
  await harness.database.system(async (em) => {
    const [customer] = await em.execute<{ id: string }[]>(
      `select id from customers where organization_id = ? and external_id = ?`,
      [organizationId, fields.customer ?? 'cust'],
    );
    await em.execute(
      `insert into invoices (id, organization_id, customer_id, number, invoice_type, status, payment_status, currency,
                             billing_at, billing_group, issuing_date, payment_due_date, finalize_at, fees_amount_cents,
                             taxes_amount_cents, sub_total_excluding_taxes_amount_cents,
                             sub_total_including_taxes_amount_cents, total_amount_cents, applied_taxes,
                             created_at, updated_at)
       values (?, ?, ?, 'ACM-001-001', 'subscription', 'finalized', 'pending', 'EUR', ?, ?, ?, ?, ?, 1000, 200, 1000,
               ?, ?, ?, ?, ?)`,
      [
        ...[invoiceId, organizationId, customer!.id, createdAt, `test ${invoiceId}`, issuingDate],
        ...[fields.dueDate ?? issuingDate, createdAt, total, total, applied, createdAt, createdAt],
      ],
    );
    await em.execute(
      `insert into fees (id, organization_id, invoice_id, customer_id, fee_type, position, item, amount_cents,
                         amount_currency, precise_amount, precise_unit_amount, units, taxes_amount_cents,
                         taxes_precise_amount, taxes_rate, applied_taxes, from_at, to_at, cutoff_sequence, price, created_at)
       values (?, ?, ?, ?, 'charge', 0, ?, 1000, 'EUR', 10, 0.5, 20, 200, 2, 20, ?, '2024-02-01', '2024-03-01', 0, '{}', ?)`,
      [
        feeId,
        organizationId,
        invoiceId,
        customer!.id,
        JSON.stringify({ type: 'charge', code: 'calls' }),
        applied,
        createdAt,
      ],
    );
  });
  return { invoiceId, feeId };
}
