import type { RecalculationResult } from '../../workflows/subscription.contract.js';
import {
  aCharge,
  aCustomer,
  aPlan,
  aProduct,
  aSubscription,
  given,
  itIs,
  type Product,
  staffFinalizesIt,
  staffRefreshesIt,
  staffVoidsIt,
  type Story,
  theGraceBecomes,
  until,
  usage,
} from '../builders/index.js';

/** An invoice between the end of its period and its payment. */
let product: Product;

beforeAll(async () => {
  product = await aProduct({ env: { BILLOW_SIBLING_PATIENCE_SECONDS: '2' } });
});

afterAll(() => product?.stop());

const PLAN = aPlan().costing(4900).withCharge(aCharge().standard('0.10'));

/** January is over, 10 tokens were used in it, three days of grace have begun. */
async function aDraftOfJanuary(): Promise<Story> {
  const story = await given(product, PLAN, aCustomer().inGraceFor(3));
  await story.when(usage(10).at('2024-01-20T10:00:00Z'), itIs('2024-02-01T00:00:00Z'));
  expect(await story.documents()).toEqual([
    'ACM-DRAFT draft pending 2024-02-04: team 4900 + tokens 10.0 = 100, 5000 EUR',
  ]);
  return story;
}

describe('A draft', () => {
  test('takes in late usage by itself, and gets its number when its grace is over', async () => {
    const story = await aDraftOfJanuary();
    await story.when(usage(5).at('2024-01-31T23:59:59.999Z'));
    await until('the draft has the late usage', async () => (await story.invoices())[0]?.total_amount_cents === 5050);

    await story.when(usage(2).at('2024-01-01T00:00:00Z'), itIs('2024-02-03T23:59:59Z'));
    expect(await story.documents()).toEqual([
      'ACM-DRAFT draft pending 2024-02-04: team 4900 + tokens 17.0 = 170, 5070 EUR',
    ]);
    await story.when(itIs('2024-02-04T00:00:00Z'));
    const issued = ['ACM-001-001 finalized pending 2024-02-04: team 4900 + tokens 17.0 = 170, 5070 EUR'];
    expect(await story.documents()).toEqual(issued);

    // Later than late: stored, for a correction, and no part of what was issued.
    await story.when(usage(100).at('2024-01-15T00:00:00Z'), itIs('2024-02-20T00:00:00Z'));
    expect(await story.documents()).toEqual(issued);
  });

  test('follows the taxes, those of everybody and those of its customer', async () => {
    const story = await aDraftOfJanuary();
    const taxed = (cents: number) =>
      until(`taxes are ${cents}`, async () => (await story.invoices())[0]?.taxes_amount_cents === cents);
    await story.api.post('/api/v1/taxes', {
      tax: { name: 'VAT', code: 'vat', rate: '10', applied_to_organization: true },
    });
    await taxed(500);
    await story.api.put('/api/v1/taxes/vat', { tax: { rate: '20' } });
    await taxed(1000);
    await story.api.post('/api/v1/taxes', { tax: { name: 'Lower', code: 'lower', rate: '5' } });
    await story.api.post('/api/v1/customers', {
      customer: { external_id: story.customerId, tax_codes: ['lower'] },
    });
    await taxed(250);
    await story.api.delete('/api/v1/taxes/lower');
    await taxed(1000);
  });

  test('is finalized by staff at once, dated that day, and once only', async () => {
    const story = await aDraftOfJanuary();
    await story.when(itIs('2024-02-02T09:30:00Z'), staffFinalizesIt());
    const issued = ['ACM-001-001 finalized pending 2024-02-02: team 4900 + tokens 10.0 = 100, 5000 EUR'];
    expect(await story.documents()).toEqual(issued);
    await expect(story.when(staffFinalizesIt())).rejects.toThrow(/404.*invoice_not_found/);
    // Its former end of grace is nothing any more.
    await story.nothingHappensWhen(itIs('2024-02-10T00:00:00Z'));
    expect(await story.documents()).toEqual(issued);
  });

  test('computed again by staff is the same when there is nothing new', async () => {
    const story = await aDraftOfJanuary();
    const [before] = await story.invoices();
    await story.when(staffRefreshesIt());
    const [after] = await story.invoices();
    expect(after).toMatchObject({
      lago_id: before!.lago_id,
      number: before!.number,
      issuing_date: before!.issuing_date,
      total_amount_cents: 5000,
    });
    expect(await story.documents()).toHaveLength(1);
  });

  test('of a customer whose grace is shortened to the past is issued now', async () => {
    const story = await aDraftOfJanuary();
    await story.when(itIs('2024-02-02T10:00:00Z'), theGraceBecomes(1), itIs('2024-02-02T10:00:00Z'));
    expect((await story.invoices())[0]).toMatchObject({ status: 'finalized', number: 'ACM-001-001' });
  });

  test('leaves no gap in the numbers, whatever order they are issued in', async () => {
    const story = await given(product, PLAN, aCustomer().inGraceFor(40));
    await story.when(itIs('2024-03-01T00:00:00Z'));
    expect((await story.invoices()).map(({ status }) => status)).toEqual(['draft', 'draft']);
    // February's first, by staff; January's when its grace is over.
    await story.when(staffFinalizesIt(), itIs('2024-03-12T00:00:00Z'));
    expect(await story.documents()).toEqual([
      'ACM-001-002 finalized pending 2024-03-12: team 4900, 4900 EUR',
      'ACM-001-001 finalized pending 2024-03-01: team 4900, 4900 EUR',
    ]);
  });
});

