import {
  aCharge,
  aClockAt,
  aCustomer,
  aMetric,
  aPlan,
  aProduct,
  aSubscription,
  given,
  itIs,
  itIsTerminated,
  itsPlanBecomes,
  type Product,
  type Story,
  type Thing,
  usage,
} from '../builders/index.js';

/** A life that goes on with another plan, on a test clock, over HTTP. January has 31 days. */
let product: Product;

beforeAll(async () => {
  product = await aProduct();
});

afterAll(() => product?.stop());

const SMALL = aPlan('small').costing(3100).withCharge(aCharge().standard('0.10'));
const BIG = aPlan('big').costing(6200).withCharge(aCharge().standard('0.05'));
const YEAR = aPlan('year').costing(36_600).yearly();

interface Shown {
  lago_id: string;
  plan_code: string;
  status: string;
  previous_plan_code: string | null;
  next_plan_code: string | null;
  downgrade_plan_date: string | null;
  subscription_at: string;
  started_at: string;
  ending_at: string | null;
}

async function shown(story: Story, status = 'active'): Promise<Shown> {
  const path = `/api/v1/subscriptions/${story.subscriptionId}?status=${status}`;
  return (await story.api.get<{ subscription: Shown }>(path)).subscription;
}

/** Only what is billed: `2024-01-11: small 1000 + tokens 5.0 = 50`. What pays for it is another matter. */
async function billed(story: Story): Promise<string[]> {
  return (await story.documents()).map((line) => line.replace(/^.*?(\d{4}-\d\d-\d\d: .*), \d+ EUR$/, '$1'));
}

