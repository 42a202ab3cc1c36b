import { Migration } from '@mikro-orm/migrations';

/** Add-ons, the fixed charges that are priced by them, minimum commitments, the dated units of each subscription and its own terms. */
export class TermsOfPlans extends Migration {
  override name = '0004-terms-of-plans';

  override up(): void {
    this.addSql(`alter table plans add bill_fixed_charges_monthly boolean`);
    this.addSql(`
      create table add_ons (
        id uuid primary key,
        organization_id uuid not null references organizations,
        code text not null,
        name text not null,
        invoice_display_name text,
        description text,
        amount_cents bigint not null,
        amount_currency text not null,
        tax_codes text[] not null default '{}',
        created_at timestamptz(3) not null,
        updated_at timestamptz(3) not null,
        deleted_at timestamptz(3)
      )`);
    this.addSql(`create unique index add_ons_code on add_ons (organization_id, code) where deleted_at is null`);
    this.addSql(`
      create table fixed_charges (
        id uuid primary key,
        organization_id uuid not null references organizations,
        plan_id uuid not null references plans,
        add_on_id uuid not null references add_ons,
        code text not null,
        position int not null,
        invoice_display_name text,
        units numeric not null,
        charge_model text not null,
        properties jsonb not null default '{}',
        pay_in_advance boolean not null default false,
        prorated boolean not null default false,
        tax_codes text[] not null default '{}',
        created_at timestamptz(3) not null,
        updated_at timestamptz(3) not null,
        deleted_at timestamptz(3)
      )`);
    this.addSql(`create index fixed_charges_plan on fixed_charges (plan_id, position)`);
    this.addSql(`create index fixed_charges_add_on on fixed_charges (add_on_id)`);
    this.addSql(`
      create table minimum_commitments (
        id uuid primary key,
        organization_id uuid not null references organizations,
        plan_id uuid not null unique references plans,
        amount_cents bigint not null,
        invoice_display_name text,
        tax_codes text[] not null default '{}',
        created_at timestamptz(3) not null,
        updated_at timestamptz(3) not null
      )`);
    this.addSql(`
      create table fixed_charge_unit_changes (
        id uuid primary key,
        organization_id uuid not null references organizations,
        fixed_charge_id uuid not null references fixed_charges,
        subscription_id uuid not null references subscriptions,
        units numeric not null,
        /* In force from this instant on, until the next change of the same fixed charge and subscription. */
        effective_at timestamptz(3) not null,
        created_at timestamptz(3) not null
      )`);
    this.addSql(`
      create index fixed_charge_unit_changes_subscription
        on fixed_charge_unit_changes (subscription_id, fixed_charge_id, effective_at)`);
    this.addSql(`
      create table subscription_terms (
        subscription_id uuid primary key references subscriptions,
        organization_id uuid not null references organizations,
        /* What differs from the plan and nothing else, see catalog/plan-difference. */
        difference jsonb not null,
        created_at timestamptz(3) not null,
        updated_at timestamptz(3) not null
      )`);
    for (const table of [
      'add_ons',
      'fixed_charges',
      'minimum_commitments',
      'fixed_charge_unit_changes',
      'subscription_terms',
    ]) {
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
