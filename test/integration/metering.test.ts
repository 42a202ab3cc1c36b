import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { MetricDefinition } from '../../src/domain/catalog/billable-metric.js';
import { Decimal } from '../../src/domain/money/decimal.js';
import { instant } from '../../src/domain/calendar/instant.js';
import {
  encodeEvent,
  encodeGroup,
  encodeMessage,
  eventId,
  MetricDefinitions,
  type TransactionBounds,
  type TransactionsRequest,
  UsageReader,
  verifyUsage,
} from '../../src/metering/index.js';
import { partitionOf, usageStream, usageSubject } from '../../src/platform/nats/usage-streams.js';
import { eventually, type Tenant, UsageRoad } from './usage-road.js';

type SliceOf = TransactionsRequest['sliceOf'];

const HOUR = 3_600_000;
const MARCH = Date.parse('2024-03-01T00:00:00Z');
const APRIL = Date.parse('2024-04-01T00:00:00Z');
const march = { from: MARCH, to: APRIL };

let road: UsageRoad;

beforeAll(async () => {
  road = await UsageRoad.open();
  road.startConsumer();
});

afterAll(() => road.close());

const at = (milliseconds: number) => (milliseconds / 1000).toFixed(3);

const noDifferences = async (organizationId: string) => {
  const { differences } = await verifyUsage(road.database, { organizationId });
  expect(differences).toEqual([]);
};

/** Puts a message into the log as the api would, without the api. */
async function log(payload: string | Uint8Array, partition: number): Promise<number> {
  const connection = await road.link.whenConnected();
  return (await jetstream(connection).publish(usageSubject(partition), payload)).seq;
}

interface Told {
  readonly transactionId: string;
  readonly code: string;
  readonly subscription: string;
  readonly timestamp: number;
  readonly properties?: object;
  readonly precise?: string;
}

function message(tenant: Tenant, events: readonly Told[]): string {
  const lines = events.map((event) =>
    encodeEvent({
      id: eventId(tenant.id, event.subscription, event.transactionId),
      transactionId: JSON.stringify(event.transactionId),
      code: JSON.stringify(event.code),
      externalSubscriptionId: JSON.stringify(event.subscription),
      timestamp: event.timestamp,
      properties: JSON.stringify(event.properties ?? {}),
      preciseTotalAmountCents: event.precise ?? null,
    }),
  );
  return encodeMessage([encodeGroup(tenant.id, Date.now(), lines)]);
}

