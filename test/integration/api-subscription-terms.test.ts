import { ApiHarness, type Json, ok, type Tenant } from './api-harness.js';

let harness: ApiHarness;
let tenant: Tenant;
let chargeId: string;

beforeAll(async () => {
  harness = await ApiHarness.start();
});
afterAll(() => harness.stop());

const amount = (value: string) => ({ amount: value });
const region = (...values: string[]) => ({ region: values });

/** A plan with a charge that has two filters, and ten seats; two subscriptions are on it, `own` and `plain`. */
beforeEach(async () => {
  tenant = await harness.tenant();
  const filters = [{ key: 'region', values: ['eu', 'us', 'asia'] }];
  const metric = { name: 'Calls', code: 'calls', aggregation_type: 'sum_agg', field_name: 'v', filters };
  const metricId = (await ok(tenant.post('/api/v1/billable_metrics', { billable_metric: metric })))['billable_metric']
    .lago_id as string;
  const add_on = { name: 'Seat', code: 'seat', amount_cents: 1, amount_currency: 'EUR' };
  const addOnId = (await ok(tenant.post('/api/v1/add_ons', { add_on })))['add_on'].lago_id as string;
  const charge = {
    billable_metric_id: metricId,
    charge_model: 'standard',
    properties: amount('1'),
    filters: [
      { values: region('eu'), properties: amount('2'), invoice_display_name: 'Europe' },
      { values: region('us'), properties: amount('3') },
    ],
  };
  const { plan } = await ok(
    tenant.post('/api/v1/plans', {
      plan: {
        ...{ name: 'Pro', code: 'pro', interval: 'monthly', amount_cents: 100, amount_currency: 'EUR' },
        charges: [charge],
        fixed_charges: [{ add_on_id: addOnId, charge_model: 'standard', units: 10, properties: amount('2') }],
      },
    }),
  );
  chargeId = plan.charges[0].lago_id as string;
  await ok(subscribe('own'));
  await ok(subscribe('plain'));
});

const subscribe = (external_id: string, fields: Json = {}) =>
  tenant.post('/api/v1/subscriptions', {
    subscription: { external_customer_id: 'cust', plan_code: 'pro', external_id, ...fields },
  });
const planOf = async (externalId: string) =>
  (await ok(tenant.get(`/api/v1/subscriptions/${externalId}`)))['subscription'].plan as Json;
const overrideOwn = (plan_overrides: Json) =>
  tenant.put('/api/v1/subscriptions/own', { subscription: { plan_overrides } });
const editPlan = (plan: Json) => ok(tenant.put('/api/v1/plans/pro', { plan }));
const storedDifferences = () =>
  harness.database.system((em) =>
    em.execute<{ difference: Json }[]>('select difference from subscription_terms where organization_id = ?', [
      tenant.organizationId,
    ]),
  );

