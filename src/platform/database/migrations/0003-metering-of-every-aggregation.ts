import { Migration } from '@mikro-orm/migrations';

/** What metering keeps beside hourly totals, so that every aggregation is read from aggregates. */
export class MeteringOfEveryAggregation extends Migration {
  override name = '0003-metering-of-every-aggregation';

  override up(): void {
    /* Properties by which charges group their prices; metering tells usage apart by them. */
    this.addSql(`alter table billable_metrics add group_keys text[] not null default '{}'`);
    /* What the events of a sum say they cost, for dynamic charges. */
    this.addSql(`alter table usage_buckets add precise_total_amount_cents numeric not null default 0`);
  }
}
