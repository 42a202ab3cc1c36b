import { Migration } from '@mikro-orm/migrations';

/** Usage that is billed event by event: what waits to be billed, what was billed so far, and the fees that stand alone. */
export class UsagePaidInAdvance extends Migration {
  override name = '0007-usage-paid-in-advance';

  override up(): void {
    /* Stored events that a charge paid in advance has to bill, in the order in which they came. Gone once they are billed. */
    this.addSql(`
      create table advance_events (
        organization_id uuid not null,
        external_subscription_id text not null,
        ingest_sequence bigint not null,
        event_id uuid not null,
        primary key (organization_id, external_subscription_id, ingest_sequence)
      )`);
    /* One row a subscription as long as it has any of them; its making is what the subscription is told of. */
    this.addSql(`
      create table advance_usage (
        organization_id uuid not null,
        external_subscription_id text not null,
        through_sequence bigint not null,
        first_seen_at timestamptz(3) not null,
        updated_at timestamptz(3) not null,
        notified_at timestamptz(3),
        primary key (organization_id, external_subscription_id)
      )`);
    this.addSql(`create index advance_usage_told on advance_usage (notified_at nulls first)`);
    /* What was billed of a slice (one price, one set of group values) of a charge on one subscription. */
    this.addSql(`
      create table advance_totals (
        id uuid primary key,
        organization_id uuid not null references organizations,
        subscription_id uuid not null references subscriptions,
        charge_id uuid not null references charges,
        charge_filter_id uuid,
        grouped_by jsonb not null default '{}',
        /* Of a recurring metric: what there is, over all periods. */
        level numeric not null,
        /* By the start of the period in epoch milliseconds: {units, peak, eventsCount, freeUnits, freeEvents}. */
        periods jsonb not null,
        updated_at timestamptz(3) not null
      )`);
    this.addSql(`create index advance_totals_subscription on advance_totals (subscription_id, charge_id)`);
    /* Which things are there, as far as billed: those of a recurring metric in period 'epoch'. */
    this.addSql(`
      create table advance_values (
        organization_id uuid not null references organizations,
        total_id uuid not null,
        from_at timestamptz(3) not null,
        value text not null,
        present boolean not null,
        primary key (total_id, from_at, value)
      )`);
    /* Charges and periods whose totals were begun, from the usage before: a slice without a total has none since. */
    this.addSql(`
      create table advance_openings (
        organization_id uuid not null references organizations,
        subscription_id uuid not null references subscriptions,
        charge_id uuid not null references charges,
        from_at timestamptz(3) not null,
        primary key (subscription_id, charge_id, from_at)
      )`);
    for (const table of ['advance_events', 'advance_usage', 'advance_totals', 'advance_values', 'advance_openings']) {
      this.addSql(`alter table ${table} enable row level security`);
      this.addSql(
        `create policy ${table}_tenant on ${table} to billow_tenant ` +
          `using (organization_id = current_setting('billow.organization_id', true)::uuid) ` +
          `with check (organization_id = current_setting('billow.organization_id', true)::uuid)`,
      );
      this.addSql(`grant select, insert, update, delete on ${table} to billow_tenant`);
    }
    this.addSql(`alter table fees add event_id uuid, add refunded_at timestamptz(3), add deleted_at timestamptz(3)`);
    this.addSql(`create unique index fees_event on fees (event_id, charge_id) where event_id is not null`);
    this.addSql(`
      create index fees_event_transaction on fees (organization_id, event_transaction_id)
        where event_transaction_id is not null`);
    /* What waits to be regrouped is found without looking at what stands on invoices. */
    this.addSql(
      `create index fees_standing_alone on fees (subscription_id, succeeded_at) where invoice_id is null and deleted_at is null`,
    );
    /* Several events of one instant have an invoice each. */
    this.addSql(`
      alter table billing_periods drop constraint billing_periods_subscription_id_billing_at_invoicing_reason_key`);
    this.addSql(`
      create unique index billing_periods_step on billing_periods
        (subscription_id, billing_at, invoicing_reason, billing_group)`);
    /* Usage paid in advance is never late: the periods of its invoices are only shown. */
    this.addSql(`drop index billing_periods_usage`);
    this.addSql(`
      create index billing_periods_usage on billing_periods (organization_id, external_subscription_id, charges_to_at)
        where charges_to_at is not null
          and invoicing_reason not in ('in_advance_charge', 'in_advance_charge_periodic')`);
    /*
     * The consumer marks events of a metric that some charge bills in advance; it learns of a new one by the version, which
     * no writer of charges can forget to count up.
     */
    this.addSql(`
      create function count_charge_paid_in_advance() returns trigger language plpgsql as $$
      begin
        update organizations set metering_version = metering_version + 1 where id = new.organization_id;
        return null;
      end $$`);
    this.addSql(`
      create trigger charges_paid_in_advance after insert or update of pay_in_advance on charges
        for each row when (new.pay_in_advance) execute function count_charge_paid_in_advance()`);
  }
}
