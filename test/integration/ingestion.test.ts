import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, test } from '@jest/globals';
import { eventually, type Tenant, UsageRoad } from './usage-road.js';

let road: UsageRoad;
let tenant: Tenant;

beforeAll(async () => {
  road = await UsageRoad.open();
  tenant = await road.tenant();
  road.startConsumer();
});

afterAll(() => road.close());

const failed = (details: object) => ({
  status: 422,
  error: 'Unprocessable Entity',
  code: 'validation_errors',
  error_details: details,
});

describe('A single event', () => {
  it('is answered in the shape of Lago, and the same again when it is sent again', async () => {
    const event = {
      transaction_id: 'first',
      external_subscription_id: 'sub',
      code: 'tokens_consumed',
      timestamp: 1741219251.59,
      properties: { value: 120, model: 'x' },
    };
    const first = await road.event(tenant, event);
    expect(first.status).toBe(200);
    expect(first.body).toEqual({
      event: {
        lago_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
        transaction_id: 'first',
        lago_customer_id: null,
        code: 'tokens_consumed',
        timestamp: '2025-03-06T00:00:51.590Z',
        precise_total_amount_cents: null,
        properties: { value: 120, model: 'x' },
        lago_subscription_id: null,
        external_subscription_id: 'sub',
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      },
    });
    const again = await road.event(tenant, event);
    const id = (answer: typeof first) => (answer.body as unknown as { event: { lago_id: string } }).event.lago_id;
    expect(again.status).toBe(200);
    expect(id(again)).toBe(id(first));
    await road.settle();
    const { rows } = await road.sql.query('select transaction_id, properties from events where id = $1', [id(first)]);
    expect(rows).toEqual([{ transaction_id: 'first', properties: { value: 120, model: 'x' } }]);
  });

  it('gets the property that the expression of its metric computes, alone and in a batch', async () => {
    const owner = await road.tenant();
    const sum = await road.metric(owner, 'size', 'sum_agg', 'value');
    await road.sql.query('update billable_metrics set expression = $1 where id = $2', [
      'round(event.properties.bytes / 1024, 2)',
      sum.id,
    ]);
    // The expressions known to this process are a second old at most.
    await sleep(1100);
    const sized = (transaction_id: string, properties: object) => ({
      transaction_id,
      external_subscription_id: 'sub',
      code: 'size',
      properties,
    });
    const alone = await road.event(owner, sized('1', { bytes: '1500', value: 'its own' }));
    expect(alone.body).toMatchObject({ event: { properties: { bytes: '1500', value: '1.46' } } });
    expect(await road.event(owner, sized('2', { bits: 1 }))).toMatchObject({
      status: 422,
      body: failed({ value: ['expression_evaluation_failed'] }),
    });
    const batch = await road.batch(owner, [sized('3', { bytes: 1024 }), { ...sized('4', {}), code: 'other' }]);
    expect(batch.body).toMatchObject({ events: [{ properties: { value: '1.0' } }, { properties: {} }] });
    expect(await road.batch(owner, [sized('5', { bytes: 1 }), sized('6', { bytes: 'many' })])).toMatchObject({
      status: 422,
      body: failed({ 1: { value: ['expression_evaluation_failed'] } }),
    });
    await road.settle();
    const { rows } = await road.sql.query(
      'select transaction_id, properties from events where organization_id = $1 order by transaction_id',
      [owner.id],
    );
    expect(rows).toEqual([
      { transaction_id: '1', properties: { bytes: '1500', value: '1.46' } },
      { transaction_id: '3', properties: { bytes: 1024, value: '1.0' } },
      { transaction_id: '4', properties: {} },
    ]);
  });

  it('of the same transaction id on another subscription is another event', async () => {
    await road.event(tenant, { transaction_id: 'twice', external_subscription_id: 'a', code: 'c' });
    await road.event(tenant, { transaction_id: 'twice', external_subscription_id: 'b', code: 'c' });
    await road.settle();
    const { rows } = await road.sql.query(
      `select external_subscription_id from events where transaction_id = 'twice' order by 1`,
    );
    expect(rows.map((row) => row.external_subscription_id)).toEqual(['a', 'b']);
  });

  test.each([
    ['whole seconds', 1741219251, '2025-03-06T00:00:51.000Z'],
    ['seconds as text', '1741219251', '2025-03-06T00:00:51.000Z'],
    ['a fraction as text', '1741219251.590', '2025-03-06T00:00:51.590Z'],
    ['a fraction that a float would miss', '1741219251.5999', '2025-03-06T00:00:51.599Z'],
    ['an exponent', '1.741219251e9', '2025-03-06T00:00:51.000Z'],
    ['milliseconds, which are taken for seconds', 1741219251590, '57147-01-16T14:19:50.000Z'],
    ['a time before 1970', -1.5, '1969-12-31T23:59:58.500Z'],
  ])('may be timed with %s', async (_, timestamp, expected) => {
    const answer = await road.event(tenant, { transaction_id: `t${String(timestamp)}`, code: 'c', timestamp });
    expect(answer.body).toMatchObject({ event: { timestamp: expected, external_subscription_id: '' } });
    await road.settle();
    const { rows } = await road.sql.query(
      `select (extract(epoch from "timestamp") * 1000)::float8 as ms from events where transaction_id = $1`,
      [`t${String(timestamp)}`],
    );
    if (!expected.startsWith('57147')) expect(rows).toEqual([{ ms: Date.parse(expected) }]);
    else expect(rows).toEqual([{ ms: 1741219251590000 }]);
  });

  it('without a timestamp is of now', async () => {
    const before = Date.now();
    const answer = await road.event(tenant, { transaction_id: 'now', code: 'c' });
    const { event } = answer.body as unknown as { event: { timestamp: string } };
    expect(Date.parse(event.timestamp)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(event.timestamp)).toBeLessThanOrEqual(Date.now());
  });

  it('without a timestamp takes the frozen time of the test clock its customer lives on', async () => {
    const clocked = await road.tenant();
    await road.sql.query(`update organizations set has_test_clocks = true where id = $1`, [clocked.id]);
    await road.sql.query(
      `with clock as (
         insert into test_clocks (id, organization_id, name, frozen_at, target_at, status, created_at, updated_at)
         values (gen_random_uuid(), $1, 'c', '2024-02-29T12:00:00.5Z', '2024-02-29T12:00:00.5Z', 'ready', now(), now()) returning id
       ), customer as (
         insert into customers (id, organization_id, external_id, sequential_id, test_clock_id, created_at, updated_at)
         select gen_random_uuid(), $1, 'cust', 1, id, now(), now() from clock returning id
       ), plan as (
         insert into plans (id, organization_id, code, name, "interval", amount_cents, amount_currency, created_at, updated_at)
         values (gen_random_uuid(), $1, 'p', 'p', 'monthly', 0, 'EUR', now(), now()) returning id
       )
       insert into subscriptions (id, organization_id, customer_id, external_id, ordinal, plan_id, status, billing_time,
         subscription_at, created_at, updated_at)
       select gen_random_uuid(), $1, customer.id, 'frozen', 1, plan.id, 'active', 'calendar', now(), now(), now()
       from customer, plan`,
      [clocked.id],
    );
    const answer = await road.batch(clocked, [
      { transaction_id: '1', code: 'c', external_subscription_id: 'frozen' },
      { transaction_id: '2', code: 'c', external_subscription_id: 'frozen', timestamp: 5 },
      { transaction_id: '3', code: 'c', external_subscription_id: 'nobody' },
    ]);
    const times = (answer.body as unknown as { events: { timestamp: string }[] }).events.map(
      (event) => event.timestamp,
    );
    expect(times.slice(0, 2)).toEqual(['2024-02-29T12:00:00.500Z', '1970-01-01T00:00:05.000Z']);
    expect(Date.now() - Date.parse(times[2]!)).toBeLessThan(10_000);
  });

  it('keeps every digit of a number', async () => {
    const body = `{"event":{"transaction_id":"digits","code":"c","properties":{"value":12345678901234567890.123,"small":0.1}}}`;
    const answer = await road.post(tenant, '/api/v1/events', body);
    expect(answer.body).toMatchObject({ event: { properties: { value: '12345678901234567890.123', small: 0.1 } } });
  });

  test.each<[string, unknown, object]>([
    ['no transaction id', { code: 'c' }, { transaction_id: ['value_is_mandatory'] }],
    ['nothing of use', { foo: 1 }, { transaction_id: ['value_is_mandatory'], code: ['value_is_mandatory'] }],
    ['an object for an id', { transaction_id: {}, code: 'c' }, { transaction_id: ['value_is_invalid'] }],
    ['a boolean for a code', { transaction_id: 't', code: true }, { code: ['value_is_invalid'] }],
    ['NUL in an id', { transaction_id: 'a\0b', code: 'c' }, { transaction_id: ['value_is_invalid'] }],
    ['half a surrogate pair', { transaction_id: 'a\ud800', code: 'c' }, { transaction_id: ['value_is_invalid'] }],
    ['a code without end', { transaction_id: 't', code: 'c'.repeat(256) }, { code: ['value_is_too_long'] }],
    ['an id without end', { transaction_id: 't'.repeat(1025), code: 'c' }, { transaction_id: ['value_is_too_long'] }],
    [
      'a date as text',
      { transaction_id: 't', code: 'c', timestamp: '2024-03-01T00:00:00Z' },
      { timestamp: ['invalid_format'] },
    ],
    ['a boolean for a time', { transaction_id: 't', code: 'c', timestamp: true }, { timestamp: ['invalid_format'] }],
    [
      'a time beyond all calendars',
      { transaction_id: 't', code: 'c', timestamp: 1e300 },
      { timestamp: ['value_is_out_of_range'] },
    ],
    ['a list of properties', { transaction_id: 't', code: 'c', properties: [1] }, { properties: ['value_is_invalid'] }],
    ['properties as text', { transaction_id: 't', code: 'c', properties: 'x' }, { properties: ['value_is_invalid'] }],
    [
      'NUL in properties',
      { transaction_id: 't', code: 'c', properties: { a: ['\0'] } },
      { properties: ['value_is_invalid'] },
    ],
    [
      'NUL in a key',
      { transaction_id: 't', code: 'c', properties: { 'a\0': 1 } },
      { properties: ['value_is_invalid'] },
    ],
    [
      'too many properties',
      { transaction_id: 't', code: 'c', properties: { a: 'x'.repeat(300_000) } },
      { properties: ['value_is_too_long'] },
    ],
    [
      'an amount that is none',
      { transaction_id: 't', code: 'c', precise_total_amount_cents: '1e3' },
      { precise_total_amount_cents: ['value_is_invalid'] },
    ],
  ])('with %s is refused', async (_, event, details) => {
    const answer = await road.event(tenant, event as object);
    expect(answer).toMatchObject({ status: 422, body: failed(details) });
  });

  it('takes a number for an id, and a text that only looks like an escaped NUL', async () => {
    const answer = await road.event(tenant, { transaction_id: 42, code: 'c', properties: { a: '\\u0000' } });
    expect(answer.body).toMatchObject({ event: { transaction_id: '42', properties: { a: '\\u0000' } } });
  });

  it('nested without end is refused and nothing breaks', async () => {
    const deep = `{"event":{"transaction_id":"deep","code":"c","properties":{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}}}`;
    expect((await road.post(tenant, '/api/v1/events', deep)).body).toEqual(
      failed({ properties: ['value_is_invalid'] }),
    );
  });
});