describe('An issued invoice', () => {
  test('is voided once, keeps number and amounts, and a draft is not voided', async () => {
    const story = await aDraftOfJanuary();
    await expect(story.when(staffVoidsIt())).rejects.toThrow(/405.*not_voidable/);
    await story.when(itIs('2024-02-04T00:00:00Z'), staffVoidsIt());
    const voided = ['ACM-001-001 voided pending 2024-02-04: team 4900 + tokens 10.0 = 100, 5000 EUR'];
    expect(await story.documents()).toEqual(voided);
    await expect(story.when(staffVoidsIt())).rejects.toThrow(/405.*not_voidable/);
    await story.when(itIs('2024-03-04T00:00:00Z'));
    // The number is not given again.
    expect((await story.documents()).at(-1)).toMatch(/^ACM-001-002 finalized/);
    expect((await story.documents())[0]).toBe(voided[0]);
  });
});

describe('Two subscriptions of a customer', () => {
  test('billed on one day share an invoice', async () => {
    const seats = aPlan('seats').costing(2000);
    const story = await given(
      product,
      PLAN,
      seats,
      aSubscription('tokens-sub').to('team'),
      aSubscription('seats-sub').to('seats'),
    );
    await story.when(usage(10).on('tokens-sub').at('2024-01-20T10:00:00Z'), itIs('2024-02-01T00:00:00Z'));
    const [invoice, ...others] = await story.invoices();
    expect(others).toEqual([]);
    expect(invoice).toMatchObject({ number: 'ACM-001-001', total_amount_cents: 7000 });
    expect(
      invoice!.fees.map((fee) => `${fee.external_subscription_id} ${fee.item.code} ${fee.amount_cents}`).sort(),
    ).toEqual(['seats-sub seats 2000', 'tokens-sub team 4900', 'tokens-sub tokens 100']);

    await story.when(itIs('2024-04-01T00:00:00Z'));
    expect((await story.invoices()).map(({ number, total_amount_cents: total }) => `${number} ${total}`)).toEqual([
      'ACM-001-001 7000',
      'ACM-001-002 6900',
      'ACM-001-003 6900',
    ]);
  });

  test('wait for each other only so long: one that is stuck gets an invoice of its own', async () => {
    const story = await given(product, PLAN, aSubscription('swift'), aSubscription('stuck'));
    const stuck = await product.holdRows(
      `select from due_moments d join subscriptions s on s.id = d.owner_id
        where s.organization_id = $1 and s.external_id = 'stuck' for update of d`,
      [story.organizationId],
    );
    await story.startAdvance('2024-02-01T00:00:00Z');
    await until('the swift one has its invoice', async () => (await story.invoices()).length === 1);
    expect((await story.invoices())[0]!.fees.map((fee) => fee.external_subscription_id)).toEqual(['swift']);
    await stuck.letGo();
    await story.ready();
    expect(await story.documents()).toEqual([
      'ACM-001-001 finalized pending 2024-02-01: team 4900, 4900 EUR',
      'ACM-001-002 finalized pending 2024-02-01: team 4900, 4900 EUR',
    ]);
    await story.nothingHappensWhen(itIs('2024-02-20T00:00:00Z'));
  });

  test('billed on different days, or for different customers, do not', async () => {
    const story = await given(
      product,
      PLAN,
      aCustomer('one'),
      aCustomer('two'),
      aSubscription('a').of('one'),
      aSubscription('b').of('one').onItsAnniversary().from('2024-01-10T00:00:00Z'),
      aSubscription('c').of('two'),
    );
    await story.when(itIs('2024-02-10T00:00:00Z'));
    const invoices = await story.invoices();
    expect(
      invoices
        .map(({ number, issuing_date: date, fees }) => `${number} ${date} ${fees[0]!.external_subscription_id}`)
        .sort(),
    ).toEqual(['ACM-001-001 2024-02-01 a', 'ACM-001-002 2024-02-10 b', 'ACM-002-001 2024-02-01 c']);
  });
});

