import { setTimeout } from 'node:timers/promises';
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
const READS = 1000;
/** Events of a charge in advance that are really billed in advance. */
const BILLED_IN_ADVANCE = 3;
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
  /** What is measured, each for itself: one charge on the metric a way of pricing it. */
  readonly charges?: readonly Priced[];
  readonly eventProperties: (event: number) => Record<string, unknown>;
  /** As many groups cannot be had of fewer events. */
  readonly fewestEvents?: number;
}

interface Priced {
  readonly code: string;
  readonly charge?: Record<string, unknown>;
  readonly properties?: Record<string, unknown>;
  /** Billed event by event, which takes longer than a benchmark may: the charge comes when all but some events are there. */
  readonly inAdvance?: boolean;
  readonly query?: string;
  readonly reads?: number;
}

const value = () => ({ value: 3 });

const ALL_KINDS: readonly Kind[] = [
  {
    code: 'sum',
    metric: { aggregation_type: 'sum_agg', field_name: 'value' },
    charges: [
      { code: 'sum' },
      { code: 'sum_in_advance', charge: { pay_in_advance: true, invoiceable: false }, inAdvance: true },
    ],
    eventProperties: value,
  },
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
    charges: [{ code: 'recurring' }, { code: 'prorated', charge: { prorated: true } }],
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
    charges: [
      { code: 'grouped_page', properties: { pricing_group_keys: ['user'] }, query: 'groups_per_page=100', reads: 60 },
      { code: 'grouped_whole', properties: { pricing_group_keys: ['user'] }, reads: 60 },
    ],
    eventProperties: (event) => ({ value: 3, user: `u${event % GROUPS}` }),
    fewestEvents: GROUPS,
  },
];

const wanted = process.env['BENCH_USAGE_KINDS']?.split(',');
const KINDS = ALL_KINDS.filter(({ code }) => wanted === undefined || wanted.includes(code));

