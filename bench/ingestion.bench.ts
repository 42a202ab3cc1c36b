import { fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { type DemoClient } from '../src/demo/demo-client.js';
import { bareStatementRate } from './bare-statement.js';
import { type BenchContext, type Figure, newOrganization } from './bench.js';
import { cpuSeconds, cpuShares } from './cpu.js';
import { httpLoad, percentile } from './http-load.js';

const SUBSCRIPTIONS = 1000;
const METRICS = 5;
const WARM_UP_MS = 1500;
const SINGLES_MS = 6000;
const BARE_MS = 5000;
const BATCHED_EVENTS = 300_000;
const EVENTS_PER_BATCH = 100;

/**
 * How fast events get in: counted when they are stored and aggregated in Postgres, and compared with what the machine can do
 * at all at that moment (an HTTP server that does nothing else; the SQL statement alone).
 */
export async function benchIngestion(context: BenchContext): Promise<Figure[]> {
  const client = await newOrganization(context, 'Ingestion');
  for (let metric = 0; metric < METRICS; metric += 1) {
    const billable_metric = {
      name: `M${metric}`,
      code: `m${metric}`,
      aggregation_type: 'sum_agg',
      field_name: 'value',
    };
    await client.post('/api/v1/billable_metrics', { billable_metric });
  }
  const sql = new pg.Client({ connectionString: context.databaseUrl });
  await sql.connect();
  try {
    return [await singles(context, client, sql), await batches(context, client, sql)];
  } finally {
    await sql.end();
  }
}

async function singles(context: BenchContext, client: DemoClient, sql: pg.Client): Promise<Figure> {
  context.report('ingestion: one event a request, on 64 connections');
  const raw = await rawHttpRate(client.apiKey);
  await singleLoad(context.url, client.apiKey, WARM_UP_MS);
  await storedEvents(sql, client, 0);
  const before = await count(sql, client);
  const cpu = cpuSeconds(context.pids());
  const started = performance.now();
  const { answered, latencies } = await singleLoad(context.url, client.apiKey, SINGLES_MS);
  await storedEvents(sql, client, before + answered);
  const elapsed = performance.now() - started;
  const shares = cpuShares(cpu, cpuSeconds(context.pids()), elapsed);
  const rate = (answered * 1000) / elapsed;
  return {
    what: 'Single posts stored ÷ raw node:http',
    value: `${(rate / raw).toFixed(2)} (${round(rate)} /s of ${round(raw)} /s, p50 ${percentile(latencies, 0.5).toFixed(1)} ms, p99 ${percentile(latencies, 0.99).toFixed(1)} ms${shares ? `; ${shares}` : ''})`,
    goal: '≥ 0.35',
    met: rate / raw >= 0.35,
  };
}

async function batches(context: BenchContext, client: DemoClient, sql: pg.Client): Promise<Figure> {
  context.report('ingestion: the bare statement on two connections');
  const bare = await bareStatementRate(context.databaseUrl, bareEvent, BARE_MS);
  context.report(`ingestion: batches of ${EVENTS_PER_BATCH}, ${BATCHED_EVENTS} events`);
  const before = await count(sql, client);
  const cpu = cpuSeconds(context.pids());
  const started = performance.now();
  let sent = 0;
  const nextBody = batchBodies();
  const { answered } = await httpLoad({
    url: context.url,
    path: '/api/v1/events/batch',
    apiKey: client.apiKey,
    connections: 32,
    nextBody,
    goOn: () => (sent += EVENTS_PER_BATCH) <= BATCHED_EVENTS,
  });
  const acceptedIn = performance.now() - started;
  const events = answered * EVENTS_PER_BATCH;
  await storedEvents(sql, client, before + events);
  const elapsed = performance.now() - started;
  const shares = cpuShares(cpu, cpuSeconds(context.pids()), elapsed);
  const rate = (events * 1000) / elapsed;
  return {
    what: 'Batched events stored ÷ the bare statement on two connections',
    value: `${(rate / bare).toFixed(2)} (${round(rate)} /s of ${round(bare)} /s; taken in at ${round((events * 1000) / acceptedIn)} /s${shares ? `; ${shares}` : ''})`,
    goal: '≥ 0.5',
    met: rate / bare >= 0.5,
  };
}

/** Requests per second of an HTTP server in a process of its own that parses the same body and sends it back. */
async function rawHttpRate(apiKey: string): Promise<number> {
  const server = fork(fileURLToPath(new URL('./raw-http.main.js', import.meta.url)));
  try {
    const port = await new Promise<number>((resolve, reject) => {
      server.once('message', (message) => resolve(message as number));
      server.once('exit', (code) => reject(new Error(`The raw HTTP server ended with ${code}`)));
    });
    const url = `http://127.0.0.1:${port}`;
    await singleLoad(url, apiKey, WARM_UP_MS);
    const started = performance.now();
    const { answered } = await singleLoad(url, apiKey, SINGLES_MS);
    return (answered * 1000) / (performance.now() - started);
  } finally {
    server.removeAllListeners('exit');
    server.disconnect();
  }
}

function singleLoad(url: string, apiKey: string, milliseconds: number) {
  const end = performance.now() + milliseconds;
  return httpLoad({
    url,
    path: '/api/v1/events',
    apiKey,
    connections: 64,
    nextBody: () => Buffer.from(`{"event":${eventText()}}`),
    goOn: () => performance.now() < end,
  });
}

let events = Date.now() * 1000;

/** About 250 bytes, always as many: the number of a request is in its head. */
function eventText(): string {
  const number = (events += 1);
  const subscription = String(number % SUBSCRIPTIONS).padStart(4, '0');
  const at = 1_740_000_000 + (number % 3600);
  return (
    `{"transaction_id":"tx-${number}-0123456789abcdef","external_subscription_id":"sub-${subscription}",` +
    `"code":"m${number % METRICS}","timestamp":${at},"properties":{"value":${100 + (number % 900)},"model":"large",` +
    `"region":"eu-west-1","request_id":"req-${number}"}}`
  );
}

/** Bodies of one batch each: a template whose numbers are overwritten in place, as building JSON would slow the load down. */
function batchBodies(): () => Buffer {
  const MARK = '#'.repeat(16);
  const texts = Array.from({ length: EVENTS_PER_BATCH }, () => eventText().replace(/tx-\d+-/, `tx-${MARK}-`));
  const template = Buffer.from(`{"events":[${texts.join(',')}]}`);
  const places: number[] = [];
  for (let at = template.indexOf(MARK); at >= 0; at = template.indexOf(MARK, at + 1)) places.push(at);
  return () => {
    const body = Buffer.from(template);
    for (const place of places) body.write(String((events += 1)).padStart(MARK.length, '0'), place, 'latin1');
    return body;
  };
}

function bareEvent(connection: number) {
  const number = (events += 1);
  return {
    subscription: `sub-${connection}-${number % (SUBSCRIPTIONS / 2)}`,
    code: `m${number % METRICS}`,
    at: 1_740_000_000 + (number % 3600),
    properties: `{"value":${100 + (number % 900)},"model":"large","region":"eu-west-1","request_id":"req-${number}"}`,
    value: 100 + (number % 900),
  };
}

/** Waits until so many events of the organization are aggregated. */
async function storedEvents(sql: pg.Client, client: DemoClient, expected: number): Promise<void> {
  const end = Date.now() + 120_000;
  for (let stored = 0; stored < expected;) {
    if (Date.now() > end) throw new Error(`${stored} of ${expected} events are stored, and no more are coming`);
    stored = await count(sql, client);
    if (stored < expected) await sleep(20);
  }
}

async function count(sql: pg.Client, { organizationId }: DemoClient): Promise<number> {
  const { rows } = await sql.query<{ n: string }>(
    'select coalesce(sum(events_count), 0) as n from usage_buckets where organization_id = $1',
    [organizationId],
  );
  return Number(rows[0]!.n);
}

const round = (rate: number): string => Math.round(rate).toLocaleString('en');