describe('A request that is no event', () => {
  test.each([
    ['malformed JSON', '{"event":'],
    ['an empty body', ''],
    ['a list', '[]'],
    ['no root', '{"transaction_id":"t","code":"c"}'],
    ['an empty root', '{"event":{}}'],
    ['a text at the root', '{"event":"x"}'],
  ])('%s: 400', async (_, body) => {
    const answer = await road.post(tenant, '/api/v1/events', body);
    expect(answer).toMatchObject({ status: 400, body: { status: 400, error: expect.stringMatching(/^BadRequest: /) } });
  });

  it('without a key, or with a wrong one: 401', async () => {
    for (const authorization of ['', 'Bearer wrong', tenant.key]) {
      const answer = await road.post(tenant, '/api/v1/events', { event: {} }, { authorization });
      expect(answer).toMatchObject({ status: 401, body: { status: 401, error: 'Unauthorized' } });
    }
  });

  it('too large: 413', async () => {
    const answer = await road.post(tenant, '/api/v1/events/batch', `{"events":[${'1,'.repeat(3_000_000)}1]}`);
    expect(answer).toMatchObject({ status: 413, body: { status: 413, error: 'Payload Too Large' } });
  });
});

describe('A batch', () => {
  it('answers all its events in order, and each is stored once however often it is in there', async () => {
    const events = Array.from({ length: 100 }, (_, i) => ({
      transaction_id: `batch-${i % 80}`,
      external_subscription_id: `sub-${i % 80}`,
      code: 'c',
    }));
    const answer = await road.batch(tenant, events);
    expect(answer.status).toBe(200);
    const answered = (answer.body as unknown as { events: { transaction_id: string; lago_id: string }[] }).events;
    expect(answered.map((event) => event.transaction_id)).toEqual(events.map((event) => event.transaction_id));
    expect(answered[85]!.lago_id).toBe(answered[5]!.lago_id);
    await road.settle();
    const { rows } = await road.sql.query(`select count(*)::int as n from events where transaction_id like 'batch-%'`);
    expect(rows).toEqual([{ n: 80 }]);
  });

  it('is refused as a whole, with the place of every fault', async () => {
    const answer = await road.batch(tenant, [
      { transaction_id: 'whole', code: 'c' },
      { code: 'c' },
      'no event',
      { transaction_id: 't', code: 'c', timestamp: 'yesterday' },
    ] as object[]);
    expect(answer.body).toEqual(
      failed({
        1: { transaction_id: ['value_is_mandatory'] },
        2: { event: ['value_is_invalid'] },
        3: { timestamp: ['invalid_format'] },
      }),
    );
    await road.settle();
    expect((await road.sql.query(`select 1 from events where transaction_id = 'whole'`)).rowCount).toBe(0);
  });

  test.each([
    [{ events: [] }, 'no_events'],
    [{ events: Array.from({ length: 101 }, () => ({})) }, 'too_many_events'],
    [{ events: {} }, 'value_is_invalid'],
  ])('of the wrong size is refused (%#)', async (body, code) => {
    expect((await road.post(tenant, '/api/v1/events/batch', body)).body).toEqual(failed({ events: [code] }));
  });

  it('without its root: 400', async () => {
    expect((await road.post(tenant, '/api/v1/events/batch', {})).status).toBe(400);
  });
});

