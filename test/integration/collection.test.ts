import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { PaymentsService, SandboxGateway } from '../../src/collection/index.js';
import { entities } from '../../src/entities.js';
import { Database } from '../../src/platform/database/database.js';
import { testDatabase } from '../system/servers.js';
import { MortalCaller, ProcessDied } from './collection-gateways.js';
import { booksOf, issuedInvoice, type IssuedInvoice, useMethod } from './collection-records.js';

const days = [3, 5, 7];
const march = (day: number, time = '00:00:00.000') => new Date(`2024-03-${String(day).padStart(2, '0')}T${time}Z`);

let server: Awaited<ReturnType<typeof testDatabase>>;
let database: Database;
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

beforeEach(() => {
  gateway = new MortalCaller(new SandboxGateway(database));
  payments = new PaymentsService(database, gateway.asGateways(), { days });
});

function attempt(invoice: IssuedInvoice, ordinal: number, now: Date) {
  return payments.attempt(invoice.organizationId, invoice.invoiceId, { attempt: ordinal, now });
}

describe('A card that pays', () => {
  it('is charged once, however often the attempt is made', async () => {
    const invoice = await issuedInvoice(database);

    const first = await attempt(invoice, 1, march(1));
    expect(first).toEqual({
      kind: 'paid',
      attempt: 1,
      nextAttempt: 1,
      retryAt: null,
      declineCode: null,
      message: null,
      summary: 'Paid 129.00 EUR',
    });
    expect(await attempt(invoice, 1, march(2))).toEqual(first);
    expect(await attempt(invoice, 2, march(2))).toEqual(first);

    expect(await booksOf(database, invoice)).toEqual({
      payment_status: 'succeeded',
      total_paid_amount_cents: 12_900,
      collection_attempts: 1,
      fees: [{ payment_status: 'succeeded', succeeded: true, failed: false }],
      payments: [
        { attempt: 1, status: 'succeeded', decline_code: null, provider_payment_id: expect.stringMatching(/^sbx_/) },
      ],
      charges: [{ status: 'succeeded', amount_cents: 12_900 }],
    });
    expect(gateway.charges).toHaveLength(1);
  });

  it('is charged once when workers ask at the same moment, whatever ordinal they ask for', async () => {
    // Open connections first: the attempts have to meet in the database, not in the pool.
    await Promise.all(Array.from({ length: 8 }, () => database.system((em) => em.execute(`select pg_sleep(0.05)`))));
    for (let round = 0; round < 5; round += 1) {
      const invoice = await issuedInvoice(database);
      await Promise.all([1, 1, 2, 3, 2, 1].map((ordinal) => attempt(invoice, ordinal, march(1))));
      expect(await booksOf(database, invoice)).toMatchObject({
        payment_status: 'succeeded',
        total_paid_amount_cents: 12_900,
        collection_attempts: 1,
        charges: [{ status: 'succeeded', amount_cents: 12_900 }],
      });
    }
  });

  it('answers in plain JSON, as it crosses a history', async () => {
    const invoice = await issuedInvoice(database, { totalCents: 500, currency: 'JPY' });
    const { organizationId, invoiceId } = invoice;

    const result = await payments.attempt(organizationId, invoiceId, { attempt: 1, now: march(1) });

    expect(result).toMatchObject({ kind: 'paid', summary: 'Paid 500 JPY' });
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  });
});

describe('A process that dies', () => {
  it('between the charge and its record charges once', async () => {
    const invoice = await issuedInvoice(database);
    gateway.dieNext('after');

    await expect(attempt(invoice, 1, march(1))).rejects.toThrow(ProcessDied);
    expect(await booksOf(database, invoice)).toMatchObject({
      payment_status: 'pending',
      payments: [{ status: 'pending' }],
      charges: [{ status: 'succeeded' }],
    });

    expect(await attempt(invoice, 1, march(1))).toMatchObject({ kind: 'paid' });
    expect(await booksOf(database, invoice)).toMatchObject({
      payment_status: 'succeeded',
      charges: [{ status: 'succeeded', amount_cents: 12_900 }],
    });
    expect(gateway.charges).toHaveLength(1);
  });

  it('before the charge charges once, with the key that was stored', async () => {
    const invoice = await issuedInvoice(database);
    gateway.dieNext('before');

    await expect(attempt(invoice, 1, march(1))).rejects.toThrow(ProcessDied);
    expect((await booksOf(database, invoice)).charges).toEqual([]);

    // The card was changed meanwhile; what was stored is what is sent.
    await useMethod(database, invoice, 'pm_card_mastercard');
    expect(await attempt(invoice, 1, march(1))).toMatchObject({ kind: 'paid' });
    expect((await booksOf(database, invoice)).charges).toHaveLength(1);
    expect(gateway.charges[1]).toEqual(gateway.charges[0]);
  });

  it('and is asked for the next ordinal first settles the one it left', async () => {
    const invoice = await issuedInvoice(database);
    gateway.dieNext('after');
    await expect(attempt(invoice, 1, march(1))).rejects.toThrow(ProcessDied);

    expect(await payments.standing(invoice.organizationId, invoice.invoiceId)).toEqual({
      lastAttempt: 1,
      nextAttempt: 1,
      undecided: true,
    });
    expect(await attempt(invoice, 2, march(1))).toMatchObject({ kind: 'paid', attempt: 1 });
    expect((await booksOf(database, invoice)).charges).toHaveLength(1);
  });

  it('has stored the key where others see it before the gateway was called', async () => {
    const invoice = await issuedInvoice(database);
    const seen: unknown[] = [];
    gateway.onCharge(async (request) => {
      const { payments: rows } = await booksOf(database, invoice);
      seen.push(...rows, request.idempotencyKey);
    });

    await attempt(invoice, 1, march(1));

    expect(seen).toEqual([
      { attempt: 1, status: 'pending', decline_code: null, provider_payment_id: null },
      `${invoice.invoiceId}/1/pm_card_visa`,
    ]);
  });
});

