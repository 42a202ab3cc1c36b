import { aCatalog, ApiHarness, type Json, ok, type Tenant } from './api-harness.js';

let harness: ApiHarness;
let tenant: Tenant;

beforeAll(async () => {
  harness = await ApiHarness.start();
});
afterAll(() => harness.stop());
beforeEach(async () => {
  tenant = await harness.tenant();
});

const details = async (answer: Promise<{ status: number; body: Json }>) => {
  const { status, body } = await answer;
  expect(status).toBe(422);
  return body['error_details'] as unknown;
};

const metric = (fields: Json = {}) =>
  tenant.post('/api/v1/billable_metrics', {
    billable_metric: { name: 'Calls', code: 'calls', aggregation_type: 'count_agg', ...fields },
  });
const plan = (fields: Json = {}) =>
  tenant.post('/api/v1/plans', {
    plan: { name: 'Pro', code: 'pro', interval: 'monthly', amount_cents: 100, amount_currency: 'EUR', ...fields },
  });
const subscribe = (fields: Json = {}) =>
  tenant.post('/api/v1/subscriptions', {
    subscription: { external_customer_id: 'cust', plan_code: 'pro', external_id: 'sub', ...fields },
  });
const meteringVersion = async () => {
  const [row] = await harness.database.system((em) =>
    em.execute<{ version: string }[]>('select metering_version as version from organizations where id = ?', [
      tenant.organizationId,
    ]),
  );
  return Number(row!.version);
};

