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
  for (const filter of ['filter_by_group', 'group']) {
    for (const asked of [
      `${filter}[user]=b`,
      `${filter}[user][]=b`,
      `${filter}=${encodeURIComponent('{"user":"b"}')}`,
    ]) {
      expect(await current(`&${asked}`)).toMatchObject({ amount_cents: 200 });
    }
    expect(await current(`&${filter}[user][]=b&${filter}[user][]=c`)).toMatchObject({ amount_cents: 400 });
    await expect(current(`&${filter}=b`)).rejects.toMatchObject({ status: 422 });
  }
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

interface Fee {
  readonly lago_id: string;
  readonly amount_cents: number;
  readonly from_date: string;
}

async function pastUsage(story: Story, query = ''): Promise<{ periods: Usage[]; total: number }> {
  const answer = await story.api.get<{ usage_periods: Usage[]; meta: { total_count: number } }>(
    `/api/v1/customers/cust/past_usage?external_subscription_id=sub${query}`,
  );
  return { periods: answer.usage_periods, total: answer.meta.total_count };
}

/** `tokens 2.0 200`: each charge with its units and cents. */
const charged = ({ charges_usage }: Usage) =>
  charges_usage.map((charge) => `${charge.billable_metric.code} ${charge.units} ${charge.amount_cents}`);

async function chargeFees(story: Story): Promise<Fee[]> {
  return (await story.api.get<{ fees: Fee[] }>('/api/v1/fees?fee_type=charge&per_page=100')).fees;
}

async function allIsBilled(story: Story): Promise<void> {
  await story.settle();
  await until('nothing waits', async () => {
    const waiting = await product.query('select 1 from advance_events where organization_id = $1', [
      story.organizationId,
    ]);
    return waiting.length === 0;
  });
}

const PAID_ANYHOW = aPlan()
  .withCharge(aCharge('tokens').standard('1'))
  .withCharge(aCharge('calls').standard('2').paidInAdvance())
  .withCharge(aCharge('pings').standard('3').paidInAdvance({ invoiceable: false, regroup_paid_fees: 'invoice' }))
  .withCharge(aCharge('seats').standard('5').paidInAdvance());

test('past usage shows every fee once, in the period of its time, however it was paid', async () => {
  const story = await given(
    product,
    ...[aMetric('tokens'), aMetric('calls').counting(), aMetric('pings').counting(), aMetric('seats').recurring()],
    PAID_ANYHOW,
  );
  await story.when(usage(7), usage().of('calls'), usage().of('calls'), usage().of('pings'), usage(3).of('seats'));
  await allIsBilled(story);
  const ping = (await chargeFees(story)).find((fee) => fee.amount_cents === 300)!;
  await story.api.put(`/api/v1/fees/${ping.lago_id}`, { fee: { payment_status: 'succeeded' } });
  expect(await pastUsage(story)).toEqual({ periods: [], total: 0 });

  await story.when(itIs('2024-02-01T00:00:00Z'));
  const january = ['tokens 7.0 700', 'calls 2.0 400', 'pings 1.0 300', 'seats 3.0 1500'];
  const first = await pastUsage(story);
  expect([first.total, first.periods.map(charged)]).toEqual([1, [january]]);

  // The renewal of 3 seats is February's; of the two pings one is January’s.
  await story.when(itIs('2024-02-10T00:00:00Z'), usage(1).of('seats'), usage().of('pings'));
  await story.when(usage().of('pings').at('2024-01-20T00:00:00Z'));
  await allIsBilled(story);
  await story.when(itIs('2024-03-01T00:00:00Z'));
  const { periods, total } = await pastUsage(story);
  expect(total).toBe(2);
  expect(periods.map(({ from_datetime, amount_cents }) => [from_datetime, amount_cents])).toEqual([
    ['2024-02-01T00:00:00Z', 2300],
    ['2024-01-01T00:00:00Z', 3200],
  ]);
  expect(periods.map(charged)).toEqual([
    ['pings 1.0 300', 'seats 4.0 2000'],
    ['tokens 7.0 700', 'calls 2.0 400', 'pings 2.0 600', 'seats 3.0 1500'],
  ]);
  const closes = (await story.invoices()).filter((invoice) =>
    invoice.billing_periods.some(({ invoicing_reason }) => invoicing_reason === 'subscription_periodic'),
  );
  expect(periods.map((period) => period.lago_invoice_id)).toEqual(closes.map(({ lago_id }) => lago_id).reverse());
  const closed = (await chargeFees(story)).filter((fee) => fee.from_date < '2024-03-01');
  const sum = (some: readonly { amount_cents: number }[]) => some.reduce((total, one) => total + one.amount_cents, 0);
  expect(sum(periods)).toBe(sum(closed));
  expect((await pastUsage(story, '&billable_metric_code=pings&periods_count=1')).periods.map(charged)).toEqual([
    ['pings 1.0 300'],
  ]);
});

