import {
  aCharge,
  aMetric,
  aPlan,
  aProduct,
  aSubscription,
  given,
  type Happening,
  itIs,
  itIsTerminated,
  type Product,
  type Story,
  usage,
} from '../builders/index.js';

/** A subscription that stands still for a while, and a trial that becomes longer: over HTTP, and from Temporal. */
let product: Product;

beforeAll(async () => {
  product = await aProduct();
});

afterAll(() => product?.stop());

const PLAN = aPlan().costing(3100).withCharge(aCharge().standard('0.10'));

const asked = (what: 'pause' | 'resume' | 'trial', fields: Record<string, unknown> = {}): Happening => ({
  async happen(story) {
    await story.api.post(`/api/v1/subscriptions/${story.subscriptionId}/${what}`, { subscription: fields });
    await story.settle();
  },
});

function supportSays(story: Story, update: string, argument: object = {}): Promise<unknown> {
  const id = `subscription/${story.organizationId}/${story.subscriptionId}/1`;
  return product.temporal.workflow.getHandle(id).executeUpdate<unknown, [object]>(update, { args: [argument] });
}

interface Shown {
  status: string;
  paused_at: string | null;
  resume_at: string | null;
  trial_ends_at: string | null;
}

async function shown(story: Story): Promise<Shown> {
  return (await story.api.get<{ subscription: Shown }>(`/api/v1/subscriptions/${story.subscriptionId}`)).subscription;
}

async function billed(story: Story): Promise<string[]> {
  return (await story.documents()).map((line) => line.replace(/^.*?(\d{4}-\d\d-\d\d: .*), \d+ EUR$/, '$1'));
}

