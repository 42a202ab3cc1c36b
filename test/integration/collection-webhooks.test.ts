import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import Fastify, { type FastifyInstance } from 'fastify';
import Stripe from 'stripe';
import {
  type InvoiceWaker,
  PaymentsService,
  registerStripeWebhook,
  StripeGateway,
  StripeWebhooks,
} from '../../src/collection/index.js';
import { entities } from '../../src/entities.js';
import { Database } from '../../src/platform/database/database.js';
import { createLogger } from '../../src/platform/logging/logger.js';
import { type FakeIntent, StripeFake } from '../fakes/stripe/stripe-fake.js';
import { testDatabase } from '../system/servers.js';
import { booksOf, issuedInvoice, type IssuedInvoice, type IssuedInvoiceOptions } from './collection-records.js';

const MARCH_1 = new Date('2024-03-01T00:00:00Z');
const SECRET = 'whsec_test';
const logger = createLogger('test', 'silent');

let server: Awaited<ReturnType<typeof testDatabase>>;
let database: Database;
let stripe: StripeFake;
let secretKey: string;
let woken: string[];
let wakerFails: boolean;
let payments: PaymentsService;
let webhooks: StripeWebhooks;
let app: FastifyInstance;

beforeAll(async () => {
  server = await testDatabase();
  database = await Database.connect(server.url, entities);
});

afterAll(async () => {
  await database.close();
  await server.drop();
});

beforeEach(async () => {
  stripe = await StripeFake.start();
  secretKey = `sk_test_${randomBytes(6).toString('hex')}`;
  stripe.addCustomer(secretKey, 'cus_1');
  woken = [];
  wakerFails = false;
  const waker: InvoiceWaker = {
    async paymentUpdated(_organizationId, invoiceId) {
      if (wakerFails) throw new Error('the workflow engine is away');
      woken.push(invoiceId);
    },
  };
  const gateway = new StripeGateway({ apiBase: stripe.url, secretKeyOf: async () => secretKey, maxNetworkRetries: 0 });
  payments = new PaymentsService(database, new Map([['stripe', gateway]]), { days: [3, 5, 7] });
  webhooks = new StripeWebhooks(database, payments, waker, logger);
  app = Fastify();
  registerStripeWebhook(app, { webhooks, logger });
  // As in the api: other routes parse JSON, this one must not.
  app.post('/echo', async (request) => request.body);
  await app.ready();
});

afterEach(async () => {
  await app.close();
  await stripe.stop();
  await database.system((em) => em.execute(`delete from gateway_webhooks`));
});

function stripeInvoice(options: IssuedInvoiceOptions = {}): Promise<IssuedInvoice> {
  return issuedInvoice(database, {
    provider: 'stripe',
    providerCustomerId: 'cus_1',
    stripeWebhookSecret: SECRET,
    method: 'pm_usBankAccount_processing',
    ...options,
  });
}

async function processing(options: IssuedInvoiceOptions = {}): Promise<{ invoice: IssuedInvoice; intent: FakeIntent }> {
  const invoice = await stripeInvoice(options);
  const result = await payments.attempt(invoice.organizationId, invoice.invoiceId, { attempt: 1, now: MARCH_1 });
  expect(result.kind).toBe('processing');
  return { invoice, intent: stripe.intents(secretKey)[0]! };
}

async function post(organizationId: string, { body, headers }: { body: string; headers: Record<string, string> }) {
  return app.inject({ method: 'POST', url: `/webhooks/stripe/${organizationId}`, payload: body, headers });
}

/** The route answers before it processes; closing the server waits for what is still running. */
async function settled(): Promise<void> {
  await app.close();
}

async function stored(organizationId: string) {
  return database.system((em) =>
    em.execute<{ event_id: string; processed: boolean; attempts: number; last_error: string | null }[]>(
      `select event_id, processed_at is not null as processed, attempts, last_error
         from gateway_webhooks where organization_id = ? order by received_at`,
      [organizationId],
    ),
  );
}

