import { Migration } from '@mikro-orm/migrations';

/** Plan changes join two subscriptions of one external id; each may say what its end credits, and may pause. */
export class LivesOfSubscriptions extends Migration {
  override name = '0005-lives-of-subscriptions';

  override up(): void {
    this.addSql(`
      alter table subscriptions
        /* The subscription whose plan this one's replaces. */
        add previous_subscription_id uuid references subscriptions,
        /* When the next plan takes over: known on the old one, whose workflow performs the change. */
        add next_plan_at timestamptz(3),
        /* By a command, in the middle of a period; else at the bound of one. */
        add next_plan_at_once boolean not null default false,
        add on_termination_credit_note text
          check (on_termination_credit_note in ('credit', 'skip', 'refund', 'offset')),
        add check (on_termination_invoice in ('generate', 'skip')),
        /* A pause is stored by its command; the steps at its two ends bill it. */
        add paused_at timestamptz(3),
        add resume_at timestamptz(3),
        /* Since when it has been going on after its last pause: what is billed begins there. */
        add resumed_at timestamptz(3)`);
    this.addSql(`
      create table subscription_pauses (
        id uuid primary key,
        organization_id uuid not null references organizations,
        subscription_id uuid not null references subscriptions,
        external_subscription_id text not null,
        /* Half-open; null: nobody knows when it resumes. */
        from_at timestamptz(3) not null,
        until_at timestamptz(3),
        created_at timestamptz(3) not null
      )`);
    this.addSql(`create index subscription_pauses_time
      on subscription_pauses (organization_id, external_subscription_id, from_at)`);
    this.addSql('create index subscription_pauses_subscription on subscription_pauses (subscription_id)');
    this.addSql('alter table subscription_pauses enable row level security');
    this.addSql(`create policy subscription_pauses_tenant on subscription_pauses to billow_tenant
      using (organization_id = current_setting('billow.organization_id', true)::uuid)
      with check (organization_id = current_setting('billow.organization_id', true)::uuid)`);
    this.addSql('grant select, insert, update, delete on subscription_pauses to billow_tenant');
    this.addSql(`create index subscriptions_previous on subscriptions (previous_subscription_id)
      where previous_subscription_id is not null`);
    // Beside the active one a pending one waits for the next period.
    this.addSql('drop index subscriptions_live');
    this.addSql(
      `create unique index subscriptions_active on subscriptions (organization_id, external_id) where status = 'active'`,
    );
    this.addSql(
      `create unique index subscriptions_pending on subscriptions (organization_id, external_id) where status = 'pending'`,
    );
    this.addSql(`
      alter table billing_periods
        /* The instant that ended it, and its local day, belong to what follows: the plan that took over, a pause. */
        add ended_by_upgrade boolean not null default false`);
    // A subscription may start, pause and resume within one instant.
    this.addSql(`
      alter table billing_periods
        drop constraint billing_periods_subscription_id_billing_at_invoicing_reason_key,
        add unique (subscription_id, billing_at, invoicing_reason, billing_group)`);
    // Fees that wait for the close of a sibling: few, and gone soon.
    this.addSql(`create index billing_periods_waiting on billing_periods (customer_id, currency, billing_at)
      where invoice_id is null`);
  }
}