describe('A pause', () => {
  test('in arrears: what is owed is billed, and nothing accrues until it goes on', async () => {
    const story = await given(product, PLAN);
    await story.when(usage(5).at('2024-01-10T00:00:00Z'), itIs('2024-01-11T12:00:00Z'), asked('pause'));
    expect(await shown(story)).toMatchObject({ status: 'active', paused_at: '2024-01-11T12:00:00Z', resume_at: null });
    // Ten of 31 days, without the day of the pause.
    expect(await billed(story)).toEqual(['2024-01-11: team 1000 + tokens 5.0 = 50']);
    expect(await story.awaited()).toEqual([]);

    await story.when(usage(100).at('2024-01-20T00:00:00Z'), itIs('2024-02-20T00:00:00Z'), usage(1000));
    expect(await story.documents()).toHaveLength(1);
    await story.when(itIs('2024-02-20T12:00:00Z'), asked('resume'));
    expect(await shown(story)).toMatchObject({ paused_at: null, resume_at: null });
    await story.when(usage(7).at('2024-02-20T12:00:00Z'), itIs('2024-03-01T00:00:00Z'));
    // Ten of 29 days, with that of the resumption.
    expect((await billed(story)).slice(1)).toEqual(['2024-03-01: team 1069 + tokens 7.0 = 70']);
    await story.when(itIs('2024-04-01T00:00:00Z'));
    expect((await billed(story)).at(-1)).toBe('2024-04-01: team 3100');
  });

  test('in advance: the days from that of the pause are credited, those from the resumption billed', async () => {
    const story = await given(product, PLAN.inAdvance());
    await story.when(itIs('2024-01-11T12:00:00Z'), asked('pause', { resume_at: '2024-01-21T00:00:00Z' }));
    expect(await story.awaited()).toEqual(['subscription resume 2024-01-21T00:00:00Z']);
    const { credit_notes: notes } = await story.api.get<{ credit_notes: { credit_amount_cents: number }[] }>(
      '/api/v1/credit_notes',
    );
    expect(notes).toMatchObject([{ credit_amount_cents: 2100 }]);
    await story.when(itIs('2024-01-25T00:00:00Z'));
    expect(await shown(story)).toMatchObject({ paused_at: null });
    // Eleven days, paid by the credit.
    expect((await story.documents()).at(-1)).toMatch(/succeeded 2024-01-21: team 1100, 0 EUR$/);
    await story.when(itIs('2024-02-01T00:00:00Z'));
    expect((await story.documents()).at(-1)).toMatch(/2024-02-01: team 3100, 2100 EUR$/);
  });

  test('of an hour costs nobody a day', async () => {
    const story = await given(product, PLAN);
    await story.when(itIs('2024-01-11T12:00:00Z'), asked('pause'), itIs('2024-01-11T13:00:00Z'), asked('resume'));
    await story.when(itIs('2024-02-01T00:00:00Z'));
    expect(await billed(story)).toEqual(['2024-01-11: team 1000', '2024-02-01: team 2100']);
  });

  test('of no time at all, twice', async () => {
    const story = await given(product, PLAN.inAdvance());
    await story.when(asked('pause'), asked('resume'), asked('pause'), asked('resume'));
    await story.when(itIs('2024-02-01T00:00:00Z'));
    const invoices = await story.invoices();
    expect(invoices.map(({ fees_amount_cents: fees }) => fees)).toEqual([3100, 3100, 3100, 3100]);
    // The first one, and February; what came in between paid for itself.
    expect(invoices.map(({ total_amount_cents: total }) => total).sort()).toEqual([0, 0, 3100, 3100]);
  });

  test('over months, up to a day that is said before', async () => {
    const story = await given(product, PLAN.inAdvance());
    await story.when(itIs('2024-02-10T00:00:00Z'), asked('pause', { resume_at: '2024-05-16T00:00:00Z' }));
    await story.when(itIs('2024-06-01T00:00:00Z'));
    expect(await billed(story)).toEqual([
      '2024-01-01: team 3100',
      '2024-02-01: team 3100',
      '2024-05-16: team 1600',
      '2024-06-01: team 3100',
    ]);
  });

  test('over a bound: recurring usage in advance is paid from the resumption on, once', async () => {
    const seats = aMetric('seats').summing('value').recurring();
    const story = await given(
      product,
      seats,
      aPlan()
        .costing(0)
        .withCharge(aCharge('seats').standard('31').paidInAdvance().prorated())
        .withCharge(aCharge('seats').standard('1').paidInAdvance()),
    );
    await story.when(usage(2).of('seats').at('2024-01-01T00:00:00Z'), itIs('2024-01-20T00:00:00Z'), asked('pause'));
    await story.when(itIs('2024-01-25T00:00:00Z'), asked('resume'));
    // In January it has been paid.
    const january = await billed(story);
    expect(january.toSorted()).toEqual(['2024-01-01: seats 2.0 = 200', '2024-01-01: seats 2.0 = 6200']);
    await story.when(itIs('2024-02-01T00:00:00Z'), itIs('2024-02-10T00:00:00Z'), asked('pause'));
    await story.when(itIs('2024-03-22T12:00:00Z'), asked('resume'));
    // Ten of 31 days of March.
    expect((await billed(story)).slice(2)).toEqual([
      '2024-02-01: seats 2.0 = 6200 + seats 2.0 = 200',
      '2024-03-22: seats 2.0 = 2000 + seats 2.0 = 200',
    ]);
    const { customer_usage: current } = await story.api.get<{
      customer_usage: { charges_usage: { units: string; amount_cents: number }[] };
    }>(`/api/v1/customers/${story.customerId}/current_usage?external_subscription_id=${story.subscriptionId}`);
    expect(current.charges_usage.map(({ amount_cents: amount }) => amount)).toEqual([2000, 200]);
    await story.when(itIs('2024-04-01T00:00:00Z'));
    expect((await billed(story)).slice(4)).toEqual(['2024-04-01: seats 2.0 = 6200 + seats 2.0 = 200']);
  });

  test('ends with the subscription, without another invoice', async () => {
    const story = await given(product, PLAN);
    await story.when(itIs('2024-01-11T00:00:00Z'), asked('pause'), itIs('2024-03-10T00:00:00Z'), itIsTerminated());
    expect(await billed(story)).toEqual(['2024-01-11: team 1000']);
    expect(await story.subscriptions()).toEqual(['sub terminated']);
    expect(await story.awaited()).toEqual([]);
  });

  test('over the end of a trial: the price begins with the resumption', async () => {
    const story = await given(product, PLAN.inAdvance().withTrialOf(10));
    await story.when(itIs('2024-01-05T00:00:00Z'), asked('pause'), itIs('2024-01-21T00:00:00Z'), asked('resume'));
    expect(await billed(story)).toEqual(['2024-01-21: team 1100']);
    expect(await story.awaited()).toEqual(['subscription period_end 2024-02-01T00:00:00Z']);
  });

  test.each([
    ['twice', ['pause', 'pause'], /405.*subscription_is_paused/],
    ['resumed without it', ['resume'], /405.*subscription_is_not_paused/],
    ['that ended before it began', [['pause', { resume_at: '2023-12-01T00:00:00Z' }]], /422.*resume_at.*invalid_date/],
    ['until some time', [['pause', { resume_at: 'soon' }]], /422.*resume_at/],
  ] as const)('is refused: %s', async (_, words, problem) => {
    const story = await given(product, PLAN);
    const happenings = words.map((word) => (typeof word === 'string' ? asked(word) : asked(word[0], word[1])));
    await expect(story.when(...happenings)).rejects.toThrow(problem);
  });

  test('goes with no change of plan', async () => {
    const story = await given(product, aPlan('small'), PLAN, aSubscription().to('team'));
    const small = aSubscription().to('small');
    await story.subscribe(small);
    await expect(story.when(asked('pause'))).rejects.toThrow(/405.*plan_change_is_pending/);
    await story.api.delete('/api/v1/subscriptions/sub?status=pending');
    await story.when(asked('pause'));
    await expect(story.subscribe(small)).rejects.toThrow(/405.*subscription_is_paused/);
  });
});

