import { randomUUID } from 'node:crypto';
import { billingBoundaries } from '../domain/calendar/billing-boundaries.js';
import { instant } from '../domain/calendar/instant.js';
import type { DueMomentRow } from '../due-moments/due-moment.entity.js';
import type { EntityManager } from '../platform/database/database.js';
import { billingCalendarOf } from '../subscriptions/lifecycle.js';
import type { AdvanceLine } from './advance-rating.js';
import { BillingPeriodEntity } from './billing-period.entity.js';
import type { FeeRow } from './fee.entity.js';
import { applyTotals, issue, newInvoice } from './invoice-composition.js';
import { nextInvoiceDue, storeInvoiceDue } from './invoice-due.js';

/**
 * The invoice of one event of an invoiceable charge paid in advance: issued at once, without grace, dated by the event
 * (lago-api.md 1.3); an event dated ahead is invoiced today. Answers what its workflow waits for, null for nothing.
 */
export async function invoiceOfEvent(em: EntityManager, line: AdvanceLine, fee: FeeRow): Promise<DueMomentRow | null> {
  const { use, event, span, plan, context, now } = line;
  const { subscription } = use;
  const at = new Date(Math.min(event.at, now.getTime()));
  const group = `in_advance_charge/${use.charge.row.id}/${event.id}`;
  const invoice = newInvoice(em, context, {
    ...{ currency: plan.plan.currency, billingAt: at, billingGroup: group, billingGroupOrdinal: 0 },
    ...{ invoiceType: 'subscription', graceDays: 0, createdAt: now },
  });
  await em.flush();
  const running = billingBoundaries({
    ...billingCalendarOf(subscription, plan.row, context.zone),
    payInAdvance: true,
    startedAt: instant(subscription.startedAt?.getTime() ?? event.at),
    billingAt: event.at,
  }).subscription;
  em.create(BillingPeriodEntity, {
    id: randomUUID(),
    organizationId: subscription.organizationId,
    subscriptionId: subscription.id,
    customerId: subscription.customerId,
    externalSubscriptionId: subscription.externalId,
    planId: plan.row.id,
    currency: plan.plan.currency,
    timezone: context.zone,
    billingAt: at,
    billingGroup: group,
    invoicingReason: 'in_advance_charge',
    fromAt: running === null ? null : new Date(running.from),
    toAt: running === null ? null : new Date(running.to),
    chargesFromAt: new Date(span.from),
    chargesToAt: new Date(span.to),
    periodDays: span.periodDays,
    partition: 0,
    cutoffSequence: event.sequence,
    invoiceId: invoice.id,
    createdAt: now,
  });
  fee.invoiceId = invoice.id;
  applyTotals(context, invoice, [fee]);
  await em.flush();
  await issue(em, context, invoice, at);
  const due = nextInvoiceDue(invoice, context.customer);
  return due === null ? null : storeInvoiceDue(em, invoice, context.customer, due, { known: false });
}
