import {
  aCustomer,
  aPlan,
  aProduct,
  given,
  itIs,
  type Product,
  staffRetriesThePayment,
  type Story,
  theCardBecomes,
  until,
} from '../builders/index.js';

/** From an issued invoice to its money, with the schedule of 3, 5 and 7 days. */
let product: Product;

beforeAll(async () => {
  product = await aProduct({ env: { BILLOW_COLLECTION_RETRY_DAYS: '3,5,7' } });
});

afterAll(() => product?.stop());

const EMPTY = 'pm_card_chargeDeclinedInsufficientFunds';
const LOST = 'pm_card_chargeDeclinedLostCard';
const ISSUED = '2024-02-01: team 4900, 4900 EUR';

function aCustomerWith(card: string): Promise<Story> {
  return given(product, aPlan().costing(4900), aCustomer().payingWith(card));
}

/** What the sandbox has really taken from cards. */
async function taken(story: Story): Promise<number[]> {
  const rows = await product.query<{ amount: number }>(
    `select amount_cents::int as amount from sandbox_charges where organization_id = $1 and status = 'succeeded'`,
    [story.organizationId],
  );
  return rows.map(({ amount }) => amount);
}

test('a good card pays at once, and once', async () => {
  const story = await aCustomerWith('pm_card_visa');
  await story.when(itIs('2024-02-01T00:00:00Z'));
  expect(await story.documents()).toEqual([`ACM-001-001 finalized succeeded ${ISSUED}`]);
  expect(await story.attempts()).toEqual(['1 2024-02-01 00:00 succeeded pm_card_visa']);
  expect(await story.awaited()).toEqual(['subscription period_end 2024-03-01T00:00:00Z']);
  await expect(story.when(staffRetriesThePayment())).rejects.toThrow(/405.*invalid_status/);
  await story.nothingHappensWhen(itIs('2024-02-20T00:00:00Z'));
  expect(await taken(story)).toEqual([4900]);
});

test('declined, declined, another card, paid: each on its day', async () => {
  const story = await aCustomerWith(EMPTY);
  await story.when(itIs('2024-02-03T23:59:59Z'));
  expect(await story.attempts()).toEqual([`1 2024-02-01 00:00 failed (insufficient_funds) ${EMPTY}`]);
  expect(await story.awaited()).toEqual([
    'invoice collect 2024-02-04T00:00:00Z',
    'subscription period_end 2024-03-01T00:00:00Z',
  ]);
  await story.when(itIs('2024-02-06T00:00:00Z'), theCardBecomes('pm_card_visa'), itIs('2024-02-08T23:59:59Z'));
  expect(await story.attempts()).toEqual([
    `1 2024-02-01 00:00 failed (insufficient_funds) ${EMPTY}`,
    `2 2024-02-04 00:00 failed (insufficient_funds) ${EMPTY}`,
  ]);
  await story.when(itIs('2024-02-09T00:00:00Z'));
  expect(await story.attempts()).toEqual([
    `1 2024-02-01 00:00 failed (insufficient_funds) ${EMPTY}`,
    `2 2024-02-04 00:00 failed (insufficient_funds) ${EMPTY}`,
    '3 2024-02-09 00:00 succeeded pm_card_visa',
  ]);
  expect(await story.documents()).toEqual([`ACM-001-001 finalized succeeded ${ISSUED}`]);
  expect(await taken(story)).toEqual([4900]);
  await story.nothingHappensWhen(itIs('2024-02-28T00:00:00Z'));
});

test('a schedule that is used up leaves the payment failed, until staff tries again', async () => {
  const story = await aCustomerWith(EMPTY);
  await story.when(itIs('2024-02-28T00:00:00Z'));
  const declined = [
    `1 2024-02-01 00:00 failed (insufficient_funds) ${EMPTY}`,
    `2 2024-02-04 00:00 failed (insufficient_funds) ${EMPTY}`,
    `3 2024-02-09 00:00 failed (insufficient_funds) ${EMPTY}`,
    `4 2024-02-16 00:00 failed (insufficient_funds) ${EMPTY}`,
  ];
  expect(await story.attempts()).toEqual(declined);
  expect(await story.documents()).toEqual([`ACM-001-001 finalized failed ${ISSUED}`]);
  expect(await story.awaited()).toEqual(['subscription period_end 2024-03-01T00:00:00Z']);

  await story.when(theCardBecomes('pm_card_visa'), staffRetriesThePayment());
  expect(await story.attempts()).toEqual([...declined, '5 2024-02-28 00:00 succeeded pm_card_visa']);
  expect(await story.documents()).toEqual([`ACM-001-001 finalized succeeded ${ISSUED}`]);
  expect(await taken(story)).toEqual([4900]);
});

test('a lost card is not asked again by itself', async () => {
  const story = await aCustomerWith(LOST);
  await story.when(itIs('2024-02-01T00:00:00Z'));
  expect(await story.documents()).toEqual([`ACM-001-001 finalized failed ${ISSUED}`]);
  await story.nothingHappensWhen(itIs('2024-02-28T00:00:00Z'));
  expect(await story.attempts()).toEqual([`1 2024-02-01 00:00 failed (lost_card) ${LOST}`]);
});

test('an answer that got lost is asked after, not charged again', async () => {
  const story = await aCustomerWith('pm_card_outage');
  await story.when(itIs('2024-02-01T00:04:59Z'));
  expect(await story.attempts()).toEqual(['1 2024-02-01 00:00 unknown pm_card_outage']);
  expect(await story.awaited()).toEqual([
    'invoice await_payment 2024-02-01T00:05:00Z',
    'subscription period_end 2024-03-01T00:00:00Z',
  ]);
  expect(await taken(story)).toEqual([4900]);
  await story.when(itIs('2024-02-01T00:05:00Z'));
  expect(await story.attempts()).toEqual(['1 2024-02-01 00:00 succeeded pm_card_outage']);
  expect(await story.documents()).toEqual([`ACM-001-001 finalized succeeded ${ISSUED}`]);
  expect(await taken(story)).toEqual([4900]);
});

test('months that are declined side by side keep their schedules apart', async () => {
  const story = await aCustomerWith(EMPTY);
  await story.when(itIs('2024-02-10T00:00:00Z'));
  // The third slot of January's invoice is on 16 February; a month later another ladder begins.
  await story.when(itIs('2024-03-05T00:00:00Z'));
  expect((await story.attempts()).map((line) => line.slice(0, 12))).toEqual([
    '1 2024-02-01',
    '2 2024-02-04',
    '3 2024-02-09',
    '4 2024-02-16',
    '1 2024-03-01',
    '2 2024-03-04',
  ]);
  expect(await story.awaited()).toEqual([
    'invoice collect 2024-03-09T00:00:00Z',
    'subscription period_end 2024-04-01T00:00:00Z',
  ]);
});

test('staff tries again between two slots of the schedule: now, not at the next slot', async () => {
  const story = await aCustomerWith(EMPTY);
  await story.when(itIs('2024-02-06T10:00:00Z'), theCardBecomes('pm_card_visa'));
  const { lago_id: id } = await story.lastInvoice();
  await story.api.post(`/api/v1/invoices/${id}/retry_payment`);
  await until('it is paid', async () => (await story.invoice(id)).payment_status === 'succeeded');
  expect((await story.attempts()).at(-1)).toBe('3 2024-02-06 10:00 succeeded pm_card_visa');
  await story.nothingHappensWhen(itIs('2024-02-20T00:00:00Z'));
});
