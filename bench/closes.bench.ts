import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DemoClient, inParallel } from '../src/demo/demo-client.js';
import { type BenchContext, type Figure, newOrganization } from './bench.js';
import { cpuSeconds, cpuShares } from './cpu.js';

const subscriptions = 500;

/**
 * 500 subscriptions of 500 customers that are due at one instant: on the wall clock, after a pause of the worker, and on a
 * test clock, which waits until all has settled. A close reads the usage of two charges, rates it, and makes a finalized
 * invoice of three lines; the last one is counted when its invoice can be read.
 */
export async function benchCloses(context: BenchContext): Promise<Figure[]> {
  return [await onTheWallClock(context), await onATestClock(context)];
}

/**
 * Period ends fall on midnights only, for which nobody wants to wait. So the worker is paused, all subscriptions are
 * terminated, which closes the period at once, and the clock runs from the moment the worker goes on.
 */
async function onTheWallClock(context: BenchContext): Promise<Figure> {
  const client = await newOrganization(context, 'Closes on the wall clock');
  await catalog(client);
  context.report(`closes: ${subscriptions} subscriptions terminated on the wall clock`);
  await subscribe(client, { subscription_at: new Date(Date.now() - 20 * 86_400_000).toISOString() });
  await fill(client, Date.now() - 60_000);
  const { worker } = context.pids();
  if (worker === undefined) throw new Error('The stack has no worker of its own to pause');
  process.kill(worker, 'SIGSTOP');
  let started: number;
  let before: Record<string, number>;
  try {
    await inParallel(numbers, 16, (number) => client.delete(`/api/v1/subscriptions/s-${number}`));
  } finally {
    before = cpuSeconds(context.pids());
    started = Date.now();
    process.kill(worker, 'SIGCONT');
  }
  while ((await finalizedInvoices(client)) < subscriptions) await sleep(100);
  return figure('on the wall clock', Date.now() - started, before, cpuSeconds(context.pids()));
}

async function onATestClock(context: BenchContext): Promise<Figure> {
  const client = await newOrganization(context, 'Closes on a test clock');
  await catalog(client);
  const { test_clock: clock } = await client.post<{ test_clock: { lago_id: string } }>('/api/v1/test_clocks', {
    test_clock: { name: 'closes', frozen_time: '2025-03-10T00:00:00Z' },
  });
  context.report(`closes: ${subscriptions} subscriptions on one test clock`);
  await subscribe(client, {}, clock.lago_id);
  await fill(client, Date.parse('2025-03-20T00:00:00Z'));
  await client.advance(clock.lago_id, Date.parse('2025-03-31T23:00:00Z'));
  const started = Date.now();
  const before = cpuSeconds(context.pids());
  await client.advance(clock.lago_id, Date.parse('2025-04-01T00:00:00Z'));
  const elapsed = Date.now() - started;
  const after = cpuSeconds(context.pids());
  const closed = await finalizedInvoices(client);
  if (closed !== subscriptions) throw new Error(`The clock is ready, and ${closed} of ${subscriptions} are invoiced`);
  return figure('on a test clock', elapsed, before, after);
}

function figure(where: string, ms: number, before: Record<string, number>, after: Record<string, number>): Figure {
  const shares = cpuShares(before, after, ms);
  return {
    what: `Closes of ${subscriptions} subscriptions due at once, ${where}`,
    value: `${((subscriptions * 1000) / ms).toFixed(1)} /s (${(ms / 1000).toFixed(1)} s)`,
    goal: shares ? `limited by: ${shares} of ${availableParallelism()} cores` : 'say what limits them',
  };
}

async function catalog(client: DemoClient): Promise<void> {
  const { billable_metric: metric } = await client.post<{ billable_metric: { lago_id: string } }>(
    '/api/v1/billable_metrics',
    { billable_metric: { name: 'Tokens', code: 'tokens', aggregation_type: 'sum_agg', field_name: 'value' } },
  );
  const { billable_metric: calls } = await client.post<{ billable_metric: { lago_id: string } }>(
    '/api/v1/billable_metrics',
    { billable_metric: { name: 'Calls', code: 'calls', aggregation_type: 'count_agg' } },
  );
  const plan = {
    name: 'Plan',
    code: 'plan',
    interval: 'monthly',
    amount_cents: 10_000,
    amount_currency: 'USD',
    charges: [
      {
        billable_metric_id: metric.lago_id,
        charge_model: 'graduated',
        properties: {
          graduated_ranges: [
            { from_value: 0, to_value: 1000, per_unit_amount: '0.01', flat_amount: '0' },
            { from_value: 1001, to_value: null, per_unit_amount: '0.008', flat_amount: '0' },
          ],
        },
      },
      { billable_metric_id: calls.lago_id, charge_model: 'standard', properties: { amount: '0.5' } },
    ],
  };
  await client.post('/api/v1/plans', { plan });
}

async function subscribe(client: DemoClient, fields: Record<string, string>, clockId?: string): Promise<void> {
  await inParallel(numbers, 16, async (number) => {
    await client.post('/api/v1/customers', {
      customer: { external_id: `c-${number}`, currency: 'USD', ...(clockId ? { test_clock_id: clockId } : {}) },
    });
    await client.post('/api/v1/subscriptions', {
      subscription: { external_id: `s-${number}`, external_customer_id: `c-${number}`, plan_code: 'plan', ...fields },
    });
  });
}

/** Ten events each, at an instant within the period. */
async function fill(client: DemoClient, at: number): Promise<void> {
  const events = numbers.flatMap((number) =>
    Array.from({ length: 10 }, (_, index) => ({
      transaction_id: `t-${number}-${index}`,
      external_subscription_id: `s-${number}`,
      code: index % 2 === 0 ? 'tokens' : 'calls',
      timestamp: (at / 1000).toFixed(3),
      properties: index % 2 === 0 ? { value: 321 } : {},
    })),
  );
  const batches = Array.from({ length: events.length / 100 }, (_, index) =>
    events.slice(index * 100, index * 100 + 100),
  );
  await inParallel(batches, 4, (batch) => client.post('/api/v1/events/batch', { events: batch }));
}

async function finalizedInvoices(client: DemoClient): Promise<number> {
  const { meta } = await client.get<{ meta: { total_count: number } }>(
    '/api/v1/invoices?per_page=1&statuses[]=finalized',
  );
  return meta.total_count;
}

const numbers = Array.from({ length: subscriptions }, (_, index) => index + 1);
