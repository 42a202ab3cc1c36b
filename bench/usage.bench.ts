import pg from 'pg';
import { type DemoClient } from '../src/demo/demo-client.js';
import { type BenchContext, type Figure, newOrganization } from './bench.js';
import { percentile } from './http-load.js';

const SIZES = [1_000, 100_000, 1_000_000];
const READS = 400;
const WARM_UP = 50;
const FROM = '2025-03-01T00:00:00Z';
const SECONDS = 31 * 86_400 - 3600;

/** How long a customer waits for `current_usage` at the end of a month, with ever more events behind it. */
export async function benchUsage(context: BenchContext): Promise<Figure[]> {
  const client = await newOrganization(context, 'Usage');
  const metricId = await catalog(client);
  const sql = new pg.Client({ connectionString: context.databaseUrl });
  await sql.connect();
  try {
    for (const size of SIZES) {
      context.report(`usage: ${size.toLocaleString('en')} events of one month`);
      await seed(sql, client, metricId, size);
    }
    await sql.query('analyze events, usage_buckets');
  } finally {
    await sql.end();
  }
  const paths = SIZES.map((size) => `/api/v1/customers/c-${size}/current_usage?external_subscription_id=s-${size}`);
  const latencies: number[][] = SIZES.map(() => []);
  // In turns, so that a slow moment of the machine meets all sizes alike.
  for (let read = 0; read < WARM_UP + READS; read += 1) {
    for (const [index, path] of paths.entries()) {
      const started = performance.now();
      const { customer_usage: usage } = await client.get<{
        customer_usage: { charges_usage: { events_count: number }[] };
      }>(path);
      if (read >= WARM_UP) latencies[index]!.push(performance.now() - started);
      const counted = usage.charges_usage[0]?.events_count;
      if (counted !== SIZES[index]) throw new Error(`${path} counts ${counted} events`);
    }
  }
  const sorted = latencies.map((values) => values.sort((a, b) => a - b));
  const medians = sorted.map((values) => percentile(values, 0.5));
  const growth = Math.max(...medians) / Math.min(...medians);
  return [
    ...SIZES.map((size, index) => ({
      what: `current_usage with ${size.toLocaleString('en')} events`,
      value: `p50 ${medians[index]!.toFixed(1)} ms, p99 ${percentile(sorted[index]!, 0.99).toFixed(1)} ms`,
      goal: 'p50 < 10 ms',
      met: medians[index]! < 10,
    })),
    { what: 'current_usage, slowest ÷ fastest size', value: growth.toFixed(2), goal: '≤ 1.5', met: growth <= 1.5 },
  ];
}

async function catalog(client: DemoClient): Promise<string> {
  const { billable_metric: metric } = await client.post<{ billable_metric: { lago_id: string } }>(
    '/api/v1/billable_metrics',
    {
      billable_metric: { name: 'Tokens', code: 'tokens', aggregation_type: 'sum_agg', field_name: 'value' },
    },
  );
  await client.post('/api/v1/plans', {
    plan: {
      name: 'Plan',
      code: 'plan',
      interval: 'monthly',
      amount_cents: 0,
      amount_currency: 'USD',
      charges: [{ billable_metric_id: metric.lago_id, charge_model: 'standard', properties: { amount: '0.01' } }],
    },
  });
  const { test_clock: clock } = await client.post<{ test_clock: { lago_id: string } }>('/api/v1/test_clocks', {
    test_clock: { name: 'end of the month', frozen_time: FROM },
  });
  for (const size of SIZES) {
    await client.post('/api/v1/customers', {
      customer: { external_id: `c-${size}`, currency: 'USD', test_clock_id: clock.lago_id },
    });
    await client.post('/api/v1/subscriptions', {
      subscription: { external_id: `s-${size}`, external_customer_id: `c-${size}`, plan_code: 'plan' },
    });
  }
  await client.advance(clock.lago_id, Date.parse('2025-03-31T23:30:00Z'));
  return metric.lago_id;
}

/** Writes the events and their aggregates straight into the tables; getting them in is another benchmark. */
async function seed(sql: pg.Client, { organizationId }: DemoClient, metricId: string, size: number): Promise<void> {
  await sql.query(
    `insert into events (id, organization_id, external_subscription_id, transaction_id, code, "timestamp", properties,
       received_at, partition, ingest_sequence)
     select gen_random_uuid(), $1, $2, 't-' || n, 'tokens',
       date_trunc('milliseconds', $3::timestamptz + n * ($4::float8 / $5) * interval '1 second'), '{"value": 3}', now(), 0, n
     from generate_series(0, $5::int - 1) as n`,
    [organizationId, `s-${size}`, FROM, SECONDS, size],
  );
  await sql.query(
    `insert into usage_buckets (organization_id, external_subscription_id, metric_id, bucket_at, dimensions, events_count, sum,
       max_sequence)
     select organization_id, external_subscription_id, $1, date_trunc('hour', "timestamp"), '{}', count(*),
       sum((properties->>'value')::numeric), max(ingest_sequence)
     from events where organization_id = $2 and external_subscription_id = $3 group by 1, 2, 4`,
    [metricId, organizationId, `s-${size}`],
  );
}
