import { plainArray, textArray } from './array-literal.js';
import { hourOf, type MeteredRow } from './metered-row.js';
import type { LoggedEvent } from './usage-message.js';

/** What a batch holds beside events; the statement has only the parts it needs. */
interface Parts {
  metered: boolean;
  /** Latest values or weighted sums, which cost a sort or a product per event. */
  ordered: boolean;
  /** Sums of events that say what they cost. */
  priced: boolean;
  /** Metrics whose hours are added up to days and months. */
  rolled: boolean;
  unique: boolean;
  unmetered: boolean;
  /** Events that a charge paid in advance has to bill. */
  inAdvance: boolean;
}

/** The batch turned into columns, in the order of the statement's parameters. */
export class Columns {
  readonly parts: Parts = {
    ...{ metered: false, ordered: false, priced: false, rolled: false, unique: false, unmetered: false },
    inAdvance: false,
  };
  private readonly ids: string[] = [];
  private readonly organizations: string[] = [];
  private readonly subscriptions: string[] = [];
  private readonly transactions: string[] = [];
  private readonly codes: string[] = [];
  private readonly timestamps: number[] = [];
  private readonly hours: number[] = [];
  private readonly properties: string[] = [];
  private readonly precise: (string | null)[] = [];
  private readonly received: number[] = [];
  private readonly sequences: number[] = [];
  private readonly metrics: (string | null)[] = [];
  private readonly dimensions: (string | null)[] = [];
  private readonly roles: (string | null)[] = [];
  private readonly amounts: (string | null)[] = [];
  private readonly uniqueValues: (string | null)[] = [];
  private readonly rolled: (string | null)[] = [];
  private readonly metricsInAdvance = new Set<string>();

  billInAdvance(metricId: string): void {
    this.metricsInAdvance.add(metricId);
    this.parts.inAdvance = true;
  }

  add(event: LoggedEvent, sequence: number, row: MeteredRow | null): void {
    this.ids.push(event.id);
    this.organizations.push(event.organizationId);
    this.subscriptions.push(event.externalSubscriptionId);
    this.transactions.push(event.transactionId);
    this.codes.push(event.code);
    this.timestamps.push(event.timestamp);
    this.hours.push(hourOf(event.timestamp));
    this.properties.push(JSON.stringify(event.properties));
    this.precise.push(event.preciseTotalAmountCents);
    this.received.push(event.receivedAt);
    this.sequences.push(sequence);
    this.metrics.push(row === null ? null : row.metricId);
    this.dimensions.push(row === null ? null : row.dimensions);
    this.roles.push(row === null ? null : row.role);
    this.amounts.push(row === null ? null : row.value);
    this.uniqueValues.push(row === null ? null : row.uniqueValue);
    this.rolled.push(row === null ? null : row.rolled ? 't' : 'f');
    if (row === null) this.parts.unmetered = true;
    else {
      this.parts.metered = true;
      if (row.role === 'sum' && event.preciseTotalAmountCents !== null) this.parts.priced = true;
      if (row.rolled) this.parts.rolled = true;
      if (row.role === 'latest' || row.role === 'weighted') this.parts.ordered = true;
      if (row.role === 'add' || row.role === 'remove') this.parts.unique = true;
    }
  }

  values(partition: number): unknown[] {
    const event = [
      plainArray(this.ids),
      plainArray(this.organizations),
      textArray(this.subscriptions),
      textArray(this.transactions),
      textArray(this.codes),
      plainArray(this.timestamps),
      textArray(this.properties),
      // An unusual decimal is Postgres's to refuse, so it is quoted.
      textArray(this.precise),
      plainArray(this.received),
      plainArray(this.sequences),
      partition,
    ];
    if (!this.parts.metered) return event;
    return [
      ...event,
      plainArray(this.hours),
      plainArray(this.metrics),
      textArray(this.dimensions),
      plainArray(this.roles),
      textArray(this.amounts),
      textArray(this.uniqueValues),
      plainArray(this.rolled),
      ...(this.parts.inAdvance ? [plainArray([...this.metricsInAdvance])] : []),
    ];
  }
}

const statements = new Map<string, { name: string; text: string }>();

export function statement(parts: Parts): { name: string; text: string } {
  const flags = Object.entries(parts).filter(([, present]) => present);
  const name = ['store', ...flags.map(([part]) => part)].join('-');
  let known = statements.get(name);
  if (known === undefined) {
    known = { name, text: statementText(parts) };
    statements.set(name, known);
  }
  return known;
}

/**
 * The one statement. Rows go into the indexes in the order of their keys, so that two connections never wait for each
 * other in a circle, and so that neighbours share pages.
 */
