import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createPaymentsService } from '../../src/collection/index.js';
import { entities } from '../../src/entities.js';
import { Database } from '../../src/platform/database/database.js';
import { StripeFake } from '../fakes/stripe/stripe-fake.js';
import { testDatabase } from '../system/servers.js';
import { booksOf, issuedInvoice } from './collection-records.js';

const KEY = 'sk_test_killed';

/** A process of its own that makes the first attempt and would print the result. */
const collector = `
  const { Database } = await import(process.env.BUILT + '/src/platform/database/database.js');
  const { entities } = await import(process.env.BUILT + '/src/entities.js');
  const { createPaymentsService } = await import(process.env.BUILT + '/src/collection/index.js');
  const database = await Database.connect(process.env.DATABASE_URL, entities);
  const payments = createPaymentsService(database, { stripeApiBase: process.env.STRIPE, collectionRetryDays: [3] });
  const attempt = { attempt: 1, now: new Date('2024-03-01T00:00:00Z') };
  console.log(JSON.stringify(await payments.attempt(process.env.ORGANIZATION, process.env.INVOICE, attempt)));
`;

let server: Awaited<ReturnType<typeof testDatabase>>;
let database: Database;
let stripe: StripeFake;

beforeAll(async () => {
  server = await testDatabase();
  database = await Database.connect(server.url, entities);
  stripe = await StripeFake.start();
  stripe.addCustomer(KEY, 'cus_1');
});

afterAll(async () => {
  await stripe.stop();
  await database.close();
  await server.drop();
});

it('A process killed (-9) between the charge and its record: the next one finds the charge and makes no other', async () => {
  const invoice = await issuedInvoice(database, {
    provider: 'stripe',
    providerCustomerId: 'cus_1',
    stripeSecretKey: KEY,
  });
  const charged = stripe.holdNextAnswer();
  const child = spawn(process.execPath, ['--input-type=module', '--eval', collector], {
    env: {
      ...process.env,
      NODE_OPTIONS: '',
      BUILT: `${process.cwd()}/dist`,
      DATABASE_URL: server.url,
      STRIPE: stripe.url,
      ORGANIZATION: invoice.organizationId,
      INVOICE: invoice.invoiceId,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  await Promise.race([
    charged,
    once(child, 'exit').then(() => Promise.reject(new Error('The process ended by itself'))),
  ]);

  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  expect(await exited).toEqual([null, 'SIGKILL']);
  expect(printed).toBe('');
  expect(await booksOf(database, invoice)).toMatchObject({
    payment_status: 'pending',
    payments: [{ status: 'pending' }],
  });
  expect(stripe.charged(KEY)).toHaveLength(1);

  const payments = createPaymentsService(database, { stripeApiBase: stripe.url, collectionRetryDays: [3] });
  const now = new Date('2024-03-01T00:00:00Z');
  expect(await payments.attempt(invoice.organizationId, invoice.invoiceId, { attempt: 1, now })).toMatchObject({
    kind: 'paid',
    attempt: 1,
  });
  expect(stripe.charged(KEY)).toHaveLength(1);
  expect(await booksOf(database, invoice)).toMatchObject({
    payment_status: 'succeeded',
    total_paid_amount_cents: 12_900,
  });
});