describe('A notification', () => {
  it('is stored, answered, and moves the payment, its invoice and its fees', async () => {
    const { invoice, intent } = await processing();
    stripe.complete(secretKey, intent.id);

    const event = stripe.event('payment_intent.succeeded', intent, 'evt_1');
    const answer = await post(invoice.organizationId, stripe.signed(event, SECRET));
    expect([answer.statusCode, answer.json()]).toEqual([200, { received: true }]);
    await settled();

    expect(await booksOf(database, invoice)).toMatchObject({
      payment_status: 'succeeded',
      total_paid_amount_cents: 12_900,
      fees: [{ payment_status: 'succeeded' }],
      payments: [{ status: 'succeeded' }],
    });
    expect(woken).toEqual([invoice.invoiceId]);
    expect(await stored(invoice.organizationId)).toEqual([
      { event_id: 'evt_1', processed: true, attempts: 0, last_error: null },
    ]);
    expect(
      await payments.attempt(invoice.organizationId, invoice.invoiceId, { attempt: 1, now: MARCH_1 }),
    ).toMatchObject({
      kind: 'paid',
    });
  });

  it('sent over a real socket by the fake is verified on its raw bytes, beside routes that parse JSON', async () => {
    const { invoice, intent } = await processing();
    stripe.complete(secretKey, intent.id);
    const address = await app.listen({ port: 0, host: '127.0.0.1' });
    const event = stripe.event('payment_intent.succeeded', intent);
    const answer = await stripe.sendWebhook(`${address}/webhooks/stripe/${invoice.organizationId}`, event, SECRET);
    expect(answer.status).toBe(200);
    const echo = await app.inject({ method: 'POST', url: '/echo', payload: { parsed: true } });
    expect(echo.json()).toEqual({ parsed: true });
    await settled();
    expect(woken).toEqual([invoice.invoiceId]);
  });

  it('that comes twice is stored and processed once', async () => {
    const { invoice, intent } = await processing();
    stripe.complete(secretKey, intent.id);
    const signed = stripe.signed(stripe.event('payment_intent.succeeded', intent, 'evt_1'), SECRET);

    const answers = await Promise.all([post(invoice.organizationId, signed), post(invoice.organizationId, signed)]);
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200]);
    await settled();

    expect(await stored(invoice.organizationId)).toHaveLength(1);
    expect(woken).toEqual([invoice.invoiceId]);
    expect((await booksOf(database, invoice)).total_paid_amount_cents).toBe(12_900);
  });

  it('of a failure that arrives after the success changes nothing', async () => {
    const { invoice, intent } = await processing();
    const failed = stripe.event('payment_intent.payment_failed', { ...intent, status: 'requires_payment_method' });
    stripe.complete(secretKey, intent.id);
    const succeeded = stripe.event('payment_intent.succeeded', intent);

    await post(invoice.organizationId, stripe.signed(succeeded, SECRET));
    await post(invoice.organizationId, stripe.signed(failed, SECRET));
    await settled();

    expect(await booksOf(database, invoice)).toMatchObject({
      payment_status: 'succeeded',
      payments: [{ status: 'succeeded' }],
    });
  });

  it('does not undo what is paid even when Stripe itself says so later', async () => {
    const { invoice, intent } = await processing();
    stripe.complete(secretKey, intent.id);
    await payments.attempt(invoice.organizationId, invoice.invoiceId, { attempt: 1, now: MARCH_1 });
    intent.status = 'canceled';

    await post(invoice.organizationId, stripe.signed(stripe.event('payment_intent.canceled', intent), SECRET));
    await settled();

    expect(await booksOf(database, invoice)).toMatchObject({
      payment_status: 'succeeded',
      total_paid_amount_cents: 12_900,
    });
  });

  it('is a hint: what counts is what Stripe has when it is asked', async () => {
    const { invoice, intent } = await processing();
    const claimed = stripe.event('payment_intent.succeeded', { ...intent, status: 'succeeded' });

    await post(invoice.organizationId, stripe.signed(claimed, SECRET));
    await settled();

    expect(await booksOf(database, invoice)).toMatchObject({
      payment_status: 'pending',
      payments: [{ status: 'processing' }],
    });
  });

  it('of a customer on a test clock is dated by that clock', async () => {
    const { invoice, intent } = await processing({ testClockAt: '2031-05-06T07:08:09.000Z' });
    stripe.complete(secretKey, intent.id);
    await post(invoice.organizationId, stripe.signed(stripe.event('payment_intent.succeeded', intent), SECRET));
    await settled();
    const [fee] = await database.system((em) =>
      em.execute<{ succeeded_at: string }[]>(`select succeeded_at from fees where invoice_id = ?`, [invoice.invoiceId]),
    );
    expect(new Date(fee!.succeeded_at).toISOString()).toBe('2031-05-06T07:08:09.000Z');
  });

  it.each([
    ['about something else', 'customer.updated', {}],
    ['about a payment that is not ours', 'payment_intent.succeeded', {}],
    ['with an id that is none', 'payment_intent.succeeded', { billow_payment_id: `'; drop table payments` }],
    ['about a payment of somebody else', 'payment_intent.succeeded', { billow_payment_id: randomUUID() }],
  ])('%s is stored and left alone', async (_, type, metadata) => {
    const { invoice, intent } = await processing();
    await post(invoice.organizationId, stripe.signed(stripe.event(type, { ...intent, metadata }), SECRET));
    await settled();
    expect(await stored(invoice.organizationId)).toMatchObject([{ processed: true }]);
    expect(woken).toEqual([]);
  });
});