function statementText({ metered, ordered, priced, rolled, unique, unmetered, inAdvance }: Parts): string {
  const meteredParameters = `,
        $12::float8[], $13::uuid[], $14::text[], $15::text[], $16::numeric[], $17::text[], $18::boolean[]`;
  const meteredColumns = ', hour, metric_id, dimensions, role, value, unique_value, rolled';
  const columns: BucketColumn[] = [...COLUMNS, ...(ordered ? ORDERED_COLUMNS : []), ...(priced ? PRICED_COLUMNS : [])];
  const ctes = [
    `input as materialized (
      select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::jsonb[],
        $8::numeric[], $9::float8[], $10::bigint[]${metered ? meteredParameters : ''})
      as input (id, organization_id, external_subscription_id, transaction_id, code, at_ms, properties, precise,
        received_ms, ingest_sequence${metered ? meteredColumns : ''})
    )`,
    `inserted as (
      insert into events (id, organization_id, external_subscription_id, transaction_id, code, "timestamp", properties,
        precise_total_amount_cents, received_at, partition, ingest_sequence)
      select id, organization_id, external_subscription_id, transaction_id, code, to_timestamp(at_ms / 1000), properties,
        precise, to_timestamp(received_ms / 1000), $11::smallint, ingest_sequence
      from input order by id
      on conflict (id) do nothing
      returning ingest_sequence
    )`,
  ];
  if (metered) {
    ctes.push(
      `metered as materialized (
        select input.* from inserted join input using (ingest_sequence) where input.metric_id is not null
      )`,
      `hourly as (
        select organization_id, external_subscription_id, metric_id, hour, dimensions, bool_or(rolled) as rolled,
          count(*) as events_count,
          coalesce(sum(value) filter (where role in ('sum', 'weighted')), 0) as sum,
          max(value) filter (where role = 'max') as max,
          ${ordered ? ORDERED_AGGREGATES : ''}
          ${priced ? PRICED_AGGREGATE : ''}
          max(ingest_sequence) as max_sequence
        from metered
        group by organization_id, external_subscription_id, metric_id, hour, dimensions
      )`,
      `buckets as (
        insert into usage_buckets as bucket
          (organization_id, external_subscription_id, metric_id, bucket_at, dimensions, ${columns.join(', ')})
        select organization_id, external_subscription_id, metric_id, to_timestamp(hour * 3600), dimensions,
          ${columns.join(', ')}
        from hourly
        order by organization_id, external_subscription_id, metric_id, hour, dimensions
        on conflict (organization_id, external_subscription_id, metric_id, bucket_at, dimensions) do update set
          ${columns.map((column) => `${column} = ${BUCKET_UPDATES[column]}`).join(', ')}
      )`,
      `late as (
        insert into late_usage as late (billing_period_id, organization_id, invoice_id, events_count, through_sequence,
          first_seen_at, updated_at)
        select period.id, period.organization_id, period.invoice_id, count(*), max(metered.ingest_sequence), now(), now()
        from (
          select organization_id, external_subscription_id, min(at_ms) as first_ms from metered group by 1, 2
        ) as touched
        cross join lateral (
          select id, organization_id, external_subscription_id, invoice_id, charges_from_at, charges_to_at
            from billing_periods
           where organization_id = touched.organization_id
             and external_subscription_id = touched.external_subscription_id
             and charges_to_at > to_timestamp(touched.first_ms / 1000)
             /* Usage paid in advance is billed whenever it comes; the periods of its invoices are only shown. */
             and invoicing_reason not in ('in_advance_charge', 'in_advance_charge_periodic')
          /* One index probe a subscription, whatever the planner believes about the size of the batch. */
          offset 0
        ) as period
        join metered on metered.organization_id = period.organization_id
          and metered.external_subscription_id = period.external_subscription_id
          and period.charges_from_at <= to_timestamp(metered.at_ms / 1000)
          and to_timestamp(metered.at_ms / 1000) < period.charges_to_at
        group by period.id, period.organization_id, period.invoice_id
        order by period.id
        on conflict (billing_period_id) do update set
          events_count = late.events_count + excluded.events_count,
          through_sequence = greatest(late.through_sequence, excluded.through_sequence),
          updated_at = excluded.updated_at,
          notified_at = null
        returning late.billing_period_id, late.organization_id, late.invoice_id, late.through_sequence
      )`,
    );
  }
  if (metered && rolled) {
    ctes.push(`rollups as (
      insert into usage_rollups as bucket
        (organization_id, external_subscription_id, metric_id, grain, bucket_at, dimensions, ${columns.join(', ')})
      select organization_id, external_subscription_id, metric_id, grain, starts_at, dimensions,
        ${columns.map((column) => ROLLED_UP[column]).join(', ')}
      from (
        select hourly.*, grain, date_trunc(grain, to_timestamp(hour * 3600), 'UTC') as starts_at
          from hourly cross join (values ('day'), ('month')) as grains (grain) where rolled
      ) as grained
      group by organization_id, external_subscription_id, metric_id, grain, starts_at, dimensions
      order by organization_id, external_subscription_id, metric_id, grain, starts_at, dimensions
      on conflict (organization_id, external_subscription_id, metric_id, grain, bucket_at, dimensions) do update set
        ${columns.map((column) => `${column} = ${BUCKET_UPDATES[column]}`).join(', ')}
    )`);
  }
  if (metered && unique) {
    ctes.push(`uniques as (
      insert into usage_unique_values as kept (organization_id, external_subscription_id, metric_id, bucket_at,
        dimensions, value, last_at, last_sequence, last_operation, added, max_sequence)
      select distinct on (organization_id, external_subscription_id, metric_id, hour, dimensions, unique_value)
        organization_id, external_subscription_id, metric_id, to_timestamp(hour * 3600), dimensions,
        unique_value, to_timestamp(at_ms / 1000), ingest_sequence, role,
        bool_or(role = 'add') over in_hour, max(ingest_sequence) over in_hour
      from metered where role in ('add', 'remove')
      window in_hour as (
        partition by organization_id, external_subscription_id, metric_id, hour, dimensions, unique_value
      )
      order by organization_id, external_subscription_id, metric_id, hour, dimensions, unique_value,
        at_ms desc, ingest_sequence desc
      on conflict (organization_id, external_subscription_id, metric_id, bucket_at, dimensions, value) do update set
        last_at = case when ${LATER_OPERATION} then excluded.last_at else kept.last_at end,
        last_sequence = case when ${LATER_OPERATION} then excluded.last_sequence else kept.last_sequence end,
        last_operation = case when ${LATER_OPERATION} then excluded.last_operation else kept.last_operation end,
        added = kept.added or excluded.added,
        max_sequence = greatest(kept.max_sequence, excluded.max_sequence)
    )`);
  }
  if (metered && unique) ctes.push(...PRESENCE);
  if (inAdvance) {
    ctes.push(
      `in_advance as (
        insert into advance_events (organization_id, external_subscription_id, ingest_sequence, event_id)
        select organization_id, external_subscription_id, ingest_sequence, id from metered
         where metric_id = any($19::uuid[])
         order by organization_id, external_subscription_id, ingest_sequence
        returning organization_id, external_subscription_id, ingest_sequence
      )`,
      `to_bill as (
        insert into advance_usage as waiting (organization_id, external_subscription_id, through_sequence, first_seen_at,
          updated_at)
        select organization_id, external_subscription_id, max(ingest_sequence), now(), now() from in_advance
        group by 1, 2 order by 1, 2
        on conflict (organization_id, external_subscription_id) do update set
          through_sequence = greatest(waiting.through_sequence, excluded.through_sequence),
          updated_at = excluded.updated_at
        /* A row that was there is being billed or was announced: this goes with it. */
        returning organization_id, external_subscription_id, xmax = 0 as is_new
      )`,
    );
  }
  if (unmetered) {
    ctes.push(`unmetered as (
      insert into unmetered_usage (organization_id, external_subscription_id, code)
      select distinct organization_id, external_subscription_id, code
      from inserted join input using (ingest_sequence) ${metered ? 'where input.metric_id is null' : ''}
      order by organization_id, external_subscription_id, code
      on conflict do nothing
    )`);
  }
  const late = metered
    ? 'late.billing_period_id, late.organization_id, late.invoice_id, late.through_sequence'
    : 'null::uuid as billing_period_id, null::uuid as organization_id, null::uuid as invoice_id, null::bigint as through_sequence';
  return `with ${ctes.join(', ')}
    select total.inserted, ${late}${inAdvance ? TO_BILL_IN_ADVANCE : ''}
    from (select count(*) as inserted from inserted) as total ${metered ? 'left join late on true' : ''}`;
}

