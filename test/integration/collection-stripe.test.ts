import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { PaymentsService, StripeGateway } from '../../src/collection/index.js';
import { entities } from '../../src/entities.js';
import { Database } from '../../src/platform/database/database.js';
import { StripeFake } from '../fakes/stripe/stripe-fake.js';
import { testDatabase } from '../system/servers.js';
import { MortalCaller, ProcessDied } from './collection-gateways.js';
import {
  booksOf,
  issuedInvoice,
  type IssuedInvoice,
  type IssuedInvoiceOptions,
  useMethod,
} from './collection-records.js';

const MARCH_1 = new Date('2024-03-01T00:00:00Z');

let server: Awaited<ReturnType<typeof testDatabase>>;
let database: Database;
let stripe: StripeFake;
let secretKey: string;
let gateway: MortalCaller;
let payments: PaymentsService;

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
  gateway = new MortalCaller(
    new StripeGateway({ apiBase: stripe.url, secretKeyOf: async () => secretKey, maxNetworkRetries: 0 }),
  );
  payments = new PaymentsService(database, gateway.asGateways(), { days: [3, 5, 7] });
});

afterEach(() => stripe.stop());

function stripeInvoice(options: IssuedInvoiceOptions = {}): Promise<IssuedInvoice> {
  return issuedInvoice(database, { provider: 'stripe', providerCustomerId: 'cus_1', ...options });
}

function attempt(invoice: IssuedInvoice, ordinal = 1, now = MARCH_1) {
  return payments.attempt(invoice.organizationId, invoice.invoiceId, { attempt: ordinal, now });
}

it('sends one payment intent, off session, with our ids and the stored key', async () => {
  const invoice = await stripeInvoice();

  expect(await attempt(invoice)).toMatchObject({ kind: 'paid' });

  expect(stripe.requests).toEqual([
    {
      method: 'POST',
      path: '/v1/payment_intents',
      idempotencyKey: `${invoice.invoiceId}/1/pm_card_visa`,
      authorization: `Bearer ${secretKey}`,
      form: {
        amount: '12900',
        currency: 'eur',
        customer: 'cus_1',
        payment_method: 'pm_card_visa',
        off_session: 'true',
        confirm: 'true',
        automatic_payment_methods: { enabled: 'true', allow_redirects: 'never' },
        description: 'Invoice ACM-001-001',
        metadata: {
          billow_payment_id: expect.any(String),
          billow_invoice_id: invoice.invoiceId,
          billow_organization_id: invoice.organizationId,
        },
      },
    },
  ]);
  const [intent] = stripe.charged(secretKey);
  expect((await booksOf(database, invoice)).payments).toEqual([
    { attempt: 1, status: 'succeeded', decline_code: null, provider_payment_id: intent!.id },
  ]);
});