describe('billable metrics', () => {
  it.each<[Json, Json]>([
    [{ aggregation_type: 'sum_agg' }, { field_name: ['value_is_mandatory'] }],
    [{ aggregation_type: 'custom_agg' }, { aggregation_type: ['value_is_invalid'] }],
    [{ aggregation_type: 'weighted_sum_agg', field_name: 'v' }, { weighted_interval: ['value_is_mandatory'] }],
    [
      { aggregation_type: 'weighted_sum_agg', field_name: 'v', weighted_interval: 'hours' },
      { weighted_interval: ['value_is_invalid'] },
    ],
    [{ recurring: true }, { recurring: ['not_compatible_with_aggregation_type'] }],
    [
      { recurring: true, aggregation_type: 'max_agg' },
      { recurring: ['not_compatible_with_aggregation_type'], field_name: ['value_is_mandatory'] },
    ],
    [{ expression: 'event.properties.a +' }, { expression: ['invalid_expression'] }],
    [{ rounding_function: 'up' }, { rounding_function: ['value_is_invalid'] }],
    [{ rounding_precision: 99 }, { rounding_precision: ['value_is_out_of_range'] }],
    [{ filters: [{ key: 'a', values: [] }] }, { values: ['value_is_mandatory'] }],
    [
      {
        filters: [
          { key: 'a', values: ['1'] },
          { key: 'a', values: ['2'] },
        ],
      },
      { filters: ['value_already_exist'] },
    ],
  ])('refuse %j', async (fields, expected) => {
    expect(await details(metric(fields))).toEqual(expected);
  });

  it.each<[Json]>([
    [{ aggregation_type: 'weighted_sum_agg', field_name: 'v', weighted_interval: 'seconds', recurring: true }],
    [
      {
        aggregation_type: 'sum_agg',
        field_name: 'v',
        recurring: true,
        rounding_function: 'round',
        rounding_precision: -2,
      },
    ],
    [{ aggregation_type: 'unique_count_agg', field_name: 'v', recurring: true }],
    [{ aggregation_type: 'sum_agg', field_name: 'v', expression: 'round(event.properties.a / 3, 2)' }],
  ])('say back %j', async (fields) => {
    const { billable_metric } = await ok(metric(fields));
    expect(billable_metric).toMatchObject(fields);
  });

  it('try an expression without storing anything', async () => {
    const evaluate = (body: Json) => tenant.post('/api/v1/billable_metrics/evaluate_expression', body);
    const event = { code: 'calls', timestamp: 1741219251, properties: { a: '1.5' } };
    expect(await ok(evaluate({ expression: 'event.properties.a * 2', event }))).toEqual({
      expression_result: { value: '3.0' },
    });
    const text = "concat(event.code, '-', event.timestamp)";
    expect(await ok(evaluate({ expression: text, event }))).toEqual({
      expression_result: { value: 'calls-1741219251' },
    });
    expect(await details(evaluate({ event }))).toEqual({ expression: ['value_is_mandatory'] });
    expect(await details(evaluate({ expression: '1 +', event }))).toEqual({ expression: ['invalid_expression'] });
    expect(await details(evaluate({ expression: 'event.properties.b', event }))).toEqual({
      event: ['expression_evaluation_failed'],
    });
    expect(await details(evaluate({ expression: '1', event: { timestamp: 'soon' } }))).toEqual({
      timestamp: ['value_is_invalid'],
    });
  });

  it('neutral values are no matter', async () => {
    const answer = await metric({ recurring: false, expression: '', weighted_interval: null, filters: null });
    expect(answer.status).toBe(200);
  });

  it('tell metering of every change that moves aggregates, and of no other', async () => {
    await ok(metric({ aggregation_type: 'sum_agg', field_name: 'value' }));
    expect(await meteringVersion()).toBe(1);
    const change = (billable_metric: Json) => ok(tenant.put('/api/v1/billable_metrics/calls', { billable_metric }));
    await change({ name: 'Other', description: 'x', rounding_function: 'ceil', rounding_precision: 2 });
    expect(await meteringVersion()).toBe(1);
    await change({ field_name: 'units' });
    expect(await meteringVersion()).toBe(2);
    await change({ filters: [{ key: 'region', values: ['eu'] }] });
    expect(await meteringVersion()).toBe(3);
    await ok(tenant.delete('/api/v1/billable_metrics/calls'));
    expect(await meteringVersion()).toBe(4);
    expect((await tenant.get('/api/v1/billable_metrics/calls')).status).toBe(404);
    expect((await metric()).status).toBe(200);
  });

  it('keep what they are once somebody is billed by them', async () => {
    await aCatalog(tenant);
    await ok(subscribe());
    const change = (billable_metric: Json) => tenant.put('/api/v1/billable_metrics/calls', { billable_metric });
    expect(await details(change({ code: 'other', aggregation_type: 'sum_agg', field_name: 'v' }))).toEqual({
      code: ['value_is_invalid'],
      aggregation_type: ['value_is_invalid'],
      field_name: ['value_is_invalid'],
    });
    expect((await change({ code: 'calls', aggregation_type: 'count_agg', name: 'Same' })).status).toBe(200);
  });

  it('take away the filters of charges with the values they no longer declare', async () => {
    const regions = (...values: string[]) => [{ key: 'region', values }];
    const { billable_metric } = await ok(metric({ filters: regions('eu', 'us') }));
    const filter = (...region: string[]) => ({ values: { region }, properties: { amount: '1' } });
    const charge = {
      billable_metric_id: billable_metric.lago_id,
      charge_model: 'standard',
      properties: { amount: '2' },
    };
    await ok(plan({ charges: [{ ...charge, filters: [filter('eu', 'us'), filter('us')] }] }));
    await ok(tenant.put('/api/v1/billable_metrics/calls', { billable_metric: { filters: regions('eu') } }));
    const changed = await ok(tenant.get('/api/v1/plans/pro'));
    expect(changed['plan'].charges[0].filters.map(({ values }: Json) => values as unknown)).toEqual([
      { region: ['eu'] },
    ]);
  });
});

