import { aCharge, aPlan, aProduct, given, itIs, type Product, usage } from '../builders/index.js';

/** What the usage of a running and of closed periods is answered as. */
let product: Product;

beforeAll(async () => {
  product = await aProduct();
});

afterAll(() => product?.stop());

interface Usage {
  readonly amount_cents: number;
  readonly from_datetime: string;
  readonly lago_invoice_id: string | null;
  readonly charges_usage: readonly {
    readonly units: string;
    readonly amount_cents: number;
    readonly billable_metric: { readonly code: string };
    readonly grouped_usage: readonly { readonly grouped_by: unknown; readonly units: string }[];
    readonly grouped_usage_meta?: { readonly total_count: number; readonly total_pages: number };
  }[];
}

test('by group, in pages of groups, and once billed as past usage', async () => {
  const grouped = aCharge().standard('1');
  const plan = aPlan().withCharge(
    Object.assign(grouped, {
      fields: { ...grouped.fields, properties: { amount: '1', pricing_group_keys: ['user'] } },
    }),
  );
  const story = await given(product, plan);
  const path = `/api/v1/customers/cust/current_usage?external_subscription_id=sub`;
  const current = async (query = '') => (await story.api.get<{ customer_usage: Usage }>(path + query)).customer_usage;

  const [unused] = (await current()).charges_usage;
  expect(unused).toMatchObject({ units: '0.0', amount_cents: 0 });

  for (const user of ['a', 'b', 'c']) {
    await story.api.post('/api/v1/events', {
      event: {
        transaction_id: `tx-${user}`,
        external_subscription_id: 'sub',
        code: 'tokens',
        timestamp: Date.parse('2024-01-05T00:00:00Z') / 1000,
        properties: { value: 2, user },
      },
    });
  }
  await story.settle();
  expect((await current()).charges_usage[0]).toMatchObject({ units: '6.0', amount_cents: 600 });
  expect((await current()).charges_usage[0]!.grouped_usage).toHaveLength(3);
  expect(await current('&filter_by_group[user]=b')).toMatchObject({ amount_cents: 200 });
  expect((await current('&filter_by_charge_code=none')).charges_usage).toEqual([]);
  const paged = (await current('&groups_per_page=2&groups_page=2')).charges_usage[0]!;
  expect(paged).toMatchObject({
    units: '6.0',
    amount_cents: 600,
    grouped_usage_meta: { total_count: 3, total_pages: 2 },
  });
  expect(paged.grouped_usage).toEqual([expect.objectContaining({ grouped_by: { user: 'c' }, units: '2.0' })]);

  await story.when(itIs('2024-02-01T00:00:00Z'), usage(5).at('2024-02-02T00:00:00Z'), itIs('2024-03-01T00:00:00Z'));
  const past = async (query = '') => {
    const answer = await story.api.get<{ usage_periods: Usage[]; meta: { total_count: number } }>(
      `/api/v1/customers/cust/past_usage?external_subscription_id=sub${query}`,
    );
    return answer.usage_periods;
  };
  const periods = await past();
  expect(periods.map((period) => [period.from_datetime, period.amount_cents])).toEqual([
    ['2024-02-01T00:00:00Z', 500],
    ['2024-01-01T00:00:00Z', 600],
  ]);
  expect(periods[1]!.lago_invoice_id).toBe((await story.invoices())[0]!.lago_id);
  expect(periods[1]!.charges_usage[0]!.grouped_usage).toHaveLength(3);
  expect(await past('&periods_count=1')).toHaveLength(1);
  expect((await past('&billable_metric_code=none'))[0]!.charges_usage).toEqual([]);
  await expect(story.api.get('/api/v1/customers/cust/past_usage')).rejects.toMatchObject({ status: 422 });
  await expect(past('x')).rejects.toMatchObject({ status: 404 });
});