const TO_BILL_IN_ADVANCE = `, (
      select coalesce(json_agg(json_build_object(
        'organizationId', organization_id, 'externalSubscriptionId', external_subscription_id)), '[]')
      from to_bill where is_new
    ) as to_bill_in_advance`;

const ORDERED_AGGREGATES = `
          coalesce(sum(value * at_ms::bigint) filter (where role = 'weighted'), 0) as moment,
          (array_agg(value order by at_ms desc, ingest_sequence desc) filter (where role = 'latest'))[1] as latest_value,
          to_timestamp(max(at_ms) filter (where role = 'latest') / 1000) as latest_at,
          (array_agg(ingest_sequence order by at_ms desc, ingest_sequence desc) filter (where role = 'latest'))[1]
            as latest_sequence,`;

const PRICED_AGGREGATE = `coalesce(sum(precise) filter (where role = 'sum'), 0) as precise_total_amount_cents,`;

const COLUMNS = ['events_count', 'sum', 'max', 'max_sequence'] as const;
const ORDERED_COLUMNS = ['moment', 'latest_value', 'latest_at', 'latest_sequence'] as const;
const PRICED_COLUMNS = ['precise_total_amount_cents'] as const;
type BucketColumn = (typeof COLUMNS | typeof ORDERED_COLUMNS | typeof PRICED_COLUMNS)[number];

