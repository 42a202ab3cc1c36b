import pg from 'pg';
import { type DemoClient } from '../src/demo/demo-client.js';
import { EventStore } from '../src/metering/event-store.js';
import { eventId } from '../src/metering/index.js';
import { type BenchContext, type Figure, newOrganization } from './bench.js';
import { percentile } from './http-load.js';

/**
 * `BENCH_USAGE_SIZES=1000,10000000 npm run bench -- usage` takes other ones, `BENCH_USAGE_KINDS=sum,grouped` only some kinds;
 * ten million events of one kind take minutes to store.
 */
const SIZES = (process.env['BENCH_USAGE_SIZES'] ?? '1000,100000,1000000').split(',').map(Number);
const READS = 400;
const WARM_UP = 50;
const FROM = Date.parse('2025-03-01T00:00:00Z');
const SPAN_MS = 31 * 86_400_000 - 3_600_000;
const GROUPS = 10_000;
const EVENTS_PER_BATCH = 1000;
/** Partitions that no consumer owns: what is written for them goes the consumer's way and meets nobody. */
const PARTITIONS = [1000, 1001];

interface Kind {
  readonly code: string;
  readonly metric: Record<string, unknown>;
  readonly properties?: Record<string, unknown>;
  readonly eventProperties: (event: number) => Record<string, unknown>;
}

const value = () => ({ value: 3 });

const ALL_KINDS: readonly Kind[] = [
  { code: 'sum', metric: { aggregation_type: 'sum_agg', field_name: 'value' }, eventProperties: value },
  { code: 'count', metric: { aggregation_type: 'count_agg' }, eventProperties: () => ({}) },
  { code: 'max', metric: { aggregation_type: 'max_agg', field_name: 'value' }, eventProperties: value },
  { code: 'latest', metric: { aggregation_type: 'latest_agg', field_name: 'value' }, eventProperties: value },
  {
    code: 'unique',
    metric: { aggregation_type: 'unique_count_agg', field_name: 'value' },
    eventProperties: (event) => ({ value: `user ${event % 100_003}` }),
  },
  {
    code: 'recurring',
    metric: { aggregation_type: 'sum_agg', field_name: 'value', recurring: true },
    eventProperties: value,
  },
  {
    code: 'weighted',
    metric: {
      aggregation_type: 'weighted_sum_agg',
      field_name: 'value',
      weighted_interval: 'seconds',
      recurring: true,
    },
    eventProperties: value,
  },
  {
    code: 'grouped',
    metric: { aggregation_type: 'sum_agg', field_name: 'value' },
    properties: { pricing_group_keys: ['user'] },
    eventProperties: (event) => ({ value: 3, user: `u${event % GROUPS}` }),
  },
];

const wanted = process.env['BENCH_USAGE_KINDS']?.split(',');
const KINDS = ALL_KINDS.filter(({ code }) => wanted === undefined || wanted.includes(code));

/** How long a customer waits for `current_usage` at the end of a month, with ever more events behind it. */
export async function benchUsage(context: BenchContext): Promise<Figure[]> {
  const client = await newOrganization(context, 'Usage');
  await catalog(client);
  // Two at once, as two partitions of the log are stored at once.
  const waiting = SIZES.flatMap((size) => KINDS.map((kind) => ({ size, kind })));
  await Promise.all(
    PARTITIONS.map(async (partition) => {
      const sql = new pg.Client({ connectionString: context.databaseUrl });
      await sql.connect();
      try {
        const store = new EventStore(sql, partition);
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          const { size, kind } = next;
          const started = performance.now();
          await seed(store, client.organizationId, kind, size);
          const seconds = (performance.now() - started) / 1000;
          const rate = Math.round(size / seconds).toLocaleString('en');
          context.report(`usage: ${size.toLocaleString('en')} events of one month, ${kind.code}: ${rate} a second`);
        }
      } finally {
        await sql.end();
      }
    }),
  );
  const sql = new pg.Client({ connectionString: context.databaseUrl });
  await sql.connect();
  await sql.query('vacuum analyze').finally(() => sql.end());
  const figures: Figure[] = [];
  for (const kind of KINDS) figures.push(...(await measure(client, kind)));
  return figures;
}

