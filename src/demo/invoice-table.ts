import Table from 'cli-table3';
import type { Fee, Invoice } from './demo-client.js';

/** Every invoice with its lines, customer by customer, in the order of time. */
export function invoiceTable(invoices: readonly Invoice[]): string {
  const table = new Table({
    head: ['Invoice', 'Line', 'Units', 'Amount', 'State'],
    colAligns: ['left', 'left', 'right', 'right', 'left'],
    style: tableStyle(),
  });
  const byCustomer = [...invoices].sort(
    (a, b) =>
      a.customer.external_id.localeCompare(b.customer.external_id) ||
      (a.issuing_date ?? '').localeCompare(b.issuing_date ?? '') ||
      a.number.localeCompare(b.number),
  );
  for (const invoice of byCustomer) {
    const severalSubscriptions = new Set(invoice.fees.map((fee) => fee.external_subscription_id)).size > 1;
    const money = (cents: number) => amount(cents, invoice.currency);
    table.push([
      { content: `${invoice.number || '(draft)'}  ${invoice.customer.name}`, colSpan: 2 },
      { content: period(invoice), colSpan: 2, hAlign: 'right' },
      state(invoice),
    ]);
    for (const fee of invoice.fees) {
      table.push(['', lineName(fee, severalSubscriptions), units(fee.units), money(fee.amount_cents), '']);
    }
    table.push(['', 'Tax', '', money(invoice.taxes_amount_cents), '']);
    table.push(['', 'Total', '', money(invoice.total_amount_cents), '']);
  }
  return table.toString();
}

/** What was billed and what was paid, per currency. */
export function totalsTable(invoices: readonly Invoice[]): string {
  const table = new Table({
    head: ['Currency', 'Invoices', 'Net', 'Tax', 'Total', 'Paid', 'Open'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: tableStyle(),
  });
  for (const currency of [...new Set(invoices.map((invoice) => invoice.currency))].sort()) {
    const own = invoices.filter((invoice) => invoice.currency === currency);
    const sum = (of: (invoice: Invoice) => number) => own.reduce((total, invoice) => total + of(invoice), 0);
    const total = sum((invoice) => invoice.total_amount_cents);
    const paid = sum((invoice) => invoice.total_paid_amount_cents);
    table.push([
      currency,
      own.length,
      amount(
        sum((invoice) => invoice.fees_amount_cents),
        currency,
      ),
      amount(
        sum((invoice) => invoice.taxes_amount_cents),
        currency,
      ),
      amount(total, currency),
      amount(paid, currency),
      amount(total - paid, currency),
    ]);
  }
  return table.toString();
}

/** A file or a pipe gets no colours. */
function tableStyle() {
  return process.stdout.isTTY
    ? { head: ['bold'], border: ['grey'], compact: true }
    : { head: [], border: [], compact: true };
}

/** Minor units as a person reads them: 120005 USD → $1,200.05, 14800 JPY → ¥14,800. */
export function amount(minor: number, currency: string): string {
  const format = new Intl.NumberFormat('en-US', { style: 'currency', currency });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  const text = String(Math.abs(minor)).padStart(digits + 1, '0');
  const decimal = digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`;
  return format.format(`${minor < 0 ? '-' : ''}${decimal}` as Intl.StringNumericLiteral);
}

function lineName(fee: Fee, severalSubscriptions: boolean): string {
  const name = fee.item.invoice_display_name || fee.item.name || fee.item.code;
  const filter = fee.item.filter_invoice_display_name ? `, ${fee.item.filter_invoice_display_name}` : '';
  const what = fee.item.type === 'subscription' ? `${name} plan` : `${name}${filter}`;
  return severalSubscriptions ? `${what} (${fee.external_subscription_id})` : what;
}

function units(text: string): string {
  return Number(text).toLocaleString('en-US', { maximumFractionDigits: 3 });
}

/** The days that were billed, as the customer's calendar names them. */
function period({ billing_periods: [billed], issuing_date: issuedOn, customer }: Invoice): string {
  const from = billed?.charges_from_datetime;
  const to = billed?.charges_to_datetime;
  if (!from || !to) return issuedOn ?? '';
  const day = new Intl.DateTimeFormat('en-CA', { timeZone: customer.applicable_timezone, dateStyle: 'short' });
  return `${day.format(new Date(from))} … ${day.format(new Date(to))}`;
}

function state(invoice: Invoice): string {
  if (invoice.status !== 'finalized') return invoice.status;
  return (
    { succeeded: 'paid', failed: 'payment failed', pending: 'payment pending' }[invoice.payment_status] ??
    invoice.payment_status
  );
}
