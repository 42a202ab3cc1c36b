import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { aCustomer, aPlan, aProduct, given, itIs, type Product, type Story, until } from '../builders/index.js';
import { StripeFake } from '../fakes/stripe/stripe-fake.js';

/**
 * The worst moment (design, invariant 9): the card has been charged, and the worker is gone before the answer is written
 * down. A real process is killed at exactly that moment, and after its restart there is one charge and a paid invoice.
 */
let stripe: StripeFake;
let line: GatewayLine;
let product: Product;

/** Both books of the sandbox are in Postgres, so the moment between them is made there: a trigger that waits for this lock. */
const LOCK = 4_242_424;

const paid = ['ACM-001-001 finalized succeeded 2024-02-01: team 4900, 4900 EUR'];
let answerLost: StripeStory;
let requestLost: StripeStory;
let sandbox: Story;

beforeAll(async () => {
  stripe = await StripeFake.start();
  line = await GatewayLine.to(stripe.url);
  product = await aProduct({ env: { BILLOW_STRIPE_API_BASE: line.url } });
  answerLost = await stripeStory();
  requestLost = await stripeStory();
  sandbox = await given(product, aPlan().costing(4900), aCustomer().payingWith('pm_card_outage'));
  await watchTheSandbox();
  const record = await holdTheRecord();

  const charged = line.keepTheAnswer(answerLost.secretKey);
  const sent = line.keepTheRequest(requestLost.secretKey);
  line.beforeEach(async (key) => void keysStoredBefore.push(...(await keysInPostgres(key))));
  for (const { story } of [answerLost, requestLost, { story: sandbox }]) {
    await story.startAdvance('2024-02-01T00:10:00Z');
  }
  await Promise.all([charged, sent, until('the record of the sandbox waits', () => record.isAwaited())]);
  for (const { story } of [answerLost, requestLost, { story: sandbox }]) {
    expect(await paymentStatuses(story)).toEqual(['pending']);
  }
  expect(stripe.charged(answerLost.secretKey)).toHaveLength(1);
  expect(stripe.intents(requestLost.secretKey)).toHaveLength(0);
  expect(await sandboxCharges()).toHaveLength(1);

  const death = product.kill('worker');
  line.passEverything();
  // The dead worker's transaction gets its lock, finds nobody to tell, and is rolled back.
  await record.letGo();
  await death.back();
  // A killed worker's activity is given to another one when its heartbeats have been missing for 30 s.
  for (const { story } of [answerLost, requestLost, { story: sandbox }]) await story.ready(100_000);
}, 180_000);

afterAll(async () => {
  await product?.stop();
  await line?.close();
  await stripe?.stop();
});

test('Stripe has charged and the answer is lost: one charge, found by a question', async () => {
  const { story, secretKey } = answerLost;
  expect(await story.documents()).toEqual(paid);
  expect(await story.attempts()).toEqual(['1 2024-02-01 00:00 succeeded pm_card_visa']);
  expect(stripe.charged(secretKey).map(({ amount }) => amount)).toEqual([4900]);
  expect(requestsOf(secretKey)).toEqual(['POST /v1/payment_intents', 'GET /v1/payment_intents']);
  await story.nothingHappensWhen(itIs('2024-02-20T00:00:00Z'));
  expect(stripe.intents(secretKey)).toHaveLength(1);
});

test('Stripe has not heard of it yet: asked first, then charged once', async () => {
  const { story, secretKey } = requestLost;
  expect(await story.documents()).toEqual(paid);
  expect(await story.attempts()).toEqual(['1 2024-02-01 00:00 succeeded pm_card_visa']);
  expect(stripe.charged(secretKey).map(({ amount }) => amount)).toEqual([4900]);
  expect(requestsOf(secretKey)).toEqual(['GET /v1/payment_intents', 'POST /v1/payment_intents']);
  await story.nothingHappensWhen(itIs('2024-02-20T00:00:00Z'));
});

test('the sandbox has charged and the record is lost: one charge', async () => {
  expect(await sandbox.documents()).toEqual(paid);
  expect(await sandbox.attempts()).toEqual(['1 2024-02-01 00:00 succeeded pm_card_outage']);
  await sandbox.nothingHappensWhen(itIs('2024-02-20T00:00:00Z'));
  expect(await sandboxCharges()).toEqual([{ status: 'succeeded', amount: 4900, key_stored_before: true }]);
});

test('the name of a charge is in our books before a gateway hears of it', async () => {
  const { lago_id: id } = await answerLost.story.lastInvoice();
  expect(keysStoredBefore).toContain(`${id}/1/pm_card_visa`);
  const { lago_id: other } = await requestLost.story.lastInvoice();
  expect(keysStoredBefore).toContain(`${other}/1/pm_card_visa`);
});

interface StripeStory {
  readonly story: Story;
  readonly secretKey: string;
}

async function stripeStory(): Promise<StripeStory> {
  const secretKey = `sk_test_${randomBytes(6).toString('hex')}`;
  stripe.addCustomer(secretKey, 'cus_1');
  const story = await given(product, aPlan().costing(4900), aCustomer().payingByStripe('cus_1', 'pm_card_visa'));
  const withKey = 'update organizations set stripe_secret_key = $2 where id = $1';
  await product.query(withKey, [story.organizationId, secretKey]);
  return { story, secretKey };
}