/** How long a customer waits for `current_usage` at the end of a month, with ever more events behind it. */
export async function benchUsage(context: BenchContext): Promise<Figure[]> {
  const client = await newOrganization(context, 'Usage');
  await catalog(client);
  // Two at once, as two partitions of the log are stored at once.
  const waiting = KINDS.flatMap((kind) =>
    [...new Set(SIZES.map((size) => sizeOf(kind, size)))].map((size) => ({ size, kind })),
  ).sort((a, b) => a.size - b.size);
  await Promise.all(
    PARTITIONS.map(async (partition) => {
      const sql = new pg.Client({ connectionString: context.databaseUrl });
      await sql.connect();
      try {
        const store = new EventStore(sql, partition);
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          const { size, kind } = next;
          const started = performance.now();
          await seed(store, client.organizationId, kind, { from: 0, to: size, size });
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
  try {
    await sql.query('vacuum analyze');
    for (const kind of KINDS) await billInAdvance(context, client, sql, kind);
    const figures: Figure[] = [];
    for (const kind of KINDS) {
      for (const priced of chargesOf(kind)) figures.push(...(await measure(client, kind, priced)));
    }
    return figures;
  } finally {
    await sql.end();
  }
}

const chargesOf = ({ code, charges }: Kind): readonly Priced[] => charges ?? [{ code }];
const sizeOf = ({ fewestEvents = 0 }: Kind, size: number) => Math.max(size, fewestEvents);
/** Events that a kind has in the end. */
const eventsOf = (kind: Kind, size: number) =>
  sizeOf(kind, size) + (chargesOf(kind).some(({ inAdvance }) => inAdvance) ? BILLED_IN_ADVANCE : 0);

/** Adds the charges in advance and a few events, and waits until those are billed: before the first, all others are counted. */
async function billInAdvance(context: BenchContext, client: DemoClient, sql: pg.Client, kind: Kind): Promise<void> {
  const charges = chargesOf(kind).filter(({ inAdvance }) => inAdvance);
  if (charges.length === 0) return;
  for (const priced of charges) {
    await client.post(`/api/v1/plans/${kind.code}/charges`, {
      charge: chargeBody(await metricId(client, kind), priced),
    });
  }
  const store = new EventStore(sql, PARTITIONS[0]!);
  for (const size of SIZES) {
    await seed(store, client.organizationId, kind, { from: size, to: size + BILLED_IN_ADVANCE, size });
  }
  const started = performance.now();
  for (;;) {
    const { rows } = await sql.query('select from advance_usage where organization_id = $1', [client.organizationId]);
    if (rows.length === 0) break;
    if (performance.now() - started > 900_000) throw new Error('usage in advance is not billed');
    await setTimeout(500);
  }
  context.report(`usage: billed in advance after ${((performance.now() - started) / 1000).toFixed(0)} s, ${kind.code}`);
}

async function measure(client: DemoClient, kind: Kind, { code, query, reads = READS }: Priced): Promise<Figure[]> {
  const sizes = [...new Set(SIZES.map((size) => sizeOf(kind, size)))];
  const latencies: number[][] = sizes.map(() => []);
  // In turns, so that a slow moment of the machine meets all sizes alike.
  for (let read = 0; read < WARM_UP + reads; read += 1) {
    for (const [index, size] of sizes.entries()) {
      const id = `${kind.code}-${size}`;
      const path = `/api/v1/customers/c-${id}/current_usage?external_subscription_id=s-${id}&charge_code=${code}&${query ?? ''}`;
      const started = performance.now();
      const { customer_usage: usage } = await client.get<{
        customer_usage: { charges_usage: { events_count: number }[] };
      }>(path);
      if (read >= WARM_UP) latencies[index]!.push(performance.now() - started);
      const counted = usage.charges_usage[0]?.events_count;
      if (counted !== eventsOf(kind, size)) throw new Error(`${path} counts ${counted} events`);
    }
  }
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

async function metricId(client: DemoClient, { code }: Kind): Promise<string> {
  const path = `/api/v1/billable_metrics/${code}`;
  return (await client.get<{ billable_metric: { lago_id: string } }>(path)).billable_metric.lago_id;
}

function chargeBody(billableMetricId: string, { code, charge, properties }: Priced) {
  return {
    ...{ billable_metric_id: billableMetricId, code, charge_model: 'standard', ...charge },
    properties: { amount: '0.01', ...properties },
  };
}

async function catalog(client: DemoClient): Promise<void> {
  const { test_clock: clock } = await client.post<{ test_clock: { lago_id: string } }>('/api/v1/test_clocks', {
    test_clock: { name: 'end of the month', frozen_time: new Date(FROM).toISOString() },
  });
  for (const kind of KINDS) {
    const { code, metric } = kind;
    await client.post('/api/v1/billable_metrics', { billable_metric: { name: code, code, ...metric } });
    const id = await metricId(client, kind);
    await client.post('/api/v1/plans', {
      plan: {
        ...{ name: code, code, interval: 'monthly', amount_cents: 0, amount_currency: 'USD' },
        charges: chargesOf(kind)
          .filter(({ inAdvance }) => !inAdvance)
          .map((priced) => chargeBody(id, priced)),
      },
    });
    for (const size of new Set(SIZES.map((each) => sizeOf(kind, each)))) {
      const external = `${code}-${size}`;
      await client.post('/api/v1/customers', {
        customer: { external_id: `c-${external}`, currency: 'USD', test_clock_id: clock.lago_id },
      });
      await client.post('/api/v1/subscriptions', {
        subscription: { external_id: `s-${external}`, external_customer_id: `c-${external}`, plan_code: code },
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
  { from, to, size }: { readonly from: number; readonly to: number; readonly size: number },
): Promise<void> {
  let watermark = await store.watermark();
  const externalSubscriptionId = `s-${code}-${size}`;
  for (let first = from; first < to; first += EVENTS_PER_BATCH) {
    const events = Array.from({ length: Math.min(EVENTS_PER_BATCH, to - first) }, (_, index) => {
      const number = first + index;
      const transactionId = `t-${number}`;
      return {
        id: eventId(organizationId, externalSubscriptionId, transactionId),
        organizationId,
        transactionId,
        code,
        externalSubscriptionId,
        timestamp: FROM + Math.floor((Math.min(number, size - 1) * SPAN_MS) / size),
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
