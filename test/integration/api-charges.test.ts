import { ApiHarness, type Json, ok, type Tenant } from './api-harness.js';

let harness: ApiHarness;
let tenant: Tenant;
const ids: Record<string, string> = {};

beforeAll(async () => {
  harness = await ApiHarness.start();
});
afterAll(() => harness.stop());
beforeEach(async () => {
  tenant = await harness.tenant();
  const metrics: Record<string, Json> = {
    count: { aggregation_type: 'count_agg' },
    sum: { aggregation_type: 'sum_agg', field_name: 'v' },
    max: { aggregation_type: 'max_agg', field_name: 'v' },
    unique: { aggregation_type: 'unique_count_agg', field_name: 'v' },
  };
  for (const [code, fields] of Object.entries(metrics)) {
    const body = { billable_metric: { name: code, code, filters: [{ key: 'region', values: ['eu'] }], ...fields } };
    ids[code] = (await ok(tenant.post('/api/v1/billable_metrics', body)))['billable_metric'].lago_id as string;
  }
  const addOn = { name: 'Seat', code: 'seat', amount_cents: 100, amount_currency: 'EUR' };
  ids['seat'] = (await ok(tenant.post('/api/v1/add_ons', { add_on: addOn })))['add_on'].lago_id as string;
});

const plan = (fields: Json = {}) =>
  tenant.post('/api/v1/plans', {
    plan: { name: 'Pro', code: 'pro', interval: 'monthly', amount_cents: 100, amount_currency: 'EUR', ...fields },
  });
const charge = (metric: string, fields: Json = {}) => ({
  billable_metric_id: ids[metric],
  charge_model: 'standard',
  properties: { amount: '1' },
  ...fields,
});
const seats = (fields: Json = {}) => ({
  add_on_id: ids['seat'],
  charge_model: 'standard',
  units: 10,
  properties: { amount: '2' },
  ...fields,
});
const ranges = (key: string) => ({
  charge_model: key,
  properties: { [`${key}_ranges`]: [{ from_value: 0, to_value: null, per_unit_amount: '1', flat_amount: '0' }] },
});