async function measure(client: DemoClient, { code }: Kind): Promise<Figure[]> {
  // As many groups cannot be had of fewer events; one answer of all of them is slow for its own length, so it is read less.
  const sizes = code === 'grouped' ? SIZES.filter((size) => size >= GROUPS) : SIZES;
  const reads = code === 'grouped' ? 20 : READS;
  const warmUp = code === 'grouped' ? 3 : WARM_UP;
  const latencies: number[][] = sizes.map(() => []);
  // In turns, so that a slow moment of the machine meets all sizes alike.
  for (let read = 0; read < warmUp + reads; read += 1) {
    for (const [index, size] of sizes.entries()) {
      const path = `/api/v1/customers/c-${code}-${size}/current_usage?external_subscription_id=s-${code}-${size}`;
      const started = performance.now();
      const { customer_usage: usage } = await client.get<{
        customer_usage: { charges_usage: { events_count: number }[] };
      }>(path);
      if (read >= warmUp) latencies[index]!.push(performance.now() - started);
      const counted = usage.charges_usage[0]?.events_count;
      if (counted !== size) throw new Error(`${path} counts ${counted} events`);
    }
  }
  if (sizes.length === 0) return [];
  const sorted = latencies.map((values) => values.sort((a, b) => a - b));
  const p99s = sorted.map((values) => percentile(values, 0.99));
  const growth = p99s.at(-1)! / p99s[0]!;
  const shown = sizes.map(
    (size, index) =>
      `${size.toLocaleString('en')}: p50 ${percentile(sorted[index]!, 0.5).toFixed(1)} p99 ${p99s[index]!.toFixed(1)} ms`,
  );
  return [
    { what: `current_usage, ${code}`, value: shown.join('; '), goal: 'p50 < 10 ms without groups' },
    {
      what: `current_usage, ${code}, p99 of most ÷ of fewest events`,
      value: growth.toFixed(2),
      goal: '≤ 1.3',
      met: growth <= 1.3,
    },
  ];
}

async function catalog(client: DemoClient): Promise<void> {
  const { test_clock: clock } = await client.post<{ test_clock: { lago_id: string } }>('/api/v1/test_clocks', {
    test_clock: { name: 'end of the month', frozen_time: new Date(FROM).toISOString() },
  });
  for (const { code, metric, properties } of KINDS) {
    const { billable_metric: created } = await client.post<{ billable_metric: { lago_id: string } }>(
      '/api/v1/billable_metrics',
      { billable_metric: { name: code, code, ...metric } },
    );
    const charge = { billable_metric_id: created.lago_id, charge_model: 'standard' };
    await client.post('/api/v1/plans', {
      plan: {
        name: code,
        code,
        interval: 'monthly',
        amount_cents: 0,
        amount_currency: 'USD',
        charges: [{ ...charge, properties: { amount: '0.01', ...properties } }],
      },
    });
    for (const size of SIZES) {
      const id = `${code}-${size}`;
      await client.post('/api/v1/customers', {
        customer: { external_id: `c-${id}`, currency: 'USD', test_clock_id: clock.lago_id },
      });
      await client.post('/api/v1/subscriptions', {
        subscription: { external_id: `s-${id}`, external_customer_id: `c-${id}`, plan_code: code },
      });
    }
  }
  await client.advance(clock.lago_id, Date.parse('2025-03-31T23:30:00Z'));
}

/** Events in the order of their time, by the consumer's own statement. */
async function seed(
  store: EventStore,
  organizationId: string,
  { code, eventProperties }: Kind,
  size: number,
): Promise<void> {
  let watermark = await store.watermark();
  const externalSubscriptionId = `s-${code}-${size}`;
  for (let first = 0; first < size; first += EVENTS_PER_BATCH) {
    const events = Array.from({ length: Math.min(EVENTS_PER_BATCH, size - first) }, (_, index) => {
      const number = first + index;
      const transactionId = `t-${number}`;
      return {
        id: eventId(organizationId, externalSubscriptionId, transactionId),
        organizationId,
        transactionId,
        code,
        externalSubscriptionId,
        timestamp: FROM + Math.floor((number * SPAN_MS) / size),
        properties: eventProperties(number),
        preciseTotalAmountCents: null,
        receivedAt: Date.now(),
      };
    });
    const streamSequence = watermark + 1;
    await store.store([{ streamSequence, events, rejected: null }], watermark);
    watermark = streamSequence;
  }
}