describe('What comes next', () => {
  it('is stored with the outcome or not at all: a step that dies in between does not try a second time', async () => {
    const invoice = await issuedInvoice(database, { method: 'pm_card_chargeDeclined' });
    const { organizationId, invoiceId } = invoice;
    const store = async () => {
      throw new ProcessDied();
    };
    await expect(payments.attempt(organizationId, invoiceId, { attempt: 1, now: march(1), store })).rejects.toThrow(
      ProcessDied,
    );
    expect(await booksOf(database, invoice)).toMatchObject({
      payment_status: 'pending',
      payments: [{ status: 'pending' }],
    });

    const stored: unknown[] = [];
    const { nextAttempt } = await payments.standing(organizationId, invoiceId);
    const result = await payments.attempt(organizationId, invoiceId, {
      attempt: nextAttempt,
      now: march(1),
      store: async (em, outcome) => {
        const [row] = await em.execute<{ organization: string }[]>(
          `select current_setting('billow.organization_id') as organization`,
        );
        stored.push(row!.organization, outcome);
      },
    });
    expect(result).toMatchObject({ kind: 'declined', attempt: 1, retryAt: '2024-03-04T00:00:00.000Z' });
    expect(stored).toEqual([organizationId, result]);
    expect(gateway.charges).toHaveLength(1);
  });

  it.each([
    ['nothing to collect', { status: 'draft' as const }],
    ['no gateway', { provider: null }],
    ['no card', { method: null }],
  ])('is stored also with %s', async (_, options) => {
    const { organizationId, invoiceId } = await issuedInvoice(database, options);
    const stored: unknown[] = [];
    const result = await payments.attempt(organizationId, invoiceId, {
      attempt: 1,
      now: march(1),
      store: async (_em, outcome) => void stored.push(outcome),
    });
    expect(stored).toEqual([result]);
  });

  it('is reviewed without making an attempt', async () => {
    const invoice = await issuedInvoice(database, { method: 'pm_card_chargeDeclined' });
    const review = (now: Date) => payments.review(invoice.organizationId, invoice.invoiceId, { now });
    expect(await review(march(1))).toBeNull();
    await attempt(invoice, 1, march(1));
    expect(await review(march(2))).toMatchObject({ kind: 'declined', attempt: 1, retryAt: '2024-03-04T00:00:00.000Z' });
    expect(gateway.charges).toHaveLength(1);
  });
});

describe('An unknown outcome', () => {
  it('is asked after and not charged again, nor counted as a decline', async () => {
    const invoice = await issuedInvoice(database, { method: 'pm_card_outage' });

    const unknown = await attempt(invoice, 1, march(1));
    expect(unknown).toMatchObject({
      kind: 'unknown',
      attempt: 1,
      nextAttempt: 1,
      retryAt: '2024-03-01T00:05:00.000Z',
      declineCode: null,
      summary: 'No answer yet about 129.00 EUR, ask the gateway again 2024-03-01 00:05 UTC',
    });
    expect(await booksOf(database, invoice)).toMatchObject({
      payment_status: 'pending',
      total_paid_amount_cents: 0,
      payments: [{ status: 'unknown' }],
      charges: [{ status: 'succeeded' }],
    });

    expect(await attempt(invoice, 1, march(1, '00:05:00.000'))).toMatchObject({ kind: 'paid', attempt: 1 });
    expect(await booksOf(database, invoice)).toMatchObject({
      payment_status: 'succeeded',
      collection_attempts: 1,
      charges: [{ status: 'succeeded' }],
    });
    expect(gateway.charges).toHaveLength(1);
    expect(gateway.lookups).toHaveLength(1);
  });

  it('of an invoice that was voided meanwhile is not sent again', async () => {
    const invoice = await issuedInvoice(database);
    gateway.dieNext('before');
    await expect(attempt(invoice, 1, march(1))).rejects.toThrow(ProcessDied);
    await database.system((em) =>
      em.execute(`update invoices set status = 'voided' where id = ?`, [invoice.invoiceId]),
    );

    expect(await attempt(invoice, 1, march(2))).toMatchObject({
      kind: 'declined',
      declineCode: 'canceled',
      retryAt: null,
    });
    expect(await booksOf(database, invoice)).toMatchObject({ payment_status: 'pending', charges: [] });
  });
});