describe('Group commit', () => {
  it('sends what arrives together as few messages, and answers every request', async () => {
    await road.settle();
    const before = road.consumer!.counts.messages;
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, i) =>
        road.event(tenant, { transaction_id: `group-${i}`, external_subscription_id: `s${i % 7}`, code: 'c' }),
      ),
    );
    expect(answers.every((answer) => answer.status === 200)).toBe(true);
    await road.settle();
    const { rows } = await road.sql.query(`select count(*)::int as n from events where transaction_id like 'group-%'`);
    expect(rows).toEqual([{ n: 500 }]);
    expect(road.consumer!.counts.messages - before).toBeLessThan(250);
  });
});

describe('When the log cannot keep up', () => {
  it('answers 503 with Retry-After beyond the bound, and everything it answered 200 is stored', async () => {
    const narrow = await UsageRoad.open({ env: { BILLOW_INGEST_MAX_PENDING_EVENTS: '150' } });
    try {
      const owner = await narrow.tenant();
      narrow.startConsumer();
      // The first makes sure that the log is there.
      expect((await narrow.event(owner, { transaction_id: 'warm', code: 'c' })).status).toBe(200);
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, batch) =>
          narrow.batch(
            owner,
            Array.from({ length: 50 }, (_, i) => ({ transaction_id: `${batch}-${i}`, code: 'c' })),
          ),
        ),
      );
      const accepted = answers.filter((answer) => answer.status === 200);
      const refused = answers.filter((answer) => answer.status === 503);
      expect(accepted.length + refused.length).toBe(20);
      expect(accepted.length).toBeGreaterThan(0);
      expect(refused.length).toBeGreaterThan(0);
      for (const { headers, body } of refused) {
        expect(headers['retry-after']).toBe('1');
        expect(body).toMatchObject({ status: 503, code: 'service_unavailable' });
      }
      await narrow.settle();
      const { rows } = await narrow.sql.query(`select count(*)::int as n from events where transaction_id <> 'warm'`);
      expect(rows).toEqual([{ n: accepted.length * 50 }]);
    } finally {
      await narrow.close();
    }
  });

  it('answers 503 while NATS is frozen, goes on by itself, and loses nothing it accepted', async () => {
    const impatient = await UsageRoad.open({ deadlineMs: 700 });
    try {
      const owner = await impatient.tenant();
      impatient.startConsumer();
      await eventually(
        'the log is there',
        async () => (await impatient.event(owner, { transaction_id: 'warm', code: 'c' })).status === 200,
      );
      process.kill(impatient.nats.pid(), 'SIGSTOP');
      const answer = await impatient.event(owner, { transaction_id: 'frozen', code: 'c' });
      expect(answer).toMatchObject({ status: 503, body: { status: 503, code: 'service_unavailable' } });
      expect(answer.headers['retry-after']).toBe('1');
      process.kill(impatient.nats.pid(), 'SIGCONT');
      await eventually('events are accepted again', async () => {
        return (await impatient.event(owner, { transaction_id: 'frozen', code: 'c' })).status === 200;
      });
      await impatient.settle();
      const { rows } = await impatient.sql.query(`select transaction_id from events order by 1`);
      expect(rows.map((row) => row.transaction_id)).toEqual(['frozen', 'warm']);
    } finally {
      await impatient.close();
    }
  });

  it('survives kill -9 of NATS under load: what was acknowledged is stored, and once', async () => {
    const owner = await road.tenant();
    await road.settle();
    const accepted = new Set<string>();
    let refused = 0;
    let sending = true;
    const senders = Array.from({ length: 16 }, async (_, sender) => {
      for (let i = 0; sending; i += 1) {
        const id = `${sender}-${i}`;
        const answer = await road.event(owner, {
          transaction_id: id,
          external_subscription_id: `k${i % 5}`,
          code: 'c',
        });
        if (answer.status === 200) accepted.add(id);
        else refused += 1;
      }
    });
    for (let round = 0; round < 2; round += 1) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const pid = road.nats.pid();
      process.kill(pid, 'SIGKILL');
      await eventually('NATS runs again', async () => road.nats.pid() !== pid && road.link.connected);
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
    sending = false;
    await Promise.all(senders);
    await road.settle();
    const { rows } = await road.sql.query('select transaction_id from events where organization_id = $1', [owner.id]);
    const stored = new Set(rows.map((row) => row.transaction_id));
    expect(stored.size).toBe(rows.length);
    expect([...accepted].filter((id) => !stored.has(id))).toEqual([]);
    expect(accepted.size).toBeGreaterThan(100);
    // What was refused may have reached the disk all the same; nothing else can be there.
    expect(stored.size).toBeLessThanOrEqual(accepted.size + refused);
  }, 60_000);
});
