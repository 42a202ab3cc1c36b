import {
  aCharge,
  aClockAt,
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
  staffFinalizesIt,
  staffRefreshesIt,
  type Story,
  usage,
} from '../builders/index.js';

/** Credit notes: made when what was paid in advance is not used up, used by the invoices that come after. */
let product: Product;

beforeAll(async () => {
  product = await aProduct();
});

afterAll(() => product?.stop());

const IN_ADVANCE = () => aPlan().costing(3100).inAdvance();

describe('A termination in advance', () => {
  test('credits the days after it, with their tax', async () => {
    const story = await given(product, anOrganization().taxedAt(20), IN_ADVANCE());
    await story.when(itIs('2024-01-10T12:00:00Z'), itIsTerminated());
    // 21 of 31 days: 2,100 and 420.
    expect(await notes(story)).toEqual([
      'ACM-001-001-CN001 available: 2100 + taxes 420 = 2520, credit 2520, left 2520',
    ]);
    await story.nothingHappensWhen(itIs('2024-03-01T00:00:00Z'));
  });

  test('pays for its own last invoice, and the rest waits for the next one', async () => {
    const story = await given(
      product,
      IN_ADVANCE().withCharge(aCharge().standard('10')),
      aSubscription('one'),
      aSubscription('two').onItsAnniversary(),
    );
    await story.when(
      usage(1).on('one').at('2024-01-05T00:00:00Z'),
      itIs('2024-01-10T12:00:00Z'),
      itIsTerminated('one'),
    );
    expect(await notes(story)).toEqual(['ACM-001-001-CN001 available: 2100 = 2100, credit 2100, left 1100']);
    expect(await credits(story)).toEqual({ 'ACM-001-003': ['ACM-001-001-CN001 1000'] });

    await story.when(itIs('2024-02-01T00:00:00Z'));
    expect(await notes(story)).toEqual(['ACM-001-001-CN001 consumed: 2100 = 2100, credit 2100, left 0']);
    expect(await credits(story)).toEqual({
      'ACM-001-003': ['ACM-001-001-CN001 1000'],
      'ACM-001-004': ['ACM-001-001-CN001 1100'],
    });
    expect(await story.lastInvoice()).toMatchObject({
      sub_total_including_taxes_amount_cents: 3100,
      credit_notes_amount_cents: 1100,
      total_amount_cents: 2000,
      total_due_amount_cents: 2000,
      payment_status: 'pending',
    });
  });

  test('an invoice that credits pay for is paid, and nobody is charged', async () => {
    const story = await given(
      product,
      IN_ADVANCE().withCharge(aCharge().standard('1')),
      aCustomer().payingWith('pm_card_visa'),
    );
    await story.when(usage(5).at('2024-01-05T00:00:00Z'), itIs('2024-01-10T12:00:00Z'), itIsTerminated());
    expect(await story.lastInvoice()).toMatchObject({
      payment_status: 'succeeded',
      credit_notes_amount_cents: 500,
      total_amount_cents: 0,
    });
    expect(await story.attempts()).toHaveLength(1);
  });

  test('of a yen plan: whole yen', async () => {
    const story = await given(
      product,
      anOrganization().taxedAt(10),
      aPlan().costing(1000).inAdvance().inCurrency('JPY'),
      aCustomer().inZone('Asia/Tokyo'),
      aClockAt('2023-12-31T15:00:00Z'),
    );
    // 20:00 UTC of the 9th is the 10th in Tokyo: 21 of 31 days.
    await story.when(itIs('2024-01-09T20:00:00Z'), itIsTerminated());
    expect(await notes(story)).toEqual(['ACM-001-001-CN001 available: 677 + taxes 68 = 745, credit 745, left 745']);
  });

  test('in a trial credits nothing: nothing was paid', async () => {
    const story = await given(product, IN_ADVANCE().withTrialOf(20));
    await story.when(itIs('2024-01-10T12:00:00Z'), itIsTerminated());
    expect(await notes(story)).toEqual([]);
  });
});