describe('A plan that costs more', () => {
  test('takes over at once: both sides on one invoice, the day of the change with the new plan', async () => {
    const story = await given(product, SMALL, BIG);
    await story.when(usage(7).at('2024-01-05T00:00:00Z'), itIs('2024-01-11T12:00:00Z'));
    const before = await shown(story);
    await story.when(itsPlanBecomes('big'), usage(3).at('2024-01-11T12:00:00Z'), usage(2).at('2024-01-31T23:59:59Z'));

    expect(await shown(story)).toMatchObject({
      plan_code: 'big',
      previous_plan_code: 'small',
      next_plan_code: null,
      subscription_at: '2024-01-01T00:00:00Z',
      started_at: '2024-01-11T12:00:00.000Z',
    });
    expect(await shown(story, 'terminated')).toMatchObject({ lago_id: before.lago_id, next_plan_code: 'big' });
    // Ten days of the old price and its usage; the instant of the change is the new plan's.
    const change = '2024-01-11: small 1000 + tokens 7.0 = 70';
    expect(await billed(story)).toEqual([change]);
    expect(await story.awaited()).toEqual(['subscription period_end 2024-02-01T00:00:00Z']);

    await story.when(itIs('2024-02-01T00:00:00Z'));
    expect(await billed(story)).toEqual([change, '2024-02-01: big 4200 + tokens 5.0 = 25']);
  });

  test('paid in advance: its days up to the end of the period on the same invoice', async () => {
    const story = await given(product, SMALL, BIG.inAdvance());
    await story.when(itIs('2024-01-11T12:00:00Z'), itsPlanBecomes('big'));
    expect(await billed(story)).toEqual(['2024-01-11: small 1000 + big 4200']);
    const { billing_periods: periods } = await story.lastInvoice();
    expect(periods).toMatchObject([
      { subscription_to_datetime: '2024-01-11T12:00:00Z', invoicing_reason: 'subscription_terminating' },
      { subscription_to_datetime: '2024-01-31T23:59:59Z', invoicing_reason: 'subscription_starting' },
    ]);
    await story.when(itIs('2024-02-01T00:00:00Z'));
    expect((await billed(story)).at(-1)).toBe('2024-02-01: big 6200');
  });

  test('from in advance to arrears: nothing is asked for twice', async () => {
    const story = await given(product, SMALL.inAdvance(), BIG);
    await story.when(itIs('2024-01-11T12:00:00Z'), itsPlanBecomes('big'), itIs('2024-02-01T00:00:00Z'));
    expect(await billed(story)).toEqual(['2024-01-01: small 3100', '2024-01-11: nothing', '2024-02-01: big 4200']);
  });

  test('of a year: it ends where the years of the first day end', async () => {
    const anniversary = aSubscription().from('2023-07-15T00:00:00Z').onItsAnniversary();
    const story = await given(product, SMALL, YEAR.costing(36_600 * 2), anniversary);
    await story.when(itIs('2024-01-16T00:00:00Z'), itsPlanBecomes('year'), itIs('2024-07-15T00:00:00Z'));
    // A day of the month that began on the 15th; 181 of 366 days.
    expect(await billed(story)).toEqual(['2024-01-15: small 3100', '2024-01-16: small 100', '2024-07-15: year 36200']);
  });

  test('twice on one day: the plan between has no day', async () => {
    const story = await given(product, SMALL, BIG, aPlan('huge').costing(9300));
    await story.when(itIs('2024-01-11T12:00:00Z'), itsPlanBecomes('big'), itsPlanBecomes('huge'));
    await story.when(itIs('2024-01-11T13:00:00Z'), itIs('2024-02-01T00:00:00Z'));
    expect((await billed(story)).filter((line) => !line.endsWith('nothing'))).toEqual([
      '2024-01-11: small 1000',
      '2024-02-01: huge 6300',
    ]);
    expect(await story.subscriptions()).toHaveLength(3);
  });

  test('on the bound of a period, right after its close', async () => {
    const story = await given(product, SMALL, BIG);
    await story.when(itIs('2024-02-01T00:00:00Z'), itsPlanBecomes('big'), itIs('2024-03-01T00:00:00Z'));
    expect(await billed(story)).toEqual(['2024-02-01: small 3100', '2024-02-01: nothing', '2024-03-01: big 6200']);
  });

  test('in a trial: the days of the trial count from the first start', async () => {
    const story = await given(product, SMALL.withTrialOf(10), BIG.withTrialOf(20));
    await story.when(itIs('2024-01-06T00:00:00Z'), itsPlanBecomes('big'));
    expect(await story.awaited()).toEqual(['subscription trial_end 2024-01-21T00:00:00Z']);
    await story.when(itIs('2024-02-01T00:00:00Z'));
    // 11 of 31 days.
    expect((await billed(story)).at(-1)).toBe('2024-02-01: big 2200');
  });

  test('ends when it was to end; asked for again, it is there', async () => {
    const story = await given(product, SMALL, BIG, aSubscription().until('2024-01-20T00:00:00Z'));
    await story.when(itIs('2024-01-11T00:00:00Z'), itsPlanBecomes('big'));
    await story.nothingHappensWhen(itsPlanBecomes('big'));
    await story.when(itIs('2024-03-01T00:00:00Z'));
    expect(await billed(story)).toEqual(['2024-01-11: small 1000', '2024-01-20: big 2000']);
    expect(await story.subscriptions()).toEqual(['sub terminated', 'sub terminated']);
    expect(await story.awaited()).toEqual([]);
  });
});