describe('A declined card', () => {
  it('is tried again along the schedule, counted from each decline, and then no more', async () => {
    const invoice = await issuedInvoice(database, { method: 'pm_card_chargeDeclinedInsufficientFunds' });

    const first = await attempt(invoice, 1, march(1));
    expect(first).toMatchObject({
      kind: 'declined',
      nextAttempt: 2,
      retryAt: '2024-03-04T00:00:00.000Z',
      declineCode: 'insufficient_funds',
      message: 'Your card has insufficient funds.',
      summary: 'Declined 129.00 EUR (insufficient_funds), next try 2024-03-04 00:00 UTC',
    });
    expect(await booksOf(database, invoice)).toMatchObject({
      payment_status: 'failed',
      fees: [{ payment_status: 'failed', succeeded: false, failed: true }],
    });
    // Asking later about a decided attempt does not move its retry.
    expect(await attempt(invoice, 1, march(3))).toEqual(first);

    expect(await attempt(invoice, 2, march(4))).toMatchObject({
      kind: 'declined',
      retryAt: '2024-03-09T00:00:00.000Z',
    });
    expect(await attempt(invoice, 3, march(9))).toMatchObject({
      kind: 'declined',
      retryAt: '2024-03-16T00:00:00.000Z',
    });
    expect(await attempt(invoice, 4, march(16))).toMatchObject({
      kind: 'declined',
      retryAt: null,
      nextAttempt: 5,
      summary: 'Declined 129.00 EUR (insufficient_funds), no tries left',
    });
    expect((await booksOf(database, invoice)).charges).toHaveLength(4);
  });

  it('is replaced by a new one, which is charged at once and pays', async () => {
    const invoice = await issuedInvoice(database, { method: '4000 0000 0000 0002' });
    expect(await attempt(invoice, 1, march(1))).toMatchObject({ kind: 'declined', declineCode: 'generic_decline' });

    await useMethod(database, invoice, '4242424242424242');
    expect(await attempt(invoice, 1, march(2))).toMatchObject({ retryAt: '2024-03-02T00:00:00.000Z', nextAttempt: 2 });
    expect(await attempt(invoice, 2, march(2))).toMatchObject({ kind: 'paid', attempt: 2 });

    expect(await booksOf(database, invoice)).toMatchObject({
      payment_status: 'succeeded',
      total_paid_amount_cents: 12_900,
      collection_attempts: 2,
      fees: [{ payment_status: 'succeeded', succeeded: true, failed: false }],
      payments: [{ status: 'failed' }, { status: 'succeeded' }],
    });
  });

  it('that is the second one has a schedule of its own', async () => {
    const invoice = await issuedInvoice(database, { method: 'pm_card_chargeDeclined' });
    await attempt(invoice, 1, march(1));
    expect(await attempt(invoice, 2, march(4))).toMatchObject({ retryAt: '2024-03-09T00:00:00.000Z' });
    await useMethod(database, invoice, 'pm_card_chargeDeclinedProcessingError');
    expect(await attempt(invoice, 3, march(5))).toMatchObject({ retryAt: '2024-03-08T00:00:00.000Z' });
  });

  it.each(['pm_card_chargeDeclinedLostCard', 'pm_card_visa_chargeDeclinedStolenCard', '4000000000000069'])(
    'that will never pay (%s) stops the schedule',
    async (method) => {
      const invoice = await issuedInvoice(database, { method });
      expect(await attempt(invoice, 1, march(1))).toMatchObject({
        kind: 'declined',
        retryAt: null,
        nextAttempt: 2,
        summary: expect.stringContaining('a new payment method is needed'),
      });
    },
  );
});

