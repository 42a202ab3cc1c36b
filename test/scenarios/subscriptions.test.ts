import {
  aCharge,
  aClockAt,
  aCustomer,
  anOrganization,
  aPlan,
  aProduct,
  aSubscription,
  given,
  itIs,
  itIsTerminated,
  type Product,
  usage,
} from '../builders/index.js';

/** A subscription from its first day to its last, on a test clock, over HTTP. */
let product: Product;

beforeAll(async () => {
  product = await aProduct();
});

afterAll(() => product?.stop());

const EUR_31 = () => aPlan().costing(3100).withCharge(aCharge().standard('0.10'));

describe('A trial', () => {
  test('in arrears: the price waits for its end, usage does not', async () => {
    const story = await given(product, EUR_31().withTrialOf(10));
    expect(await story.awaited()).toEqual(['subscription trial_end 2024-01-11T00:00:00Z']);

    await story.when(usage(5).at('2024-01-03T12:00:00Z'), itIs('2024-01-11T00:00:00Z'));
    expect(await story.documents()).toEqual([]);
    expect(await story.awaited()).toEqual(['subscription period_end 2024-02-01T00:00:00Z']);

    // 21 of 31 days, and the usage of the trial with the rest of the month.
    await story.when(itIs('2024-02-01T00:00:00Z'));
    expect(await story.documents()).toEqual([
      'ACM-001-001 finalized pending 2024-02-01: team 2100 + tokens 5.0 = 50, 2150 EUR',
    ]);
    await story.when(itIs('2024-03-01T00:00:00Z'));
    expect(await story.documents()).toEqual([
      'ACM-001-001 finalized pending 2024-02-01: team 2100 + tokens 5.0 = 50, 2150 EUR',
      'ACM-001-002 finalized pending 2024-03-01: team 3100, 3100 EUR',
    ]);
    await story.nothingHappensWhen(itIs('2024-03-01T00:00:00Z'), itIs('2024-03-30T00:00:00Z'));
  });

  test('in advance: its end bills what is left of the month, then month by month', async () => {
    const story = await given(product, aPlan().costing(3100).inAdvance().withTrialOf(10));
    await story.when(itIs('2024-01-10T23:59:59Z'));
    expect(await story.documents()).toEqual([]);
    await story.when(itIs('2024-01-11T00:00:00Z'));
    expect(await story.documents()).toEqual(['ACM-001-001 finalized pending 2024-01-11: team 2100, 2100 EUR']);
    await story.when(itIs('2024-02-15T00:00:00Z'));
    expect(await story.documents()).toEqual([
      'ACM-001-001 finalized pending 2024-01-11: team 2100, 2100 EUR',
      'ACM-001-002 finalized pending 2024-02-01: team 3100, 3100 EUR',
    ]);
  });
});

describe('A start', () => {
  test('in the future: pending until then, billed from then', async () => {
    const story = await given(product, aPlan().costing(3100), aSubscription().from('2024-01-17T00:00:00Z'));
    expect(await story.subscriptions()).toEqual(['sub pending']);
    await story.when(itIs('2024-01-17T00:00:00Z'));
    expect(await story.subscriptions()).toEqual(['sub active']);
    await story.when(itIs('2024-02-01T00:00:00Z'));
    expect(await story.documents()).toEqual(['ACM-001-001 finalized pending 2024-02-01: team 1500, 1500 EUR']);
  });

  test('on the 31st, by anniversary: the last day of shorter months, and the 31st again', async () => {
    const story = await given(
      product,
      aClockAt('2024-01-31T00:00:00Z'),
      aPlan().costing(3100),
      aSubscription().onItsAnniversary(),
    );
    await story.when(itIs('2024-05-31T00:00:00Z'));
    expect(await story.documents()).toEqual([
      'ACM-001-001 finalized pending 2024-02-29: team 3100, 3100 EUR',
      'ACM-001-002 finalized pending 2024-03-31: team 3100, 3100 EUR',
      'ACM-001-003 finalized pending 2024-04-30: team 3100, 3100 EUR',
      'ACM-001-004 finalized pending 2024-05-31: team 3100, 3100 EUR',
    ]);
  });

  test('asked for twice is one subscription', async () => {
    const story = await given(product, aPlan().costing(3100));
    await story.nothingHappensWhen({ happen: (again) => again.subscribe(aSubscription()) });
    expect(await story.subscriptions()).toEqual(['sub active']);
  });
});

