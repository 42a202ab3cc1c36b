import {
  aCharge,
  aCustomer,
  aFixedCharge,
  aPlan,
  aProduct,
  aSubscription,
  given,
  itIs,
  type Product,
  type Story,
  usage,
} from '../builders/index.js';

/** What a step bills besides the plan and its usage, on a test clock, over HTTP. January 2024 has 31 days. */
let product: Product;

beforeAll(async () => {
  product = await aProduct();
});

afterAll(() => product?.stop());

/** Only what is billed, in the order of the lines. */
async function billed(story: Story): Promise<string[]> {
  return (await story.documents()).map((line) => line.replace(/^.*?(\d{4}-\d\d-\d\d): (.*), \d+ EUR$/, '$1: $2'));
}

interface Line {
  lago_id: string;
  amount_cents: number;
  lago_true_up_fee_id: string | null;
  lago_true_up_parent_fee_id: string | null;
  amount_details: Record<string, unknown>;
}

test('all kinds of fees on one draft; computed again, and at its end, they are the same', async () => {
  const plan = aPlan()
    .costing(3100)
    .committingTo(10_000)
    .withCharge(aCharge().standard('0.10').atLeast(1000))
    .withFixedCharge(aFixedCharge('desk').of(2).costing('5'))
    .withFixedCharge(aFixedCharge('seat').of(3).costing('2').inAdvance());
  const story = await given(product, plan, aCustomer().inGraceFor(3));
  const start = '2024-01-04: seat 3.0 = 600';
  // 10,000 − (3,100 + 500 + 500 + 1,000 + 600 paid at the start) = 4,300; the seats of February count for February.
  const january =
    'team 3100 + tokens 50.0 = 500 + tokens 1.0 = 500 + desk 2.0 = 1000 + seat 3.0 = 600 + team 1.0 = 4300';
  await story.when(usage(50).at('2024-01-20T00:00:00Z'), itIs('2024-02-01T00:00:00Z'));
  expect(await billed(story)).toEqual([start, `2024-02-04: ${january}`]);

  const draft = await story.lastInvoice();
  const fees = draft.fees as unknown as Line[];
  expect(fees[0]).toMatchObject({ amount_details: { plan_amount_cents: 3100 } });
  const trueUp = fees.find((fee) => fee.lago_true_up_parent_fee_id !== null);
  expect(fees.find((fee) => fee.lago_true_up_fee_id !== null)?.lago_id).toBe(trueUp?.lago_true_up_parent_fee_id);

  await story.api.put(`/api/v1/invoices/${draft.lago_id}/refresh`, {});
  await story.settle();
  expect(await billed(story)).toEqual([start, `2024-02-04: ${january}`]);
  await story.when(itIs('2024-02-04T00:00:00Z'));
  expect(await billed(story)).toEqual([start, `2024-02-04: ${january}`]);
});

test('units added at once are billed once, above what was paid in the period', async () => {
  const plan = aPlan().inAdvance().withFixedCharge(aFixedCharge().of(10).costing('10').inAdvance().prorated());
  const story = await given(product, plan);
  const { plan: made } = await story.api.get<{ plan: { fixed_charges: { lago_id: string }[] } }>('/api/v1/plans/team');
  const become = (units: number) =>
    story.api.put('/api/v1/plans/team', {
      plan: {
        fixed_charges: [
          { id: made.fixed_charges[0]!.lago_id, units, properties: { amount: '10' }, apply_units_immediately: true },
        ],
      },
    });
  await story.when(itIs('2024-01-11T00:00:00Z'));
  await become(4);
  await story.settle();
  await story.when(itIs('2024-01-22T00:00:00Z'));
  await become(15);
  await story.settle();
  const changes = [
    '2024-01-01: seat 10.0 = 10000',
    '2024-01-11: seat 0.0 = 0',
    // 5 × 10.00 for 10 of 31 days.
    '2024-01-22: seat 5.0 = 1613',
  ];
  expect(await billed(story)).toEqual(changes);
  await story.nothingHappensWhen(itIs('2024-01-22T00:00:00Z'), itIs('2024-01-31T00:00:00Z'));
  await story.when(itIs('2024-02-01T00:00:00Z'));
  expect(await billed(story)).toEqual([...changes, '2024-02-01: seat 15.0 = 15000']);
});

test('a year that ends on the bound of a month: that month’s usage, and the days of the year', async () => {
  const year = aPlan().yearly().costing(36_600).withChargesByMonth().withCharge(aCharge().standard('0.10'));
  const story = await given(product, year, aSubscription().until('2024-03-01T00:00:00Z'));
  await story.when(usage(5).at('2024-02-20T00:00:00Z'), itIs('2024-03-02T00:00:00Z'));
  expect(await billed(story)).toEqual(['2024-02-01: nothing', '2024-03-01: team 6000 + tokens 5.0 = 50']);
});