describe('terms of a subscription of its own', () => {
  it('are shown as a plan that has its own ids and names where it comes from', async () => {
    const parent = (await ok(tenant.get('/api/v1/plans/pro')))['plan'] as Json;
    await ok(overrideOwn({ name: 'Deal', amount_cents: 70, charges: [{ id: chargeId, min_amount_cents: 5 }] }));
    const plan = await planOf('own');
    expect(plan).toMatchObject({ name: 'Deal', code: 'pro', amount_cents: 70, parent_id: parent['lago_id'] as string });
    expect(plan['lago_id']).not.toBe(parent['lago_id']);
    expect(plan['charges']).toMatchObject([
      { lago_parent_id: chargeId, code: 'calls', min_amount_cents: 5, filters: [{ values: region('eu') }, {}] },
    ]);
    expect(await planOf('own')).toEqual(plan);
    expect(await planOf('plain')).toEqual(parent);
    expect(await storedDifferences()).toEqual([
      {
        difference: {
          plan: { name: 'Deal', amountCents: 70 },
          charges: { [chargeId]: { fields: { minAmountCents: 5 } } },
        },
      },
    ]);
  });

  it('are agreed on with the subscription, and tell it apart in lists', async () => {
    await ok(subscribe('deal', { plan_overrides: { amount_cents: 1, minimum_commitment: { amount_cents: 900 } } }));
    const found = await ok(tenant.get('/api/v1/subscriptions?overridden=true'));
    expect(found['subscriptions']).toMatchObject([
      { external_id: 'deal', plan_amount_cents: 1, plan: { minimum_commitment: { amount_cents: 900 } } },
    ]);
    expect((await ok(tenant.get('/api/v1/subscriptions?overridden=false')))['subscriptions']).toHaveLength(2);
    expect((await ok(tenant.get('/api/v1/plans')))['plans']).toHaveLength(1);
  });

  it.each<[string, Json, number, Json]>([
    ['a charge of no plan', { charges: [{ id: 'x' }] }, 404, { code: 'charge_not_found' }],
    ['a fixed charge of no plan', { fixed_charges: [{ code: 'x' }] }, 404, { code: 'fixed_charge_not_found' }],
    ['an unknown tax', { tax_codes: ['none'] }, 404, { code: 'tax_not_found' }],
    [
      'a price',
      { charges: [{ code: 'calls', properties: amount('x') }] },
      422,
      { error_details: { properties: ['invalid_amount'] } },
    ],
    [
      'a filter of undeclared values',
      { charges: [{ code: 'calls', filters: [{ values: region('moon') }] }] },
      422,
      { error_details: { values: ['value_is_invalid'] } },
    ],
    [
      'another currency',
      { amount_currency: 'USD' },
      422,
      { error_details: { currency: ['currencies_does_not_match'] } },
    ],
    ['thresholds', { usage_thresholds: [{ amount_cents: 1 }] }, 422, {}],
  ])('refuse %s and keep nothing of it', async (_, overrides, status, body) => {
    expect(await overrideOwn({ name: 'Deal', ...overrides })).toMatchObject({ status, body });
    expect(await subscribe('new', { plan_overrides: overrides })).toMatchObject({ status });
    expect((await tenant.get('/api/v1/subscriptions/new')).status).toBe(404);
    expect(await storedDifferences()).toEqual([]);
  });

  it('stay when the plan is edited, and go along where they are not customized when the edit cascades', async () => {
    await ok(overrideOwn({ charges: [{ code: 'calls', properties: amount('9') }] }));
    const before = await planOf('own');
    const added = { values: region('asia'), properties: amount('4') };
    const filters = [{ values: region('eu'), properties: amount('20') }];
    await editPlan({
      name: 'Renamed',
      amount_cents: 500,
      charges: [{ id: chargeId, properties: amount('7'), filters }],
    });
    expect(await planOf('own')).toEqual(before);
    expect(await planOf('plain')).toMatchObject({ name: 'Renamed', amount_cents: 500 });

    await ok(tenant.post('/api/v1/plans/pro/charges/calls/filters', { filter: { ...added, cascade_updates: true } }));
    await editPlan({ charges: [{ id: chargeId, properties: amount('8') }], amount_cents: 600, cascade_updates: true });
    const after = await planOf('own');
    expect(after).toMatchObject({ name: 'Pro', amount_cents: 100 });
    expect(after['charges'][0].properties).toEqual(amount('9'));
    const prices = after['charges'][0].filters.map(({ values, properties }: Json) => [
      values.region[0],
      properties.amount,
    ]);
    expect(Object.fromEntries(prices)).toEqual({ eu: '2', us: '3', asia: '4' });
  });

  it('keep a charge that the plan has no more, unless its deletion cascades', async () => {
    await ok(overrideOwn({ name: 'Deal' }));
    const before = await planOf('own');
    await ok(tenant.delete('/api/v1/plans/pro/charges/calls'));
    expect(await planOf('own')).toEqual(before);
    expect((await planOf('plain'))['charges']).toEqual([]);
    await ok(tenant.delete('/api/v1/plans/pro/fixed_charges/seat?cascade_updates=true'));
    expect((await planOf('own'))['fixed_charges']).toEqual([]);
    await ok(tenant.delete('/api/v1/billable_metrics/calls'));
    expect((await planOf('own'))['charges']).toEqual([]);
  });

  it('lose what a deletion cascades to, asked for in its body as Lago’s clients do', async () => {
    await ok(overrideOwn({ name: 'Deal' }));
    const path = '/api/v1/plans/pro/charges/calls';
    const [europe, america] = (await ok(tenant.get(`${path}/filters`)))['filters'] as Json[];
    await ok(tenant.delete(`${path}/filters/${europe!['lago_id']}`, { filter: { cascade_updates: false } }));
    expect((await planOf('own'))['charges'][0].filters).toHaveLength(2);
    await ok(tenant.delete(`${path}/filters/${america!['lago_id']}`, { filter: { cascade_updates: true } }));
    expect((await planOf('own'))['charges'][0].filters).toMatchObject([{ values: region('eu') }]);

    const seat = '/api/v1/plans/pro/fixed_charges/seat';
    for (const body of ['[]', '"charge"', '{"charge":1,"fixed_charge":"x"}', '{']) {
      expect([(await tenant.delete(path, body)).status, (await tenant.delete(seat, body)).status]).toEqual([400, 400]);
    }
    expect((await tenant.delete(path, { charge: { cascade_updates: 'maybe' } })).status).toBe(422);
    await ok(tenant.delete(path, { charge: { cascade_updates: true } }));
    await ok(tenant.delete(seat, { fixed_charge: { cascade_updates: true } }));
    expect(await planOf('own')).toMatchObject({ charges: [], fixed_charges: [] });
  });

  it.each(['', '{}', 'null', '{"charge":{}}', '{"charge":null,"else":1}'])(
    'keep a charge whose deletion says nothing of cascading: %s',
    async (body) => {
      await ok(overrideOwn({ name: 'Deal' }));
      await ok(tenant.delete('/api/v1/plans/pro/charges/calls', body));
      expect((await planOf('own'))['charges']).toHaveLength(1);
    },
  );

  it('follow the names of taxes', async () => {
    await ok(tenant.post('/api/v1/taxes', { tax: { name: 'VAT', code: 'vat', rate: 20 } }));
    await ok(overrideOwn({ tax_codes: ['vat'], charges: [{ code: 'calls', tax_codes: ['vat'] }] }));
    await ok(tenant.put('/api/v1/taxes/vat', { tax: { code: 'mwst' } }));
    expect(await planOf('own')).toMatchObject({ taxes: [{ code: 'mwst' }], charges: [{ taxes: [{ code: 'mwst' }] }] });
    await ok(tenant.delete('/api/v1/taxes/mwst'));
    expect(await planOf('own')).toMatchObject({ taxes: [], charges: [{ taxes: [] }] });
  });
});

