import { Migration } from '@mikro-orm/migrations';

/** What metering keeps beside hourly totals, so that every aggregation is read from aggregates. */
export class MeteringOfEveryAggregation extends Migration {
  override name = '0003-metering-of-every-aggregation';

  override up(): void {
    /* Properties by which charges group their prices; metering tells usage apart by them. */
    this.addSql(`alter table billable_metrics add group_keys text[] not null default '{}'`);
    /* What the events of a sum say they cost, for dynamic charges. */
    this.addSql(`alter table usage_buckets add precise_total_amount_cents numeric not null default 0`);
    /* Hours added up to days and months of UTC, of metrics that have groups or a history: else a month of many groups or
       the years of one would be as many rows as they have hours. */
    this.addSql(`create table usage_rollups (
      organization_id uuid not null,
      external_subscription_id text not null,
      metric_id uuid not null,
      grain text not null check (grain in ('day', 'month')),
      bucket_at timestamptz(3) not null,
      dimensions text not null,
      events_count bigint not null,
      sum numeric not null,
      moment numeric not null default 0,
      precise_total_amount_cents numeric not null default 0,
      max numeric,
      latest_value numeric,
      latest_at timestamptz(3),
      latest_sequence bigint,
      max_sequence bigint not null,
      primary key (organization_id, external_subscription_id, metric_id, grain, bucket_at, dimensions)
    )`);
    /* The last operation on every value of a unique count, over all time. */
    this.addSql(`create table usage_values (
      organization_id uuid not null,
      external_subscription_id text not null,
      metric_id uuid not null,
      dimensions text not null,
      value text not null,
      last_at timestamptz(3) not null,
      last_sequence bigint not null,
      last_operation text not null check (last_operation in ('add', 'remove')),
      primary key (organization_id, external_subscription_id, metric_id, dimensions, value)
    )`);
    /* How many values are present since an hour: their last operation over all time was then, and is an addition. The row
       of -infinity has them all. */
    this.addSql(`create table usage_presence (
      organization_id uuid not null,
      external_subscription_id text not null,
      metric_id uuid not null,
      since_at timestamptz(3) not null,
      dimensions text not null,
      present bigint not null,
      primary key (organization_id, external_subscription_id, metric_id, since_at, dimensions)
    )`);
    for (const table of ['usage_rollups', 'usage_values', 'usage_presence']) {
      this.addSql(`alter table ${table} enable row level security`);
      this.addSql(
        `create policy ${table}_tenant on ${table} to billow_tenant ` +
          `using (organization_id = current_setting('billow.organization_id', true)::uuid) ` +
          `with check (organization_id = current_setting('billow.organization_id', true)::uuid)`,
      );
      this.addSql(`grant select, insert, update, delete on ${table} to billow_tenant`);
    }
  }
}
