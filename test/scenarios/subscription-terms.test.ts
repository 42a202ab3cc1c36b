import {
  aCharge,
  aMetric,
  aPlan,
  aProduct,
  aSubscription,
  given,
  itIs,
  type Product,
  type Story,
  usage,
} from '../builders/index.js';

/** A subscription that agreed on terms of its own, on a test clock, over HTTP. */
let product: Product;

beforeAll(async () => {
  product = await aProduct();
});

afterAll(() => product?.stop());

const LIST = aPlan('list').costing(1000).withCharge(aCharge().standard('1'));
const deal = { amount_cents: 700, charges: [{ code: 'tokens', properties: { amount: '9' } }] };

/** Only what is billed: `2024-02-01: list 700 + tokens 3.0 = 2700`. */
async function billed(story: Story): Promise<string[]> {
  return (await story.documents()).map((line) => line.replace(/^.*?(\d{4}-\d\d-\d\d: .*), \d+ EUR$/, '$1'));
}

describe('Terms of its own', () => {
  test('are what it is billed by, whatever becomes of the plan', async () => {
    const story = await given(product, aMetric(), LIST, aSubscription().onTerms(deal));
    await story.when(usage(3).at('2024-01-05T00:00:00Z'), itIs('2024-01-10T00:00:00Z'));
    await story.api.put('/api/v1/plans/list', { plan: { amount_cents: 5000, charges: [] } });
    await story.when(usage(1).at('2024-01-20T00:00:00Z'), itIs('2024-02-01T00:00:00Z'));
    expect(await billed(story)).toEqual(['2024-02-01: list 700 + tokens 4.0 = 3600']);
  });

  test('an edit that cascades reaches what is not customized', async () => {
    const story = await given(product, aMetric(), LIST, aSubscription().onTerms({ charges: deal.charges }));
    await story.when(usage(3).at('2024-01-05T00:00:00Z'), itIs('2024-01-10T00:00:00Z'));
    const charges = [{ code: 'tokens', properties: { amount: '2' } }];
    await story.api.put('/api/v1/plans/list/charges/tokens', { charge: { ...charges[0], cascade_updates: true } });
    await story.api.put('/api/v1/plans/list', { plan: { amount_cents: 5000, cascade_updates: true } });
    await story.when(itIs('2024-02-01T00:00:00Z'));
    expect(await billed(story)).toEqual(['2024-02-01: list 5000 + tokens 3.0 = 2700']);
  });

  test('decide whether another plan costs more', async () => {
    const story = await given(product, aMetric(), LIST, aPlan('other').costing(900), aSubscription().onTerms(deal));
    const subscription = { external_customer_id: 'cust', external_id: story.subscriptionId, plan_code: 'other' };
    await story.when(itIs('2024-01-11T12:00:00Z'));
    await story.api.post('/api/v1/subscriptions', { subscription });
    await story.when(itIs('2024-02-01T00:00:00Z'));
    // 900 is less than the list price and more than the 700 that were agreed on: at once.
    expect(await billed(story)).toEqual(['2024-01-11: list 226', '2024-02-01: other 610']);
  });
});
