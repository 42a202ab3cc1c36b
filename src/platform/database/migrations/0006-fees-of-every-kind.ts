import { Migration } from '@mikro-orm/migrations';

/** Every span that a billing step bills, and units of fixed charges that were changed at once and are still to be billed. */
export class FeesOfEveryKind extends Migration {
  override name = '0006-fees-of-every-kind';

  override up(): void {
    this.addSql(`
      alter table billing_periods
        /* Per kind of fee the half-open time it is for, with the days of the full period: fees are computed from this alone. */
        add spans jsonb,
        /* The boundaries that documents show. */
        add shown jsonb`);
    this.addSql(`
      alter table subscriptions
        /* Instants, the oldest first. Each becomes a due moment of the subscription. */
        add unit_changes_due jsonb`);
    // A commitment adds up the fees of a plan's period.
    this.addSql(`create index fees_subscription_time on fees (subscription_id, from_at)`);
  }
}
