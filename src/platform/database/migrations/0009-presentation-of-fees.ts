import { Migration } from '@mikro-orm/migrations';

/** How the units of a fee divide by the presentation keys of its price, as they did when it was made. */
export class PresentationOfFees extends Migration {
  override name = '0009-presentation-of-fees';

  override up(): void {
    this.addSql(`alter table fees add presentation_breakdowns jsonb not null default '[]'`);
  }
}