describe('What a termination does with unused time', () => {
  const ending = (mode: string): Happening => ({
    async happen(story) {
      await story.api.delete(`/api/v1/subscriptions/${story.subscriptionId}?on_termination_credit_note=${mode}`);
      await story.settle();
    },
  });

  test('skip: nothing', async () => {
    const story = await given(product, IN_ADVANCE());
    await story.when(itIs('2024-01-10T12:00:00Z'), ending('skip'));
    expect(await notes(story)).toEqual([]);
  });

  test('refund: what was paid goes back', async () => {
    const story = await given(product, IN_ADVANCE(), aCustomer().payingWith('pm_card_visa'));
    await story.when(itIs('2024-01-10T12:00:00Z'), ending('refund'));
    expect(await notes(story)).toEqual(['ACM-001-001-CN001 null: 2100 = 2100, refund 2100, left 0']);
    expect(await refunds(story)).toEqual(['pending']);
  });

  test('refund of what nobody paid: credit', async () => {
    const story = await given(product, IN_ADVANCE());
    await story.when(itIs('2024-01-10T12:00:00Z'), ending('refund'));
    expect(await notes(story)).toEqual(['ACM-001-001-CN001 available: 2100 = 2100, credit 2100, left 2100']);
    expect(await refunds(story)).toEqual([null]);
  });

  test('offset: less is due on the same invoice, and the used part is still to be paid', async () => {
    const story = await given(product, IN_ADVANCE());
    await story.when(itIs('2024-01-10T12:00:00Z'), ending('offset'));
    expect(await notes(story)).toEqual(['ACM-001-001-CN001 null: 2100 = 2100, offset 2100, left 0']);
    expect((await story.invoices())[0]).toMatchObject({
      total_amount_cents: 3100,
      total_offsetted_credit_note_amount_cents: 2100,
      total_due_amount_cents: 1000,
      payment_status: 'pending',
    });
  });
});

describe('A voided invoice', () => {
  const voided = (body: unknown): Happening => ({
    async happen(story) {
      await story.api.post(`/api/v1/invoices/${(await story.lastInvoice()).lago_id}/void`, body);
      await story.settle();
    },
  });

  test('gives back a part of it when asked, in proportion to its fees', async () => {
    const story = await given(product, anOrganization().taxedAt(20), IN_ADVANCE());
    await story.when(voided({ generate_credit_note: true, credit_amount: 1860 }));
    expect(await notes(story)).toEqual([
      'ACM-001-001-CN001 available: 1550 + taxes 310 = 1860, credit 1860, left 1860',
    ]);
    expect((await story.invoices())[0]).toMatchObject({ status: 'voided', total_amount_cents: 3720 });
  });

  test('gives back no more than it was', async () => {
    const story = await given(product, IN_ADVANCE());
    const refused = (body: unknown) => expect(voided(body).happen(story)).rejects.toMatchObject({ status: 422 });
    await refused({ generate_credit_note: true, credit_amount: 3101 });
    // Nothing was paid, so nothing is refunded.
    await refused({ generate_credit_note: true, refund_amount: 1 });
    expect(await notes(story)).toEqual([]);
    expect((await story.invoices())[0]).toMatchObject({ status: 'finalized' });
  });

  test('does not give back what credit notes paid for it', async () => {
    const story = await given(product, IN_ADVANCE().withCharge(aCharge().standard('10')));
    await story.when(usage(1).at('2024-01-05T00:00:00Z'), itIs('2024-01-10T12:00:00Z'), itIsTerminated(), voided({}));
    expect(await notes(story)).toEqual(['ACM-001-001-CN001 available: 2100 = 2100, credit 2100, left 1100']);
  });
});