describe('Recalculation, asked for by support in the Temporal UI', () => {
  const ofSubscription = (story: Story) =>
    story.product.temporal.workflow.getHandle(`subscription/${story.organizationId}/sub/1`);
  const recalculated = (story: Story, invoiceId?: string) =>
    ofSubscription(story).executeUpdate<RecalculationResult, [object]>('recalculateInvoice', {
      args: [invoiceId === undefined ? {} : { invoiceId }],
    });

  test('a draft takes in all usage received so far, and the answer says before and after', async () => {
    const story = await aDraftOfJanuary();
    const [draft] = await story.invoices();
    const handle = product.temporal.workflow.getHandle(`invoice/${story.organizationId}/${draft!.lago_id}`);
    // Acknowledged, and not stored before the update looks at it.
    const consumer = product.pid('consumer');
    process.kill(consumer, 'SIGSTOP');
    let result: Promise<RecalculationResult>;
    try {
      await story.when(usage(5).at('2024-01-25T00:00:00Z'));
      result = handle.executeUpdate<RecalculationResult, []>('recalculateInvoice');
      await until('the recalculation has begun', async () => {
        const { pendingActivities } = (await handle.describe()).raw;
        return pendingActivities?.some(({ activityType }) => activityType?.name === 'recalculateInvoice') ?? false;
      });
    } finally {
      process.kill(consumer, 'SIGCONT');
    }
    expect(await result).toEqual({
      invoiceId: draft!.lago_id,
      number: 'ACM-DRAFT',
      status: 'draft',
      action: 'refreshed',
      before: '50.00 EUR',
      after: '50.50 EUR',
      difference: '0.50 EUR',
      lines: 2,
    });
    expect((await story.invoices())[0]).toMatchObject({ status: 'draft', total_amount_cents: 5050 });
    await story.settle();
    expect(await handle.executeUpdate<RecalculationResult, []>('recalculateInvoice')).toMatchObject({
      before: '50.50 EUR',
      after: '50.50 EUR',
      difference: '0.00 EUR',
    });
  });

  test('an issued invoice is compared and stays, also when asked twice', async () => {
    const story = await aDraftOfJanuary();
    await story.when(itIs('2024-02-04T00:00:00Z'));
    const { lago_id: id } = await story.lastInvoice();
    const late = usage(5).at('2024-01-25T00:00:00Z');
    await story.when(late);
    await story.settle();
    const compared = {
      invoiceId: id,
      number: 'ACM-001-001',
      status: 'finalized',
      action: 'compared',
      before: '50.00 EUR',
      after: '50.50 EUR',
      difference: '0.50 EUR',
      lines: 2,
    };
    await story.nothingHappensWhen({
      async happen() {
        expect(await recalculated(story)).toEqual(compared);
        expect(await recalculated(story, id)).toEqual(compared);
      },
    });
  });

  test('what cannot be recalculated is refused before it is recorded', async () => {
    const story = await given(product, PLAN);
    await expect(recalculated(story)).rejects.toMatchObject({
      cause: { message: expect.stringMatching(/no invoice yet/) },
    });
    await expect(recalculated(story, 'INV-1')).rejects.toMatchObject({
      cause: { message: expect.stringMatching(/must be the lago_id/) },
    });
    const stranger = await aDraftOfJanuary();
    const { lago_id: strangersInvoice } = await stranger.lastInvoice();
    await expect(recalculated(story, strangersInvoice)).rejects.toThrow();
    expect((await stranger.invoices())[0]).toMatchObject({ total_amount_cents: 5000, version_number: 1 });
  });
});
