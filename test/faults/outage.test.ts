import { jest } from '@jest/globals';
import {
  aCharge,
  aCustomer,
  aPlan,
  aProduct,
  aSubscription,
  given,
  type Happening,
  itIs,
  type Product,
  type Story,
  theWallClock,
  until,
  usage,
} from '../builders/index.js';
import { Wire } from './wire.js';

/**
 * Workers and Temporal die, and workflows are lost (design, invariants 7 and 8): everything that was due has happened
 * once, in order, with the amounts of an undisturbed life.
 */
jest.setTimeout(240_000);

let product: Product;
let wire: Wire;

beforeAll(async () => {
  product = await aProduct({
    own: ['temporal'],
    between: async (env) => {
      wire = await Wire.to(env.TEMPORAL_ADDRESS as string);
      return { TEMPORAL_ADDRESS: wire.address };
    },
  });
});

afterAll(async () => {
  await product?.stop();
  await wire?.close();
});

const MONTHS = ['01', '02', '03', '04', '05', '06', '07', '08', '09', '10', '11', '12'];
const PLAN = aPlan().costing(1000).withCharge(aCharge().standard('0.10'));

describe('A year of closes, the worker killed in spring and Temporal in summer', () => {
  const SUBSCRIPTIONS = ['ann-1', 'ann-2', 'bob-1'];
  let story: Story;

  beforeAll(async () => {
    story = await given(
      product,
      PLAN,
      aCustomer('ann').payingWith('pm_card_visa'),
      aCustomer('bob').inGraceFor(2),
      aSubscription('ann-1').of('ann'),
      aSubscription('ann-2').of('ann'),
      aSubscription('bob-1').of('bob'),
    );
    // As many tokens as the number of the month, for each of them.
    await story.when(
      ...MONTHS.flatMap((month) =>
        SUBSCRIPTIONS.map((id) => usage(Number(month)).on(id).at(`2024-${month}-15T00:00:00Z`)),
      ),
    );
    await story.startAdvance('2025-01-05T00:00:00Z');
    await until('spring', async () => (await closes(story)) >= 9, 60_000, 5);
    const worker = product.kill('worker');
    const inSpring = await closes(story);
    await worker.back();
    await until('summer', async () => (await closes(story)) > Math.max(inSpring, 15), 90_000, 5);
    const temporal = product.kill('temporal');
    const inSummer = await closes(story);
    await temporal.back();
    // Both died in the middle of it, or this shows nothing.
    expect(inSpring).toBeLessThan(30);
    expect(inSummer).toBeLessThan(36);
    await story.ready(180_000);
  });

  test('every period was closed once, one behind the other', async () => {
    for (const id of SUBSCRIPTIONS) {
      const periods = await product.query<{ from: string; to: string; billed: string }>(
        `select to_char(charges_from_at at time zone 'UTC', 'YYYY-MM-DD') as from,
                to_char(charges_to_at at time zone 'UTC', 'YYYY-MM-DD') as to,
                to_char(billing_at at time zone 'UTC', 'YYYY-MM-DD') as billed
           from billing_periods where organization_id = $1 and external_subscription_id = $2 order by billing_at`,
        [story.organizationId, id],
      );
      const bounds = [...MONTHS.map((month) => `2024-${month}-01`), '2025-01-01'];
      const expected = MONTHS.map((_, i) => ({ from: bounds[i], to: bounds[i + 1], billed: bounds[i + 1] }));
      expect(periods).toEqual(expected);
    }
  });

  test('each month is on one invoice a customer, numbered in order without a gap, and paid once', async () => {
    const invoices = await story.invoices();
    const of = (customer: string) =>
      invoices
        .filter(({ fees }) => fees[0]!.external_subscription_id!.startsWith(customer))
        .map(({ number, status, payment_status: payment, issuing_date: date, total_amount_cents: total }) =>
          [number, status, payment, date, total].join(' '),
        );
    const issued = (i: number, day: string) => `${i === 11 ? '2025-01' : `2024-${MONTHS[i + 1]}`}-${day}`;
    const nth = (i: number) => String(i + 1).padStart(3, '0');
    expect(of('ann')).toEqual(
      MONTHS.map((_, i) => `ACM-001-${nth(i)} finalized succeeded ${issued(i, '01')} ${2 * (1000 + 10 * (i + 1))}`),
    );
    expect(of('bob')).toEqual(
      MONTHS.map((_, i) => `ACM-002-${nth(i)} finalized pending ${issued(i, '03')} ${1000 + 10 * (i + 1)}`),
    );
    const charges = await product.query<{ count: number; total: number }>(
      'select count(*)::int, sum(amount_cents)::int as total from sandbox_charges where organization_id = $1',
      [story.organizationId],
    );
    expect(charges).toEqual([{ count: 12, total: 2 * (12_000 + 10 * 78) }]);
  });

  test('nothing is left to do', async () => {
    await story.nothingHappensWhen(itIs('2025-01-20T00:00:00Z'));
    expect(await story.awaited()).toEqual(Array(3).fill('subscription period_end 2025-02-01T00:00:00Z'));
  });
});