describe('A trial', () => {
  test('that is extended ends later, and only then the price begins', async () => {
    const story = await given(product, PLAN.inAdvance().withTrialOf(10));
    await story.when(itIs('2024-01-05T00:00:00Z'), asked('trial', { trial_ends_at: '2024-01-21T00:00:00Z' }));
    expect(await shown(story)).toMatchObject({ trial_ends_at: '2024-01-21T00:00:00Z' });
    await story.when(itIs('2024-01-20T00:00:00Z'));
    expect(await billed(story)).toEqual([]);
    await story.when(itIs('2024-01-21T00:00:00Z'));
    expect(await billed(story)).toEqual(['2024-01-21: team 1100']);
    await expect(story.when(asked('trial', { trial_ends_at: '2024-03-01T00:00:00Z' }))).rejects.toThrow(
      /405.*no_trial_is_running/,
    );
  });

  test('is not taken back', async () => {
    const story = await given(product, PLAN.withTrialOf(10));
    const earlier = asked('trial', { trial_ends_at: '2024-01-03T00:00:00Z' });
    await expect(story.when(earlier)).rejects.toThrow(/422.*trial_ends_at.*invalid_date/);
  });
});

describe('Support, from Temporal', () => {
  test('pauses, resumes and terminates; the record is what the API would have made of it', async () => {
    const story = await given(product, PLAN);
    await story.when(itIs('2024-01-11T00:00:00Z'));
    await expect(supportSays(story, 'resume')).rejects.toThrow();
    expect(await supportSays(story, 'pause', { resumeAt: '2024-01-21T00:00:00Z' })).toMatchObject({ state: 'paused' });
    await story.settle();
    await story.when(itIs('2024-01-15T00:00:00Z'));
    expect(await shown(story)).toMatchObject({ paused_at: '2024-01-11T00:00:00Z', resume_at: '2024-01-21T00:00:00Z' });
    expect(await supportSays(story, 'resume')).toMatchObject({ state: 'active' });
    await story.settle();
    await story.when(itIs('2024-01-20T00:00:00Z'));
    expect(await supportSays(story, 'terminate')).toMatchObject({ state: 'terminated' });
    await story.settle();
    expect(await billed(story)).toEqual(['2024-01-11: team 1000', '2024-01-20: team 600']);
  });

  test('wakes one that waits for nothing else', async () => {
    const story = await given(product, PLAN);
    await story.when(itIs('2024-01-11T00:00:00Z'), asked('pause'), itIs('2024-03-10T00:00:00Z'));
    expect(await supportSays(story, 'resume')).toMatchObject({ state: 'active' });
    await story.settle();
    expect(await story.awaited()).toEqual(['subscription period_end 2024-04-01T00:00:00Z']);
  });

  test('extends a trial', async () => {
    const story = await given(product, PLAN.withTrialOf(10));
    await expect(supportSays(story, 'extendTrial', { trialEndsAt: 'tomorrow' })).rejects.toThrow();
    await supportSays(story, 'extendTrial', { trialEndsAt: '2024-01-21T00:00:00Z' });
    expect(await story.awaited()).toEqual(['subscription trial_end 2024-01-21T00:00:00Z']);
  });
});
