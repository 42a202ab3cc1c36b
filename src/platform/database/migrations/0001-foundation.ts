import { Migration } from '@mikro-orm/migrations';

/**
 * The whole schema of the road: catalog → events and aggregates → billing periods and fees → invoices → payments.
 *
 * Every tenant table carries `organization_id` and has row-level security: the api and the activities work as role
 * `billow_tenant` with `billow.organization_id` set, so a forgotten condition finds nothing instead of somebody else's
 * rows (design, invariant 10). The owner of the tables (consumer, migrations, sweeps across organizations) is not bound.
 */
export class Foundation extends Migration {
  override name = '0001-foundation';

  override async up(): Promise<void> {
    this.addSql(`
      do $$ begin
        create role billow_tenant nologin;
      exception when duplicate_object or unique_violation then null;
      end $$`);
    this.addSql(`do $$ begin execute format('grant billow_tenant to %I', current_user); end $$`);
    // A schema that was not made by initdb is closed to everybody but its owner.
    this.addSql(`do $$ begin execute format('grant usage on schema %I to billow_tenant', current_schema()); end $$`);
    for (const statement of statements()) this.addSql(statement);
    for (const table of tenantTables) {
      this.addSql(`alter table ${table} enable row level security`);
      this.addSql(
        `create policy ${table}_tenant on ${table} to billow_tenant ` +
          `using (organization_id = current_setting('billow.organization_id', true)::uuid) ` +
          `with check (organization_id = current_setting('billow.organization_id', true)::uuid)`,
      );
      this.addSql(`grant select, insert, update, delete on ${table} to billow_tenant`);
    }
    this.addSql(`alter table organizations enable row level security`);
    this.addSql(
      `create policy organizations_tenant on organizations to billow_tenant ` +
        `using (id = current_setting('billow.organization_id', true)::uuid)`,
    );
    this.addSql(`grant select, update on organizations to billow_tenant`);
    this.addSql(`grant select on partition_watermarks to billow_tenant`);
  }
}

const tenantTables = [
  'api_keys',
  'taxes',
  'billable_metrics',
  'plans',
  'charges',
  'charge_filters',
  'customers',
  'subscriptions',
  'test_clocks',
  'events',
  'usage_buckets',
  'usage_unique_values',
  'unmetered_usage',
  'due_moments',
  'billing_periods',
  'late_usage',
  'invoices',
  'fees',
  'payments',
  'gateway_webhooks',
  'sandbox_charges',
];