describe('A plan that costs less', () => {
  test('waits for the next period; one invoice closes the old plan and opens the new one', async () => {
    const story = await given(product, BIG, SMALL.inAdvance(), aSubscription().to('big'));
    await story.when(usage(8).at('2024-01-05T00:00:00Z'), itIs('2024-01-11T12:00:00Z'), itsPlanBecomes('small'));
    expect(await shown(story)).toMatchObject({
      plan_code: 'big',
      next_plan_code: 'small',
      downgrade_plan_date: '2024-02-01',
    });
    expect(await shown(story, 'pending')).toMatchObject({ plan_code: 'small', started_at: null });
    expect(await story.awaited()).toEqual(['subscription plan_change 2024-02-01T00:00:00Z']);
    await story.nothingHappensWhen(itsPlanBecomes('small'), itsPlanBecomes('big'));

    await story.when(usage(9).at('2024-02-01T00:00:00Z'), itIs('2024-02-01T00:00:00Z'));
    const change = '2024-02-01: big 6200 + tokens 8.0 = 40 + small 3100';
    expect(await billed(story)).toEqual([change]);
    expect(await shown(story)).toMatchObject({ plan_code: 'small', previous_plan_code: 'big' });
    expect(await story.subscriptions()).toEqual(['sub terminated', 'sub active']);
    await story.when(itIs('2024-03-01T00:00:00Z'));
    expect(await billed(story)).toEqual([change, '2024-03-01: small 3100 + tokens 9.0 = 90']);
  });

  test('is replaced by another one, and by one that costs more', async () => {
    const story = await given(
      product,
      BIG,
      SMALL,
      aPlan('free'),
      aPlan('huge').costing(9300),
      aSubscription().to('big'),
    );
    await story.when(itsPlanBecomes('small'), itsPlanBecomes('free'));
    expect(await shown(story)).toMatchObject({ plan_code: 'big', next_plan_code: 'free' });
    await story.when(itIs('2024-01-11T00:00:00Z'), itsPlanBecomes('huge'));
    expect(await shown(story)).toMatchObject({ plan_code: 'huge', next_plan_code: null, previous_plan_code: 'big' });
    await story.when(itIs('2024-02-01T00:00:00Z'));
    expect(await billed(story)).toEqual(['2024-01-11: big 2000', '2024-02-01: huge 6300']);
    expect((await story.subscriptions()).sort()).toEqual([
      'sub active',
      'sub canceled',
      'sub canceled',
      'sub terminated',
    ]);
  });

  test('is taken back', async () => {
    const story = await given(product, BIG, SMALL, aSubscription().to('big'));
    await story.when(itsPlanBecomes('small'), itIsTerminated('sub', '?status=pending'));
    expect(await shown(story)).toMatchObject({ plan_code: 'big', next_plan_code: null, downgrade_plan_date: null });
    expect(await story.awaited()).toEqual(['subscription period_end 2024-02-01T00:00:00Z']);
    await story.when(itIs('2024-02-01T00:00:00Z'));
    expect(await billed(story)).toEqual(['2024-02-01: big 6200']);
  });

  test.each([
    ['by a command', [itIs('2024-01-10T00:00:00Z'), itIsTerminated()], '2024-01-10: big 2000'],
    ['by its own date', [itIs('2024-01-10T00:00:00Z')], '2024-01-10: big 2000'],
  ])('never comes when the life ends before, %s', async (how, happenings, invoice) => {
    const subscription = aSubscription().to('big');
    const ending = how === 'by its own date' ? subscription.until('2024-01-10T00:00:00Z') : subscription;
    const story = await given(product, BIG, SMALL, ending);
    await story.when(itsPlanBecomes('small'), ...happenings, itIs('2024-03-01T00:00:00Z'));
    expect(await billed(story)).toEqual([invoice]);
    expect((await story.subscriptions()).sort()).toEqual(['sub canceled', 'sub terminated']);
    expect(await story.awaited()).toEqual([]);
  });

  test('of a year takes over at the end of the month, up to the anniversary', async () => {
    const story = await given(product, BIG, YEAR.inAdvance(), aSubscription().to('big').onItsAnniversary());
    await story.when(itsPlanBecomes('year'), itIs('2024-02-01T00:00:00Z'));
    // 335 of 366 days.
    expect(await billed(story)).toEqual(['2024-02-01: big 6200 + year 33500']);
    expect(await story.awaited()).toEqual(['subscription period_end 2025-01-01T00:00:00Z']);
  });
});

describe('Before the first day', () => {
  test('the plan is just another one', async () => {
    const story = await given(product, SMALL, BIG, aSubscription().from('2024-01-17T00:00:00Z'));
    const { lago_id: id } = await shown(story, 'pending');
    await story.when(itsPlanBecomes('big'));
    expect(await shown(story, 'pending')).toMatchObject({ lago_id: id, plan_code: 'big', previous_plan_code: null });
    await story.when(itIs('2024-02-01T00:00:00Z'));
    expect(await billed(story)).toEqual(['2024-02-01: big 3000']);
  });
});