describe('charges', () => {
  const invalid = (...fields: string[]) => Object.fromEntries(fields.map((field) => [field, ['value_is_invalid']]));

  it.each<[string, () => Json, Json]>([
    ['dynamic of a count', () => charge('count', { charge_model: 'dynamic' }), invalid('charge_model')],
    ['a maximum in advance', () => charge('max', { pay_in_advance: true }), invalid('pay_in_advance')],
    [
      'a volume in advance',
      () => charge('sum', { ...ranges('volume'), pay_in_advance: true }),
      invalid('pay_in_advance'),
    ],
    ['proration of what does not recur', () => charge('sum', { prorated: true }), invalid('prorated')],
    ['uninvoiced in arrears', () => charge('sum', { invoiceable: false }), invalid('invoiceable')],
    ['regrouping in arrears', () => charge('sum', { regroup_paid_fees: 'invoice' }), invalid('regroup_paid_fees')],
    [
      'regrouping of what is invoiced',
      () => charge('sum', { pay_in_advance: true, regroup_paid_fees: 'invoice' }),
      invalid('regroup_paid_fees'),
    ],
    [
      'an unknown regrouping',
      () => charge('sum', { pay_in_advance: true, invoiceable: false, regroup_paid_fees: 'week' }),
      invalid('regroup_paid_fees'),
    ],
    [
      'a minimum in advance',
      () => charge('sum', { pay_in_advance: true, min_amount_cents: 1 }),
      invalid('min_amount_cents'),
    ],
    [
      'a negative minimum',
      () => charge('sum', { min_amount_cents: -1 }),
      { min_amount_cents: ['value_is_out_of_range'] },
    ],
    ['no metric', () => ({ charge_model: 'standard' }), { billable_metric_id: ['value_is_mandatory'] }],
    ['no model', () => ({ billable_metric_id: ids['sum'] }), { charge_model: ['value_is_mandatory'] }],
    ['groups of no list', () => charge('sum', { properties: { amount: '1', grouped_by: 'a' } }), invalid('properties')],
    [
      'groups of numbers',
      () => charge('sum', { properties: { amount: '1', pricing_group_keys: [1] } }),
      invalid('properties'),
    ],
    [
      'three keys of presentation',
      () => charge('sum', { properties: { amount: '1', presentation_group_keys: ['a', 'b', 'c'] } }),
      invalid('properties'),
    ],
    [
      'three keys of presentation of a filter',
      () =>
        charge('sum', {
          filters: [
            { values: { region: ['eu'] }, properties: { amount: '1', presentation_group_keys: ['a', 'b', 'c'] } },
          ],
        }),
      invalid('properties'),
    ],
    [
      'a key of presentation without a name',
      () => charge('sum', { properties: { amount: '1', presentation_group_keys: [{ options: {} }] } }),
      invalid('properties'),
    ],
    ['a wallet to draw from', () => charge('sum', { accepts_target_wallet: true }), invalid('accepts_target_wallet')],
    ['a pricing unit', () => charge('sum', { applied_pricing_unit: { code: 'c' } }), invalid('applied_pricing_unit')],
  ])('refuse %s', async (_, input, details) => {
    const answer = await plan({ charges: [input()] });
    expect(answer).toMatchObject({ status: 422, body: { error_details: details } });
    expect(answer.body['error_details']).toEqual(details);
    expect((await tenant.get('/api/v1/plans/pro')).status).toBe(404);
  });

  it('come back as they were sent', async () => {
    const charges = [
      charge('sum', { charge_model: 'dynamic', properties: {}, min_amount_cents: '500' }),
      charge('unique', { pay_in_advance: true, invoiceable: false, regroup_paid_fees: 'invoice' }),
      charge('count', {
        properties: { amount: '1', grouped_by: ['region', 'cloud'], presentation_group_keys: ['team'] },
        filters: [{ values: { region: ['eu'] }, properties: { amount: '2', pricing_group_keys: ['cloud'] } }],
      }),
      charge('sum', {
        charge_model: 'graduated_percentage',
        properties: { graduated_percentage_ranges: [{ from_value: 0, to_value: null, rate: '1', flat_amount: '0' }] },
      }),
    ];
    const { plan: created } = await ok(plan({ charges }));
    expect(created.charges).toMatchObject([
      { charge_model: 'dynamic', properties: {}, min_amount_cents: 500, invoiceable: true, regroup_paid_fees: null },
      { pay_in_advance: true, invoiceable: false, regroup_paid_fees: 'invoice', code: 'unique' },
      {
        properties: {
          amount: '1',
          grouped_by: ['region', 'cloud'],
          pricing_group_keys: ['region', 'cloud'],
          presentation_group_keys: ['team'],
        },
        filters: [{ properties: { amount: '2', grouped_by: ['cloud'], pricing_group_keys: ['cloud'] } }],
      },
      { charge_model: 'graduated_percentage' },
    ]);
    expect(await ok(tenant.get('/api/v1/plans/pro'))).toEqual({ plan: created });
  });

  it('change by id with what is named only, and take another model with its own price and filters', async () => {
    const filters = [{ values: { region: ['eu'] }, properties: { amount: '2' } }];
    const { plan: created } = await ok(plan({ charges: [charge('sum', { filters, min_amount_cents: 7 })] }));
    const id = created.charges[0].lago_id as string;
    const change = async (fields: Json) => tenant.put('/api/v1/plans/pro', { plan: { charges: [{ id, ...fields }] } });
    const { plan: named } = await ok(change({ invoice_display_name: 'Sums' }));
    expect(named.charges).toEqual([{ ...created.charges[0], invoice_display_name: 'Sums' }]);
    expect((await change(ranges('graduated'))).body['error_details']).toEqual({ filters: ['value_is_mandatory'] });
    const priced = { ...filters[0], properties: ranges('graduated').properties };
    const { plan: changed } = await ok(change({ ...ranges('graduated'), filters: [priced] }));
    expect(changed.charges).toMatchObject([
      { lago_id: id, charge_model: 'graduated', min_amount_cents: 7, filters: [{ properties: priced.properties }] },
    ]);
  });
});