describe('plans', () => {
  let metricId: string;
  const charge = (fields: Json = {}) => ({
    billable_metric_id: metricId,
    charge_model: 'standard',
    properties: { amount: '0.5' },
    ...fields,
  });

  beforeEach(async () => {
    const { billable_metric } = await ok(metric({ filters: [{ key: 'region', values: ['eu', 'us'] }] }));
    metricId = billable_metric.lago_id as string;
  });

  it.each<[string, () => Json, Json]>([
    ['an interval', () => ({ interval: 'daily' }), { interval: ['value_is_invalid'] }],
    ['a negative amount', () => ({ amount_cents: -1 }), { amount_cents: ['value_is_out_of_range'] }],
    ['a fraction of a cent', () => ({ amount_cents: 1.5 }), { amount_cents: ['value_is_invalid'] }],
    ['an amount that JSON cannot carry', () => ({ amount_cents: 1e16 }), { amount_cents: ['value_is_out_of_range'] }],
    ['a currency', () => ({ amount_currency: 'eur' }), { amount_currency: ['value_is_invalid'] }],
    ['a trial', () => ({ trial_period: -1 }), { trial_period: ['value_is_out_of_range'] }],
    ['thresholds', () => ({ usage_thresholds: [{ amount_cents: 1 }] }), { usage_thresholds: ['value_is_invalid'] }],
    [
      'an unknown model',
      () => ({ charges: [charge({ charge_model: 'odd' })] }),
      { charge_model: ['value_is_invalid'] },
    ],
    ['a price', () => ({ charges: [charge({ properties: { amount: '-1' } })] }), { properties: ['invalid_amount'] }],
    [
      'a price of many digits',
      () => ({ charges: [charge({ properties: { amount: '9'.repeat(20) } })] }),
      { properties: ['value_is_out_of_range'] },
    ],
    ['no ranges', () => ({ charges: [charge({ charge_model: 'volume' })] }), { properties: ['missing_volume_ranges'] }],
    [
      'a package',
      () => ({
        charges: [charge({ charge_model: 'package', properties: { amount: '1', package_size: 0, free_units: -1 } })],
      }),
      { properties: ['invalid_free_units', 'invalid_package_size'] },
    ],
    [
      'a filter',
      () => ({ charges: [charge({ filters: [{ values: { region: ['asia'] }, properties: { amount: '1' } }] })] }),
      { values: ['value_is_invalid'] },
    ],
    [
      'a filter of nothing',
      () => ({ charges: [charge({ filters: [{ values: {}, properties: { amount: '1' } }] })] }),
      { values: ['value_is_mandatory'] },
    ],
    [
      'two charges of one code',
      () => ({ charges: [charge({ code: 'a' }), charge({ code: 'a' })] }),
      { code: ['value_already_exist'] },
    ],
  ])('refuse %s', async (_, fields, expected) => {
    expect(await details(plan(fields()))).toEqual(expected);
    expect((await tenant.get('/api/v1/plans/pro')).status).toBe(404);
  });

  it.each([
    [() => ({ charges: [charge({ billable_metric_id: 'x' })] }), 'billable_metrics_not_found'],
    [
      () => ({ charges: [charge({ billable_metric_id: '8f14e45f-ceea-4e7a-9c1d-000000000000' })] }),
      'billable_metrics_not_found',
    ],
    [() => ({ tax_codes: ['none'] }), 'tax_not_found'],
    [() => ({ charges: [charge({ tax_codes: ['none'] })] }), 'tax_not_found'],
  ])('%#: not found', async (fields, code) => {
    expect(await plan(fields())).toMatchObject({ status: 404, body: { code } });
  });

  it('give charges without a code the code of their metric', async () => {
    const { plan: created } = await ok(plan({ charges: [charge(), charge({ code: 'calls_1' }), charge(), charge()] }));
    expect(created.charges.map(({ code }: Json) => code as string)).toEqual(['calls', 'calls_1', 'calls_2', 'calls_3']);
  });

  it('keep of the properties what the model knows, and price nothing where none are given', async () => {
    const charges = [charge({ properties: { amount: '1', color: 'red' } }), charge({ properties: {} })];
    const { plan: created } = await ok(plan({ charges }));
    expect(created.charges.map(({ properties }: Json) => properties as unknown)).toEqual([
      { amount: '1' },
      { amount: '0' },
    ]);
  });

  it('have their charges replaced by those of a change: by id changed, without id new, unnamed gone', async () => {
    const filters = [
      { values: { region: ['eu'] }, properties: { amount: '1' }, invoice_display_name: 'Europe' },
      { values: { region: ['us'] }, properties: { amount: '2' } },
    ];
    const { plan: before } = await ok(plan({ charges: [charge({ code: 'kept', filters }), charge({ code: 'gone' })] }));
    const kept = before.charges[0];
    const change = {
      charges: [
        charge({ code: 'new' }),
        charge({
          id: kept.lago_id,
          properties: { amount: '9' },
          filters: [{ ...filters[1], properties: { amount: '3' } }],
        }),
      ],
    };
    const { plan: after } = await ok(tenant.put('/api/v1/plans/pro', { plan: change }));
    expect(after.charges.map(({ code }: Json) => code as string)).toEqual(['new', 'kept']);
    expect(after.charges[1]).toMatchObject({
      lago_id: kept.lago_id,
      properties: { amount: '9' },
      filters: [{ lago_id: kept.filters[1].lago_id, properties: { amount: '3' }, values: { region: ['us'] } }],
    });
    const { plan: renamed } = await ok(tenant.put('/api/v1/plans/pro', { plan: { name: 'Renamed' } }));
    expect(renamed.charges).toEqual(after.charges);
  });

  it('keep their periods and currency while somebody is on them, and take a whole plan sent back', async () => {
    const { plan: created } = await ok(plan({ charges: [charge()] }));
    await ok(subscribe());
    expect(
      await details(tenant.put('/api/v1/plans/pro', { plan: { interval: 'yearly', amount_currency: 'USD' } })),
    ).toEqual({
      interval: ['value_is_invalid'],
      amount_currency: ['value_is_invalid'],
    });
    const same = { ...created.charges[0], id: created.charges[0].lago_id, billable_metric_id: metricId };
    const price = { charge_model: 'package', properties: { amount: '1', package_size: 1, free_units: 0 } };
    expect(await details(tenant.put('/api/v1/plans/pro', { plan: { charges: [{ ...same, ...price }] } }))).toEqual({
      charge_model: ['value_is_invalid'],
    });
    const back = { ...created, amount_cents: 200, charges: [same] };
    const { plan: changed } = await ok(tenant.put('/api/v1/plans/pro', { plan: back }));
    expect(changed).toEqual({ ...created, amount_cents: 200 });
  });

  it('end their subscriptions when they are deleted, and their code is free again', async () => {
    const { plan: created } = await ok(plan());
    await ok(subscribe());
    await ok(subscribe({ external_id: 'later', subscription_at: '2099-01-01T00:00:00Z' }));
    await ok(tenant.delete('/api/v1/plans/pro'));
    expect((await tenant.get('/api/v1/plans/pro')).status).toBe(404);
    const { subscriptions } = await ok(tenant.get('/api/v1/subscriptions?status[]=active&status[]=pending'));
    expect(subscriptions).toEqual([]);
    expect(harness.commands.calls).toContainEqual(['finalizeDraftsOfPlan', tenant.organizationId, created.lago_id]);
    expect((await plan()).status).toBe(200);
  });
});

describe('taxes', () => {
  it('are renamed and deleted everywhere they are named', async () => {
    await ok(tenant.post('/api/v1/taxes', { tax: { name: 'VAT', code: 'vat', rate: '9.30' } }));
    await ok(plan({ tax_codes: ['vat', 'vat'] }));
    await ok(tenant.post('/api/v1/customers', { customer: { external_id: 'cust', tax_codes: ['vat'] } }));
    await ok(tenant.put('/api/v1/taxes/vat', { tax: { code: 'mwst', rate: 19 } }));
    const shown = async () => {
      const { plan: found } = await ok(tenant.get('/api/v1/plans/pro'));
      const { customer } = await ok(tenant.get('/api/v1/customers/cust'));
      return [...found.taxes, ...customer.taxes].map(({ code, rate }: Json) => `${code} ${rate}`);
    };
    expect(await shown()).toEqual(['mwst 19', 'mwst 19']);
    await ok(tenant.delete('/api/v1/taxes/mwst'));
    expect(await shown()).toEqual([]);
  });
});
