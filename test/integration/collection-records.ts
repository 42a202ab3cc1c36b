import { randomUUID } from 'node:crypto';
import type { Database } from '../../src/platform/database/database.js';

export interface IssuedInvoice {
  readonly organizationId: string;
  readonly customerId: string;
  readonly invoiceId: string;
}

export interface IssuedInvoiceOptions {
  readonly provider?: string | null;
  readonly method?: string | null;
  readonly providerCustomerId?: string | null;
  readonly totalCents?: number;
  readonly currency?: string;
  readonly status?: 'draft' | 'finalized' | 'voided';
  readonly stripeSecretKey?: string;
  readonly stripeWebhookSecret?: string;
  readonly testClockAt?: string;
}

const AT = '2024-03-01T00:00:00.000Z';

/** An organization with one customer and one invoice of one fee, written straight into the tables. */
export async function issuedInvoice(database: Database, options: IssuedInvoiceOptions = {}): Promise<IssuedInvoice> {
  const organizationId = randomUUID();
  const customerId = randomUUID();
  const invoiceId = randomUUID();
  const clockId = options.testClockAt === undefined ? null : randomUUID();
  const currency = options.currency ?? 'EUR';
  const total = options.totalCents ?? 12_900;
  await database.system(async (em) => {
    await em.execute(
      `insert into organizations (id, name, document_number_prefix, stripe_secret_key, stripe_webhook_secret, created_at, updated_at)
       values (?, 'Acme', 'ACM', ?, ?, ?, ?)`,
      [organizationId, options.stripeSecretKey ?? null, options.stripeWebhookSecret ?? null, AT, AT],
    );
    if (clockId !== null) {
      await em.execute(
        `insert into test_clocks (id, organization_id, name, frozen_at, target_at, status, created_at, updated_at)
         values (?, ?, 'clock', ?, ?, 'ready', ?, ?)`,
        [clockId, organizationId, options.testClockAt!, options.testClockAt!, AT, AT],
      );
    }
    await em.execute(
      `insert into customers (id, organization_id, external_id, sequential_id, payment_provider, provider_customer_id,
                              provider_payment_method_id, test_clock_id, created_at, updated_at)
       values (?, ?, 'cust', 1, ?, ?, ?, ?, ?, ?)`,
      [
        customerId,
        organizationId,
        options.provider === undefined ? 'sandbox' : options.provider,
        options.providerCustomerId ?? null,
        options.method === undefined ? 'pm_card_visa' : options.method,
        clockId,
        AT,
        AT,
      ],
    );
    await em.execute(
      `insert into invoices (id, organization_id, customer_id, sequential_id, number, invoice_type, status, payment_status,
                             currency, billing_at, billing_group, finalize_at, total_amount_cents, created_at, updated_at)
       values (?, ?, ?, 1, 'ACM-001-001', 'subscription', ?, 'pending', ?, ?, 'periodic', ?, ?, ?, ?)`,
      [invoiceId, organizationId, customerId, options.status ?? 'finalized', currency, AT, AT, total, AT, AT],
    );
    await em.execute(
      `insert into fees (id, organization_id, invoice_id, customer_id, fee_type, position, item, amount_cents, amount_currency,
                         precise_amount, precise_unit_amount, units, cutoff_sequence, price, created_at)
       values (?, ?, ?, ?, 'subscription', 0, '{}', ?, ?, ?, ?, 1, 0, '{}', ?)`,
      [randomUUID(), organizationId, invoiceId, customerId, total, currency, total / 100, total / 100, AT],
    );
  });
  return { organizationId, customerId, invoiceId };
}

export async function useMethod(database: Database, { customerId }: IssuedInvoice, method: string): Promise<void> {
  await database.system((em) =>
    em.execute(`update customers set provider_payment_method_id = ? where id = ?`, [method, customerId]),
  );
}

export interface InvoiceBooks {
  readonly payment_status: string;
  readonly total_paid_amount_cents: number;
  readonly collection_attempts: number;
  readonly fees: readonly { payment_status: string; succeeded: boolean; failed: boolean }[];
  readonly payments: readonly {
    attempt: number;
    status: string;
    decline_code: string | null;
    provider_payment_id: string | null;
  }[];
  /** The sandbox's books: what has been taken from cards. */
  readonly charges: readonly { status: string; amount_cents: number }[];
}

export async function booksOf(database: Database, { organizationId, invoiceId }: IssuedInvoice): Promise<InvoiceBooks> {
  return database.system(async (em) => {
    const [invoice] = await em.execute<InvoiceBooks[]>(
      `select payment_status, total_paid_amount_cents::int, collection_attempts from invoices where id = ?`,
      [invoiceId],
    );
    const fees = await em.execute<InvoiceBooks['fees'][number][]>(
      `select payment_status, succeeded_at is not null as succeeded, failed_at is not null as failed from fees where invoice_id = ?`,
      [invoiceId],
    );
    const payments = await em.execute<InvoiceBooks['payments'][number][]>(
      `select attempt, status, decline_code, provider_payment_id from payments where invoice_id = ? order by attempt`,
      [invoiceId],
    );
    const charges = await em.execute<InvoiceBooks['charges'][number][]>(
      `select status, amount_cents::int from sandbox_charges where organization_id = ? order by created_at, id`,
      [organizationId],
    );
    return { ...invoice!, fees, payments, charges };
  });
}