describe('What Stripe answers', () => {
  it('a soft decline, with its code, follows the schedule', async () => {
    const invoice = await stripeInvoice({ method: 'pm_card_visa_chargeDeclinedInsufficientFunds' });
    expect(await attempt(invoice)).toMatchObject({
      kind: 'declined',
      declineCode: 'insufficient_funds',
      retryAt: '2024-03-04T00:00:00.000Z',
    });
    expect((await booksOf(database, invoice)).payments).toMatchObject([
      { status: 'failed', provider_payment_id: stripe.intents(secretKey)[0]!.id },
    ]);
  });

  it('a decline that the network advises never to repeat stops it, whatever its code', async () => {
    const invoice = await stripeInvoice({ method: 'pm_card_visa_chargeDeclinedDoNotTryAgain' });
    expect(await attempt(invoice)).toMatchObject({ kind: 'declined', declineCode: 'do_not_honor', retryAt: null });
    // Read back from the row, the advice still counts.
    expect(await attempt(invoice)).toMatchObject({ kind: 'declined', retryAt: null });
  });

  it('a new card after a decline is a new intent with a new key', async () => {
    const invoice = await stripeInvoice({ method: 'pm_card_visa_chargeDeclined' });
    await attempt(invoice);
    await useMethod(database, invoice, 'pm_card_mastercard');
    expect(await attempt(invoice, 2)).toMatchObject({ kind: 'paid', attempt: 2 });
    expect(stripe.requests.map(({ idempotencyKey }) => idempotencyKey)).toEqual([
      `${invoice.invoiceId}/1/pm_card_visa_chargeDeclined`,
      `${invoice.invoiceId}/2/pm_card_mastercard`,
    ]);
  });

  it('a payment that is still processing is asked after until it is paid', async () => {
    const invoice = await stripeInvoice({ method: 'pm_usBankAccount_processing' });
    expect(await attempt(invoice)).toMatchObject({ kind: 'processing', retryAt: '2024-03-01T01:00:00.000Z' });
    stripe.complete(secretKey, stripe.intents(secretKey)[0]!.id);
    expect(await attempt(invoice, 1, new Date('2024-03-01T01:00:00Z'))).toMatchObject({ kind: 'paid' });
    expect(stripe.intents(secretKey)).toHaveLength(1);
  });

  it('a needed authentication waits for the cardholder, without keeping a secret', async () => {
    const invoice = await stripeInvoice({ method: 'pm_card_authenticationRequired' });
    expect(await attempt(invoice)).toMatchObject({ kind: 'action_required', nextAttempt: 1 });
    const [row] = await database.system((em) =>
      em.execute<{ next_action: unknown }[]>(`select next_action from payments where invoice_id = ?`, [
        invoice.invoiceId,
      ]),
    );
    expect(row).toEqual({ next_action: { type: 'authenticate' } });

    stripe.complete(secretKey, stripe.intents(secretKey)[0]!.id);
    expect(await attempt(invoice)).toMatchObject({ kind: 'paid' });
  });

  it('a given up authentication is canceled there, unless the cardholder was quicker', async () => {
    const slow = await stripeInvoice({ method: 'pm_card_authenticationRequired' });
    await attempt(slow);
    await useMethod(database, slow, 'pm_card_visa');
    expect(await attempt(slow)).toMatchObject({ kind: 'declined', declineCode: 'canceled', nextAttempt: 2 });
    expect(stripe.intents(secretKey)[0]!.status).toBe('canceled');

    const quick = await stripeInvoice({ method: 'pm_card_authenticationRequired' });
    await attempt(quick);
    stripe.complete(secretKey, stripe.intents(secretKey)[0]!.id);
    await useMethod(database, quick, 'pm_card_visa');
    expect(await attempt(quick)).toMatchObject({ kind: 'paid', attempt: 1 });
    expect(stripe.charged(secretKey)).toHaveLength(1);

    const close = await stripeInvoice({ method: 'pm_card_authenticationRequired' });
    await attempt(close);
    await useMethod(database, close, 'pm_card_visa');
    stripe.beforeNextCancel(() => stripe.complete(secretKey, stripe.intents(secretKey)[0]!.id));
    expect(await attempt(close)).toMatchObject({ kind: 'paid', attempt: 1 });
    expect(stripe.charged(secretKey)).toHaveLength(2);
  });

  it('a card of which it knows nothing needs a new one; a small amount cannot be charged', async () => {
    const unknownCard = await stripeInvoice({ method: 'pm_detached' });
    expect(await attempt(unknownCard)).toMatchObject({
      kind: 'declined',
      declineCode: 'payment_method_unavailable',
      message: "No such PaymentMethod: 'pm_detached'",
      retryAt: null,
    });
    const small = await stripeInvoice({ totalCents: 10 });
    expect(await attempt(small)).toMatchObject({ kind: 'declined', declineCode: 'amount_too_small', retryAt: null });
  });
});

