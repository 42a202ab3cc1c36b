import { Migration } from '@mikro-orm/migrations';

/** Credit notes with their items, and what of them was used on which invoice. */
export class CreditNotes extends Migration {
  override name = '0008-credit-notes';

  override up(): void {
    this.addSql(`
      create table credit_notes (
        id uuid primary key,
        organization_id uuid not null references organizations,
        customer_id uuid not null references customers,
        invoice_id uuid not null references invoices,
        /* Counts from 1 on each invoice; null while the invoice is a draft and the note waits with it. */
        sequential_id int,
        number text not null,
        status text not null check (status in ('draft', 'finalized')),
        issuing_date date not null,
        credit_status text check (credit_status in ('available', 'consumed', 'voided')),
        refund_status text check (refund_status in ('pending', 'succeeded', 'failed')),
        reason text not null,
        description text,
        currency text not null,
        items_amount_cents bigint not null,
        coupons_adjustment_amount_cents bigint not null,
        precise_coupons_adjustment_amount_cents numeric not null,
        sub_total_excluding_taxes_amount_cents bigint not null,
        taxes_amount_cents bigint not null,
        precise_taxes_amount_cents numeric not null,
        taxes_rate numeric not null,
        applied_taxes jsonb not null default '[]',
        total_amount_cents bigint not null,
        precise_total_amount_cents numeric not null,
        credit_amount_cents bigint not null,
        refund_amount_cents bigint not null,
        offset_amount_cents bigint not null,
        /* What is left of the credit. */
        balance_amount_cents bigint not null check (balance_amount_cents >= 0),
        metadata jsonb,
        /* The subscription whose unused time is credited, and how its end asked for it; null for a note made by hand. */
        subscription_id uuid references subscriptions,
        unused_time jsonb,
        voided_at timestamptz(3),
        refunded_at timestamptz(3),
        created_at timestamptz(3) not null,
        updated_at timestamptz(3) not null,
        check (credit_amount_cents + refund_amount_cents + offset_amount_cents = total_amount_cents)
      )`);
    this.addSql(
      `create unique index credit_notes_sequence on credit_notes (invoice_id, sequential_id) where sequential_id is not null`,
    );
    // A subscription ends once: asked again, its unused time is not credited again.
    this.addSql(
      `create unique index credit_notes_unused_time on credit_notes (subscription_id, invoice_id) where subscription_id is not null`,
    );
    this.addSql(`create index credit_notes_invoice on credit_notes (invoice_id)`);
    this.addSql(`create index credit_notes_list on credit_notes (organization_id, issuing_date desc, created_at desc)`);
    this.addSql(
      `create index credit_notes_available on credit_notes (customer_id, created_at) where credit_status = 'available'`,
    );
    this.addSql(`
      create table credit_note_items (
        id uuid primary key,
        organization_id uuid not null references organizations,
        credit_note_id uuid not null references credit_notes on delete cascade,
        fee_id uuid not null references fees,
        position int not null,
        amount_cents bigint not null,
        precise_amount_cents numeric not null,
        amount_currency text not null,
        created_at timestamptz(3) not null
      )`);
    this.addSql(`create index credit_note_items_note on credit_note_items (credit_note_id)`);
    this.addSql(`create index credit_note_items_fee on credit_note_items (fee_id)`);
    this.addSql(`
      create table invoice_credits (
        id uuid primary key,
        organization_id uuid not null references organizations,
        invoice_id uuid not null references invoices,
        credit_note_id uuid not null references credit_notes,
        amount_cents bigint not null check (amount_cents > 0),
        amount_currency text not null,
        created_at timestamptz(3) not null,
        unique (invoice_id, credit_note_id)
      )`);
    this.addSql(`create index invoice_credits_note on invoice_credits (credit_note_id)`);
    this.addSql(`
      alter table invoices
        add credit_notes_amount_cents bigint not null default 0,
        add total_offsetted_credit_note_amount_cents bigint not null default 0`);
    for (const table of ['credit_notes', 'credit_note_items', 'invoice_credits']) {
      this.addSql(`alter table ${table} enable row level security`);
      this.addSql(
        `create policy ${table}_tenant on ${table} to billow_tenant ` +
          `using (organization_id = current_setting('billow.organization_id', true)::uuid) ` +
          `with check (organization_id = current_setting('billow.organization_id', true)::uuid)`,
      );
      this.addSql(`grant select, insert, update, delete on ${table} to billow_tenant`);
    }
  }
}