describe('An end', () => {
  test('by command: the days up to it and their usage, at once', async () => {
    const story = await given(product, EUR_31());
    await story.when(usage(7).at('2024-01-10T00:00:00Z'), itIs('2024-01-15T12:00:00Z'), itIsTerminated());
    const ended = ['ACM-001-001 finalized pending 2024-01-15: team 1500 + tokens 7.0 = 70, 1570 EUR'];
    expect(await story.documents()).toEqual(ended);
    expect(await story.subscriptions()).toEqual(['sub terminated']);
    expect(await story.awaited()).toEqual([]);

    await story.nothingHappensWhen(itIs('2024-04-01T00:00:00Z'));
    await expect(story.when(itIsTerminated())).rejects.toThrow(/404.*subscription_not_found/);
    expect(await story.documents()).toEqual(ended);
  });

  test('by its own date', async () => {
    const story = await given(product, EUR_31(), aSubscription().until('2024-01-20T00:00:00Z'));
    await story.when(itIs('2024-03-15T00:00:00Z'));
    // The day that the last instant opens is billed too: 20 of 31.
    expect(await story.documents()).toEqual(['ACM-001-001 finalized pending 2024-01-20: team 2000, 2000 EUR']);
    expect(await story.subscriptions()).toEqual(['sub terminated']);
    expect(await story.awaited()).toEqual([]);
  });

  test('of a pending one leaves nothing', async () => {
    const story = await given(product, EUR_31(), aSubscription().from('2024-02-10T00:00:00Z'));
    await story.api.delete('/api/v1/subscriptions/sub?status=pending');
    await story.when(itIs('2024-04-01T00:00:00Z'));
    expect(await story.subscriptions()).toEqual(['sub canceled']);
    expect(await story.documents()).toEqual([]);
    expect(await story.awaited()).toEqual([]);
  });

  test('and a new one of the same name goes on with the numbers', async () => {
    const story = await given(product, EUR_31());
    await story.when(itIs('2024-01-15T12:00:00Z'), itIsTerminated());
    await story.subscribe(aSubscription().from('2024-01-20T00:00:00Z'));
    await story.when(itIs('2024-02-01T00:00:00Z'));
    expect(await story.documents()).toEqual([
      'ACM-001-001 finalized pending 2024-01-15: team 1500, 1500 EUR',
      'ACM-001-002 finalized pending 2024-02-01: team 1200, 1200 EUR',
    ]);
  });
});

describe('Money', () => {
  test('without decimals: half a yen is a yen more, also above an even one', async () => {
    const plan = aPlan().inCurrency('JPY').costing(500).withCharge(aCharge().standard('0.5'));
    const story = await given(product, anOrganization().taxedAt(20), plan);
    await story.when(usage(5).at('2024-01-10T00:00:00Z'), itIs('2024-02-01T00:00:00Z'));
    expect(await story.documents()).toEqual([
      'ACM-001-001 finalized pending 2024-02-01: team 500 + tokens 5.0 = 3 + taxes 101, 604 JPY',
    ]);
  });

  test('with three decimals', async () => {
    const plan = aPlan().inCurrency('KWD').costing(1250).withCharge(aCharge().standard('0.0005'));
    const story = await given(product, anOrganization().taxedAt(20), plan);
    await story.when(usage(5).at('2024-01-10T00:00:00Z'), itIs('2024-02-01T00:00:00Z'));
    expect(await story.documents()).toEqual([
      'ACM-001-001 finalized pending 2024-02-01: team 1250 + tokens 5.0 = 3 + taxes 251, 1504 KWD',
    ]);
  });

  test('of nothing: an invoice that is paid without asking a card', async () => {
    const plan = aPlan().withCharge(aCharge().standard('0.10'));
    const story = await given(product, plan, aCustomer().payingWith('pm_card_chargeDeclined'));
    await story.when(itIs('2024-02-01T00:00:00Z'));
    const [invoice] = await story.invoices();
    expect(invoice).toMatchObject({ status: 'finalized', payment_status: 'succeeded', total_amount_cents: 0 });
    expect(await story.attempts()).toEqual([]);
    expect(await story.awaited()).toEqual(['subscription period_end 2024-03-01T00:00:00Z']);
  });
});

describe('Midnight', () => {
  const usageAround = (boundary: string) => {
    const at = Date.parse(boundary);
    const before = usage(1).at(new Date(at - 1).toISOString());
    return [before, usage(10).at(new Date(at).toISOString())] as const;
  };

  test.each([
    ['Asia/Kolkata', '2024-01-31T18:30:00Z', '2024-02-29T18:30:00Z'],
    ['Asia/Kathmandu', '2024-01-31T18:15:00Z', '2024-02-29T18:15:00Z'],
    ['America/St_Johns', '2024-02-01T03:30:00Z', '2024-03-01T03:30:00Z'],
  ])('inside an hour of UTC: %s', async (zone, january, february) => {
    const story = await given(product, EUR_31(), aCustomer().inZone(zone), aClockAt('2024-01-01T04:00:00Z'));
    expect(await story.awaited()).toEqual([`subscription period_end ${january}`]);
    await story.when(...usageAround(january), itIs(january));
    expect(await story.documents()).toEqual([
      'ACM-001-001 finalized pending 2024-02-01: team 3100 + tokens 1.0 = 10, 3110 EUR',
    ]);
    await story.when(itIs(february));
    expect((await story.documents()).at(-1)).toBe(
      'ACM-001-002 finalized pending 2024-03-01: team 3100 + tokens 10.0 = 100, 3200 EUR',
    );
  });

  test('after a change of the clocks by half an hour: Lord Howe Island', async () => {
    const story = await given(
      product,
      EUR_31(),
      aCustomer().inZone('Australia/Lord_Howe'),
      aClockAt('2024-02-29T13:00:00Z'),
    );
    await story.when(...usageAround('2024-03-31T13:00:00Z'), ...usageAround('2024-04-30T13:30:00Z'));
    await story.when(itIs('2024-04-30T13:30:00Z'));
    expect(await story.documents()).toEqual([
      'ACM-001-001 finalized pending 2024-04-01: team 3100 + tokens 1.0 = 10, 3110 EUR',
      'ACM-001-002 finalized pending 2024-05-01: team 3100 + tokens 11.0 = 110, 3210 EUR',
    ]);
    expect(await story.awaited()).toEqual(['subscription period_end 2024-05-31T13:30:00Z']);
  });
});