test('workflows that were lost are started again from the record, and bill as if nothing had happened', async () => {
  const EMPTY = 'pm_card_chargeDeclinedInsufficientFunds';
  const things = [
    PLAN,
    aCustomer('grace').inGraceFor(10),
    aCustomer('retry').payingWith(EMPTY),
    aCustomer('later'),
    aSubscription('grace-1').of('grace'),
    aSubscription('retry-1').of('retry'),
    aSubscription('later-1').of('later').from('2024-03-10T00:00:00Z'),
  ];
  const january: Happening[] = [
    usage(4).on('grace-1').at('2024-01-10T00:00:00Z'),
    usage(5).on('retry-1').at('2024-01-10T00:00:00Z'),
    itIs('2024-02-02T00:00:00Z'),
  ];
  const later: Happening[] = [
    usage(6).on('grace-1').at('2024-01-20T00:00:00Z'),
    usage(7).on('retry-1').at('2024-02-10T00:00:00Z'),
    itIs('2024-04-20T00:00:00Z'),
  ];
  const undisturbed = await given(product, ...things);
  await undisturbed.when(...january, ...later);

  const story = await given(product, ...things);
  await story.when(...january);
  // Three subscriptions, a draft in grace, an invoice between two attempts. Temporal's list follows the runs by a moment.
  await until('the list shows all five', async () => (await running(story)).length === 5);
  const before = await running(story);
  for (const id of before) await product.temporal.workflow.getHandle(id).terminate('lost by a test');
  await until('all are gone', async () => (await running(story)).length === 0);

  expect(await product.billow('rebuild', 'workflows')).toMatch(/\d+ workflows started or told/);
  await until('all run again', async () => (await running(story)).length === before.length);
  expect(await running(story)).toEqual(before);
  await story.nothingHappensWhen({ happen: async () => void (await product.billow('rebuild', 'workflows')) });

  await story.when(...later);
  expect(await story.documents()).toEqual(await undisturbed.documents());
  expect(await story.attempts()).toEqual(await undisturbed.attempts());
  expect(await story.awaited()).toEqual(await undisturbed.awaited());
  expect(await story.documents()).toContain(
    'ACM-001-001 finalized pending 2024-02-11: team 1000 + tokens 10.0 = 100, 1100 EUR',
  );
});

test('one that is paused until it is told to resume is started again as well', async () => {
  const story = await given(product, aPlan().costing(3100));
  await story.when(itIs('2024-01-11T00:00:00Z'));
  await story.api.post(`/api/v1/subscriptions/${story.subscriptionId}/pause`, { subscription: {} });
  await story.settle();
  await until('the list shows it', async () => (await running(story)).length === 1);
  const [id] = await running(story);
  await product.temporal.workflow.getHandle(id!).terminate('lost by a test');
  await until('it is gone', async () => (await running(story)).length === 0);

  await product.billow('rebuild', 'workflows');
  await until('it runs again', async () => (await running(story)).length === 1);
  await story.nothingHappensWhen({ happen: async () => void (await product.billow('rebuild', 'workflows')) });
  await product.temporal.workflow.getHandle(id!).executeUpdate('resume', { args: [{}] });
  await story.settle();
  await story.when(itIs('2024-02-01T00:00:00Z'));
  expect((await story.invoices()).map(({ fees_amount_cents: fees }) => fees)).toEqual([1000, 2100]);
});

test('while Temporal is out of reach the API takes subscriptions and usage; their workflows start when it is back', async () => {
  const story = await given(product, theWallClock(), PLAN, aSubscription('before'));
  const workflow = (id: string) => `subscription/${story.organizationId}/${id}/1`;
  const late = usage(3).on('during');
  wire.cut();
  try {
    const asked = Date.now();
    await story.subscribe(aSubscription('during'));
    await story.when(late);
    // A request waits for a word to Temporal, but not for its return.
    expect(Date.now() - asked).toBeLessThan(12_000);
    expect(await story.subscriptions()).toEqual(['before active', 'during active']);
    await until(
      'the usage is stored',
      async () => (await story.currentUsage('during')).charges_usage[0]?.units === '3.0',
    );
    expect(await running(story)).toEqual([workflow('before')]);
  } finally {
    wire.mend();
  }
  await until('both run', async () => (await running(story)).length === 2, 60_000);
  expect(await running(story)).toEqual([workflow('before'), workflow('during')]);

  await story.api.delete('/api/v1/subscriptions/during');
  await until('it is billed', async () => (await story.invoices()).length === 1, 60_000);
  expect((await story.lastInvoice()).fees.map(({ item, units }) => `${item.code} ${units}`)).toContain('tokens 3.0');
});

async function closes(story: Story): Promise<number> {
  const [row] = await product.query<{ count: number }>(
    'select count(*)::int as count from billing_periods where organization_id = $1',
    [story.organizationId],
  );
  return row!.count;
}

/** Ids of the workflows that live for this organization, without the clock's own. */
async function running(story: Story): Promise<string[]> {
  const query = `ExecutionStatus = "Running" and OrganizationId = "${story.organizationId}"`;
  const ids: string[] = [];
  for await (const { workflowId } of product.temporal.workflow.list({ query })) ids.push(workflowId);
  return ids.filter((id) => !id.startsWith('clock/')).sort();
}
