import { Migration } from '@mikro-orm/migrations';

/** What counts the days of unique values from their hours. */
export class DaysOfUniqueValues extends Migration {
  override name = '0012-days-of-unique-values';

  override up(): void {
    /* Whether the value was added in the hour at all: one that came and went in it was there on its day. */
    this.addSql('alter table usage_unique_values add added boolean');
    this.addSql(`update usage_unique_values set added = last_operation = 'add'`);
    this.addSql('alter table usage_unique_values alter added set not null');
  }
}