function statements(): string[] {
  return [
    `create table organizations (
      id uuid primary key,
      name text not null,
      timezone text not null default 'UTC',
      default_currency text not null default 'USD',
      net_payment_term int not null default 0,
      invoice_grace_period int not null default 0,
      document_number_prefix text not null,
      country text,
      email text,
      legal_name text,
      /* Descriptive fields without a rule of their own: address, legal number, footer. */
      profile jsonb not null default '{}',
      /* Counts changes of what the consumer meters by (metrics, their filters and grouping keys); see metering. */
      metering_version bigint not null default 0,
      has_test_clocks boolean not null default false,
      stripe_secret_key text,
      stripe_webhook_secret text,
      created_at timestamptz(3) not null,
      updated_at timestamptz(3) not null
    )`,
    `create table api_keys (
      id uuid primary key,
      organization_id uuid not null references organizations,
      key_hash bytea not null unique,
      last_four text not null,
      created_at timestamptz(3) not null,
      revoked_at timestamptz(3)
    )`,
    `create table taxes (
      id uuid primary key,
      organization_id uuid not null references organizations,
      code text not null,
      name text not null,
      description text,
      rate numeric not null,
      applied_to_organization boolean not null default false,
      created_at timestamptz(3) not null,
      updated_at timestamptz(3) not null,
      unique (organization_id, code)
    )`,
    `create table billable_metrics (
      id uuid primary key,
      organization_id uuid not null references organizations,
      code text not null,
      name text not null,
      description text,
      aggregation_type text not null,
      field_name text,
      recurring boolean not null default false,
      expression text,
      weighted_interval text,
      rounding_function text,
      rounding_precision int,
      filters jsonb not null default '[]',
      created_at timestamptz(3) not null,
      updated_at timestamptz(3) not null,
      deleted_at timestamptz(3)
    )`,
    `create unique index billable_metrics_code on billable_metrics (organization_id, code) where deleted_at is null`,
    `create table plans (
      id uuid primary key,
      organization_id uuid not null references organizations,
      code text not null,
      name text not null,
      invoice_display_name text,
      description text,
      "interval" text not null,
      amount_cents bigint not null,
      amount_currency text not null,
      trial_period numeric,
      pay_in_advance boolean not null default false,
      bill_charges_monthly boolean,
      tax_codes text[] not null default '{}',
      metadata jsonb,
      created_at timestamptz(3) not null,
      updated_at timestamptz(3) not null,
      deleted_at timestamptz(3)
    )`,
    `create unique index plans_code on plans (organization_id, code) where deleted_at is null`,
    `create table charges (
      id uuid primary key,
      organization_id uuid not null references organizations,
      plan_id uuid not null references plans,
      billable_metric_id uuid not null references billable_metrics,
      code text not null,
      position int not null,
      invoice_display_name text,
      charge_model text not null,
      properties jsonb not null default '{}',
      pay_in_advance boolean not null default false,
      invoiceable boolean not null default true,
      prorated boolean not null default false,
      min_amount_cents bigint not null default 0,
      regroup_paid_fees text,
      tax_codes text[] not null default '{}',
      created_at timestamptz(3) not null,
      updated_at timestamptz(3) not null,
      deleted_at timestamptz(3)
    )`,
    `create index charges_plan on charges (plan_id, position)`,
    `create index charges_metric on charges (billable_metric_id)`,
    `create table charge_filters (
      id uuid primary key,
      organization_id uuid not null references organizations,
      charge_id uuid not null references charges,
      position int not null,
      invoice_display_name text,
      properties jsonb not null default '{}',
      "values" jsonb not null,
      created_at timestamptz(3) not null
    )`,
    `create index charge_filters_charge on charge_filters (charge_id, position)`,
    `create table test_clocks (
      id uuid primary key,
      organization_id uuid not null references organizations,
      name text not null,
      frozen_at timestamptz(3) not null,
      target_at timestamptz(3) not null,
      status text not null check (status in ('ready', 'advancing', 'failed')),
      failure text,
      created_at timestamptz(3) not null,
      updated_at timestamptz(3) not null
    )`,
    `create table customers (
      id uuid primary key,
      organization_id uuid not null references organizations,
      external_id text not null,
      sequential_id int not null,
      name text,
      currency text,
      timezone text,
      net_payment_term int,
      invoice_grace_period int,
      tax_codes text[] not null default '{}',
      test_clock_id uuid references test_clocks,
      payment_provider text,
      payment_provider_code text,
      provider_customer_id text,
      provider_payment_method_id text,
      /* Descriptive fields without a rule of their own: addresses, names, contact, locale, metadata. */
      profile jsonb not null default '{}',
      invoice_sequence int not null default 0,
      created_at timestamptz(3) not null,
      updated_at timestamptz(3) not null,
      deleted_at timestamptz(3)
    )`,
    `create unique index customers_external_id on customers (organization_id, external_id) where deleted_at is null`,
    `create unique index customers_sequential_id on customers (organization_id, sequential_id)`,
    `create table subscriptions (
      id uuid primary key,
      organization_id uuid not null references organizations,
      customer_id uuid not null references customers,
      external_id text not null,
      /* Which subscription of this external id it is, from 1: the <n> of the workflow's id. */
      ordinal int not null,
      plan_id uuid not null references plans,
      name text,
      status text not null check (status in ('pending', 'active', 'terminated', 'canceled')),
      billing_time text not null check (billing_time in ('calendar', 'anniversary')),
      subscription_at timestamptz(3) not null,
      started_at timestamptz(3),
      ending_at timestamptz(3),
      trial_ends_at timestamptz(3),
      trial_ended_at timestamptz(3),
      terminated_at timestamptz(3),
      canceled_at timestamptz(3),
      on_termination_invoice text not null default 'generate',
      /* The last due moment that was performed; with the facts above it determines the next one. */
      done_kind text,
      done_at timestamptz(3),
      created_at timestamptz(3) not null,
      updated_at timestamptz(3) not null,
      unique (organization_id, external_id, ordinal)
    )`,
    `create unique index subscriptions_live on subscriptions (organization_id, external_id)
       where status in ('pending', 'active')`,
    `create index subscriptions_customer on subscriptions (customer_id)`,
    /* Metering. `id` is derived from (organization, transaction_id, external_subscription_id), see metering/event-identity:
       it deduplicates and finds an event by its transaction id with one index. */
    `create table events (
      id uuid primary key,
      organization_id uuid not null,
      external_subscription_id text not null,
      transaction_id text not null,
      code text not null,
      "timestamp" timestamptz(3) not null,
      properties jsonb not null,
      precise_total_amount_cents numeric,
      received_at timestamptz(3) not null,
      partition smallint not null,
      ingest_sequence bigint not null
    )`,
    `create index events_subscription on events (organization_id, external_subscription_id, "timestamp")`,
    `create table usage_buckets (
      organization_id uuid not null,
      external_subscription_id text not null,
      metric_id uuid not null,
      bucket_at timestamptz(3) not null,
      dimensions text not null,
      events_count bigint not null,
      sum numeric not null,
      /* Σ value × epoch milliseconds, for weighted sums. */
      moment numeric not null default 0,
      max numeric,
      latest_value numeric,
      latest_at timestamptz(3),
      latest_sequence bigint,
      max_sequence bigint not null,
      primary key (organization_id, external_subscription_id, metric_id, bucket_at, dimensions)
    )`,
    `create table usage_unique_values (
      organization_id uuid not null,
      external_subscription_id text not null,
      metric_id uuid not null,
      bucket_at timestamptz(3) not null,
      dimensions text not null,
      value text not null,
      last_at timestamptz(3) not null,
      last_sequence bigint not null,
      last_operation text not null check (last_operation in ('add', 'remove')),
      max_sequence bigint not null,
      primary key (organization_id, external_subscription_id, metric_id, bucket_at, dimensions, value)
    )`,
    /* Codes of stored events that no metric counts, so that a metric made later knows which events to look at again. */
    `create table unmetered_usage (
      organization_id uuid not null,
      external_subscription_id text not null,
      code text not null,
      primary key (organization_id, external_subscription_id, code)
    )`,
    /* What came out of the log and could not be stored; kept for a person to look at, so that it holds up nothing. */
    `create table rejected_messages (
      partition smallint not null,
      stream_sequence bigint not null,
      /* Null: the whole message. */
      event_index int,
      reason text not null,
      payload bytea not null,
      rejected_at timestamptz(3) not null
    )`,
    `create index rejected_messages_place on rejected_messages (partition, stream_sequence)`,
    `create table partition_watermarks (
      partition smallint primary key,
      stream_sequence bigint not null,
      updated_at timestamptz(3) not null
    )`,
    /* One row per living workflow: the next moment at which it has something to do. The workflows hold the timers; this is
       the record from which a lost workflow is started again and by which a test clock finds its next step. */
    `create table due_moments (
      owner_kind text not null check (owner_kind in ('subscription', 'invoice')),
      owner_id uuid not null,
      organization_id uuid not null references organizations,
      customer_id uuid not null references customers,
      workflow_id text not null,
      kind text not null,
      due_at timestamptz(3) not null,
      currency text,
      test_clock_id uuid references test_clocks,
      /* Null until the workflow is known to have heard of this moment. */
      notified_at timestamptz(3),
      updated_at timestamptz(3) not null,
      primary key (owner_kind, owner_id)
    )`,
    `create index due_moments_due on due_moments (test_clock_id, due_at)`,
    `create index due_moments_customer on due_moments (customer_id, due_at)`,
    `create index due_moments_unnotified on due_moments (updated_at) where notified_at is null`,
    `create table invoices (
      id uuid primary key,
      organization_id uuid not null references organizations,
      customer_id uuid not null references customers,
      sequential_id int,
      number text not null,
      invoice_type text not null,
      status text not null check (status in ('draft', 'finalized', 'voided', 'closed')),
      payment_status text not null check (payment_status in ('pending', 'succeeded', 'failed')),
      currency text not null,
      billing_at timestamptz(3) not null,
      /* What shares a document: 'periodic' for all period ends of an instant, else one step of one subscription. */
      billing_group text not null,
      /* A group that waited in vain for a sibling makes a second invoice of the same instant. */
      billing_group_ordinal int not null default 0,
      issuing_date date,
      payment_due_date date,
      net_payment_term int not null default 0,
      finalize_at timestamptz(3) not null,
      finalized_at timestamptz(3),
      voided_at timestamptz(3),
      version_number int not null default 1,
      fees_amount_cents bigint not null default 0,
      taxes_amount_cents bigint not null default 0,
      sub_total_excluding_taxes_amount_cents bigint not null default 0,
      sub_total_including_taxes_amount_cents bigint not null default 0,
      total_amount_cents bigint not null default 0,
      total_paid_amount_cents bigint not null default 0,
      taxes_rate numeric not null default 0,
      applied_taxes jsonb not null default '[]',
      collection_attempts int not null default 0,
      created_at timestamptz(3) not null,
      updated_at timestamptz(3) not null
    )`,
    `create unique index invoices_group on invoices (customer_id, currency, billing_at, billing_group, billing_group_ordinal)`,
    `create unique index invoices_sequence on invoices (customer_id, sequential_id) where sequential_id is not null`,
    `create index invoices_list on invoices (organization_id, issuing_date desc, created_at desc)`,
    `create table billing_periods (
      id uuid primary key,
      organization_id uuid not null references organizations,
      subscription_id uuid not null references subscriptions,
      customer_id uuid not null references customers,
      external_subscription_id text not null,
      plan_id uuid not null references plans,
      currency text not null,
      timezone text not null,
      billing_at timestamptz(3) not null,
      billing_group text not null,
      invoicing_reason text not null,
      /* Half-open. Null: no subscription fee, no charges in this step. */
      from_at timestamptz(3),
      to_at timestamptz(3),
      charges_from_at timestamptz(3),
      charges_to_at timestamptz(3),
      /* Days by which the price of a full period is divided. */
      period_days int not null,
      trial_ends_at timestamptz(3),
      partition smallint not null,
      cutoff_sequence bigint not null,
      invoice_id uuid references invoices,
      created_at timestamptz(3) not null,
      unique (subscription_id, billing_at, invoicing_reason)
    )`,
    `create index billing_periods_invoice on billing_periods (invoice_id)`,
    `create index billing_periods_group on billing_periods (customer_id, currency, billing_at, billing_group)`,
    /* By the end: an event of today lies before the end of no stored period, so looking for late usage finds nothing at once. */
    `create index billing_periods_usage on billing_periods (organization_id, external_subscription_id, charges_to_at)
       where charges_to_at is not null`,
    /* Usage that was stored after its period had been billed: one row a period until the invoice has taken it in. */
    `create table late_usage (
      billing_period_id uuid primary key references billing_periods,
      organization_id uuid not null references organizations,
      invoice_id uuid references invoices,
      events_count bigint not null,
      through_sequence bigint not null,
      first_seen_at timestamptz(3) not null,
      updated_at timestamptz(3) not null,
      notified_at timestamptz(3)
    )`,
    `create index late_usage_organization on late_usage (organization_id)`,
    `create table fees (
      id uuid primary key,
      organization_id uuid not null references organizations,
      invoice_id uuid references invoices,
      billing_period_id uuid references billing_periods,
      subscription_id uuid references subscriptions,
      customer_id uuid not null references customers,
      charge_id uuid references charges,
      charge_filter_id uuid,
      fee_type text not null,
      position int not null,
      item jsonb not null,
      amount_cents bigint not null,
      amount_currency text not null,
      precise_amount numeric not null,
      precise_unit_amount numeric not null,
      units numeric not null,
      total_aggregated_units numeric,
      events_count bigint,
      taxes_amount_cents bigint not null default 0,
      taxes_precise_amount numeric not null default 0,
      taxes_rate numeric not null default 0,
      applied_taxes jsonb not null default '[]',
      amount_details jsonb not null default '{}',
      pay_in_advance boolean not null default false,
      invoiceable boolean not null default true,
      payment_status text not null default 'pending',
      from_at timestamptz(3),
      to_at timestamptz(3),
      /* What rating is a pure function of, beside the range above (design, invariant 5). */
      cutoff_sequence bigint not null,
      price jsonb not null,
      description text,
      created_at timestamptz(3) not null,
      succeeded_at timestamptz(3),
      failed_at timestamptz(3)
    )`,
    `create index fees_invoice on fees (invoice_id, position)`,
    `create index fees_period on fees (billing_period_id)`,
    `create index fees_subscription on fees (subscription_id)`,
    `create index fees_list on fees (organization_id, created_at)`,
    `create table payments (
      id uuid primary key,
      organization_id uuid not null references organizations,
      invoice_id uuid not null references invoices,
      customer_id uuid not null references customers,
      attempt int not null,
      idempotency_key text not null unique,
      provider text not null,
      provider_customer_id text,
      provider_payment_method_id text,
      provider_payment_id text,
      amount_cents bigint not null,
      amount_currency text not null,
      status text not null
        check (status in ('pending', 'processing', 'requires_action', 'unknown', 'succeeded', 'failed')),
      decline_code text,
      /* What the networks said, raw: the class of a decline is derived from a versioned table. */
      network_decline_code text,
      network_advice_code text,
      advice_code text,
      failure_message text,
      next_action jsonb,
      /* On the wall clock, also for customers on a test clock: bounds the search at the gateway. */
      requested_at timestamptz(3) not null,
      created_at timestamptz(3) not null,
      updated_at timestamptz(3) not null,
      unique (invoice_id, attempt)
    )`,
    `create index payments_provider on payments (provider_payment_id)`,
    `create table gateway_webhooks (
      provider text not null,
      event_id text not null,
      organization_id uuid not null references organizations,
      event_type text not null,
      payload jsonb not null,
      attempts int not null default 0,
      last_error text,
      received_at timestamptz(3) not null,
      processed_at timestamptz(3),
      primary key (organization_id, provider, event_id)
    )`,
    `create index gateway_webhooks_pending on gateway_webhooks (attempts, received_at) where processed_at is null`,
    /* The books of the sandbox gateway: what a card network would hold. */
    `create table sandbox_charges (
      id text primary key,
      organization_id uuid not null references organizations,
      idempotency_key text not null,
      payment_method_id text not null,
      amount_cents bigint not null,
      currency text not null,
      status text not null,
      decline_code text,
      created_at timestamptz(3) not null,
      unique (organization_id, idempotency_key)
    )`,
  ];
}