describe('a charge that gets another metric', () => {
  const eu = { values: { region: ['eu'] }, properties: { amount: '2' } };
  const put = (id: string) => (fields: Json) =>
    tenant.put('/api/v1/plans/pro/charges/count', { charge: { ...fields, id } });

  it('keeps no filter that the metric does not declare, and takes another model afterwards', async () => {
    const metric = { name: 'plain', code: 'plain', aggregation_type: 'count_agg' };
    const plain = (await ok(tenant.post('/api/v1/billable_metrics', { billable_metric: metric })))['billable_metric'];
    const { plan: created } = await ok(plan({ charges: [charge('count', { filters: [eu] })] }));
    const id = created.charges[0].lago_id as string;
    const change = put(id);
    const moved = { billable_metric_id: plain.lago_id as string };

    expect((await change(moved)).body['error_details']).toEqual({ values: ['value_is_invalid'] });
    const whole = await tenant.put('/api/v1/plans/pro', { plan: { charges: [{ id, ...moved }] } });
    expect(whole.body['error_details']).toEqual({ values: ['value_is_invalid'] });
    expect(await ok(tenant.get('/api/v1/plans/pro'))).toEqual({ plan: created });

    const { charge: bare } = await ok(change({ ...moved, filters: [] }));
    expect(bare).toMatchObject({ lago_id: id, billable_metric_code: 'plain', filters: [] });
    const { charge: graduated } = await ok(change(ranges('graduated')));
    expect(graduated).toMatchObject({ lago_id: id, charge_model: 'graduated', billable_metric_code: 'plain' });
  });

  it('keeps those that it declares', async () => {
    const { plan: created } = await ok(plan({ charges: [charge('count', { filters: [eu] })] }));
    const { charge: moved } = await ok(put(created.charges[0].lago_id as string)({ billable_metric_id: ids['max'] }));
    expect(moved).toMatchObject({ billable_metric_code: 'max', filters: created.charges[0].filters as Json[] });
  });
});

describe('fixed charges', () => {
  it.each<[string, () => Json, Json]>([
    ['no add-on', () => ({ charge_model: 'standard' }), { add_on_id: ['value_is_mandatory'] }],
    ['no model', () => ({ add_on_id: ids['seat'] }), { charge_model: ['value_is_mandatory'] }],
    ['a package', () => seats({ charge_model: 'package' }), { charge_model: ['value_is_invalid'] }],
    ['less than nothing', () => seats({ units: '-1' }), { units: ['value_is_out_of_range'] }],
    ['no price', () => seats({ properties: { amount: 'x' } }), { properties: ['invalid_amount'] }],
    [
      'a volume in advance',
      () => seats({ ...ranges('volume'), pay_in_advance: true }),
      { pay_in_advance: ['value_is_invalid'] },
    ],
    [
      'prorated tiers in advance',
      () => seats({ ...ranges('graduated'), pay_in_advance: true, prorated: true }),
      { prorated: ['value_is_invalid'] },
    ],
  ])('refuse %s', async (_, input, details) => {
    const answer = await plan({ fixed_charges: [input()] });
    expect(answer.body['error_details']).toEqual(details);
    expect((await tenant.get('/api/v1/plans/pro')).status).toBe(404);
  });

  it.each([
    [() => seats({ add_on_id: 'x' }), 'add_ons_not_found'],
    [() => seats({ add_on_id: ids['sum'] }), 'add_ons_not_found'],
    [() => seats({ tax_codes: ['none'] }), 'tax_not_found'],
  ])('%#: not found', async (input, code) => {
    expect(await plan({ fixed_charges: [input()] })).toMatchObject({ status: 404, body: { code } });
  });

  it('come back as they were sent, are replaced by id, and keep a deleted add-on', async () => {
    const { plan: created } = await ok(plan({ fixed_charges: [seats(), seats({ units: '2.50', prorated: true })] }));
    expect(created.fixed_charges).toMatchObject([
      { lago_add_on_id: ids['seat'], add_on_code: 'seat', code: 'seat', units: '10.0', properties: { amount: '2' } },
      { code: 'seat_1', units: '2.5', prorated: true, pay_in_advance: false, lago_parent_id: null, taxes: [] },
    ]);
    await ok(tenant.delete('/api/v1/add_ons/seat'));
    expect((await tenant.get('/api/v1/add_ons/seat')).body).toMatchObject({ code: 'add_on_not_found' });
    const fixed_charges = [{ id: created.fixed_charges[1].lago_id as string, units: 3 }];
    const { plan: changed } = await ok(tenant.put('/api/v1/plans/pro', { plan: { fixed_charges } }));
    expect(changed.fixed_charges).toEqual([{ ...created.fixed_charges[1], units: '3.0' }]);
    const again = await tenant.put('/api/v1/plans/pro', { plan: { fixed_charges: [seats()] } });
    expect(again).toMatchObject({ status: 404, body: { code: 'add_ons_not_found' } });
  });
});