describe('charges of a subscription', () => {
  const path = '/api/v1/subscriptions/own/charges';

  it('are those of the plan until one of them is changed', async () => {
    const ofPlan = await ok(tenant.get('/api/v1/plans/pro/charges'));
    expect(await ok(tenant.get(path))).toEqual(ofPlan);
    expect(ofPlan['meta']).toMatchObject({ total_count: 1 });
    const { charge } = await ok(tenant.put(`${path}/calls`, { charge: { invoice_display_name: 'Mine' } }));
    expect(charge).toMatchObject({ lago_parent_id: chargeId, invoice_display_name: 'Mine', properties: amount('1') });
    expect(await ok(tenant.get(`${path}/calls`))).toEqual({ charge });
    expect((await tenant.get(`${path}/none`)).body).toMatchObject({ code: 'charge_not_found' });
    expect((await tenant.get('/api/v1/subscriptions/none/charges')).body).toMatchObject({
      code: 'subscription_not_found',
    });
    expect((await tenant.get(`${path}?subscription_status=pending`)).status).toBe(404);
  });

  it('have filters that are made, changed and taken away for this subscription only', async () => {
    const { filters } = await ok(tenant.get(`${path}/calls/filters`));
    const asia = { values: region('asia'), properties: amount('4') };
    const { filter } = await ok(tenant.post(`${path}/calls/filters`, { filter: asia }));
    expect(filter).toMatchObject({ charge_code: 'calls', ...asia });
    expect(await ok(tenant.get(`${path}/calls/filters/${filter.lago_id}`))).toEqual({ filter });
    const again = await tenant.post(`${path}/calls/filters`, { filter: asia });
    expect(again.body['error_details']).toEqual({ values: ['value_already_exist'] });
    // By the id it had in the plan, or by the one it has here.
    const change = (id: string, value: string) =>
      ok(tenant.put(`${path}/calls/filters/${id}`, { filter: { properties: amount(value) } }));
    const { filter: europe } = await change(filters[0].lago_id as string, '99');
    expect(europe).toMatchObject({ invoice_display_name: 'Europe', properties: amount('99') });
    expect((await change(europe.lago_id as string, '98'))['filter']).toEqual({ ...europe, properties: amount('98') });
    await ok(tenant.delete(`${path}/calls/filters/${filters[1].lago_id as string}`));
    expect((await ok(tenant.get(`${path}/calls/filters`)))['filters']).toEqual([
      { ...europe, properties: amount('98') },
      filter,
    ]);
    expect((await ok(tenant.get('/api/v1/plans/pro/charges/calls/filters')))['filters']).toEqual(filters);
    expect((await tenant.delete(`${path}/calls/filters/${chargeId}`)).body).toMatchObject({
      code: 'charge_filter_not_found',
    });
  });
});