describe('A notification that is refused', () => {
  it.each([
    ['with a wrong secret', (event: Record<string, unknown>) => stripe.signed(event, 'whsec_other')],
    [
      'older than five minutes',
      (event: Record<string, unknown>) => stripe.signed(event, SECRET, Math.floor(Date.now() / 1000) - 301),
    ],
    [
      'with a changed body',
      (event: Record<string, unknown>) => {
        const { body, headers } = stripe.signed(event, SECRET);
        return { body: body.replace('12900', '1'), headers };
      },
    ],
    [
      'with a garbled signature',
      (event: Record<string, unknown>) => ({
        body: JSON.stringify(event),
        headers: { 'content-type': 'application/json', 'stripe-signature': 'nonsense' },
      }),
    ],
    [
      'without a signature',
      (event: Record<string, unknown>) => ({
        body: JSON.stringify(event),
        headers: { 'content-type': 'application/json' },
      }),
    ],
    ['without a body', () => ({ body: '', headers: { 'stripe-signature': 't=1,v1=00' } })],
  ])('%s: 400 in the shape of every error, and nothing is stored', async (_, sign) => {
    const { invoice, intent } = await processing();
    const answer = await post(invoice.organizationId, sign(stripe.event('payment_intent.succeeded', intent)));
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toEqual({ status: 400, error: expect.stringMatching(/^BadRequest: /) });
    expect(await stored(invoice.organizationId)).toEqual([]);
  });

  it('signed, but not JSON', async () => {
    const { invoice } = await processing();
    const { headers } = stripe.signed({}, SECRET);
    const body = 'not json';
    headers['stripe-signature'] = Stripe.webhooks.generateTestHeaderString({ payload: body, secret: SECRET });
    const answer = await post(invoice.organizationId, { body, headers });
    expect([answer.statusCode, answer.json()]).toEqual([
      400,
      { status: 400, error: 'BadRequest: the body is not JSON' },
    ]);
  });

  it.each([randomUUID(), 'not-an-id', '%00'])('for an unknown organization (%s): 404', async (organizationId) => {
    const answer = await post(organizationId, stripe.signed({ id: 'evt_1' }, SECRET));
    expect([answer.statusCode, answer.json()]).toEqual([
      404,
      { status: 404, error: 'Not Found', code: 'organization_not_found' },
    ]);
  });

  it('for an organization without a webhook secret: 400', async () => {
    const invoice = await issuedInvoice(database);
    const answer = await post(invoice.organizationId, stripe.signed({ id: 'evt_1' }, SECRET));
    expect(answer.statusCode).toBe(400);
  });

  it('with a huge body: 413', async () => {
    const { invoice } = await processing();
    const answer = await post(invoice.organizationId, { body: 'x'.repeat(2_000_000), headers: {} });
    expect([answer.statusCode, answer.json()]).toMatchObject([413, { status: 413 }]);
  });
});

