import type { InvoiceFace } from '../../workflows/invoice.contract.js';
import type { InvoiceLine, SubscriptionFace } from '../../workflows/subscription.contract.js';
import { PlanEntity } from '../catalog/plan.entity.js';
import { PaymentEntity, type PaymentRow } from '../collection/payment.entity.js';
import { CustomerEntity, type CustomerRow } from '../customers/customer.entity.js';
import { periodContaining } from '../domain/calendar/billing-calendar.js';
import { instant } from '../domain/calendar/instant.js';
import { DueMomentEntity } from '../due-moments/due-moment.entity.js';
import { FeeEntity } from '../invoicing/fee.entity.js';
import { InvoiceEntity, type InvoiceRow } from '../invoicing/invoice.entity.js';
import { dueMinor } from '../invoicing/amount-due.js';
import { formatMinor } from '../invoicing/money-text.js';
import { OrganizationEntity } from '../organizations/organization.entity.js';
import type { EntityManager } from '../platform/database/database.js';
import { billedFrom, billingCalendarOf, isPaused } from '../subscriptions/lifecycle.js';
import { SubscriptionEntity, type SubscriptionRow } from '../subscriptions/subscription.entity.js';

/** What a person sees of a subscription in the Temporal UI, as of a nominal instant. */
export async function subscriptionFace(
  em: EntityManager,
  subscriptionId: string,
  asOf: Date,
  note = '',
): Promise<SubscriptionFace> {
  const subscription = await em.findOneOrFail(SubscriptionEntity, { id: subscriptionId });
  const customer = await em.findOneOrFail(CustomerEntity, { id: subscription.customerId });
  const plan = await em.findOneOrFail(PlanEntity, { id: subscription.planId });
  const timezone = customer.timezone ?? (await organizationZone(em, subscription.organizationId));
  return {
    customerId: customer.externalId,
    customerName: nameOf(customer),
    planCode: plan.code,
    state: stateOf(subscription, asOf),
    currency: plan.amountCurrency,
    timezone,
    period: currentPeriod(subscription, plan, timezone, asOf),
    trialEndsAt: subscription.trialEndsAt?.toISOString() ?? null,
    pausedAt: subscription.pausedAt?.toISOString() ?? null,
    lastInvoice: await lastInvoice(em, subscription.id),
    note,
  };
}

/** What a person sees of an invoice in the Temporal UI. */
export async function invoiceFace(em: EntityManager, invoiceId: string): Promise<InvoiceFace> {
  const invoice = await em.findOneOrFail(InvoiceEntity, { id: invoiceId }, { refresh: true });
  const customer = await em.findOneOrFail(CustomerEntity, { id: invoice.customerId });
  const payments = await em.find(PaymentEntity, { invoiceId }, { orderBy: { attempt: 'asc' } });
  const due = await em.findOne(DueMomentEntity, { ownerKind: 'invoice', ownerId: invoiceId });
  const outstanding = invoice.status === 'voided' ? 0 : dueMinor(invoice);
  return {
    number: invoice.number,
    customerId: customer.externalId,
    customerName: nameOf(customer),
    currency: invoice.currency,
    status: invoice.status,
    paymentStatus: invoice.paymentStatus,
    total: formatMinor(invoice.totalAmountCents, invoice.currency),
    outstandingMinor: outstanding,
    lines: await em.count(FeeEntity, { invoiceId }),
    issuingDate: invoice.status === 'draft' ? null : (invoice.issuingDate ?? null),
    attempts: payments.map((payment) => ({
      attempt: payment.attempt,
      at: payment.createdAt.toISOString(),
      outcome: outcomeText(payment),
    })),
    attention: attentionOf(invoice, payments, due !== null),
  };
}

export function nameOf(customer: CustomerRow): string {
  return customer.name ?? customer.externalId;
}

function stateOf(subscription: SubscriptionRow, asOf: Date): SubscriptionFace['state'] {
  if (isPaused(subscription, asOf)) return 'paused';
  const inTrial = subscription.trialEndsAt != null && subscription.trialEndsAt > asOf;
  return subscription.status === 'active' && inTrial ? 'trial' : subscription.status;
}

function currentPeriod(
  subscription: SubscriptionRow,
  plan: { interval: string },
  zone: string,
  asOf: Date,
): SubscriptionFace['period'] {
  const begun = billedFrom(subscription);
  if (subscription.status !== 'active' || begun === null) return null;
  const period = periodContaining(billingCalendarOf(subscription, plan, zone), instant(asOf.getTime()));
  const from = Math.max(period.from, begun.getTime());
  return { from: new Date(from).toISOString(), to: new Date(period.to).toISOString() };
}

async function lastInvoice(em: EntityManager, subscriptionId: string): Promise<InvoiceLine | null> {
  const [row] = await em.execute<{ id: string }[]>(
    `select i.id from invoices i join billing_periods b on b.invoice_id = i.id
     where b.subscription_id = ? order by i.billing_at desc, i.id limit 1`,
    [subscriptionId],
  );
  if (row === undefined) return null;
  const invoice = await em.findOneOrFail(InvoiceEntity, { id: row.id });
  return {
    invoiceId: invoice.id,
    number: invoice.number,
    status: invoice.status,
    total: formatMinor(invoice.totalAmountCents, invoice.currency),
    lines: await em.count(FeeEntity, { invoiceId: invoice.id }),
  };
}

async function organizationZone(em: EntityManager, organizationId: string): Promise<string> {
  return (await em.findOneOrFail(OrganizationEntity, { id: organizationId })).timezone;
}

function outcomeText(payment: PaymentRow): string {
  return payment.declineCode == null ? payment.status : `${payment.status} (${payment.declineCode})`;
}

// A decline with a next try is the schedule at work; a person is needed when nothing will happen by itself.
function attentionOf(invoice: InvoiceRow, payments: readonly PaymentRow[], goesOn: boolean): string | null {
  if (invoice.status !== 'finalized' || invoice.paymentStatus === 'succeeded') return null;
  if (invoice.paymentStatus === 'failed' && !goesOn) return 'payment failed';
  const last = payments.at(-1);
  if (last?.status === 'unknown') return 'payment outcome unknown';
  if (last?.status === 'requires_action') return 'cardholder must authenticate';
  return null;
}
