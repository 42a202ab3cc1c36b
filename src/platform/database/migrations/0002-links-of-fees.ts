import { Migration } from '@mikro-orm/migrations';

/** What a fee of any kind points to (fixed charge, true-up, group, event), and the range in which fixed charges are billed. */
export class LinksOfFees extends Migration {
  override name = '0002-links-of-fees';

  override up(): void {
    this.addSql(`
      alter table fees
        add fixed_charge_id uuid,
        add true_up_parent_fee_id uuid references fees,
        /* Values of the charge's pricing group keys; a missing property is null. */
        add grouped_by jsonb not null default '{}',
        add event_transaction_id text`);
    this.addSql(`
      alter table billing_periods
        /* Half-open. Null: no fixed charges in this step. */
        add fixed_charges_from_at timestamptz(3),
        add fixed_charges_to_at timestamptz(3)`);
    // A foreign key without an index makes every deletion and merge a scan.
    this.addSql(
      `create index fees_true_up_parent on fees (true_up_parent_fee_id) where true_up_parent_fee_id is not null`,
    );
  }
}