/** What the gateway itself has heard, in order. */
function requestsOf(secretKey: string): string[] {
  return stripe.requests
    .filter(({ authorization }) => authorization === `Bearer ${secretKey}`)
    .map(({ method, path }) => `${method} ${path}`);
}

/** Writes down, with each charge of the sandbox, whether our books had its key already. */
async function watchTheSandbox(): Promise<void> {
  await product.query('create table witnessed (key text, key_stored_before boolean)');
  await product.query(
    `create function witness_charge() returns trigger language plpgsql security definer as
     $$ begin
          insert into witnessed select new.idempotency_key,
            exists (select from payments where idempotency_key = new.idempotency_key and status = 'pending');
          return new;
        end $$`,
  );
  await product.query(
    'create trigger witness before insert on sandbox_charges for each row execute function witness_charge()',
  );
}

function sandboxCharges() {
  return product.query(
    `select c.status, c.amount_cents::int as amount, w.key_stored_before
       from sandbox_charges c join witnessed w on w.key = c.idempotency_key where c.organization_id = $1`,
    [sandbox.organizationId],
  );
}

/** The outcome of a payment cannot be written until it is let go. */
async function holdTheRecord(): Promise<{ isAwaited(): Promise<boolean>; letGo(): Promise<void> }> {
  const client = new pg.Client({ connectionString: product.databaseUrl });
  client.on('error', () => undefined); // a database that is dropped under a failed test takes it along
  await client.connect();
  await client.query('select pg_advisory_lock($1)', [LOCK]);
  await client.query(
    `create function hold_the_record() returns trigger language plpgsql security definer as
     $$ begin perform pg_advisory_xact_lock(${LOCK}); return new; end $$`,
  );
  await client.query('create trigger hold before update on payments for each row execute function hold_the_record()');
  return {
    async isAwaited() {
      const waiting = `select from pg_locks where locktype = 'advisory' and objid = $1 and not granted
          and database = (select oid from pg_database where datname = current_database())`;
      return (await client.query(waiting, [LOCK])).rowCount === 1;
    },
    letGo: () => client.end(),
  };
}

const keysStoredBefore: string[] = [];

async function keysInPostgres(key: string | undefined): Promise<string[]> {
  const rows = await product.query<{ idempotency_key: string }>(
    `select idempotency_key from payments where idempotency_key = $1 and status = 'pending'`,
    [key ?? ''],
  );
  return rows.map((row) => row.idempotency_key);
}

async function paymentStatuses(story: Story): Promise<string[]> {
  const rows = await product.query<{ status: string }>(
    'select status from payments where organization_id = $1 order by attempt',
    [story.organizationId],
  );
  return rows.map(({ status }) => status);
}

/** The wire to the gateway: passes requests on, and can keep the next request or the next answer of an account to itself. */
class GatewayLine {
  private readonly kept = new Map<string, { what: 'request' | 'answer'; reached: () => void }>();
  private witness: (key: string | undefined) => Promise<void> = async () => undefined;

  private constructor(
    private readonly server: Server,
    private readonly target: string,
  ) {}

  static async to(target: string): Promise<GatewayLine> {
    const server = createServer();
    const line = new GatewayLine(server, target);
    server.on('request', (request, response) => void line.serve(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return line;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Called with the idempotency key of each request, before the gateway hears of it. */
  beforeEach(witness: (key: string | undefined) => Promise<void>): void {
    this.witness = witness;
  }

  /** The gateway does what it is asked, and nobody hears its answer. Resolves when it has. */
  keepTheAnswer(secretKey: string): Promise<void> {
    return new Promise((reached) => this.kept.set(secretKey, { what: 'answer', reached }));
  }

  /** Resolves when the request is under way; it does not arrive. */
  keepTheRequest(secretKey: string): Promise<void> {
    return new Promise((reached) => this.kept.set(secretKey, { what: 'request', reached }));
  }

  passEverything(): void {
    this.kept.clear();
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const secretKey = request.headers.authorization?.replace('Bearer ', '') ?? '';
    await this.witness(request.headers['idempotency-key'] as string | undefined);
    const kept = this.kept.get(secretKey);
    // Kept: the caller waits until it dies.
    if (kept?.what === 'request') return kept.reached();
    const answer = await this.ask(request, Buffer.concat(chunks));
    if (kept?.what === 'answer') return kept.reached();
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    response.end(answer.body);
  }

  private async ask({ method = 'GET', url = '/', headers }: IncomingMessage, body: Buffer) {
    const passed = ['authorization', 'content-type', 'idempotency-key', 'stripe-version'].flatMap((name) => {
      const value = headers[name];
      return typeof value === 'string' ? [[name, value] as const] : [];
    });
    const init = { method, headers: Object.fromEntries(passed), ...(body.length > 0 && { body }) };
    const answer = await fetch(this.target + url, init);
    return { status: answer.status, body: await answer.text() };
  }
}