test('what was paid in advance of a time that nobody invoices is past usage of its neighbour', async () => {
  const story = await given(product, aPlan().withCharge(aCharge().standard('1').paidInAdvance({ invoiceable: false })));
  const charges = async () => (await pastUsage(story)).periods.map(charged);
  await story.when(usage(1), itIs('2024-01-10T00:00:00Z'));
  await story.api.post('/api/v1/subscriptions/sub/pause');
  await story.settle();
  expect(await charges()).toEqual([]);
  await story.when(itIs('2024-01-20T00:00:00Z'));
  await story.api.post('/api/v1/subscriptions/sub/resume');
  await story.when(usage(2), itIs('2024-02-01T00:00:00Z'));
  expect(await charges()).toEqual([['tokens 3.0 300']]);
  await story.when(usage(4), itIs('2024-02-10T00:00:00Z'));
  expect(await charges()).toEqual([['tokens 3.0 300']]);
  await story.when(itIsTerminated('sub', '?on_termination_invoice=skip'));
  expect(await charges()).toEqual([['tokens 7.0 700']]);
});

interface Presented {
  readonly presentation_breakdowns: readonly {
    readonly presentation_by: Record<string, string | null>;
    readonly units: string;
  }[];
}

interface PresentedUsage {
  readonly charges_usage: readonly (Presented & {
    readonly amount_cents: number;
    readonly filters: readonly (Presented & { readonly values: unknown })[];
    readonly grouped_usage: readonly (Presented & { readonly grouped_by: unknown })[];
  })[];
}

/** `red/eu 2.0`: the values of the keys and the units of each part. */
const partsOf = ({ presentation_breakdowns: parts }: Presented) =>
  parts.map(
    ({ presentation_by: by, units }) =>
      `${Object.keys(by)
        .sort()
        .map((key) => by[key])
        .join('/')} ${units}`,
  );

function presentedBy(charge: ReturnType<typeof aCharge>, keys: readonly unknown[], more: Record<string, unknown> = {}) {
  const properties = { amount: '1', presentation_group_keys: keys, ...more };
  return Object.assign(charge, { fields: { ...charge.fields, properties } });
}

test('units are shown by presentation keys: in current usage, on fees and in past usage, at the same price', async () => {
  const filtered = aCharge('tokens').standard('1');
  const story = await given(
    product,
    Object.assign(aMetric('tokens'), {
      fields: { ...aMetric('tokens').fields, filters: [{ key: 'model', values: ['small', 'large'] }] },
    }),
    ...[aMetric('users').countingUnique('value'), aMetric('calls'), aMetric('plain')],
    aPlan()
      .withCharge(
        presentedBy(
          Object.assign(filtered, {
            fields: { ...filtered.fields, filters: [{ values: { model: ['large'] }, properties: { amount: '2' } }] },
          }),
          ['team', { value: 'city', options: { display_in_invoice: false } }],
        ),
      )
      .withCharge(presentedBy(aCharge('users'), [{ value: 'team' }], { pricing_group_keys: ['city'] }))
      .withCharge(presentedBy(aCharge('calls').paidInAdvance(), ['team']))
      .withCharge(aCharge('plain').standard('1')),
  );
  let sent = 0;
  const use = (code: string, value: unknown, properties: Record<string, unknown>) =>
    story.api.post('/api/v1/events', {
      event: {
        transaction_id: `tx-${(sent += 1)}`,
        external_subscription_id: 'sub',
        code,
        timestamp: Date.parse('2024-01-05T00:00:00Z') / 1000,
        properties: { value, ...properties },
      },
    });
  const path = '/api/v1/customers/cust/current_usage?external_subscription_id=sub';
  const current = async (query = '') =>
    (await story.api.get<{ customer_usage: PresentedUsage }>(path + query)).customer_usage.charges_usage;
  expect((await current()).map(partsOf)).toEqual([[], [], [], []]);

  await use('tokens', 1, { team: 'red', city: 'Bern' });
  await use('tokens', 2, { team: 'red', city: 'Rome', model: 'large' });
  await use('tokens', 3, { team: 'blue', city: 'Rome', model: 'large' });
  await use('tokens', 4, {});
  await use('users', 'ada', { team: 'red', city: 'Bern' });
  await use('users', 'ada', { team: 'blue', city: 'Bern' });
  await use('calls', 5, { team: 'red' });
  await use('calls', 6, { team: 'blue' });
  await use('plain', 7, { team: 'red' });
  await allIsBilled(story);

  const [tokens, users, calls, plain] = await current();
  expect([tokens, users, calls, plain].map((charge) => charge!.amount_cents)).toEqual([1500, 100, 1100, 700]);
  expect([tokens!, calls!, plain!].map(partsOf)).toEqual([
    ['Bern/red 1.0', 'Rome/blue 3.0', 'Rome/red 2.0', '/ 4.0'],
    ['blue 6.0', 'red 5.0'],
    [],
  ]);
  expect(tokens!.filters.map((filter) => [filter.values, partsOf(filter)])).toEqual([
    [{ model: ['large'] }, ['Rome/blue 3.0', 'Rome/red 2.0']],
    [null, ['Bern/red 1.0', '/ 4.0']],
  ]);
  expect([partsOf(users!), users!.grouped_usage.map(partsOf)]).toEqual([[], [['blue 1.0', 'red 1.0']]]);

  const filter = async (value: string) => (await current(`&filter_by_presentation${value}`)).map(partsOf)[0];
  expect(await filter('=["team"]')).toEqual(['blue 3.0', 'red 3.0', ' 4.0']);
  expect(await filter('[]=city')).toEqual(['Bern 1.0', 'Rome 5.0', ' 4.0']);
  expect(await filter('=["Bern"]')).toEqual(['Bern/red 1.0']);
  expect(await filter('=[]')).toEqual([]);

  await story.when(itIs('2024-02-01T00:00:00Z'));
  const onFees = (await story.invoices()).flatMap(({ fees }) =>
    fees.map((fee) => [fee.item.code, fee.units, partsOf(fee as unknown as Presented)]),
  );
  const billed = [
    ['calls', '5.0', ['red 5.0']],
    ['calls', '6.0', ['blue 6.0']],
    ['tokens', '5.0', ['blue 3.0', 'red 2.0']],
    ['tokens', '5.0', ['red 1.0', ' 4.0']],
    ['users', '1.0', ['blue 1.0', 'red 1.0']],
    ['plain', '7.0', []],
  ];
  expect(onFees).toHaveLength(billed.length);
  expect(onFees).toEqual(expect.arrayContaining(billed));

  // What was issued is shown as it was made, whatever the plan says now.
  await story.api.put('/api/v1/plans/team/charges/tokens', {
    charge: { charge_model: 'standard', properties: { amount: '1' } },
  });
  const past = await story.api.get<{ usage_periods: PresentedUsage[] }>(
    '/api/v1/customers/cust/past_usage?external_subscription_id=sub',
  );
  const [billedTokens, billedUsers, billedCalls, billedPlain] = past.usage_periods[0]!.charges_usage;
  expect([billedTokens!, billedCalls!, billedPlain!].map(partsOf)).toEqual([tokens!, calls!, plain!].map(partsOf));
  expect(billedTokens!.filters.map(partsOf)).toEqual(tokens!.filters.map(partsOf));
  expect(billedUsers!.grouped_usage.map(partsOf)).toEqual([['blue 1.0', 'red 1.0']]);
});