describe('the parts of a subscription that is over', () => {
  it('are those that the newest of its status had, and change no more', async () => {
    await ok(overrideOwn({ charges: [{ code: 'calls', properties: amount('8') }] }));
    await ok(tenant.delete('/api/v1/subscriptions/own'));
    await ok(subscribe('own', { plan_overrides: { charges: [{ code: 'calls', properties: amount('9') }] } }));
    await ok(tenant.delete('/api/v1/subscriptions/own'));
    await ok(subscribe('own', { subscription_at: '2090-01-01T00:00:00Z' }));
    await ok(tenant.delete('/api/v1/subscriptions/own?status=pending'));

    const path = '/api/v1/subscriptions/own';
    expect((await tenant.get(`${path}/charges`)).status).toBe(404);
    for (const [status, price] of [
      ['terminated', '9'],
      ['canceled', '1'],
    ]) {
      const query = `?subscription_status=${status}`;
      const { charges } = await ok(tenant.get(`${path}/charges${query}`));
      expect(charges).toMatchObject([{ code: 'calls', properties: { amount: price } }]);
      expect(await ok(tenant.get(`${path}/charges/calls${query}`))).toEqual({ charge: charges[0] });
      const { filters } = await ok(tenant.get(`${path}/charges/calls/filters${query}`));
      expect(filters).toMatchObject([{ values: region('eu') }, { values: region('us') }]);
      const one = await ok(tenant.get(`${path}/charges/calls/filters/${filters[0].lago_id}${query}`));
      expect(one).toEqual({ filter: filters[0] });
      const { fixed_charges } = await ok(tenant.get(`${path}/fixed_charges${query}`));
      expect(await ok(tenant.get(`${path}/fixed_charges/seat${query}`))).toEqual({ fixed_charge: fixed_charges[0] });
      const change = await tenant.put(`${path}/charges/calls${query}`, { charge: { min_amount_cents: 1 } });
      expect(change.body['error_details']).toEqual({ subscription_status: ['value_is_invalid'] });
    }
  });
});

describe('units of fixed charges', () => {
  const units = async () => {
    const rows = await harness.database.system((em) =>
      em.execute<{ external_id: string; units: string; at: string }[]>(
        `select s.external_id, u.units::text,
                case when u.effective_at = s.started_at then 'start'
                     when u.effective_at <= now() then 'now' else 'next period' end as at
           from fixed_charge_unit_changes u join subscriptions s on s.id = u.subscription_id
          where u.organization_id = ? order by s.external_id, u.effective_at, u.created_at`,
        [tenant.organizationId],
      ),
    );
    return rows.map(({ external_id, units: many, at }) => `${external_id} ${many} ${at}`);
  };
  const seats = (fields: Json) => ok(tenant.put('/api/v1/plans/pro/fixed_charges/seat', { fixed_charge: fields }));

  beforeEach(async () => {
    // So that now is not the start.
    await harness.database.system((em) =>
      em.execute(`update subscriptions set started_at = '2020-01-01' where organization_id = ?`, [
        tenant.organizationId,
      ]),
    );
  });

  it('are dated for everybody on the plan, the last word on the next period superseding the one before', async () => {
    await seats({ units: 12 });
    await seats({ units: 15 });
    expect(await units()).toEqual(['own 10 start', 'own 15 next period', 'plain 10 start', 'plain 15 next period']);
    await seats({ units: 20, apply_units_immediately: true });
    await seats({ units: '20.0', invoice_display_name: 'Seats' });
    expect(await units()).toEqual(['own 10 start', 'own 20 now', 'plain 10 start', 'plain 20 now']);
  });

  it('of its own are dated for a subscription alone, which edits of the plan leave as they are', async () => {
    const own = { units: 5, apply_units_immediately: true };
    const { fixed_charge } = await ok(
      tenant.put('/api/v1/subscriptions/own/fixed_charges/seat', { fixed_charge: own }),
    );
    expect(fixed_charge).toMatchObject({ units: '5.0', add_on_code: 'seat' });
    expect(await ok(tenant.get('/api/v1/subscriptions/own/fixed_charges/seat'))).toEqual({ fixed_charge });
    expect((await ok(tenant.get('/api/v1/subscriptions/own/fixed_charges')))['fixed_charges']).toEqual([fixed_charge]);
    await seats({ units: 30, apply_units_immediately: true, cascade_updates: true });
    expect(await units()).toEqual(['own 10 start', 'own 5 now', 'plain 10 start', 'plain 30 now']);
  });

  it('of a fixed charge that comes later begin with none', async () => {
    const add_on = (await ok(tenant.get('/api/v1/add_ons/seat')))['add_on'] as Json;
    const fixed_charge = { add_on_id: add_on['lago_id'] as string, charge_model: 'standard', units: 3 };
    const made = await ok(tenant.post('/api/v1/plans/pro/fixed_charges', { fixed_charge }));
    expect(made['fixed_charge']).toMatchObject({ code: 'seat_1', units: '3.0' });
    expect(await units()).toEqual(['own 0 start', 'own 3 next period', 'plain 0 start', 'plain 3 next period']);
  });
});

