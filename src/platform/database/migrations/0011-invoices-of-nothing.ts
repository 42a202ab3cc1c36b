import { Migration } from '@mikro-orm/migrations';

/** Whether invoices without any amount are issued. */
export class InvoicesOfNothing extends Migration {
  override name = '0011-invoices-of-nothing';

  override up(): void {
    this.addSql('alter table organizations add finalize_zero_amount_invoice boolean not null default true');
  }
}
