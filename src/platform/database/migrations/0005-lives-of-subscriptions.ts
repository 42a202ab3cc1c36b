import { Migration } from '@mikro-orm/migrations';

/** Plan changes join two subscriptions of one external id; each may say what its end credits. */
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
        add check (on_termination_invoice in ('generate', 'skip'))`);
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
        /* The instant that ended it, and its local day, belong to the plan that took over. */
        add ended_by_upgrade boolean not null default false`);
    // Fees that wait for the close of a sibling: few, and gone soon.
    this.addSql(`create index billing_periods_waiting on billing_periods (customer_id, currency, billing_at)
      where invoice_id is null`);
  }
}