describe('While the invoice is a draft', () => {
  test('its note waits with it, and follows it when it is computed again', async () => {
    const story = await given(product, IN_ADVANCE(), aCustomer().inGraceFor(5), aSubscription().onItsAnniversary());
    await story.when(itIs('2024-01-02T12:00:00Z'), itIsTerminated());
    expect(await notes(story)).toEqual([]);
    await story.api.put(`/api/v1/invoices/${(await story.invoices())[0]!.lago_id}/refresh`);
    await story.when(itIs('2024-01-06T00:00:00Z'));
    // 29 of 31 days. The last invoice is a draft until the 7th and has nothing to pay.
    expect(await notes(story)).toEqual(['ACM-001-001-CN001 available: 2900 = 2900, credit 2900, left 2900']);
    await story.nothingHappensWhen(itIs('2024-01-06T12:00:00Z'));
  });

  test('credits are not used; at its end they are', async () => {
    const story = await given(
      product,
      IN_ADVANCE().withCharge(aCharge().standard('10')),
      aCustomer().inGraceFor(3),
      aSubscription(),
    );
    await story.when(usage(1).at('2024-01-05T00:00:00Z'), itIs('2024-01-10T12:00:00Z'), itIsTerminated());
    expect(await story.lastInvoice()).toMatchObject({ status: 'draft', total_amount_cents: 1000, credits: [] });
    await story.when(staffRefreshesIt());
    expect(await story.lastInvoice()).toMatchObject({ status: 'draft', total_amount_cents: 1000, credits: [] });
    await story.when(staffFinalizesIt());
    expect(await story.lastInvoice()).toMatchObject({
      status: 'finalized',
      credit_notes_amount_cents: 1000,
      total_amount_cents: 0,
    });
    expect(await notes(story)).toEqual(['ACM-001-001-CN001 available: 2100 = 2100, credit 2100, left 1100']);
  });
});

interface NoteJson {
  readonly refund_status: string | null;
  readonly number: string;
  readonly credit_status: string | null;
  readonly sub_total_excluding_taxes_amount_cents: number;
  readonly taxes_amount_cents: number;
  readonly total_amount_cents: number;
  readonly credit_amount_cents: number;
  readonly refund_amount_cents: number;
  readonly offset_amount_cents: number;
  readonly balance_amount_cents: number;
}

/** In order of creation: `ACM-001-001-CN001 available: 2100 + taxes 420 = 2520, credit 2520, left 2520`. */
async function notes(story: Story): Promise<string[]> {
  const { credit_notes: listed } = await story.api.get<{ credit_notes: NoteJson[] }>('/api/v1/credit_notes');
  return listed.reverse().map((note) => {
    const taxes = note.taxes_amount_cents === 0 ? '' : ` + taxes ${note.taxes_amount_cents}`;
    const parts = [
      ['credit', note.credit_amount_cents],
      ['refund', note.refund_amount_cents],
      ['offset', note.offset_amount_cents],
    ].filter(([, amount]) => amount !== 0);
    return (
      `${note.number} ${note.credit_status}: ${note.sub_total_excluding_taxes_amount_cents}${taxes} = ` +
      `${note.total_amount_cents}, ${parts.map((part) => part.join(' ')).join(', ')}, left ${note.balance_amount_cents}`
    );
  });
}

async function refunds(story: Story): Promise<(string | null)[]> {
  const { credit_notes: listed } = await story.api.get<{ credit_notes: NoteJson[] }>('/api/v1/credit_notes');
  return listed.map((note) => note.refund_status);
}

/** What credit notes paid for, by invoice. */
async function credits(story: Story): Promise<Record<string, string[]>> {
  const invoices = await story.invoices();
  const lines = invoices.map(({ number, credits: used }): [string, string[]] => [
    number,
    used.map(({ item, amount_cents }) => `${item.code} ${amount_cents}`),
  ]);
  return Object.fromEntries(lines.filter(([, used]) => used.length > 0));
}