describe('An event', () => {
  it('counts once, however often and by whatever way it comes', async () => {
    const tenant = await road.tenant();
    const sum = await road.metric(tenant, 'tokens', 'sum_agg');
    const event = (i: number) => ({
      transaction_id: `t${i}`,
      external_subscription_id: 'sub',
      code: 'tokens',
      timestamp: at(MARCH + i * 1000),
      properties: { value: '1.5' },
    });
    // In one batch, in batches one after the other, and in many at once.
    await road.batch(tenant, [event(1), event(1), event(2)]);
    await road.batch(tenant, [event(2), event(3)]);
    await road.settle();
    await road.batch(tenant, [event(1), event(2), event(3)]);
    await Promise.all(Array.from({ length: 20 }, () => road.batch(tenant, [event(3), event(4), event(4)])));
    await Promise.all(Array.from({ length: 20 }, () => road.event(tenant, event(5))));
    // As two messages of the log.
    const partition = partitionOf(tenant.id, 'sub', road.config.usagePartitions);
    const told = [
      { transactionId: 't6', code: 'tokens', subscription: 'sub', timestamp: MARCH, properties: { value: 1.5 } },
    ];
    await log(message(tenant, told), partition);
    await log(message(tenant, told), partition);
    await road.settle();
    expect(await road.usage(tenant, 'sub', [sum], march)).toEqual({
      'tokens {}': '6 events, sum 9, moment 0, max -, latest -, present ',
    });
    await noDifferences(tenant.id);
  });

  it('keeps the values it came with first', async () => {
    const tenant = await road.tenant();
    const sum = await road.metric(tenant, 'tokens', 'sum_agg');
    const event = { transaction_id: 't', external_subscription_id: 'sub', code: 'tokens', timestamp: at(MARCH) };
    // Within one batch as well, whatever the other events of the batch are.
    const batch = Array.from({ length: 99 }, (_, i) => ({
      ...event,
      transaction_id: `t${i % 33}`,
      external_subscription_id: 'batched',
      properties: { value: i < 33 ? 1 : 100 },
    }));
    await road.batch(tenant, batch);
    await road.event(tenant, { ...event, properties: { value: 1 } });
    await road.settle();
    expect(await road.usage(tenant, 'batched', [sum], march)).toEqual({
      'tokens {}': '33 events, sum 33, moment 0, max -, latest -, present ',
    });
    await road.event(tenant, { ...event, properties: { value: 100 } });
    await road.settle();
    expect(await road.usage(tenant, 'sub', [sum], march)).toEqual({
      'tokens {}': '1 events, sum 1, moment 0, max -, latest -, present ',
    });
  });

  it('that was stored and not acknowledged when the consumer died is not counted again', async () => {
    const tenant = await road.tenant();
    const count = await road.metric(tenant, 'calls', 'count_agg');
    const partition = partitionOf(tenant.id, 'sub', road.config.usagePartitions);
    await road.settle();
    await road.stopConsumer();
    const told = Array.from({ length: 50 }, (_, i) => ({
      transactionId: `t${i}`,
      code: 'calls',
      subscription: 'sub',
      timestamp: MARCH + i,
    }));
    await log(message(tenant, told), partition);
    road.startConsumer();
    await road.settle();
    await road.stopConsumer();
    // The server is made to believe that nothing was ever acknowledged.
    const jsm = await jetstreamManager(await road.link.whenConnected());
    await jsm.consumers.delete(usageStream(partition), 'metering');
    await log(message(tenant, told.slice(0, 10)), partition);
    const consumer = road.startConsumer();
    await road.settle();
    expect(consumer.counts.events).toBe(10);
    expect(consumer.counts.inserted).toBe(0);
    expect(await road.usage(tenant, 'sub', [count], march)).toMatchObject({
      'calls {}': expect.stringMatching(/^50 events/),
    });
    await noDifferences(tenant.id);
  });

  it('is read back with the subscription that lived at its time', async () => {
    const tenant = await road.tenant();
    const { rows } = await road.sql.query(
      `with customer as (
         insert into customers (id, organization_id, external_id, sequential_id, created_at, updated_at)
         values (gen_random_uuid(), $1, 'cust', 1, now(), now()) returning id
       ), plan as (
         insert into plans (id, organization_id, code, name, "interval", amount_cents, amount_currency, created_at, updated_at)
         values (gen_random_uuid(), $1, 'p', 'p', 'monthly', 0, 'EUR', now(), now()) returning id
       )
       insert into subscriptions (id, organization_id, customer_id, external_id, ordinal, plan_id, status, billing_time,
         subscription_at, started_at, terminated_at, created_at, updated_at)
       select gen_random_uuid(), $1, customer.id, 'sub', ordinal, plan.id, status, 'calendar', from_at, from_at, to_at, now(), now()
       from customer, plan, (values (1, 'terminated', '2024-03-01Z'::timestamptz, '2024-03-10Z'::timestamptz),
         (2, 'active', '2024-03-10T00:00:00.001Z', null)) as life (ordinal, status, from_at, to_at)
       returning id, ordinal`,
      [tenant.id],
    );
    const idOf = (ordinal: number) => rows.find((row) => row.ordinal === ordinal).id;
    const times = ['2024-02-29T23:59:59.999Z', '2024-03-01Z', '2024-03-10Z', '2024-03-10T00:00:00.001Z'];
    await road.batch(
      tenant,
      times.map((time, i) => ({
        transaction_id: `t${i}`,
        external_subscription_id: 'sub',
        code: 'c',
        timestamp: at(Date.parse(time)),
      })),
    );
    await road.settle();
    const { listEvents, findEvent } = await import('../../src/ingestion/event.repository.js');
    const page = await road.database.tenant(tenant.id, (em) =>
      listEvents(em, tenant.id, { externalSubscriptionId: 'sub', code: 'c' }, { page: 1, per_page: 3 }),
    );
    expect(page.totalCount).toBe(4);
    expect(page.items.map((row) => [row.transaction_id, row.subscription_id])).toEqual([
      ['t3', idOf(2)],
      ['t2', idOf(1)],
      ['t1', idOf(1)],
    ]);
    const early = await road.database.tenant(tenant.id, (em) => findEvent(em, tenant.id, 't0'));
    expect(early).toMatchObject({ transaction_id: 't0', subscription_id: null, customer_id: null });
    expect(await road.database.tenant(tenant.id, (em) => findEvent(em, tenant.id, 'unknown'))).toBeNull();
    const stranger = await road.tenant();
    expect(await road.database.tenant(stranger.id, (em) => findEvent(em, tenant.id, 't0'))).toBeNull();
  });
});