const IS_LATER = `(bucket.latest_at is null
            or (excluded.latest_at, excluded.latest_sequence) > (bucket.latest_at, bucket.latest_sequence))`;
const later = (column: string) => `case when ${IS_LATER} then excluded.${column} else bucket.${column} end`;
const added = (column: string) => `bucket.${column} + excluded.${column}`;

/** How a row takes in what a batch adds to it. */
const BUCKET_UPDATES: Record<BucketColumn, string> = {
  events_count: added('events_count'),
  sum: added('sum'),
  moment: added('moment'),
  precise_total_amount_cents: added('precise_total_amount_cents'),
  max: 'greatest(bucket.max, excluded.max)',
  latest_value: later('latest_value'),
  latest_at: later('latest_at'),
  latest_sequence: later('latest_sequence'),
  max_sequence: 'greatest(bucket.max_sequence, excluded.max_sequence)',
};

const lastOf = (column: string) =>
  `(array_agg(${column} order by latest_at desc, latest_sequence desc) filter (where latest_at is not null))[1]`;

/** How the hours of a day or month become one row. */
const ROLLED_UP: Record<BucketColumn, string> = {
  events_count: 'sum(events_count)',
  sum: 'sum(sum)',
  moment: 'sum(moment)',
  precise_total_amount_cents: 'sum(precise_total_amount_cents)',
  max: 'max(max)',
  latest_value: lastOf('latest_value'),
  latest_at: 'max(latest_at)',
  latest_sequence: lastOf('latest_sequence'),
  max_sequence: 'max(max_sequence)',
};

const VALUE_KEY = 'organization_id, external_subscription_id, metric_id, dimensions, value';

/**
 * Keeps the last operation on every value, and with it in which hour how many values came to be present. `known` sees the
 * values as they were before the statement; the lock of the partition keeps others from changing them meanwhile.
 */
const PRESENCE = [
  `operations as materialized (
    select distinct on (organization_id, external_subscription_id, metric_id, dimensions, unique_value)
      organization_id, external_subscription_id, metric_id, dimensions, unique_value as value,
      to_timestamp(at_ms / 1000)::timestamptz(3) as last_at, ingest_sequence as last_sequence, role as last_operation
    from metered where role in ('add', 'remove')
    order by organization_id, external_subscription_id, metric_id, dimensions, unique_value, at_ms desc, ingest_sequence desc
  )`,
  `known as (
    select operation.*, kept.last_at as kept_at, kept.last_operation as kept_operation
    from operations as operation left join usage_values as kept using (${VALUE_KEY})
    where kept.last_at is null or (operation.last_at, operation.last_sequence) > (kept.last_at, kept.last_sequence)
  )`,
  `present_values as (
    insert into usage_values (${VALUE_KEY}, last_at, last_sequence, last_operation)
    select ${VALUE_KEY}, last_at, last_sequence, last_operation from known order by ${VALUE_KEY}
    on conflict (${VALUE_KEY}) do update set
      last_at = excluded.last_at, last_sequence = excluded.last_sequence, last_operation = excluded.last_operation
  )`,
  `presence as (
    insert into usage_presence as presence
      (organization_id, external_subscription_id, metric_id, since_at, dimensions, present)
    select organization_id, external_subscription_id, metric_id, since_at, dimensions, sum(change)
    from (
      select known.*, 1 as change, unnest(array['-infinity', date_trunc('hour', last_at, 'UTC')]) as since_at
        from known where last_operation = 'add'
      union all
      select known.*, -1, unnest(array['-infinity', date_trunc('hour', kept_at, 'UTC')])
        from known where kept_operation = 'add'
    ) as change
    group by organization_id, external_subscription_id, metric_id, since_at, dimensions having sum(change) <> 0
    order by organization_id, external_subscription_id, metric_id, since_at, dimensions
    on conflict (organization_id, external_subscription_id, metric_id, since_at, dimensions) do update set
      present = presence.present + excluded.present
  )`,
];

const LATER_OPERATION = '(excluded.last_at, excluded.last_sequence) > (kept.last_at, kept.last_sequence)';