describe('A card that needs its holder', () => {
  it('waits, and is given up in favour of a new card without ever being payable again', async () => {
    const invoice = await issuedInvoice(database, { method: 'pm_card_authenticationRequired' });

    expect(await attempt(invoice, 1, march(1))).toMatchObject({
      kind: 'action_required',
      nextAttempt: 1,
      retryAt: '2024-03-02T00:00:00.000Z',
    });
    expect(await attempt(invoice, 1, march(2))).toMatchObject({
      kind: 'action_required',
      retryAt: '2024-03-03T00:00:00.000Z',
    });
    expect(await booksOf(database, invoice)).toMatchObject({
      payment_status: 'pending',
      charges: [{ status: 'requires_action' }],
    });

    await useMethod(database, invoice, 'pm_card_visa');
    expect(await attempt(invoice, 1, march(2, '12:00:00.000'))).toMatchObject({
      kind: 'declined',
      declineCode: 'authentication_abandoned',
      retryAt: '2024-03-02T12:00:00.000Z',
      nextAttempt: 2,
    });
    expect(await attempt(invoice, 2, march(2, '12:00:00.000'))).toMatchObject({ kind: 'paid' });
    expect((await booksOf(database, invoice)).charges.map(({ status }) => status).sort()).toEqual([
      'canceled',
      'succeeded',
    ]);
  });
});

describe("The sandbox's books", () => {
  it('hold one charge for a key: the same key gets the same answer, also when the first one was lost', async () => {
    const invoice = await issuedInvoice(database, { method: 'pm_card_outage' });
    await attempt(invoice, 1, march(1));
    const [request] = gateway.charges;
    const sandbox = new SandboxGateway(database);

    const [again, oncemore] = [await sandbox.charge(request!), await sandbox.charge(request!)];
    expect(again).toEqual({ kind: 'paid', paymentId: expect.stringMatching(/^sbx_/) });
    expect(oncemore).toEqual(again);
    await expect(sandbox.charge({ ...request!, amountCents: 1 })).rejects.toThrow(
      'One idempotency key names one charge',
    );
    expect((await booksOf(database, invoice)).charges).toEqual([{ status: 'succeeded', amount_cents: 12_900 }]);
  });
});

describe('Nothing is charged', () => {
  it.each([
    ['a draft', { status: 'draft' as const }, 'Nothing to collect: the invoice is draft', 'pending'],
    ['a voided invoice', { status: 'voided' as const }, 'Nothing to collect: the invoice is voided', 'pending'],
    ['a total of zero', { totalCents: 0 }, 'Nothing to collect: the total is zero', 'succeeded'],
  ])('for %s', async (_, options, summary, paymentStatus) => {
    const invoice = await issuedInvoice(database, options);
    expect(await attempt(invoice, 1, march(1))).toMatchObject({ kind: 'nothing_to_collect', retryAt: null, summary });
    expect(await booksOf(database, invoice)).toMatchObject({
      payment_status: paymentStatus,
      collection_attempts: 0,
      fees: [{ payment_status: paymentStatus }],
      payments: [],
    });
    expect(gateway.charges).toEqual([]);
  });

  it.each([
    ['no provider', { provider: null }, 'The customer has no payment provider.'],
    [
      'a provider we have no gateway for',
      { provider: 'adyen' },
      'No gateway is connected for the payment provider "adyen".',
    ],
    ['no card', { method: null }, 'The customer has no payment method.'],
    ['a card whose id is no id', { method: 'x'.repeat(300) }, "The id of the customer's payment method is too long."],
  ])('with %s', async (_, options, message) => {
    const invoice = await issuedInvoice(database, options);
    expect(await attempt(invoice, 1, march(1))).toMatchObject({ kind: 'no_gateway', nextAttempt: 1, message });
    expect(await booksOf(database, invoice)).toMatchObject({ payment_status: 'pending', payments: [], charges: [] });
  });

  it('with a card that does not exist, until it is replaced', async () => {
    const invoice = await issuedInvoice(database, { method: 'pm_card_vias' });

    const refused = await attempt(invoice, 1, march(1));
    expect(refused).toMatchObject({ kind: 'no_gateway', attempt: 1, nextAttempt: 2 });
    expect(refused.message).toContain('The sandbox has no test card "pm_card_vias"');
    expect(await attempt(invoice, 1, march(1))).toEqual(refused);
    expect(await booksOf(database, invoice)).toMatchObject({ payment_status: 'pending', charges: [] });

    await useMethod(database, invoice, 'pm_card_visa');
    expect(await attempt(invoice, refused.nextAttempt, march(1))).toMatchObject({ kind: 'paid' });
  });

  it('by another organization', async () => {
    const mine = await issuedInvoice(database);
    const other = await issuedInvoice(database);
    await expect(payments.attempt(other.organizationId, mine.invoiceId, { attempt: 1, now: march(1) })).rejects.toThrow(
      `There is no invoice ${mine.invoiceId}`,
    );
    expect((await booksOf(database, mine)).payments).toEqual([]);
  });
});
