import { Migration } from '@mikro-orm/migrations';

/** Subscriptions whose customer has moved to another time zone. */
export class MovedSubscriptions extends Migration {
  override name = '0010-moved-subscriptions';

  override up(): void {
    /* The start, in the new zone, of the period that was running. */
    this.addSql('alter table subscriptions add closed_through_at timestamptz(3)');
  }
}