describe('A change that cannot be', () => {
  test.each([
    ['another currency', 'dollars', 422, /currencies_does_not_match/],
    ['no such plan', 'none', 404, /plan_not_found/],
  ])('%s', async (_, plan, status, problem) => {
    const story = await given(product, SMALL, aPlan('dollars').costing(9900).inCurrency('USD'));
    await story.nothingHappensWhen({
      happen: async (again) => {
        await expect(again.when(itsPlanBecomes(plan))).rejects.toMatchObject({
          status,
          body: expect.stringMatching(problem) as string,
        });
      },
    });
  });

  test('an end before the change', async () => {
    const story = await given(product, BIG, SMALL, aSubscription().to('big'));
    const early = itsPlanBecomes('small', { ending_at: '2024-01-20T00:00:00Z' });
    await expect(story.when(early)).rejects.toThrow(/422.*ending_at.*invalid_date/);
    expect(await shown(story)).toMatchObject({ next_plan_code: null });
  });

  test('the name of somebody else', async () => {
    const story = await given(product, SMALL, BIG, aCustomer(), aCustomer('other'));
    const taken = story.subscribe(aSubscription().of('other').to('big'));
    await expect(taken).rejects.toThrow(/422.*external_id.*value_already_exist/);
  });
});

describe('Siblings of one bound', () => {
  const monthly = (...extra: readonly Thing[]) =>
    given(product, aClockAt('2024-01-01T00:00:00Z'), SMALL, BIG, ...extra);

  test('a downgrade is on the invoice that the others share', async () => {
    const story = await monthly(aSubscription('a').to('big'), aSubscription('b').to('small'));
    await story.when(itsPlanBecomes('small', {}, 'a'), itIs('2024-02-01T00:00:00Z'));
    expect(await billed(story)).toEqual(['2024-02-01: big 6200 + small 3100']);
    await story.when(itIs('2024-03-01T00:00:00Z'));
    expect((await billed(story)).at(-1)).toBe('2024-03-01: small 3100 + small 3100');
  });

  test('one that ends there by its own date is on it too, whoever comes last', async () => {
    const ends = (name: string) => aSubscription(name).to('big').until('2024-02-01T00:00:00Z');
    const story = await monthly(ends('a'), aSubscription('b').to('small'), ends('c'));
    await story.when(itIs('2024-02-01T00:00:00Z'));
    expect(await billed(story)).toEqual(['2024-02-01: big 6200 + small 3100 + big 6200']);
  });

  test('one that is ended while its close is awaited leaves nobody waiting', async () => {
    const story = await monthly(aSubscription('a').to('big'), aSubscription('b').to('small'));
    await story.when(itIs('2024-02-01T00:00:00Z'), itIsTerminated('a'), itIs('2024-03-01T00:00:00Z'));
    expect(await billed(story)).toEqual([
      '2024-02-01: big 6200 + small 3100',
      '2024-02-01: big 214',
      '2024-03-01: small 3100',
    ]);
  });
});

describe('Usage', () => {
  test('of another metric of the old plan is not lost, and that of the new one is not billed before', async () => {
    const old = aPlan('old').withCharge(aCharge('calls').standard('1'));
    const story = await given(product, aMetric('calls'), aMetric(), old, BIG, aSubscription().to('old'));
    await story.when(
      usage(2).of('calls').at('2024-01-03T00:00:00Z'),
      usage(5).at('2024-01-03T00:00:00Z'),
      itIs('2024-01-11T00:00:00Z'),
      itsPlanBecomes('big'),
      usage(9).of('calls').at('2024-01-12T00:00:00Z'),
      usage(4).at('2024-01-12T00:00:00Z'),
      itIs('2024-02-01T00:00:00Z'),
    );
    expect(await billed(story)).toEqual(['2024-01-11: calls 2.0 = 200', '2024-02-01: big 4200 + tokens 4.0 = 20']);
  });
});