test('since the start of the subscription, of a charge or of a group', async () => {
  const grouped = aCharge('calls').standard('1');
  const fields = { ...grouped.fields, properties: { amount: '1', pricing_group_keys: ['user'] } };
  const story = await given(
    product,
    aMetric(),
    aMetric('calls').counting(),
    aMetric('seats').summing('value').recurring(),
    aPlan()
      .withCharge(aCharge().standard('1').paidInAdvance())
      .withCharge(Object.assign(grouped, { fields }))
      .withCharge(aCharge('seats').standard('1').paidInAdvance()),
  );
  const send = async (code: string, at: string, value: number, user = 'a') => {
    const event = {
      code,
      external_subscription_id: 'sub',
      timestamp: Date.parse(at) / 1000,
      properties: { value, user },
    };
    await story.api.post('/api/v1/events', { event: { transaction_id: `${code} ${at} ${user}`, ...event } });
  };
  const current = async (query: string) =>
    (
      await story.api.get<{ customer_usage: Usage }>(
        `/api/v1/customers/cust/current_usage?external_subscription_id=sub&${query}`,
      )
    ).customer_usage;
  const units = async (query: string) => (await current(query)).charges_usage.map((charge) => charge.units);

  for (const [at, value] of [
    ['2024-01-05T00:00:00Z', 5],
    ['2024-01-06T00:00:00Z', -2],
  ] as const) {
    await send('tokens', at, value);
    await send('seats', at, value);
    await send('calls', at, 1);
  }
  await story.when(itIs('2024-02-01T00:00:00Z'));
  await send('tokens', '2024-02-01T00:00:00Z', 4);
  await send('calls', '2024-02-01T00:00:00Z', 1, 'b');
  await story.settle();

  expect(await units('')).toEqual(['4.0', '1.0', '3.0']);
  expect(await current('filter_by_charge_code=tokens')).toMatchObject({
    from_datetime: '2024-02-01T00:00:00Z',
    amount_cents: 400,
  });
  expect(await current('filter_by_charge_code=tokens&full_usage=true')).toMatchObject({
    from_datetime: '2024-01-01T00:00:00Z',
    to_datetime: '2024-02-29T23:59:59Z',
    amount_cents: 700,
    charges_usage: [{ units: '7.0', amount_cents: 700 }],
  });
  expect(await units('charge_code=calls&full_usage=true')).toEqual(['3.0']);
  expect(await current('filter_by_group[user]=a&full_usage=true')).toMatchObject({ amount_cents: 200 });
  expect(await units('charge_code=seats&full_usage=true')).toEqual(['3.0']);
  expect(await units('charge_code=calls&full_usage=false')).toEqual(['1.0']);
  for (const unfiltered of ['', '&billable_metric_code=calls', '&filter_by_group={}']) {
    await expect(current(`full_usage=true${unfiltered}`)).rejects.toMatchObject({
      status: 405,
      body: expect.stringContaining('full_usage_not_allowed') as string,
    });
  }
});