describe('a minimum commitment', () => {
  it.each([
    [{ invoice_display_name: 'x' }, { amount_cents: ['value_is_mandatory'] }],
    [{ amount_cents: 0 }, { amount_cents: ['value_is_out_of_range'] }],
    [{ amount_cents: 1.5 }, { amount_cents: ['value_is_invalid'] }],
  ])('refuses %j', async (minimum_commitment, details) => {
    expect((await plan({ minimum_commitment })).body['error_details']).toEqual(details);
  });

  it('is set, changed and taken away with its plan', async () => {
    await ok(tenant.post('/api/v1/taxes', { tax: { name: 'VAT', code: 'vat', rate: '20' } }));
    const minimum_commitment = { amount_cents: 5000, invoice_display_name: 'Least', tax_codes: ['vat'] };
    const { plan: created } = await ok(plan({ minimum_commitment, bill_fixed_charges_monthly: true }));
    expect(created).toMatchObject({
      bill_fixed_charges_monthly: true,
      minimum_commitment: {
        plan_code: 'pro',
        invoice_display_name: 'Least',
        amount_cents: 5000,
        interval: 'monthly',
        taxes: [{ code: 'vat' }],
      },
    });
    const change = async (fields: Json) =>
      (await ok(tenant.put('/api/v1/plans/pro', { plan: fields })))['plan'] as Json;
    expect(await change({ name: 'Other' })).toMatchObject({ minimum_commitment: created.minimum_commitment });
    expect(await change({ minimum_commitment: { amount_cents: 1 } })).toMatchObject({
      minimum_commitment: {
        lago_id: created.minimum_commitment.lago_id,
        amount_cents: 1,
        invoice_display_name: 'Least',
      },
    });
    expect(await change({ minimum_commitment: {} })).toMatchObject({ minimum_commitment: null });
  });
});

describe('add-ons', () => {
  it('are made, listed, changed and refused like every other thing', async () => {
    const { add_on } = await ok(tenant.get('/api/v1/add_ons/seat'));
    expect(add_on).toEqual({
      lago_id: ids['seat'],
      name: 'Seat',
      invoice_display_name: null,
      code: 'seat',
      amount_cents: 100,
      amount_currency: 'EUR',
      created_at: add_on.created_at as unknown,
      description: null,
      taxes: [],
    });
    expect((await tenant.post('/api/v1/add_ons', { add_on: { ...add_on } })).body['error_details']).toEqual({
      code: ['value_already_exist'],
    });
    expect((await tenant.post('/api/v1/add_ons', { add_on: { name: 'x' } })).body['error_details']).toEqual({
      code: ['value_is_mandatory'],
      amount_cents: ['value_is_mandatory'],
      amount_currency: ['value_is_mandatory'],
    });
    expect(await tenant.put('/api/v1/add_ons/seat', { add_on: { tax_codes: ['none'] } })).toMatchObject({
      body: { code: 'tax_not_found' },
    });
    const changed = await ok(tenant.put('/api/v1/add_ons/seat', { add_on: { code: 'place', amount_cents: '7' } }));
    expect(changed).toEqual({ add_on: { ...add_on, code: 'place', amount_cents: 7 } });
    expect((await ok(tenant.get('/api/v1/add_ons')))['add_ons']).toEqual([changed['add_on']]);
  });
});