describe('A metric', () => {
  it('made after its events counts them, and one that is changed or deleted counts anew', async () => {
    const tenant = await road.tenant();
    const events = Array.from({ length: 60 }, (_, i) => ({
      transaction_id: `t${i}`,
      external_subscription_id: `sub${i % 2}`,
      code: 'late',
      timestamp: at(MARCH + i * 20 * 60_000),
      properties: { value: i, model: i % 3 === 0 ? 'a' : 'b', other: 1 },
    }));
    await road.batch(tenant, events);
    await road.settle();
    const sum = await road.metric(tenant, 'late', 'sum_agg', 'value', [{ key: 'model', values: ['a'] }]);
    await road.batch(tenant, [
      {
        transaction_id: 'after',
        external_subscription_id: 'sub0',
        code: 'late',
        timestamp: at(MARCH),
        properties: { value: 1000 },
      },
    ]);
    await road.settle();
    expect(await road.usage(tenant, 'sub0', [sum], march)).toEqual({
      'late {"model":"a"}': '10 events, sum 270, moment 0, max -, latest -, present ',
      'late {"model":null}': '21 events, sum 1600, moment 0, max -, latest -, present ',
    });
    await noDifferences(tenant.id);

    await road.database.tenant(tenant.id, async (em) => {
      await em.execute(`update billable_metrics set field_name = 'other', filters = '[]' where id = ?`, [sum.id]);
      await new MetricDefinitions().changed(em, tenant.id, sum.id);
    });
    const changed = { ...sum, fieldName: 'other', filters: [] };
    expect(await road.usage(tenant, 'sub0', [changed], march)).toEqual({
      'late {}': '30 events, sum 30, moment 0, max -, latest -, present ',
    });
    await road.event(tenant, {
      transaction_id: 'x',
      external_subscription_id: 'sub0',
      code: 'late',
      timestamp: at(MARCH),
      properties: { other: 5 },
    });
    await road.settle();
    expect(await road.usage(tenant, 'sub0', [changed], march)).toMatchObject({
      'late {}': expect.stringContaining('sum 35'),
    });
    await noDifferences(tenant.id);

    await road.database.tenant(tenant.id, async (em) => {
      await em.execute(`update billable_metrics set deleted_at = now() where id = ?`, [sum.id]);
      await new MetricDefinitions().changed(em, tenant.id, sum.id);
    });
    expect(await road.usage(tenant, 'sub0', [changed], march)).toEqual({});
    const again = await road.metric(tenant, 'late', 'count_agg');
    expect(await road.usage(tenant, 'sub0', [again], march)).toMatchObject({
      'late {}': expect.stringMatching(/^32 events/),
    });
    await noDifferences(tenant.id);
  });

  it('changed while events stream in is never counted by the old definition', async () => {
    const tenant = await road.tenant();
    const metric = await road.metric(tenant, 'busy', 'sum_agg', 'a');
    let sending = true;
    const senders = Array.from({ length: 4 }, async (_, sender) => {
      for (let i = 0; sending; i += 1) {
        await road.batch(
          tenant,
          Array.from({ length: 20 }, (_, k) => ({
            transaction_id: `${sender}-${i}-${k}`,
            external_subscription_id: `sub${k % 3}`,
            code: 'busy',
            timestamp: at(MARCH + k),
            properties: { a: 1, b: 2 },
          })),
        );
      }
    });
    for (const field of ['b', 'a', 'b']) {
      await new Promise((resolve) => setTimeout(resolve, 150));
      await road.database.tenant(tenant.id, async (em) => {
        await em.execute('update billable_metrics set field_name = ? where id = ?', [field, metric.id]);
        await new MetricDefinitions().changed(em, tenant.id, metric.id);
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 150));
    sending = false;
    await Promise.all(senders);
    await road.settle();
    await noDifferences(tenant.id);
    const { rows } = await road.sql.query(
      `select (select count(*) * 2 from events where organization_id = $1)::int as expected,
              (select sum(sum) from usage_buckets where organization_id = $1)::int as summed`,
      [tenant.id],
    );
    expect(rows[0].summed).toBe(rows[0].expected);
    expect(rows[0].summed).toBeGreaterThan(0);
  });
});

describe('What cannot be stored', () => {
  it('is set aside and holds up nothing', async () => {
    const tenant = await road.tenant();
    const count = await road.metric(tenant, 'calls', 'count_agg');
    const partition = partitionOf(tenant.id, 'sub', road.config.usagePartitions);
    const good = (i: number): Told => ({
      transactionId: `t${i}`,
      code: 'calls',
      subscription: 'sub',
      timestamp: MARCH + i,
    });
    await road.sql.query('delete from rejected_messages');
    const broken = await log('{"not": "ours"}', partition);
    const noJson = await log(Uint8Array.from([0xff, 0x00, 0x7b]), partition);
    const mixed = await log(
      message(tenant, [
        good(1),
        { ...good(2), properties: { a: '\0' } },
        good(3),
        { ...good(4), precise: 'NaN or not' },
        { ...good(5), timestamp: 1e300 },
        good(6),
      ]),
      partition,
    );
    await log(message(tenant, [good(7)]), partition);
    await road.settle();
    expect(await road.usage(tenant, 'sub', [count], march)).toMatchObject({
      'calls {}': expect.stringMatching(/^4 events/),
    });
    const { rows } = await road.sql.query(
      `select stream_sequence::int as seq, event_index, length(reason) > 0 as reasoned, length(payload) > 0 as kept
         from rejected_messages order by stream_sequence, event_index`,
    );
    const rejected = (seq: number, event_index: number | null) => ({ seq, event_index, reasoned: true, kept: true });
    expect(rows).toEqual([
      rejected(broken, null),
      rejected(noJson, null),
      rejected(mixed, 1),
      rejected(mixed, 3),
      rejected(mixed, 4),
    ]);
    await noDifferences(tenant.id);
  });

  it('fits, however long a unique value is', async () => {
    const tenant = await road.tenant();
    const users = await road.metric(tenant, 'users', 'unique_count_agg', 'user');
    const event = (id: string, user: string, operation_type = 'add') => ({
      transaction_id: id,
      external_subscription_id: 'sub',
      code: 'users',
      timestamp: at(MARCH + Number(id)),
      properties: { user, operation_type },
    });
    const long = 'ü'.repeat(50_000);
    await road.batch(tenant, [
      event('1', long),
      event('2', `${long}!`),
      event('3', 'short'),
      event('4', long, 'remove'),
    ]);
    await road.settle();
    const usage = await road.usage(tenant, 'sub', [users], march);
    expect(usage['users {}']).toMatch(/present sha256:[0-9a-f]{64},short$/);
    await noDifferences(tenant.id);
  });
});

describe('Postgres going away', () => {
  it('stops nothing for good', async () => {
    const tenant = await road.tenant();
    const count = await road.metric(tenant, 'calls', 'count_agg');
    let sent = 0;
    const send = async () => {
      const answer = await road.batch(
        tenant,
        Array.from({ length: 50 }, () => ({
          transaction_id: `t${(sent += 1)}`,
          external_subscription_id: `sub`,
          code: 'calls',
          timestamp: at(MARCH + sent),
        })),
      );
      expect(answer.status).toBe(200);
    };
    for (let round = 0; round < 10; round += 1) {
      await Promise.all([send(), send(), send()]);
      await road.sql.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name like 'billow consumer%'`,
      );
    }
    await road.settle();
    expect(await road.usage(tenant, 'sub', [count], march)).toMatchObject({
      'calls {}': expect.stringMatching(/^1500 events/),
    });
    await noDifferences(tenant.id);
  });

  it('a consumer that comes too late for its partition stores nothing', async () => {
    const { EventStore, PartitionTakenOver } = await import('../../src/metering/event-store.js');
    const tenant = await road.tenant();
    await road.settle();
    const client = await road.sql.connect();
    try {
      const store = new EventStore(client, 0);
      const watermark = await store.watermark();
      const told = message(tenant, [{ transactionId: 'zombie', code: 'c', subscription: 's', timestamp: MARCH }]);
      const { decodeMessage } = await import('../../src/metering/usage-message.js');
      const late = [{ streamSequence: watermark + 1, events: decodeMessage(told), rejected: null }];
      await expect(store.store(late, watermark - 1)).rejects.toThrow(PartitionTakenOver);
      expect((await client.query('select 1 from events where organization_id = $1', [tenant.id])).rowCount).toBe(0);
    } finally {
      client.release();
    }
  });
});

describe('A log that was lost', () => {
  it('is made anew behind what is stored, so that no close mistakes an old watermark for a new message', async () => {
    const tenant = await road.tenant();
    const count = await road.metric(tenant, 'calls', 'count_agg');
    const event = (id: string) =>
      road.event(tenant, {
        transaction_id: id,
        external_subscription_id: 'sub',
        code: 'calls',
        timestamp: at(MARCH),
      });
    await event('before');
    const before = await road.barrier.cutoffFor(tenant.id, 'sub', AbortSignal.timeout(10_000));
    const jsm = await jetstreamManager(await road.link.whenConnected());
    await jsm.streams.delete(usageStream(before.partition));
    await eventually('events are accepted again', async () => (await event('after')).status === 200);
    const after = await road.barrier.cutoffFor(tenant.id, 'sub', AbortSignal.timeout(20_000));
    expect(after.cutoffSequence).toBeGreaterThan(before.cutoffSequence);
    const usage = await road.usage(tenant, 'sub', [count], { ...march, cutoffSequence: after.cutoffSequence });
    expect(usage).toMatchObject({ 'calls {}': expect.stringMatching(/^2 events/) });
    const earlier = await road.usage(tenant, 'sub', [count], { ...march, cutoffSequence: before.cutoffSequence });
    expect(earlier).toMatchObject({ 'calls {}': expect.stringMatching(/^1 events/) });
  }, 40_000);
});

describe('Two consumer processes', () => {
  it('share the partitions, and one takes over from the other', async () => {
    const tenant = await road.tenant();
    const count = await road.metric(tenant, 'calls', 'count_agg');
    const { UsageConsumer } = await import('../../src/metering/index.js');
    const { createLogger } = await import('../../src/platform/logging/logger.js');
    const second = UsageConsumer.start(
      road.config,
      { notify: async () => {}, billInAdvance: async () => {} },
      createLogger('second', 'silent'),
    );
    let sent = 0;
    const send = async () => {
      const events = Array.from({ length: 100 }, () => ({
        transaction_id: `t${(sent += 1)}`,
        external_subscription_id: `sub${sent % 10}`,
        code: 'calls',
        timestamp: at(MARCH + sent),
      }));
      expect((await road.batch(tenant, events)).status).toBe(200);
    };
    try {
      await eventually('both store something', async () => {
        await send();
        return second.counts.inserted > 0;
      });
      const before = road.consumer!.counts.inserted;
      await eventually('the first still stores something', async () => {
        await send();
        return road.consumer!.counts.inserted > before;
      });
    } finally {
      await second.stop();
    }
    await send();
    await road.settle();
    let events = 0;
    for (let i = 0; i < 10; i += 1) {
      const usage = await road.usage(tenant, `sub${i}`, [count], march);
      events += Number.parseInt(usage['calls {}']!, 10);
    }
    expect(events).toBe(sent);
    await noDifferences(tenant.id);
  });
});

describe('The cutoff', () => {
  it('is behind everything that was acknowledged before it was asked for', async () => {
    const tenant = await road.tenant();
    const count = await road.metric(tenant, 'calls', 'count_agg');
    let sent = 0;
    for (let round = 0; round < 20; round += 1) {
      const events = Array.from({ length: 37 }, () => ({
        transaction_id: `t${(sent += 1)}`,
        external_subscription_id: 'sub',
        code: 'calls',
        timestamp: at(MARCH + sent),
      }));
      await road.batch(tenant, events);
      const { cutoffSequence } = await road.barrier.cutoffFor(tenant.id, 'sub', AbortSignal.timeout(10_000));
      const usage = await road.usage(tenant, 'sub', [count], { ...march, cutoffSequence });
      expect(usage).toMatchObject({ 'calls {}': expect.stringMatching(new RegExp(`^${sent} events`)) });
    }
  });

  it('waits while the consumer is away, and ends with the signal', async () => {
    const tenant = await road.tenant();
    await road.settle();
    await road.stopConsumer();
    await road.event(tenant, { transaction_id: 't', external_subscription_id: 'sub', code: 'c' });
    let looks = 0;
    const waiting = road.barrier.cutoffFor(tenant.id, 'sub', AbortSignal.timeout(300), () => (looks += 1));
    await expect(waiting).rejects.toThrow(/abort|timeout/i);
    expect(looks).toBeGreaterThan(1);
    road.startConsumer();
    await road.settle();
  });

  it('gives what a rebuild at that cutoff gives: any events, any order, any edges', async () => {
    const random = seeded(20_240_301);
    const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
    for (let trial = 0; trial < 6; trial += 1) {
      const tenant = await road.tenant();
      const filters = [{ key: 'model', values: ['a', 'b'] }];
      const metrics = [
        await road.metric(tenant, 'count', 'count_agg', null, filters),
        await road.metric(tenant, 'sum', 'sum_agg', 'value', filters),
        await road.metric(tenant, 'max', 'max_agg'),
        await road.metric(tenant, 'latest', 'latest_agg', 'value', filters),
        await road.metric(tenant, 'unique', 'unique_count_agg'),
        await road.metric(tenant, 'weighted', 'weighted_sum_agg'),
      ];
      const codes = [...metrics.map((metric) => metric.code), 'unknown'];
      const start = MARCH + Math.floor(random() * 20) * HOUR;
      const cutoffs: number[] = [];
      let id = 0;
      for (let batch = 0; batch < 12; batch += 1) {
        const events = Array.from({ length: 1 + Math.floor(random() * 60) }, () => ({
          transaction_id: `t${random() < 0.1 ? Math.floor(random() * id) : (id += 1)}`,
          external_subscription_id: pick(['sub', 'sub', 'other']),
          code: pick(codes),
          // Coarse, so that many share an instant and many lie on the edges.
          timestamp: at(start + Math.floor(random() * 40) * (HOUR / 4) + pick([0, 0, 0, 1, -1])),
          properties: {
            value: pick([1, -2, 3.25, '4.5', '1e3', 'red', null, Math.floor(random() * 1e6) / 1000]),
            model: pick(['a', 'b', 'c', undefined]),
            operation_type: pick(['add', 'add', 'remove', undefined]),
          },
        }));
        expect((await road.batch(tenant, events)).status).toBe(200);
        if (random() < 0.6) cutoffs.push((await road.barrier.cutoffFor(tenant.id, 'sub')).cutoffSequence);
      }
      await road.settle();
      await noDifferences(tenant.id);
      const edges = () => start + Math.floor(random() * 24 - 1) * (HOUR / 2) + pick([0, 0, 0, 0, 1, 60_000]);
      for (const cutoffSequence of [...cutoffs, undefined]) {
        for (let look = 0; look < 4; look += 1) {
          const [from, to] = [edges(), edges()].sort((a, b) => a - b) as [number, number];
          const range = { from, to, ...(cutoffSequence === undefined ? {} : { cutoffSequence }) };
          expect(await road.usage(tenant, 'sub', metrics, range)).toEqual(await counted(tenant, 'sub', metrics, range));
        }
      }
    }
  }, 120_000);
});

describe('The values of single events', () => {
  it('come in billing order and no further than asked', async () => {
    const tenant = await road.tenant();
    const sum = await road.metric(tenant, 'paid', 'sum_agg', 'value', [{ key: 'model', values: ['a'] }]);
    const values = [50, 100, 250, 400, 7];
    const order = [3, 0, 4, 1, 2];
    await road.batch(
      tenant,
      order.map((i) => ({
        transaction_id: `t${i}`,
        external_subscription_id: 'sub',
        code: 'paid',
        timestamp: at(MARCH + i * HOUR),
        properties: { value: values[i], model: i === 4 ? 'a' : 'z' },
      })),
    );
    await road.event(tenant, {
      transaction_id: 'x',
      external_subscription_id: 'sub',
      code: 'paid',
      timestamp: at(MARCH),
      properties: {},
    });
    await road.settle();
    const read = (
      bounds: TransactionBounds,
      { from = MARCH, to = APRIL, sliceOf = () => 'all' }: { from?: number; to?: number; sliceOf?: SliceOf } = {},
    ) =>
      road.database.tenant(tenant.id, async (em) => {
        const range = {
          organizationId: tenant.id,
          externalSubscriptionId: 'sub',
          from: instant(from),
          to: instant(to),
        };
        const wanted = { metric: sum, sliceOf, slices: new Map([['all', bounds]]) };
        const [found] = await new UsageReader().transactions(em, range, [wanted]);
        return found!.get('all')!.map(String);
      });
    expect(await read({})).toEqual(['50', '100', '250', '400', '7']);
    expect(await read({ limit: 2 })).toEqual(['50', '100']);
    expect(await read({ limit: 0 })).toEqual([]);
    expect(await read({ enough: new Decimal(150) })).toEqual(['50', '100', '250']);
    const sliceOf: SliceOf = ({ model }) => (model === null ? 'all' : 'other');
    expect(await read({}, { sliceOf })).toEqual(['50', '100', '250', '400']);
    expect(await read({}, { from: MARCH + 1, to: MARCH + 3 * HOUR })).toEqual(['100', '250']);
  });

  it('gives each slice of each charge no more than it asked for', async () => {
    const tenant = await road.tenant();
    const paid = await road.metric(tenant, 'paid', 'sum_agg', 'value', [{ key: 'model', values: ['a', 'b'] }]);
    const count = await road.metric(tenant, 'calls', 'count_agg');
    // More than a page of them, so that reading goes on after the first slice has enough.
    const events = Array.from({ length: 700 }, (_, index) => ({
      transaction_id: `t${index}`,
      external_subscription_id: 'sub',
      code: index % 7 === 0 ? 'calls' : 'paid',
      timestamp: at(MARCH + index * 1000),
      properties: { value: index, model: index < 600 ? 'a' : 'b' },
    }));
    for (let first = 0; first < events.length; first += 100) await road.batch(tenant, events.slice(first, first + 100));
    await road.settle();
    const byModel: SliceOf = ({ model }) => model ?? 'none';
    const answers = await road.database.tenant(tenant.id, (em) => {
      const ours = { organizationId: tenant.id, externalSubscriptionId: 'sub' };
      return new UsageReader().transactions(em, { ...ours, from: instant(MARCH), to: instant(APRIL) }, [
        {
          metric: paid,
          sliceOf: byModel,
          slices: new Map([
            ['a', { limit: 3 }],
            ['b', { enough: new Decimal(1500) }],
          ]),
        },
        { metric: count, sliceOf: () => 'all', slices: new Map([['all', { limit: 2 }]]) },
        { metric: paid, sliceOf: byModel, slices: new Map([['none', {}]]) },
      ]);
    });
    expect(answers.map((slices) => [...slices].map(([slice, values]) => [slice, values.map(String)]))).toEqual([
      [
        ['a', ['1', '2', '3']],
        ['b', ['600', '601', '603']],
      ],
      [['all', ['0', '0']]],
      [['none', []]],
    ]);
  });
});

describe('Usage of another organization', () => {
  it('is not there, whatever the reader is asked for', async () => {
    const tenant = await road.tenant();
    const stranger = await road.tenant();
    const count = await road.metric(tenant, 'calls', 'count_agg');
    await road.event(tenant, {
      transaction_id: 't',
      external_subscription_id: 'sub',
      code: 'calls',
      timestamp: at(MARCH + 1),
    });
    await road.settle();
    const whole = { from: MARCH, to: APRIL };
    const cut = { from: MARCH + 1, to: MARCH + 2 };
    for (const range of [whole, cut]) {
      expect(await road.usage(tenant, 'sub', [count], range)).not.toEqual({});
      expect(await road.usage(tenant, 'sub', [count], range, stranger)).toEqual({});
    }
  });
});

describe('Usage that comes after its period was billed', () => {
  it('is noted once a period, told at once, and told again when there is more', async () => {
    const tenant = await road.tenant();
    await road.metric(tenant, 'calls', 'count_agg');
    const period = await billedPeriod(tenant, 'sub', MARCH, APRIL);
    await billedPeriod(tenant, 'other', MARCH, APRIL);
    const event = (id: string, time: number, code = 'calls') =>
      road.event(tenant, { transaction_id: id, external_subscription_id: 'sub', code, timestamp: at(time) });
    const row = async () =>
      (
        await road.sql.query(
          `select billing_period_id, events_count::int, notified_at is not null as told from late_usage where organization_id = $1`,
          [tenant.id],
        )
      ).rows;
    await event('before', MARCH - 1);
    await event('after', APRIL);
    await event('nobody counts it', MARCH, 'unknown');
    await road.settle();
    expect(await row()).toEqual([]);

    road.late.length = 0;
    await event('first', MARCH);
    await event('last', APRIL - 1);
    await road.settle();
    await event('first', MARCH);
    await road.settle();
    await eventually('the notice is noted', async () => (await row())[0]?.told);
    expect(await row()).toEqual([{ billing_period_id: period, events_count: 2, told: true }]);
    expect(road.late.every((notice) => notice.billingPeriodId === period && notice.organizationId === tenant.id)).toBe(
      true,
    );
    expect(road.late.length).toBeGreaterThan(0);

    // Nobody listens for a while; the sweep repeats what could not be told.
    road.deafness = new Error('nobody listens');
    await event('more', MARCH + HOUR);
    await road.settle();
    expect(await row()).toEqual([{ billing_period_id: period, events_count: 3, told: false }]);
    road.late.length = 0;
    road.deafness = null;
    await eventually('the sweep tells it', async () => (await row())[0]?.told, 20_000);
    expect(road.late).toEqual([{ organizationId: tenant.id, billingPeriodId: period, invoiceId: null }]);
  }, 40_000);
});

describe('Verification', () => {
  it('finds what was tampered with, and repairs it', async () => {
    const tenant = await road.tenant();
    const sum = await road.metric(tenant, 'tokens', 'sum_agg');
    const users = await road.metric(tenant, 'users', 'unique_count_agg', 'user');
    const events = Array.from({ length: 50 }, (_, i) => ({
      transaction_id: `t${i}`,
      external_subscription_id: 'sub',
      code: i % 2 ? 'tokens' : 'users',
      timestamp: at(MARCH + i * HOUR),
      properties: { value: i, user: `u${i}` },
    }));
    await road.batch(tenant, events);
    await road.settle();
    const before = await road.usage(tenant, 'sub', [sum, users], march);
    await noDifferences(tenant.id);
    const of = `organization_id = '${tenant.id}'`;
    const first = `ctid = (select min(ctid) from usage_buckets where ${of} and metric_id = '${sum.id}')`;
    const tampering = [
      [`update usage_buckets set sum = sum + 0.001 where ${first}`, 'usage_buckets', 'differing'],
      [`update usage_buckets set events_count = events_count - 1 where ${first}`, 'usage_buckets', 'differing'],
      [`delete from usage_buckets where ${first}`, 'usage_buckets', 'missing'],
      [
        `insert into usage_buckets (organization_id, external_subscription_id, metric_id, bucket_at, dimensions, events_count, sum, max_sequence)
         values ('${tenant.id}', 'ghost', '${sum.id}', now(), '{}', 1, 1, 1)`,
        'usage_buckets',
        'extra',
      ],
      [
        `update usage_unique_values set last_operation = 'remove' where ${of} and value = 'u0'`,
        'usage_unique_values',
        'differing',
      ],
      [`delete from events where ${of} and transaction_id = 't1'`, 'usage_buckets', 'extra'],
    ] as const;
    for (const [statement, table, kind] of tampering) {
      expect((await road.sql.query(statement)).rowCount).toBe(1);
      const found = await verifyUsage(road.database, { organizationId: tenant.id });
      expect(found.differences.map((difference) => [difference.table, difference.kind])).toEqual([[table, kind]]);
      expect(found.differenceCount).toBe(1);
      const repaired = await verifyUsage(road.database, { organizationId: tenant.id, repair: true });
      expect(repaired.repairedSubscriptions).toBe(1);
      await noDifferences(tenant.id);
    }
    const after = await road.usage(tenant, 'sub', [sum, users], march);
    expect(after['users {}']).toBe(before['users {}']);
    // One event is gone for good.
    expect(after['tokens {}']).toBe('24 events, sum 624, moment 0, max -, latest -, present ');
  });
});

/** Counts the stored events one by one in SQL's words alone: what the reader has to give. */
async function counted(
  tenant: Tenant,
  subscription: string,
  metrics: readonly MetricDefinition[],
  range: { from: number; to: number; cutoffSequence?: number },
): Promise<Record<string, string>> {
  const { rows } = await road.sql.query(
    `select code, properties, (extract(epoch from "timestamp") * 1000)::float8 as ms, ingest_sequence::float8 as sequence
       from events where organization_id = $1 and external_subscription_id = $2 and ingest_sequence <= $3
      order by "timestamp", ingest_sequence`,
    [tenant.id, subscription, range.cutoffSequence ?? Number.MAX_SAFE_INTEGER],
  );
  const groups = new Map<
    string,
    { n: number; sum: Decimal; moment: Decimal; max: Decimal | null; latest: Decimal | null; present: Set<string> }
  >();
  for (const row of rows) {
    if (row.ms < range.from || row.ms >= range.to) continue;
    const metric = metrics.find(({ code }) => code === row.code);
    if (metric === undefined) continue;
    const { value, model, operation_type } = row.properties;
    const number = /^-?\d+(\.\d+)?$/.test(String(value)) ? new Decimal(value) : null;
    const kind = metric.aggregation;
    if (kind === 'unique_count_agg' ? value === null : kind !== 'count_agg' && number === null) continue;
    const dimensions = metric.filters.length === 0 ? {} : { model: ['a', 'b'].includes(model) ? model : null };
    const key = `${metric.code} ${JSON.stringify(dimensions)}`;
    const zero = new Decimal(0);
    const group = groups.get(key) ?? {
      n: 0,
      sum: zero,
      moment: zero,
      max: null,
      latest: null,
      present: new Set<string>(),
    };
    groups.set(key, group);
    group.n += 1;
    if (kind === 'sum_agg' || kind === 'weighted_sum_agg') group.sum = group.sum.plus(number!);
    if (kind === 'weighted_sum_agg') group.moment = group.moment.plus(number!.times(row.ms));
    if (kind === 'max_agg') group.max = group.max === null || number!.gt(group.max) ? number : group.max;
    if (kind === 'latest_agg') group.latest = number;
    if (kind === 'unique_count_agg') {
      if (operation_type === 'remove') group.present.delete(String(value));
      else group.present.add(String(value));
    }
  }
  return Object.fromEntries(
    [...groups].map(([key, { n, sum, moment, max, latest, present }]) => [
      key,
      `${n} events, sum ${sum.toFixed()}, moment ${moment.toFixed()}, max ${max?.toFixed() ?? '-'}, ` +
        `latest ${latest?.toFixed() ?? '-'}, present ${[...present].sort().join(',')}`,
    ]),
  );
}

async function billedPeriod(tenant: Tenant, subscription: string, from: number, to: number): Promise<string> {
  const { rows } = await road.sql.query(
    `with customer as (
       insert into customers (id, organization_id, external_id, sequential_id, created_at, updated_at)
       values (gen_random_uuid(), $1, $2, (select count(*) + 1 from customers where organization_id = $1), now(), now()) returning id
     ), plan as (
       insert into plans (id, organization_id, code, name, "interval", amount_cents, amount_currency, created_at, updated_at)
       values (gen_random_uuid(), $1, $2, 'p', 'monthly', 0, 'EUR', now(), now()) returning id
     ), subscription as (
       insert into subscriptions (id, organization_id, customer_id, external_id, ordinal, plan_id, status, billing_time,
         subscription_at, started_at, created_at, updated_at)
       select gen_random_uuid(), $1, customer.id, $2, 1, plan.id, 'active', 'calendar', $3, $3, now(), now() from customer, plan
       returning id, customer_id, plan_id
     )
     select subscription.*, gen_random_uuid() as period from subscription`,
    [tenant.id, subscription, new Date(from)],
  );
  const { id, customer_id, plan_id } = rows[0];
  const period = randomUUID();
  const { BillingPeriodEntity } = await import('../../src/invoicing/billing-period.entity.js');
  await road.database.system(async (em) => {
    em.create(BillingPeriodEntity, {
      id: period,
      organizationId: tenant.id,
      subscriptionId: id,
      customerId: customer_id,
      externalSubscriptionId: subscription,
      planId: plan_id,
      currency: 'EUR',
      timezone: 'UTC',
      billingAt: new Date(to),
      billingGroup: 'all',
      invoicingReason: 'subscription_periodic',
      fromAt: new Date(from),
      toAt: new Date(to),
      chargesFromAt: new Date(from),
      chargesToAt: new Date(to),
      periodDays: 31,
      partition: 0,
      cutoffSequence: 0,
      createdAt: new Date(),
    });
    await em.flush();
  });
  return period;
}

/** Mulberry32: the same events in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