describe('the parts of a plan', () => {
  const charges = '/api/v1/plans/pro/charges';

  it('are made, changed and deleted one by one', async () => {
    const { charge } = await ok(tenant.get(`${charges}/calls`));
    const input = { billable_metric_id: charge.lago_billable_metric_id as string, charge_model: 'standard' };
    const made = await ok(tenant.post(charges, { charge: { ...input, properties: amount('5') } }));
    expect(made['charge']).toMatchObject({ code: 'calls_1', properties: amount('5'), filters: [] });
    const taken = await tenant.post(charges, { charge: { ...input, code: 'calls' } });
    expect(taken.body['error_details']).toEqual({ code: ['value_already_exist'] });
    const changed = await ok(tenant.put(`${charges}/calls_1`, { charge: { code: 'more', min_amount_cents: 3 } }));
    expect(changed['charge']).toEqual({ ...made['charge'], code: 'more', min_amount_cents: 3 });
    expect((await ok(tenant.get(charges)))['charges']).toEqual([charge, changed['charge']]);
    expect(await ok(tenant.delete(`${charges}/more`))).toEqual(changed);
    expect((await tenant.get(`${charges}/more`)).body).toMatchObject({ code: 'charge_not_found' });
    expect((await tenant.get('/api/v1/plans/none/charges')).body).toMatchObject({ code: 'plan_not_found' });
  });

  it('keep the way they are billed while somebody is on the plan', async () => {
    const change = (charge: Json) => tenant.put(`${charges}/calls`, { charge });
    expect((await change({ charge_model: 'dynamic', pay_in_advance: true })).body['error_details']).toEqual({
      charge_model: ['value_is_invalid'],
      pay_in_advance: ['value_is_invalid'],
    });
    const refreshes = () =>
      harness.commands.calls.filter(
        ([command, organizationId]) => command === 'refreshDraftsOfPlan' && organizationId === tenant.organizationId,
      );
    expect(refreshes()).toHaveLength(0);
    await ok(change({ properties: amount('6') }));
    expect(refreshes()).toHaveLength(1);
  });

  it('have filters of their own ids, each for values of its own', async () => {
    const path = `${charges}/calls/filters`;
    const { filters } = await ok(tenant.get(path));
    const asia = { values: region('asia'), properties: amount('4') };
    const { filter } = await ok(tenant.post(path, { filter: asia }));
    const moved = await tenant.put(`${path}/${filter.lago_id}`, { filter: { values: region('eu') } });
    expect(moved.body['error_details']).toEqual({ values: ['value_already_exist'] });
    const changed = await ok(tenant.put(`${path}/${filter.lago_id}`, { filter: { properties: amount('7') } }));
    expect(changed['filter']).toEqual({ ...filter, properties: amount('7') });
    expect(await ok(tenant.delete(`${path}/${filter.lago_id}`))).toEqual(changed);
    expect((await ok(tenant.get(path)))['filters']).toEqual(filters);
  });

  it('metadata is replaced, extended and taken away', async () => {
    const path = '/api/v1/plans/pro/metadata';
    expect(await ok(tenant.post(path, { metadata: { a: '1', b: '2' } }))).toEqual({ metadata: { a: '1', b: '2' } });
    const { metadata } = await ok(tenant.patch(path, { metadata: { b: '3', c: null } }));
    expect(metadata).toEqual({ a: '1', b: '3', c: null });
    expect(await ok(tenant.delete(`${path}/a`))).toEqual({ metadata: { b: '3', c: null } });
    expect((await tenant.delete(`${path}/a`)).body).toMatchObject({ code: 'metadata_not_found' });
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`key-${index}`, 'x']));
    expect((await tenant.patch(path, { metadata: many })).body['error_details']).toEqual({
      metadata: ['value_is_too_long'],
    });
    expect(await ok(tenant.delete(path))).toEqual({ metadata: null });
  });
});
