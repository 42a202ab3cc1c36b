import {
  aCharge,
  aPlan,
  aProduct,
  aSubscription,
  given,
  itIs,
  itIsTerminated,
  type Product,
  type Story,
  usage,
} from '../builders/index.js';

/** Where a life ends and another one of the same name begins, on a test clock, over HTTP. */
let product: Product;

beforeAll(async () => {
  product = await aProduct();
});

afterAll(() => product?.stop());

const PLAN = aPlan().costing(3100).withCharge(aCharge().standard('0.10'));

interface Shown {
  status: string;
  subscription_at: string;
  started_at: string | null;
  on_termination_credit_note: string | null;
  on_termination_invoice: string;
}

async function shown(story: Story, status = 'active'): Promise<Shown> {
  const path = `/api/v1/subscriptions/${story.subscriptionId}?status=${status}`;
  return (await story.api.get<{ subscription: Shown }>(path)).subscription;
}

async function changed(story: Story, fields: Record<string, unknown>, status = 'active'): Promise<void> {
  await story.api.put(`/api/v1/subscriptions/${story.subscriptionId}?status=${status}`, { subscription: fields });
  await story.settle();
}

async function credits(story: Story): Promise<number[]> {
  const { credit_notes: notes } = await story.api.get<{ credit_notes: { total_amount_cents: number }[] }>(
    '/api/v1/credit_notes',
  );
  return notes.map(({ total_amount_cents: total }) => total);
}

async function billed(story: Story): Promise<string[]> {
  return (await story.documents()).map((line) => line.replace(/^.*?(\d{4}-\d\d-\d\d: .*), \d+ EUR$/, '$1'));
}

describe('What an end leaves', () => {
  test.each([
    ['by default', '', [1600]],
    ['as the call says', '?on_termination_credit_note=skip', []],
    ['without a last invoice', '?on_termination_invoice=skip', [1600]],
  ])('of a plan in advance: %s', async (_, query, expected) => {
    const story = await given(product, PLAN.inAdvance());
    await story.when(usage(5), itIs('2024-01-15T12:00:00Z'), itIsTerminated('sub', query));
    expect(await credits(story)).toEqual(expected);
    const last = query.includes('invoice=skip') ? [] : ['2024-01-15: tokens 5.0 = 50'];
    expect((await billed(story)).slice(1)).toEqual(last);
  });

  test('as the subscription says', async () => {
    const story = await given(product, PLAN.inAdvance());
    await changed(story, { on_termination_credit_note: 'skip', on_termination_invoice: 'skip' });
    expect(await shown(story)).toMatchObject({ on_termination_credit_note: 'skip', on_termination_invoice: 'skip' });
    await story.when(usage(5), itIs('2024-01-15T12:00:00Z'), itIsTerminated());
    expect(await credits(story)).toEqual([]);
    expect(await story.documents()).toHaveLength(1);
  });

  test('in arrears nothing to credit, whatever is said', async () => {
    const story = await given(product, PLAN);
    await changed(story, { on_termination_credit_note: 'refund' });
    expect(await shown(story)).toMatchObject({ on_termination_credit_note: null });
    await expect(changed(story, { on_termination_credit_note: 'all' })).rejects.toThrow(/422.*invalid_value/);
  });

  test('on a bound: the new period is asked for and given back but for its first day', async () => {
    const story = await given(product, PLAN.inAdvance());
    await story.when(itIs('2024-02-01T00:00:00Z'), itIsTerminated());
    expect((await billed(story)).slice(1, 2)).toEqual(['2024-02-01: team 3100']);
    expect(await credits(story)).toEqual([2993]);
  });

  test('in a trial: nothing was paid', async () => {
    const story = await given(product, PLAN.inAdvance().withTrialOf(10));
    await story.when(usage(5), itIs('2024-01-05T00:00:00Z'), itIsTerminated(), itIs('2024-02-02T00:00:00Z'));
    expect(await billed(story)).toEqual(['2024-01-05: tokens 5.0 = 50']);
    expect(await credits(story)).toEqual([]);
  });
});

describe('A new one of the same name', () => {
  test('does not reach back into time that was invoiced', async () => {
    const story = await given(product, PLAN);
    await story.when(itIs('2024-01-15T12:00:00Z'), itIsTerminated(), itIs('2024-01-20T00:00:00Z'));
    await story.subscribe(aSubscription().from('2024-01-10T00:00:00Z'));
    expect(await shown(story)).toMatchObject({
      subscription_at: '2024-01-10T00:00:00Z',
      started_at: '2024-01-15T12:00:00.000Z',
    });
    await story.when(itIs('2024-02-01T00:00:00Z'));
    expect(await billed(story)).toEqual(['2024-01-15: team 1500', '2024-02-01: team 1700']);
  });

  test('has no second trial', async () => {
    const story = await given(product, PLAN.inAdvance().withTrialOf(10));
    await story.when(itIs('2024-01-05T00:00:00Z'), itIsTerminated(), itIs('2024-01-21T00:00:00Z'));
    await story.subscribe(aSubscription());
    await story.settle();
    expect((await billed(story)).at(-1)).toBe('2024-01-21: team 1100');
  });
});

describe('A start that is moved', () => {
  test('to a later day, and to one that is over', async () => {
    const story = await given(product, PLAN, aSubscription().from('2024-01-10T00:00:00Z'));
    await changed(story, { subscription_at: '2024-01-17T00:00:00Z' }, 'pending');
    expect(await story.awaited()).toEqual(['subscription activation 2024-01-17T00:00:00Z']);
    await story.when(itIs('2024-01-12T00:00:00Z'));
    expect(await story.subscriptions()).toEqual(['sub pending']);
    await changed(story, { subscription_at: '2024-01-11T00:00:00Z' }, 'pending');
    expect(await shown(story)).toMatchObject({ started_at: '2024-01-11T00:00:00.000Z' });
    await story.when(itIs('2024-02-01T00:00:00Z'));
    expect(await billed(story)).toEqual(['2024-02-01: team 2100']);
  });

  test('stays where it is once it has begun', async () => {
    const story = await given(product, PLAN);
    await changed(story, { subscription_at: '2024-06-01T00:00:00Z' });
    expect(await shown(story)).toMatchObject({ subscription_at: '2024-01-01T00:00:00Z', status: 'active' });
  });
});
