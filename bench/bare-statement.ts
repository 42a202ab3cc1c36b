import { randomUUID } from 'node:crypto';
import pg from 'pg';

const BATCH = 5000;

/** Insert, deduplicate, add up into hourly buckets: the least that storing usage can be, as one statement. */
const STATEMENT = `
  with input as (
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::float8[], $6::jsonb[], $7::numeric[], $8::bigint[])
      as input (id, subscription, transaction_id, code, at, properties, value, sequence)
  ), inserted as (
    insert into bare.events (id, organization_id, external_subscription_id, transaction_id, code, "timestamp", properties,
      received_at, partition, ingest_sequence)
    select id, $9::uuid, subscription, transaction_id, code, to_timestamp(at), properties, now(), $10::smallint, sequence
    from input on conflict do nothing returning id
  )
  insert into bare.usage_buckets as bucket (organization_id, external_subscription_id, metric_id, bucket_at, dimensions,
    events_count, sum, max_sequence)
  select $9::uuid, subscription, $9::uuid, date_trunc('hour', to_timestamp(at)), code, count(*), sum(value), max(sequence)
  from input join inserted using (id)
  group by subscription, code, date_trunc('hour', to_timestamp(at)) order by 2, 4, 5
  on conflict (organization_id, external_subscription_id, metric_id, bucket_at, dimensions) do update set
    events_count = bucket.events_count + excluded.events_count, sum = bucket.sum + excluded.sum,
    max_sequence = greatest(bucket.max_sequence, excluded.max_sequence)`;

/**
 * Events per second that two connections store by the bare statement, 5,000 at a time, into tables like the real ones. The
 * batches are made before the clock starts: it measures Postgres and nothing else.
 */
export async function bareStatementRate(
  databaseUrl: string,
  event: (connection: number) => { subscription: string; code: string; at: number; properties: string; value: number },
  milliseconds: number,
): Promise<number> {
  const clients = [0, 1].map(() => new pg.Client({ connectionString: databaseUrl }));
  await Promise.all(clients.map((client) => client.connect()));
  try {
    await clients[0]!.query(
      `drop schema if exists bare cascade; create schema bare;
       create table bare.events (like public.events including all);
       create table bare.usage_buckets (like public.usage_buckets including all)`,
    );
    const organization = randomUUID();
    const batches = clients.map((_, connection) =>
      Array.from({ length: 60 }, () =>
        parametersOf(
          Array.from({ length: BATCH }, () => event(connection)),
          organization,
          connection,
        ),
      ),
    );
    const started = performance.now();
    let stored = 0;
    await Promise.all(
      clients.map(async (client, connection) => {
        for (const values of batches[connection]!) {
          if (performance.now() - started >= milliseconds) return;
          await client.query({ name: 'bare', text: STATEMENT, values });
          stored += BATCH;
        }
      }),
    );
    const rate = (stored * 1000) / (performance.now() - started);
    await clients[0]!.query('drop schema bare cascade');
    return rate;
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

let sequence = 0;

function parametersOf(
  events: { subscription: string; code: string; at: number; properties: string; value: number }[],
  organization: string,
  connection: number,
): unknown[] {
  const list = (values: readonly (string | number)[]) => `{${values.join(',')}}`;
  return [
    list(events.map(() => randomUUID())),
    list(events.map((event) => event.subscription)),
    list(events.map(() => randomUUID())),
    list(events.map((event) => event.code)),
    list(events.map((event) => event.at)),
    list(events.map((event) => `"${event.properties.replaceAll('"', '\\"')}"`)),
    list(events.map((event) => event.value)),
    list(events.map(() => (sequence += 1))),
    organization,
    connection,
  ];
}