describe('An answer that never comes', () => {
  it('after the charge: the charge is found by our id and not made again', async () => {
    const invoice = await stripeInvoice();
    // The SDK repeats once by itself when a connection closes; both answers get lost.
    stripe.loseAnswers(2);

    expect(await attempt(invoice)).toMatchObject({ kind: 'unknown', retryAt: '2024-03-01T00:05:00.000Z' });
    expect(stripe.charged(secretKey)).toHaveLength(1);
    expect(new Set(stripe.requests.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);

    expect(await attempt(invoice)).toMatchObject({ kind: 'paid' });
    expect(stripe.requests.at(-1)).toMatchObject({ method: 'GET', form: { customer: 'cus_1', limit: '100' } });
    expect(stripe.charged(secretKey)).toHaveLength(1);
  });

  it('before the charge: Stripe has no trace of it, so it is sent again with the same key', async () => {
    const invoice = await stripeInvoice();
    const another = await stripeInvoice();
    stripe.failRequests(1);

    expect(await attempt(invoice)).toMatchObject({
      kind: 'unknown',
      message: expect.stringContaining('StripeAPIError'),
    });
    expect(stripe.intents(secretKey)).toEqual([]);
    // The same customer pays another invoice of the same amount: that is not an answer about this one.
    expect(await attempt(another)).toMatchObject({ kind: 'paid' });

    expect(await attempt(invoice)).toMatchObject({ kind: 'paid', attempt: 1 });
    const [first, , second] = stripe.requests.filter(({ method }) => method === 'POST');
    expect(second).toEqual(first);
    expect(stripe.charged(secretKey)).toHaveLength(2);
  });

  it('to the question either: stays unknown, and nothing is charged', async () => {
    const invoice = await stripeInvoice();
    stripe.failRequests(2);
    await attempt(invoice);
    expect(await attempt(invoice)).toMatchObject({ kind: 'unknown' });
    expect(stripe.intents(secretKey)).toEqual([]);
  });

  it('because the line is slow, while a second worker makes the same attempt: charged once', async () => {
    const invoice = await stripeInvoice();
    const charged = stripe.holdNextAnswer();
    const slow = attempt(invoice);
    await charged;
    expect(await attempt(invoice)).toMatchObject({ kind: 'paid' });
    stripe.releaseAnswers();
    expect(await slow).toMatchObject({ kind: 'paid' });
    expect(stripe.charged(secretKey)).toHaveLength(1);
    expect(await booksOf(database, invoice)).toMatchObject({ total_paid_amount_cents: 12_900, collection_attempts: 1 });
  });

  it('when too busy (429): unknown, not declined', async () => {
    const invoice = await stripeInvoice();
    stripe.failRequests(1, 429);
    expect(await attempt(invoice)).toMatchObject({ kind: 'unknown', declineCode: null });
  });

  it('because the process died: charged once, found behind more than a page of other payments', async () => {
    const invoice = await stripeInvoice();
    gateway.dieNext('after');
    await expect(attempt(invoice)).rejects.toThrow(ProcessDied);
    await otherCharges(130);

    expect(await attempt(invoice)).toMatchObject({ kind: 'paid' });
    expect(stripe.charged(secretKey)).toHaveLength(131);
    expect(stripe.requests.filter(({ method }) => method === 'GET')).toHaveLength(2);
  });

  async function otherCharges(count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      const body = new URLSearchParams({ amount: '100', currency: 'eur', customer: 'cus_1', confirm: 'true' });
      body.set('payment_method', 'pm_card_visa');
      const headers = { authorization: `Bearer ${secretKey}` };
      await fetch(`${stripe.url}/v1/payment_intents`, { method: 'POST', body, headers });
    }
  }
});

describe('A set-up that Stripe refuses', () => {
  it('charges nothing, says what to repair, and the next attempt pays', async () => {
    const invoice = await stripeInvoice();
    const rightKey = secretKey;
    secretKey = 'rk_wrong';
    const refused = await attempt(invoice);
    expect(refused).toMatchObject({ kind: 'no_gateway', attempt: 1, nextAttempt: 2, retryAt: null });
    expect(refused.message).toContain("does not accept the organization's secret key");
    expect(refused.message).not.toContain('rk_wrong');

    secretKey = rightKey;
    expect(await attempt(invoice, refused.nextAttempt)).toMatchObject({ kind: 'paid', attempt: 2 });
    expect(stripe.charged(rightKey)).toHaveLength(1);
  });

  it('while a charge is undecided leaves it undecided', async () => {
    const invoice = await stripeInvoice();
    stripe.loseAnswers(2);
    await attempt(invoice);
    const rightKey = secretKey;
    secretKey = 'rk_wrong';
    expect(await attempt(invoice)).toMatchObject({ kind: 'unknown', attempt: 1 });
    secretKey = rightKey;
    expect(await attempt(invoice)).toMatchObject({ kind: 'paid', attempt: 1 });
    expect(stripe.charged(rightKey)).toHaveLength(1);
  });

  it('for a customer it does not know', async () => {
    const invoice = await stripeInvoice({ providerCustomerId: 'cus_gone' });
    expect(await attempt(invoice)).toMatchObject({
      kind: 'no_gateway',
      message: "Stripe refused the request: No such customer: 'cus_gone'",
    });
  });
});

describe("The customer's method at Stripe", () => {
  it('is used when we were told none: the default, else the only one', async () => {
    stripe.addCustomer(secretKey, 'cus_default', ['pm_card_visa'], 'pm_card_mastercard');
    stripe.addCustomer(secretKey, 'cus_one', ['pm_card_visa']);
    await attempt(await stripeInvoice({ method: null, providerCustomerId: 'cus_default' }));
    await attempt(await stripeInvoice({ method: null, providerCustomerId: 'cus_one' }));
    expect(stripe.charged(secretKey).map((intent) => intent.payment_method)).toEqual([
      'pm_card_visa',
      'pm_card_mastercard',
    ]);
  });

  it('is missed when there is none', async () => {
    const invoice = await stripeInvoice({ method: null });
    expect(await attempt(invoice)).toMatchObject({
      kind: 'no_gateway',
      message: 'The customer has no payment method.',
    });
    expect((await booksOf(database, invoice)).payments).toEqual([]);
  });
});
