import { jest } from '@jest/globals';
import {
  aCharge,
  aMetric,
  aPlan,
  aProduct,
  given,
  itIs,
  itIsTerminated,
  type Product,
  type Story,
  until,
  usage,
} from '../builders/index.js';

/** Usage that is paid before the period ends: a fee for each event, once, whatever dies meanwhile. */
jest.setTimeout(180_000);

let product: Product;

beforeAll(async () => {
  product = await aProduct();
});

afterAll(() => product?.stop());

interface Fee {
  readonly lago_id: string;
  readonly amount_cents: number;
  readonly event_transaction_id: string | null;
  readonly lago_invoice_id: string | null;
  readonly payment_status: string;
}

const STANDALONE = aPlan().withCharge(aCharge().standard('1').paidInAdvance({ invoiceable: false }));

async function feesOf(story: Story): Promise<readonly Fee[]> {
  const { fees } = await story.api.get<{ fees: Fee[] }>('/api/v1/fees?fee_type=charge');
  return fees;
}

async function waiting(story: Story): Promise<number> {
  const [row] = await product.query<{ count: number }>(
    'select count(*)::int as count from advance_events where organization_id = $1',
    [story.organizationId],
  );
  return row!.count;
}

test('the worker is killed while it bills, and every event comes twice: each is billed once', async () => {
  const story = await given(product, STANDALONE);
  const events = Array.from({ length: 3_000 }, (_, i) => ({
    transaction_id: `event-${i}`,
    external_subscription_id: story.subscriptionId,
    code: 'tokens',
    properties: { value: 1 },
  }));
  for (let round = 0; round < 2; round += 1) {
    for (let i = 0; i < events.length; i += 100) {
      await story.api.postUntilAnswered(
        '/api/v1/events/batch',
        JSON.stringify({ events: events.slice(i, i + 100) }),
        60_000,
      );
    }
    if (round > 0) break;
    await until('some are billed', async () => (await feesOf(story)).length > 0);
    const left = await waiting(story);
    expect(left).toBeGreaterThan(0);
    await product.kill('worker').back();
  }
  await until('nothing waits', async () => (await waiting(story)) === 0);
  const fees = await product.query<{ event_transaction_id: string; amount_cents: number }>(
    'select event_transaction_id, amount_cents::int from fees where organization_id = $1',
    [story.organizationId],
  );
  expect(fees).toHaveLength(events.length);
  expect(new Set(fees.map((fee) => fee.event_transaction_id)).size).toBe(events.length);
  expect(fees.every((fee) => fee.amount_cents === 100)).toBe(true);
});

test('usage before the start or after the end is nobody’s; what comes late for a life that has ended is billed', async () => {
  const story = await given(product, STANDALONE);
  await story.when(itIs('2024-01-20T00:00:00Z'), itIsTerminated());
  await story.when(
    usage(1).at('2023-12-31T23:59:59Z'),
    usage(2).at('2024-01-10T00:00:00Z'),
    usage(4).at('2024-01-20T00:00:01Z'),
  );
  await until('nothing waits', async () => (await feesOf(story)).length > 0 && (await waiting(story)) === 0);
  expect((await feesOf(story)).map((fee) => fee.amount_cents)).toEqual([200]);
});

test('a fee is settled by who collects it, one on an invoice by its invoice', async () => {
  const story = await given(
    product,
    aMetric('tokens'),
    aMetric('calls').counting(),
    aPlan()
      .withCharge(aCharge('tokens').standard('1').paidInAdvance({ invoiceable: false, regroup_paid_fees: 'invoice' }))
      .withCharge(aCharge('calls').standard('3').paidInAdvance()),
  );
  await story.when(usage(5), usage(1).of('calls'));
  await story.settle();
  const [alone, invoiced] = [...(await feesOf(story))].sort((a, b) => b.amount_cents - a.amount_cents) as [Fee, Fee];
  expect([alone.amount_cents, alone.lago_invoice_id, invoiced.amount_cents]).toEqual([500, null, 300]);
  const settled = { fee: { payment_status: 'succeeded' } };
  expect(await story.api.put(`/api/v1/fees/${alone.lago_id}`, settled)).toMatchObject({
    fee: { payment_status: 'succeeded', succeeded_at: expect.any(String), failed_at: null },
  });
  await expect(story.api.put(`/api/v1/fees/${invoiced.lago_id}`, settled)).rejects.toThrow('invoiceable_fee');
  await expect(story.api.delete(`/api/v1/fees/${invoiced.lago_id}`)).rejects.toThrow('invoiced_fee');
  await expect(story.api.put(`/api/v1/fees/${alone.lago_id}`, { fee: { payment_status: 'gone' } })).rejects.toThrow(
    'value_is_invalid',
  );
  await story.when(itIs('2024-02-01T00:00:00Z'));
  const documents = (await story.invoices()).map((invoice) => [invoice.fees.length, invoice.total_amount_cents]);
  expect(documents).toContainEqual([1, 500]);
});

test('an estimate costs what the event would, stores nothing, and says what it does not know', async () => {
  const story = await given(
    product,
    aPlan().withCharge(aCharge().package('5', 10).paidInAdvance({ invoiceable: false })),
  );
  const event = { code: 'tokens', external_subscription_id: story.subscriptionId, properties: { value: 6 } };
  const amounts = async () => {
    const { fees } = await story.api.post<{ fees: Fee[] }>('/api/v1/events/estimate_fees', { event });
    return fees.map((fee) => fee.amount_cents);
  };
  expect(await amounts()).toEqual([500]);
  await story.when(usage(3));
  await story.settle();
  expect(await amounts()).toEqual([0]);
  expect(await feesOf(story)).toHaveLength(1);
  const wrong = (path: string, changes: Record<string, unknown>) =>
    story.api.post(`/api/v1/events/${path}`, { event: { ...event, ...changes } });
  await expect(wrong('estimate_fees', { external_subscription_id: 'none' })).rejects.toThrow('subscription_not_found');
  await expect(wrong('estimate_fees', { code: 'none' })).rejects.toThrow('billable_metric_not_found');
  await expect(wrong('estimate_fees', { external_subscription_id: null })).rejects.toThrow('value_is_mandatory');
  // A package needs to know what was used before.
  await expect(wrong('estimate_instant_fees', {})).rejects.toThrow('does_not_match_an_instant_charge');
  await expect(story.api.post('/api/v1/events/batch_estimate_instant_fees', { events: [] })).rejects.toThrow(
    'no_events',
  );
});