describe('What could not be processed', () => {
  it('because Stripe could not be asked is taken up by the sweep', async () => {
    const { invoice, intent } = await processing();
    stripe.complete(secretKey, intent.id);
    stripe.failRequests(1);
    await post(invoice.organizationId, stripe.signed(stripe.event('payment_intent.succeeded', intent), SECRET));
    await settled();
    expect(await stored(invoice.organizationId)).toMatchObject([
      { processed: false, attempts: 1, last_error: expect.stringContaining('StripeAPIError') },
    ]);

    expect(await webhooks.processPendingWebhooks()).toEqual({ processed: 1, failed: 0 });
    expect(await stored(invoice.organizationId)).toMatchObject([{ processed: true, last_error: null }]);
    expect((await booksOf(database, invoice)).payment_status).toBe('succeeded');
    expect(woken).toEqual([invoice.invoiceId]);
    expect(await webhooks.processPendingWebhooks()).toEqual({ processed: 0, failed: 0 });
  });

  it('because the workflow could not be woken wakes it later, although the payment is recorded', async () => {
    const { invoice, intent } = await processing();
    stripe.complete(secretKey, intent.id);
    wakerFails = true;
    await post(invoice.organizationId, stripe.signed(stripe.event('payment_intent.succeeded', intent), SECRET));
    await settled();
    expect((await booksOf(database, invoice)).payment_status).toBe('succeeded');
    expect(await stored(invoice.organizationId)).toMatchObject([{ processed: false, attempts: 1 }]);

    wakerFails = false;
    expect(await webhooks.processPendingWebhooks()).toEqual({ processed: 1, failed: 0 });
    expect(woken).toEqual([invoice.invoiceId]);
  });

  it('because the process died after it was stored is taken up by the sweep', async () => {
    const { invoice, intent } = await processing();
    stripe.complete(secretKey, intent.id);
    await receive(invoice, stripe.event('payment_intent.succeeded', intent));

    expect(await webhooks.processPendingWebhooks()).toEqual({ processed: 1, failed: 0 });
    expect((await booksOf(database, invoice)).payment_status).toBe('succeeded');
  });

  it('and never can be does not hold up the others', async () => {
    const { invoice, intent } = await processing();
    await database.system((em) =>
      em.execute(`update payments set provider_payment_id = 'pi_gone' where invoice_id = ?`, [invoice.invoiceId]),
    );
    await receive(invoice, stripe.event('payment_intent.succeeded', intent, 'evt_stuck'));
    expect(await webhooks.processPendingWebhooks(1)).toEqual({ processed: 0, failed: 1 });

    await receive(invoice, stripe.event('customer.updated', intent, 'evt_other'));
    expect(await webhooks.processPendingWebhooks(1)).toEqual({ processed: 1, failed: 0 });
  });

  async function receive(invoice: IssuedInvoice, event: Record<string, unknown>): Promise<void> {
    const { body, headers } = stripe.signed(event, SECRET);
    await webhooks.receive(invoice.organizationId, Buffer.from(body), headers['stripe-signature']);
  }
});
