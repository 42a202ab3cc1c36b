import type { InvoiceJson } from '../builders/api.js';
import {
  aCharge,
  aCustomer,
  anOrganization,
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

/** A preview is the invoice: each kind is shown first and then made, and every amount is compared. */
let product: Product;

beforeAll(async () => {
  product = await aProduct();
});

afterAll(() => product?.stop());

const PRICED = () => aPlan().costing(3100).withCharge(aCharge().standard('0.333'));

test('a period in arrears with usage and tax', async () => {
  const story = await given(product, anOrganization().taxedAt(20), PRICED(), aCustomer().inGraceFor(3));
  await story.when(usage(7).at('2024-01-05T00:00:00Z'), itIs('2024-01-20T00:00:00Z'));
  await agrees(story, { external_ids: ['sub'] }, itIs('2024-02-04T00:00:00Z'));
});

test('a period in advance, with the usage of the one before', async () => {
  const story = await given(product, anOrganization().taxedAt(20), PRICED().inAdvance());
  await story.when(usage(7).at('2024-01-05T00:00:00Z'), itIs('2024-01-20T00:00:00Z'));
  await agrees(story, { external_ids: ['sub'] }, itIs('2024-02-01T00:00:00Z'));
});

test('the end of a trial', async () => {
  const story = await given(product, PRICED().inAdvance().withTrialOf(10));
  await agrees(story, { external_ids: ['sub'] }, itIs('2024-01-11T00:00:00Z'));
});

test('two subscriptions on one invoice', async () => {
  const story = await given(product, PRICED(), aSubscription('one'), aSubscription('two'));
  await story.when(usage(3).on('two').at('2024-01-05T00:00:00Z'), itIs('2024-01-20T00:00:00Z'));
  await agrees(story, { external_ids: ['one', 'two'] }, itIs('2024-02-01T00:00:00Z'));
});

test('a termination, paid in part by the credit note it makes', async () => {
  const story = await given(product, anOrganization().taxedAt(20), PRICED().inAdvance());
  await story.when(usage(700).at('2024-01-05T00:00:00Z'), itIs('2024-01-10T12:00:00Z'));
  const made = await agrees(story, { external_ids: ['sub'], terminated_at: '2024-01-10T12:00:00Z' }, itIsTerminated());
  expect(made.credit_notes_amount_cents).toBe(2520);
});

test('an upgrade, with what the old plan gives back', async () => {
  const story = await given(product, PRICED().inAdvance(), aPlan('large').costing(6200).inAdvance());
  await story.when(usage(7).at('2024-01-05T00:00:00Z'), itIs('2024-01-10T12:00:00Z'));
  const made = await agrees(story, { external_ids: ['sub'], plan_code: 'large' }, itChangesTo('large'));
  expect(made.credit_notes_amount_cents).toBeGreaterThan(0);
});

test('a downgrade, which comes with the next period', async () => {
  const story = await given(product, PRICED().inAdvance(), aPlan('small').costing(1000).inAdvance());
  await story.when(usage(7).at('2024-01-05T00:00:00Z'), itIs('2024-01-10T12:00:00Z'));
  await agrees(
    story,
    { external_ids: ['sub'], plan_code: 'small' },
    itChangesTo('small'),
    itIs('2024-02-01T00:00:00Z'),
  );
});

test('credits that wait are used, and are still there afterwards', async () => {
  const story = await given(product, PRICED().inAdvance(), aSubscription('one'), aSubscription('two'));
  await story.when(itIs('2024-01-10T12:00:00Z'), itIsTerminated('one'));
  const made = await agrees(story, { external_ids: ['two'] }, itIs('2024-02-01T00:00:00Z'));
  expect(made.credit_notes_amount_cents).toBe(2100);
});

test('a subscription that is only thought of, for a customer that is, and for one that is not', async () => {
  const story = await given(
    product,
    anOrganization().taxedAt(20),
    PRICED().inAdvance(),
    aPlan('arrears').costing(2000),
  );
  await story.when(itIs('2024-01-16T00:00:00Z'));
  const known = await preview(story, { customer: { external_id: 'cust' }, plan_code: 'team' });
  expect(known).toMatchObject({ lago_id: null, number: 'ACM-DRAFT', status: 'draft', fees_amount_cents: 1600 });
  expect(known.subscriptions[0]).toMatchObject({ lago_id: null, plan_code: 'team' });
  // 16 of 31 days in arrears.
  const starting = { plan_code: 'arrears', subscription_at: '2024-01-16T00:00:00Z' };
  expect(await preview(story, { customer: { external_id: 'cust' }, ...starting })).toMatchObject({
    fees_amount_cents: 1032,
    issuing_date: '2024-02-01',
  });
  // Whoever is not stored lives on the wall clock.
  const anniversary = { plan_code: 'team', billing_time: 'anniversary' };
  expect(await preview(story, { customer: { name: 'New', currency: 'EUR' }, ...anniversary })).toMatchObject({
    total_amount_cents: 3720,
    customer: { lago_id: null, name: 'New' },
  });
  expect((await story.api.get<{ customers: unknown[] }>('/api/v1/customers')).customers).toHaveLength(1);
  expect(await story.subscriptions()).toEqual(['sub active']);
});

test('what cannot be shown is refused', async () => {
  const story = await given(product, PRICED());
  const refused = (body: unknown, status: number) =>
    expect(preview(story, body)).rejects.toMatchObject({ status, method: 'POST' });
  await refused({ customer: { external_id: 'nobody' }, plan_code: 'team' }, 404);
  await refused({ customer: { external_id: 'cust' }, plan_code: 'none' }, 404);
  await refused({ customer: { external_id: 'cust' }, subscriptions: { external_ids: ['none'] } }, 404);
  await refused({ customer: { external_id: 'cust' }, plan_code: 'team', coupons: [{ code: 'c' }] }, 422);
  const past = { external_ids: ['sub'], terminated_at: '2023-01-01T00:00:00Z' };
  await refused({ customer: { external_id: 'cust' }, subscriptions: past }, 422);
});

type Previewed = InvoiceJson & { readonly subscriptions: readonly { readonly plan_code: string }[] };

async function preview(story: Story, body: unknown): Promise<Previewed> {
  return (await story.api.post<{ invoice: Previewed }>('/api/v1/invoices/preview', body)).invoice;
}

/** Shows the next invoice, leaves no trace, lets it happen, and compares. */
async function agrees(story: Story, subscriptions: unknown, ...happening: Happening[]): Promise<InvoiceJson> {
  let shown: Previewed | null = null;
  await story.nothingHappensWhen({
    async happen() {
      shown = await preview(story, { customer: { external_id: 'cust' }, subscriptions });
    },
  });
  await story.when(...happening);
  const made = await story.lastInvoice();
  expect(made.status).toBe('finalized');
  expect(comparable(shown as unknown as InvoiceJson)).toEqual(comparable(made));
  return made;
}

/** All that is money or time; ids, numbers and states are of a stored document only. */
function comparable(invoice: InvoiceJson) {
  const amounts = Object.entries(invoice).filter(([key]) => key.endsWith('_cents'));
  const { issuing_date, currency, billing_periods, fees, credits } = invoice;
  return {
    ...Object.fromEntries(amounts),
    issuing_date,
    currency,
    periods: billing_periods.map(({ external_subscription_id: id, ...period }) => [
      id,
      period.subscription_from_datetime,
      period.subscription_to_datetime,
      period.charges_from_datetime,
      period.charges_to_datetime,
      period.invoicing_reason,
    ]),
    fees: fees.map((fee) => [
      fee.item.type,
      fee.item.code,
      fee.units,
      Object.entries(fee).filter(([key]) => key.endsWith('_cents') || key.startsWith('precise')),
      fee.from_date,
      fee.to_date,
    ]),
    credits: credits.map((credit) => credit.amount_cents),
  };
}

function itChangesTo(plan: string): Happening {
  return {
    async happen(story) {
      await story.api.post('/api/v1/subscriptions', {
        subscription: { external_customer_id: 'cust', external_id: 'sub', plan_code: plan },
      });
      await story.settle();
    },
  };
}
